"""Semi-supervised self-learning, the paper's method: partition by a loss mixture, pseudo-labels, mixup, R-Drop.

Notebook: 03_sssl_training
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mer_kit.seeding import derive
from mer_kit.training import objectives
from mer_kit.training.batch_loss import Batch
from mer_kit.training.evaluation import losses
from mer_kit.training.method import RDROP, BaseMethod, Epoch
from mer_kit.training.partition import fit_partition

if TYPE_CHECKING:
    from mer_kit.training.settings import TrainingSettings

TITLE = "SSSL (Proposed)"
SAYS = "the whole of SSSL: split, sharpened pseudo-labels, mixup, R-Drop"
SOURCE = "Sun, Zhang, Zhou, Li: the paper, Eq. (3) to (10)"
COLOUR, LINE = "#5790fc", "-"
ORDER = 3


class Method(BaseMethod):
    """After a plain warm-up each epoch begins with a partition of the segments into X, whose labels are kept, and U."""

    phase = "ssl"
    makes_partition = True
    shares_warmup = True
    idle = frozenset()

    def begin_epoch(self, epoch: Epoch) -> None:
        """Divide the segments by the losses of the last evaluation pass (Eq. 3)."""
        super().begin_epoch(epoch)
        self.partition = None
        if epoch.phase == "ssl" and epoch.probabilities is not None:
            self.partition = fit_partition(
                losses(epoch.probabilities, self.training.labels),
                self.training.labels,
                n_classes=self.training.n_classes,
                settings=self.s.partition,
                seed=mixture_seed(self.training.seed),
            )

    def batch(self, x: Tensor, rows: np.ndarray) -> Batch:
        """Return a batch in which U has lost its labels, with this step's λ."""
        made = super().batch(x, rows)
        if self.partition is None:
            return made
        device = self.training.placement.device
        noisy = torch.from_numpy(np.flatnonzero(~self.partition.clean[rows])).to(device)
        return dataclasses.replace(
            made,
            noisy=noisy,
            pseudo=self._pseudo(rows),
            lambda_kl=self._lambda(self.seen / len(self.rows)),
        )

    def _pseudo(self, rows: np.ndarray) -> Tensor | None:
        """Return the last evaluation pass's probabilities [B, K] where they are what is sharpened, else None."""
        if self.s.pseudo_labels != "epoch" or self.epoch.probabilities is None:
            return None
        return torch.from_numpy(self.epoch.probabilities[rows].astype(np.float32)).to(
            self.training.placement.device
        )

    def _lambda(self, fraction: float) -> float:
        """Return λ after a fraction of this epoch's segments."""
        ramp_epochs = self.s.ramp_epochs
        return objectives.ramp(
            self.epoch.since + fraction, weight=self.weight_kl(self.s), ramp_epochs=ramp_epochs
        )

    def summary(self) -> dict[str, float]:
        """Return λ as the epoch ends."""
        return {"lambda_kl": self._lambda(1)} if self.epoch.phase == "ssl" else {}

    @classmethod
    def mixes(cls, settings: TrainingSettings, phase: str) -> bool:
        """After the warm-up, and in it where `warmup_mixup` says so."""
        return phase == "ssl" or (phase == "warmup" and settings.warmup_mixup)

    @classmethod
    def unused(cls, settings: TrainingSettings) -> frozenset[str]:
        """Without λ, its ramp has no effect."""
        return cls.idle | (frozenset(RDROP) if cls.weight_kl(settings) == 0 else frozenset())

    @classmethod
    def weight_kl(cls, settings: TrainingSettings) -> float:
        """Return λ of Eq. (10)."""
        return settings.lambda_kl


def mixture_seed(seed: int) -> int:
    """Return the mixture's random state for a run's seed."""
    return derive(seed, "mixture") % 2**31
