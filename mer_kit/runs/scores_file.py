"""scores.json of a fold: its scores and every test song's answers, so that nothing is fitted twice.

The file holds the checksum of the segments.csv that it was computed from, θ, the seed, the
FoldResult and one list of class indices per song-level classifier. It can always be computed
again, so a file that is torn, inconsistent or of other segments is never an error: it is not
used, a warning says why, and the fold is decided again.

Notebook: 04_song_decisions
"""

import contextlib
import dataclasses
import logging
import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.extensions import source_mark
from mer_kit.records import TASKS, Fold, FoldResult
from mer_kit.runs import schema
from mer_kit.runs.config import RunConfig
from mer_kit.runs.run_folder import RunFolder, as_json, write_json
from mer_kit.songs import classifiers, scores

#: The file's name in a fold's folder.
NAME = "scores.json"
_log = logging.getLogger("mer_kit")


def write(run: RunFolder, result: FoldResult, songs: pd.DataFrame, config: RunConfig) -> None:
    """Write a fold's scores.json; do nothing where the folder cannot be written.

    Parameters
    ----------
    result, songs : from `decisions.decide_fold`
    """
    folder, names = run.fold(result.fold), list(result.songs)
    content = {
        **_origin(run, result.fold, config),
        "sources": _sources(names),
        "fold": result,
        **{column: songs[column].tolist() for column in ("clip_id", "label")},
        "answers": {name: songs[name].tolist() for name in names},
    }
    with contextlib.suppress(OSError):
        write_json(folder / NAME, content, indent=None)


def read(
    run: RunFolder,
    fold: Fold,
    labels: np.ndarray,
    *,
    clip_ids: Sequence[str],
    config: RunConfig,
) -> tuple[FoldResult, pd.DataFrame] | None:
    """Return what `write` stored for a fold; None where there is no file that can be used.

    Answers of a person's own classifier are left out if its file has changed since.

    Parameters
    ----------
    labels, clip_ids : of all clips, in the order that `fold` refers to
    """
    path = run.fold(fold.number) / NAME
    if not os.path.lexists(path):
        return None
    try:
        content = schema.read_json(path, schema.FOLD_SCORES, inside=run.path)
        where = f"{NAME} in {path.parent.name}"
        schema.check_fold_scores(content, len(TASKS[config.task]), where)
        _check_origin(content, _origin(run, fold.number, config), where)
        return _decided(content, fold, labels, clip_ids=clip_ids, config=config)
    except (MerKitError, OSError) as error:
        _log.warning(
            "%s of fold %d in %s is not used, its songs are decided again: %s",
            NAME, fold.number, run.path.name, error,
        )  # fmt: skip
        return None


def _origin(run: RunFolder, number: int, config: RunConfig) -> dict[str, Any]:
    """Return what a fold's answers depend on: its segments, θ and the seed."""
    segments = run.fold(number) / "segments.csv"
    if not files.is_plain_file(segments, inside=run.path):
        raise MerKitError("segments.csv is not a regular file of the fold, expected one")
    checksum = files.checksum(segments)
    return {"segments_blake2b": checksum, "theta": config.theta, "seed": config.seed}


def _check_origin(content: dict[str, Any], origin: dict[str, Any], where: str) -> None:
    for name, value in origin.items():
        if content[name] != value:
            raise MerKitError(
                f"{where} was computed with {name} {content[name]}, now it is {value}"
            )


def _sources(names: Sequence[str]) -> dict[str, str]:
    """Return the checksum of every classifier that is a person's own file."""
    modules = {name: classifiers.MODULES[name] for name in names if name in classifiers.MODULES}
    checksums = {name: source_mark(module) for name, module in modules.items()}
    return {name: checksum for name, checksum in checksums.items() if checksum}


def _decided(
    content: dict[str, Any],
    fold: Fold,
    labels: np.ndarray,
    *,
    clip_ids: Sequence[str],
    config: RunConfig,
) -> tuple[FoldResult, pd.DataFrame]:
    """Return the stored result and song table; the scores must be those of the stored answers.

    Raises
    ------
    MerKitError
        If songs, labels or scores are not those of this fold.
    """
    stored, truth, n_classes = content["fold"], labels[fold.test], len(TASKS[config.task])
    songs = pd.DataFrame({"clip_id": [clip_ids[i] for i in fold.test], "fold": fold.number})
    songs["label"] = truth
    result = FoldResult(
        fold=fold.number,
        n_train=len(fold.train),
        n_test=len(fold.test),
        segments=_numbers(stored["segments"]),
        songs={
            name: scores.score(truth, np.array(answers, dtype=np.int64), n_classes)
            for name, answers in content["answers"].items()
        },
        majority=scores.majority(labels[fold.train], truth, n_classes),
        seconds=float("nan"),
    )
    same_songs = content["clip_id"] == songs["clip_id"].tolist()
    if not same_songs or content["label"] != truth.tolist():
        raise MerKitError("it has other test songs or labels than this fold")
    expected = {**as_json(result), "seconds": stored.get("seconds")}
    if not _same(expected, stored):
        raise MerKitError("its scores are not those of its answers")
    then, now = content["sources"], _sources(list(content["answers"]))
    kept = [name for name in content["answers"] if now.get(name) == then.get(name)]
    for name in kept:
        songs[name] = np.array(content["answers"][name], dtype=np.int64)
    return dataclasses.replace(result, songs={name: result.songs[name] for name in kept}), songs


def _same(computed: Any, stored: Any) -> bool:
    """Return whether two JSON values are equal, floats up to rounding."""
    if isinstance(computed, dict) and isinstance(stored, dict):
        return set(computed) == set(stored) and all(
            _same(computed[name], stored[name]) for name in computed
        )
    if isinstance(computed, float) and isinstance(stored, (int, float)):
        return math.isclose(computed, stored, abs_tol=1e-9)
    return bool(computed == stored)


def _numbers(stored: dict[str, Any]) -> dict[str, float]:
    """Return scores with NaN where JSON has null."""
    return {name: float("nan") if value is None else value for name, value in stored.items()}
