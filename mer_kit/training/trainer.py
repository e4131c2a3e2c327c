"""The training loop of semi-supervised self-learning and of the methods it is compared with."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mer_kit.checks import MerKitError, check_labels
from mer_kit.records import EpochRecord
from mer_kit.training import malloc, networks
from mer_kit.training.evaluation import (
    SegmentSource,
    Standardise,
    band_statistics,
    batches,
    losses,
    mean_probabilities,
    n_features_of,
    place,
)
from mer_kit.training.method import Epoch
from mer_kit.training.partition import Partition
from mer_kit.training.settings import TrainingSettings
from mer_kit.training.training_state import TrainingState

_log = logging.getLogger("mer_kit")
#: What a network accepts → the axes of one segment, and their description.
_ACCEPTED = {"frames": (3, "frames [1, d, n]"), "vector": (1, "vectors [d]")}


class Trainer:
    """Train one segment classifier on inherited labels.

    Parameters
    ----------
    n_classes : K
    device, precision : see `training.evaluation.place`
    seed : every draw (weights, order, share, mixup, dropout) comes from its named generators
    checkpoint_file : holds the whole state after each epoch; `fit` resumes from it, bit-equal on
        the CPU
    warmup_file : holds the state at the end of the warm-up; other methods with the same warm-up
        start from it
    on_epoch : called with each EpochRecord
    watch : called with this Trainer before the first epoch and after each; an exception that it
        raises ends `fit` between two epochs
    **settings : fields of `training.settings.TrainingSettings`, those of its partition by their own
        names

    Attributes
    ----------
    history_ : list of EpochRecord
    eval_probabilities_ : float16 [E, S, K], probabilities of the evaluation pass after each epoch;
        the one after epoch e determines the partition of epoch e + 1

    Examples
    --------
    >>> from mer_kit.training.evaluation import ArraySegments
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(32) % 2
    >>> x = rng.normal(size=(32, 1, 128, 43)).astype(np.float32) + 3 * y[:, None, None, None]
    >>> trainer = Trainer(n_classes=2, method="ce", epochs=2, warmup_epochs=1, device="cpu",
    ...                   model={"width": 1, "head_pool": 1, "batch_norm": True})
    >>> trainer.fit(ArraySegments(x), y).eval_probabilities_.shape
    (2, 32, 2)

    Source: paper section "Semi-supervised Self-learning Framework". Notebook: 03_sssl_training
    """

    def __init__(
        self,
        *,
        n_classes: int,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        checkpoint_file: str | Path | None = None,
        warmup_file: str | Path | None = None,
        on_epoch: Callable[[EpochRecord], None] | None = None,
        watch: Callable[[Trainer], None] | None = None,
        **settings: Any,
    ) -> None:
        self.settings = TrainingSettings.of(**settings)
        self.n_classes, self.seed = n_classes, seed
        self.device, self.precision = device, precision
        self.checkpoint_file = Path(checkpoint_file) if checkpoint_file else None
        self.warmup_file = Path(warmup_file) if warmup_file else None
        self.on_epoch, self.watch = on_epoch, watch

    def fit(
        self, segments: SegmentSource, labels: np.ndarray, songs: np.ndarray | None = None
    ) -> Trainer:
        """Train on segments [S] with inherited labels int [S]; `songs` int [S] is the song of each.

        If `songs` is omitted, all segments are treated as one song; this matters only if
        `share < 1`.

        Raises
        ------
        MerKitError
            If there is no segment, the shapes differ, a loss becomes non-finite, or the checkpoint
            belongs to other settings or data.
        """
        # Each segment inherits its song's label, so that some labels are wrong for their segment.
        labels = check_labels("labels", labels, self.n_classes, length=len(segments))
        songs = _checked_songs(songs, len(labels))
        self._state = state = self._start(segments, labels, songs)
        method = state.method
        if self.watch:
            self.watch(self)
        # A resumed training has a history already and continues after its last epoch.
        for epoch in range(len(state.history) + 1, self.settings.all_epochs + 1):
            started = time.perf_counter()
            phase, since = self._phase(epoch)
            # New optimizers and schedules where a stage of the method begins.
            state.enter(epoch)
            # SSSL makes its partition here, from the evaluation passes before it (Eq. 3).
            method.begin_epoch(Epoch(epoch, phase, since, state.epochs))
            self._warn_once(epoch)
            # The evaluation pass has switched dropout and the batch statistics off.
            for network in state.networks:
                network.train()
            # rows: int64 [B], the segments' numbers; x: float32 [B, 1, d, n] or [B, d].
            for rows, x in batches(segments, method.draw()):
                self._step(rows, x)
            method.before_evaluation(state.networks)
            # [S, K] with dropout off: the losses of the next epoch's partition come from here.
            state.append_pass(
                mean_probabilities(state.networks, segments, state.standardise, state.placement)
            )
            record = self._record(epoch, phase, labels, time.perf_counter() - started)
            state.history.append(record)
            # Saved before any observer runs: an exception in one of them costs no epoch.
            if self.checkpoint_file:
                state.save(self.checkpoint_file)
            if self.on_epoch:
                self.on_epoch(record)
            # An observer may raise to stop the training between two epochs.
            if self.watch:
                self.watch(self)
        return self

    def _step(self, rows: np.ndarray, x: np.ndarray) -> None:
        """Change the weights by one step along the gradient of a batch's loss."""
        state = self._state
        x_device = state.placement.put(state.standardise(x))  # [B, 1, d, n] or [B, d]
        step_losses = state.method.loss(state.networks, x_device, rows)  # a scalar per network
        for optimizer in state.optimizers:
            optimizer.zero_grad(set_to_none=True)
        # All at once, since the losses of two networks may share a part of the graph.
        torch.autograd.backward(step_losses)
        # One long gradient, for instance of a wrong label, cannot throw the weights far off.
        for network in state.networks:
            torch.nn.utils.clip_grad_norm_(network.parameters(), self.settings.gradient_clip)
        for optimizer, scheduler in zip(state.optimizers, state.schedulers, strict=True):
            optimizer.step()
            # The learning rate changes with every step, not with every epoch.
            scheduler.step()

    def _start(
        self, segments: SegmentSource, labels: np.ndarray, songs: np.ndarray
    ) -> TrainingState:
        """Return the state to continue from: own checkpoint, shared warm-up, or a fresh one."""
        placement = place(self.device, self.precision)
        # On the CPU, activations of the last batch are reused instead of being mapped again.
        if placement.device.type == "cpu":
            malloc.keep_freed_memory()
        state = TrainingState(
            self.settings,
            labels,
            songs,
            n_classes=self.n_classes,
            n_features=self._n_features(segments),
            seed=self.seed,
            placement=placement,
        )
        state.segments = segments
        warmup = self.warmup_file
        # The own checkpoint is further than any warm-up; a shared warm-up saves its epochs.
        if self.checkpoint_file and self.checkpoint_file.exists():
            state.load(self.checkpoint_file)
        elif not (warmup and warmup.exists() and state.load_warmup(warmup)):
            # Both files hold the band statistics; without either, they are measured here.
            state.standardise = Standardise(*band_statistics(segments))
        return state

    def _n_features(self, segments: SegmentSource) -> int:
        """Return the features of a frame [B, 1, d, n] or of a vector [B, d]."""
        shape = segments.shape
        n_axes, described = _ACCEPTED[networks.MODULES[self.settings.network].ACCEPTS]
        if len(shape) != n_axes:
            raise MerKitError(
                f"segments have shape {list(shape)}, but network {self.settings.network} accepts "
                f"{described}: choose a network or front-end that fits"
            )
        return n_features_of(shape)

    def _phase(self, epoch: int) -> tuple[str, int]:
        """Return the epoch's phase ("warmup", or the method's) and its epochs since the warm-up."""
        s, state = self.settings, self._state
        if state.split_epoch is None:
            # Agreement with the inherited labels; there is none before the first epoch.
            accuracy = max((record.train_accuracy for record in state.history[-1:]), default=0.0)
            if epoch <= s.warmup_epochs or accuracy < (s.warmup_accuracy or 0.0):
                return "warmup", 0
            # The first epoch after the warm-up: the state still is that of the warm-up's end.
            if self.warmup_file and not self.warmup_file.exists():
                state.save(self.warmup_file)
            state.split_epoch = epoch
        return state.method.phase, epoch - state.split_epoch

    def _warn_once(self, epoch: int) -> None:
        """Log why an epoch keeps every label, the first time that this happens."""
        partition = self._state.method.partition
        # `all` of no records is True: the first epoch with a partition can be the one to report.
        before = [record.separated for record in self._state.history if record.phase != "warmup"]
        if partition is not None and not partition.separated and all(before):
            _log.warning("epoch %d keeps every label: %s (reported once)", epoch, partition.note)

    def _record(self, epoch: int, phase: str, labels: np.ndarray, seconds: float) -> EpochRecord:
        """Return the finished epoch's row of history.csv.

        Raises
        ------
        MerKitError
            If a loss is not finite, or the method's summary uses a column that exists already.
        """
        state = self._state
        # The method's own numbers become further columns, which must not replace others; λ may.
        sums, summary = state.method.sums, state.method.summary()
        taken = {field.name for field in dataclasses.fields(EpochRecord)} - {"lambda_kl"}
        if taken & set(summary):
            raise MerKitError(
                f"the summary of method {self.settings.method} has {min(taken & set(summary))}, "
                "which history.csv has already: give it another name"
            )
        # `loss` is the mean over the epoch's batches, with dropout and mixup on; `last` float16
        # [S, K] is the evaluation pass after it, with both off: the two losses may differ much.
        loss, last = sums.mean("loss"), state.epochs[-1]
        evaluation_loss = float(losses(last, labels).mean())
        if not np.isfinite(loss + evaluation_loss):
            raise MerKitError(
                f"the loss of epoch {epoch} is {loss} ({evaluation_loss} after it), "
                "expected finite numbers: lower learning_rate "
                f"(now {self.settings.learning_rate:g}) or switch batch_norm on"
            )
        partition = state.method.partition or self._undivided(epoch, phase)
        clean = partition.clean  # bool [S]
        # [K], the fraction of X in each class: a partition that rejects one class shows here.
        share = np.bincount(labels[clean], minlength=self.n_classes) / max(1, clean.sum())
        return EpochRecord(
            epoch=epoch,
            phase=phase,
            loss=loss,
            loss_mix=sums.mean("mix"),
            loss_kl=sums.mean("kl"),
            lambda_kl=summary.pop("lambda_kl", 0.0),
            learning_rate=float(state.optimizers[0].param_groups[0]["lr"]),
            evaluation_loss=evaluation_loss,
            train_accuracy=float((last.argmax(axis=1) == labels).mean()),
            n_labelled=int(clean.sum()),
            n_unlabelled=int((~clean).sum()),
            separated=partition.separated,
            loss_gap=partition.loss_gap,
            pseudo_agreement=sums.mean("agreement"),
            pseudo_confidence=sums.mean("confidence"),
            labelled_class_share=tuple(float(value) for value in share),
            seconds=seconds,
            note=partition.note,
            own={name: float(value) for name, value in summary.items()},
        )

    def _undivided(self, epoch: int, phase: str) -> Partition:
        """Return the partition of an epoch without one: X is everything, and U is empty."""
        everything = np.ones(self._state.epochs.shape[1], dtype=bool)
        least, note = self.settings.warmup_accuracy, ""
        if phase == "warmup" and epoch > self.settings.warmup_epochs:
            note = f"warm-up goes on: agreement with the labels is under {least:.2f}"
        return Partition(everything, everything, (), False, float("nan"), note)

    # ---- after training --------------------------------------------------------------------------

    @property
    def history_(self) -> list[EpochRecord]:
        """The EpochRecords so far."""
        return self._trained().history

    @property
    def eval_probabilities_(self) -> np.ndarray:
        """float16 [E, S, K], the evaluation probabilities after each epoch."""
        return self._trained().epochs

    @property
    def n_parameters_(self) -> int:
        """The number of trained weights and biases, of all networks."""
        networks = self._trained().networks
        return sum(weights.numel() for network in networks for weights in network.parameters())

    def predict_proba(self, segments: SegmentSource) -> np.ndarray:
        """Return class probabilities float32 [S, K] of segments, with dropout off."""
        state = self._trained()
        return mean_probabilities(state.networks, segments, state.standardise, state.placement)

    def save_model(self, path: str | Path) -> None:
        """Write weights, settings and band statistics as one file for `SegmentClassifier`."""
        self._trained().save_model(Path(path))

    def _trained(self) -> TrainingState:
        if not hasattr(self, "_state"):
            raise MerKitError("this Trainer has not been trained yet: call fit first")
        return self._state


def _checked_songs(songs: np.ndarray | None, n_segments: int) -> np.ndarray:
    """Return the song of each segment, int [S], S ≥ 1; None means that all are of one song."""
    songs = np.zeros(n_segments, dtype=np.int64) if songs is None else np.asarray(songs)
    if not n_segments or songs.shape != (n_segments,) or songs.dtype.kind not in "iu":
        raise MerKitError(
            f"got {n_segments} segments and {songs.dtype} songs of shape {songs.shape}, expected "
            "at least one segment and the song of each as a whole number: pass songs, int [S]"
        )
    return songs
