"""The paper's song-level classifier: a support vector machine on 7·K features of a song.

Notebook: 04_song_decisions
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_kit.checks import MerKitError, check_two_classes
from mer_kit.seeding import derive
from mer_kit.songs import features, svm_file
from mer_kit.songs.classifier import checked_songs, checked_training
from mer_kit.songs.folds import most_folds

TITLE = "SVM (paper)"
SAYS = "a support vector machine on the seven statistics of each class's probability over the song"
SOURCE = "the SSSL paper, “Song-level classification”"
LEARNS = True
ORDER = 0


class SVM:
    """The paper's song-level classifier: a support vector machine on the features [7·K] of a song.

    P: an SVM. D: RBF kernel; features scaled to mean 0 and standard deviation 1 on the training
    songs; balanced class weights; C and γ chosen by balanced accuracy (so that a rare class counts
    in the choice as it does in the weights) over min(5, songs of the smallest class) inner
    stratified folds; in a tie the first of the grid wins. If a class has a single song, nothing can
    be held out: then C = 1, γ = "scale", and `searched_` is False.

    Parameters
    ----------
    theta : θ of feature f7
    seed : of the inner folds
    c, gamma : the grid
    groups : int [songs], the training songs' artists, which inner folds keep together (D); None if
        each song is on its own

    Attributes
    ----------
    pipeline_ : the scaler and the fitted SVC
    n_classes_ : K, the columns of the probabilities it was fitted on
    searched_ : whether the grid was searched
    best_ : the chosen {"C": …, "gamma": …}
    inner_score_ : balanced accuracy of that choice over the inner folds, NaN without a search

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]])
    >>> svm = SVM().fit(p, np.arange(4), np.array([0, 0, 1, 1]))
    >>> svm.predict(np.array([[0.7, 0.3]]), np.array([0]), 1).tolist()
    [0]

    Notebook: 04_song_decisions
    """

    def __init__(
        self,
        *,
        theta: float = 0.5,
        seed: int = 0,
        c: Sequence[float] = (0.1, 1, 10, 100),
        gamma: Sequence[float | str] = ("scale", 0.01, 0.1),
        groups: np.ndarray | None = None,
    ) -> None:
        self.theta, self.seed, self.c, self.gamma, self.groups = theta, seed, c, gamma, groups

    def fit(self, probabilities: np.ndarray, song: np.ndarray, labels: np.ndarray) -> Self:
        """Choose C and γ on inner folds of the training songs, then fit on all of them.

        Raises
        ------
        MerKitError
            If the training songs are all of one class, a song has no segment, or probabilities or
            labels are not valid.
        """
        p, y = checked_training(probabilities, song, labels)
        check_two_classes(y)
        smallest = most_folds(y, self.groups)
        # From here on a song is one row: [songs, 7·K], however many segments it has.
        x = features.pool(p, song, n_songs=len(y), theta=self.theta)
        # An RBF kernel measures distances, so that every feature must have the same scale; balanced
        # weights make an error on a rare class cost as much more as the class is rarer.
        pipeline = make_pipeline(
            StandardScaler(), SVC(C=1.0, gamma="scale", class_weight="balanced")
        )
        # A class with a single song cannot be in both sets of an inner fold.
        self.searched_ = smallest >= 2
        if self.searched_:
            found = self._search(pipeline, x, y, n_folds=min(5, smallest))
            self.pipeline_, self.inner_score_ = found.best_estimator_, float(found.best_score_)
        else:
            self.pipeline_, self.inner_score_ = pipeline.fit(x, y), float("nan")
        svc = self.pipeline_[-1]
        # K comes from the probabilities: a class without training songs still has its features.
        self.n_classes_, self.best_ = p.shape[1], {"C": svc.C, "gamma": svc.gamma}
        return self

    def predict(self, probabilities: np.ndarray, song: np.ndarray, n_songs: int) -> np.ndarray:
        """Return int64 [songs], the class of each song.

        Raises
        ------
        MerKitError
            If it is not fitted, the number of classes differs from training, or a song has no
            segment.
        """
        self._check_fitted()
        # Another K would give another number of features, or the same ones with another meaning.
        p = checked_songs(probabilities, self.n_classes_)
        x = features.pool(p, song, n_songs=n_songs, theta=self.theta)
        return np.asarray(self.pipeline_.predict(x), dtype=np.int64)

    def save(self, path: str | Path) -> None:
        """Write the fitted SVM as arrays (safetensors, no pickle), atomically.

        Raises
        ------
        MerKitError
            If it is not fitted.
        """
        self._check_fitted()
        about = {
            "theta": float(self.theta),
            "n_classes": int(self.n_classes_),
            "searched": bool(self.searched_),
            # JSON has no NaN: without a search the score is null.
            "inner_score": float(self.inner_score_) if np.isfinite(self.inner_score_) else None,
        }
        svm_file.write(Path(path), self.pipeline_, about)

    @classmethod
    def load(cls, path: str | Path, *, inside: Path | None = None) -> Self:
        """Return the SVM that `save` wrote.

        With `inside`, a link that leads out of that folder is not followed.

        Raises
        ------
        MerKitError
            If the file is missing or damaged, or is not a saved SVM.
        """
        pipeline, about = svm_file.read(Path(path), inside=inside)
        # θ belongs to the features that the SVM was fitted on; the grid and the seed do not matter.
        svm = cls(theta=float(about["theta"]))
        svm.pipeline_, svm.n_classes_ = pipeline, int(about["n_classes"])
        inner = about.get("inner_score")
        svm.searched_ = about.get("searched") is True
        svm.inner_score_ = float(inner) if isinstance(inner, (int, float)) else float("nan")
        svm.best_ = {"C": pipeline[-1].C, "gamma": pipeline[-1].gamma}
        return svm

    def _search(
        self, pipeline: Pipeline, x: np.ndarray, y: np.ndarray, *, n_folds: int
    ) -> GridSearchCV:
        """Return the search for C and γ, its best pipeline refitted on all songs."""
        # Whole songs are divided: x has one row for each, so that no song is on both sides.
        kind = StratifiedKFold if self.groups is None else StratifiedGroupKFold
        inner = kind(n_folds, shuffle=True, random_state=derive(self.seed, "svm") % 2**32)
        grid = {"svc__C": list(self.c), "svc__gamma": list(self.gamma)}
        # The scaler is part of the pipeline: each inner fold is scaled by its own training songs.
        search = GridSearchCV(pipeline, grid, scoring="balanced_accuracy", cv=inner)
        with warnings.catch_warnings():  # a small inner fold may lack a class
            warnings.filterwarnings("ignore", "y_pred contains classes", UserWarning)
            return search.fit(x, y, groups=self.groups)

    def _check_fitted(self) -> None:
        if not hasattr(self, "pipeline_"):
            raise MerKitError("this SVM is not fitted: call fit first, or SVM.load")


Classifier = SVM
