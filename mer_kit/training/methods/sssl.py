"""Semi-supervised self-learning, the paper's method: loss mixture, pseudo-labels, mixup, R-Drop.

Notebook: 03_sssl_training
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mer_kit.records import PARTITION_PHASE
from mer_kit.seeding import derive
from mer_kit.training import objectives, partition
from mer_kit.training.batch_loss import Batch
from mer_kit.training.method import RDROP, BaseMethod, Epoch, Stage

if TYPE_CHECKING:
    from mer_kit.training.settings import TrainingSettings

TITLE = "SSSL (Proposed)"
SAYS = "the complete SSSL: partition, sharpened pseudo-labels, mixup, R-Drop"
SOURCE = "Sun, Zhang, Zhou, Li: the paper, Eq. (3) to (10)"
COLOUR, LINE = "#5790fc", "-"
ORDER = 3


#: The paper's plain form: the settings that differ from the defaults, which are D. It is the form
#: of the method alone: a preset's sizes, `max_unlabelled` and `warmup_mixup` stay, and so do the
#: guards `min_gap`, `clean_share` and `min_per_class`.
PAPER_FORM: dict[str, Any] = {
    "renew_batch_norm": False,
    "restart_schedule": False,
    "ramp_fraction": 0.0,
    "loss_window": 1,
    "dip_test": False,
    "em_tolerance": 1e-3,
    "small_output": False,
}
#: What the setting `variant` may be.
VARIANTS: dict[str, dict[str, Any]] = {"repaired": {}, "paper": PAPER_FORM}


class Method(BaseMethod):
    """SSSL: after a plain warm-up, each epoch begins with a new partition into X and U.

    X keeps its inherited labels; those of U are replaced by pseudo-labels.
    """

    phase = PARTITION_PHASE
    makes_partition = True
    shares_warmup = True
    idle = frozenset()

    def begin_epoch(self, epoch: Epoch) -> None:
        """Divide the segments by the losses of the last evaluation pass (Eq. 3)."""
        super().begin_epoch(epoch)
        # The partition is made anew in each epoch: a segment may move from U back to X.
        self.partition = None
        if epoch.phase == self.phase and epoch.probabilities is not None:
            # All segments are divided, also those that this epoch does not draw.
            training, settings = self.training, self.s.partition
            losses = partition.losses_to_divide(
                epoch.passes, training.labels, training.songs, settings
            )
            self.partition = partition.fit_partition(
                losses,  # [S], nats
                training.labels,
                n_classes=training.n_classes,
                settings=settings,
                songs=training.songs,
                seed=mixture_seed(training.seed),
            )

    def batch(self, x: torch.Tensor, rows: np.ndarray) -> Batch:
        """Return a batch that names its rows in U and carries this step's λ."""
        labelled = super().batch(x, rows)
        # X and U share a batch, and with it mixup's partners, as in MixMatch.
        if self.partition is None:
            return labelled
        # [Bᵤ], positions within the batch; the targets there are replaced in `batch_loss`.
        noisy = torch.from_numpy(np.flatnonzero(~self.partition.clean[rows]))
        return dataclasses.replace(
            labelled,
            noisy=noisy.to(self.training.placement.device),
            pseudo=self._pseudo(rows),
            kept=self._kept(rows),
            lambda_kl=self._lambda(self.seen / len(self.rows)),
        )

    def _pseudo(self, rows: np.ndarray) -> torch.Tensor | None:
        """Return the last evaluation pass's probabilities [B, K]; None to use the current model."""
        # D "epoch": pseudo-labels from the pass that made the partition change once per epoch only.
        if self.s.pseudo_labels != "epoch" or self.epoch.probabilities is None:
            return None
        return torch.from_numpy(self.epoch.probabilities[rows].astype(np.float32)).to(
            self.training.placement.device
        )

    def _kept(self, rows: np.ndarray) -> torch.Tensor | None:
        """Return ω [B] as the weight that the inherited labels of U keep; None to erase them."""
        if not self.s.soft_targets or self.partition is None:
            return None
        omega = self.partition.omega[rows].astype(np.float32)
        return torch.from_numpy(omega).to(self.training.placement.device)

    def _lambda(self, fraction: float) -> float:
        """Return λ after a fraction of this epoch's segments."""
        # λ starts at 0 after the warm-up: early pseudo-labels are not worth agreeing on.
        weight = self.weight_kl(self.s)
        return objectives.ramp(
            self.epoch.since + fraction, weight=weight, ramp_epochs=ramp_epochs(self.s)
        )

    def summary(self) -> dict[str, float]:
        """Return λ as the epoch ends."""
        return {"lambda_kl": self._lambda(1)} if self.epoch.phase == self.phase else {}

    @classmethod
    def stages(cls, settings: TrainingSettings) -> tuple[Stage, ...]:
        """Return warm-up and semi-supervised phase, if each has a schedule of its own."""
        # One cosine over all epochs leaves the second phase next to nothing of the learning rate.
        if not settings.restart_schedule:
            return super().stages(settings)
        return Stage(settings.warmup_epochs), Stage(settings.epochs - settings.warmup_epochs)

    @classmethod
    def mixes(cls, settings: TrainingSettings, phase: str) -> bool:
        """Mix after the warm-up, and during it if `warmup_mixup` is set."""
        return phase == PARTITION_PHASE or (phase == "warmup" and settings.warmup_mixup)

    @classmethod
    def unused(cls, settings: TrainingSettings) -> frozenset[str]:
        """Return R-Drop's settings if λ is 0: the ramp then has no effect."""
        # Two runs that differ in nothing else are then one and the same run.
        return cls.idle.union(() if cls.weight_kl(settings) else RDROP)

    @classmethod
    def without_effect(cls, settings: TrainingSettings) -> frozenset[str]:
        """Return `ramp_epochs` too if λ rises over a fraction of the phase."""
        idle = super().without_effect(settings)
        if settings.ramp_fraction:
            idle |= {"ramp_epochs"}
        return idle

    @classmethod
    def weight_kl(cls, settings: TrainingSettings) -> float:
        """Return λ of Eq. (10)."""
        return settings.lambda_kl


def ramp_epochs(settings: TrainingSettings) -> float:
    """Return over how many epochs after the warm-up λ rises.

    Examples
    --------
    >>> from mer_kit.training import TrainingSettings
    >>> ramp_epochs(TrainingSettings(epochs=60, warmup_epochs=10))
    25.0
    """
    # D: a fraction of the phase; with 0, so many epochs however long the phase is.
    phase = settings.epochs - settings.warmup_epochs
    return settings.ramp_fraction * phase or settings.ramp_epochs


def mixture_seed(seed: int) -> int:
    """Return the mixture's random state for a run's seed.

    Examples
    --------
    >>> mixture_seed(0) == mixture_seed(0), mixture_seed(0) == mixture_seed(1)
    (True, False)
    """
    # scikit-learn accepts seeds below 2³² only.
    return derive(seed, "mixture") % 2**31
