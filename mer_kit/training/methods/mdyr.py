"""Dynamic bootstrapping (M-DYR): mixup, and labels that are replaced as far as they look wrong.

Notebook: 02_noisy_labels
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mer_kit.checks import check_choice, check_range
from mer_kit.training import evaluation, objectives
from mer_kit.training.batch_loss import frozen_batch_norm
from mer_kit.training.method import RDROP, SPLIT, BaseMethod, Epoch, Training

if TYPE_CHECKING:
    from mer_kit.training.network import SegmentNetwork

TITLE = "M-DYR"
SAYS = "mixup on labels that are replaced by the network's answer as far as their loss looks noisy"
SOURCE = "Arazo et al. 2019, Unsupervised Label Noise Modeling and Loss Correction"
COLOUR, LINE = "#bd1f01", "--"
ORDER = 15

#: How far scaled losses keep off 0 and 1: P of the source.
EDGE = 1e-4


@dataclass(frozen=True)
class Settings:
    """How labels are replaced.

    Attributes
    ----------
    bootstrap : "hard" replaces by the most likely class, "soft" by the probabilities
    prior_weight : of the penalty for a mean answer that differs from the class fractions
    max_noisy : largest mean of w over all segments; above it every w is scaled down
    """

    bootstrap: str = "hard"  # P of the source: M-DYR-H
    prior_weight: float = 1.0  # P of the source's scripts
    max_noisy: float = 1.0  # D: 1 is no limit, as in the source

    def __post_init__(self) -> None:
        check_choice("bootstrap", self.bootstrap, ("hard", "soft"))
        check_range("prior_weight", self.prior_weight, 0)
        check_range("max_noisy", self.max_noisy, 0, 1)


@dataclass(frozen=True)
class BetaMixture:
    """Two beta distributions of losses, scaled to 0–1; index 1 has the larger mean (noisy).

    Attributes
    ----------
    alphas, betas, weights : of both components
    low, high : nats, the losses that are scaled to 0 and 1
    """

    alphas: tuple[float, float]
    betas: tuple[float, float]
    weights: tuple[float, float]
    low: float = 0.0
    high: float = 1.0

    def scaled(self, losses: Tensor) -> Tensor:
        """Return losses (nats) between 0 and 1, without both ends."""
        return ((losses - self.low) / (self.high - self.low)).clamp(EDGE, 1 - EDGE)

    def log_ratio(self, x: Tensor) -> Tensor:
        """Return log(π₁ p(x|1)) − log(π₀ p(x|0)) of scaled losses."""
        clean, noisy = (
            math.log(weight) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
            for a, b, weight in zip(self.alphas, self.betas, self.weights, strict=True)
        )
        rise, fall = self._slopes()
        return noisy - clean + rise * torch.log(x) + fall * torch.log1p(-x)

    def posterior(self, losses: Tensor) -> Tensor:
        """Return w, the probability that a loss (nats) is of the noisy component.

        The ratio of two beta densities may turn round once. D: w keeps its value at the turn, so
        that it never falls as the loss grows; the source does so in a table of 100 entries.
        """
        x = self.scaled(losses)
        rise, fall = self._slopes()
        # The log ratio has the slope rise/x − fall/(1 − x), which may change its sign.
        if rise > 0 and fall > 0:
            x = x.clamp(max=rise / (rise + fall))
        if rise < 0 and fall < 0:
            x = x.clamp(min=rise / (rise + fall))
        return torch.sigmoid(self.log_ratio(x))

    def _slopes(self) -> tuple[float, float]:
        """Return α₁ − α₀ and β₁ − β₀."""
        return self.alphas[1] - self.alphas[0], self.betas[1] - self.betas[0]


def shapes(x: Tensor, weights: Tensor) -> tuple[float, float]:
    """Return α and β of the beta distribution with the weighted mean and variance of x [n].

    Examples
    --------
    >>> alpha, beta = shapes(torch.tensor([0.25, 0.75]), torch.ones(2))
    >>> round(alpha, 4), round(beta, 4)  # mean ½ and variance 1⁄16
    (1.5, 1.5)
    """
    mean = float((weights * x).sum() / weights.sum())
    variance = float((weights * (x - mean) ** 2).sum() / weights.sum())
    alpha = mean * (mean * (1 - mean) / max(variance, EDGE**2) - 1)
    return alpha, alpha * (1 - mean) / mean


def fit_betas(
    losses: Tensor, *, percentiles: tuple[float, float] = (5.0, 95.0), steps: int = 10
) -> BetaMixture | None:
    """Fit two beta distributions to losses [n] in nats by EM; None if they are (nearly) all equal.

    Losses outside these percentiles are not fitted. Ten steps of EM are the source's; they end
    early, often before the smaller component has taken its shape.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> losses = np.r_[rng.beta(2, 8, 700), rng.beta(8, 2, 300)]
    >>> mixture = fit_betas(torch.from_numpy(losses))
    >>> [round(w, 1) for w in mixture.posterior(torch.tensor([0.1, 0.9])).tolist()]
    [0.0, 1.0]
    """
    low, high = np.percentile(losses.numpy(), percentiles)
    if high - low < 1e-6:
        return None
    inside = losses[(low <= losses) & (losses <= high)]
    mixture = BetaMixture((1.0, 2.0), (2.0, 1.0), (0.5, 0.5), float(low), float(high))
    x = mixture.scaled(inside)
    for _ in range(steps):
        noisy = torch.sigmoid(mixture.log_ratio(x)).clamp(1e-12, 1 - 1e-12)
        parts = [(*shapes(x, part), float(part.mean())) for part in (1 - noisy, noisy)]
        # The components may change places; the one with the larger mean loss is the noisy one.
        parts.sort(key=lambda part: part[0] / (part[0] + part[1]))
        alphas, betas, weights = zip(*parts, strict=True)
        mixture = dataclasses.replace(mixture, alphas=alphas, betas=betas, weights=weights)
    return mixture


class Method(BaseMethod):
    """Mixup with t = (1 − w)·y + w·z after the warm-up, z being the network's own answer.

    w is the probability that the segment's loss is of the noisy component of a beta mixture, which
    is fitted to the losses of the last evaluation pass. KL(prior ‖ mean p) is added, since labels
    that come from the network could all end in one class. In every epoch mixup's weight is drawn
    from Beta(α, α) and not folded.

    D: loss and answer z come from one look at the unmixed batch with dropout off (the source takes
    z with dropout on); the class fractions of the training labels as prior, not 1/K; α = 0.75 as in
    the other methods (32 in the source).
    """

    settings = Settings
    own: Settings
    idle = frozenset((*SPLIT, *RDROP, "warmup_mixup"))

    def start(self, training: Training) -> None:
        """Measure the prior."""
        super().start(training)
        self.prior = training.prior()

    @classmethod
    def mixes(cls, settings: object, phase: str) -> bool:
        """Mix in every epoch."""
        return True

    def delta(self) -> float:
        """Draw mixup's weight, from 0 to 1."""
        return float(self.training.generators["mixup"].beta(self.s.alpha, self.s.alpha))

    def begin_epoch(self, epoch: Epoch) -> None:
        """Fit the mixture to the losses of the last evaluation pass."""
        super().begin_epoch(epoch)
        self.mixture: BetaMixture | None = None
        self.noisy = 0.0  # mean of w over all segments
        if epoch.phase != "warmup" and epoch.probabilities is not None:
            losses = evaluation.losses(epoch.probabilities, self.training.labels)
            self.mixture = fit_betas(torch.from_numpy(losses))
            if self.mixture is not None:
                self.noisy = float(self.mixture.posterior(torch.from_numpy(losses)).mean())

    def loss(self, networks: list[SegmentNetwork], x: Tensor, rows: np.ndarray) -> list[Tensor]:
        """Look at the unmixed batch first: its losses and answers make the targets."""
        network = networks[0]
        if self.mixture is not None:
            with (
                torch.no_grad(),
                frozen_batch_norm(network),
                self.training.placement.autocast(),
            ):
                self.answers = network.head_without_dropout(network.trunk(x)).float()  # [B, K]
        return super().loss(networks, x, rows)

    def targets(self, rows: np.ndarray) -> Tensor:
        """Return (1 − w)·y + w·z, [B, K]."""
        y = super().targets(rows)
        if self.mixture is None:
            return y
        w = self.mixture.posterior(objectives.cross_entropy(self.answers, y))[:, None]
        w = w * min(1.0, self.own.max_noisy / max(self.noisy, EDGE))
        z = torch.softmax(self.answers, dim=1)
        if self.own.bootstrap == "hard":
            z = functional.one_hot(z.argmax(dim=1), z.shape[1])
        return (1 - w) * y + w * z

    def penalty(self, logits: Tensor, rows: np.ndarray) -> Tensor | None:
        """Return the penalty for a mean answer that differs from the class fractions."""
        if self.mixture is None:
            return None
        return self.own.prior_weight * objectives.prior_divergence(logits, self.prior)

    def summary(self) -> dict[str, float]:
        """Return the mean of w over all segments: the fraction that the mixture calls noisy."""
        return {"noisy_fraction": self.noisy}
