"""A finished fold's evaluation passes, read back: every split of its training again, at any τ, with truth beside."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.corpora.truth import segment_truth
from mer_kit.records import EpochRecord
from mer_kit.runs.experiment import Experiment
from mer_kit.seeding import derive
from mer_kit.training import diagnostics
from mer_kit.training.methods.sssl import mixture_seed
from mer_kit.training.partition import Mixture, Partition, PartitionSettings


@dataclass(frozen=True)
class Passes:
    """What one fold's training left behind about its training segments. E passes, S segments, K classes.

    Passes are counted by the epoch they follow, 1…E: the pass after epoch e decides on the split of epoch e + 1.

    Attributes
    ----------
    probabilities : float16 [E, S, K], the evaluation pass after each epoch
    labels : int64 [S], inherited
    clip : int64 [S], position in `corpus.clips`
    start_s, end_s : float64 [S], seconds
    truth : int64 [S], the true class where the corpus knows it (−1: unknown), else None; the training never saw it
    history : the fold's EpochRecords
    partition, seed : what the training's splits were made with

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

    def __len__(self) -> int:
        return len(self.probabilities)

    @cached_property
    def losses(self) -> np.ndarray:
        """float64 [E, S], cross-entropy of every pass against the inherited labels, nats (Eq. 2)."""
        return diagnostics.loss_table(self.probabilities, self.labels)

    @property
    def tau(self) -> float:
        """The training's own τ."""
        return self.partition.tau

    @property
    def first_partition(self) -> int | None:
        """The epoch that made the first split, or None where the method makes none."""
        return next((record.epoch for record in self.history if record.phase == "ssl"), None)

    @property
    def last_separating_epoch(self) -> int:
        """The last pass but one at most that separates something: what decided last (E − 1 where none does)."""
        end = max(1, len(self) - 1)
        return next(
            (epoch for epoch in range(end, 0, -1) if self.partitions[epoch - 1].separated), end
        )

    @property
    def groups(self) -> dict[str, np.ndarray]:
        """Name → bool [S]: the right and the wrong labels where the truth is known, else all segments as one."""
        if self.truth is None or not (self.truth >= 0).any():
            return {"all segments": np.ones(len(self.labels), dtype=bool)}
        known = self.truth >= 0
        return {
            "right label": known & (self.truth == self.labels),
            "wrong label": known & (self.truth != self.labels),
        }

    @property
    def wrong(self) -> np.ndarray | None:
        """bool [S], the inherited label is wrong; None where no truth is known."""
        return self.groups.get("wrong label")

    def partition_after(self, after_epoch: int, *, tau: float | None = None) -> Partition:
        """Divide the segments by the pass after this epoch; without `tau` the training's own split of the next epoch.

        Raises
        ------
        MerKitError
            If there is no such pass, or tau is outside 0–1.
        """
        check_range("after_epoch", after_epoch, 1, len(self), whole=True)
        settings = self.partition if tau is None else dataclasses.replace(self.partition, tau=tau)
        return diagnostics.replay(
            self.probabilities[after_epoch - 1], self.labels, settings=settings, seed=self.seed
        )

    @cached_property
    def partitions(self) -> list[Partition]:
        """The splits by all E passes at the training's τ; entry e is by the pass after epoch e + 1."""
        return [self.partition_after(epoch) for epoch in range(1, len(self) + 1)]

    def epochs_to_plot(self, n: int = 6) -> list[int]:
        """Return up to n passes spread evenly from the first to the last, among them the one behind the first split."""
        chosen = np.unique(np.linspace(1, len(self), min(n, len(self))).round().astype(int))
        if (
            self.first_partition is not None
            and 1 < self.first_partition - 1 < len(self)
            and len(chosen) > 2
        ):
            inner = chosen[1:-1]
            inner[np.argmin(np.abs(inner - (self.first_partition - 1)))] = self.first_partition - 1
        return [int(epoch) for epoch in np.unique(chosen)]

    def fitted_mixture(
        self, after_epoch: int, *, group: int = 0
    ) -> tuple[np.ndarray, Mixture | None, np.ndarray | None]:
        """Return losses, mixture and wrong labels of one fitted mixture: all segments, or class `group`'s if per class."""
        rows = np.ones(len(self.labels), dtype=bool)
        if self.partition.per_class:
            rows = self.labels == group
        mixture = self.partitions[after_epoch - 1].mixtures[
            group if self.partition.per_class else 0
        ]
        return (
            self.losses[after_epoch - 1][rows],
            mixture,
            None if self.wrong is None else self.wrong[rows],
        )

    def unlabelled_rows(self, after_epoch: int) -> np.ndarray:
        """Return the rows of U by this pass, int64; where nothing is separated, the tenth with the smallest ω."""
        split = self.partitions[after_epoch - 1]
        if split.separated:
            return np.flatnonzero(~split.clean)
        least = np.lexsort((-self.losses[after_epoch - 1], split.omega))[
            : max(1, len(self.labels) // 10)
        ]
        return np.sort(least)

    def table(self) -> pd.DataFrame:
        """Return one row a pass: after_epoch, decides_on (the epoch), its phase, n_labelled, n_unlabelled, loss_gap, note.

        Splits that the training did not make (in the warm-up, by ce or mixup) are what it would have made.
        """
        phases = {record.epoch: record.phase for record in self.history}
        rows = [
            {
                "after_epoch": epoch,
                "decides_on": epoch + 1,
                "phase": phases.get(epoch + 1, "training over"),
                "n_labelled": int(split.clean.sum()),
                "n_unlabelled": int((~split.clean).sum()),
                "loss_gap": split.loss_gap,
                "note": split.note,
            }
            for epoch, split in enumerate(self.partitions, start=1)
        ]
        return pd.DataFrame(rows)

    def quality(self) -> pd.DataFrame | None:
        """Return one row a pass (after_epoch and `diagnostics.split_quality`), or None where no truth is known."""
        if self.truth is None or not (self.truth >= 0).any():
            return None
        known = self.truth >= 0
        rows = []
        for epoch, split in enumerate(self.partitions, start=1):
            right = self.groups["right label"][known]
            rows.append(
                {
                    "after_epoch": epoch,
                    **diagnostics.split_quality(split.clean[known], split.omega[known], right),
                }
            )
        return pd.DataFrame(rows)

    def pseudo_labels(self) -> pd.DataFrame:
        """Return one row a pass: is the model's guess on U better than the label it replaces?

        Columns: after_epoch, n_unlabelled, guess_is_label (share of U whose likeliest class is the erased label), and
        where the truth is known label_is_true and guess_is_true (shares of U).
        """
        rows = []
        for epoch, split in enumerate(self.partitions, start=1):
            noisy = ~split.clean
            guess, label = self.probabilities[epoch - 1][noisy].argmax(axis=1), self.labels[noisy]
            row = {
                "after_epoch": epoch,
                "n_unlabelled": int(noisy.sum()),
                "guess_is_label": _share(guess == label),
            }
            if self.truth is not None:
                truth = self.truth[noisy]
                known = truth >= 0
                row["label_is_true"] = _share(label[known] == truth[known])
                row["guess_is_true"] = _share(guess[known] == truth[known])
            rows.append(row)
        return pd.DataFrame(rows)


def _share(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def read_passes(experiment: Experiment, number: int) -> Passes:
    """Return the evaluation passes of a finished fold.

    Raises
    ------
    MerKitError
        If the fold is not finished, or its files do not belong together.

    Notebook: 02_noisy_labels
    """
    check_choice("fold", number, range(len(experiment.folds)))
    if not experiment.folder.fold_done(number):
        raise MerKitError(
            f"fold {number} of {experiment.folder.path.name} is not trained, expected it done: train it"
        )
    experiment.folder.check_seal(number, ("epochs.npz", "history.csv"))
    stored, history = experiment.folder.epochs(number), experiment.folder.history(number)
    _, _, n_classes = stored["probabilities"].shape
    fits = len(history) == len(stored["probabilities"]) and n_classes == len(experiment.classes)
    if not fits or stored["clip"].max() >= len(experiment.corpus.clips):
        raise MerKitError(
            f"epochs.npz of fold {number} in {experiment.folder.path.name} does not belong to its history.csv, its task or "
            "its corpus, expected the files of one training: train the fold again"
        )
    return passes_of(experiment, number, stored, history)


def passes_of(
    experiment: Experiment,
    number: int,
    stored: Mapping[str, np.ndarray],
    history: list[EpochRecord],
) -> Passes:
    """Return the evaluation passes of a fold from its arrays, also while it is being trained.

    Parameters
    ----------
    stored : probabilities [E, S, K], labels [S], clip [S] and start_s [S], as in `epochs.npz`
    """
    clip, start_s = stored["clip"].astype(np.int64), stored["start_s"].astype(np.float64)
    end_s = start_s + experiment.config.segment_seconds
    return Passes(
        probabilities=stored["probabilities"],
        labels=stored["labels"].astype(np.int64),
        clip=clip,
        start_s=start_s,
        end_s=end_s,
        truth=segment_truth(experiment.corpus, clip, start_s, end_s, task=experiment.config.task),
        history=history,
        partition=experiment.config.training.partition,
        seed=mixture_seed(fold_seed(experiment.config.seed, number)),
    )


def fold_seed(seed: int, number: int) -> int:
    """Return the trainer's seed of one fold of a run with this seed."""
    return derive(seed, f"fold {number}") % 2**31
