"""DivideMix: two networks, each of which divides the segments into X and U for the other.

Where the kit leaves the source (D): a batch holds X and U together, as in SSSL, so that an epoch
walks all segments (the source's has as many steps as X fills); both networks see the same batches,
mixed in the same way; passes with dropout stand in for augmentations, since segments are not
augmented here; the schedule, the cap on U and the guards are SSSL's, but for the dip test: like the
source, it divides without asking whether there are two modes; answers are drawn to the class
fractions of the training labels, not to 1/K; the final answer is the mean of both networks'
probabilities, as for every method here (the source adds their logits). `alpha` is 0.75; the
source's is 4.

Notebook: 03_sssl_training
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mer_kit.checks import check_range
from mer_kit.records import PARTITION_PHASE
from mer_kit.training import evaluation, objectives
from mer_kit.training.batch_loss import Batch, frozen_batch_norm, kept_statistics
from mer_kit.training.method import RDROP, BaseMethod, Epoch, Stage, Training
from mer_kit.training.methods import sssl
from mer_kit.training.network import SegmentNetwork
from mer_kit.training.partition import Partition, fit_partition

if TYPE_CHECKING:
    from mer_kit.training.settings import TrainingSettings

TITLE = "DivideMix"
SAYS = "two networks that divide the segments for each other; U learns their joint guess, mixed"
SOURCE = "Li, Socher, Hoi 2020, DivideMix: Learning with Noisy Labels as Semi-supervised Learning"
COLOUR, LINE = "#d6479b", "--"
ORDER = 31


@dataclass(frozen=True)
class Settings:
    """Weights of the two further losses, and how many passes make a guess."""

    lambda_u: float = 1.0  # D: the source's 25 is for half of the labels wrong, 0 for a fifth
    balance: float = 1.0  # P: Li et al., the weight of KL(class fractions ‖ mean answer of a batch)
    guesses: int = 2  # D: passes with dropout, for the source's two augmentations

    def __post_init__(self) -> None:
        check_range("lambda_u", self.lambda_u, 0)
        check_range("balance", self.balance, 0)
        check_range("guesses", self.guesses, 1, whole=True)


class Method(BaseMethod):
    """After a plain warm-up of both networks, each learns from the division that the other makes.

    `self.partition`, which history.csv describes, is the first network's; the second one learns
    from it. The division is not that of the mean probabilities in epochs.npz.
    """

    settings = Settings
    own: Settings
    networks = 2
    phase = PARTITION_PHASE
    makes_partition = True
    idle = frozenset(
        ("lambda_kl", "pseudo_labels", "soft_targets", "dip_test", "loss_window", "song_median")
    )

    def start(self, training: Training) -> None:
        """Make room for each network's losses [2, S], nats, in its own evaluation pass."""
        super().start(training)
        self.losses = torch.zeros(2, len(training.labels), dtype=torch.float64)
        self.prior = training.prior()

    def begin_epoch(self, epoch: Epoch) -> None:
        """Divide the segments by each network's losses."""
        super().begin_epoch(epoch)
        t, self.partition = self.training, None
        settings = dataclasses.replace(self.s.partition, dip_test=False)
        self.divisions: list[Partition] = []
        if epoch.phase == self.phase:
            self.divisions = [
                fit_partition(
                    losses.numpy(),
                    t.labels,
                    n_classes=t.n_classes,
                    settings=settings,
                    seed=sssl.mixture_seed(t.seed),
                )
                for losses in self.losses
            ]
            self.partition = self.divisions[0]
        self.guessing = self.streams("guesses")

    def loss(self, networks: list[SegmentNetwork], x: Tensor, rows: np.ndarray) -> list[Tensor]:
        """Return each network's loss; plain cross-entropy during the warm-up."""
        if not self.divisions:
            return super().loss(networks, x, rows)
        batch = self.batch(x, rows)
        answers = [
            self._answer(network, x, generator)
            for network, generator in zip(networks, self.guessing, strict=True)
        ]
        both = torch.stack(answers).mean(dim=0)  # [B, K]
        losses = []
        # A network would confirm its own mistakes: the other one's division decides.
        for n, division in enumerate(reversed(self.divisions)):
            targets = self._targets(division, rows, batch.targets, answers[n], both)
            ready, clean = dataclasses.replace(batch, targets=targets), division.clean[rows]
            losses.append(self._mixed(networks[n], ready, clean, self.dropouts[n]))
        self.seen += len(rows)
        return losses

    def _answer(self, network: SegmentNetwork, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return a network's mean probabilities [B, K] over passes with dropout, no gradient."""
        placement = self.training.placement
        with torch.no_grad(), frozen_batch_norm(network), placement.autocast():
            h = network.trunk(x)  # dropout acts in the head alone
            passes = [network.head(h, generator=generator) for _ in range(self.own.guesses)]
        return torch.stack([functional.softmax(one.float(), dim=1) for one in passes]).mean(dim=0)

    def _targets(
        self, division: Partition, rows: np.ndarray, labels: Tensor, own: Tensor, both: Tensor
    ) -> Tensor:
        """Return sharpened targets [B, K]: refined labels for X, the joint guess for U."""
        # Without a separation the division says nothing against any label.
        omega = division.omega[rows] if division.separated else np.ones(len(rows))
        w = torch.from_numpy(omega.astype(np.float32))[:, None].to(own.device)
        clean = torch.from_numpy(division.clean[rows])[:, None].to(own.device)
        refined = torch.where(clean, w * labels + (1 - w) * own, both)
        return objectives.sharpen(torch.log(refined), self.s.temperature)

    def _mixed(
        self, network: SegmentNetwork, batch: Batch, clean: np.ndarray, dropout: torch.Generator
    ) -> Tensor:
        """Return one network's loss on mixed segments: L_X + λ_u·L_U + balance·L_reg."""
        targets, partner, delta = batch.targets, batch.partner, batch.delta
        assert partner is not None and delta is not None  # after the warm-up every batch is mixed
        keep = kept_statistics(network, self.renews_batch_norm)
        with keep, self.training.placement.autocast():
            mixed = objectives.mix(batch.x, partner, delta)
            logits = network.head(network.trunk(mixed), generator=dropout).float()
        # Every mixed segment counts as its first partner; a batch may lack X or U, but not both.
        in_x, in_u = (
            torch.from_numpy(np.flatnonzero(one)).to(logits.device) for one in (clean, ~clean)
        )
        parts = [self.own.balance * objectives.prior_divergence(logits, self.prior)]
        if len(in_x):
            labelled = objectives.mixup_loss(
                logits,
                targets,
                partner,
                delta,
                segment_loss=lambda z, y: self.segment_loss(z[in_x], y[in_x]),
            )
            parts.append(labelled)
            self.sums.add("mix", labelled, len(in_x))
        if len(in_u):
            error = functional.softmax(logits, dim=1) - objectives.mix(targets, partner, delta)
            parts.append(self._lambda(self.seen / len(self.rows)) * error[in_u].square().mean())
        loss = torch.stack(parts).sum()
        self.sums.add("loss", loss, len(logits))
        return loss

    def _lambda(self, fraction: float) -> float:
        """Return λ_u after a fraction of this epoch's segments."""
        return objectives.ramp(
            self.epoch.since + fraction,
            weight=self.own.lambda_u,
            ramp_epochs=sssl.ramp_epochs(self.s),
        )

    def before_evaluation(self, networks: list[SegmentNetwork]) -> None:
        """Renew the batch normalisation, then keep each network's losses for the next divisions."""
        super().before_evaluation(networks)
        if self.epoch.number < self.s.warmup_epochs:
            return
        labels, placement = self.training.labels, self.training.placement
        for network in networks:
            network.eval()
        with torch.inference_mode(), placement.autocast():
            for rows, x in self.training.read(np.arange(len(labels))):
                for network, losses in zip(networks, self.losses.numpy(), strict=True):
                    p = functional.softmax(network(x).float(), dim=1).cpu().numpy()
                    losses[rows] = evaluation.losses(p, labels[rows])

    def state(self) -> dict[str, Tensor]:
        """Return each network's losses."""
        return {"losses": self.losses}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore each network's losses."""
        self.losses = state["losses"]

    def summary(self) -> dict[str, float]:
        """Return λ_u as the epoch ends, and the size of the second network's X."""
        if not self.divisions:
            return {"lambda_u": 0.0, "n_labelled_2": float(len(self.training.labels))}
        return {"lambda_u": self._lambda(1), "n_labelled_2": self.divisions[1].clean.sum()}

    @classmethod
    def unused(cls, settings: TrainingSettings) -> frozenset[str]:
        """Return the ramp's settings too if λ_u is 0."""
        if settings.own.lambda_u:
            return cls.idle
        return cls.idle.union(RDROP)

    @classmethod
    def without_effect(cls, settings: TrainingSettings) -> frozenset[str]:
        """Return SSSL's: λ_u rises as λ does there."""
        return sssl.Method.without_effect(settings)

    @classmethod
    def stages(cls, settings: TrainingSettings) -> tuple[Stage, ...]:
        """Return SSSL's: warm-up and division, if each has a schedule of its own."""
        return sssl.Method.stages(settings)

    @classmethod
    def mixes(cls, settings: TrainingSettings, phase: str) -> bool:
        """Mix where SSSL does: after the warm-up, and during it if `warmup_mixup` is set."""
        return sssl.Method.mixes(settings, phase)
