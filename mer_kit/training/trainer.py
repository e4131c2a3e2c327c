"""The training loop of semi-supervised self-learning, and of the plain methods it is compared with."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

from mer_kit.checks import MerKitError, check_labels
from mer_kit.records import EpochRecord
from mer_kit.training import networks
from mer_kit.training.evaluation import SegmentSource, batches, losses, mean_probabilities, place
from mer_kit.training.malloc import keep_freed_memory
from mer_kit.training.method import Epoch
from mer_kit.training.partition import Partition
from mer_kit.training.settings import TrainingSettings
from mer_kit.training.training_state import TrainingState

_log = logging.getLogger("mer_kit")


class Trainer:
    """Train one segment classifier on inherited labels.

    Parameters
    ----------
    n_classes : K
    device, precision : see `training.evaluation.place`
    seed : every draw (weights, order, share, mixup, dropout) comes from its named generators
    checkpoint_file : where each epoch leaves the whole state; `fit` continues from it, bit-equal on the CPU
    warmup_file : keeps the state at the end of the warm-up; other methods with the same warm-up start from it
    on_epoch : called with each EpochRecord
    watch : called with this Trainer before the first epoch and after each; what it raises ends `fit` between two epochs
    **settings : fields of `training.settings.TrainingSettings`, those of its partition by their own names

    Attributes
    ----------
    history_ : list of EpochRecord
    epochs_ : float16 [E, S, K], probabilities of the evaluation pass after each epoch (pass e decides on epoch e+1)
    network_ : the trained network

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
        """Train on segments [S] with inherited labels int [S]; `songs` int [S] tells which song each belongs to.

        Without `songs`, all segments count as one song's (only `share` below 1 asks).

        Raises
        ------
        MerKitError
            If there is no segment, the shapes differ, a loss turns non-finite, or the checkpoint belongs to other
            settings or data.
        """
        labels = check_labels("labels", labels, self.n_classes, length=len(segments))
        songs = np.zeros(len(labels), dtype=np.int64) if songs is None else np.asarray(songs)
        if not len(labels) or songs.shape != labels.shape or songs.dtype.kind not in "iu":
            raise MerKitError(
                f"got {len(labels)} segments and {songs.dtype} songs of shape {songs.shape}, expected at least one "
                "segment and the song of each as a whole number: pass songs, int [S]"
            )
        self._state = state = self._start(segments, labels, songs)
        method = state.method
        self._tell_watch()
        for epoch in range(len(state.history) + 1, self.settings.epochs + 1):
            started = time.perf_counter()
            phase, since = self._phase(epoch)
            method.begin_epoch(Epoch(epoch, phase, since, state.last_probabilities))
            self._warn_once(epoch)
            for network in state.networks:
                network.train()
            for rows, x in batches(segments, method.draw(), self.settings.batch_size):
                found = method.loss(state.networks, state.placement.put(state.standardise(x)), rows)
                for optimizer in state.optimizers:
                    optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(found)  # all at once: losses of two networks may touch
                for network in state.networks:
                    clip_grad_norm_(network.parameters(), self.settings.gradient_clip)
                for optimizer in state.optimizers:
                    optimizer.step()
                for scheduler in state.schedulers:
                    scheduler.step()
            method.before_evaluation(state.networks)
            state.append_pass(
                mean_probabilities(state.networks, segments, state.standardise, state.placement)
            )
            record = self._record(epoch, phase, labels, time.perf_counter() - started)
            state.history.append(record)
            if self.checkpoint_file:
                state.save(self.checkpoint_file)
            if self.on_epoch:
                self.on_epoch(record)
            self._tell_watch()
        return self

    def _tell_watch(self) -> None:
        if self.watch:
            self.watch(self)

    def _start(
        self, segments: SegmentSource, labels: np.ndarray, songs: np.ndarray
    ) -> TrainingState:
        """Return the state to go on from: this training's checkpoint, a shared warm-up, or a fresh start."""
        placement = place(self.device, self.precision)
        if placement.device.type == "cpu":
            keep_freed_memory()
        state = TrainingState(
            self.settings,
            n_classes=self.n_classes,
            n_features=self._n_features(segments),
            seed=self.seed,
            placement=placement,
            labels=labels,
            songs=songs,
        )
        if self.checkpoint_file and self.checkpoint_file.exists():
            state.load(self.checkpoint_file)
        elif not (
            self.warmup_file and self.warmup_file.exists() and state.load_warmup(self.warmup_file)
        ):
            state.measure(segments)
        return state

    def _n_features(self, segments: SegmentSource) -> int:
        """Return the features of a frame [B, 1, d, n] or of a vector [B, d]."""
        shape, accepts = segments.shape, networks.MODULES[self.settings.network].ACCEPTS
        if len(shape) != {"frames": 3, "vector": 1}[accepts]:
            raise MerKitError(
                f"segments have shape {list(shape)}, but network {self.settings.network} accepts "
                f"{'frames [1, d, n]' if accepts == 'frames' else 'vectors [d]'}: choose a network or front-end that fits"
            )
        return shape[-2] if len(shape) == 3 else shape[-1]

    def _phase(self, epoch: int) -> tuple[str, int]:
        """Return the epoch's phase ("warmup", or the method's) and how many epochs of it came before."""
        s, state = self.settings, self._state
        if state.split_epoch is None:
            accuracy = state.history[-1].train_accuracy if state.history else 0.0
            if epoch <= s.warmup_epochs or accuracy < (s.warmup_accuracy or 0.0):
                return "warmup", 0
            if self.warmup_file and not self.warmup_file.exists():
                state.save(self.warmup_file)
            state.split_epoch = epoch
        return state.method.phase, epoch - state.split_epoch

    def _warn_once(self, epoch: int) -> None:
        """Log why an epoch keeps every label, the first time that one does."""
        partition = self._state.method.partition
        before = [record.separated for record in self._state.history if record.phase != "warmup"]
        if partition is not None and not partition.separated and all(before):
            _log.warning("epoch %d keeps every label: %s (said once)", epoch, partition.note)

    def _record(self, epoch: int, phase: str, labels: np.ndarray, seconds: float) -> EpochRecord:
        state = self._state
        partition, sums, summary = state.method.partition, state.method.sums, state.method.summary()
        taken = {field.name for field in dataclasses.fields(EpochRecord)} - {"lambda_kl"}
        if taken & set(summary):
            raise MerKitError(
                f"{self.settings.method} sums up {min(taken & set(summary))}, which history.csv has already: give it another name"
            )
        loss = sums.mean("loss")
        evaluation_loss = float(losses(state.epochs[-1], labels).mean())
        if not np.isfinite(loss + evaluation_loss):
            raise MerKitError(
                f"the loss of epoch {epoch} is {loss} ({evaluation_loss} after it), expected finite numbers: "
                f"lower learning_rate (now {self.settings.learning_rate:g}) or switch batch_norm on"
            )
        last = state.epochs[-1]
        clean = partition.clean if partition is not None else np.ones(len(labels), dtype=bool)
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
            separated=bool(partition is not None and partition.separated),
            loss_gap=partition.loss_gap if partition is not None else float("nan"),
            pseudo_agreement=sums.mean("agreement"),
            pseudo_confidence=sums.mean("confidence"),
            labelled_class_share=tuple(float(value) for value in share),
            seconds=seconds,
            note=self._note(epoch, phase, partition),
            own={name: float(value) for name, value in summary.items()},
        )

    def _note(self, epoch: int, phase: str, partition: Partition | None) -> str:
        if partition is not None:
            return partition.note
        s = self.settings
        if phase == "warmup" and epoch > s.warmup_epochs:
            return f"warm-up goes on: agreement with the labels is under {s.warmup_accuracy:.2f}"
        return ""

    # ---- after training ---------------------------------------------------------------------------------------

    @property
    def history_(self) -> list[EpochRecord]:
        """The EpochRecords so far."""
        return self._trained().history

    @property
    def eval_probabilities_(self) -> np.ndarray:
        """float16 [E, S, K], the evaluation probabilities after each epoch."""
        return self._trained().epochs

    @property
    def network_(self) -> torch.nn.Module:
        """The trained network."""
        return self._trained().network

    def predict_proba(self, segments: SegmentSource) -> np.ndarray:
        """Return class probabilities float32 [S, K] of segments, with dropout off."""
        state = self._trained()
        return mean_probabilities(state.networks, segments, state.standardise, state.placement)

    def save_model(self, path: str | Path) -> None:
        """Write the network, its shape and the band statistics as one safetensors file for `SegmentClassifier`."""
        self._trained().save_model(Path(path))

    def _trained(self) -> TrainingState:
        if not hasattr(self, "_state"):
            raise MerKitError("this Trainer has not been trained yet: call fit first")
        return self._state
