"""Small trainings on segments whose class is easy to see, on one thread so that they are quick and repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from mer_kit.sssl import Trainer
from mer_kit.sssl.passes import ArraySegments

torch.set_num_threads(1)

#: The smallest network that learns the toy: the whole of a training takes about a second.
TINY = {"width": 1, "head_pool": 1, "batch_norm": True}


@dataclass(frozen=True)
class Toy:
    """Segments of 32 bands × 32 frames; class k is loud in its own quarter of the bands."""

    segments: ArraySegments
    labels: np.ndarray
    songs: np.ndarray


def make_toy(n_songs: int = 16, per_song: int = 8, *, n_classes: int = 4, loud_db: float = 8.0, seed: int = 0) -> Toy:
    generator = np.random.default_rng(seed)
    songs = np.repeat(np.arange(n_songs), per_song)
    labels = songs % n_classes
    x = generator.normal(-40, 4, (len(songs), 1, 32, 32)).astype(np.float32)
    for row, k in enumerate(labels):
        x[row, 0, 8 * k : 8 * k + 8] += loud_db
    return Toy(ArraySegments(x), labels, songs)


@pytest.fixture(scope="session")
def toy() -> Toy:
    return make_toy()


@pytest.fixture(scope="session")
def toy_maker() -> Callable[..., Toy]:
    return make_toy


@pytest.fixture(scope="session")
def tiny_trainer() -> Callable[..., Trainer]:
    """Return a Trainer for the toy; any setting can be given another value."""

    def make(**changes: Any) -> Trainer:
        settings: dict[str, Any] = {
            "n_classes": 4,
            "method": "sssl",
            "epochs": 4,
            "warmup_epochs": 2,
            "batch_size": 16,
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "min_gap": 0.0,
            "ramp_epochs": 2.0,
            "model": TINY,
            "device": "cpu",
            "precision": "float32",
        }
        return Trainer(**(settings | changes))

    return make


@pytest.fixture(scope="session")
def same_training() -> Callable[[Trainer, Trainer], None]:
    """Assert that two trainings agree bit for bit: records (but for the seconds), passes, weights and buffers."""

    def check(first: Trainer, second: Trainer) -> None:
        assert first.epochs_.tobytes() == second.epochs_.tobytes()
        rows = [[{**record.row(), "seconds": 0} for record in trainer.history_] for trainer in (first, second)]
        assert repr(rows[0]) == repr(rows[1])  # repr, since NaN is not equal to itself
        one, other = first.network_.state_dict(), second.network_.state_dict()
        assert list(one) == list(other)
        for name in one:
            assert torch.equal(one[name], other[name]), name

    return check
