"""A finished fold's evaluation passes: every partition of its training, at any τ, and its quality.

Notebook: 02_noisy_labels
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.corpora.truth import segment_truth
from mer_kit.records import PARTITION_PHASE, EpochRecord
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.fold_training import trainer_seed
from mer_kit.training import diagnostics
from mer_kit.training.methods.sssl import mixture_seed
from mer_kit.training.mixture import Mixture
from mer_kit.training.partition import Partition, PartitionSettings, losses_to_divide


@dataclass(frozen=True)
class Passes:
    """One fold's evaluation passes over its training segments. E passes, S segments, K classes.

    Passes are numbered by the epoch they follow, 1…E: the pass after epoch e determines the
    partition of epoch e + 1.

    Attributes
    ----------
    probabilities : float16 [E, S, K], the evaluation pass after each epoch
    labels : int64 [S], inherited
    clip : int64 [S], position in `corpus.clips`
    start_s, end_s : float64 [S], seconds
    truth : int64 [S], segment-level ground truth where the corpus has it (−1: unknown), else None;
        never used in training. Where noise was injected and nothing better is known, the label that
        was there before
    history : the fold's EpochRecords
    partition, seed : the settings and the seed of the training's partitions
    corrupted : bool [S], labels changed on purpose (`noise_kind`); None without injected noise

    Notebook: 02_noisy_labels
    """

    probabilities: np.ndarray
    labels: np.ndarray
    clip: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    truth: np.ndarray | None
    history: list[EpochRecord]
    partition: PartitionSettings
    seed: int
    corrupted: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.probabilities)

    @cached_property
    def losses(self) -> np.ndarray:
        """float64 [E, S], cross-entropy against the inherited labels, nats (Eq. 2)."""
        return diagnostics.loss_table(self.probabilities, self.labels)

    @cached_property
    def divided_losses(self) -> np.ndarray:
        """float64 [E, S], nats, what the partition by each pass divides: means over passes."""
        ends = range(1, len(self) + 1)
        return np.stack(
            [
                losses_to_divide(self.probabilities[:end], self.labels, self.clip, self.partition)
                for end in ends
            ]
        )

    @property
    def tau(self) -> float:
        """The τ of the training."""
        return self.partition.tau

    @property
    def first_partition(self) -> int | None:
        """The first epoch trained on a partition, or None if the method makes none."""
        return first_partition_epoch(self.history)

    @property
    def last_separating_epoch(self) -> int:
        """The latest pass before the final one whose mixture separates; E − 1 if none does."""
        latest = max(1, len(self) - 1)
        separate = (e for e in range(latest, 0, -1) if self.partitions[e - 1].separated)
        return next(separate, latest)

    @property
    def groups(self) -> dict[str, np.ndarray]:
        """Name → bool [S]: right and wrong labels, or all segments if no truth is known."""
        if self.truth is None or not (self.truth >= 0).any():
            return {"all segments": np.ones(len(self.labels), dtype=bool)}
        known, right = self.truth >= 0, self.truth == self.labels
        return {"right label": known & right, "wrong label": known & ~right}

    @property
    def wrong(self) -> np.ndarray | None:
        """bool [S], the inherited label is wrong; None if no truth is known."""
        return self.groups.get("wrong label")

    def partition_after(self, after_epoch: int, *, tau: float | None = None) -> Partition:
        """Return the partition by the pass after this epoch, at `tau` (default: the training's).

        Raises
        ------
        MerKitError
            If there is no such pass, or tau is outside 0–1.
        """
        check_range("after_epoch", after_epoch, 1, len(self), whole=True)
        settings = self.partition if tau is None else replace(self.partition, tau=tau)
        return diagnostics.replay(
            self.probabilities[:after_epoch],
            self.labels,
            songs=self.clip,
            settings=settings,
            seed=self.seed,
        )

    @cached_property
    def partitions(self) -> list[Partition]:
        """The partitions by all passes at the training's τ; the first is by that after epoch 1."""
        return [self.partition_after(epoch) for epoch in range(1, len(self) + 1)]

    def epochs_to_plot(self, n: int = 6) -> list[int]:
        """Return up to n evenly spaced passes, with the one behind the first partition."""
        chosen = np.linspace(1, len(self), min(n, len(self))).round().astype(int)
        decisive = (self.first_partition or 0) - 1
        if 1 < decisive < len(self) and len(chosen) > 2:
            inner = chosen[1:-1]
            inner[np.argmin(np.abs(inner - decisive))] = decisive
        return [int(epoch) for epoch in np.unique(chosen)]

    def fitted_mixture(
        self, after_epoch: int, *, group: int = 0
    ) -> tuple[np.ndarray, Mixture | None, np.ndarray | None]:
        """Return losses, mixture and wrong labels of one fit: all segments, or class `group`."""
        losses, wrong = self.divided_losses[after_epoch - 1], self.wrong
        mixtures = self.partitions[after_epoch - 1].mixtures
        if not self.partition.per_class:
            return losses, mixtures[0], wrong
        rows = self.labels == group
        return losses[rows], mixtures[group], None if wrong is None else wrong[rows]

    def unlabelled_rows(self, after_epoch: int) -> np.ndarray:
        """Return the rows of U by this pass, int64; without separation a tenth, by smallest ω."""
        partition = self.partitions[after_epoch - 1]
        if partition.separated:
            return np.flatnonzero(~partition.clean)
        order = np.lexsort((-self.divided_losses[after_epoch - 1], partition.omega))
        return np.sort(order[: max(1, len(self.labels) // 10)])

    def table(self) -> pd.DataFrame:
        """Return one row per pass: after_epoch, decides_on (epoch), phase, sizes, loss_gap, note.

        The sizes are n_labelled and n_unlabelled. For epochs that the training did not partition
        (in the warm-up, or with ce or mixup) they are what a partition would have given.
        """
        phases = {record.epoch: record.phase for record in self.history}
        return pd.DataFrame(
            {
                "after_epoch": epoch,
                "decides_on": epoch + 1,
                "phase": phases.get(epoch + 1, "training over"),
                "n_labelled": int(partition.clean.sum()),
                "n_unlabelled": int((~partition.clean).sum()),
                "loss_gap": partition.loss_gap,
                "note": partition.note,
            }
            for epoch, partition in enumerate(self.partitions, start=1)
        )

    def quality(self) -> pd.DataFrame | None:
        """Return after_epoch and `partition_quality` of each pass; None without truth."""
        if self.wrong is None:
            return None
        right = self.groups["right label"]
        return quality_table(self.partitions, right, known=right | self.wrong)

    def pseudo_labels(self) -> pd.DataFrame:
        """Return one row per pass: is the model's guess on U better than the label it replaces?

        Columns: after_epoch, n_unlabelled, guess_is_label (fraction of U whose most probable class
        is the label that was dropped), and with truth label_is_true and guess_is_true (fractions
        of U).
        """
        rows = []
        for epoch, partition in enumerate(self.partitions, start=1):
            noisy = ~partition.clean
            guess, label = self.probabilities[epoch - 1][noisy].argmax(axis=1), self.labels[noisy]
            row = {
                "after_epoch": epoch,
                "n_unlabelled": int(noisy.sum()),
                "guess_is_label": _fraction(guess == label),
            }
            if self.truth is not None:
                truth = self.truth[noisy]
                for name, answer in (("label_is_true", label), ("guess_is_true", guess)):
                    row[name] = _fraction((answer == truth)[truth >= 0])
            rows.append(row)
        return pd.DataFrame(rows)


def first_partition_epoch(history: Sequence[EpochRecord]) -> int | None:
    """Return the first epoch trained on a partition into X and U, or None if there is none."""
    epochs = (record.epoch for record in history if record.phase == PARTITION_PHASE)
    return next(epochs, None)


def _fraction(flags: np.ndarray) -> float:
    """Return the fraction of True; NaN if there are no flags."""
    return float(pd.Series(flags, dtype=float).mean())


def quality_table(
    partitions: Sequence[Partition], right: np.ndarray, *, known: np.ndarray | slice
) -> pd.DataFrame:
    """Return after_epoch and `training.diagnostics.partition_quality` for the pass of each epoch.

    Parameters
    ----------
    right : bool [S], the label is right
    known : the segments to look at: bool [S], or a slice
    """
    return pd.DataFrame(
        {"after_epoch": epoch}
        | diagnostics.partition_quality(one.clean[known], one.omega[known], right[known])
        for epoch, one in enumerate(partitions, start=1)
    )


def read_passes(experiment: Experiment, number: int) -> Passes:
    """Return the evaluation passes of a finished fold.

    Raises
    ------
    MerKitError
        If the fold is not finished, or its files do not belong together.

    Notebook: 02_noisy_labels
    """
    folder = experiment.folder
    check_choice("fold", number, range(len(experiment.folds)))
    if not folder.fold_done(number):
        raise MerKitError(
            f"fold {number} of {folder.path.name} is not trained, expected a finished fold: "
            f"run experiment.train({number}) first"
        )
    folder.check_seal(number, ("epochs.npz", "history.csv"))
    own = {}
    if experiment.config.noise_kind != "none":
        own["corrupted"] = 1
    stored = folder.epochs(number, **own)
    history = folder.history(number)
    n_epochs, _, n_classes = stored["probabilities"].shape
    fits = (n_epochs, n_classes) == (len(history), len(experiment.classes))
    if not fits or stored["clip"].max() >= len(experiment.corpus.clips):
        raise MerKitError(
            f"epochs.npz of fold {number} in {folder.path.name} does not belong to its "
            "history.csv, its task or its corpus, expected the files of one training: train the "
            "fold again"
        )
    return passes_of(experiment, number, stored, history)


def passes_of(
    experiment: Experiment,
    number: int,
    stored: Mapping[str, np.ndarray],
    history: list[EpochRecord],
) -> Passes:
    """Return the evaluation passes of a fold from its arrays; works during training too.

    Parameters
    ----------
    stored : probabilities [E, S, K], labels [S], clip [S] and start_s [S], as in `epochs.npz`; with
        injected noise also corrupted [S]
    """
    config, clip = experiment.config, stored["clip"].astype(np.int64)
    start_s = stored["start_s"].astype(np.float64)
    end_s = start_s + config.segment_seconds  # infinite for whole clips: all that there is
    truth = segment_truth(experiment.corpus, clip, start_s, end_s, task=config.task)
    corrupted = None
    if "corrupted" in stored:
        corrupted, before = stored["corrupted"] > 0, experiment.labels[clip]
        truth = before if truth is None else np.where(truth >= 0, truth, before)
    return Passes(
        probabilities=stored["probabilities"],
        labels=stored["labels"].astype(np.int64),
        clip=clip,
        start_s=start_s,
        end_s=end_s,
        truth=truth,
        history=history,
        partition=config.training.partition,
        seed=mixture_seed(trainer_seed(config.seed, f"fold {number}")),
        corrupted=corrupted,
    )
