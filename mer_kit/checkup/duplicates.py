"""Duplicates in a corpus for `mer-kit data CORPUS --check`: recordings and artists under two names.

Notebook: 00_start_here
"""

from mer_kit.checks import MerKitError
from mer_kit.corpora.audio_files import printable
from mer_kit.records import Clip, Corpus
from mer_kit.runs import grouping
from mer_kit.runs.data import store_folder
from mer_kit.signal import frontends
from mer_kit.signal.fingerprint import Pair
from mer_kit.signal.same_music import same_music
from mer_kit.signal.store import FeatureStore, open_store


def lines(corpus: Corpus) -> list[str]:
    """Return one line for each recording under two names and each artist under several.

    Opens the corpus' log-mel store and computes missing ones; clips that cannot be decoded are
    left out.
    """
    artists = grouping.spellings(grouping.joined_artists(corpus))
    notes = [
        f"note: one artist under {len(names)} names: {', '.join(map(printable, names))}"
        for names in artists
    ]
    try:
        store = open_store(corpus.clips, store_folder(frontends.DEFAULT), on_bad_clip="skip")
    except MerKitError:  # no clip can be decoded, which is reported elsewhere
        return notes
    pairs = same_music(store)
    notes += [f"note: {_pair(corpus, store, pair)}" for pair in pairs]
    advice = ""
    if pairs or artists:
        advice = ": folds keep them together (grouping=normalised)"
    return [
        *notes,
        f"{len(pairs)} pairs of clips are the same music, {len(artists)} artists have several "
        f"names{advice}",
    ]


def _pair(corpus: Corpus, store: FeatureStore, pair: Pair) -> str:
    """Return how two clips are related, and their names."""
    first, second = store.clips[pair.first], store.clips[pair.second]
    how = f"similarity {pair.similarity:.2f}"
    if store.digests[pair.first] == store.digests[pair.second]:
        how = "equal files"
    elif abs(pair.lag_s) >= 0.05:
        how += f", {abs(pair.lag_s):.1f} s apart"
    labels = ""
    if dict(first.labels) != dict(second.labels):
        labels = ", with different labels"
    names = f"{_name(corpus, first)} and {_name(corpus, second)}"
    return f"the same music twice ({how}){labels}: {names}"


def _name(corpus: Corpus, clip: Clip) -> str:
    """Return a clip's file, label, artist and title, as far as they are known."""
    classes = {task: corpus.classes(task)[k] for task, k in clip.labels.items()}
    label = classes.get("quadrant", " ".join(classes.values()))
    work = ": ".join(text for text in (clip.artist, clip.title) if text)
    return printable(f"{clip.path.name} [{label}] {work}".rstrip(" "))
