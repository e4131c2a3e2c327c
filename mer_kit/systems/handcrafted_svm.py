"""A support vector machine on hand-made features of whole songs, as in the paper that made 4Q.

The features come from a table that you name (`--set table=top100_features.csv`: 4Q's own hundred,
PMEmo's features/static_features.csv, or what openSMILE writes for your files), or, without one,
from the front-end `descriptors`: mean and standard deviation over the song of what it pools from
each segment.

4Q's hundred features were ranked on all 900 songs, test songs included, so scores with that table
are optimistic. Not findable: what Yin 2019 set its SVM to on PMEmo.

Notebook: 04_song_decisions
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_kit.checks import check_range, check_two_classes
from mer_kit.corpora import feature_table
from mer_kit.systems import Songs, embedding_svm, file_of

TITLE = "SVM on hand-made features"
SAYS = "a support vector machine on a table of hand-made features, or on descriptors of the songs"
SOURCE = "Panda, Malheiro and Paiva 2018 (e1071: RBF kernel, cost 8, γ = 2⁻⁹, scaled features)"
COLOUR, LINE = "#7a6a53", "-."


@dataclass(frozen=True)
class Settings:
    """The kernel's settings, and the table of features.

    Attributes
    ----------
    cost, gamma : P: C and γ, as published for the hundred features
    search : D: choose both on inner folds that keep an artist's songs together, as `embedding_svm`
        does, instead; advisable for any other table
    inner_folds : number of inner folds of that search
    table : a CSV with one row per song, ids or file names in its first column; its path, or its
        name in the corpus' own folder; "" for the front-end's features. The path of an existing
        file becomes absolute here, since notebooks run in folders of their own: this looks at the
        disk, but reads nothing
    exclude : columns of the table to leave out, separated by commas (openSMILE: "start,end")
    """

    cost: float = 8.0
    gamma: float = 2.0**-9
    search: bool = False
    inner_folds: int = 5
    table: str = ""
    exclude: str = ""

    def __post_init__(self) -> None:
        check_range("cost", self.cost, 0, low_open=True)
        check_range("gamma", self.gamma, 0, low_open=True)
        check_range("inner_folds", self.inner_folds, 2, 20, whole=True)
        path = Path(self.table).expanduser()
        if path.is_file():
            object.__setattr__(self, "table", str(path.absolute()))


class System(embedding_svm.System):
    """StandardScaler → SVC with an RBF kernel, fitted on the training songs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 20)
    >>> songs = rng.normal(size=(40, 6)) + 3 * labels[:, None]
    >>> system = System(Settings(), n_classes=2, seed=0).fit(songs, labels)
    >>> bool((system.predict_proba(songs).argmax(axis=1) == labels).mean() > 0.9)
    True
    """

    settings = Settings
    files = ("table",)

    @classmethod
    def frontend(
        cls, settings: Any, *, corpus: str, segment_seconds: float
    ) -> tuple[str, dict[str, Any]]:
        """Return `descriptors`, or with a table the log-mels, which every run has anyway."""
        if settings.table:
            return "logmel", {}
        return "descriptors", {}

    @classmethod
    def without_effect(cls, settings: Settings) -> frozenset[str]:
        """Return the numbers that a search replaces, or those of the search, and so on."""
        idle = {"inner_folds"}
        if settings.search:
            idle = {"cost", "gamma"}
        if not settings.table:
            idle.add("exclude")
        return frozenset(idle)

    def read(self, songs: Songs) -> np.ndarray:
        """Return float64 [songs, D]: the table's rows of these songs, else the front-end's.

        Raises
        ------
        MerKitError
            If the table is missing, lacks a song, or has a cell that is not a number.
        """
        if not self.s.table:
            return np.asarray(super().read(songs))
        path = file_of(self.s.table, songs.folder)
        exclude = [name.strip() for name in self.s.exclude.split(",") if name.strip()]
        return feature_table.read(path, songs.clip_ids, exclude=exclude)[0]

    def fit(self, features: np.ndarray, labels: np.ndarray) -> Self:
        """Fit on the training songs [n, D]; with `search`, choose C and γ on inner folds first.

        Raises
        ------
        MerKitError
            If the training songs are all of one class.
        """
        if self.s.search:
            return super().fit(features, labels)
        check_two_classes(labels)
        svc = SVC(C=self.s.cost, gamma=self.s.gamma, break_ties=True)
        self.model_ = make_pipeline(StandardScaler(), svc).fit(features, labels)
        return self
