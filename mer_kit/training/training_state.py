"""The complete state of a training between two epochs: built, saved and restored."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mer_kit.checks import MerKitError, plain, shortened
from mer_kit.later_settings import flat, hashed
from mer_kit.records import EpochRecord
from mer_kit.seeding import numpy_generator, torch_generator
from mer_kit.training import (
    checkpoint,
    methods,
    networks,
    optimization,
    tensor_files,
)
from mer_kit.training.evaluation import Placement, SegmentSource, Standardise, batches, cut
from mer_kit.training.method import Training
from mer_kit.training.network import SegmentNetwork
from mer_kit.training.settings import TrainingSettings

#: What adopting the contents of a damaged checkpoint may raise.
_DAMAGED = (RuntimeError, ValueError, TypeError, KeyError, AttributeError, OverflowError)


class _OtherTraining(MerKitError):
    """An intact checkpoint that belongs to another training."""


class TrainingState:
    """Networks, optimizers, schedules, generators, history and evaluation passes of one training.

    Parameters
    ----------
    labels, songs : int64 [S], the inherited label and the song of each segment
    n_classes, n_features : K and d

    Attributes
    ----------
    epochs : float16 [E, S, K], the evaluation passes so far
    split_epoch : the first epoch after the warm-up, None during it
    standardise : set by the trainer, or restored from a file
    segments : the training segments, set by the trainer
    """

    def __init__(
        self,
        settings: TrainingSettings,
        labels: np.ndarray,
        songs: np.ndarray,
        *,
        n_classes: int,
        n_features: int,
        seed: int,
        placement: Placement,
    ) -> None:
        self.settings, self.placement, self.seed = settings, placement, seed
        self.n_classes, self.n_features = n_classes, n_features
        self.method = methods.of(settings.method)(settings)
        self.stages = self.method.stages(settings)
        self.steps_per_epoch = self.method.steps(settings, songs)
        self.networks: list[SegmentNetwork] = []
        self.begin_stage(0)
        # One named stream per purpose: drawing more from one never shifts the others.
        self.generators = {name: numpy_generator(seed, name) for name in ("order", "mixup")}
        self.dropout = torch_generator(seed, "dropout", str(placement.device))
        self.history: list[EpochRecord] = []
        self.epochs = np.empty((0, len(labels), n_classes), dtype=np.float16)
        self.split_epoch: int | None = None
        self.standardise: Standardise
        self.segments: SegmentSource
        # Changes with any label or song: a checkpoint of other data is not continued.
        data = labels.astype(np.int64).tobytes() + songs.astype(np.int64).tobytes()
        self._data = hashlib.blake2b(data, digest_size=8).hexdigest()
        self.method.start(
            Training(
                labels=labels,
                songs=songs,
                n_classes=n_classes,
                seed=seed,
                placement=placement,
                generators=self.generators,
                dropout=self.dropout,
                read=self.read,
            )
        )

    def enter(self, epoch: int) -> None:
        """Begin the stage whose first epoch this is, if there is one."""
        stage = self._stage_of(epoch)
        if stage != self._stage_of(epoch - 1):
            self.begin_stage(stage)

    def _stage_of(self, epoch: int) -> int:
        """Return the number of the stage that an epoch belongs to."""
        last = np.cumsum([stage.epochs for stage in self.stages])
        return min(int(np.searchsorted(last, epoch)), len(self.stages) - 1)

    def begin_stage(self, stage: int) -> None:
        """Make optimizers and schedules anew, and the networks if the stage says so."""
        # Most methods train one network; each has its own optimizer and schedule.
        if stage == 0 or self.stages[stage].fresh:
            numbers = range(self.method.networks)
            self.networks = [self._network(number, stage) for number in numbers]
        fused = self.placement.device.type == "cuda"
        self.optimizers = [
            optimization.make_optimizer(network, self.settings, fused=fused)
            for network in self.networks
        ]
        schedule = self.stages[stage].schedule or self.settings.schedule
        self.schedulers = [
            optimization.make_scheduler(
                one,
                dataclasses.replace(self.settings, schedule=schedule),
                steps_per_epoch=self.steps_per_epoch,
                epochs=self.stages[stage].epochs,
            )
            for one in self.optimizers
        ]

    def read(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Yield (rows [B], segments) of these rows, standardised and on the device."""
        for subset, x in batches(self.segments, cut(rows, self.settings.batch_size)):
            yield subset, self.placement.put(self.standardise(x))

    def _network(self, number: int, stage: int) -> SegmentNetwork:
        """Return a fresh network on its device; each of several draws its own initial weights."""
        name = "weights"
        if number:
            name += f" {number + 1}"
        if stage:
            name += f" of stage {stage}"
        network = networks.build(
            self.settings.network,
            self.n_classes,
            n_features=self.n_features,
            generator=torch_generator(self.seed, name),
            **flat(self.settings.model),
        )
        # What a segment's answer needs, and the model file has; a method may add more weights.
        self._names = list(network.state_dict())
        self.method.extend(network)
        self.placement.move(network)
        if self.settings.compile:
            network.compile_trunk()
        return network

    def append_pass(self, probabilities: np.ndarray) -> None:
        """Keep one evaluation pass [S, K], as float16."""
        # float16 halves epochs.npz; `losses` rounds in the same way, so that nothing is lost later.
        self.epochs = np.concatenate([self.epochs, probabilities[None].astype(np.float16)])

    # ---- saving and restoring --------------------------------------------------------------------

    def key(self, *, warmup: bool = False) -> str:
        """Return what a checkpoint must agree on: settings, seed, data and placement, as JSON."""
        settings = self.settings.warmup_key() if warmup else self.settings.identity()
        # Bits differ between devices and precisions, so a training must end where it began.
        here = {"classes": self.n_classes, "seed": self.seed, "data": self._data}
        here |= {"device": self.placement.device.type, "precision": self.placement.precision}
        return json.dumps({**settings, **here}, sort_keys=True, default=str)

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        pairs = zip(self.networks[1:], self.optimizers[1:], strict=True)
        more = [{"network": one.state_dict(), "optimizer": its.state_dict()} for one, its in pairs]
        own = {"more": more, "method": self.method.state()}
        checkpoint.save(
            path,
            {
                "key": self.key(),
                "warmup_key": self.key(warmup=True),
                "network": self.networks[0].state_dict(),
                "optimizer": self.optimizers[0].state_dict(),
                # A LambdaLR cannot save its function, but its step counter is all that changes.
                "scheduler": {"last_epoch": self.schedulers[0].last_epoch},
                "generators": {name: g.bit_generator.state for name, g in self.generators.items()},
                "dropout": self.dropout.get_state(),
                "history": [record.row() for record in self.history],
                "epochs": torch.from_numpy(self.epochs),
                "split_epoch": self.split_epoch,
                "bands": self._bands(),
                # Left out if empty, so that files of older runs have the same keys.
                **{name: entry for name, entry in own.items() if entry},
            },
        )

    def _bands(self) -> list[torch.Tensor]:
        """Return mean and standard deviation of each feature, float32 [d]."""
        return [torch.from_numpy(self.standardise.mean), torch.from_numpy(self.standardise.sd)]

    def load(self, path: Path) -> None:
        """Restore the whole state.

        Raises
        ------
        MerKitError
            If the checkpoint is unreadable, or belongs to other settings, another seed or other
            data.
        """
        self._adopt(self._read(path, "key"), path.name)

    def load_warmup(self, path: Path) -> bool:
        """Restore the end of a warm-up that another method saved; False if it does not fit.

        A damaged file is removed, so that this training can save an intact one.
        """
        try:
            stored = self._read(path, "warmup_key")
        except _OtherTraining:
            return False
        except MerKitError:
            path.unlink(missing_ok=True)
            return False
        self._adopt(stored, path.name)
        return True

    def _read(self, path: Path, key: str) -> dict[str, Any]:
        """Return a checkpoint's contents, after a comparison of this key and of every shape."""

        def check_outline(stored: Any) -> None:
            if not isinstance(stored, dict) or not {"key", "warmup_key"} <= set(stored):
                raise MerKitError(
                    f"{path.name} holds no training, expected a checkpoint of one: "
                    "pass another checkpoint_file"
                )
            difference = _first_difference(stored[key], self.key(warmup=key == "warmup_key"))
            if difference:
                raise _OtherTraining(
                    f"the checkpoint belongs to another training ({difference}): "
                    "delete it or train elsewhere"
                )
            tensor_files.check_training(
                stored,
                path.name,
                networks=self.networks,
                memory=self.method.state(),
                passes=(self.epochs.shape[1], self.n_classes),
            )

        return dict(checkpoint.load(path, check=check_outline))

    def _adopt(self, stored: dict[str, Any], name: str) -> None:
        """Continue from a checkpoint.

        Whatever can fail comes first, so that a damaged checkpoint leaves this state unchanged.
        """
        try:
            history = [EpochRecord.from_row(row) for row in stored["history"]]
            # Throwaway generators: only whether they accept the stored states is of interest.
            for which in self.generators:
                np.random.PCG64().state = stored["generators"][which]
            torch.Generator(self.dropout.device).set_state(stored["dropout"])
            # The optimizers and schedules of the stage in which the checkpoint was saved.
            self.begin_stage(self._stage_of(len(history)))
            of_each = [stored, *stored.get("more", [])]
            for optimizer, entry in zip(self.optimizers, of_each, strict=True):
                optimizer.load_state_dict(entry["optimizer"])
            rates = [[float(group["lr"]) for group in one.param_groups] for one in self.optimizers]
        except _DAMAGED as error:
            raise MerKitError(
                f"checkpoint {name} cannot be resumed ({type(error).__name__}), "
                "expected what this training saved: delete it to train from the start"
            ) from error
        for network, entry in zip(self.networks, of_each, strict=True):
            network.load_state_dict(entry["network"])
        # The schedule is a function of the step alone: its counter and last rate are enough.
        for scheduler, rate in zip(self.schedulers, rates, strict=True):
            scheduler.last_epoch = stored["scheduler"]["last_epoch"]
            scheduler._last_lr = list(rate)
        self.method.restore(stored.get("method", {}))
        for which, generator in self.generators.items():
            generator.bit_generator.state = stored["generators"][which]
        self.dropout.set_state(stored["dropout"])
        self.history = history
        self.epochs = stored["epochs"].numpy()
        self.split_epoch = stored["split_epoch"]
        self.standardise = Standardise(*(band.numpy() for band in stored["bands"]))

    def save_model(self, path: Path) -> None:
        """Write what prediction needs: weights, settings of the network, band statistics."""
        model: dict[str, Any] = {"n_classes": self.n_classes, "model": hashed(self.settings.model)}
        # The default network and a single network are not named: files of older runs are the same.
        if self.settings.network != networks.DEFAULT:
            model["kind"] = self.settings.network
        weights = [network.state_dict() for network in self.networks]
        of_each = [{name: one[name] for name in self._names} for one in weights]
        model |= {"network": of_each[0], "bands": self._bands()}
        if len(of_each) > 1:
            model["more"] = of_each[1:]
        checkpoint.save(path, model)


def _first_difference(stored: Any, wanted: str) -> str:
    """Return the first setting in which two keys differ, or ""."""
    new = json.loads(wanted)
    try:
        old = {**json.loads(stored)}
    except (TypeError, ValueError, RecursionError):
        return "its settings cannot be read"
    differences = (
        f"{plain(name, 80)} {shortened(old.get(name))}, now {shortened(new.get(name))}"
        for name in sorted({**old, **new})
        if old.get(name) != new.get(name)
    )
    return next(differences, "")
