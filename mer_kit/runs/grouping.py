"""What must stay in one fold, and a run's folds as they are kept in its folder.

An artist stays together under every spelling, a recording under every name.

Notebook: 04_song_decisions
"""

import contextlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse  # type: ignore[import-untyped, unused-ignore]

from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.corpora import artists
from mer_kit.records import Clip, Corpus, Fold
from mer_kit.runs.config import RunConfig
from mer_kit.runs.run_folder import RunFolder, fingerprint, write_json
from mer_kit.runs.schema import whole
from mer_kit.signal.fingerprint import Pair
from mer_kit.signal.same_music import same_music
from mer_kit.signal.store import FeatureStore
from mer_kit.songs import folds as song_folds
from mer_kit.training import METHOD_VERSION

#: The file of a run's folds in its folder, so that no later library or rule moves a song.
FOLDS_FILE = "folds.json"
#: Largest such file that is read: bytes, and bytes for each clip.
LARGEST, LARGEST_PER_CLIP = 2**20, 4096
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
    return replace(grouping, groups=names)


def joined(
    corpus: Corpus, store: FeatureStore, config: RunConfig, *, music: tuple[Pair, ...] | None = None
) -> Grouping:
    """Return the groups of a run's clips, by its settings alone.

    "exact": the corpus' groups, letter by letter, as in the first versions. "normalised": artists
    under all their spellings, and clips that are one recording by their sound, transitively;
    `group_by="song"` ignores only the artists. `music` replaces the pairs found in the store.
    """
    music = tuple(same_music(store)) if music is None else music
    by_artist = config.group_by == "auto"
    corpus_groups = corpus.groups() if by_artist else None
    if corpus_groups is None and not music:
        return Grouping(None)
    if config.grouping == "exact":
        return Grouping(corpus_groups, music=music)
    artists_of = joined_artists(corpus) if by_artist else {}
    names = [_name(clip, artists_of, by_artist=by_artist) for clip in corpus.clips]
    return Grouping(_together(names, music), spellings(artists_of), music)


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
    by_artist = pd.Series(list(joined), dtype=object).groupby(list(joined.values()))
    several = (tuple(sorted(names)) for _, names in by_artist if len(names) > 1)
    return tuple(sorted(several))


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
    >>> fold = Fold(0, np.array([0, 1]), np.array([2]))
    >>> print(describe(Grouping(None, music=(Pair(0, 2, 1.0, 0.0, 1.0),)), [fold]))
    every clip is its own group
    pairs of clips that are one recording: 1, on both sides of a fold: 1
    """
    kept, groups = "every clip is its own group", grouping.groups
    if groups is not None:
        shared = sum(len(np.intersect1d(groups[fold.train], groups[fold.test])) for fold in folds)
        kept = (
            f"{len(set(groups))} groups (artists, or clips of one recording), "
            f"on both sides of a fold: {shared}"
        )
    pairs = (
        f"pairs of clips that are one recording: {len(grouping.music)}, "
        f"on both sides of a fold: {len(divided(folds, grouping.music))}"
    )
    artists_of = [f"one artist: {' = '.join(names)}" for names in grouping.artists]
    return "\n".join([kept, *artists_of, pairs])


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
    exact = replace(config, grouping="exact")
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
    known, name_of = np.unique(names, return_inverse=True)
    pairs = name_of[[(pair.first, pair.second) for pair in music]].reshape(-1, 2)
    graph = sparse.coo_array((np.ones(len(pairs)), pairs.T), shape=(len(known), len(known)))
    component = sparse.csgraph.connected_components(graph, directed=False)[1]
    first = np.unique(component, return_index=True)[1]  # known names are sorted
    return np.asarray(known[first[component[name_of]]])


def keep_folds(
    folder: RunFolder, folds: Sequence[Fold], clip_ids: Sequence[str], grouping: Grouping
) -> None:
    """Write folds.json unless it is there; do nothing in a read-only folder.

    It holds the clips, their groups, each fold's clips by position, and the grouping.
    """
    content = {
        "clips": list(clip_ids),
        "groups": grouping.groups,
        "folds": [{"train": fold.train, "test": fold.test} for fold in folds],
        "joined_artists": grouping.artists,
        "same_music": [
            {
                "clips": [clip_ids[pair.first], clip_ids[pair.second]],
                "similarity": round(pair.similarity, 4),
                "lag_s": round(pair.lag_s, 2),
            }
            for pair in grouping.music
        ],
    }
    with contextlib.suppress(OSError):
        if not (folder.path / FOLDS_FILE).exists():
            write_json(folder.path / FOLDS_FILE, content, indent=None)


def folds_of(
    folder: RunFolder, corpus: Corpus, grouping: Grouping, config: RunConfig
) -> list[Fold]:
    """Return a run's folds as stored, else made from the groups or the corpus' official split.

    Raises
    ------
    MerKitError
        If they cannot be made, or a finished fold tested other songs.
    """
    clip_ids = [clip.clip_id for clip in corpus.clips]
    stored = read_folds(folder, clip_ids, n_folds=config.folds)
    if stored is not None:
        return stored
    labels, classes = corpus.labels(config.task), corpus.classes(config.task)
    if config.divide_by == "official":
        made = song_folds.official(
            [clip.split for clip in corpus.clips], labels, class_names=classes
        )
    else:
        made = song_folds.make(
            labels,
            groups=grouping.groups,
            n_folds=config.folds,
            seed=config.divides_by,
            class_names=classes,
        )
    check_finished(folder, made, clip_ids)
    return made


def check_finished(folder: RunFolder, folds: Sequence[Fold], clip_ids: Sequence[str]) -> None:
    """Raise one sentence if a finished fold, in a run without stored folds, tested other songs.

    Raises
    ------
    MerKitError
        If the folds were made by another version of a library.
    """
    for fold in (fold for fold in folds if folder.fold_done(fold.number)):
        file = folder.fold(fold.number) / "segments.csv"
        try:
            table = pd.read_csv(file, dtype=str, usecols=["clip_id", "part"])
        except (OSError, ValueError):  # reported where its numbers are read
            continue
        tested = set(table.loc[table["part"] == "test", "clip_id"])
        if tested != {clip_ids[i] for i in fold.test}:
            raise MerKitError(
                f"fold {fold.number} of {folder.path.name} tested {len(tested)} songs that are not "
                f"those of today's fold {fold.number}: install the versions that its config.json "
                "names, or delete the run folder and train again"
            )


def read_folds(folder: RunFolder, clip_ids: Sequence[str], *, n_folds: int) -> list[Fold] | None:
    """Return a run's stored folds, for clips in the order of `clip_ids`; None without a file.

    Raises
    ------
    MerKitError
        If the file is not what a run writes, or its clips are not these.
    """
    file = folder.path / FOLDS_FILE
    if not os.path.lexists(file):
        return None
    try:
        most = LARGEST + LARGEST_PER_CLIP * len(clip_ids)
        content = json.loads(files.read_bytes(file, most=most, inside=folder.path).decode("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it must hold names and values")
        order = _order(content["clips"], clip_ids, folder)
        parts = content["folds"]
        if not isinstance(parts, list) or len(parts) != n_folds:
            raise ValueError(f"expected {n_folds} folds")
        return [_fold(number, part, order) for number, part in enumerate(parts)]
    except MerKitError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise MerKitError(
            f"{FOLDS_FILE} in {folder.path.name} is not what a run writes ({reason}), expected its "
            "folds: restore it, or delete the run folder and train again"
        ) from error


def _order(stored: Any, clip_ids: Sequence[str], folder: RunFolder) -> np.ndarray:
    """Return the position of every stored clip; raise an error if they are not these."""
    if not isinstance(stored, list) or not all(isinstance(one, str) for one in stored):
        raise ValueError("the clips must be a list of names")
    if sorted(stored) != sorted(clip_ids):
        changed = sorted(set(stored) ^ set(clip_ids))
        example = f", first {changed[0]!r}" if changed else ""
        raise MerKitError(
            f"{FOLDS_FILE} in {folder.path.name} divides {len(stored)} clips, and the corpus has "
            f"{len(clip_ids)}, of which {len(changed)} differ{example}: restore the corpus, or "
            "delete the run folder and train again"
        )
    return pd.Index(clip_ids).get_indexer(pd.Index(stored))


def _fold(number: int, part: dict[str, Any], order: np.ndarray) -> Fold:
    """Return one fold with positions in today's order of clips."""
    in_range = whole(0, len(order) - 1)
    for name in ("train", "test"):
        clips = part[name]
        if not (
            isinstance(clips, list)
            and all(map(in_range, clips))
            and 0 < len(clips) == len(set(clips))
        ):
            raise ValueError(f"fold {number} must list different {name} clips")
    train, test = np.sort(order[part["train"]]), np.sort(order[part["test"]])
    if np.isin(train, test).any():
        raise ValueError(f"fold {number} tests a clip that it trains on")
    return Fold(number, train, test)
