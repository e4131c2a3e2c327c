"""The interface of song-level classifiers, the checks of their input, and rules without training.

Notebook: 04_song_decisions
"""

from abc import ABC, abstractmethod
from typing import Protocol, Self

import numpy as np

from mer_kit.checks import MerKitError, check_labels, check_probabilities
from mer_kit.songs import features


class SongClassifier(Protocol):
    """The interface of every classifier.

    Segments come as probabilities [segments, K] and `song` int [segments], the song of each; labels
    are int [songs].
    """

    def fit(self, probabilities: np.ndarray, song: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from training songs 0…len(labels)−1."""
        ...

    def predict(self, probabilities: np.ndarray, song: np.ndarray, n_songs: int) -> np.ndarray:
        """Return int64 [songs], the class of each song."""
        ...


class Rule(ABC):
    """A classifier that learns nothing: it applies `answer` to each song's segments."""

    @abstractmethod
    def answer(self, p: np.ndarray) -> int:
        """Return a song's class index from its segments' probabilities [n, K], in time order."""

    def fit(self, probabilities: np.ndarray, song: np.ndarray, labels: np.ndarray) -> Self:
        """Check the input and learn nothing."""
        # The same checks as in the SVM: one classifier can be exchanged for another.
        checked_training(probabilities, song, labels)
        return self

    def predict(self, probabilities: np.ndarray, song: np.ndarray, n_songs: int) -> np.ndarray:
        """Return int64 [songs], the rule's answer for each song.

        Raises
        ------
        MerKitError
            If `probabilities` is not a valid probability array, or a song has no segment.
        """
        p = check_probabilities("probabilities", probabilities)
        # One array of row numbers per song, in time order: the run-length rule depends on it.
        rows = features.rows_by_song(song, n_songs, n_segments=len(p))
        return np.array([self.answer(p[of_song]) for of_song in rows], dtype=np.int64)


def checked_training(
    p: np.ndarray, song: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (float64 [S, K]) and labels (int64 [songs]) that fit together.

    Raises
    ------
    MerKitError
        If either is not valid, or some song 0…len(labels)−1 has no segment.

    Examples
    --------
    >>> p, y = checked_training([[1, 0], [0.5, 0.5]], np.array([0, 1]), [0, 1])
    >>> p.dtype, y.tolist()
    (dtype('float64'), [0, 1])
    """
    probabilities = check_probabilities("probabilities", p)
    # K is the number of columns; which song a segment belongs to is checked for its errors only.
    y = check_labels("labels", labels, probabilities.shape[1])
    features.rows_by_song(song, len(y), n_segments=len(probabilities))
    return probabilities, y


def checked_songs(p: np.ndarray, n_classes: int) -> np.ndarray:
    """Return probabilities float64 [S, K] of as many classes K as a classifier was fitted on.

    Raises
    ------
    MerKitError
        If they are not valid, or of another number of classes.

    Examples
    --------
    >>> checked_songs([[1, 0]], 2).dtype
    dtype('float64')
    """
    probabilities = check_probabilities("probabilities", p)
    if probabilities.shape[1] != n_classes:
        raise MerKitError(
            f"probabilities has {probabilities.shape[1]} classes, expected {n_classes} as in "
            "training: use the network and the classifier of one run"
        )
    return probabilities


def most_frequent(counts: np.ndarray, p: np.ndarray) -> int:
    """Return the class with the largest count [K]; a tie goes to the higher mean probability.

    Examples
    --------
    >>> sure, unsure = [0.9, 0.1], [0.4, 0.6]
    >>> most_frequent(np.array([2, 2]), np.array([sure, sure, unsure, unsure]))
    0
    """
    # Classes with fewer counts get −∞, so that only the tied ones compete.
    return int(np.where(counts == counts.max(), mean_probabilities(p), -np.inf).argmax())


def mean_probabilities(p: np.ndarray) -> np.ndarray:
    """Return the means [K] of probabilities [n, K], rounded to nine digits.

    Floating-point sums depend on their order; rounded, equal means are equal in any order.

    Examples
    --------
    >>> mean_probabilities(np.array([[0.9, 0.1], [0.4, 0.6]])).tolist()
    [0.65, 0.35]
    """
    return np.asarray(np.round(p.mean(axis=0), 9))
