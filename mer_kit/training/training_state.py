"""The state of a training between two epochs: built, saved and restored whole."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mer_kit.checks import MerKitError, plain, shortened
from mer_kit.later_settings import flat, hashed
from mer_kit.records import EpochRecord
from mer_kit.seeding import numpy_generator, torch_generator
from mer_kit.training import checkpoint, methods, networks
from mer_kit.training.batch_loss import n_drawn
from mer_kit.training.evaluation import Placement, SegmentSource, Standardise, band_statistics
from mer_kit.training.method import Training
from mer_kit.training.network import SegmentNetwork
from mer_kit.training.settings import TrainingSettings
from mer_kit.training.tensor_files import check_training


class _OtherTraining(Exception):
    """A warm-up that is whole, but another training's."""


class TrainingState:
    """Networks, optimizers, schedules, generators, history and evaluation passes of one training."""

    def __init__(
        self,
        settings: TrainingSettings,
        *,
        n_classes: int,
        n_features: int,
        seed: int,
        placement: Placement,
        labels: np.ndarray,
        songs: np.ndarray,
    ) -> None:
        self.settings, self.placement, self.seed = settings, placement, seed
        self.n_classes, self.n_features = n_classes, n_features
        self.method = methods.of(settings.method)(settings)
        self.networks = [self._network(number) for number in range(self.method.networks)]
        fused = placement.device.type == "cuda"
        self.optimizers = [
            make_optimizer(network, settings, fused=fused) for network in self.networks
        ]
        steps = -(-n_drawn(songs, settings.share) // settings.batch_size)
        self.schedulers = [
            make_scheduler(one, settings, steps_per_epoch=steps) for one in self.optimizers
        ]
        self.generators = {name: numpy_generator(seed, name) for name in ("order", "mixup")}
        self.dropout = torch_generator(seed, "dropout", str(placement.device))
        self.history: list[EpochRecord] = []
        self.epochs = np.empty((0, len(labels), n_classes), dtype=np.float16)
        self.split_epoch: int | None = None
        self.standardise: Standardise
        self._data = hashlib.blake2b(
            labels.astype(np.int64).tobytes() + songs.astype(np.int64).tobytes(), digest_size=8
        ).hexdigest()

        self.method.start(
            Training(
                labels=labels,
                songs=songs,
                n_classes=n_classes,
                seed=seed,
                placement=placement,
                generators=self.generators,
                dropout=self.dropout,
            )
        )

    def _network(self, number: int) -> SegmentNetwork:
        """Return a fresh network on its device; each of several draws its own first weights."""
        name = "weights" if number == 0 else f"weights {number + 1}"
        network = networks.build(
            self.settings.network,
            self.n_classes,
            n_features=self.n_features,
            generator=torch_generator(self.seed, name),
            **flat(self.settings.model),
        )
        network.to(device=self.placement.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.settings.compile:
            network.compile_trunk()
        return network

    @property
    def network(self) -> SegmentNetwork:
        """The first network."""
        return self.networks[0]

    def measure(self, segments: SegmentSource) -> None:
        """Take the band statistics from the training segments."""
        self.standardise = Standardise(*band_statistics(segments))

    @property
    def last_probabilities(self) -> np.ndarray | None:
        """The last evaluation pass, float16 [S, K]; None before the first."""
        return self.epochs[-1] if len(self.epochs) else None

    def append_pass(self, probabilities: np.ndarray) -> None:
        """Keep one evaluation pass [S, K], as float16."""
        self.epochs = np.concatenate([self.epochs, probabilities[None].astype(np.float16)])

    # ---- saving and restoring -----------------------------------------------------------------------------------

    def key(self, *, warmup: bool = False) -> str:
        """Return what a checkpoint must agree on: settings, seed, data and placement, as JSON."""
        settings = self.settings.warmup_key() if warmup else self.settings.identity()
        here = {"classes": self.n_classes, "seed": self.seed, "data": self._data}
        here |= {"device": self.placement.device.type, "precision": self.placement.precision}
        return json.dumps({**settings, **here}, sort_keys=True, default=str)

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        checkpoint.save(
            path,
            {
                "key": self.key(),
                "warmup_key": self.key(warmup=True),
                "network": self.network.state_dict(),
                "optimizer": self.optimizers[0].state_dict(),
                "scheduler": {"last_epoch": self.schedulers[0].last_epoch},
                "generators": {name: g.bit_generator.state for name, g in self.generators.items()},
                "dropout": self.dropout.get_state(),
                "history": [record.row() for record in self.history],
                "epochs": torch.from_numpy(self.epochs),
                "split_epoch": self.split_epoch,
                "bands": [
                    torch.from_numpy(self.standardise.mean),
                    torch.from_numpy(self.standardise.sd),
                ],
                **self._more(),
            },
        )

    def _more(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of further networks and of the method's own memory, if there are any."""
        pairs = zip(self.networks[1:], self.optimizers[1:], strict=True)
        more = [
            {"network": network.state_dict(), "optimizer": one.state_dict()}
            for network, one in pairs
        ]
        memory = self.method.state()
        return {**({"more": more} if more else {}), **({"method": memory} if memory else {})}

    def load(self, path: Path) -> None:
        """Restore the whole state.

        Raises
        ------
        MerKitError
            If the checkpoint is unreadable, or belongs to other settings, another seed or other data.
        """
        self._adopt(self._read(path, self._check_key), path.name)

    def load_warmup(self, path: Path) -> bool:
        """Restore the end of a warm-up that another method left; False if it does not fit this training.

        A file that is torn, or not what a training saves, is removed, so that this training leaves a good one.
        """
        try:
            stored = self._read(path, self._check_warmup_key)
        except _OtherTraining:
            return False
        except MerKitError:
            path.unlink(missing_ok=True)
            return False
        self._adopt(stored, path.name)
        return True

    def _read(self, path: Path, check: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        def check_outline(stored: Any) -> None:
            if not isinstance(stored, dict) or not {"key", "warmup_key"} <= set(stored):
                raise MerKitError(
                    f"{path.name} holds no training, expected a checkpoint of one: pass another checkpoint_file"
                )
            check(stored)
            check_training(
                stored,
                path.name,
                networks=self.networks,
                memory=self.method.state(),
                passes=(self.epochs.shape[1], self.n_classes),
            )

        return dict(checkpoint.load(path, check=check_outline))

    def _check_key(self, stored: dict[str, Any]) -> None:
        difference = _first_difference(stored["key"], self.key())
        if difference:
            raise MerKitError(
                f"the checkpoint belongs to another training ({difference}): delete it or train elsewhere"
            )

    def _check_warmup_key(self, stored: dict[str, Any]) -> None:
        if stored["warmup_key"] != self.key(warmup=True):
            raise _OtherTraining

    def _adopt(self, stored: dict[str, Any], name: str) -> None:
        """Go on from a checkpoint; what can fail comes first, so that a bad one leaves this state as it was."""
        try:
            history = [EpochRecord.from_row(row) for row in stored["history"]]
            for which in self.generators:
                np.random.PCG64().state = stored["generators"][which]
            torch.Generator(self.dropout.device).set_state(stored["dropout"])
            of_each = [stored, *stored.get("more", [])]
            for optimizer, part in zip(self.optimizers, of_each, strict=True):
                optimizer.load_state_dict(part["optimizer"])
            rates = [[float(group["lr"]) for group in one.param_groups] for one in self.optimizers]
        except (
            RuntimeError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            OverflowError,
        ) as error:
            raise MerKitError(
                f"checkpoint {name} cannot be gone on from ({type(error).__name__}), expected what this training saved: "
                "delete it to train from the start"
            ) from error
        for network, part in zip(self.networks, of_each, strict=True):
            network.load_state_dict(part["network"])
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
        """Write what prediction needs: weights, shape of the network, band statistics."""
        checkpoint.save(
            path,
            {
                "n_classes": self.n_classes,
                "model": hashed(self.settings.model),
                **(
                    {"kind": self.settings.network}
                    if self.settings.network != networks.DEFAULT
                    else {}
                ),
                "network": self.network.state_dict(),
                "bands": [
                    torch.from_numpy(self.standardise.mean),
                    torch.from_numpy(self.standardise.sd),
                ],
                **(
                    {"more": [network.state_dict() for network in self.networks[1:]]}
                    if len(self.networks) > 1
                    else {}
                ),
            },
        )


def _first_difference(stored: Any, wanted: str) -> str:
    """Return the first setting in which two keys differ, or ""."""
    try:
        old, new = json.loads(stored), json.loads(wanted)
    except (TypeError, ValueError, RecursionError):
        return "its settings cannot be read"
    if not isinstance(old, dict):
        return "its settings cannot be read"
    for name in sorted(set(old) | set(new)):
        if old.get(name) != new.get(name):
            return (
                f"{plain(str(name), 80)} {shortened(old.get(name))}, now {shortened(new.get(name))}"
            )
    return ""


def make_optimizer(
    network: torch.nn.Module, settings: TrainingSettings, *, fused: bool
) -> torch.optim.Optimizer:
    """Return SGD with Nesterov momentum 0.9 or AdamW over all parameters."""
    common: dict[str, Any] = {
        "lr": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "fused": fused,
    }
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), **common)
    return torch.optim.SGD(network.parameters(), momentum=0.9, nesterov=True, **common)


def make_scheduler(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, *, steps_per_epoch: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the learning-rate schedule per step: a linear rise over the first epoch, then cosine to 0 or constant."""
    total = settings.epochs * steps_per_epoch

    def factor(step: int) -> float:
        if step < steps_per_epoch:
            return (step + 1) / steps_per_epoch
        if settings.schedule == "constant":
            return 1.0
        return 0.5 * (
            1 + math.cos(math.pi * (step - steps_per_epoch) / max(1, total - steps_per_epoch))
        )

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
