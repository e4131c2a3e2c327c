"""Systems: complete pipelines without a segment network. One file each.

A file `<name>.py`, found by listing the folder, sets TITLE (its name in tables), SAYS (one
sentence), SOURCE, COLOUR and LINE (matplotlib's), and defines `System`, which derives from
`BaseSystem`. It learns from one row of features per song: mean and standard deviation of the
front-end's features over the song.

A system is chosen in the same way as a method (`--method`), so the names of methods, systems and
song-level classifiers must differ.

Notebook: 04_song_decisions
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar, Self

import numpy as np

from mer_kit.checks import MerKitError
from mer_kit.extensions import Members
from mer_kit.songs import classifiers
from mer_kit.training import methods


@dataclass(frozen=True)
class NoSettings:
    """The settings of a system that has none."""


class BaseSystem(ABC):
    """A complete pipeline without a segment network: it learns from one row of features per song.

    Attributes
    ----------
    settings : a frozen dataclass, the system's own settings
    groups : int [songs], the training songs' artists, which inner folds keep together; None if each
        song is on its own
    """

    settings: ClassVar[type] = NoSettings
    groups: np.ndarray | None = None

    def __init__(self, settings: Any, *, n_classes: int, seed: int) -> None:
        self.s, self.n_classes, self.seed = settings, n_classes, seed

    @abstractmethod
    def fit(self, features: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from training songs: features float64 [songs, D], labels int64 [songs] in 0…K−1."""

    @abstractmethod
    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Return float64 [songs, K], rows that sum to 1; the largest one is the predicted class."""


_MEMBERS = Members[BaseSystem](__name__, "system", "System", needed=("COLOUR", "LINE"))
#: Every system's module by name.
MODULES = _MEMBERS.modules
_KINDS = {
    "system": MODULES,
    "method": methods.MODULES,
    "song-level classifier": classifiers.MODULES,
}
for (_one, _names), (_other, _others) in combinations(_KINDS.items(), 2):
    for _twice in sorted(_names.keys() & _others.keys()):
        raise MerKitError(
            f"{_twice} is the name of a {_one} and of a {_other}, "
            "expected different names: rename one of the files"
        )
#: System → what it does, in one sentence.
SYSTEMS = _MEMBERS.texts("SAYS")
#: Everything that `--method` can name → what it does: the methods, then the systems.
CHAINS: dict[str, str] = {**methods.METHODS, **SYSTEMS}
#: The same names → what tables call them.
TITLES: dict[str, str] = {**methods.TITLES, **_MEMBERS.texts("TITLE")}
#: The same names → colour and line style of their curves.
LOOK: dict[str, tuple[str, str]] = {
    name: (str(module.COLOUR), str(module.LINE))
    for name, module in (methods.MODULES | MODULES).items()
}


def of(name: str) -> type[BaseSystem]:
    """Return the class of a system.

    Raises
    ------
    MerKitError
        If there is no system of that name.

    Examples
    --------
    >>> of("sssl")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: system is 'sssl', expected one of ...
    """
    return _MEMBERS.of(name)


def make(name: str, settings: Any, *, n_classes: int, seed: int = 0) -> BaseSystem:
    """Return a system that is not fitted yet.

    Parameters
    ----------
    settings : a mapping, or the system's own record
    n_classes : K

    Raises
    ------
    MerKitError
        If there is no system of that name, or a setting is unknown or wrong.

    Examples
    --------
    >>> make("sssl", {}, n_classes=4)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: system is 'sssl', expected one of ...
    """
    return of(name)(_MEMBERS.settings(name, settings), n_classes=n_classes, seed=seed)


def song_features(values: np.ndarray) -> np.ndarray:
    """Return mean and standard deviation over a song's frames or vectors: [n, d] → float64 [2·d].

    Examples
    --------
    >>> song_features(np.array([[0.0, 1.0], [2.0, 1.0]])).tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    rows = np.asarray(values, dtype=np.float64)
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0)])
