"""Methods that change the target or the loss of a segment: their formulas, and settings at which they
are plain cross-entropy or mixup to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from mer_kit.checks import MerKitError
from mer_kit.seeding import numpy_generator
from mer_kit.training import Trainer, TrainingSettings, methods, networks, objectives
from mer_kit.training.evaluation import ArraySegments, place
from mer_kit.training.method import BaseMethod, Epoch, Training
from mer_kit.training.methods import mdyr

LABELS = np.array([0, 1, 2, 0, 1, 0])
Y = torch.eye(3)[LABELS]
LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
ROWS = np.arange(6)


def started(name: str, labels: np.ndarray = LABELS, **own: Any) -> BaseMethod:
    """Return a method with its labels; every segment is a song."""
    settings = TrainingSettings(method=name, own=own, network="mlp", epochs=4, warmup_epochs=1)
    method = methods.of(name)(settings)
    method.start(
        Training(
            labels=labels,
            songs=np.arange(len(labels)),
            n_classes=3,
            seed=0,
            placement=place("cpu", "float32"),
            generators={n: numpy_generator(0, n) for n in ("order", "mixup")},
            dropout=torch.Generator(),
            read=lambda rows: iter(()),
        )
    )
    return method


def epoch(number: int, passes: np.ndarray | None = None, phase: str = "plain") -> Epoch:
    return Epoch(number, phase, 0, np.zeros((0, 6, 3)) if passes is None else passes)


def passes(n: int, seed: int = 0) -> np.ndarray:
    """Return n evaluation passes, float16 [n, 6, 3]."""
    return np.random.default_rng(seed).dirichlet(np.ones(3), size=(n, 6)).astype(np.float16)


@pytest.fixture(scope="module")
def fit() -> Callable[..., Trainer]:
    """Train on vectors of two classes with some wrong labels."""
    rng = np.random.default_rng(0)
    songs = np.repeat(np.arange(8), 5)
    x = rng.normal(size=(40, 6)) + 2 * (songs % 2)[:, None]
    labels = np.where(rng.random(40) < 0.2, 1 - songs % 2, songs % 2)
    defaults: dict[str, Any] = {
        "n_classes": 2,
        "epochs": 3,
        "warmup_epochs": 1,
        "batch_size": 16,
        "optimizer": "adamw",
        "learning_rate": 1e-2,
        "network": "mlp",
        "model": {"hidden": 8, "dropout": 0.2},
        "device": "cpu",
        "precision": "float32",
    }

    def fit(method: str, given: np.ndarray = labels, **changes: Any) -> Trainer:
        settings = defaults | changes
        return Trainer(method=method, **settings).fit(ArraySegments(x), given, songs)

    return fit


def assert_bits(first: Trainer, second: Trainer, epochs: int | None = None) -> None:
    a, b = (made.eval_probabilities_[:epochs] for made in (first, second))
    assert a.shape == b.shape and a.tobytes() == b.tobytes()
    losses = [[one.loss for one in made.history_[:epochs]] for made in (first, second)]
    assert losses[0] == losses[1]


# ---- settings at which a method is another one ---------------------------------------------------


@pytest.mark.parametrize(
    ("method", "own", "changes"),
    [
        ("label_smoothing", {"smoothing": 0.0}, {}),
        ("gce", {"q": 0.0}, {}),
        ("elr", {"weight": 0.0}, {}),
        ("selc", {"label_momentum": 1.0}, {}),
        ("selc", {"label_momentum": 0.1}, {"warmup_epochs": 3}),
        ("self_learning", {"iterations": 0}, {}),
        ("self_learning", {"iterations": 0, "answers": "oof"}, {}),
        ("self_learning", {"period": "epoch", "inherited_weight": 1.0}, {}),
        (
            "joint",
            {"prior_weight": 0.0, "entropy_weight": 0.0, "retrain": False},
            {"warmup_epochs": 3, "schedule": "constant"},
        ),
    ],
)
def test_is_plain_cross_entropy_to_the_last_bit(
    fit: Callable[..., Trainer], method: str, own: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert_bits(fit(method, own=own, **changes), fit("ce", **changes))


@pytest.mark.parametrize(
    ("method", "own"),
    [
        ("label_smoothing", {}),
        ("gce", {}),
        ("elr", {}),
        ("selc", {}),
        ("self_learning", {"period": "epoch"}),
        ("joint", {"retrain": False}),
    ],
)
def test_otherwise_it_is_not(fit: Callable[..., Trainer], method: str, own: dict[str, Any]) -> None:
    made, plain = fit(method, own=own), fit("ce")
    assert made.eval_probabilities_[-1].tobytes() != plain.eval_probabilities_[-1].tobytes()


def test_mdyr_that_finds_no_noise_is_mixup_with_a_weight_that_is_not_folded(
    fit: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    folded = fit("mixup")
    monkeypatch.setattr(
        mdyr.BetaMixture, "posterior", lambda self, losses: torch.zeros_like(losses)
    )
    made = fit("mdyr", own={"prior_weight": 0.0})
    monkeypatch.setattr(methods.of("mixup"), "delta", mdyr.Method.delta)
    assert_bits(made, fit("mixup"))
    assert folded.eval_probabilities_.tobytes() != made.eval_probabilities_.tobytes()


# ---- label smoothing and generalised cross-entropy -----------------------------------------------


def test_smoothed_labels() -> None:
    targets = started("label_smoothing", smoothing=0.3).targets(ROWS)
    np.testing.assert_allclose(targets, 0.7 * Y + 0.1, atol=1e-7)
    np.testing.assert_allclose(targets.sum(dim=1), 1, atol=1e-6)


def test_generalised_cross_entropy_between_its_ends() -> None:
    p = torch.softmax(LOGITS, dim=1)[ROWS, LABELS].numpy()
    for q in (0.2, 0.7, 1.0):
        loss = started("gce", q=q).segment_loss(LOGITS, Y)
        np.testing.assert_allclose(loss, (1 - p**q) / q, rtol=1e-5)
    np.testing.assert_allclose(
        started("gce", q=1e-6).segment_loss(LOGITS, Y), -np.log(p), rtol=1e-4
    )
    # The gradient is that of cross-entropy, weighted by p(y)^q.
    logits = [LOGITS.clone().requires_grad_() for _ in range(2)]
    started("gce", q=0.7).segment_loss(logits[0], Y).sum().backward()
    objectives.cross_entropy(logits[1], Y).sum().backward()
    np.testing.assert_allclose(
        logits[0].grad, logits[1].grad.numpy() * p[:, None] ** 0.7, rtol=1e-4
    )


# ---- ELR and SELC --------------------------------------------------------------------------------


def test_elr_updates_before_use_and_only_what_is_drawn() -> None:
    method, at = started("elr", weight=2.0, decay=0.6), np.array([4, 1])
    p = torch.softmax(LOGITS[at].float(), dim=1).clamp(1e-4, 1 - 1e-4)
    share = (p / p.sum(dim=1, keepdim=True)).numpy()
    logits = LOGITS[at].clone().requires_grad_()
    for t in (0.4 * share, 0.6 * 0.4 * share + 0.4 * share):
        penalty = method.penalty(logits, at)
        expected = 2 * np.log(1 - (t * p.numpy()).sum(axis=1)).mean()
        assert float(penalty.detach()) == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(method.state()["means"][at], t, rtol=1e-5)
    assert not method.state()["means"][[0, 2, 3, 5]].any()
    # Its gradient makes the answer that t prefers more likely: t itself is a constant.
    penalty.backward()
    assert (logits.grad.argmin(dim=1) == LOGITS[at].argmax(dim=1)).all()


def test_selc_keeps_m_to_the_power_of_its_epochs_of_a_label() -> None:
    method, at = started("selc", label_momentum=0.8), np.array([2, 5])
    p = torch.softmax(LOGITS[at], dim=1).numpy()
    expected = Y[at].numpy()
    method.begin_epoch(epoch(1, phase="warmup"))
    method.segment_loss(LOGITS[at], method.targets(at))
    assert torch.equal(method.state()["targets"], Y)
    method.begin_epoch(epoch(2))
    for _ in range(3):
        loss = method.segment_loss(LOGITS[at], method.targets(at))
        expected = 0.8 * expected + 0.2 * p
        np.testing.assert_allclose(loss, -(expected * np.log(p)).sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(expected, 0.8**3 * Y[at].numpy() + (1 - 0.8**3) * p, rtol=1e-5)
    np.testing.assert_allclose(method.state()["targets"][at], expected, rtol=1e-5)
    assert torch.equal(method.state()["targets"][[0, 1, 3, 4]], Y[[0, 1, 3, 4]])


# ---- self-learning -------------------------------------------------------------------------------


def test_the_trap_a_network_that_continues_on_its_own_answers_stands_still() -> None:
    """Without a restart, without the inherited label and without dropout, the gradient is zero."""
    network = networks.build("mlp", 3, n_features=4, hidden=8, dropout=0.0)
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))

    def gradient(targets: torch.Tensor) -> float:
        network.zero_grad()
        objectives.cross_entropy(network(x), targets).mean().backward()
        return max(float(parameter.grad.abs().max()) for parameter in network.parameters())

    own = torch.softmax(network(x), dim=1).detach()
    assert gradient(own) < 1e-7 < 1e-2 < gradient(Y)
    # As the method makes its targets, from the archived pass: rounding to float16 is all there is.
    method = started("self_learning", restart=False, period="epoch")
    method.begin_epoch(epoch(2, own.numpy()[None].astype(np.float16)))
    assert gradient(method.targets(ROWS)) < 1e-3 * gradient(Y)
    # Part of the inherited label is enough to move again; so are hard labels.
    for way in ({"inherited_weight": 0.5}, {"self_labels": "hard"}):
        method = started("self_learning", restart=False, period="epoch", **way)
        method.begin_epoch(epoch(2, own.numpy()[None].astype(np.float16)))
        assert gradient(method.targets(ROWS)) > 0.1 * gradient(Y)


def test_targets_come_from_the_last_pass_of_the_iteration_before() -> None:
    archive = passes(9)
    method = started("self_learning", inherited_weight=0.25)
    for number, source in ((5, 3), (8, 3), (9, 7)):  # four epochs an iteration
        method.begin_epoch(epoch(number, archive[: number - 1]))
        q = archive[source].astype(np.float64)
        expected = 0.25 * Y.numpy() + 0.75 * q / q.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(method.targets(ROWS), expected, atol=1e-6)
        np.testing.assert_allclose(method.targets(ROWS).sum(dim=1), 1, atol=1e-6)
        changed = (expected.argmax(axis=1) != LABELS).mean()
        entropy = stats.entropy(expected, axis=1).mean()
        assert method.summary() == pytest.approx(
            {"iteration": (number - 1) // 4, "relabelled": changed, "target_entropy": entropy}
        )
    hard = started("self_learning", self_labels="hard")
    hard.begin_epoch(epoch(5, archive[:4]))
    assert torch.equal(hard.targets(ROWS), torch.eye(3)[archive[3].argmax(axis=1)])


@pytest.mark.parametrize(
    ("own", "fresh"),
    [
        ({"iterations": 2}, [True] * 3),
        ({"iterations": 2, "restart": False}, [False] * 3),
        ({"iterations": 2, "restart": False, "answers": "oof"}, [True] * 5),
        ({"iterations": 2, "period": "epoch"}, [False]),
    ],
)
def test_iterations_begin_with_new_weights_unless_told_otherwise(
    own: dict[str, Any], fresh: list[bool]
) -> None:
    settings = TrainingSettings(method="self_learning", own=own, epochs=4, warmup_epochs=1)
    stages = methods.of("self_learning").stages(settings)
    assert [(stage.epochs, stage.fresh) for stage in stages] == [(4, new) for new in fresh]
    assert settings.all_epochs == 4 * len(fresh)


def test_answers_of_other_songs(fit: Callable[..., Trainer]) -> None:
    """Each half is answered for by the network that was not trained on it, and no label of a song
    has reached its own answer.
    """
    method, archive = started("self_learning", answers="oof", iterations=1), passes(8)
    method.begin_epoch(epoch(9, archive))
    half = method.half
    assert sorted(half) == [0, 0, 0, 1, 1, 1]
    q = np.where(half[:, None] == 0, archive[7], archive[3]).astype(np.float32)
    np.testing.assert_allclose(method.targets(ROWS), q / q.sum(axis=1, keepdims=True), atol=1e-6)
    drawn = np.concatenate(method.draw())
    assert sorted(drawn) == list(ROWS)  # the last network is given everything
    for number, part in ((1, 0), (5, 1)):
        method.begin_epoch(epoch(number, archive[: number - 1]))
        drawn = np.concatenate(method.draw())
        # As many as in a whole epoch, which the learning-rate schedule counts on.
        assert set(half[drawn]) == {part} and len(drawn) == 6
    made = fit("self_learning", own={"answers": "oof", "iterations": 1}, epochs=2)
    half = made._state.method.half
    labels = made._state.method.training.labels
    other = fit(
        "self_learning",
        np.where(half == 1, 1 - labels, labels),
        own={"answers": "oof", "iterations": 1},
        epochs=2,
    )
    a, b = made.eval_probabilities_, other.eval_probabilities_
    assert a.shape[0] == 6 and np.array_equal(a[:2], b[:2]) and not np.array_equal(a[2:4], b[2:4])


def test_hard_answers_of_a_network_that_fits_everything_are_one_more_plain_training(
    fit: Callable[..., Trainer],
) -> None:
    easy = {"learning_rate": 5e-2, "epochs": 25, "model": {"hidden": 32, "dropout": 0.0}}
    easy["given"] = np.repeat([0, 1] * 4, 5)
    own = {"iterations": 1, "self_labels": "hard"}
    made = fit("self_learning", own=own, **easy)
    assert made.history_[24].train_accuracy == 1
    assert_bits(made, fit("self_learning", own={"iterations": 1, "inherited_weight": 1.0}, **easy))


@pytest.mark.parametrize(
    ("method", "own", "words"),
    [
        ("label_smoothing", {"smoothing": 1.5}, "smoothing is 1.5"),
        ("gce", {"q": -0.1}, "q is -0.1"),
        ("elr", {"decay": 2.0}, "decay is 2.0"),
        ("selc", {"label_momentum": -1.0}, "label_momentum is -1.0"),
        ("self_learning", {"self_labels": "firm"}, "self_labels is 'firm'"),
        ("self_learning", {"answers": "oof", "period": "epoch"}, "set period to 'iteration'"),
        ("mdyr", {"bootstrap": "firm"}, "bootstrap is 'firm'"),
        ("joint", {"window": 0}, "window is 0"),
    ],
)
def test_settings_are_checked(method: str, own: dict[str, Any], words: str) -> None:
    with pytest.raises(MerKitError, match=words):
        TrainingSettings(method=method, own=own)


def test_answers_of_other_songs_need_two_songs() -> None:
    with pytest.raises(MerKitError, match="expected at least two songs"):
        started("self_learning", np.array([0]), answers="oof")


# ---- joint optimisation --------------------------------------------------------------------------


def test_joint_labels_are_the_mean_of_the_last_passes_and_stay_in_its_second_step() -> None:
    archive, method = passes(7), started("joint", window=2)
    for number, rows in ((2, [0]), (3, [0, 1]), (4, [1, 2]), (5, [2, 3]), (8, [2, 3])):
        method.begin_epoch(epoch(number, archive[: number - 1]))
        expected = archive[rows].astype(np.float64).mean(axis=0)
        expected /= expected.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(method.targets(ROWS), expected, atol=1e-6)
        assert (method.penalty(LOGITS, ROWS) is None) == (number > 4)
    changed = (expected.argmax(axis=1) != LABELS).mean()
    assert method.summary() == {"relabelled": changed}
    method.begin_epoch(epoch(1, archive[:0], phase="warmup"))
    assert torch.equal(method.targets(ROWS), Y) and method.summary() == {"relabelled": 0.0}
    # Ten times the same answer: the label is that answer, and cross-entropy has no gradient.
    method = started("joint", prior_weight=0.0, entropy_weight=0.0)
    logits = LOGITS.clone().requires_grad_()
    same = torch.softmax(LOGITS, dim=1).numpy()
    method.begin_epoch(epoch(4, np.repeat(same[None], 3, axis=0)))
    method.segment_loss(logits, method.targets(ROWS)).sum().backward()
    assert float(logits.grad.abs().max()) < 1e-6


def test_penalties_of_joint_optimisation() -> None:
    method = started("joint", prior_weight=0.0, entropy_weight=2.0)
    method.begin_epoch(epoch(1, phase="warmup"))
    p = torch.softmax(LOGITS, dim=1).numpy()
    expected = 2 * stats.entropy(p, axis=1).mean()
    assert float(method.penalty(LOGITS, ROWS)) == pytest.approx(expected, rel=1e-5)
    assert float(method.penalty(torch.zeros(4, 3), ROWS[:4])) == pytest.approx(2 * math.log(3))
    assert float(method.penalty(100 * Y, ROWS)) < 1e-6
    # A step along the entropy's gradient makes an answer surer.
    logits = torch.tensor([[0.4, 0.1, 0.0]], requires_grad=True)
    method.penalty(logits, ROWS[:1]).backward()
    after = torch.softmax(logits - logits.grad, dim=1).detach().numpy()
    assert stats.entropy(after[0]) < stats.entropy([*torch.softmax(logits, 1).detach().numpy()[0]])


def test_the_divergence_from_the_prior() -> None:
    prior = started("joint").prior
    np.testing.assert_allclose(prior, [1 / 2, 1 / 3, 1 / 6], atol=1e-7)
    mean = torch.softmax(LOGITS, dim=1).mean(dim=0).numpy()
    expected = stats.entropy([1 / 2, 1 / 3, 1 / 6], mean)
    assert float(objectives.prior_divergence(LOGITS, prior)) == pytest.approx(expected, rel=1e-5)
    # Zero where the batch has the prior's fractions, and nowhere else; an empty class is no trouble.
    assert float(objectives.prior_divergence(100 * Y, prior)) == pytest.approx(0, abs=1e-6)
    assert float(objectives.prior_divergence(LOGITS, torch.tensor([1.0, 0.0, 0.0]))) > 0


def test_the_second_step_of_joint_optimisation_has_a_fresh_network_and_falling_rates(
    fit: Callable[..., Trainer],
) -> None:
    made = fit("joint", epochs=3)
    rates = [record.learning_rate for record in made.history_]
    assert rates[:3] == [1e-2] * 3 and rates[5] < rates[4] < 1e-2 and len(rates) == 6


# ---- M-DYR ---------------------------------------------------------------------------------------


def test_the_beta_mixture_recovers_what_losses_were_drawn_from() -> None:
    rng = np.random.default_rng(0)
    losses = torch.from_numpy(3 * np.r_[rng.beta(2, 8, 14000), rng.beta(8, 2, 6000)])
    mixture = mdyr.fit_betas(losses, percentiles=(0, 100), steps=100)
    assert mixture.alphas == pytest.approx((2, 8), rel=0.1)
    assert mixture.betas == pytest.approx((8, 2), rel=0.1)
    assert mixture.weights == pytest.approx((0.7, 0.3), rel=0.1)
    # Ten steps, the default, are those of EM written out.
    x = np.clip(mixture.scaled(losses).numpy(), 1e-4, 1 - 1e-4)
    a, b, weight = np.array([[1.0, 2.0], [2.0, 1.0], [0.5, 0.5]])
    for _ in range(10):
        r = weight[:, None] * stats.beta.pdf(x, a[:, None], b[:, None])
        r /= r.sum(axis=0)
        mean = np.array([np.average(x, weights=row) for row in r])
        variance = [np.average((x - m) ** 2, weights=row) for m, row in zip(mean, r, strict=True)]
        a = mean * (mean * (1 - mean) / variance - 1)
        b, weight = a * (1 - mean) / mean, r.mean(axis=1)
    ten = mdyr.fit_betas(losses, percentiles=(0, 100))
    np.testing.assert_allclose([ten.alphas, ten.betas, ten.weights], [a, b, weight], rtol=1e-6)
    # By default the smallest and the largest twentieth are left out, and scaled to the ends.
    trimmed = mdyr.fit_betas(losses)
    assert (trimmed.low, trimmed.high) == tuple(np.percentile(losses, [5, 95]))
    w = trimmed.posterior(losses)
    assert w[:14000].mean() < 0.2 and w[14000:].mean() > 0.9
    assert mdyr.fit_betas(torch.ones(50)) is None


def test_moments_and_posterior_of_the_beta_mixture() -> None:
    x = np.random.default_rng(0).beta(2, 5, 300)
    a, b = mdyr.shapes(torch.from_numpy(x), torch.ones(300))
    assert stats.beta.mean(a, b) == pytest.approx(x.mean())
    assert stats.beta.var(a, b) == pytest.approx(x.var())
    losses = torch.linspace(0, 1, 101, dtype=torch.float64)
    inner = losses[1:-1]
    for alphas, betas in (
        ((2.0, 5.0), (7.0, 3.0)),
        ((2.0, 9.0), (3.0, 5.0)),
        ((6.0, 2), (8.0, 1.5)),
    ):
        mixture = mdyr.BetaMixture(alphas, betas, (0.7, 0.3))
        clean, noisy = (
            weight * stats.beta.pdf(inner, alpha, beta)
            for weight, alpha, beta in zip((0.7, 0.3), alphas, betas, strict=True)
        )
        ratio = torch.sigmoid(mixture.log_ratio(inner))
        np.testing.assert_allclose(ratio, noisy / (clean + noisy), rtol=1e-9)
        w = mixture.posterior(losses).numpy()
        assert (np.diff(w) >= 0).all() and w[0] < w[-1]
        # Where the ratio itself rises nothing is changed.
        rising = np.gradient(ratio.numpy()) > 0
        np.testing.assert_allclose(w[1:-1][rising], ratio.numpy()[rising], rtol=1e-9)


@pytest.mark.parametrize("bootstrap", ["hard", "soft"])
def test_mdyr_labels(bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Targets are (1 − w)·y + w·z; with w = 1 the inherited label is gone."""
    archive = np.random.default_rng(0).dirichlet(np.ones(3), size=(1, 6)).astype(np.float16)
    method = started("mdyr", bootstrap=bootstrap)
    method.begin_epoch(epoch(2, archive))
    method.answers = LOGITS.float()
    p = torch.softmax(LOGITS, dim=1).float()
    z = {"soft": p, "hard": functional.one_hot(p.argmax(dim=1), 3)}[bootstrap]
    w = method.mixture.posterior(objectives.cross_entropy(method.answers, Y))[:, None]
    assert float(w.min()) < 0.1 < 0.9 < float(w.max())
    np.testing.assert_allclose(method.targets(ROWS), (1 - w) * Y + w * z, atol=1e-6)
    losses = -np.log(archive[0].astype(float)[ROWS, LABELS])
    mean = float(method.mixture.posterior(torch.from_numpy(losses)).mean())
    assert method.summary()["noisy_fraction"] == pytest.approx(mean, rel=1e-6)
    capped = started("mdyr", bootstrap=bootstrap, max_noisy=mean / 4)
    capped.begin_epoch(epoch(2, archive))
    capped.answers = method.answers
    np.testing.assert_allclose(capped.targets(ROWS), (1 - w / 4) * Y + w / 4 * z, atol=1e-6)
    monkeypatch.setattr(mdyr.BetaMixture, "posterior", lambda self, losses: torch.ones(len(losses)))
    np.testing.assert_allclose(method.targets(ROWS), z, atol=1e-6)


def test_the_weight_of_mixup_in_mdyr_is_not_folded() -> None:
    method, same = started("mdyr"), numpy_generator(0, "mixup")
    drawn = [method.delta() for _ in range(20)]
    assert drawn == [same.beta(0.75, 0.75) for _ in range(20)] and min(drawn) < 0.5 < max(drawn)


def test_mdyr_keeps_every_label_in_the_warm_up_or_where_all_losses_are_equal() -> None:
    method = started("mdyr")
    method.begin_epoch(epoch(2, passes(1), phase="warmup"))
    assert torch.equal(method.targets(ROWS), Y) and method.penalty(LOGITS, ROWS) is None
    method.begin_epoch(epoch(2, np.full((1, 6, 3), 1 / 3, dtype=np.float16)))
    assert torch.equal(method.targets(ROWS), Y) and method.penalty(LOGITS, ROWS) is None
    assert method.summary() == {"noisy_fraction": 0.0}


def test_the_look_of_mdyr_leaves_batch_statistics_and_dropout_alone() -> None:
    network = networks.build("vgg16", 3, n_features=32, width=1, head_pool=1, batch_norm=True)
    x = torch.randn(6, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network.eval()(x)
    network.train()
    method = started("mdyr")
    method.begin_epoch(epoch(2, passes(1)))
    method.loss([network], x, ROWS)[0].backward()
    np.testing.assert_allclose(method.answers, expected, atol=1e-5)
    # The step itself is the only batch that was counted.
    counted = [int(n) for name, n in network.named_buffers() if name.endswith("tracked")]
    assert counted and max(counted) <= 1
