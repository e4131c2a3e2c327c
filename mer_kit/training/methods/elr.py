"""Early-learning regularisation: the network is kept close to its own earlier answers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mer_kit.checks import check_range
from mer_kit.training.method import MIXUP, RDROP, SPLIT, BaseMethod, Training

TITLE = "ELR"
SAYS = "cross-entropy, and a penalty for leaving the running mean of earlier answers"
SOURCE = "Liu et al. 2020, Early-Learning Regularization Prevents Memorization of Noisy Labels"
COLOUR, LINE = "#7a21dd", "--"
ORDER = 12


@dataclass(frozen=True)
class Settings:
    """Weight λ of the penalty (0 is plain cross-entropy), and the part β that a mean keeps."""

    weight: float = 3.0  # P of the source, for labels that are wrong at random
    decay: float = 0.7  # P of the source, likewise

    def __post_init__(self) -> None:
        check_range("weight", self.weight, 0)
        check_range("decay", self.decay, 0, 1)


class Method(BaseMethod):
    """Cross-entropy + λ · mean log(1 − ⟨t, p⟩), with t ← β·t + (1 − β)·p for every segment.

    The penalty is small where the answer p agrees with the mean t of earlier ones. A network learns
    right labels first; when it turns to the wrong ones, the penalty holds it back.
    """

    settings = Settings
    own: Settings
    idle = frozenset((*SPLIT, *RDROP, *MIXUP))

    def start(self, training: Training) -> None:
        """Begin with t = 0: a segment that has not been seen has no penalty."""
        super().start(training)
        shape = len(training.labels), training.n_classes
        self.means = torch.zeros(shape, device=training.placement.device)  # float32 [S, K]

    def penalty(self, logits: Tensor, rows: np.ndarray) -> Tensor:
        """Update the means of a batch's segments, then return λ times their penalty."""
        p = torch.softmax(logits.float(), dim=1).clamp(1e-4, 1 - 1e-4)  # [B, K]
        at = torch.from_numpy(rows).to(p.device)
        # No gradient flows into t: the answer moves towards its mean, not the mean to the answer.
        new = (p / p.sum(dim=1, keepdim=True)).detach()
        self.means[at] = self.own.decay * self.means[at] + (1 - self.own.decay) * new
        agreement = (self.means[at] * p).sum(dim=1)  # [B], ⟨t, p⟩
        return self.own.weight * torch.log(1 - agreement).mean()

    def state(self) -> dict[str, Tensor]:
        """Return the means: a resumed training continues with them."""
        return {"means": self.means.cpu()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue with the means of a checkpoint."""
        self.means = state["means"].to(self.means.device)

    def summary(self) -> dict[str, float]:
        """Return the epoch's mean penalty, a column of history.csv."""
        return {"elr_penalty": self.sums.mean("penalty")}
