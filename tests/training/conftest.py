"""Small trainings on segments whose class is easy to see, on one thread so that they are quick and
repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mer_kit.training import Trainer, noise
from mer_kit.training.evaluation import ArraySegments
from mer_kit.training.methods.sssl import PAPER_FORM

torch.set_num_threads(1)

#: The smallest network that learns the toy: a training takes about half a second of processor time.
TINY = {"width": 1, "head_pool": 1, "batch_norm": True, "dropout": 0.2, "small_output": False}
#: The paper's form of SSSL; what the repairs change is tested in test_repairs.py.
PLAIN = {name: value for name, value in PAPER_FORM.items() if name != "small_output"}


@dataclass(frozen=True)
class Toy:
    """Segments of 32 bands × 32 frames; class k is loud in its own eight bands.

    Some of `labels` are corrupted, `truth` is not.
    """

    segments: ArraySegments
    labels: np.ndarray
    truth: np.ndarray
    songs: np.ndarray


def make_toy(
    n_songs: int = 8, per_song: int = 8, *, n_classes: int = 2, rate: float = 0.2, seed: int = 0
) -> Toy:
    generator = np.random.default_rng(seed)
    songs = np.repeat(np.arange(n_songs), per_song)
    truth = songs % n_classes
    x = generator.normal(-40, 4, (len(songs), 1, 32, 32)).astype(np.float32)
    for row, k in enumerate(truth):
        x[row, 0, 8 * k : 8 * k + 8] += 12.0
    labels, _ = noise.inject(
        truth, rate, n_classes=n_classes, generator=np.random.default_rng(seed + 1)
    )
    return Toy(ArraySegments(x), labels, truth, songs)


@pytest.fixture(scope="session")
def toy() -> Toy:
    return make_toy()


@pytest.fixture(scope="session")
def toy_maker() -> Callable[..., Toy]:
    return make_toy


@pytest.fixture(scope="session")
def trainer() -> Callable[..., Trainer]:
    """Return a Trainer for the toy; any setting can be given another value."""

    def make(**changes: Any) -> Trainer:
        settings: dict[str, Any] = {
            "n_classes": 2,
            "method": "sssl",
            "epochs": 5,
            "warmup_epochs": 3,
            "batch_size": 8,
            "optimizer": "adamw",
            "learning_rate": 1e-2,
            "min_gap": 0.0,
            "ramp_epochs": 2.0,
            "model": TINY,
            "device": "cpu",
            "precision": "float32",
            **PLAIN,
        }
        return Trainer(**(settings | changes))

    return make


@pytest.fixture(scope="session")
def trained(toy: Toy, trainer: Callable[..., Trainer]) -> Trainer:
    """The toy trained with SSSL, once for all tests that only look at it."""
    return trainer().fit(toy.segments, toy.labels, toy.songs)


@pytest.fixture(scope="session")
def warm(
    toy: Toy, trainer: Callable[..., Trainer], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The end of that training's warm-up, for the tests that only ask about what comes after it."""
    file = tmp_path_factory.mktemp("warm") / "warm.safetensors"
    trainer(method="ce", warmup_file=file).fit(toy.segments, toy.labels, toy.songs)
    return file


def assert_same_training(first: Trainer, second: Trainer) -> None:
    """Assert that two trainings agree bit for bit: records (but for the seconds), passes, weights
    and buffers.
    """
    rows = [
        [{**record.row(), "seconds": 0} for record in made.history_] for made in (first, second)
    ]
    assert repr(rows[0]) == repr(rows[1])  # repr, since NaN is not equal to itself
    assert first.eval_probabilities_.tobytes() == second.eval_probabilities_.tobytes()
    pairs = zip(*(made._trained().networks for made in (first, second)), strict=True)
    for one, other in ((a.state_dict(), b.state_dict()) for a, b in pairs):
        assert list(one) == list(other)
        for name in one:
            assert torch.equal(one[name], other[name]), name


@pytest.fixture(scope="session")
def same_training() -> Callable[[Trainer, Trainer], None]:
    return assert_same_training
