"""The folds of a run, kept in its folder, so that no later library or rule moves a song.

Notebook: 04_song_decisions
"""

import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.records import TASKS, Corpus, Fold
from mer_kit.runs.config import RunConfig
from mer_kit.runs.grouping import Grouping
from mer_kit.runs.run_folder import RunFolder, write_json
from mer_kit.runs.schema import whole
from mer_kit.songs import folds as song_folds

#: The file's name in a run folder.
NAME = "folds.json"
#: Largest file that is read: bytes, and bytes for each clip.
LARGEST, LARGEST_PER_CLIP = 2**20, 4096


def write(
    folder: RunFolder, folds: Sequence[Fold], clip_ids: Sequence[str], grouping: Grouping
) -> None:
    """Write folds.json: clips, groups, each fold's clips by position, and the grouping."""
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
    write_json(folder.path / NAME, content, indent=None)


def keep(
    folder: RunFolder, folds: Sequence[Fold], clip_ids: Sequence[str], grouping: Grouping
) -> None:
    """Write folds.json unless it is there; do nothing in a read-only folder."""
    if not (folder.path / NAME).exists():
        with contextlib.suppress(OSError):
            write(folder, folds, clip_ids, grouping)


def of(folder: RunFolder, corpus: Corpus, grouping: Grouping, config: RunConfig) -> list[Fold]:
    """Return a run's folds as stored, else made from the groups or the corpus' official split.

    Raises
    ------
    MerKitError
        If they cannot be made, or a finished fold tested other songs.
    """
    clip_ids = [clip.clip_id for clip in corpus.clips]
    stored = read(folder, clip_ids, n_folds=config.folds)
    if stored is not None:
        return stored
    labels, classes = corpus.labels(config.task), TASKS[config.task]
    if config.divide_by == "official":
        made = song_folds.official(
            [clip.split for clip in corpus.clips], labels, class_names=classes
        )
    else:
        made = song_folds.make(
            labels,
            groups=grouping.groups,
            n_folds=config.folds,
            seed=config.seed,
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
    for fold in folds:
        if not folder.fold_done(fold.number):
            continue
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


def read(folder: RunFolder, clip_ids: Sequence[str], *, n_folds: int) -> list[Fold] | None:
    """Return a run's stored folds, for clips in the order of `clip_ids`; None without a file.

    Raises
    ------
    MerKitError
        If the file is not what a run writes, or its clips are not these.
    """
    file = folder.path / NAME
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
            f"{NAME} in {folder.path.name} is not what a run writes ({reason}), expected its "
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
            f"{NAME} in {folder.path.name} divides {len(stored)} clips, and the corpus has "
            f"{len(clip_ids)}, of which {len(changed)} differ{example}: restore the corpus, or "
            "delete the run folder and train again"
        )
    return pd.Index(clip_ids).get_indexer(pd.Index(stored))


def _fold(number: int, part: dict[str, Any], order: np.ndarray) -> Fold:
    """Return one fold with positions in today's order of clips."""
    in_range = whole(0, len(order) - 1)
    for name in ("train", "test"):
        clips = part[name]
        is_list = isinstance(clips, list) and all(map(in_range, clips))
        if not is_list or not 0 < len(clips) == len(set(clips)):
            raise ValueError(f"fold {number} must list different {name} clips")
    train, test = np.sort(order[part["train"]]), np.sort(order[part["test"]])
    if np.isin(train, test).any():
        raise ValueError(f"fold {number} tests a clip that it trains on")
    return Fold(number, train, test)
