"""Joint optimisation of weights and labels, then a fresh network on the labels that it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mer_kit.checks import check_range
from mer_kit.training import objectives
from mer_kit.training.method import MIXUP, RDROP, SPLIT, BaseMethod, Epoch, Stage, Training

if TYPE_CHECKING:
    from mer_kit.training.settings import TrainingSettings

TITLE = "joint optimisation"
SAYS = "labels become the mean of the last evaluation passes; a fresh network learns the final ones"
SOURCE = "Tanaka et al. 2018, Joint Optimization Framework for Learning with Noisy Labels"
COLOUR, LINE = "#e76300", ":"
ORDER = 16


@dataclass(frozen=True)
class Settings:
    """Weights of both penalties, how many passes a label is the mean of, and the second step."""

    prior_weight: float = 1.0  # P of the source's code: α
    entropy_weight: float = 0.5  # P of the source's code: β
    window: int = 10  # P of the source
    retrain: bool = True  # P of the source: its second step

    def __post_init__(self) -> None:
        check_range("prior_weight", self.prior_weight, 0)
        check_range("entropy_weight", self.entropy_weight, 0)
        check_range("window", self.window, 1, whole=True)


class Method(BaseMethod):
    """Step 1: cross-entropy + α·KL(prior ‖ mean p) + β·mean entropy of p, at a constant rate.

    After the warm-up the label of every segment, right or wrong, is the mean of its probabilities
    in the last `window` evaluation passes. Without the first penalty all segments could end in one
    class; the second moves the labels off their fixed point (see `methods.self_learning`); the
    constant rate keeps the network from memorising. Step 2: a fresh network learns the final soft
    labels, without penalties.

    D: probabilities of the evaluation passes, not of the training steps with dropout; the class
    fractions of the training labels as prior, not 1/K; step 2 has as many epochs as step 1.
    """

    settings = Settings
    own: Settings
    idle = frozenset((*SPLIT, *RDROP, *MIXUP))

    @classmethod
    def stages(cls, settings: TrainingSettings) -> tuple[Stage, ...]:
        """Return one stage or two of `epochs` each."""
        first = Stage(settings.epochs, schedule="constant")
        if not settings.own.retrain:
            return (first,)
        return first, Stage(settings.epochs, fresh=True)

    def start(self, training: Training) -> None:
        """Measure the prior."""
        super().start(training)
        self.prior = training.prior()

    def begin_epoch(self, epoch: Epoch) -> None:
        """Take the mean of the last passes as soft labels; in step 2, of the last in step 1."""
        super().begin_epoch(epoch)
        self.soft: np.ndarray | None = None  # float32 [S, K]
        self.first_step = epoch.number <= self.s.epochs
        if epoch.phase != "warmup" or not self.first_step:
            passes = epoch.passes[: self.s.epochs][-self.own.window :]
            mean = passes.mean(axis=0, dtype=np.float32)
            self.soft = mean / mean.sum(axis=1, keepdims=True)

    def targets(self, rows: np.ndarray) -> Tensor:
        """Return the soft labels, or the inherited ones during the warm-up: [B, K]."""
        if self.soft is None:
            return super().targets(rows)
        return torch.from_numpy(self.soft[rows]).to(self.training.placement.device)

    def penalty(self, logits: Tensor, rows: np.ndarray) -> Tensor | None:
        """Return the two penalties of step 1."""
        if not self.first_step:
            return None
        log_p = functional.log_softmax(logits.float(), dim=1)
        entropy = -(log_p.exp() * log_p).sum(dim=1).mean()  # from 0 to log K
        balance = objectives.prior_divergence(logits, self.prior)
        return self.own.prior_weight * balance + self.own.entropy_weight * entropy

    def summary(self) -> dict[str, float]:
        """Return the fraction of segments whose label prefers another class than inherited."""
        if self.soft is None:
            return {"relabelled": 0.0}
        return {"relabelled": float((self.soft.argmax(axis=1) != self.training.labels).mean())}
