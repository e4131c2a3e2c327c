"""What must stay in one fold: an artist under every spelling, a recording under every name.

Notebook: 04_song_decisions
"""

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
    """The group of every clip (str [clips], None if each is its own), and how it was found.

    `artists` holds the spellings of each artist that was joined; `music` the pairs of clips that
    are one recording, joined or not.
    """

    groups: np.ndarray | None
    artists: tuple[tuple[str, ...], ...] = ()
    music: tuple[Pair, ...] = ()


def group(corpus: Corpus, store: FeatureStore, config: RunConfig) -> Grouping:
    """Return what a run's folds keep together: `joined`, as far as the folds can be made.

    If a class has enough names for the folds but not enough recordings, recordings are not joined,
    and `warn` reports it.
    """
    grouping = joined(corpus, store, config)
    if grouping.groups is None or config.grouping == "exact" or not grouping.music:
        return grouping
    names = joined(corpus, store, config, music=()).groups
    apart = np.arange(len(corpus.clips)) if names is None else names
    if _suffice(grouping.groups, corpus, config) or not _suffice(apart, corpus, config):
        return grouping
    return dataclasses.replace(grouping, groups=names)


def joined(
    corpus: Corpus, store: FeatureStore, config: RunConfig, *, music: tuple[Pair, ...] | None = None
) -> Grouping:
    """Return the groups of a run's clips, by its settings alone.

    "exact": the corpus' groups, letter by letter, as in the first versions. "normalised": artists
    under all their spellings, and clips that are one recording by their sound, transitively;
    `group_by="song"` ignores only the artists. `music` replaces the pairs found in the store.
    """
    if music is None:
        music = tuple(same_music(store))
    by_artist = config.group_by == "auto"
    corpus_groups = corpus.groups() if by_artist else None
    if config.grouping == "exact":
        return Grouping(corpus_groups, music=music)
    artists_of = joined_artists(corpus) if by_artist else {}
    groups = None
    if music or corpus_groups is not None:
        names = [_name(clip, artists_of, by_artist=by_artist) for clip in corpus.clips]
        groups = _together(names, music)
    return Grouping(groups, spellings(artists_of), music)


def _suffice(groups: np.ndarray, corpus: Corpus, config: RunConfig) -> bool:
    """Return whether every class has a group for each fold."""
    labels = corpus.labels(config.task)
    return all(len(set(groups[labels == label])) >= config.folds for label in set(labels.tolist()))


def joined_artists(corpus: Corpus) -> dict[str, str]:
    """Return artist → the name that all its spellings share; only of groups that are artists.

    Examples
    --------
    >>> from pathlib import Path
    >>> clips = [Clip(name, Path(name), {}, group=name, artist=name)
    ...          for name in ("the beatles", "beatles, the")]
    >>> len(set(joined_artists(Corpus("mine", Path("."), tuple(clips))).values()))
    1
    """
    return artists.join(str(clip.group) for clip in corpus.clips if is_artist(clip))


def spellings(joined: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    """Return the names of every artist with several names.

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
    """Return whether a clip's group is its artist, and not from a column of groups made by hand.

    Examples
    --------
    >>> from pathlib import Path
    >>> is_artist(Clip("a", Path("a"), {}, group="ann", artist="Ann"))
    True
    >>> is_artist(Clip("a", Path("a"), {}, group="album 1", artist="Ann"))
    False
    """
    return (
        bool(clip.artist) and clip.group is not None and clip.group == str(clip.artist).casefold()
    )


def divided(folds: Sequence[Fold], music: Sequence[Pair]) -> list[Pair]:
    """Return the pairs of one recording that some fold has on both sides.

    Examples
    --------
    >>> fold = Fold(0, np.array([0, 1]), np.array([2]))
    >>> pairs = [Pair(0, 1, 1.0, 0.0, 1.0), Pair(1, 2, 1.0, 0.0, 1.0)]
    >>> [(pair.first, pair.second) for pair in divided([fold], pairs)]
    [(1, 2)]
    """
    sides = [(set(fold.train.tolist()), set(fold.test.tolist())) for fold in folds]

    def is_divided(pair: Pair) -> bool:
        clips = {pair.first, pair.second}
        return any(clips & train and clips & test for train, test in sides)

    return [pair for pair in music if is_divided(pair)]


def describe(grouping: Grouping, folds: Sequence[Fold]) -> str:
    """Return in words, one line each, what stays together in these folds and what does not.

    Examples
    --------
    >>> fold = Fold(0, np.array([0, 1]), np.array([2]))
    >>> print(describe(Grouping(None, music=(Pair(0, 2, 1.0, 0.0, 1.0),)), [fold]))
    every clip is its own group
    pairs of clips that are one recording: 1, on both sides of a fold: 1
    """
    lines = ["every clip is its own group"]
    if grouping.groups is not None:
        shared = [
            set(grouping.groups[fold.train]) & set(grouping.groups[fold.test]) for fold in folds
        ]
        lines = [
            f"{len(set(grouping.groups))} groups (artists, or clips of one recording), "
            f"on both sides of a fold: {sum(map(len, shared))}"
        ]
    lines += [f"one artist: {' = '.join(names)}" for names in grouping.artists]
    apart = len(divided(folds, grouping.music))
    lines.append(
        f"pairs of clips that are one recording: {len(grouping.music)}, "
        f"on both sides of a fold: {apart}"
    )
    return "\n".join(lines)


def warn(corpus: Corpus, folds: Sequence[Fold], grouping: Grouping, config: RunConfig) -> None:
    """Log a warning if a fold trains on a recording and tests on its copy."""
    apart = divided(folds, grouping.music)
    if not apart:
        return
    advice = "leave one of each out"
    if config.divide_by == "folds" and config.grouping == "exact":
        advice += ", or choose grouping='normalised', which keeps them together"
    elif config.divide_by == "folds":
        advice = (
            "a class has too few recordings to keep them together, so scores also measure "
            "memorised songs: lower the number of folds"
        )
    _log.warning(
        "%s: %d pairs of clips are the same music on both sides of a fold, first %s and %s: %s",
        corpus.name,
        len(apart),
        corpus.clips[apart[0].first].clip_id,
        corpus.clips[apart[0].second].clip_id,
        advice,
    )


def point_to_exact(folder: RunFolder, config: RunConfig, *, corpus_checksum: str) -> None:
    """Log a warning if a new run exists already with exact groups and otherwise equal settings."""
    exact = dataclasses.replace(config, grouping="exact")
    name = fingerprint(exact, corpus_checksum=corpus_checksum, code_version=METHOD_VERSION)
    older = RunFolder.of(folder.path.parent, exact, name)
    if older.path != folder.path and older.path.is_dir() and not folder.path.is_dir():
        _log.warning(
            "%s has these settings with exact groups, and this is a new run: "
            "choose grouping='exact' to resume that one",
            older.path.name,
        )


def _name(clip: Clip, joined: dict[str, str], *, by_artist: bool) -> str:
    if not by_artist or clip.group is None:
        return f"clip:{clip.clip_id}"
    return joined[clip.group] if is_artist(clip) else clip.group


def _together(names: list[str], music: tuple[Pair, ...]) -> np.ndarray:
    """Return the names, those of each pair replaced by the alphabetically first, transitively."""
    leader = {name: name for name in names}

    def top(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for pair in music:
        first, second = sorted((top(names[pair.first]), top(names[pair.second])))
        leader[second] = first
    return np.array([top(name) for name in names])
