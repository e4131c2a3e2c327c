"""What must stay together in a fold: an artist under every spelling, and one recording under every name.

Notebook: 04_song_decisions
"""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mer_kit.corpora import artists
from mer_kit.records import Clip, Corpus, Fold
from mer_kit.runs.config import RunConfig
from mer_kit.runs.run_folder import RunFolder, fingerprint
from mer_kit.signal.fingerprint import Pair
from mer_kit.signal.same_music import same_music
from mer_kit.signal.store import FeatureStore
from mer_kit.training import METHOD_VERSION

_log = logging.getLogger("mer_kit")


@dataclass(frozen=True)
class Grouping:
    """The group of every clip (str [clips], None where each stands alone), and what was found to get there.

    `artists` holds the spellings of each artist that has several and was joined; `music` the pairs of clips that are one
    recording, joined or not.
    """

    groups: np.ndarray | None
    artists: tuple[tuple[str, ...], ...] = ()
    music: tuple[Pair, ...] = ()


def group(corpus: Corpus, store: FeatureStore, config: RunConfig) -> Grouping:
    """Return what a run's folds keep together: `joined`, as far as the folds can be made.

    Where a class has names enough for the folds but not recordings, these are not joined, and `warn` says so.
    """
    made = joined(corpus, store, config)
    if made.groups is None or config.grouping == "exact" or not made.music:
        return made
    apart = joined(corpus, store, config, music=())
    names = np.arange(len(corpus.clips)) if apart.groups is None else apart.groups
    if _suffice(made.groups, corpus, config) or not _suffice(names, corpus, config):
        return made
    return dataclasses.replace(made, groups=apart.groups)


def joined(
    corpus: Corpus, store: FeatureStore, config: RunConfig, *, music: tuple[Pair, ...] | None = None
) -> Grouping:
    """Return the groups of a run's clips, by its settings alone.

    "exact": the corpus' groups, letter by letter, as the first versions did. "normalised": artists under all their
    spellings, and clips that are one recording by their sound, transitively; `group_by="song"` ignores the artists
    alone. `music` takes the place of the pairs that are found in the store.
    """
    music = tuple(same_music(store)) if music is None else music
    if config.grouping == "exact":
        return Grouping(corpus.groups() if config.group_by == "auto" else None, music=music)
    by_artist = config.group_by == "auto"
    artists_of = joined_artists(corpus) if by_artist else {}
    names = [_name(clip, artists_of, by_artist=by_artist) for clip in corpus.clips]
    grouped = bool(music) or (by_artist and corpus.groups() is not None)
    return Grouping(_together(names, music) if grouped else None, spellings(artists_of), music)


def _suffice(groups: np.ndarray, corpus: Corpus, config: RunConfig) -> bool:
    """Tell whether every class has a group for each fold."""
    labels = corpus.labels(config.task)
    return all(len(set(groups[labels == label])) >= config.folds for label in set(labels.tolist()))


def joined_artists(corpus: Corpus) -> dict[str, str]:
    """Return group → the group it belongs to, for every group that is an artist's name; others are left as they are."""
    return artists.join(str(clip.group) for clip in corpus.clips if is_artist(clip))


def spellings(joined: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the names of every artist that goes by several.

    Examples
    --------
    >>> spellings({"ann": "ann", "ann & the bobs": "ann", "zoe": "zoe"})
    (('ann', 'ann & the bobs'),)
    """
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name, own in joined.items():
        names[own].append(name)
    return tuple(sorted(tuple(sorted(several)) for several in names.values() if len(several) > 1))


def is_artist(clip: Clip) -> bool:
    """Tell whether a clip's group is its artist, and no column of groups that somebody wrote by hand."""
    return (
        bool(clip.artist) and clip.group is not None and clip.group == str(clip.artist).casefold()
    )


def divided(folds: Sequence[Fold], music: Sequence[Pair]) -> list[Pair]:
    """Return the pairs of one recording that some fold has on both sides.

    Examples
    --------
    >>> fold, pairs = Fold(0, np.array([0, 1]), np.array([2])), [Pair(0, 1, 1.0, 0.0, 1.0), Pair(1, 2, 1.0, 0.0, 1.0)]
    >>> [(pair.first, pair.second) for pair in divided([fold], pairs)]
    [(1, 2)]
    """
    sides = [(set(fold.train.tolist()), set(fold.test.tolist())) for fold in folds]
    return [
        pair
        for pair in music
        if any(
            {pair.first, pair.second} & train and {pair.first, pair.second} & test
            for train, test in sides
        )
    ]


def describe(grouping: Grouping, folds: Sequence[Fold]) -> str:
    """Return in words, one line each, what stays together in these folds and what does not.

    Examples
    --------
    >>> print(describe(Grouping(None, music=(Pair(0, 2, 1.0, 0.0, 1.0),)), [Fold(0, np.array([0, 1]), np.array([2]))]))
    every clip stands alone
    pairs of clips that are one recording: 1, on both sides of a fold: 1
    """
    lines = ["every clip stands alone"]
    if grouping.groups is not None:
        sides = [
            set(grouping.groups[fold.train]) & set(grouping.groups[fold.test]) for fold in folds
        ]
        lines = [
            f"{len(set(grouping.groups))} groups (artists, or clips of one recording), on both sides of a fold: "
            f"{sum(map(len, sides))}"
        ]
    lines += [f"one artist: {' = '.join(names)}" for names in grouping.artists]
    apart = len(divided(folds, grouping.music))
    lines.append(
        f"pairs of clips that are one recording: {len(grouping.music)}, on both sides of a fold: {apart}"
    )
    return "\n".join(lines)


def warn(corpus: Corpus, folds: Sequence[Fold], grouping: Grouping, config: RunConfig) -> None:
    """Log a warning where a fold trains on a recording and tests on its copy."""
    apart = divided(folds, grouping.music)
    if not apart:
        return
    first, second = (corpus.clips[at].clip_id for at in (apart[0].first, apart[0].second))
    advice = "leave one of each out"
    if config.divide_by == "folds" and config.grouping == "exact":
        advice += ", or choose grouping='normalised', which keeps them together"
    elif config.divide_by == "folds":
        advice = "a class has too few recordings to keep them together, and scores measure memory too: lower the number of folds"
    _log.warning(
        "%s: %d pairs of clips are the same music on both sides of a fold, first %s and %s: %s",
        corpus.name, len(apart), first, second, advice,
    )  # fmt: skip


def point_to_exact(folder: RunFolder, config: RunConfig, *, corpus_checksum: str) -> None:
    """Log that a run with exact groups and otherwise these settings is there, where the run itself is not yet."""
    exact = dataclasses.replace(config, grouping="exact")
    mark = fingerprint(exact, corpus_checksum=corpus_checksum, code_version=METHOD_VERSION)
    older = RunFolder.of(folder.path.parent, exact, mark)
    if older.path != folder.path and older.path.is_dir() and not folder.path.is_dir():
        _log.warning(
            "%s has these settings with exact groups, and this is a new run: choose grouping='exact' to go on with that one",
            older.path.name,
        )


def _name(clip: Clip, joined: dict[str, str], *, by_artist: bool) -> str:
    if not by_artist or clip.group is None:
        return f"clip:{clip.clip_id}"
    return joined[clip.group] if is_artist(clip) else clip.group


def _together(names: list[str], music: tuple[Pair, ...]) -> np.ndarray:
    """Return the names with those of each pair made one, transitively: the first by the alphabet."""
    leader = {name: name for name in names}

    def top(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for pair in music:
        first, second = sorted((top(names[pair.first]), top(names[pair.second])))
        leader[second] = first
    return np.array([top(name) for name in names])
