"""One error class and the small checks that stand at every public door."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 80, 80
#: The largest whole number that an array can hold; a larger one is no setting.
LARGEST = 2**63 - 1


class MerKitError(ValueError):
    """Something the user gave cannot be used; the message says what, where, what was expected and what to do.

    Every error that mer-kit raises on purpose is of this class, so `except MerKitError` is enough.
    """


def shortened(value: Any, longest: int = 80) -> str:
    """Return the `repr` of a value for a message, its end cut off where it is long; nothing huge is ever built.

    Examples
    --------
    >>> shortened("a"), shortened("a" * 1000, 10), shortened(10**5000)
    ("'a'", "'aaaaaaaa…", 'a number of 16610 bits')
    """
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, (str, bytes)):
        value = value[: longest + 1]
    text = repr(value) if isinstance(value, str) else _SHORT.repr(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def plain(text: str, longest: int = 1000) -> str:
    r"""Return a text that can be printed, stored and shown: control characters as escapes, its end cut off where it is long.

    Examples
    --------
    >>> plain("\x1b[2Jcaf\udce9\n"), plain("a" * 50, 10)
    ('\\x1b[2Jcaf\\udce9\\n', 'aaaaaaaaa…')
    """
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """Return `value` if it is one of `choices`, else name the nearest right one.

    Raises
    ------
    MerKitError
        If `value` is not among `choices`.

    Examples
    --------
    >>> check_choice("task", "quadrant", ["valence", "arousal", "quadrant"])
    'quadrant'
    >>> check_choice("task", "quadrants", ["valence", "arousal", "quadrant"])
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: task is 'quadrants', expected one of valence, arousal, quadrant: did you mean 'quadrant'?
    """
    options = list(choices)
    if (
        not isinstance(value, (Mapping, list, set)) and value in options
    ):  # what has no hash is no choice
        return value
    names = {str(option).casefold(): option for option in options}
    near = difflib.get_close_matches(shortened(value).strip("'\"").casefold(), names, n=1)
    hint = f"did you mean {names[near[0]]!r}?" if near else "choose one of these"
    raise MerKitError(
        f"{name} is {shortened(value)}, expected one of {', '.join(str(option) for option in options)}: {hint}"
    )


def check_range(
    name: str,
    value: Any,
    low: float | None = None,
    high: float | None = None,
    *,
    whole: bool = False,
    low_open: bool = False,
) -> Any:
    """Return `value` if it is a finite number within [low, high] (or (low, high] with `low_open`).

    Raises
    ------
    MerKitError
        If `value` is not a number, not finite, not whole where `whole` is asked for, or out of range.

    Examples
    --------
    >>> check_range("tau", 0.5, 0, 1)
    0.5
    >>> check_range("epochs", 0, 1, whole=True)
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: epochs is 0, expected a whole number of at least 1: change epochs
    """
    kind = "a whole number" if whole else "a number"
    vast = isinstance(value, int) and abs(value) > LARGEST  # numpy and float() fail on these
    if vast:
        low, high = -LARGEST if low is None else low, LARGEST if high is None else high
    bounds = {
        (False, False): "",
        (True, False): f" {'above' if low_open else 'of at least'} {low}",
        (False, True): f" of at most {high}",
        (
            True,
            True,
        ): f" {'above' if low_open else 'from'} {low} {'and at most' if low_open else 'to'} {high}",
    }[(low is not None, high is not None)]
    message = f"{name} is {shortened(value)}, expected {kind}{bounds}: change {name}"
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise MerKitError(message)
    if (not vast and not np.isfinite(value)) or (whole and int(value) != value):
        raise MerKitError(message)
    too_low = low is not None and (value <= low if low_open else value < low)
    if too_low or (high is not None and value > high):
        raise MerKitError(message)
    return value


def check_probabilities(name: str, values: Any) -> np.ndarray:
    """Return `values` as float64 [n, K] whose rows are probability distributions.

    Raises
    ------
    MerKitError
        If the array is not two-dimensional, holds NaN or negative numbers, or a row does not sum to 1 (±1e-2,
        since float16 archives round).
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise MerKitError(
            f"{name} has shape {array.shape}, expected [segments, classes]: pass a 2-D array"
        )
    bad = (
        ~np.isfinite(array).all(axis=1)
        | (array < 0).any(axis=1)
        | (np.abs(array.sum(axis=1) - 1) > 1e-2)
    )
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise MerKitError(
            f"{name} row {row} is {array[row].tolist()}, expected probabilities that sum to 1: apply softmax first"
        )
    return array


def check_labels(
    name: str, values: Any, n_classes: int, *, length: int | None = None
) -> np.ndarray:
    """Return `values` as int64 [n] with every label in 0…n_classes−1.

    Raises
    ------
    MerKitError
        If the labels are not a 1-D array of whole numbers in range, or `length` differs.
    """
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise MerKitError(
            f"{name} is a {array.dtype} array of shape {array.shape}, expected whole numbers of shape [n]: "
            "pass class indices"
        )
    if length is not None and len(array) != length:
        raise MerKitError(
            f"{name} has {len(array)} entries, expected {length}: pass one label per segment"
        )
    outside = (array < 0) | (array >= n_classes)
    if outside.any():
        where = int(np.flatnonzero(outside)[0])
        raise MerKitError(
            f"{name}[{where}] is {array[where]}, expected 0 to {n_classes - 1}: check the task's number of classes"
        )
    return array.astype(np.int64)


def check_folder(name: str, path: str | Path, *, next_step: str) -> Path:
    """Return `path` as an existing folder.

    Raises
    ------
    MerKitError
        If it does not exist or is a file; `next_step` ends the sentence.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        found = "a file" if folder.exists() else "missing"
        raise MerKitError(f"{name} {str(folder)!r} is {found}, expected a folder: {next_step}")
    return folder


def check_columns(where: str | Path, columns: Sequence[str], required: Iterable[str]) -> None:
    """Raise one sentence naming every missing column of a table.

    Raises
    ------
    MerKitError
        If one of `required` is not among `columns`.
    """
    missing = [column for column in required if column not in columns]
    if missing:
        raise MerKitError(
            f"{Path(where).name} lacks the column {', '.join(map(repr, missing))} (it has {', '.join(columns)}): "
            "restore the original header or rename the column"
        )
