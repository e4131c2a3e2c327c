"""The paper's song decider: a support vector machine on the 7·K features, saved without pickle.

Notebook: 04_song_decisions
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_kit.checks import MerKitError, check_labels, check_probabilities, check_range
from mer_kit.seeding import derive
from mer_kit.songs import features


class SVM:
    """The paper's decider: a support vector machine on the 7·K features of `features.pool`.

    P: an SVM. D: RBF kernel, features scaled to mean 0 and deviation 1 on the training songs, classes weighted to
    balance, C and γ chosen by balanced accuracy (so that a rare class counts in the choice as it does in the weights)
    over inner stratified folds, min(5, songs of the smallest class); among equals the first of the grid wins.
    If a class has a single song there is nothing to hold out: then C = 1, γ = "scale", and `searched_` is False.

    Attributes
    ----------
    pipeline_ : the scaler and the fitted SVC
    n_classes_ : K, the columns of the probabilities it was fitted on
    searched_ : whether the grid was searched
    best_ : the chosen {"C": …, "gamma": …}
    inner_score_ : balanced accuracy of that choice over the inner folds, NaN without a search

    Notebook: 04_song_decisions
    """

    def __init__(
        self,
        *,
        theta: float = 0.5,
        seed: int = 0,
        c: Sequence[float] = (0.1, 1, 10, 100),
        gamma: Sequence[float | str] = ("scale", 0.01, 0.1),
    ) -> None:
        self.theta, self.seed, self.c, self.gamma = theta, seed, c, gamma

    def fit(self, probabilities: np.ndarray, song: np.ndarray, labels: np.ndarray) -> Self:
        """Choose C and γ on inner folds of the training songs, then fit scaler and SVM on all of them.

        Raises
        ------
        MerKitError
            If the training songs are all of one class, a song has no segment, or probabilities or labels are none.
        """
        p, y = checked_training(probabilities, song, labels)
        sizes = np.bincount(y)
        smallest = int(sizes[sizes > 0].min())
        if np.count_nonzero(sizes) < 2:
            raise MerKitError(
                f"the {len(y)} training songs are all of class {y[0]}, expected at least two classes: "
                "use stratified folds or more songs"
            )
        x = features.pool(p, song, n_songs=len(y), theta=self.theta)
        pipeline = make_pipeline(StandardScaler(), SVC(C=1.0, gamma="scale", class_weight="balanced"))
        self.searched_ = smallest >= 2
        if self.searched_:
            self.pipeline_, self.inner_score_ = self._search(pipeline, x, y, n_folds=min(5, smallest))
        else:
            self.pipeline_, self.inner_score_ = pipeline.fit(x, y), float("nan")
        svc = self.pipeline_[-1]
        self.n_classes_, self.best_ = p.shape[1], {"C": svc.C, "gamma": svc.gamma}
        return self

    def predict(self, probabilities: np.ndarray, song: np.ndarray, n_songs: int) -> np.ndarray:
        """Return int64 [songs], the class of each song.

        Raises
        ------
        MerKitError
            If it is not fitted, the number of classes differs from training, or a song has no segment.
        """
        self._check_fitted()
        p = check_probabilities("probabilities", probabilities)
        if p.shape[1] != self.n_classes_:
            raise MerKitError(
                f"probabilities has {p.shape[1]} classes, expected {self.n_classes_} as in training: "
                "use the network and the SVM of one run"
            )
        x = features.pool(p, song, n_songs=n_songs, theta=self.theta)
        return np.asarray(self.pipeline_.predict(x), dtype=np.int64)

    def save(self, path: str | Path) -> None:
        """Write the fitted SVM with skops (no pickle), under a temporary name first.

        Raises
        ------
        MerKitError
            If it is not fitted.
        """
        import skops.io  # two seconds: it looks through all of scikit-learn, so only who saves or loads pays

        self._check_fitted()
        content = {"pipeline": self.pipeline_, "theta": float(self.theta), "n_classes": int(self.n_classes_)}
        content |= {"searched": bool(self.searched_), "inner_score": float(self.inner_score_)}
        target = Path(path)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        partial.write_bytes(skops.io.dumps(content))
        os.replace(partial, target)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the SVM that `save` wrote; no type beyond those skops trusts by itself is ever built.

        Raises
        ------
        MerKitError
            If the file is missing, damaged, holds other types, or holds something else than a saved SVM.
        """
        import skops.io

        data = _read(Path(path))
        try:
            foreign = skops.io.get_untrusted_types(data=data)
            content = None if foreign else skops.io.loads(data, trusted=[])
        except Exception as error:  # a torn zip, a bad schema: skops raises many kinds
            raise MerKitError(f"{path} cannot be read as a saved SVM ({error}): run the fold again") from error
        if foreign:
            raise MerKitError(f"{path} holds {', '.join(foreign)}, expected only an SVM: do not trust this file")
        keys = {"pipeline", "theta", "n_classes", "searched", "inner_score"}
        if not isinstance(content, dict) or set(content) != keys or not isinstance(content["pipeline"], Pipeline):
            raise MerKitError(f"{path} holds something else than a saved SVM: run the fold again")
        svm = cls(theta=check_range("theta", content["theta"], 0, 1))
        svm.pipeline_, svm.n_classes_ = content["pipeline"], content["n_classes"]
        svm.searched_, svm.inner_score_ = content["searched"], content["inner_score"]
        svm.best_ = {"C": svm.pipeline_[-1].C, "gamma": svm.pipeline_[-1].gamma}
        return svm

    def _search(self, pipeline: Pipeline, x: np.ndarray, y: np.ndarray, *, n_folds: int) -> tuple[Pipeline, float]:
        """Return the pipeline refitted on all songs with the best C and γ, and their inner score."""
        inner = StratifiedKFold(n_folds, shuffle=True, random_state=derive(self.seed, "svm") % 2**32)
        grid = {"svc__C": list(self.c), "svc__gamma": list(self.gamma)}
        search = GridSearchCV(pipeline, grid, scoring="balanced_accuracy", cv=inner).fit(x, y)
        return search.best_estimator_, float(search.best_score_)

    def _check_fitted(self) -> None:
        if not hasattr(self, "pipeline_"):
            raise MerKitError("this SVM is not fitted: call fit first, or SVM.load")


def checked_training(p: np.ndarray, song: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (float64 [S, K]) and labels (int64 [songs]) that fit together.

    Raises
    ------
    MerKitError
        If either is none, or some song 0…len(labels)−1 has no segment.
    """
    probabilities = check_probabilities("probabilities", p)
    y = check_labels("labels", labels, probabilities.shape[1])
    features.rows_by_song(song, len(y), n_segments=len(probabilities))
    return probabilities, y


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise MerKitError(f"{str(path)!r} is missing, expected a saved SVM: run the fold first")
    return path.read_bytes()
