"""Four ways to answer for a whole song: the paper's SVM, the mean, the majority vote, the longest run.

All have one silhouette: `fit(probabilities, song, labels)` returns self, and `predict(probabilities, song, n_songs)`
one class index per song. Only the SVM learns; for the other three `fit` checks its input and changes nothing.

Notebook: 04_song_decisions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self

import numpy as np

from mer_kit.checks import check_choice, check_probabilities
from mer_kit.songs import features
from mer_kit.songs.svm import SVM, checked_training

#: Every decider `make` knows, the paper's first.
NAMES: tuple[str, ...] = ("svm", "mean", "vote", "run_length")


class Decider(Protocol):
    """What every decider can do; probabilities are [segments, K], `song` int [segments], labels int [songs]."""

    def fit(self, probabilities: np.ndarray, song: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from training songs 0…len(labels)−1."""
        ...

    def predict(self, probabilities: np.ndarray, song: np.ndarray, n_songs: int) -> np.ndarray:
        """Return int64 [songs]."""
        ...


def make(name: str, *, theta: float = 0.5, seed: int = 0) -> Decider:
    """Return a fresh decider; `theta` (of feature f7) and `seed` (of the inner folds) concern the SVM alone.

    Raises
    ------
    MerKitError
        If there is no decider of that name.

    Examples
    --------
    >>> p, song = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]), np.array([0, 0, 0])
    >>> {name: int(make(name).predict(p, song, 1)[0]) for name in NAMES[1:]}
    {'mean': 0, 'vote': 1, 'run_length': 1}

    Notebook: 04_song_decisions
    """
    check_choice("decider", name, NAMES)
    return SVM(theta=theta, seed=seed) if name == "svm" else Rule(RULES[name])


class Rule:
    """A decider that learns nothing: it applies `rule`, a function [n, K] → class index, to each song's segments."""

    def __init__(self, rule: Callable[[np.ndarray], int]) -> None:
        self.rule = rule

    def fit(self, probabilities: np.ndarray, song: np.ndarray, labels: np.ndarray) -> Self:
        """Check the input as the SVM would, so that deciders can be swapped; learn nothing."""
        checked_training(probabilities, song, labels)
        return self

    def predict(self, probabilities: np.ndarray, song: np.ndarray, n_songs: int) -> np.ndarray:
        """Return int64 [songs], the rule's answer for each song.

        Raises
        ------
        MerKitError
            If the probabilities are none or a song has no segment.
        """
        p = check_probabilities("probabilities", probabilities)
        rows = features.rows_by_song(song, n_songs, n_segments=len(p))
        return np.array([self.rule(p[of_song]) for of_song in rows], dtype=np.int64)


def mean_rule(p: np.ndarray) -> int:
    """Return the class with the highest mean probability over the segments [n, K]; the smallest index in a tie.

    Examples
    --------
    >>> mean_rule(np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]))
    0
    """
    return int(_mean(p).argmax())


def vote_rule(p: np.ndarray) -> int:
    """Return the class that most segments [n, K] choose; a tie goes to the higher mean probability (D).

    Source: majority vote, Sarkar et al. 2020 (the paper's [7]).

    Examples
    --------
    >>> vote_rule(np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]))
    1
    """
    return _winner(np.bincount(p.argmax(axis=1), minlength=p.shape[1]), p)


def run_length_rule(p: np.ndarray) -> int:
    """Return the class with the longest unbroken run of segments [n, K] choosing it; ties as in `vote_rule`.

    Source: maximum run length, Sarkar et al. 2020 (the paper's [7]).

    Examples
    --------
    >>> a, b = [0.6, 0.4], [0.4, 0.6]
    >>> p = np.array([a, a, b, b, b, a, a])
    >>> run_length_rule(p), vote_rule(p)
    (1, 0)
    """
    chosen = p.argmax(axis=1)
    starts = np.flatnonzero(np.r_[True, chosen[1:] != chosen[:-1]])
    longest = np.zeros(p.shape[1], dtype=np.int64)
    np.maximum.at(longest, chosen[starts], np.diff(np.r_[starts, len(chosen)]))
    return _winner(longest, p)


#: The rules by name.
RULES: dict[str, Callable[[np.ndarray], int]] = {"mean": mean_rule, "vote": vote_rule, "run_length": run_length_rule}


def _winner(counts: np.ndarray, p: np.ndarray) -> int:
    """Return the class with the largest count; among equals the one with the highest mean probability."""
    return int(np.where(counts == counts.max(), _mean(p), -np.inf).argmax())


def _mean(p: np.ndarray) -> np.ndarray:
    """Return [K], means rounded so that equal ones stay equal whatever the order of summation."""
    means: np.ndarray = np.round(p.mean(axis=0), 9)
    return means
