"""A support vector machine on a song's mean and standard deviation of pooled features.

What one would do without segments: the clip's vectors are summarised first, and one classifier
decides for the song. Every comparison of segment networks on a pretrained front-end has this beside
it.

Notebook: 04_song_decisions
"""

import warnings
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self

import numpy as np
from scipy.special import softmax  # type: ignore[import-untyped, unused-ignore]
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_kit.checks import check_range, check_two_classes
from mer_kit.seeding import derive
from mer_kit.songs.folds import most_folds
from mer_kit.systems import BaseSystem

TITLE = "SVM on song features"
SAYS = "a support vector machine on mean and standard deviation of the front-end's features"
SOURCE = "as in Koh and Dubnov 2021; D: RBF kernel, C and γ chosen on inner folds"
COLOUR, LINE = "#9c9ca1", "-."


@dataclass(frozen=True)
class Settings:
    """Number of inner folds on which C and γ are chosen."""

    inner_folds: int = 5

    def __post_init__(self) -> None:
        check_range("inner_folds", self.inner_folds, 2, 20, whole=True)


class System(BaseSystem):
    """StandardScaler → SVC with an RBF kernel, all fitted on the training songs.

    D: balanced class weights; C ∈ {1, 10, 100} and γ ∈ {¼, 1, 4} / D by balanced accuracy over
    inner folds that keep songs of one artist together. If a class has fewer songs or artists than
    two inner folds need, C = 10 and γ = 1/D.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 20)
    >>> songs = rng.normal(size=(40, 6)) + 3 * labels[:, None]
    >>> system = System(Settings(), n_classes=2, seed=0).fit(songs, labels)
    >>> bool((system.predict_proba(songs).argmax(axis=1) == labels).mean() > 0.9)
    True
    """

    settings: ClassVar[type] = Settings

    def fit(self, features: np.ndarray, labels: np.ndarray) -> Self:
        """Choose C and γ on inner folds of the training songs [n, D], then fit on all of them.

        Raises
        ------
        MerKitError
            If the training songs are all of one class.
        """
        check_two_classes(labels)
        # With break_ties the answer is the largest decision value, as in `predict_proba`.
        width = 1 / features.shape[1]
        kernels = [partial(rbf_kernel, gamma=gamma) for gamma in (width, width / 4, 4 * width)]
        # As a function, the kernel is a product of matrices; libsvm's own takes ten times as long.
        svc = SVC(C=10, kernel=kernels[0], class_weight="balanced", break_ties=True)
        pipeline = make_pipeline(StandardScaler(), svc)
        groups = np.arange(len(labels)) if self.groups is None else self.groups
        n_folds = min(self.s.inner_folds, most_folds(labels, self.groups))
        self.model_ = pipeline
        if n_folds >= 2:
            inner = StratifiedGroupKFold(
                n_folds, shuffle=True, random_state=derive(self.seed, "embedding_svm") % 2**32
            )
            grid = {"svc__C": [10, 1, 100], "svc__kernel": kernels}
            search = GridSearchCV(pipeline, grid, scoring="balanced_accuracy", cv=inner)
            with warnings.catch_warnings():  # a small inner fold may lack a class
                warnings.filterwarnings("ignore", "y_pred contains classes", UserWarning)
                self.model_ = search.fit(features, labels, groups=groups).best_estimator_
        else:
            pipeline.fit(features, labels)
        return self

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Return float64 [songs, K]: a softmax of the decision values, not calibrated."""
        decision = self.model_.decision_function(features)
        if decision.ndim == 1:  # two classes
            decision = np.stack([-decision, decision], axis=1)
        p = np.zeros((len(features), self.n_classes))
        p[:, self.model_.classes_] = softmax(decision, axis=1)
        return p
