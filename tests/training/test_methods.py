"""What every method in the folder must do: repeat, resume with its memories, learn, and say finite
numbers; settings that it calls idle change nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mer_kit.later_settings import flat
from mer_kit.training import Trainer, TrainingSettings, methods
from mer_kit.training.evaluation import ArraySegments

SMALL: dict[str, Any] = {
    "epochs": 3,
    "warmup_epochs": 1,
    "batch_size": 8,
    "share": 0.7,
    "optimizer": "adamw",
    "learning_rate": 3e-2,
    "min_gap": 0.0,
    "network": "mlp",
    "model": {"hidden": 8, "dropout": 0.2},
    "device": "cpu",
    "precision": "float32",
}


def another(value: Any) -> Any:
    """Return another allowed value of a setting."""
    match value:
        case bool():
            return not value
        case "batch":
            return "epoch"  # the other kind of pseudo_labels
        case (low, high):
            return (low / 2, high)
    return value + 1 if isinstance(value, int) else value / 2


#: Every setting that some method does not use → another value than its default.
OTHERWISE: dict[str, Any] = {
    name: another(flat(TrainingSettings())[name])
    for method in methods.METHODS
    for name in methods.of(method).unused(TrainingSettings(method=method))
}
#: Settings that make a method's training shorter.
SHORT: dict[str, Any] = {"self_learning": {"iterations": 1}}
TRAINED = 60


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Twelve songs of eight segments in two classes that are easy to tell apart; the last two and a
    half songs are not for training.
    """
    rng = np.random.default_rng(0)
    songs = np.repeat(np.arange(12), 8)
    truth = np.array([0, 1, 1] * 4)[songs]
    x = rng.normal(size=(len(songs), 5)).astype(np.float32)
    x[:, :3] += 4 * truth[:, None]
    return x, truth, songs


def trained(
    method: str, x: np.ndarray, labels: np.ndarray, songs: np.ndarray, **changes: Any
) -> Trainer:
    settings = SMALL | {"own": SHORT.get(method, {})} | changes
    made = Trainer(n_classes=int(labels.max()) + 1, method=method, **settings)
    return made.fit(ArraySegments(x), labels, songs)


def assert_equal(first: Trainer, second: Trainer) -> None:
    """Assert that histories, passes, all networks and the method's memories agree bit for bit."""
    rows = [[{**one.row(), "seconds": 0} for one in made.history_] for made in (first, second)]
    assert repr(rows[0]) == repr(rows[1])
    assert first.eval_probabilities_.tobytes() == second.eval_probabilities_.tobytes()
    tensors = []
    for made in (first, second):
        state = made._trained()
        weights = [one for network in state.networks for one in network.state_dict().values()]
        tensors.append([*weights, *state.method.state().values()])
    assert len(tensors[0]) == len(tensors[1])
    assert all(torch.equal(one, other) for one, other in zip(*tensors, strict=True))


@pytest.mark.parametrize("method", methods.METHODS)
def test_repeats_resumes_after_every_epoch_and_learns(
    method: str, data: tuple[np.ndarray, ...], tmp_path: Path
) -> None:
    x, truth, songs = data
    given = x[:TRAINED], truth[:TRAINED], songs[:TRAINED]
    file = tmp_path / "checkpoint"

    def keep(record: Any) -> None:
        shutil.copyfile(file, tmp_path / str(record.epoch))

    whole = trained(method, *given, checkpoint_file=file, on_epoch=keep)
    # Labels that it is not given are others now, and so are the settings that it does not use.
    elsewhere = np.r_[truth[:TRAINED], 1 - truth[TRAINED:]]
    unused = methods.of(method).unused(whole.settings)
    otherwise = {name: OTHERWISE[name] for name in unused}
    assert_equal(trained(method, x[:TRAINED], elsewhere[:TRAINED], given[2], **otherwise), whole)
    for epoch in range(1, len(whole.history_)):
        assert_equal(trained(method, *given, checkpoint_file=tmp_path / str(epoch)), whole)
    for record in whole.history_:
        assert np.isfinite([record.loss, record.loss_mix, *record.own.values()]).all()
    right = whole.predict_proba(ArraySegments(x[TRAINED:])).argmax(axis=1) == truth[TRAINED:]
    assert right.mean() > 0.8 > 2 / 3  # the majority class has 2 of 3


@pytest.mark.parametrize(
    ("method", "own", "changes", "others"),
    [
        ("sssl", {}, {}, {"ramp_epochs": 3.0, "renew_batch_norm": False}),
        ("mixup", {}, {}, {"renew_batch_norm": False}),
        ("dividemix", {}, {}, {"ramp_epochs": 3.0}),
        ("dividemix", {"lambda_u": 0.0}, {}, {"ramp_epochs": 3.0, "ramp_fraction": 0.0}),
        ("self_learning", {"period": "epoch"}, {"iterations": 2, "restart": False}, {}),
        (
            "self_learning",
            {"iterations": 0},
            {"self_labels": "hard", "inherited_weight": 0.5, "restart": False, "answers": "oof"},
            {},
        ),
        ("self_learning", {"iterations": 1, "answers": "oof"}, {"restart": False}, {}),
        ("coteaching", {"forget": 0.0}, {"forget_epochs": 2.0}, {}),
    ],
)
def test_settings_without_effect_given_the_others(
    method: str,
    own: dict[str, Any],
    changes: dict[str, Any],
    others: dict[str, Any],
    data: tuple[np.ndarray, ...],
) -> None:
    """They change no answer, and are all that the method says to have no effect."""
    given = [array[:TRAINED] for array in data]
    first = trained(method, *given, own=own)
    named = methods.of(method).without_effect(first.settings) | methods.of(method).unused(
        first.settings
    )
    assert {*changes, *others} <= named
    second = trained(method, *given, own=own | changes, **others)
    assert first.eval_probabilities_.tobytes() == second.eval_probabilities_.tobytes()


@pytest.mark.parametrize("method", methods.METHODS)
def test_frames_four_classes_and_one_song(method: str) -> None:
    x = np.random.default_rng(0).normal(size=(9, 1, 32, 32)).astype(np.float32)
    model = {"width": 1, "head_pool": 1, "batch_norm": True}
    made = trained(
        method, x, np.arange(9) % 4, np.zeros(9, dtype=int), network="vgg16", model=model, epochs=2
    )
    assert np.isfinite(made.eval_probabilities_).all()
    assert np.isfinite([record.loss for record in made.history_]).all()
