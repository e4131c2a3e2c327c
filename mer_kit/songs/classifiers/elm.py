"""An extreme learning machine: random hidden units, and one linear layer in closed form.

Source: Han, Yu and Tashev 2014, Eq. 4–7 for the statistics. Notebook: 04_song_decisions
"""

from typing import Self

import numpy as np
from scipy.special import expit  # type: ignore[import-untyped, unused-ignore]

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.seeding import numpy_generator
from mer_kit.songs import features
from mer_kit.songs.classifier import checked_songs, checked_training

TITLE = "ELM"
SAYS = "an extreme learning machine on four statistics of each class's probability over the song"
SOURCE = "Han, Yu and Tashev 2014; D: θ = 1/K, standardised statistics, ridge"
LEARNS = True
ORDER = 4

#: Name → the columns of `features.STATISTICS`: Han's max, min, mean and share above θ, or all.
STATISTICS: dict[str, tuple[int, ...]] = {"four": (0, 1, 5, 6), "seven": tuple(range(7))}


class ELM:
    """The extreme learning machine of Han, Yu and Tashev on a song's statistics [4·K].

    h = sigmoid(x W), with W drawn once, uniformly from [−1, 1], and no bias; the output weights
    minimise ‖h U − T‖² + ridge · ‖U‖² for one-hot labels T. The answer is the largest output.

    Parameters
    ----------
    seed : of the hidden weights
    statistics : a name in `STATISTICS`
    threshold : θ of the share above it; None for 1/K (D: Han's 0.2 is 1/K for their 5 classes, and
        for 2 classes nearly every segment is above it)
    hidden : hidden units (P: 120)
    ridge : D: 1, since 120 almost linear units are nearly collinear; 0 is the source's, solved by
        least squares and never by an inverse
    standardise : D: scale the statistics to mean 0 and standard deviation 1 on the training songs;
        the source gives probabilities as they are to the hidden units

    Attributes
    ----------
    weights_, output_ : W [D, hidden] and U [hidden, K]

    Examples
    --------
    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]])
    >>> elm = ELM().fit(p, np.arange(4), np.array([0, 0, 1, 1]))
    >>> elm.predict(np.array([[0.7, 0.3]]), np.array([0]), 1).tolist()
    [0]
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        statistics: str = "four",
        threshold: float | None = None,
        hidden: int = 120,
        ridge: float = 1.0,
        standardise: bool = True,
    ) -> None:
        self.statistics = check_choice("statistics", statistics, STATISTICS)
        self.hidden = check_range("hidden", hidden, 1, whole=True)
        self.ridge = check_range("ridge", ridge, 0)
        self.seed, self.threshold, self.standardise = seed, threshold, standardise

    def fit(self, probabilities: np.ndarray, song: np.ndarray, labels: np.ndarray) -> Self:
        """Draw the hidden weights, and solve for the output weights on the training songs."""
        p, y = checked_training(probabilities, song, labels)
        self.n_classes_ = p.shape[1]
        x = self.pool(p, song, len(y))  # [songs, D]
        self.mean_, self.sd_ = np.zeros(x.shape[1]), np.ones(x.shape[1])
        if self.standardise:
            self.mean_, sd = x.mean(axis=0), x.std(axis=0)
            self.sd_ = np.where(sd < 1e-9, 1.0, sd)  # a constant statistic stays 0
        draw = numpy_generator(self.seed, "elm").uniform
        self.weights_ = draw(-1, 1, (x.shape[1], self.hidden))
        h, one_hot = self._hidden(x), np.eye(self.n_classes_)[y]
        # The rows of the ridge: √ridge · U should be 0.
        h = np.concatenate([h, np.sqrt(self.ridge) * np.eye(self.hidden)])
        targets = np.concatenate([one_hot, np.zeros((self.hidden, self.n_classes_))])
        self.output_ = np.linalg.lstsq(h, targets)[0]
        return self

    def predict(self, probabilities: np.ndarray, song: np.ndarray, n_songs: int) -> np.ndarray:
        """Return int64 [songs], the class of each song.

        Raises
        ------
        MerKitError
            If it is not fitted, the number of classes differs from training, or a song has no
            segment.
        """
        if not hasattr(self, "output_"):
            raise MerKitError("this ELM is not fitted: call fit first")
        p = checked_songs(probabilities, self.n_classes_)
        return np.asarray(self.outputs(p, song, n_songs).argmax(axis=1), dtype=np.int64)

    def outputs(self, p: np.ndarray, song: np.ndarray, n_songs: int) -> np.ndarray:
        """Return the outputs h U, float64 [songs, K]: one-hot labels, as far as it learned them."""
        return np.asarray(self._hidden(self.pool(p, song, n_songs)) @ self.output_)

    def pool(self, p: np.ndarray, song: np.ndarray, n_songs: int) -> np.ndarray:
        """Return the chosen statistics, float64 [songs, 4·K or 7·K], class by class."""
        theta = self.threshold
        if theta is None:
            theta = 1 / p.shape[1]
        of_song = features.pool(p, song, n_songs=n_songs, theta=theta)
        of_class = of_song.reshape(n_songs, p.shape[1], len(features.STATISTICS))
        return of_class[:, :, STATISTICS[self.statistics]].reshape(n_songs, -1)

    def _hidden(self, x: np.ndarray) -> np.ndarray:
        """Return the hidden units [songs, hidden] of statistics [songs, D]."""
        return np.asarray(expit((x - self.mean_) / self.sd_ @ self.weights_))


Classifier = ELM
