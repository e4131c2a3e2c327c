"""Label smoothing: a part ε of every inherited label is spread evenly over the classes."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from mer_kit.checks import check_range
from mer_kit.training.method import MIXUP, RDROP, SPLIT, BaseMethod

TITLE = "label smoothing"
SAYS = "cross-entropy on labels of which a part is spread evenly over all classes"
SOURCE = "Szegedy et al. 2016; under label noise: Lukasik et al. 2020"
COLOUR, LINE = "#b9ac70", "-"
ORDER = 10


@dataclass(frozen=True)
class Settings:
    """The part ε of a label that is spread over the classes; 0 is plain cross-entropy."""

    smoothing: float = 0.1  # D: the usual value

    def __post_init__(self) -> None:
        check_range("smoothing", self.smoothing, 0, 1)


class Method(BaseMethod):
    """Targets are t = (1 − ε)·y + ε/K.

    Even a segment that fits perfectly then has a positive loss, so that losses of this method
    should not be divided by a mixture.
    """

    settings = Settings
    own: Settings
    idle = frozenset((*SPLIT, *RDROP, *MIXUP))

    def targets(self, rows: np.ndarray) -> Tensor:
        """Return the smoothed labels, [B, K]."""
        part = self.own.smoothing
        return (1 - part) * super().targets(rows) + part / self.training.n_classes
