"""Divide songs into folds, before any of them is cut into segments.

Two segments of one song sound alike, and so do two songs of one artist. A fold therefore holds whole songs, and whole
artists where they are known; otherwise a network could score well by recognising the record.

Notebook: 04_song_decisions
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from mer_kit.checks import MerKitError, check_labels, check_range, shortened
from mer_kit.records import Fold
from mer_kit.seeding import derive


def make(
    labels: np.ndarray | Sequence[int],
    *,
    groups: Sequence[Any] | np.ndarray | None = None,
    n_folds: int = 10,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
) -> list[Fold]:
    """Return stratified folds whose test sets partition the songs.

    With `groups` no group is ever on both sides of a fold, and class shares are kept as close as the groups allow.
    The same labels, groups, number of folds and seed give the same folds.
    Source: paper, "Experiments" (ten-fold cross-validation); stratification and grouping are D, our decision.

    Parameters
    ----------
    labels : int [songs], class index of every song
    groups : [songs], what must stay together (the artist), or None if every song stands alone
    n_folds : number of folds, numbered from 0
    seed : seed of the generator called "folds"
    class_names : what sentences call the classes; "class 0" and so on without

    Raises
    ------
    MerKitError
        If a class has fewer songs, or songs of fewer groups, than there are folds, or if the groups are so uneven that
        a fold would have nothing to test or a training set would lack a class.

    Examples
    --------
    >>> for fold in make([0, 0, 1, 1], groups=["Ann", "Bob", "Bob", "Ann"], n_folds=2):
    ...     print(fold.number, fold.train, fold.test)
    0 [1 2] [0 3]
    1 [0 3] [1 2]

    Notebook: 04_song_decisions
    """
    y = _checked_labels(labels)
    check_range("n_folds", n_folds, 2, whole=True)
    random_state = derive(seed, "folds") % 2**32
    if groups is None:
        _check_each_class(y, np.arange(len(y)), n_folds, ("song", "songs"), class_names)
        splitter = StratifiedKFold(int(n_folds), shuffle=True, random_state=random_state)
        divisions = splitter.split(y, y)
    else:
        group_of_song = _checked_groups(groups, len(y))
        _check_each_class(y, np.arange(len(y)), n_folds, ("song", "songs"), class_names)
        _check_each_class(
            y, group_of_song, n_folds, ("group (artist)", "groups (artists)"), class_names
        )
        splitter = StratifiedGroupKFold(int(n_folds), shuffle=True, random_state=random_state)
        divisions = splitter.split(y, y, group_of_song)
    folds = [Fold(k, np.sort(train), np.sort(test)) for k, (train, test) in enumerate(divisions)]
    _check_usable(folds, y, class_names)
    return folds


def official(
    splits: Sequence[str | None],
    labels: np.ndarray | Sequence[int],
    *,
    class_names: Sequence[str] | None = None,
) -> list[Fold]:
    """Return a corpus' own division as one fold: "development" songs train, "evaluation" songs test.

    Songs with neither are left out of both.

    Raises
    ------
    MerKitError
        If there is no evaluation song, or the development songs lack a class.

    Examples
    --------
    >>> official(["development", "evaluation", None, "development"], [0, 1, 0, 1])
    [Fold(number=0, train=array([0, 3]), test=array([1]))]
    """
    y = _checked_labels(labels)
    parts = np.array([part or "" for part in splits])
    train, test = np.flatnonzero(parts == "development"), np.flatnonzero(parts == "evaluation")
    if len(parts) != len(y) or not len(train) or not len(test):
        raise MerKitError(
            f"the corpus has {len(train)} development and {len(test)} evaluation songs, expected some of both: use "
            "divide_by='folds', or check that its table with the official division is there"
        )
    lacking = np.setdiff1d(y[test], y[train])
    if len(lacking):
        raise MerKitError(
            f"no development song is of {_name(lacking[0], class_names)}, which is tested: use divide_by='folds'"
        )
    return [Fold(0, train.astype(np.int64), test.astype(np.int64))]


def _checked_labels(labels: np.ndarray | Sequence[int]) -> np.ndarray:
    """Return int64 [songs]; how many classes there are is read off the labels."""
    array = np.asarray(labels)
    if array.size == 0:
        raise MerKitError(
            "labels is empty, expected one class index per song: load a corpus with clips"
        )
    whole = array.dtype.kind in "iu"
    return check_labels("labels", array, int(array.max()) + 1 if whole and array.max() >= 0 else 1)


def _checked_groups(groups: Sequence[Any] | np.ndarray, n_songs: int) -> np.ndarray:
    """Return int64 [songs], one number per distinct group."""
    names = list(groups)
    if len(names) != n_songs:
        raise MerKitError(
            f"groups has {len(names)} entries, expected {n_songs}: pass one group per song"
        )
    nameless = [
        i for i, name in enumerate(names) if name is None or name != name
    ]  # NaN differs from itself
    if nameless:
        raise MerKitError(
            f"groups[{nameless[0]}] is {names[nameless[0]]!r}, expected a name: give that song its own group"
        )
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _name(label: int, class_names: Sequence[str] | None) -> str:
    """Return what a sentence calls a class."""
    return f"class {label}" if class_names is None else class_names[int(label)]


def _check_each_class(
    y: np.ndarray,
    units: np.ndarray,
    n_folds: int,
    what: tuple[str, str],
    class_names: Sequence[str] | None,
) -> None:
    """Raise one sentence if a class has fewer distinct `units` than there are folds."""
    for label in np.unique(y):
        found = len(np.unique(units[y == label]))
        if found < n_folds:
            raise MerKitError(
                f"{_name(label, class_names)} has {found} {what[found != 1]}, expected at least {n_folds} for {n_folds} folds: "
                "lower the number of folds or add songs"
            )


def _check_usable(
    folds: list[Fold], y: np.ndarray, class_names: Sequence[str] | None = None
) -> None:
    """Raise one sentence if a fold tests nothing or trains without some class (very uneven groups)."""
    for fold in folds:
        if len(fold.test) == 0:
            raise MerKitError(
                f"fold {fold.number} would test no song, the groups are too uneven: lower the number of folds"
            )
        lacking = np.setdiff1d(y, y[fold.train])
        if len(lacking):
            raise MerKitError(
                f"fold {fold.number} would train without {_name(lacking[0], class_names)}, one group holds nearly all its songs: "
                "lower the number of folds or split that group"
            )


def parse_folds(text: str, folds: int) -> list[int]:
    """Return fold numbers from "0,2" or "0-2"; "" means all.

    Raises
    ------
    MerKitError
        If a part is no number, goes backwards, or there is no such fold.

    Examples
    --------
    >>> parse_folds("0,2", 10), parse_folds("1-3", 10), parse_folds("", 3)
    ([0, 2], [1, 2, 3], [0, 1, 2])
    """
    if not text.strip():
        return list(range(folds))
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", part, re.ASCII)
        said = f"folds {shortened(text)}"
        if not match:
            raise MerKitError(
                f"{said} cannot be read at {shortened(part.strip())}: write numbers like 0,2 or 0-2"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise MerKitError(f"{said} go backwards at {part.strip()!r}: write {last}-{first}")
        if last >= folds:
            raise MerKitError(
                f"fold {last} does not exist, expected 0 to {folds - 1}: folds are counted from 0"
            )
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))
