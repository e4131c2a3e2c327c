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
from mer_kit.checks import MerKitError, shortened
from mer_kit.extensions import source_mark
from mer_kit.records import Fold, FoldResult
from mer_kit.runs import decisions, schema
from mer_kit.runs.config import RunConfig
from mer_kit.runs.run_folder import RunFolder, as_json, write_json
from mer_kit.songs import classifiers

#: The file's name in a fold's folder.
NAME = "scores.json"
_log = logging.getLogger("mer_kit")


def write(run: RunFolder, result: FoldResult, songs: pd.DataFrame, config: RunConfig) -> None:
    """Write a fold's scores.json; do nothing where the folder cannot be written.

    Parameters
    ----------
    result, songs : from `decisions.decide_fold`
    """
    names = list(result.songs)
    content = {
        **_origin(run, result.fold, config),
        "sources": _sources(names),
        "fold": result,
        **{column: songs[column].tolist() for column in ("clip_id", "label")},
        "answers": {name: songs[name].tolist() for name in names},
    }
    with contextlib.suppress(OSError):
        write_json(run.fold(result.fold) / NAME, content, indent=None)


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
        schema.check(content["fold"], schema.FOLD, f"{NAME} in {path.parent.name}")
        origin = _origin(run, fold.number, config)
        return _decided(content, origin, fold, labels, clip_ids=clip_ids, config=config)
    except (ValueError, OSError) as error:  # also of numpy, where answers are no list of numbers
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


def _sources(names: Sequence[str]) -> dict[str, str]:
    """Return the checksum of every classifier that is a person's own file."""
    modules = {name: classifiers.MODULES[name] for name in names if name in classifiers.MODULES}
    checksums = {name: source_mark(module) for name, module in modules.items()}
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
        {name: math.nan if score is None else score for name, score in stored["segments"].items()},
        clip_ids=clip_ids,
        config=config,
        seconds=math.nan,
    )
    if not _same({**as_json(result), "seconds": stored.get("seconds")}, stored):
        raise MerKitError("its scores are not those of its answers")
    then, now = content["sources"], _sources(list(result.songs))
    kept = {name: own for name, own in result.songs.items() if now.get(name) == then.get(name)}
    return dataclasses.replace(result, songs=kept), songs


def _same(computed: Any, stored: Any) -> bool:
    """Return whether two JSON values are equal, floats up to rounding."""
    if isinstance(computed, dict) and isinstance(stored, dict):
        return set(computed) == set(stored) and all(
            _same(computed[name], stored[name]) for name in computed
        )
    if isinstance(computed, float) and isinstance(stored, (int, float)):
        return math.isclose(computed, stored, abs_tol=1e-9)
    return bool(computed == stored)
