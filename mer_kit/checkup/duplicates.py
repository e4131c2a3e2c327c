"""What a corpus has twice, in lines for `mer-kit data CORPUS --check`: recordings under two names, artists under several.

Notebook: 00_start_here
"""

from __future__ import annotations

from mer_kit.checks import MerKitError
from mer_kit.corpora.audio_files import printable
from mer_kit.records import TASKS, Clip, Corpus
from mer_kit.runs import grouping
from mer_kit.runs.data import store_folder
from mer_kit.signal import frontends
from mer_kit.signal.fingerprint import Pair
from mer_kit.signal.same_music import same_music
from mer_kit.signal.store import FeatureStore, open_store


def lines(corpus: Corpus) -> list[str]:
    """Return one line for each pair of clips that are one recording and for each artist under several names.

    Opens the corpus' log-mel store, computing what it lacks; clips that cannot be decoded are left out.
    """
    artists = grouping.spellings(grouping.joined_artists(corpus))
    told = [
        f"note: one artist under {len(names)} names: {', '.join(map(printable, names))}"
        for names in artists
    ]
    try:
        store = open_store(corpus.clips, store_folder(frontends.DEFAULT), on_bad_clip="skip")
    except MerKitError:  # no clip can be decoded, which has been said
        return told
    pairs = same_music(store)
    told += [f"note: {_pair(store, pair)}" for pair in pairs]
    counts = (
        f"{len(pairs)} pairs of clips are the same music, {len(artists)} artists have several names"
    )
    return [
        *told,
        counts + (": folds keep them together (grouping=normalised)" if pairs or artists else ""),
    ]


def _pair(store: FeatureStore, pair: Pair) -> str:
    """Return what two clips are to each other."""
    first, second = store.clips[pair.first], store.clips[pair.second]
    if store.digests[pair.first] == store.digests[pair.second]:
        how = "equal files"
    else:
        later = f", {abs(pair.lag_s):.1f} s apart" if abs(pair.lag_s) >= 0.05 else ""
        how = f"similarity {pair.similarity:.2f}{later}"
    labels = "" if dict(first.labels) == dict(second.labels) else ", with different labels"
    return f"the same music twice ({how}){labels}: {_name(first)} and {_name(second)}"


def _name(clip: Clip) -> str:
    """Return a clip's id, file, label, artist and title, as far as they are known."""
    classes = [TASKS[task][clip.labels[task]] for task in TASKS if task in clip.labels]
    label = (
        TASKS["quadrant"][clip.labels["quadrant"]]
        if "quadrant" in clip.labels
        else " ".join(classes)
    )
    work = ": ".join(text for text in (clip.artist, clip.title) if text)
    return printable(f"{clip.path.name} [{label}]" + (f" {work}" if work else ""))
