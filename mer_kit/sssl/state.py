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
from mer_kit.records import EpochRecord, hashed
from mer_kit.seeding import numpy_generator, torch_generator
from mer_kit.sssl import checkpoint
from mer_kit.sssl.network import VGG16, load_imagenet
from mer_kit.sssl.passes import Placement, SegmentSource, Standardise, band_statistics
from mer_kit.sssl.settings import TrainingSettings
from mer_kit.sssl.stored import check_training


class _OtherTraining(Exception):
    """A warm-up that is whole, but another training's."""


class TrainingState:
    """Network, optimizer, schedule, generators, history and evaluation passes of one training."""

    def __init__(
        self,
        settings: TrainingSettings,
        *,
        n_classes: int,
        seed: int,
        where: Placement,
        labels: np.ndarray,
        songs: np.ndarray,
    ) -> None:
        self.settings, self.where, self.n_classes, self.seed = settings, where, n_classes, seed
        self.network = VGG16(n_classes, generator=torch_generator(seed, "weights"), **settings.model)
        self.network.to(device=where.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if settings.compile:
            self.network.features.compile()
        self.optimizer = make_optimizer(self.network, settings, fused=where.device.type == "cuda")
        steps = -(-n_drawn(songs, settings.share) // settings.batch_size)
        self.scheduler = make_scheduler(self.optimizer, settings, steps_per_epoch=steps)
        self.generators = {name: numpy_generator(seed, name) for name in ("order", "mixup")}
        self.dropout = torch_generator(seed, "dropout", str(where.device))
        self.history: list[EpochRecord] = []
        self.epochs = np.empty((0, len(labels), n_classes), dtype=np.float16)
        self.split_epoch: int | None = None
        self.standardise: Standardise
        self._pretrained = ""
        self._data = hashlib.blake2b(
            labels.astype(np.int64).tobytes() + songs.astype(np.int64).tobytes(), digest_size=8
        ).hexdigest()

    def pretrain(self, path: str | Path | None) -> None:
        """Start from local ImageNet weights where a path is given."""
        if path:
            load_imagenet(self.network, path)
            self._pretrained = hashlib.blake2b(Path(path).read_bytes(), digest_size=8).hexdigest()

    def measure(self, segments: SegmentSource) -> None:
        """Take the band statistics from the training segments."""
        self.standardise = Standardise(*band_statistics(segments))

    def append_pass(self, probabilities: np.ndarray) -> None:
        """Keep one evaluation pass [S, K], as float16."""
        self.epochs = np.concatenate([self.epochs, probabilities[None].astype(np.float16)])

    # ---- saving and restoring -----------------------------------------------------------------------------------

    def key(self, *, warmup: bool = False) -> str:
        """Return what a checkpoint must agree on: settings, seed, data and placement, as JSON."""
        settings = self.settings.warmup_key() if warmup else hashed(self.settings)
        here = {"classes": self.n_classes, "seed": self.seed, "data": self._data}
        here |= {"device": self.where.device.type, "precision": self.where.precision}
        if self._pretrained:
            here["pretrained"] = self._pretrained
        return json.dumps({**settings, **here}, sort_keys=True, default=str)

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        checkpoint.save(
            path,
            {
                "key": self.key(),
                "warmup_key": self.key(warmup=True),
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scheduler": {"last_epoch": self.scheduler.last_epoch},
                "generators": {name: g.bit_generator.state for name, g in self.generators.items()},
                "dropout": self.dropout.get_state(),
                "history": [record.row() for record in self.history],
                "epochs": torch.from_numpy(self.epochs),
                "split_epoch": self.split_epoch,
                "bands": [torch.from_numpy(self.standardise.mean), torch.from_numpy(self.standardise.sd)],
            },
        )

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
            check_training(stored, path.name, network=self.network, passes=(self.epochs.shape[1], self.n_classes))

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
            self.optimizer.load_state_dict(stored["optimizer"])
            rates: list[float | torch.Tensor] = [float(group["lr"]) for group in self.optimizer.param_groups]
        except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise MerKitError(
                f"checkpoint {name} cannot be gone on from ({type(error).__name__}), expected what this training saved: "
                "delete it to train from the start"
            ) from error
        self.network.load_state_dict(stored["network"])
        self.scheduler.last_epoch = stored["scheduler"]["last_epoch"]
        self.scheduler._last_lr = rates
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
                "model": dict(self.settings.model),
                "network": self.network.state_dict(),
                "bands": [torch.from_numpy(self.standardise.mean), torch.from_numpy(self.standardise.sd)],
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
            return f"{plain(str(name), 80)} {shortened(old.get(name))}, now {shortened(new.get(name))}"
    return ""


def n_drawn(songs: np.ndarray, share: float) -> int:
    """Return how many segments an epoch draws: `share` of each song's, rounded, at least one.

    Examples
    --------
    >>> n_drawn(np.array([0, 0, 0, 0, 1]), 0.5)
    3
    """
    counts = np.unique(songs, return_counts=True)[1]
    return int(np.maximum(1, np.round(counts * share)).sum())


def draw_rows(songs: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Return an epoch's rows in random order: int64 [n_drawn], `share` of each song's segments.

    Examples
    --------
    >>> rows = draw_rows(np.array([0, 0, 0, 0, 1]), 0.5, np.random.default_rng(0))
    >>> len(rows), 4 in rows
    (3, True)
    """
    order = generator.permutation(len(songs))
    if share >= 1:
        return order
    by_song = np.argsort(songs[order], kind="stable")
    _, first, counts = np.unique(songs[order][by_song], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, counts)
    wanted = np.repeat(np.maximum(1, np.round(counts * share)), counts)
    return np.asarray(order[np.sort(by_song[rank < wanted])])


def make_optimizer(network: torch.nn.Module, settings: TrainingSettings, *, fused: bool) -> torch.optim.Optimizer:
    """Return SGD with Nesterov momentum 0.9 or AdamW over all parameters."""
    common: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay, "fused": fused}
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
        return 0.5 * (1 + math.cos(math.pi * (step - steps_per_epoch) / max(1, total - steps_per_epoch)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
