"""Systems: complete pipelines without a segment network. One file each.

A file `<name>.py`, found by listing the folder, sets TITLE (its name in tables), SAYS (one
sentence), SOURCE, COLOUR and LINE (matplotlib's), and defines `System`, which derives from
`BaseSystem`. It learns from one row of features per song, mean and standard deviation of the
front-end's features over the song, unless it reads something else of the songs (`BaseSystem.read`):
their frames, or a table of its own.

A system can also be a method's run under another name, read through one song-level classifier:
then the file says `System = Alias("ce", classifier="vote")`.

A system is chosen in the same way as a method (`--method`), so the names of methods, systems and
song-level classifiers must differ; only an alias may have the name of its own classifier.

Notebook: 04_song_decisions
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from mer_kit import files
from mer_kit.checks import MerKitError, check_choice
from mer_kit.extensions import Members
from mer_kit.songs import classifiers
from mer_kit.training import methods


@dataclass(frozen=True)
class NoSettings:
    """The settings of a system that has none."""


@dataclass(frozen=True)
class Songs:
    """What a system may read of the songs of a fold, the training songs first; never their labels.

    Attributes
    ----------
    clip_ids : the songs' ids
    values : position → the song's features in the store, [n, d]: frames, or one vector per segment
    columns : names of the features
    pooled : whether they are vectors of segments, and not frames
    per_second : rows of `values` per second
    segment_seconds, max_seconds : as in the run's settings
    folder : the corpus' own folder
    """

    clip_ids: Sequence[str]
    values: Callable[[int], np.ndarray]
    columns: Sequence[str]
    pooled: bool
    per_second: float
    segment_seconds: float
    max_seconds: float | None
    folder: Path

    def __len__(self) -> int:
        return len(self.clip_ids)

    def summary(self, song: int) -> np.ndarray:
        """Return float64 [2·d], mean and standard deviation of a song's features over time."""
        values = self.values(song)
        if self.max_seconds is not None:
            values = values[: max(1, round(self.max_seconds * self.per_second))]
        return song_features(values)


class BaseSystem(ABC):
    """A complete pipeline without a segment network.

    Attributes
    ----------
    settings : a frozen dataclass, the system's own settings
    files : names of the settings that name a file, whose content counts in a run's fingerprint
    accepts : the front-ends that it can learn from; () for any
    groups : int [songs], the training songs' artists, which inner folds keep together; None if each
        song is on its own
    device, precision : where networks are trained, see `training.evaluation.place`
    checkpoint_file : where a long `fit` keeps its state between epochs; None for nowhere
    seconds_before : what an interrupted `fit`, which this one has resumed, had taken
    """

    settings: ClassVar[type] = NoSettings
    files: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ()
    groups: np.ndarray | None = None
    device: str = "cpu"
    precision: str = "float32"
    checkpoint_file: Path | None = None
    seconds_before: float = 0.0

    def __init__(self, settings: Any, *, n_classes: int, seed: int) -> None:
        self.s, self.n_classes, self.seed = settings, n_classes, seed

    @classmethod
    def frontend(
        cls, settings: Any, *, corpus: str, segment_seconds: float
    ) -> tuple[str, dict[str, Any]]:
        """Return the front-end of runs that name none, and its settings; "" is the preset's."""
        return "", {}

    @classmethod
    def without_effect(cls, settings: Any) -> frozenset[str]:
        """Return the settings that have no effect, given the others; see `runs.idle`."""
        return frozenset()

    def read(self, songs: Songs) -> Any:
        """Return what `fit` and `predict_proba` are given, indexed by song: float64 [songs, 2·d].

        What it returns of one song must not depend on the other songs.
        """
        return np.stack([songs.summary(song) for song in range(len(songs))])

    @abstractmethod
    def fit(self, features: Any, labels: np.ndarray) -> Self:
        """Learn from training songs: features as from `read`, labels int64 [songs] in 0…K−1."""

    @abstractmethod
    def predict_proba(self, features: Any) -> np.ndarray:
        """Return float64 [songs, K], rows that sum to 1; the largest one is the predicted class."""


@dataclass(frozen=True)
class Alias:
    """A system that is a method's run under another name: nothing else is trained.

    Attributes
    ----------
    method : of the run
    classifier : the song-level classifier whose answers are the system's; "" for the usual one
    settings : of the run, unless a person gives others
    """

    method: str
    classifier: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def song_features(values: np.ndarray) -> np.ndarray:
    """Return mean and standard deviation over a song's frames or vectors: [n, d] → float64 [2·d].

    Examples
    --------
    >>> song_features(np.array([[0.0, 1.0], [2.0, 1.0]])).tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    rows = np.asarray(values, dtype=np.float64)
    return np.concatenate([rows.mean(axis=0), rows.std(axis=0)])


def file_of(name: str, folder: Path) -> Path:
    """Return a file that a setting names: its path, or a file of the corpus' own folder.

    Raises
    ------
    MerKitError
        If there is no such file.

    Examples
    --------
    >>> file_of("features.csv", Path("data/4q"))
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: features.csv is no file here or in the corpus' folder 'data/4q',
    expected a table: correct its path
    """
    for path in (Path(name).expanduser(), folder / name):
        if files.is_plain_file(path):
            return path
    raise MerKitError(
        f"{name} is no file here or in the corpus' folder {str(folder)!r}, expected a table: "
        "correct its path"
    )


_MEMBERS = Members[BaseSystem](__name__, "system", "System", needed=("COLOUR", "LINE"))
#: Name → a method's run that is meant by it.
ALIASES: dict[str, Alias] = {
    name: module.System
    for name, module in _MEMBERS.modules.items()
    if isinstance(module.System, Alias)
}
#: Every other system's module by name.
MODULES = {name: one for name, one in _MEMBERS.modules.items() if name not in ALIASES}
_KINDS = {
    "system": {
        name: module
        for name, module in _MEMBERS.modules.items()
        if name not in ALIASES or ALIASES[name].classifier != name
    },
    "method": methods.MODULES,
    "song-level classifier": classifiers.MODULES,
}
for (_one, _names), (_other, _others) in combinations(_KINDS.items(), 2):
    for _twice in sorted(_names.keys() & _others.keys()):
        raise MerKitError(
            f"{_twice} is the name of a {_one} and of a {_other}, "
            "expected different names: rename one of the files"
        )
#: System, but for aliases → what it does, in one sentence.
SYSTEMS = {name: str(module.SAYS) for name, module in MODULES.items()}
#: Everything that `--method` can name → what it does: the methods, then the systems and aliases.
CHAINS: dict[str, str] = {**methods.METHODS, **SYSTEMS, **_MEMBERS.texts("SAYS")}
#: The same names → what tables call them.
TITLES: dict[str, str] = {**methods.TITLES, **_MEMBERS.texts("TITLE")}
#: The same names → colour and line style of their curves.
LOOK: dict[str, tuple[str, str]] = {
    name: (str(module.COLOUR), str(module.LINE))
    for name, module in (methods.MODULES | _MEMBERS.modules).items()
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
    return _MEMBERS.of(check_choice("system", name, MODULES))


def note(name: str) -> str:
    """Return a sentence about an alias, whose run is that of a method; "" for all others.

    Examples
    --------
    >>> note("inherit_vote"), note("ce")
    ('inherit_vote is a ce run: its answers are those of the song-level classifier vote', '')
    """
    if name not in ALIASES:
        return ""
    one = ALIASES[name]
    begin = f"{name} is a {one.method} run"
    if one.classifier:
        return f"{begin}: its answers are those of the song-level classifier {one.classifier}"
    settings = ", ".join(f"{setting} {value}" for setting, value in one.settings.items())
    return f"{begin}: its settings are {settings}"


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


def frontend_of(
    name: str, settings: Any, *, corpus: str, segment_seconds: float
) -> tuple[str, dict[str, Any]]:
    """Return the front-end of a system's runs that name none, and its settings; "" for any.

    Examples
    --------
    >>> frontend_of("embedding_svm", {}, corpus="4q", segment_seconds=3.0)
    ('', {})
    """
    settings = _MEMBERS.settings(name, settings)
    return of(name).frontend(settings, corpus=corpus, segment_seconds=segment_seconds)


def takes(name: str, frontend: str) -> bool:
    """Return whether a run by this name may learn from a front-end; methods of training may.

    Examples
    --------
    >>> takes("two_stage", "musicnn"), takes("embedding_svm", "musicnn"), takes("ce", "musicnn")
    (False, True, True)
    """
    return name not in SYSTEMS or frontend in (of(name).accepts or (frontend,))


def checksums(name: str, settings: Any, folder: Path) -> list[str]:
    """Return the checksums of the files that a system's settings name, [] without a system.

    Parameters
    ----------
    folder : the corpus' own folder, see `file_of`

    Raises
    ------
    MerKitError
        If a file is missing.

    Examples
    --------
    >>> checksums("", {}, Path())
    []
    """
    if not name:
        return []
    named = [getattr(settings, setting) for setting in of(name).files]
    return [files.checksum(file_of(one, folder)) for one in named if one]
