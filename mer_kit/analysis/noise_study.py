"""A short training on deliberately corrupted labels, and how many of them the partition finds.

Notebook: 02_noisy_labels
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.analysis.passes import quality_table
from mer_kit.checks import check_choice, check_range
from mer_kit.records import TASKS, SegmentIndex
from mer_kit.runs.experiment import Experiment
from mer_kit.seeding import derive, numpy_generator
from mer_kit.signal.store import SegmentView
from mer_kit.training import Trainer, diagnostics, networks, noise
from mer_kit.training.partition import Partition, PartitionSettings

#: D: a network and a schedule that fit the coarse pattern of a few hundred segments in seconds.
MODEL: dict[str, Any] = {"width": 4, "batch_norm": True, "head_pool": 2}
TRAINING: dict[str, Any] = {
    "method": "ce", "warmup_epochs": 1, "batch_size": 32,
    "optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 0.02,
}  # fmt: skip


@dataclass(frozen=True)
class NoiseStudy:
    """A short training on corrupted labels. E epochs, S segments, K classes.

    Attributes
    ----------
    kind : as given to `training.noise.inject`
    realised : the fraction of labels that became wrong
    labels : int64 [S], as used in training
    corrupted : bool [S], corrupted on purpose
    probabilities : float16 [E, S, K], the evaluation pass after each epoch
    partitions : one Partition per pass, at the run's τ, without its cap on U and its dip test
    seconds : duration of the training
    """

    kind: str
    realised: float
    labels: np.ndarray
    corrupted: np.ndarray
    probabilities: np.ndarray
    partitions: list[Partition]
    seconds: float

    @property
    def losses(self) -> np.ndarray:
        """float64 [E, S], nats, against the labels used in training."""
        return diagnostics.loss_table(self.probabilities, self.labels)

    @property
    def groups(self) -> dict[str, np.ndarray]:
        """Name → bool [S]: labels left alone and labels corrupted."""
        return {"left alone": ~self.corrupted, "corrupted": self.corrupted}

    def quality(self) -> pd.DataFrame:
        """Return kind, realised, after_epoch and `partition_quality`, one row per pass."""
        table = quality_table(self.partitions, ~self.corrupted, known=slice(None))
        about = {"kind": self.kind, "realised": self.realised}
        return pd.DataFrame(about, index=table.index).join(table)


def kinds_for(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of noise that a task's classes allow; only those of the plane are arranged.

    Examples
    --------
    >>> kinds_for(("V-", "V+")), kinds_for(("folk", "rock", "ska"))
    (('symmetric', 'neighbour', 'song', 'drift'), ('symmetric', 'song', 'drift'))
    """
    arranged = tuple(classes) in TASKS.values()
    return tuple(kind for kind in noise.KINDS if arranged or kind != "neighbour")


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
    """Corrupt labels of some training songs, train a small network, and partition by its losses.

    A run whose network is VGG16 trains a narrow one here; any other network is the run's own.

    Parameters
    ----------
    number : the fold whose training songs are used
    kind, rate : see `training.noise.inject`
    epochs : of plain cross-entropy; one mixture is fitted after each
    n_songs : in equal numbers from every class, drawn from the run's seed
    every_seconds : distance between the starts of neighbouring segments

    Notebook: 02_noisy_labels
    """
    check_choice("kind of noise for these classes", kind, kinds_for(experiment.classes))
    check_choice("fold", number, range(len(experiment.folds)))
    check_range("n_songs", n_songs, len(experiment.classes), whole=True)
    check_range("every_seconds", every_seconds, 1)
    seed = experiment.config.seed
    songs = draw_songs(experiment.folds[number].train, experiment.labels, n_songs, seed=seed)
    rows = experiment.index.rows_of(songs)
    index = experiment.index.take(rows[experiment.index.start_s[rows] % every_seconds < 1e-9])
    inherited = experiment.labels[index.clip]
    labels, realised = noise.inject(
        inherited,
        rate,
        kind=kind,
        n_classes=len(experiment.classes),
        generator=numpy_generator(seed, f"noise study {kind}"),
        songs=index.clip,
    )
    started = time.perf_counter()
    probabilities = _train(experiment, index, labels, epochs)
    tau = experiment.config.training.partition.tau
    settings = PartitionSettings(tau=tau, dip_test=False)
    partitions = [
        diagnostics.replay(probabilities[:end], labels, songs=index.clip, settings=settings)
        for end in range(1, len(probabilities) + 1)
    ]
    return NoiseStudy(
        kind, realised, labels, labels != inherited, probabilities, partitions,
        seconds=time.perf_counter() - started,
    )  # fmt: skip


def _train(
    experiment: Experiment, index: SegmentIndex, labels: np.ndarray, epochs: int
) -> np.ndarray:
    """Train a small network with plain cross-entropy; return its evaluation passes [E, S, K]."""
    config = experiment.config
    trainer = Trainer(
        n_classes=len(experiment.classes),
        seed=derive(config.seed, "noise study") % 2**31,
        device=experiment.device,
        precision=experiment.precision,
        network=config.network,
        model=MODEL if config.network == networks.DEFAULT else config.model,
        epochs=epochs,
        **TRAINING,
    )
    return trainer.fit(SegmentView(experiment.store, index), labels, index.clip).eval_probabilities_


def draw_songs(
    clips: np.ndarray | Sequence[int], labels: np.ndarray, n: int, *, seed: int
) -> np.ndarray:
    """Return n of the clips (all, if fewer), sorted, in equal numbers per class where possible.

    Examples
    --------
    >>> draw_songs([0, 1, 2, 3, 4, 5], np.array([0, 0, 0, 0, 1, 1]), 4, seed=0)[-2:].tolist()
    [4, 5]
    """
    order = numpy_generator(seed, "noise study songs").permutation(np.asarray(clips))
    rank = pd.Series(labels[order]).groupby(labels[order]).cumcount()
    return np.sort(order[np.argsort(rank, kind="stable")][:n])
