"""Data of the curve player: checks, spans as records, number formats, and rejected labels.

Notebook: 05_emotion_curve
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.analysis.curve import classes_of
from mer_kit.analysis.passes import read_passes
from mer_kit.checks import MerKitError
from mer_kit.runs.experiment import Experiment
from mer_kit.training import diagnostics

#: The number of decimal places of the probabilities that are sent to the browser.
DIGITS = 5


def rejected_spans(experiment: Experiment, clip_id: str) -> pd.DataFrame | None:
    """Return the spans of a clip whose label a training rejects, or None without a training on it.

    Columns: start_s, end_s, omega.

    The spans are those of the first finished fold with the clip among its training songs, from the
    evaluation pass behind its last partition, at the fold's own τ. Test songs have no such spans:
    their labels are not examined.

    Notebook: 05_emotion_curve
    """
    at = experiment.corpus.position(clip_id)
    for number in experiment.folder.folds_done():
        if at in experiment.folds[number].train:
            passes = read_passes(experiment, number)
            partition, mine = passes.partitions[passes.last_separating_epoch - 1], passes.clip == at
            if not partition.separated:
                return None
            return diagnostics.rejected(
                passes.start_s[mine], passes.end_s[mine], partition.omega[mine], tau=passes.tau
            )
    return None


def check_curves(curves: Mapping[str, pd.DataFrame]) -> None:
    """Check that these are one or two curves of the same segments and classes."""
    if not 1 <= len(curves) <= 2:
        raise MerKitError(
            f"{len(curves)} curves were given, expected one or two by name: choose two methods"
        )
    (known, first), *others = curves.items()
    if first.empty:
        raise MerKitError(
            "the curve has no segments, expected at least one: "
            "make it with analysis.predict.predict_curve"
        )
    for name, other in others:
        same = classes_of(first) == classes_of(other) and len(first) == len(other)
        if not same or not np.allclose(first[["start_s", "end_s"]], other[["start_s", "end_s"]]):
            raise MerKitError(
                f"curve {name!r} has other segments or classes than {known!r}, "
                "expected the same song, task "
                "and segment_seconds: predict both from the same file"
            )


def records(table: pd.DataFrame | None, *columns: str) -> list[dict[str, Any]] | None:
    """Return spans as JSON objects: start_s and end_s as numbers, further columns as text."""
    if table is None:
        return None
    kinds = {"start_s": float, "end_s": float, **dict.fromkeys(columns, str)}
    rows = table[list(kinds)].astype(kinds).itertuples(index=False)
    return [dict(zip(kinds, row, strict=True)) for row in rows]


def overlap(span: Mapping[str, float], start: float, end: float) -> float:
    """Return for how many seconds a span lies between `start` and `end`.

    Examples
    --------
    >>> overlap({"start_s": 0.0, "end_s": 3.0}, 2.0, 5.0)
    1.0
    >>> overlap({"start_s": 0.0, "end_s": 1.0}, 2.0, 3.0)
    0.0
    """
    return max(0.0, min(span["end_s"], end) - max(span["start_s"], start))


def percent(share: float) -> str:
    """Return a fraction as percent, with halves rounded up as in the browser.

    Examples
    --------
    >>> percent(0.125), percent(0.614)
    ('13 %', '61 %')
    """
    return f"{math.floor(100 * round(share, DIGITS) + 0.5)} %"


def short(seconds: float) -> str:
    """Return seconds without needless digits.

    Examples
    --------
    >>> short(3.0), short(2.504)
    ('3', '2.5')
    """
    return f"{round(seconds, 2):.10g}"
