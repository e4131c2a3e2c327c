"""The interface of a system: features of whole songs in, class probabilities out.

Notebook: 04_song_decisions
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np


@dataclass(frozen=True)
class NoSettings:
    """The settings of a system that has none."""


class BaseSystem(ABC):
    """A complete pipeline without a segment network: it learns from one row of features per song.

    Attributes
    ----------
    settings : a frozen dataclass, the system's own settings
    """

    settings: ClassVar[type] = NoSettings

    def __init__(self, settings: Any, *, n_classes: int, seed: int) -> None:
        self.s, self.n_classes, self.seed = settings, n_classes, seed

    @abstractmethod
    def fit(self, features: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from training songs: features float64 [songs, D], labels int64 [songs] in 0…K−1."""

    @abstractmethod
    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Return float64 [songs, K], rows that sum to 1; the largest one is the predicted class."""
