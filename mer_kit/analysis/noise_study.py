"""Wrong labels on purpose: a short training on some songs whose labels are partly spoiled, and what the split finds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice, check_range
from mer_kit.runs.experiment import Experiment
from mer_kit.seeding import derive, numpy_generator
from mer_kit.signal.store import SegmentView
from mer_kit.training import Trainer, diagnostics, networks
from mer_kit.training.noise import inject
from mer_kit.training.partition import Partition, PartitionSettings

#: D: a network and schedule that learn the coarse pattern of a few hundred segments in seconds.
MODEL: dict[str, Any] = {"width": 4, "batch_norm": True, "head_pool": 2}
TRAINING: dict[str, Any] = {
    "method": "ce", "batch_size": 32, "optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 0.02,
    "warmup_epochs": 1,
}  # fmt: skip


@dataclass(frozen=True)
class NoiseStudy:
    """A short training on spoiled labels. E epochs, S segments, K classes.

    Attributes
    ----------
    kind, rate : what was asked of `training.noise.inject`; `realised` is the share that became wrong
    labels : int64 [S], as the training saw them
    spoiled : bool [S], made wrong on purpose
    probabilities : float16 [E, S, K], the evaluation pass after each epoch
    partitions : one Split a pass, at the run's τ and without its cap on U
    seconds : what the training took
    """

    kind: str
    rate: float
    realised: float
    labels: np.ndarray
    spoiled: np.ndarray
    probabilities: np.ndarray
    partitions: list[Partition]
    seconds: float

    @property
    def losses(self) -> np.ndarray:
        """float64 [E, S], nats, against the labels that the training saw."""
        return diagnostics.loss_table(self.probabilities, self.labels)

    @property
    def groups(self) -> dict[str, np.ndarray]:
        """Name → bool [S]: labels left alone and labels spoiled."""
        return {"left alone": ~self.spoiled, "spoiled": self.spoiled}

    def quality(self) -> pd.DataFrame:
        """Return one row a pass: kind, realised, after_epoch, and `diagnostics.split_quality` for the planted noise."""
        rows = []
        for epoch, split in enumerate(self.partitions, start=1):
            found = diagnostics.split_quality(split.clean, split.omega, ~self.spoiled)
            rows.append(
                {"kind": self.kind, "realised": self.realised, "after_epoch": epoch, **found}
            )
        return pd.DataFrame(rows)


def noise_study(
    experiment: Experiment,
    number: int,
    *,
    kind: str = "symmetric",
    rate: float = 0.2,
    epochs: int = 4,
    n_songs: int = 32,
    every_seconds: float = 2.0,
) -> NoiseStudy:
    """Spoil labels of some of a fold's training songs, train a small network on them for a moment, split by its losses.

    Parameters
    ----------
    number : the fold whose training songs are used
    kind, rate : see `training.noise.inject`
    epochs : plain cross-entropy; one mixture is fitted after each
    n_songs : in equal numbers from every class, drawn from the run's seed
    every_seconds : distance between neighbouring segments' starts

    Where the run's network is VGG16, a narrow one is trained; any other is the run's own.

    Notebook: 02_noisy_labels
    """
    check_choice("fold", number, range(len(experiment.folds)))
    check_range("n_songs", n_songs, len(experiment.classes), whole=True)
    check_range("every_seconds", every_seconds, 1)
    n_classes, seed = len(experiment.classes), experiment.config.seed
    songs = draw_songs(experiment.folds[number].train, experiment.labels, n_songs, seed=seed)
    rows = experiment.index.rows_of(songs)
    index = experiment.index.take(rows[experiment.index.start_s[rows] % every_seconds < 1e-9])
    generator = numpy_generator(seed, f"noise study {kind}")
    inherited = experiment.labels[index.clip]
    labels, realised = inject(
        inherited, rate, kind=kind, n_classes=n_classes, generator=generator, songs=index.clip
    )
    started = time.perf_counter()
    trainer = Trainer(
        n_classes=n_classes,
        seed=derive(seed, "noise study") % 2**31,
        device=experiment.device,
        precision=experiment.precision,
        network=experiment.config.network,
        model=MODEL if experiment.config.network == networks.DEFAULT else experiment.config.model,
        epochs=epochs,
        **TRAINING,
    ).fit(SegmentView(experiment.store, index), labels, index.clip)
    settings = PartitionSettings(tau=experiment.config.training.partition.tau)
    partitions = [
        diagnostics.replay(one, labels, settings=settings) for one in trainer.eval_probabilities_
    ]
    seconds = time.perf_counter() - started
    return NoiseStudy(
        kind,
        rate,
        realised,
        labels,
        labels != inherited,
        trainer.eval_probabilities_,
        partitions,
        seconds,
    )


def draw_songs(
    clips: np.ndarray | Sequence[int], labels: np.ndarray, n: int, *, seed: int
) -> np.ndarray:
    """Return n of the clips (or all, if fewer), in equal numbers of every class as far as there are, sorted.

    Examples
    --------
    >>> draw_songs([0, 1, 2, 3, 4, 5], np.array([0, 0, 0, 0, 1, 1]), 4, seed=0)[-2:].tolist()
    [4, 5]
    """
    order = numpy_generator(seed, "noise study songs").permutation(np.asarray(clips))
    rank = np.zeros(len(order), dtype=np.int64)
    for k in np.unique(labels[order]):
        of_class = labels[order] == k
        rank[of_class] = np.arange(of_class.sum())
    return np.sort(order[np.argsort(rank, kind="stable")][:n])
