"""Generalised cross-entropy: a loss between cross-entropy and the absolute error."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mer_kit.checks import check_range
from mer_kit.training.method import MIXUP, RDROP, SPLIT, BaseMethod

TITLE = "generalised cross-entropy"
SAYS = "a loss that grows less than cross-entropy where the network contradicts the label"
SOURCE = "Zhang and Sabuncu 2018; on noisy sound-event labels: Fonseca et al. 2019"
COLOUR, LINE = "#a96b59", ":"
ORDER = 11


@dataclass(frozen=True)
class Settings:
    """The exponent q: 0 is plain cross-entropy, 1 the probability of all other classes."""

    q: float = 0.7  # P of the source

    def __post_init__(self) -> None:
        check_range("q", self.q, 0, 1)


class Method(BaseMethod):
    """The loss of a segment is (1 − p(y)^q) / q, with −log p(y) as its limit for q → 0.

    Its gradient is that of cross-entropy times p(y)^q: labels that the network contradicts count
    less.
    """

    settings = Settings
    own: Settings
    idle = frozenset((*SPLIT, *RDROP, *MIXUP))

    def segment_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return Σₖ tₖ (1 − pₖ^q) / q of every segment: [B], at most 1/q."""
        q = self.own.q
        if q == 0:
            return super().segment_loss(logits, targets)
        log_p = functional.log_softmax(logits.float(), dim=1)
        # 1 − p^q = −expm1(q·log p), which keeps its digits for a small q.
        return -(targets * torch.expm1(q * log_p)).sum(dim=1) / q
