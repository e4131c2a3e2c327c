"""Co-teaching: two networks, each learning from the segments that the other one finds easy.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from mer_kit.checks import check_range
from mer_kit.training import objectives
from mer_kit.training.method import MIXUP, RDROP, SPLIT, BaseMethod, Epoch
from mer_kit.training.network import SegmentNetwork

if TYPE_CHECKING:
    from mer_kit.training.settings import TrainingSettings

TITLE = "Co-teaching"
SAYS = "two networks; each learns from the segments of a batch whose loss the other finds small"
SOURCE = (
    "Han et al. 2018, Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy "
    "Labels"
)
COLOUR, LINE = "#17becf", ":"
ORDER = 30


@dataclass(frozen=True)
class Settings:
    """Which fraction of a batch is forgotten, and after how many epochs."""

    forget: float = 0.1  # D: the source takes the noise rate, which is not known here
    forget_epochs: float = 10.0  # P: Han et al., T_k; the fraction rises linearly from 0

    def __post_init__(self) -> None:
        check_range("forget", self.forget, 0, 1)
        check_range("forget_epochs", self.forget_epochs, 0)


class Method(BaseMethod):
    """Two networks that see the same batches and choose for each other."""

    settings = Settings
    own: Settings
    networks = 2
    idle = frozenset((*SPLIT, *RDROP, *MIXUP))

    @classmethod
    def without_effect(cls, settings: TrainingSettings) -> frozenset[str]:
        """Return `forget_epochs` too if nothing is forgotten."""
        idle = super().without_effect(settings)
        if settings.own.forget == 0:
            idle |= {"forget_epochs"}
        return idle

    def begin_epoch(self, epoch: Epoch) -> None:
        """Raise the fraction of a batch that is forgotten."""
        super().begin_epoch(epoch)
        # It begins in the first epoch: the rise itself is the method's warm-up.
        self.forgotten = objectives.ramp(
            epoch.number - 1, weight=self.own.forget, ramp_epochs=self.own.forget_epochs
        )

    def loss(self, networks: list[SegmentNetwork], x: Tensor, rows: np.ndarray) -> list[Tensor]:
        """Return each network's mean loss on the segments with the other's smallest losses."""
        targets, losses = self.targets(rows), []
        for network, dropout in zip(networks, self.dropouts, strict=True):
            with self.training.placement.autocast():
                logits = network.head(network.trunk(x), generator=dropout)
            losses.append(self.segment_loss(logits, targets))  # [B]
        kept = max(1, int(len(rows) * (1 - self.forgotten)))
        first, second = (loss.detach().argsort(stable=True)[:kept] for loss in losses)
        chosen = [losses[0][second].mean(), losses[1][first].mean()]
        for loss in chosen:
            self.sums.add("mix", loss, kept)
            self.sums.add("loss", loss, kept)
        return chosen

    def summary(self) -> dict[str, float]:
        """Return the fraction of each batch that was forgotten."""
        return {"forgotten": self.forgotten}
