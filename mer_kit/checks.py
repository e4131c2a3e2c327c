"""The error class, and the checks of arguments that every public function uses."""

import difflib
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 80, 80
#: The largest whole number that an array can hold; larger ones are not valid settings.
LARGEST = 2**63 - 1


class MerKitError(ValueError):
    """Input cannot be used; the message says what, where, what was expected and what to do.

    Every error that mer-kit raises on purpose is of this class, so `except MerKitError` is enough.
    """


def shortened(value: Any, longest: int = 80) -> str:
    """Return the `repr` of a value for a message, cut if long; nothing huge is ever built.

    Examples
    --------
    >>> shortened("a"), shortened("a" * 1000, 10), shortened(10**5000)
    ("'a'", "'aaaaaaaa…", 'a number of 16610 bits')
    """
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return _cut(repr(value[: longest + 1]), longest)
    if isinstance(value, bytes):
        value = value[: longest + 1]
    return _cut(_SHORT.repr(value), longest)


def plain(text: str, longest: int = 1000) -> str:
    r"""Return a text that can be printed and stored: control characters escaped, cut if long.

    Examples
    --------
    >>> plain("\x1b[2Jcaf\udce9\n"), plain("a" * 50, 10)
    ('\\x1b[2Jcaf\\udce9\\n', 'aaaaaaaaa…')
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in _cut(text, longest)
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


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
    mer_kit.checks.MerKitError: task is 'quadrants', expected one of valence, arousal, quadrant:
    did you mean 'quadrant'?
    """
    options = list(choices)
    if not isinstance(value, (Mapping, list, set)) and value in options:
        return value
    names = {str(option).casefold(): option for option in options}
    near = difflib.get_close_matches(shortened(value).strip("'\"").casefold(), names, n=1)
    hint = f"did you mean {names[near[0]]!r}?" if near else "choose one of these"
    raise MerKitError(
        f"{name} is {shortened(value)}, expected one of {', '.join(map(str, options))}: {hint}"
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
        If `value` is not a number, not finite, not whole (with `whole`), or out of range.

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
        low = -LARGEST if low is None else low
        high = LARGEST if high is None else high
    fits = (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and (vast or (np.isfinite(value) and (not whole or int(value) == value)))
        and (low is None or (low < value if low_open else low <= value))
        and (high is None or value <= high)
    )
    if not fits:
        raise MerKitError(
            f"{name} is {shortened(value)}, expected {kind}{_bounds(low, high, low_open)}: "
            f"change {name}"
        )
    return value


def _bounds(low: float | None, high: float | None, low_open: bool) -> str:
    """Return the allowed range in words, "" if there is none."""
    if low is None:
        return "" if high is None else f" of at most {high}"
    if high is None:
        return f" above {low}" if low_open else f" of at least {low}"
    return f" above {low} and at most {high}" if low_open else f" from {low} to {high}"


def check_probabilities(name: str, values: Any) -> np.ndarray:
    """Return `values` as float64 [n, K] whose rows are probability distributions.

    Raises
    ------
    MerKitError
        If the array is not two-dimensional, holds NaN or negative numbers, or a row does not sum to
        1 (±1e-2, since float16 archives round).

    Examples
    --------
    >>> check_probabilities("p", [[0.25, 0.75]])
    array([[0.25, 0.75]])
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
            f"{name} row {row} is {array[row].tolist()}, expected probabilities that sum to 1: "
            "apply softmax first"
        )
    return array


def check_two_classes(labels: np.ndarray) -> None:
    """Check that training songs are not all of one class.

    Raises
    ------
    MerKitError
        If they are.

    Examples
    --------
    >>> check_two_classes(np.array([0, 1, 1]))
    """
    if len(np.unique(labels)) < 2:
        raise MerKitError(
            f"the {len(labels)} training songs are all of class {labels[0]}, expected at least "
            "two classes: use stratified folds or more songs"
        )


def check_labels(
    name: str, values: Any, n_classes: int, *, length: int | None = None
) -> np.ndarray:
    """Return `values` as int64 [n] with every label in 0…n_classes−1.

    Raises
    ------
    MerKitError
        If the labels are not a 1-D array of whole numbers in range, or `length` differs.

    Examples
    --------
    >>> check_labels("labels", [0, 1, 1], 2)
    array([0, 1, 1])
    >>> check_labels("labels", [0, 2], 2)
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: labels[1] is 2, expected 0 to 1:
    check the task's number of classes
    """
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise MerKitError(
            f"{name} is a {array.dtype} array of shape {array.shape}, expected whole numbers of "
            "shape [n]: pass class indices"
        )
    if length is not None and len(array) != length:
        raise MerKitError(
            f"{name} has {len(array)} entries, expected {length}: pass one label per segment"
        )
    outside = (array < 0) | (array >= n_classes)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        raise MerKitError(
            f"{name}[{first}] is {array[first]}, expected 0 to {n_classes - 1}: "
            "check the task's number of classes"
        )
    return array.astype(np.int64)


def check_folder(name: str, path: str | Path, *, next_step: str) -> Path:
    """Return `path` as an existing folder.

    Raises
    ------
    MerKitError
        If it does not exist or is a file; `next_step` ends the sentence.

    Examples
    --------
    >>> check_folder("data root", "nowhere", next_step="correct MER_DATA")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: data root 'nowhere' is missing, expected a folder: correct MER_DATA
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        state = {True: "a file", False: "missing"}[folder.exists()]
        raise MerKitError(f"{name} {str(folder)!r} is {state}, expected a folder: {next_step}")
    return folder


def check_columns(where: str | Path, columns: Sequence[str], required: Iterable[str]) -> None:
    """Raise one sentence naming every missing column of a table.

    Raises
    ------
    MerKitError
        If one of `required` is not among `columns`.

    Examples
    --------
    >>> check_columns("clips.csv", ["clip_id", "Label"], ["clip_id", "label"])
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: clips.csv lacks the column 'label' (it has clip_id, Label):
    restore the original header or rename the column
    """
    missing = [column for column in required if column not in columns]
    if missing:
        raise MerKitError(
            f"{Path(where).name} lacks the column {', '.join(map(repr, missing))} (it has "
            f"{', '.join(columns)}): restore the original header or rename the column"
        )
