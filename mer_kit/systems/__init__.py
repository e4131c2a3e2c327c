"""Systems: complete pipelines without a segment network. One file each.

A file `<name>.py`, found by listing the folder, sets TITLE (its name in tables), SAYS (one
sentence), SOURCE, COLOUR and LINE (matplotlib's), and defines `System`, which derives from
`BaseSystem`. It learns from one row of features per song: mean and standard deviation of the
front-end's features over the song.

A system is chosen in the same way as a method (`--method`), so the names of methods, systems and
song-level classifiers must differ.

Notebook: 04_song_decisions
"""

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np

from mer_kit import extensions
from mer_kit.checks import MerKitError, check_choice
from mer_kit.extensions import settings_of
from mer_kit.songs import classifiers
from mer_kit.systems._base import BaseSystem
from mer_kit.training import methods

__all__ = [
    "CHAINS",
    "LOOK",
    "MODULES",
    "SYSTEMS",
    "TITLES",
    "BaseSystem",
    "make",
    "of",
    "song_features",
]


def _check_disjoint(names: Iterable[str], others: Iterable[str], what: str) -> None:
    """Raise an error if two kinds of members share a name."""
    twice = sorted(set(names) & set(others))
    if twice:
        raise MerKitError(
            f"{twice[0]} is the name of {what}, expected different names: rename one of the files"
        )


#: Every system's module by name.
MODULES: dict[str, ModuleType] = extensions.modules(
    __name__, needed=("TITLE", "SAYS", "SOURCE", "COLOUR", "LINE", "System")
)
_check_disjoint(methods.MODULES, classifiers.MODULES, "a method and of a song-level classifier")
_check_disjoint(MODULES, methods.MODULES, "a system and of a method")
_check_disjoint(MODULES, classifiers.MODULES, "a system and of a song-level classifier")
#: System → what it does, in one sentence.
SYSTEMS: dict[str, str] = {name: str(module.SAYS) for name, module in MODULES.items()}
#: Everything that `--method` can name → what it does: the methods, then the systems.
CHAINS: dict[str, str] = {**methods.METHODS, **SYSTEMS}
#: The same names → what tables call them.
TITLES: dict[str, str] = {
    **methods.TITLES,
    **{name: str(module.TITLE) for name, module in MODULES.items()},
}
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
    system: type[BaseSystem] = MODULES[check_choice("system", name, MODULES)].System
    return system


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
    kind = of(name)
    checked = settings_of(f"system {name}", kind.settings, settings)
    return kind(checked, n_classes=n_classes, seed=seed)


def song_features(values: np.ndarray) -> np.ndarray:
    """Return mean and standard deviation over a song's frames or vectors: [n, d] → float64 [2·d].

    Examples
    --------
    >>> song_features(np.array([[0.0, 1.0], [2.0, 1.0]])).tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    rows = np.asarray(values, dtype=np.float64)
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0)])
