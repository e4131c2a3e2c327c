"""Co-teaching and DivideMix: steps against the formulae, and settings at which they are others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from mer_kit.checks import MerKitError
from mer_kit.training import Trainer, TrainingSettings, evaluation
from mer_kit.training.evaluation import ArraySegments, Standardise
from mer_kit.training.methods import dividemix
from mer_kit.training.partition import fit_partition
from mer_kit.training.training_state import TrainingState
from tests.training.small_methods import CPU, epoch, network, some_segments, started

SONGS = np.repeat(np.arange(12), 5)
LABELS = SONGS % 3
X = some_segments(len(SONGS))
X[np.arange(len(SONGS)), LABELS] += 3
ROWS = np.random.default_rng(1).permutation(len(SONGS))[:16]
SMALL = {"network": "mlp", "n_classes": 3, "model": {"hidden": 6, "dropout": 0.3}, "epochs": 4}
DATA = ArraySegments(X), LABELS, SONGS
Made = Callable[..., Trainer]


def probabilities(net: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    return torch.softmax(net(torch.from_numpy(x)).double(), dim=1).detach().numpy()


def equal_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


# ---- co-teaching -----------------------------------------------------------------------------------


def test_each_network_learns_from_the_smallest_losses_of_the_other() -> None:
    made = started("coteaching", LABELS, SONGS, own={"forget": 0.3, "forget_epochs": 2.0})
    nets = [network(3, seed=0), network(3, seed=1)]
    made.begin_epoch(epoch(9, "plain"))
    found = made.loss(nets, torch.from_numpy(X[ROWS]), ROWS)
    each = [-np.log(probabilities(one, X[ROWS])[np.arange(16), LABELS[ROWS]]) for one in nets]
    for n in (0, 1):
        easy = np.argsort(each[1 - n])[:11]  # of 16, three tenths are forgotten
        assert float(found[n].detach()) == pytest.approx(each[n][easy].mean(), rel=1e-5)
    assert set(np.argsort(each[0])[:11]) != set(np.argsort(each[1])[:11])


def test_what_is_forgotten_rises_from_nothing(trainer: Made) -> None:
    own = {"forget": 0.4, "forget_epochs": 2.0}
    made = trainer(method="coteaching", **SMALL, own=own).fit(*DATA)
    assert [record.own["forgotten"] for record in made.history_] == [0, 0.2, 0.4, 0.4]


def test_without_forgetting_each_network_is_one_of_ce(
    trainer: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first draws the dropout of ce too; the second one's is its own, so here there is none."""
    build = TrainingState._network
    for number, dropout in ((0, 0.3), (1, 0.0)):
        small = SMALL | {"model": {"hidden": 6, "dropout": dropout}, "share": 0.6}
        made = trainer(method="coteaching", own={"forget": 0.0}, **small).fit(*DATA)
        first, second = made._trained().networks
        assert not equal_weights(first, second)
        with monkeypatch.context() as patch:
            patch.setattr(
                TrainingState, "_network", lambda self, _, stage, n=number: build(self, n, stage)
            )
            plain = trainer(method="ce", **small).fit(*DATA)
        assert equal_weights((first, second)[number], plain._trained().networks[0])


# ---- DivideMix -------------------------------------------------------------------------------------


def divided(**own: float) -> dividemix.Method:
    """Return the method in an epoch for which the two networks divide the segments differently."""
    made = started(
        "dividemix",
        LABELS,
        SONGS,
        x=X,
        own=own,
        min_gap=0.0,
        min_per_class=0,
        ramp_fraction=0.0,
        ramp_epochs=4.0,
    )
    assert isinstance(made, dividemix.Method)
    noise = np.random.default_rng(2)
    wrong = noise.random((2, len(SONGS))) < 0.3
    made.losses = torch.from_numpy(noise.gamma(2, 0.2, wrong.shape) + 0.8 * wrong)
    made.begin_epoch(epoch(5, "ssl", since=1))
    for one in made.divisions:  # some segments of X are doubtful
        assert one.separated and (np.abs(one.omega[ROWS] - 0.74) < 0.24).any()
    return made


def literal(
    made: dividemix.Method, nets: list[torch.nn.Module], n: int, partner: np.ndarray, delta: float
) -> float:
    """Return the loss of network n by Li et al.'s algorithm 1, segment by segment, no dropout."""
    x, division = X[ROWS], made.divisions[1 - n]
    own, both = probabilities(nets[n], x), np.mean([probabilities(one, x) for one in nets], axis=0)
    targets = np.empty((16, 3))
    for i, row in enumerate(ROWS):
        w = division.omega[row]
        q = w * np.eye(3)[LABELS[row]] + (1 - w) * own[i] if w > 0.5 else both[i]
        targets[i] = q**2 / (q**2).sum()
    p = probabilities(nets[n], (delta * x + (1 - delta) * x[partner]).astype(np.float32))
    mixed = delta * targets + (1 - delta) * targets[partner]
    clean = division.omega[ROWS] > 0.5
    labelled = -(mixed * np.log(p)).sum(axis=1)[clean].mean()
    guessed = ((p - mixed)[~clean] ** 2).mean()
    lambda_u = 5.0 * (1 + made.seen / len(made.rows)) / 4
    return labelled + lambda_u * guessed + 0.3 * entropy(made.prior.numpy(), p.mean(axis=0))


def test_a_step_equals_the_formulae() -> None:
    made, nets = divided(lambda_u=5.0, balance=0.3), [network(3, seed=0), network(3, seed=1)]
    made.rows, made.seen = np.arange(40), 10
    draws = copy.deepcopy(made.training.generators["mixup"])
    partner, delta = draws.permutation(16), draws.beta(0.75, 0.75)
    expected = [literal(made, nets, n, partner, max(delta, 1 - delta)) for n in (0, 1)]
    found = made.loss(nets, torch.from_numpy(X[ROWS]), ROWS)
    assert [float(one.detach()) for one in found] == pytest.approx(expected, rel=1e-5)
    assert made.seen == 26 and made.divisions[0].clean.tolist() != made.divisions[1].clean.tolist()
    loss = made.sums.mean("loss")
    assert loss == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_network_and_its_copy_stay_the_same() -> None:
    made = divided(guesses=3)
    made.losses[1] = made.losses[0]
    made.begin_epoch(epoch(5, "ssl"))
    made.draw()
    one = network(3, dropout=0.4)
    for streams in (made.dropouts, made.guessing):
        streams[:] = [torch.Generator().manual_seed(7) for _ in range(2)]
    first, second = made.loss([one, copy.deepcopy(one)], torch.from_numpy(X[ROWS]), ROWS)
    assert torch.equal(first, second)
    alone, _ = made.loss([one, network(3, seed=1)], torch.from_numpy(X[ROWS]), ROWS)
    assert not torch.equal(first, alone)


def test_a_guess_is_the_mean_of_passes_with_dropout_and_leaves_the_batch_norm_alone() -> None:
    made, one = divided(guesses=2), network(3, dropout=0.5)
    one.classifier.insert(0, torch.nn.BatchNorm1d(6))
    before = copy.deepcopy(one.state_dict())
    generator, again = (torch.Generator().manual_seed(3) for _ in range(2))
    found = made._answer(one, torch.from_numpy(X), generator)
    h = one.trunk(torch.from_numpy(X))
    one.classifier[0].eval()
    passes = [torch.softmax(one.head(h, generator=again), dim=1) for _ in range(2)]
    torch.testing.assert_close(found, (passes[0] + passes[1]) / 2)
    assert not torch.equal(*passes) and not found.requires_grad
    torch.testing.assert_close(one.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("renew", [True, False])
def test_mixed_segments_leave_the_batch_norm_alone_where_it_is_renewed(renew: bool) -> None:
    made, nets = divided(), [network(3, seed=0), network(3, seed=1)]
    made.s = replace(made.s, renew_batch_norm=renew)
    made.draw()
    for one in nets:
        one.classifier.insert(0, torch.nn.BatchNorm1d(6))
    made.loss(nets, torch.from_numpy(X[ROWS]), ROWS)
    assert [bool(one.classifier[0].running_mean.any()) for one in nets] == [not renew] * 2


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("rows", [ROWS, ROWS[:1]])
def test_a_batch_without_x_or_without_u_is_harmless(clean: bool, rows: np.ndarray) -> None:
    made, nets = divided(), [network(3, seed=0), network(3, seed=1)]
    made.draw()
    for division in made.divisions:
        division.clean[:] = clean
    losses = made.loss(nets, torch.from_numpy(X[rows]), rows)
    torch.autograd.backward(losses)
    grads = [one.grad for net in nets for one in net.parameters()]
    assert all(torch.isfinite(one).all() for one in (*losses, *grads))
    assert np.isnan(made.sums.mean("mix")) != clean


def test_without_a_division_and_further_losses_each_network_is_one_of_mixup(trainer: Made) -> None:
    settings = {"min_gap": 1e9, "warmup_mixup": True, "own": {"balance": 0.0}}
    settings |= {"restart_schedule": False}
    made = trainer(method="dividemix", **SMALL | settings).fit(*DATA)
    mixup = trainer(method="mixup", **SMALL).fit(*DATA)
    assert equal_weights(made._trained().networks[0], mixup._trained().networks[0])
    assert all(record.n_unlabelled == 0 for record in made.history_)
    assert made.history_[-1].phase == "ssl" and made.history_[-1].own["n_labelled_2"] == 60


def test_each_network_divides_by_its_own_evaluation_pass(trainer: Made) -> None:
    made = trainer(method="dividemix", **SMALL).fit(*DATA)
    state = made._trained()
    for net, kept in zip(state.networks, state.method.state()["losses"], strict=True):
        p = evaluation.probabilities(net, DATA[0], state.standardise, CPU)
        assert np.array_equal(kept.numpy(), evaluation.losses(p, LABELS))
    assert isinstance(state.standardise, Standardise) and kept.min() < kept.max()


def test_history_has_the_sizes_of_both_divisions() -> None:
    made = divided()
    first, second = (
        fit_partition(
            one.numpy(), LABELS, n_classes=3, settings=replace(made.s.partition, dip_test=False)
        )
        for one in made.losses
    )
    made.draw()
    assert made.partition is made.divisions[0]
    assert made.partition.clean.tolist() == first.clean.tolist()
    assert made.summary() == {"lambda_u": 2 / 4, "n_labelled_2": second.clean.sum()}


@pytest.mark.parametrize(
    ("name", "own"), [("coteaching", {"forget": 0.3}), ("dividemix", {"lambda_u": 3.0})]
)
def test_both_networks_go_on_from_a_checkpoint_bit_for_bit(
    name: str, own: dict[str, float], trainer: Made, same_training: Callable, tmp_path: Path
) -> None:
    def stop(record: object) -> None:
        raise KeyboardInterrupt

    small = SMALL | {"method": name, "own": own, "warmup_epochs": 1, "min_per_class": 0}
    small |= {"max_unlabelled": 0.3}
    whole = trainer(**small).fit(*DATA)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            trainer(**small, checkpoint_file=tmp_path / "c", on_epoch=stop).fit(*DATA)
    same_training(trainer(**small, checkpoint_file=tmp_path / "c").fit(*DATA), whole)
    divided = [record.n_unlabelled > 0 for record in whole.history_]
    assert divided == [False, *[name == "dividemix"] * 3]


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("coteaching", {"forget": 1.5}),
        ("coteaching", {"forget_epochs": -1.0}),
        ("dividemix", {"lambda_u": -1.0}),
        ("dividemix", {"balance": -1.0}),
        ("dividemix", {"guesses": 0}),
    ],
)
def test_settings_are_checked(name: str, own: dict[str, float]) -> None:
    with pytest.raises(MerKitError, match=f"^{next(iter(own))} is "):
        TrainingSettings.of(method=name, own=own)
