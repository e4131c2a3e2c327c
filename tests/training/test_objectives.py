"""Every formula of the paper against plain numpy, scipy and hand-computed numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax, softmax

from mer_kit.checks import MerKitError
from mer_kit.training import objectives

LOGITS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(2, 5)),
    elements=st.floats(-12, 12, width=32),
)
TEMPERATURES = st.floats(0.1, 4)


def _pair(seed: int, n: int = 7, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(0, 2, (n, k)), generator.normal(0, 2, (n, k))


def _t(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array, dtype=torch.float32)


# ---- sharpening (Eq. 4) --------------------------------------------------------------------------


@given(LOGITS, TEMPERATURES)
@settings(deadline=None, max_examples=60)
def test_sharpen_is_the_power_of_the_paper_in_numpy(logits, temperature):
    p = softmax(logits, axis=1)
    powered = p ** (1 / temperature)
    expected = powered / powered.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        objectives.sharpen(_t(logits), temperature).numpy(), expected, atol=2e-5
    )


@given(LOGITS)
@settings(deadline=None, max_examples=30)
def test_sharpen_at_1_changes_nothing(logits):
    np.testing.assert_allclose(
        objectives.sharpen(_t(logits), 1.0).numpy(), softmax(logits, axis=1), atol=1e-6
    )


@given(hnp.arrays(np.int64, (5, 4), elements=st.integers(-20, 20)), TEMPERATURES)
@settings(deadline=None, max_examples=40)
def test_sharpen_keeps_the_ranking(steps, temperature):
    """No class overtakes another; the likeliest stays the likeliest (a negative exponent would
    invert this).
    """
    logits = steps / 8
    soft = objectives.sharpen(_t(logits), temperature).numpy()
    order = np.argsort(logits, axis=1, kind="stable")
    ranked, ranked_soft = np.take_along_axis(logits, order, 1), np.take_along_axis(soft, order, 1)
    assert (np.diff(ranked_soft, axis=1) >= -1e-7).all()
    assert (np.diff(ranked_soft, axis=1)[np.diff(ranked, axis=1) > 0] >= 0).all()
    assert (soft.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_sharpen_near_0_is_one_hot_and_survives_logits_that_overflow_a_power():
    logits = torch.tensor([[2.0, 1.0, 0.0], [-900.0, 900.0, 0.0]])
    np.testing.assert_array_equal(objectives.sharpen(logits, 1e-3).numpy(), [[1, 0, 0], [0, 1, 0]])


def test_sharpen_lowers_the_entropy_below_1_and_raises_it_above():
    logits = _t(_pair(0)[0])
    entropy = [
        scipy.stats.entropy(objectives.sharpen(logits, t).numpy(), axis=1) for t in (0.5, 1.0, 2.0)
    ]
    assert (entropy[0] < entropy[1]).all() and (entropy[1] < entropy[2]).all()


def test_sharpen_passes_no_gradient():
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert not objectives.sharpen(logits).requires_grad


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), "half"])
def test_sharpen_needs_a_positive_temperature(temperature):
    with pytest.raises(MerKitError, match="temperature is .* expected a number above 0"):
        objectives.sharpen(torch.zeros(1, 2), temperature)


# ---- cross-entropy (Eq. 2) -----------------------------------------------------------------------


@given(LOGITS, st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_cross_entropy_against_numpy_for_soft_targets(logits, seed):
    targets = np.random.default_rng(seed).dirichlet(np.ones(logits.shape[1]), len(logits))
    expected = -(targets * log_softmax(logits, axis=1)).sum(axis=1)
    np.testing.assert_allclose(
        objectives.cross_entropy(_t(logits), _t(targets)).numpy(), expected, rtol=1e-5, atol=1e-5
    )


def test_cross_entropy_of_a_one_hot_target_is_torchs_own():
    logits, labels = _t(_pair(1)[0]), torch.tensor([0, 1, 2, 3, 3, 1, 0])
    own = objectives.cross_entropy(logits, torch.eye(4)[labels])
    torch.testing.assert_close(
        own, torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    )


@pytest.mark.parametrize("n_classes", [2, 4, 7])
def test_the_loss_of_equal_logits_is_log_k(n_classes):
    loss = objectives.cross_entropy(torch.zeros(1, n_classes), torch.eye(n_classes)[:1])
    assert float(loss) == pytest.approx(np.log(n_classes), abs=1e-6)


def test_cross_entropy_computes_bfloat16_logits_in_float32():
    logits = torch.tensor([[3.0, -2.0]], dtype=torch.bfloat16)
    assert objectives.cross_entropy(logits, torch.tensor([[0.0, 1.0]])).dtype == torch.float32


# ---- mixup (Eq. 6–8) -----------------------------------------------------------------------------


@given(st.integers(1, 8), st.floats(0, 1), st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_mix_against_a_loop(n, delta, seed):
    generator = np.random.default_rng(seed)
    x, partner = generator.normal(size=(n, 1, 3, 2)), generator.permutation(n)
    mixed = objectives.mix(_t(x), torch.from_numpy(partner), delta).numpy()
    for p, q in enumerate(partner):
        np.testing.assert_allclose(mixed[p], delta * x[p] + (1 - delta) * x[q], atol=1e-5)


@given(st.integers(0, 2**31), st.floats(0.5, 1))
@settings(deadline=None, max_examples=40)
def test_mixup_loss_is_the_cross_entropy_against_the_mixed_target(seed, delta):
    """Eq. 8 spells two cross-entropies; Eq. 7 mixes the targets: the same number, computed here in
    numpy.
    """
    generator = np.random.default_rng(seed)
    logits, targets = generator.normal(0, 2, (6, 4)), generator.dirichlet(np.ones(4), 6)
    partner = generator.permutation(6)
    mixed_targets = delta * targets + (1 - delta) * targets[partner]
    expected = -(mixed_targets * log_softmax(logits, axis=1)).sum(axis=1).mean()
    loss = objectives.mixup_loss(_t(logits), _t(targets), torch.from_numpy(partner), delta)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_mixup_at_delta_1_is_plain_cross_entropy():
    logits, targets = _t(_pair(2)[0]), torch.eye(4)[torch.tensor([0, 1, 2, 3, 0, 1, 2])]
    partner = torch.arange(6, -1, -1)
    plain = objectives.cross_entropy(logits, targets).mean()
    torch.testing.assert_close(objectives.mixup_loss(logits, targets, partner, 1.0), plain)
    torch.testing.assert_close(objectives.mix(logits, partner, 1.0), logits)


@pytest.mark.parametrize("delta", [-0.1, 1.1, float("nan")])
def test_mix_needs_a_share(delta):
    with pytest.raises(MerKitError, match="delta is .* expected a number from 0 to 1"):
        objectives.mix(torch.zeros(2, 1), torch.tensor([1, 0]), delta)


@pytest.mark.parametrize("alpha", [0.2, 0.75, 4.0])
def test_delta_is_a_folded_beta(alpha):
    """max(δ, 1 − δ) of a symmetric Beta has the distribution function 2 F(x) − 1 on ½…1
    (Kolmogorov–Smirnov).
    """
    generator = np.random.default_rng(5)
    draws = np.array([objectives.draw_delta(generator, alpha=alpha) for _ in range(2000)])
    assert draws.min() >= 0.5 and draws.max() <= 1
    beta = scipy.stats.beta(alpha, alpha)
    assert scipy.stats.kstest(draws, lambda x: 2 * beta.cdf(x) - 1).pvalue > 0.01
    other = scipy.stats.beta(2 * alpha, 2 * alpha)
    assert (
        scipy.stats.kstest(draws, lambda x: 2 * other.cdf(x) - 1).pvalue < 1e-6
    )  # the test can tell


def test_delta_defaults_to_mixmatchs_alpha_and_comes_from_its_generator():
    one, same, other = (objectives.draw_delta(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert one == objectives.draw_delta(np.random.default_rng(1), alpha=0.75)
    with pytest.raises(MerKitError, match="alpha is 0"):
        objectives.draw_delta(np.random.default_rng(0), alpha=0)


# ---- R-Drop (Eq. 9) ------------------------------------------------------------------------------


@given(LOGITS, st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_symmetric_kl_against_scipy(first, seed):
    second = first + np.random.default_rng(seed).normal(0, 1, first.shape)
    p, q = softmax(first, axis=1), softmax(second, axis=1)
    expected = 0.5 * (scipy.stats.entropy(p, q, axis=1) + scipy.stats.entropy(q, p, axis=1))
    kl = objectives.symmetric_kl(_t(first), _t(second)).numpy()
    np.testing.assert_allclose(kl, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(kl, objectives.symmetric_kl(_t(second), _t(first)).numpy())
    assert (kl >= 0).all()


def test_symmetric_kl_by_hand():
    """P = (¾, ¼), Q = (½, ½): ½ (¼ log 3/2 − ¼ log 1/2) = ⅛ log 3."""
    p, q = torch.log(torch.tensor([[0.75, 0.25]])), torch.log(torch.tensor([[0.5, 0.5]]))
    assert float(objectives.symmetric_kl(p, q)) == pytest.approx(np.log(3) / 8, rel=1e-6)


def test_rdrop_does_not_depend_on_the_batch_size():
    """The same samples twice give the same loss and the same gradient per logit sum (a sum would
    double both).
    """
    first, second = (_t(x).requires_grad_() for x in _pair(3))
    loss = objectives.rdrop_loss(first, second)
    twice = objectives.rdrop_loss(torch.cat([first, first]), torch.cat([second, second]))
    torch.testing.assert_close(loss, twice)
    for wanted in (first, second):
        torch.testing.assert_close(
            *(torch.autograd.grad(x, wanted, retain_graph=True)[0] for x in (loss, twice))
        )
    p, q = (softmax(x.detach().numpy(), axis=1) for x in (first, second))
    expected = 0.5 * (scipy.stats.entropy(p, q, axis=1) + scipy.stats.entropy(q, p, axis=1)).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_rdrop_moves_both_passes():
    first, second = (_t(x).requires_grad_() for x in _pair(4))
    objectives.rdrop_loss(first, second).backward()
    assert float(first.grad.abs().sum()) > 0.01 and float(second.grad.abs().sum()) > 0.01


def test_rdrop_of_an_empty_U_is_0_and_can_be_trained_on():
    empty = torch.zeros(0, 4, requires_grad=True)
    loss = objectives.rdrop_loss(empty, empty)
    loss.backward()
    assert loss.item() == 0.0 and empty.grad.shape == (0, 4)


# ---- λ and the total (Eq. 10) --------------------------------------------------------------------


@given(st.floats(0, 100), st.floats(0, 5), st.floats(0.1, 50))
@settings(deadline=None, max_examples=60)
def test_ramp_is_a_clipped_line(epochs, weight, ramp_epochs):
    value = objectives.ramp(epochs, weight=weight, ramp_epochs=ramp_epochs)
    assert value == pytest.approx(weight * np.interp(epochs, [0, ramp_epochs], [0, 1]), abs=1e-9)


def test_ramp_before_the_split_is_0_and_without_length_is_full():
    assert objectives.ramp(-3, ramp_epochs=16) == 0.0
    assert objectives.ramp(0, weight=0.3, ramp_epochs=0) == 0.3


def test_total_loss_and_proposed_star():
    mixed, consistency = torch.tensor(1.5), torch.tensor(0.25)
    assert float(objectives.total_loss(mixed, consistency, 2.0)) == 2.0
    assert (
        objectives.total_loss(mixed, torch.tensor(float("nan")), 0.0) is mixed
    )  # λ = 0 leaves L_KL out altogether
