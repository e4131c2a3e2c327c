"""Pooling against loops over songs, known identities, and a training with an attention."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from mer_kit.checks import MerKitError
from mer_kit.training import SegmentClassifier, Trainer, TrainingSettings, checkpoint
from mer_kit.training.evaluation import ArraySegments
from mer_kit.training.methods import ce, mil
from tests.training.small_methods import epoch, network, some_segments, started

#: Segments of each song: one song has a single segment, one is longer than a batch of 8.
SIZES = np.array([1, 4, 3, 19, 2, 5, 6, 4])
SONGS = np.random.default_rng(0).permutation(np.repeat(np.arange(len(SIZES)), SIZES))
LABELS = SONGS % 2
NOISE = torch.Generator().manual_seed(0)
SMALL = {"network": "mlp", "model": {"hidden": 6, "dropout": 0.3}, "warmup_epochs": 2, "epochs": 4}


def member_of(songs: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.unique(songs)[:, None] == songs)


def by_loops(p: np.ndarray, songs: np.ndarray, pooling: str, scores: np.ndarray) -> np.ndarray:
    """Return [songs, K] by the formulae, one song and one class after the other."""
    answers = []
    for song in np.unique(songs):
        q, s = p[songs == song], np.clip(scores[songs == song], -10, 10)
        answer = {
            "mean": q.sum(axis=0) / len(q),
            "max": q.max(axis=0),
            "linear_softmax": (q**2).sum(axis=0) / q.sum(axis=0),
            "attention": (np.exp(s) / np.exp(s).sum(axis=0) * q).sum(axis=0),
        }[pooling]
        answers.append(answer / answer.sum())
    return np.array(answers)


def pooled(log_p: torch.Tensor, songs: np.ndarray, pooling: str, **scores: object) -> torch.Tensor:
    scores = scores or {"scores": torch.zeros_like(log_p)}
    return torch.softmax(mil.pool(log_p, member_of(songs), pooling, **scores), dim=1)


@pytest.mark.parametrize("pooling", mil.POOLINGS)
def test_a_step_equals_the_formulae(pooling: str) -> None:
    """γ·L_song + (1 − γ)·L_segments; one segment of a song has another label than the rest."""
    labels, x = LABELS.copy(), some_segments(len(SONGS))
    labels[np.flatnonzero(SONGS == 1)[0]] = 2
    made = started("mil", labels, SONGS, own={"pooling": pooling, "bag_weight": 0.7})
    net = network(3)
    made.extend(net)
    scores = np.zeros((len(SONGS), 3))
    if pooling == "attention":
        assert not net.attention.any() and net.attention.shape == (3, 6)
        with torch.no_grad():
            net.attention.copy_(30 * torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
            scores = (net.trunk(torch.from_numpy(x)) @ net.attention.T).double().numpy()
        assert np.abs(scores).max() > 10
    rows = np.random.default_rng(1).permutation(len(SONGS))
    made.begin_epoch(epoch(3, "bags"))
    (loss,) = made.loss([net], torch.from_numpy(x[rows]), rows)
    p = torch.softmax(net(torch.from_numpy(x)).double(), dim=1).detach().numpy()
    whole = by_loops(p, SONGS, pooling, scores)
    targets = np.array([np.eye(3)[labels[song == SONGS]].mean(axis=0) for song in range(8)])
    of_songs = -(targets * np.log(whole)).sum(axis=1).mean()
    of_segments = -np.log(p[np.arange(len(p)), labels]).mean()
    assert float(loss.detach()) == pytest.approx(0.7 * of_songs + 0.3 * of_segments, rel=1e-5)
    assert made.summary()["song_loss"] == pytest.approx(of_songs, rel=1e-5)
    loss.backward()
    assert all(one.grad is not None and one.grad.any() for one in net.parameters())


@pytest.mark.parametrize("pooling", mil.POOLINGS)
def test_songs_of_one_segment_and_of_equal_segments_keep_its_answer(pooling: str) -> None:
    log_p = functional.log_softmax(3 * torch.randn(6, 4, generator=NOISE), dim=1)
    scores = {"scores": torch.randn(6, 4, generator=NOISE)}
    alone = pooled(log_p, np.arange(6), pooling, **scores)
    torch.testing.assert_close(alone, log_p.exp())
    equal = pooled(log_p[[2, 2, 2, 5, 5]], np.array([0, 0, 0, 1, 1]), pooling)
    torch.testing.assert_close(equal, log_p[[2, 5]].exp())


@pytest.mark.parametrize("pooling", mil.POOLINGS)
def test_the_order_of_segments_does_not_matter_and_small_probabilities_have_gradients(
    pooling: str,
) -> None:
    log_p = functional.log_softmax(3 * torch.randn(len(SONGS), 4, generator=NOISE), dim=1)
    scores = torch.randn(len(SONGS), 4, generator=NOISE)
    order = torch.randperm(len(SONGS), generator=NOISE)
    again = pooled(log_p[order], SONGS[order], pooling, scores=scores[order])
    torch.testing.assert_close(again, pooled(log_p, SONGS, pooling, scores=scores))
    z = torch.tensor([[0.0, 300.0], [0.0, 200.0]], requires_grad=True)
    member, scores = torch.ones(1, 2, dtype=torch.bool), torch.zeros(2, 2)
    answer = mil.pool(torch.log_softmax(z, dim=1), member, pooling, scores=scores)
    assert answer.exp()[0, 0] == 0
    (-answer[0, 0]).backward()
    assert torch.isfinite(z.grad).all() and z.grad.abs().sum() > 1


def test_the_gradient_of_linear_softmax() -> None:
    """∂P/∂p = (2p − P) / Σp: where p is under P/2, more of it lowers P."""
    p = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], dtype=torch.float64, requires_grad=True)
    answer = mil.pool(torch.log(p), torch.ones(1, 3, dtype=torch.bool), "linear_softmax").exp()
    answer[0, 0].backward()
    expected = (2 * p[:, 0] - answer[0, 0]) / p[:, 0].sum()
    torch.testing.assert_close(p.grad[:, 0], expected.detach())
    assert p.grad[2, 0] < 0 < p.grad[0, 0]


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_batches_hold_whole_songs(share: float) -> None:
    made = started("mil", LABELS, SONGS, share=share, batch_size=8)
    drawn, cut = [made.draw() for _ in range(3)], 0
    for batches in drawn:
        rows = np.concatenate(batches)
        assert len(np.unique(rows)) == len(rows)
        counts = np.bincount(SONGS[rows], minlength=len(SIZES))
        assert counts.tolist() == np.maximum(1, np.round(SIZES * share)).astype(int).tolist()
        of_song = [sum(song in SONGS[batch] for batch in batches) for song in range(len(SIZES))]
        # only the song of 19 segments is cut, into three parts or (a half of it) two
        assert of_song[:3] + of_song[4:] == [1] * 7 and of_song[3] <= -(-round(19 * share) // 8)
        cut = max(cut, of_song[3])
        assert len(batches) == made.steps(made.s, SONGS) and min(map(len, batches)) > 0
    together = [[sorted(set(SONGS[batch])) for batch in batches] for batches in drawn]
    assert cut > 1 and together[0] != together[1]


@pytest.mark.parametrize("settings", [{"bag_weight": 0.0}, {"warmup_epochs": 4}])
def test_without_the_song_loss_it_is_ce_on_the_same_batches(
    settings: dict[str, float],
    trainer: Callable[..., Trainer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = {"pooling": "attention", "bag_weight": settings.get("bag_weight", 1.0)}
    small = SMALL | {"warmup_epochs": settings.get("warmup_epochs", 2)}
    data = ArraySegments(some_segments(len(SONGS))), LABELS, SONGS
    made = trainer(method="mil", own=own, **small).fit(*data)
    attention = made._trained().networks[0].__dict__["_parameters"].pop("attention")
    assert not attention.any()
    monkeypatch.setattr(ce.Method, "draw", mil.Method.draw)
    plain = trainer(method="ce", **small).fit(*data)
    assert plain.eval_probabilities_.tobytes() == made.eval_probabilities_.tobytes()
    for one, other in zip(plain._trained().networks, made._trained().networks, strict=True):
        torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


def test_the_attention_is_trained_kept_in_the_checkpoint_and_not_in_the_model(
    trainer: Callable[..., Trainer], same_training: Callable[..., None], tmp_path: Path
) -> None:
    def stop(record: object) -> None:
        raise KeyboardInterrupt

    data = ArraySegments(some_segments(len(SONGS))), LABELS, SONGS
    small = SMALL | {"method": "mil", "own": {"pooling": "attention"}, "warmup_epochs": 1}
    whole = trainer(**small).fit(*data)
    file, model = tmp_path / "checkpoint", tmp_path / "model.safetensors"
    for _ in range(2):  # after the warm-up's epoch, and after one with an attention
        with pytest.raises(KeyboardInterrupt):
            trainer(**small, checkpoint_file=file, on_epoch=stop).fit(*data)
    kept = checkpoint.load(file)["network"]["attention"]
    assert kept.shape == (2, 6) and kept.abs().min() > 0
    same_training(trainer(**small, checkpoint_file=file).fit(*data), whole)
    whole.save_model(model)
    assert "attention" not in checkpoint.load(model)["network"]
    loaded = SegmentClassifier(model, device="cpu", precision="float32")
    assert np.array_equal(loaded.predict_proba(data[0]), whole.predict_proba(data[0]))


@pytest.mark.parametrize("own", [{"pooling": "median"}, {"bag_weight": 1.5}])
def test_settings_are_checked(own: dict[str, object]) -> None:
    with pytest.raises(MerKitError, match=f"^{next(iter(own))} is "):
        TrainingSettings.of(method="mil", own=own)
