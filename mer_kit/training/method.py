"""What a method can decide in a training, with the plain answer to each: cross-entropy on the inherited labels.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from mer_kit.later_settings import hashed, kinds
from mer_kit.training import objectives
from mer_kit.training.batch_loss import Batch, EpochSums, batch_loss, draw_rows
from mer_kit.training.evaluation import Placement
from mer_kit.training.network import SegmentNetwork
from mer_kit.training.partition import Partition, PartitionSettings

if TYPE_CHECKING:
    from mer_kit.training.settings import TrainingSettings

#: Settings of R-Drop, and of the split and the pseudo-labels.
RDROP = ("lambda_kl", "ramp_epochs")
SPLIT = (*kinds(PartitionSettings), "temperature", "pseudo_labels")


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that adds none."""


@dataclass(frozen=True)
class Training:
    """What a method learns from: labels int64 [S] as inherited, the song of each segment int64 [S], K, and its draws.

    `generators` holds numpy's, by name: "order" and "mixup" (each method may ask for more by `mer_kit.seeding`);
    `dropout` is torch's, on the device; `placement` is device and precision.
    """

    labels: np.ndarray
    songs: np.ndarray
    n_classes: int
    seed: int
    placement: Placement
    generators: Mapping[str, np.random.Generator]
    dropout: torch.Generator

    def one_hot(self, rows: np.ndarray) -> Tensor:
        """Return float32 [B, K] on the device, the inherited labels of these segments."""
        return torch.from_numpy(np.eye(self.n_classes, dtype=np.float32)[self.labels[rows]]).to(
            self.placement.device
        )


@dataclass(frozen=True)
class Epoch:
    """Where a training is: the epoch's number from 1, its phase, and the epochs since the warm-up ended (0 in the first).

    `probabilities` is the last evaluation pass, float16 [S, K], None before the first.
    """

    number: int
    phase: str
    since: int
    probabilities: np.ndarray | None = field(repr=False, default=None)


class BaseMethod:
    """Plain cross-entropy on the inherited labels; a method overrides what it does otherwise.

    Attributes
    ----------
    settings : a frozen dataclass, the method's own settings beside those of `TrainingSettings`
    networks : how many are trained side by side; their mean probability is the answer
    phase : what history.csv calls the epochs after the warm-up
    makes_partition : whether segments are divided into X and U after the warm-up
    shares_warmup : whether the warm-up is that of other methods with the same `warmup_key`; each class says so for itself
    idle : settings of `TrainingSettings` that cannot change a number of this method, and are left out of a run's name
    """

    settings: ClassVar[type] = NoSettings
    networks: ClassVar[int] = 1
    phase: ClassVar[str] = "plain"
    makes_partition: ClassVar[bool] = False
    shares_warmup: ClassVar[bool] = False
    idle: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, settings: TrainingSettings) -> None:
        self.s, self.own = settings, settings.own
        self.sums = EpochSums()
        self.partition: Partition | None = None

    # ---- what a method overrides -------------------------------------------------------------------------------

    def start(self, training: Training) -> None:
        """Take the labels and generators of a training; called once, before a checkpoint's `state` is restored."""
        self.training = training

    def begin_epoch(self, epoch: Epoch) -> None:
        """Prepare an epoch: divide the segments, raise a weight, forget the last epoch's sums."""
        self.epoch, self.sums, self.seen = epoch, EpochSums(), 0

    def draw(self) -> np.ndarray:
        """Return the rows of an epoch in order, int64 [n]: `share` of each song's segments."""
        self.rows = draw_rows(self.training.songs, self.s.share, self.training.generators["order"])
        return self.rows

    def loss(self, networks: list[SegmentNetwork], x: Tensor, rows: np.ndarray) -> list[Tensor]:
        """Return each network's loss on a batch: x [B, 1, d, n] or [B, d] standardised and on the device, rows int64 [B]."""
        loss = batch_loss(
            networks[0],
            self.batch(x, rows),
            self.training.placement,
            self.sums,
            temperature=self.s.temperature,
            dropout=self.training.dropout,
        )
        self.seen += len(rows)
        return [loss]

    def before_evaluation(self, networks: list[SegmentNetwork]) -> None:
        """Change the networks between the last step of an epoch and its evaluation pass."""

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint must keep of this method, name → tensor on the CPU; {} if nothing."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` returned; shapes and types were compared."""

    def summary(self) -> dict[str, float]:
        """Return numbers of the finished epoch: fields of `EpochRecord`, or columns of history.csv of the method's own."""
        return {}

    @classmethod
    def mixes(cls, settings: TrainingSettings, phase: str) -> bool:
        """Tell whether batches are mixed in a phase ("warmup" or the method's)."""
        return False

    @classmethod
    def unused(cls, settings: TrainingSettings) -> frozenset[str]:
        """Return the settings that cannot change a number of this method, given the others."""
        return cls.idle

    @classmethod
    def weight_kl(cls, settings: TrainingSettings) -> float:
        """Return λ at the end of its ramp, 0 where there is none."""
        return 0.0

    # ---- what they share ---------------------------------------------------------------------------------------

    def batch(self, x: Tensor, rows: np.ndarray) -> Batch:
        """Return a batch of labelled segments, with a partner for each where this phase mixes."""
        t = self.training
        partner = delta = None
        if self.mixes(self.s, self.epoch.phase):
            partner = torch.from_numpy(t.generators["mixup"].permutation(len(rows))).to(
                t.placement.device
            )
            delta = objectives.draw_delta(t.generators["mixup"], alpha=self.s.alpha)
        none = torch.zeros(0, dtype=torch.int64, device=t.placement.device)
        return Batch(x=x, targets=t.one_hot(rows), noisy=none, delta=delta, partner=partner)

    @classmethod
    def warmup_key(cls, settings: TrainingSettings) -> dict[str, Any]:
        """Return the settings that shape the warm-up: methods with equal keys share their warm-up."""
        shared = (
            cls.__dict__.get("shares_warmup", False) and cls.networks == 1
        )  # a subclass may warm up otherwise
        if not shared:
            return settings.identity()
        later = {"method", "alpha", "warmup_mixup", "own", *SPLIT, *RDROP}
        key = {name: value for name, value in hashed(settings).items() if name not in later}
        return key | (
            {"method": "mixup", "alpha": settings.alpha} if cls.mixes(settings, "warmup") else {}
        )
