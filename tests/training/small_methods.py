"""One step of a method on a few vectors, outside of a training: for tests against formulae."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mer_kit.training import TrainingSettings, methods, networks
from mer_kit.training.evaluation import place
from mer_kit.training.method import BaseMethod, Epoch, Training
from mer_kit.training.network import SegmentNetwork

D, CPU = 5, place("cpu", "float32")


def started(
    name: str, labels: np.ndarray, songs: np.ndarray, x: np.ndarray | None = None, **settings: Any
) -> BaseMethod:
    """Return the method before its first epoch; `x` float32 [S, D] is what it may read."""
    made = methods.of(name)(TrainingSettings.of(method=name, network="mlp", **settings))
    values = torch.zeros(len(labels), D) if x is None else torch.from_numpy(x)
    training = Training(
        labels=labels,
        songs=songs,
        n_classes=int(labels.max()) + 1,
        seed=0,
        placement=CPU,
        generators={key: np.random.default_rng(n) for n, key in enumerate(("order", "mixup"))},
        dropout=torch.Generator().manual_seed(0),
        read=lambda rows: iter([(part, values[part]) for part in np.array_split(rows, 3)]),
    )
    made.start(training)
    return made


def epoch(number: int, phase: str, *, since: int = 0) -> Epoch:
    return Epoch(number, phase, since, np.empty((0, 0, 0), np.float16))


def network(n_classes: int, seed: int = 0, dropout: float = 0.0) -> SegmentNetwork:
    generator = torch.Generator().manual_seed(seed)
    return networks.build(
        "mlp", n_classes, n_features=D, generator=generator, hidden=6, dropout=dropout
    ).train()


def some_segments(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
