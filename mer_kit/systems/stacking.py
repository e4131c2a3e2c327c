"""Several classifiers on every part of joined front-ends; their mean is weighted on inner folds.

The parts of `musicnn+descriptors` are its front-ends; with `tagger=MSD+MTT` musicnn counts as two.
Each part has three classifiers: a support vector machine and logistic regression on mean and
standard deviation over the song, and a network on the song's segments. Their weights are chosen on
inner folds of the training songs by ensemble selection: start with nothing, add whatever model
makes the mean's log loss smallest, again and again; a model may be added several times.

Notebook: 04_song_decisions
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import softmax  # type: ignore[import-untyped, unused-ignore]
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_kit.checks import check_range, check_two_classes
from mer_kit.seeding import derive
from mer_kit.songs.folds import most_folds
from mer_kit.systems import BaseSystem, Songs, song_features

TITLE = "Stacking"
SAYS = (
    "support vector machines, logistic regression and networks on each joined front-end, weighted"
)
SOURCE = "Caruana et al. 2004, Ensemble selection from libraries of models; D: the library"
COLOUR, LINE = "#3f90da", "--"

#: A fitted model: songs → probabilities [songs, K].
Model = Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class Settings:
    """Number of inner folds that judge the models, and of models that the mean is made of."""

    inner_folds: int = 5
    rounds: int = 25

    def __post_init__(self) -> None:
        check_range("inner_folds", self.inner_folds, 2, 20, whole=True)
        check_range("rounds", self.rounds, 1, 1000, whole=True)


class System(BaseSystem):
    """Ensemble selection among three classifiers on each part of the features.

    D: SVC with an RBF kernel, C = 10 and γ = 1/D; logistic regression with C = 0.01; one hidden
    layer of 128 with an L2 penalty of 1, 12 epochs. If a class has too few songs or artists for
    inner folds that all have it, the models weigh the same.

    Attributes
    ----------
    weights_ : (part, classifier) → weight in the mean, after `fit`

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 20)
    >>> songs = [rng.normal(size=(10, 6)) + 3 * label for label in labels]
    >>> system = System(Settings(), n_classes=2, seed=0).fit(songs, labels)
    >>> bool((system.predict_proba(songs).argmax(axis=1) == labels).mean() > 0.9)
    True
    """

    settings: ClassVar[type] = Settings
    parts: dict[str, np.ndarray] | None = None

    def read(self, songs: Songs) -> list[np.ndarray]:
        """Return a vector for each of a song's segments that do not overlap, [n, d], float64.

        Where the front-end has frames, it is their mean over the segment.
        """
        self.parts = parts_of(songs.columns)
        last = None
        if songs.max_seconds is not None:
            last = max(1, round(songs.max_seconds * songs.per_second))
        every = [songs.values(song)[:last].astype(np.float64) for song in range(len(songs))]
        seconds = min(songs.segment_seconds, max(map(len, every)) / songs.per_second)
        step = max(1, round(seconds * songs.per_second))
        if songs.pooled:
            return [values[::step] for values in every]
        return [_block_means(values, step) for values in every]

    def fit(self, features: Sequence[np.ndarray], labels: np.ndarray) -> Self:
        """Judge each model on inner folds, choose weights, and fit all that have one on all songs.

        Raises
        ------
        MerKitError
            If the training songs are all of one class.
        """
        check_two_classes(labels)
        parts = self.parts or {"": np.arange(features[0].shape[1])}
        fits = {
            (part, kind): partial(fit, columns=columns, n_classes=self.n_classes)
            for part, columns in parts.items()
            for kind, fit in (("svm", _svm), ("logistic", _logistic), ("network", self._network))
        }
        inner = self._inner_folds(labels)
        weights = np.full(len(fits), 1 / len(fits))
        if inner:
            judged = [self._unheard(fit, features, labels, inner) for fit in fits.values()]
            weights = ensemble_weights(np.stack(judged), labels, rounds=self.s.rounds)
        self.weights_ = dict(zip(fits, weights.tolist(), strict=True))
        self.models_ = [
            (weight, fits[name](features, labels))
            for name, weight in self.weights_.items()
            if weight
        ]
        return self

    def _inner_folds(self, labels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return training and test songs of the inner folds; [] if some would lack a class."""
        n_folds = min(self.s.inner_folds, most_folds(labels, self.groups))
        if n_folds < 2:
            return []
        groups = np.arange(len(labels)) if self.groups is None else self.groups
        random = derive(self.seed, "stacking") % 2**32
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=random)
        inner = list(folds.split(labels, labels, groups))
        complete = all(set(labels[train]) == set(labels) for train, _ in inner)
        return inner if complete else []

    def _unheard(
        self,
        fit: Any,
        songs: Sequence[np.ndarray],
        labels: np.ndarray,
        inner: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> np.ndarray:
        """Return probabilities [songs, K] by models that were fitted without the song's artist."""
        p = np.zeros((len(labels), self.n_classes))
        for train, test in inner:
            p[test] = fit([songs[i] for i in train], labels[train])([songs[i] for i in test])
        return p

    def _network(
        self, songs: Sequence[np.ndarray], labels: np.ndarray, columns: np.ndarray, n_classes: int
    ) -> Model:
        """Fit one hidden layer on segments that inherit their song's label."""
        segments = np.concatenate([song[:, columns] for song in songs])
        inherited = np.repeat(labels, [len(song) for song in songs])
        network = MLPClassifier(
            (128,), alpha=1.0, batch_size=min(64, len(segments)), max_iter=12,
            random_state=derive(self.seed, "network") % 2**32,
        )  # fmt: skip
        model = make_pipeline(StandardScaler(), network)
        with warnings.catch_warnings():  # so many epochs are wanted
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(segments, inherited)

        def predict(songs: Sequence[np.ndarray]) -> np.ndarray:
            p = [model.predict_proba(song[:, columns]).mean(axis=0) for song in songs]
            return _all_classes(np.stack(p), model.classes_, n_classes)

        return predict

    def predict_proba(self, features: Sequence[np.ndarray]) -> np.ndarray:
        """Return float64 [songs, K], the weighted mean of the models' probabilities."""
        p = np.sum([weight * model(features) for weight, model in self.models_], axis=0)
        return np.asarray(p / p.sum(axis=1, keepdims=True))


def parts_of(columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the columns [d′] of each part: those with the same text before the last ": ".

    Examples
    --------
    >>> {name: rows.tolist() for name, rows in parts_of(["a: x", "b: x", "a: y"]).items()}
    {'a': [0, 2], 'b': [1]}
    """
    names = [column.rpartition(": ")[0] for column in columns]
    return {name: np.flatnonzero(np.array(names) == name) for name in dict.fromkeys(names)}


def ensemble_weights(p: np.ndarray, labels: np.ndarray, *, rounds: int) -> np.ndarray:
    """Return a weight for each model, float64 [M], which sum to 1.

    Parameters
    ----------
    p : [M, n, K], probabilities of songs that the models were not fitted on
    labels : int64 [n]
    rounds : how often a model is added

    Examples
    --------
    >>> good, poor = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.4, 0.6], [0.6, 0.4]])
    >>> ensemble_weights(np.stack([good, poor]), np.array([0, 1]), rounds=5).tolist()
    [1.0, 0.0]
    """
    own = p[:, np.arange(len(labels)), labels]  # [M, n], the probability of the right class
    total, times = np.zeros(len(labels)), np.zeros(len(p))
    for _ in range(rounds):
        loss = -np.log(np.maximum(total + own, 1e-9)).mean(axis=1)
        best = int(loss.argmin())
        total, times[best] = total + own[best], times[best] + 1
    return np.asarray(times / times.sum())


def _block_means(values: np.ndarray, step: int) -> np.ndarray:
    """Return the mean of every `step` rows, at least one: [n, d] → [max(1, n // step), d]."""
    n = max(1, len(values) // step)
    return np.stack([part.mean(axis=0) for part in np.array_split(values[: n * step], n)])


def _summaries(songs: Sequence[np.ndarray], columns: np.ndarray) -> np.ndarray:
    """Return mean and standard deviation over each song, [songs, 2·d]."""
    return np.stack([song_features(song[:, columns]) for song in songs])


def _svm(
    songs: Sequence[np.ndarray], labels: np.ndarray, columns: np.ndarray, n_classes: int
) -> Model:
    """Fit an SVM on the songs' summaries; its probabilities are a softmax of decision values."""
    model = make_pipeline(StandardScaler(), SVC(C=10, gamma="auto"))
    model.fit(_summaries(songs, columns), labels)

    def predict(songs: Sequence[np.ndarray]) -> np.ndarray:
        decision = model.decision_function(_summaries(songs, columns))
        if decision.ndim == 1:  # two classes
            decision = np.stack([-decision, decision], axis=1)
        return _all_classes(softmax(decision, axis=1), model.classes_, n_classes)

    return predict


def _logistic(
    songs: Sequence[np.ndarray], labels: np.ndarray, columns: np.ndarray, n_classes: int
) -> Model:
    """Fit logistic regression on the songs' summaries."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    model.fit(_summaries(songs, columns), labels)
    return lambda songs: _all_classes(
        model.predict_proba(_summaries(songs, columns)), model.classes_, n_classes
    )


def _all_classes(p: np.ndarray, classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Return probabilities of all classes, 0 for those that a model has not seen."""
    every = np.zeros((len(p), n_classes))
    every[:, classes] = p
    return every
