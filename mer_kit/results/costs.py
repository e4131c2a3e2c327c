"""What runs cost, as every table of results says it: seconds a fold, parameters, memory, splits.

Notebook: 06_results
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError
from mer_kit.format import UNKNOWN
from mer_kit.runs import cost
from mer_kit.runs.run_folder import RunFolder

#: The columns of `results.runs_table.collect`, and their headings in tables.
TITLES = {
    "seconds_per_fold": "s per fold",
    "parameters": "parameters",
    "peak_mb": "peak MB",
    "split": "epochs split",
}
NOTE = (
    "Cost: mean seconds of a fold's training, trained parameters, most memory in use (of the GPU "
    "where one trained, else of the process), and the fraction of epochs with a partition in "
    "which the losses separated (a method that never splits is its warm-up followed by "
    "mixup, under its own name); – is not known."
)


def of_run(run: RunFolder, folds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return a run's `TITLES`: means over folds, of the memory the most; NaN for what is unknown.

    Older runs did not store a cost; whether their epochs split is in their history.csv.

    Parameters
    ----------
    folds : of metrics.json
    """
    known = [dict(fold.get("cost") or {}) for fold in folds]
    if not any(known):
        known = [_from_history(run, int(fold["fold"])) for fold in folds]
    row = {"seconds_per_fold": _over([fold.get("seconds") for fold in folds], np.mean)}
    for name in cost.NAMES:
        how = np.max if name == "peak_mb" else np.mean
        row[name] = _over([one.get(name) for one in known], how)
    return row


def texts(row: Mapping[Any, Any]) -> dict[str, str]:
    """Return the cells of a table, by heading, for a row of `results.runs_table.collect`.

    Examples
    --------
    >>> row = {"seconds_per_fold": 6.41, "parameters": 25860.0, "split": 0.5}
    >>> list(texts(row).values())
    ['6.4', '25,860', '–', '50 %']
    """
    forms = {"seconds_per_fold": ",.1f", "parameters": ",.0f", "peak_mb": ",.0f", "split": ".0%"}
    cells = {}
    for name, form in forms.items():
        value = float(row.get(name, np.nan))
        known = np.isfinite(value)
        cells[TITLES[name]] = format(value, form).replace("%", " %") if known else UNKNOWN
    return cells


def _from_history(run: RunFolder, fold: int) -> dict[str, float]:
    with contextlib.suppress(MerKitError):
        return {"split": cost.split(run.history(fold))}
    return {}


def _over(values: Sequence[float | None], how: Any) -> float:
    """Return the mean or the largest of the known values, NaN if none is."""
    numbers = np.array([value for value in values if value is not None], dtype=float)
    finite = numbers[np.isfinite(numbers)]
    return float(how(finite)) if len(finite) else float("nan")
