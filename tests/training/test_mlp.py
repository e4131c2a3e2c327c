"""The MLP on vectors: the network itself, every method with it, and a run of the preset smoke."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mer_kit.checks import MerKitError
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.training import Trainer
from mer_kit.training.evaluation import ArraySegments
from mer_kit.training.networks import mlp
from tests.training.conftest import Toy

METHODS = ["ce", "mixup", "sssl_no_kl", "sssl"]
D = 10


@pytest.fixture(scope="module")
def vectors() -> Toy:
    """Two classes that differ in three of ten features, whose scales differ by orders."""
    rng = np.random.default_rng(0)
    songs = np.repeat(np.arange(16), 8)
    truth = songs % 2
    x = rng.normal(size=(len(songs), D))
    x[:, :3] += 4 * truth[:, None]
    labels = np.where(rng.random(len(songs)) < 0.15, 1 - truth, truth)
    return Toy(ArraySegments(x * np.logspace(-2, 3, D) + 100), labels, truth, songs)


def make(trainer: Callable[..., Trainer], **changes: object) -> Trainer:
    settings = {"network": "mlp", "model": {"hidden": 16, "dropout": 0.3}, "epochs": 6}
    return trainer(**settings, **changes)


# ---- the network -------------------------------------------------------------------------------------


def test_equals_the_formula_in_numpy() -> None:
    network = mlp.Network(3, n_features=D, hidden=7).eval()
    x = np.random.default_rng(0).normal(size=(5, D)).astype(np.float32)
    w, b, v, c = (p.detach().numpy() for p in network.parameters())
    expected = np.maximum(x @ w.T + b, 0) @ v.T + c
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach(), expected, atol=1e-5)


def test_dropout_is_in_the_head_alone() -> None:
    """The trunk's result may be used twice, as R-Drop and the pseudo-labels do."""
    network = mlp.Network(3, n_features=D, hidden=64, dropout=0.5).train()
    x = torch.randn(5, D)
    assert torch.equal(network.trunk(x), network.trunk(x))
    trunk = network.trunk(x)
    assert not torch.equal(network.classifier(trunk), network.classifier(trunk))


def test_initial_weights_are_those_of_he_and_follow_the_generator() -> None:
    state = torch.get_rng_state()
    first, again, other = (
        mlp.Network(4, n_features=400, hidden=300, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), state)
    weights = [network.hidden.weight for network in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert float(weights[0].detach().std()) == pytest.approx((2 / 400) ** 0.5, rel=0.02)
    assert not first.hidden.bias.any()


@pytest.mark.parametrize(("name", "value"), [("hidden", 0), ("dropout", 1.0), ("hidden", 2.5)])
def test_settings_are_checked(name: str, value: float) -> None:
    with pytest.raises(MerKitError, match=f"{name} is {value}"):
        mlp.Settings(**{name: value})  # type: ignore[arg-type]


# ---- training ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_learns_in_spite_of_wrong_labels_and_of_scales(
    vectors: Toy, trainer: Callable[..., Trainer], method: str
) -> None:
    made = make(trainer, method=method).fit(vectors.segments, vectors.labels, vectors.songs)
    found = made.predict_proba(vectors.segments)
    assert found.shape == (128, 2) and np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == vectors.truth).mean() > 0.95
    assert all(np.isfinite(record.loss) for record in made.history_)


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_repeats_bit_for_bit(
    vectors: Toy, trainer: Callable[..., Trainer], same_training: Callable[..., None], method: str
) -> None:
    first, again, other = (
        make(trainer, method=method, seed=seed).fit(vectors.segments, vectors.labels, vectors.songs)
        for seed in (3, 3, 4)
    )
    same_training(first, again)
    assert first.eval_probabilities_.tobytes() != other.eval_probabilities_.tobytes()


def test_goes_on_from_a_checkpoint_bit_for_bit(
    vectors: Toy,
    trainer: Callable[..., Trainer],
    same_training: Callable[..., None],
    tmp_path: Path,
) -> None:
    given = vectors.segments, vectors.labels, vectors.songs
    whole = make(trainer).fit(*given)

    def stop(record: object) -> None:
        if len(interrupted._state.history) == 4:
            raise KeyboardInterrupt

    interrupted = make(trainer, checkpoint_file=tmp_path / "state", on_epoch=stop)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(*given)
    same_training(make(trainer, checkpoint_file=tmp_path / "state").fit(*given), whole)


def test_features_are_standardised_on_training_segments(
    vectors: Toy, trainer: Callable[..., Trainer]
) -> None:
    """Another scale and offset of a feature change nothing but rounding."""
    made = make(trainer, method="ce").fit(vectors.segments, vectors.labels, vectors.songs)
    moved = copy.deepcopy(vectors.segments)
    moved.values = moved.values * np.float32(8) + np.float32(64)
    other = make(trainer, method="ce").fit(moved, vectors.labels, vectors.songs)
    np.testing.assert_allclose(
        other.predict_proba(moved), made.predict_proba(vectors.segments), atol=0.02
    )


def test_a_constant_feature_is_harmless(trainer: Callable[..., Trainer], vectors: Toy) -> None:
    values = vectors.segments.values.copy()
    values[:, 5] = 7
    made = make(trainer, method="sssl").fit(ArraySegments(values), vectors.labels, vectors.songs)
    assert np.isfinite(made.eval_probabilities_).all()


def test_frames_are_refused(trainer: Callable[..., Trainer], toy: Toy) -> None:
    with pytest.raises(MerKitError, match="vectors"):
        make(trainer).fit(toy.segments, toy.labels, toy.songs)


# ---- in a run ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize("method", METHODS)
def test_a_smoke_run_on_log_mel_statistics(method: str, runs_dir: Path) -> None:
    """From audio to songs; a fold trained again in another folder is bit-equal."""
    config = resolve(
        corpus="demo", preset="smoke", folds=2, method=method, frontend="logmel_stats",
        corpus_options={"clips": 16, "seconds": 8.0},
    )  # fmt: skip
    assert config.network == "mlp"
    experiment = Experiment(config, runs_dir=runs_dir, device="cpu", precision="float32")
    experiment.train(0)
    table = experiment.folder.segments(0)
    assert set(table["clip_id"]) == {clip.clip_id for clip in experiment.corpus.clips}
    assert np.isfinite(table[["Q1", "Q2", "Q3", "Q4"]].to_numpy()).all()
    again = Experiment(config, runs_dir=runs_dir / "again", device="cpu", precision="float32")
    again.train(0)
    first, second = (made.folder.epochs(0) for made in (experiment, again))
    assert all(np.array_equal(first[name], second[name]) for name in first)
