"""What a method decides in a training; the defaults are cross-entropy on the inherited labels.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from mer_kit.later_settings import hashed, kinds
from mer_kit.seeding import numpy_generator, torch_generator
from mer_kit.training import networks, objectives
from mer_kit.training.batch_loss import (
    Batch,
    EpochSums,
    batch_loss,
    draw_rows,
    n_drawn,
    renew_batch_norm,
)
from mer_kit.training.evaluation import Placement, cut
from mer_kit.training.network import SegmentNetwork
from mer_kit.training.partition import Partition, PartitionSettings

if TYPE_CHECKING:
    from mer_kit.training.settings import TrainingSettings

#: Segments on which batch normalisation is renewed.
RENEWED_ON = 512
#: The settings of R-Drop.
RDROP = ("lambda_kl", "ramp_epochs", "ramp_fraction")
#: The settings of the partition, of the pseudo-labels and of the phase that has them.
SPLIT = (
    *kinds(PartitionSettings),
    "temperature",
    "pseudo_labels",
    "soft_targets",
    "restart_schedule",
)
#: The settings of mixup.
MIXUP = ("alpha", "warmup_mixup", "renew_batch_norm")


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that adds none."""


@dataclass(frozen=True)
class Stage:
    """A part of a training with an optimizer and a learning-rate schedule of its own.

    Attributes
    ----------
    epochs : of this stage
    fresh : whether it begins with new random weights
    schedule : "constant" or "cosine"; "" for that of the settings
    """

    epochs: int
    fresh: bool = False
    schedule: str = ""


@dataclass(frozen=True)
class Training:
    """What a method learns from.

    Attributes
    ----------
    labels : int64 [S], as inherited from the song
    songs : int64 [S], the song of each segment
    n_classes : K
    seed : the training's seed; a method may derive more generators from it (`mer_kit.seeding`)
    placement : device and precision
    generators : numpy's, by name: "order" and "mixup"
    dropout : torch's, on the device
    read : rows int64 [n] → batches of (rows [B], x [B, 1, d, n] or [B, d]), standardised and on the
        device; for a look at segments outside the training loop
    """

    labels: np.ndarray
    songs: np.ndarray
    n_classes: int
    seed: int
    placement: Placement
    generators: Mapping[str, np.random.Generator]
    dropout: torch.Generator
    read: Callable[[np.ndarray], Iterator[tuple[np.ndarray, Tensor]]]

    def one_hot(self, rows: np.ndarray) -> Tensor:
        """Return float32 [B, K] on the device, the inherited labels of these segments."""
        # Probabilities rather than class numbers: pseudo-labels and mixtures of labels fit in too.
        one_hot = np.eye(self.n_classes, dtype=np.float32)[self.labels[rows]]
        return torch.from_numpy(one_hot).to(self.placement.device)

    def prior(self) -> Tensor:
        """Return float32 [K] on the device, the fraction of the segments in each class."""
        return self.one_hot(np.arange(len(self.labels))).mean(dim=0)


@dataclass(frozen=True)
class Epoch:
    """How far a training is.

    Attributes
    ----------
    number : of the epoch, from 1
    phase : "warmup", or the method's own
    since : epochs since the warm-up ended, 0 in the first one after it
    passes : float16 [E, S, K], the evaluation passes so far, oldest first
    """

    number: int
    phase: str
    since: int
    passes: np.ndarray = field(repr=False)

    @property
    def probabilities(self) -> np.ndarray | None:
        """float16 [S, K], the last evaluation pass; None before the first."""
        return self.passes[-1] if len(self.passes) else None


class BaseMethod:
    """Plain cross-entropy on the inherited labels; a method overrides what it does differently.

    Attributes
    ----------
    settings : a frozen dataclass, the method's own settings in addition to `TrainingSettings`
    networks : how many are trained together; the prediction is their mean probability
    phase : what history.csv calls the epochs after the warm-up
    makes_partition : whether segments are divided into X and U after the warm-up; `phase` is then
        `records.PARTITION_PHASE`, by which plots and costs find these epochs
    shares_warmup : whether other methods with the same `warmup_key` may use its warm-up; not
        inherited, each class has to set it
    idle : fields of `TrainingSettings` that cannot change a number of this method and are left out
        of a run's name
    dropouts : torch's generator of each network's dropout; the first is the training's own
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

    # ---- what a method overrides -----------------------------------------------------------------

    def start(self, training: Training) -> None:
        """Receive the labels and generators; called once, before a checkpoint is restored."""
        self.training = training

    def extend(self, network: SegmentNetwork) -> None:
        """Add parameters of the method's own to a fresh network, such as an attention's weights.

        They are optimised, checkpointed and restored with the network. The model file leaves them
        out, so that a single segment is classified without them.
        """

    def begin_epoch(self, epoch: Epoch) -> None:
        """Prepare an epoch: divide the segments, raise a weight, reset the epoch's means."""
        # `seen` counts the epoch's segments so far: how far into the epoch a step is.
        self.epoch, self.sums, self.seen = epoch, EpochSums(), 0
        self.dropouts = [self.training.dropout, *self.streams("dropout")[1:]]

    def streams(self, name: str) -> list[torch.Generator]:
        """Return a generator of torch's for each network, on the device, anew in every epoch."""
        # An epoch's own generators need no place in a checkpoint, which is made between two epochs.
        t, number = self.training, self.epoch.number
        return [
            torch_generator(t.seed, f"{name} {n} of epoch {number}", str(t.placement.device))
            for n in range(1, self.networks + 1)
        ]

    @classmethod
    def stages(cls, settings: TrainingSettings) -> tuple[Stage, ...]:
        """Return the stages of a training; the number of its epochs is their sum."""
        return (Stage(settings.epochs),)

    def draw(self) -> list[np.ndarray]:
        """Return an epoch's batches in order, int64 [B] each: the fraction `share` of each song."""
        self.rows = draw_rows(self.training.songs, self.s.share, self.training.generators["order"])
        return cut(self.rows, self.s.batch_size)

    @classmethod
    def steps(cls, settings: TrainingSettings, songs: np.ndarray) -> int:
        """Return how many batches an epoch has, for the learning-rate schedule."""
        return -(-n_drawn(songs, settings.share) // settings.batch_size)  # rounded up

    def targets(self, rows: np.ndarray) -> Tensor:
        """Return what a batch should be classified as, [B, K] on the device."""
        return self.training.one_hot(rows)

    def segment_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each segment from logits and targets [B, K]: [B], nats."""
        return objectives.cross_entropy(logits, targets)

    def penalty(self, logits: Tensor, rows: np.ndarray) -> Tensor | None:
        """Return a scalar that is added to a batch's loss, from its logits [B, K]; None for none.

        Where batches are mixed, these are the logits of the mixed segments.
        """
        return None

    def delta(self) -> float:
        """Draw mixup's weight of one batch."""
        return objectives.draw_delta(self.training.generators["mixup"], alpha=self.s.alpha)

    def loss(self, networks: list[SegmentNetwork], x: Tensor, rows: np.ndarray) -> list[Tensor]:
        """Return each network's loss on a batch, scalars with gradient.

        `x` [B, 1, d, n] or [B, d] is standardised and on the device; `rows` int64 [B] are the
        batch's segments.
        """
        batch = self.batch(x, rows)
        losses = [
            batch_loss(
                network,
                batch,
                self.training.placement,
                self.sums,
                temperature=self.s.temperature,
                dropout=dropout,
                segment_loss=self.segment_loss,
                penalty=lambda logits: self.penalty(logits, rows),
                keep_statistics=self.renews_batch_norm,
            )
            # Two networks with the same dropout masks would be less different than they could be.
            for network, dropout in zip(networks, self.dropouts, strict=True)
        ]
        # How much of the epoch is done: λ rises within it (see `methods.sssl`).
        self.seen += len(rows)
        return losses

    def before_evaluation(self, networks: list[SegmentNetwork]) -> None:
        """Change the networks between the last step of an epoch and its evaluation pass.

        Where batches were mixed, the statistics of batch normalisation are renewed on unmixed ones.
        """
        if self.renews_batch_norm:
            generator = numpy_generator(self.training.seed, "batch norm")
            rows = generator.permutation(len(self.training.labels))[:RENEWED_ON]
            for network in networks:
                renew_batch_norm(network, self.training.read(rows), self.training.placement)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint must keep of this method, name → CPU tensor; {} if nothing."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned; its shapes and types have been compared."""

    def summary(self) -> dict[str, float]:
        """Return numbers of the finished epoch.

        A name is a field of `EpochRecord`, or becomes a column of history.csv.
        """
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
    def without_effect(cls, settings: TrainingSettings) -> frozenset[str]:
        """Return further settings, the method's own too, without effect given the others.

        They are part of a run's name, which must not change; see `runs.idle`.
        """
        if networks.of(settings.network).normalises(settings.model):
            return frozenset()
        return frozenset({"renew_batch_norm"})

    @classmethod
    def weight_kl(cls, settings: TrainingSettings) -> float:
        """Return λ at the end of its ramp, 0 for a method without it."""
        return 0.0

    @property
    def renews_batch_norm(self) -> bool:
        """Whether batch normalisation is renewed on unmixed segments after this epoch."""
        return self.s.renew_batch_norm and self.mixes(self.s, self.epoch.phase)

    # ---- what methods share ----------------------------------------------------------------------

    def batch(self, x: Tensor, rows: np.ndarray) -> Batch:
        """Return a batch of labelled segments, each with a partner if this phase mixes."""
        device, mixup = self.training.placement.device, self.training.generators["mixup"]
        partner = delta = None
        if self.mixes(self.s, self.epoch.phase):
            # One permutation and one δ per batch; a row may be its own partner.
            partner = torch.from_numpy(mixup.permutation(len(rows))).to(device)
            delta = self.delta()
        none = torch.zeros(0, dtype=torch.int64, device=device)  # U is empty here
        targets = self.targets(rows)  # [B, K], the inherited labels unless a method says otherwise
        return Batch(x=x, targets=targets, noisy=none, delta=delta, partner=partner)

    @classmethod
    def may_share_warmup(cls) -> bool:
        """Tell whether the class says itself that it shares its warm-up, and has one network."""
        # Read from the class itself: a subclass in another file may warm up differently.
        return bool(cls.__dict__.get("shares_warmup")) and cls.networks == 1

    @classmethod
    def warmup_key(cls, settings: TrainingSettings) -> dict[str, Any]:
        """Return the settings that shape the warm-up; methods with equal keys can share theirs."""
        if not cls.may_share_warmup():
            return settings.identity()
        later = {"method", "own", *MIXUP, *SPLIT, *RDROP}
        key = {name: value for name, value in hashed(settings).items() if name not in later}
        if cls.mixes(settings, "warmup"):
            # Whatever its name, a method that mixes in the warm-up does there what mixup does.
            key |= {"method": "mixup", "alpha": settings.alpha}
            if settings.renew_batch_norm:
                key["renew_batch_norm"] = True
        stages = cls.stages(settings)
        if len(stages) > 1:  # the warm-up then has its own schedule, however long what follows is
            key["epochs"] = stages[0].epochs
        return key
