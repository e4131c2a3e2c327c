"""A fold's scores and every test song's answers on disk, so that nothing is fitted twice.

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

from mer_kit import extensions, files
from mer_kit.checks import MerKitError, shortened
from mer_kit.records import Fold, FoldResult
from mer_kit.runs import decisions, schema
from mer_kit.runs.config import RunConfig
from mer_kit.runs.run_folder import RunFolder, as_json, write_json
from mer_kit.songs import classifiers

SCORES_FILE = "scores.json"
_log = logging.getLogger("mer_kit")


def write(run: RunFolder, result: FoldResult, songs: pd.DataFrame, config: RunConfig) -> None:
    """Write a fold's scores.json; do nothing where the folder cannot be written.

    Parameters
    ----------
    result, songs : from `decide_fold`
    """
    names = list(result.songs)
    content = {
        **_origin(run, result.fold, config),
        "sources": _sources(names),
        "fold": _scores_of(as_json(result)),
        **{column: songs[column].tolist() for column in ("clip_id", "label")},
        "answers": {name: songs[name].tolist() for name in names},
    }
    with contextlib.suppress(OSError):
        write_json(run.fold(result.fold) / SCORES_FILE, content, indent=None)


def read(
    run: RunFolder,
    fold: Fold,
    labels: np.ndarray,
    *,
    clip_ids: Sequence[str],
    config: RunConfig,
) -> tuple[FoldResult, pd.DataFrame] | None:
    """Return what `write` stored for a fold; None where there is no file that can be used.

    The file holds the checksum of the segments.csv that it was computed from, θ, the seed, the
    FoldResult and one list of class indices per song-level classifier. It can always be computed
    again, so a file that is torn, inconsistent or of other segments is never an error: it is not
    used, a warning says why, and the fold is decided again.

    Answers of a person's own classifier are left out if its file has changed since.

    Parameters
    ----------
    labels, clip_ids : of all clips, in the order that `fold` refers to
    """
    path = run.fold(fold.number) / SCORES_FILE
    if not os.path.lexists(path):
        return None
    try:
        content = schema.read_json(path, schema.FOLD_SCORES, inside=run.path)
        schema.check(content["fold"], schema.FOLD, f"{SCORES_FILE} in {path.parent.name}")
        origin = _origin(run, fold.number, config)
        return _decided(content, origin, fold, labels, clip_ids=clip_ids, config=config)
    except (ValueError, OSError) as error:  # also of numpy, where answers are no list of numbers
        _log.warning(
            "%s of fold %d in %s is not used, its songs are decided again: %s",
            SCORES_FILE, fold.number, run.path.name, error,
        )  # fmt: skip
        return None


def _origin(run: RunFolder, number: int, config: RunConfig) -> dict[str, Any]:
    """Return what a fold's answers depend on: its segments, θ and the seed."""
    segments = run.fold(number) / "segments.csv"
    if not files.is_plain_file(segments, inside=run.path):
        raise MerKitError("segments.csv is not a regular file of the fold, expected one")
    return {
        "segments_blake2b": files.checksum(segments),
        "theta": config.theta,
        "seed": config.seed,
    }


def _sources(names: Sequence[str]) -> dict[str, str]:
    """Return the checksum of every classifier that is a person's own file."""
    checksums = {
        name: extensions.source_mark(classifiers.MODULES[name])
        for name in names
        if name in classifiers.MODULES
    }
    return {name: checksum for name, checksum in checksums.items() if checksum}


def _decided(
    content: dict[str, Any],
    origin: dict[str, Any],
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
        If origin, songs, labels or scores are not those of this fold.
    """
    ids, truth = [clip_ids[i] for i in fold.test], labels[fold.test].tolist()
    for name, value in {**origin, "clip_id": ids, "label": truth}.items():
        if content.get(name) != value:
            raise MerKitError(
                f"it was computed with {name} {shortened(content.get(name))}, "
                f"now it is {shortened(value)}"
            )
    stored = content["fold"]
    result, songs = decisions.scored(
        fold,
        labels,
        {name: np.array(answer) for name, answer in content["answers"].items()},
        # NaN where JSON has null
        {name: float(np.array(score, float)) for name, score in stored["segments"].items()},
        clip_ids=clip_ids,
        config=config,
        seconds=math.nan,
    )
    scores_now = {**as_json(result), "seconds": stored.get("seconds")}
    if not _same(_scores_of(scores_now), _scores_of(stored)):
        raise MerKitError("its scores are not those of its answers")
    then, now = content["sources"], _sources(list(result.songs))
    kept = {name: own for name, own in result.songs.items() if now.get(name) == then.get(name)}
    return dataclasses.replace(result, songs=kept), songs


def as_stored(result: FoldResult) -> dict[str, Any]:
    """Return a FoldResult as metrics.json has it: without an entry for a cost that is not known."""
    content: dict[str, Any] = as_json(result)
    return content if result.cost else _scores_of(content)


def _scores_of(result: dict[str, Any]) -> dict[str, Any]:
    """Return a FoldResult as JSON without the cost, which the answers do not decide."""
    return {name: value for name, value in result.items() if name != "cost"}


def _same(computed: Any, stored: Any) -> bool:
    """Return whether two JSON values are equal, floats up to rounding."""
    match computed, stored:
        case dict(), dict():
            return computed.keys() == stored.keys() and all(
                _same(computed[name], stored[name]) for name in computed
            )
        case float(), int() | float():
            return math.isclose(computed, stored, abs_tol=1e-9)
    return bool(computed == stored)
