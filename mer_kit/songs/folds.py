"""Divide songs into folds, before any of them is cut into segments.

Two segments of one song sound alike, and so do two songs of one artist. A fold therefore contains
whole songs, and whole artists if they are known; otherwise a network could score well by
recognising the record.

Notebook: 04_song_decisions
"""

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

    With `groups`, no group is ever on both sides of a fold, and the class fractions are kept as
    close as the groups allow. The same arguments give the same folds.

    Source: paper, "Experiments" (ten-fold cross-validation); stratification and grouping are D (our
    decision).

    Parameters
    ----------
    labels : int [songs], class index of every song
    groups : [songs], what must stay together (the artist); None if every song is on its own
    n_folds : number of folds, numbered from 0
    seed : seed of the generator called "folds"
    class_names : for error messages; "class 0" and so on if omitted

    Raises
    ------
    MerKitError
        If a class has fewer songs, or songs of fewer groups, than there are folds, or if the groups
        are so uneven that a fold would have nothing to test or a training set would lack a class.

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
    group_of_song = None if groups is None else _checked_groups(groups, len(y))
    _check_each_class(y, np.arange(len(y)), n_folds, ("song", "songs"), class_names)
    if group_of_song is None:
        splitter = StratifiedKFold(int(n_folds), shuffle=True, random_state=random_state)
    else:
        # A class needs songs of n artists, since each artist is tested in one fold only.
        _check_each_class(
            y, group_of_song, n_folds, ("group (artist)", "groups (artists)"), class_names
        )
        splitter = StratifiedGroupKFold(int(n_folds), shuffle=True, random_state=random_state)
    # scikit-learn's first argument is the features, of which only the number matters.
    splits = splitter.split(y, y, group_of_song)
    folds = [Fold(k, np.sort(train), np.sort(test)) for k, (train, test) in enumerate(splits)]
    _check_usable(folds, y, class_names)
    return folds


def official(
    splits: Sequence[str | None],
    labels: np.ndarray | Sequence[int],
    *,
    class_names: Sequence[str] | None = None,
) -> list[Fold]:
    """Return a corpus' official split as one fold: train on "development", test on "evaluation".

    Songs with neither word are in neither set.

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
    subsets = np.array([subset or "" for subset in splits])
    train, test = np.flatnonzero(subsets == "development"), np.flatnonzero(subsets == "evaluation")
    if len(subsets) != len(y) or not len(train) or not len(test):
        raise MerKitError(
            f"the corpus has {len(train)} development and {len(test)} evaluation songs, expected "
            "some of both: use divide_by='folds', or check that the table with its official split "
            "is there"
        )
    # Only classes that are tested matter: a class in neither set costs nothing.
    lacking = np.setdiff1d(y[test], y[train])
    if len(lacking):
        raise MerKitError(
            f"no development song is of {_name(lacking[0], class_names)}, which is tested: "
            "use divide_by='folds'"
        )
    return [Fold(0, train.astype(np.int64), test.astype(np.int64))]


def _checked_labels(labels: np.ndarray | Sequence[int]) -> np.ndarray:
    """Return int64 [songs]."""
    array = np.asarray(labels)
    if array.size == 0:
        raise MerKitError(
            "labels is empty, expected one class index per song: load a corpus with clips"
        )
    # The largest label gives the number of classes; of wrong input `check_labels` names the fault.
    n_classes = max(1, int(array.max()) + 1) if array.dtype.kind in "iu" else 1
    return check_labels("labels", array, n_classes)


def _checked_groups(groups: Sequence[Any] | np.ndarray, n_songs: int) -> np.ndarray:
    """Return int64 [songs], one number per distinct group."""
    names = list(groups)
    if len(names) != n_songs:
        raise MerKitError(
            f"groups has {len(names)} entries, expected {n_songs}: pass one group per song"
        )
    # `name != name` finds NaN, which pandas reads from an empty cell.
    nameless = [i for i, name in enumerate(names) if name is None or name != name]
    if nameless:
        raise MerKitError(
            f"groups[{nameless[0]}] is {names[nameless[0]]!r}, expected a name: "
            "give that song its own group"
        )
    # Numbered in order of appearance: the folds do not depend on the names' alphabet.
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _name(label: int, class_names: Sequence[str] | None) -> str:
    """Return a class's name for an error message."""
    return f"class {label}" if class_names is None else class_names[int(label)]


def _check_each_class(
    y: np.ndarray,
    units: np.ndarray,
    n_folds: int,
    words: tuple[str, str],
    class_names: Sequence[str] | None,
) -> None:
    """Raise an error if a class has fewer distinct `units` than there are folds.

    `words` are the unit's singular and plural.
    """
    for label in np.unique(y):
        n_units = len(np.unique(units[y == label]))
        if n_units < n_folds:
            raise MerKitError(
                f"{_name(label, class_names)} has {n_units} {words[n_units != 1]}, "
                f"expected at least {n_folds} for {n_folds} folds: "
                "lower the number of folds or add songs"
            )


def _check_usable(
    folds: list[Fold], y: np.ndarray, class_names: Sequence[str] | None = None
) -> None:
    """Raise an error if a fold tests nothing or trains without a class (very uneven groups)."""
    for fold in folds:
        if len(fold.test) == 0:
            raise MerKitError(
                f"fold {fold.number} would test no song, the groups are too uneven: "
                "lower the number of folds"
            )
        # StratifiedGroupKFold balances as well as it can, but it does not promise this.
        lacking = np.setdiff1d(y, y[fold.train])
        if len(lacking):
            raise MerKitError(
                f"fold {fold.number} would train without {_name(lacking[0], class_names)}, "
                "one group has nearly all its songs: lower the number of folds or split that group"
            )


def parse_folds(text: str, folds: int) -> list[int]:
    """Return fold numbers from "0,2" or "0-2"; "" means all.

    Raises
    ------
    MerKitError
        If an item is not a number or a range, goes backwards, or there is no such fold.

    Examples
    --------
    >>> parse_folds("0,2", 10), parse_folds("1-3", 10), parse_folds("", 3)
    ([0, 2], [1, 2, 3], [0, 1, 2])
    """
    if not text.strip():
        return list(range(folds))
    numbers: list[int] = []
    given = f"folds {shortened(text)}"
    for item in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", item, re.ASCII)
        if not match:
            raise MerKitError(
                f"{given} cannot be read at {shortened(item.strip())}: "
                "write numbers like 0,2 or 0-2"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise MerKitError(f"{given} go backwards at {item.strip()!r}: write {last}-{first}")
        if last >= folds:
            raise MerKitError(
                f"fold {last} does not exist, expected 0 to {folds - 1}: folds are counted from 0"
            )
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))  # each once, in the order given


def most_folds(labels: np.ndarray, groups: np.ndarray | None = None) -> int:
    """Return in how many folds each class can be held out: its songs, or its groups of songs.

    Examples
    --------
    >>> labels, artists = np.array([0, 0, 1, 1]), np.array(["a", "a", "b", "c"])
    >>> most_folds(labels), most_folds(labels, artists)
    (2, 1)
    """
    of_song = np.arange(len(labels)) if groups is None else groups
    return min(len(np.unique(of_song[labels == label])) for label in np.unique(labels))
