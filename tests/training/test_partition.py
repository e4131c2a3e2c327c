"""The loss mixture against planted ones, the clamp against the raw posterior, and every guard."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.training.mixture import Mixture, fit_mixture
from mer_kit.training.partition import PartitionSettings as P
from mer_kit.training.partition import fit_partition


def _planted(n: int = 2000, noise: float = 0.25, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Losses of which a share `noise` is drawn around 2.0 nats, the others around 0.3; and which
    are clean.
    """
    generator = np.random.default_rng(seed)
    clean = generator.permutation(n) >= round(noise * n)
    return np.where(clean, generator.normal(0.3, 0.08, n), generator.normal(2.0, 0.25, n)), clean


def _labels(n: int, n_classes: int = 2) -> np.ndarray:
    return np.arange(n) % n_classes


# ---- the mixture ---------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.1, 0.3, 0.6])
def test_planted_mixture_is_recovered(noise):
    losses, clean = _planted(4000, noise)
    mixture = fit_mixture(losses, clip_percentiles=(0.0, 100.0), reg_covar=1e-6)
    span = losses.max() - losses.min()
    np.testing.assert_allclose(mixture.weights, [1 - noise, noise], atol=0.01)
    np.testing.assert_allclose(np.array(mixture.means) * span + losses.min(), [0.3, 2.0], atol=0.02)
    np.testing.assert_allclose(np.array(mixture.sds) * span, [0.08, 0.25], rtol=0.06)
    result = fit_partition(losses, _labels(len(losses)), n_classes=2)
    assert (result.clean == clean).mean() > 0.999 and result.separated
    assert result.loss_gap == pytest.approx(1.7, abs=0.03)


def test_densities_are_weighted_normal_densities():
    mixture = Mixture((0.7, 0.3), (0.1, 0.6), (0.05, 0.2), 0.0, 1.0)
    x = np.linspace(0, 1, 21)
    expected = [
        w * scipy.stats.norm.pdf(x, m, s) for w, m, s in ((0.7, 0.1, 0.05), (0.3, 0.6, 0.2))
    ]
    np.testing.assert_allclose(mixture.densities(x), expected, rtol=1e-10)
    ratio = expected[0] / (expected[0] + expected[1])
    np.testing.assert_allclose(mixture.posterior(x, clamp=False), ratio, rtol=1e-9, atol=1e-12)


def test_normalise_maps_the_percentiles_to_0_and_1():
    losses = np.linspace(1, 5, 1001)
    mixture = fit_mixture(losses)
    assert (mixture.low, mixture.high) == (pytest.approx(1.04), pytest.approx(4.96))
    np.testing.assert_allclose(
        mixture.normalise(np.array([0.0, 1.04, 3.0, 4.96, 100.0])), [0, 0, 0.5, 1, 1], atol=1e-12
    )


def test_far_from_both_means_there_is_no_nan():
    mixture = Mixture((0.5, 0.5), (0.01, 0.99), (1e-3, 1e-3), 0.0, 1.0)
    np.testing.assert_array_equal(
        mixture.posterior(np.array([0.0, 0.3, 0.7, 1.0])).round(6), [1, 1, 0, 0]
    )


# ---- the clamp -----------------------------------------------------------------------------------


def test_without_the_clamp_the_best_fitted_samples_look_noisy():
    """A narrow clean Gaussian next to a wide one: the wide one wins again left of the clean mean."""
    mixture = Mixture((0.5, 0.5), (0.3, 0.6), (0.02, 0.3), 0.0, 1.0)
    raw, clamped = (mixture.posterior(np.array([0.0, 0.3]), clamp=clamp) for clamp in (False, True))
    assert raw[0] < 0.01 < 0.9 < raw[1]
    assert clamped[0] >= clamped[1] == raw[1]


def test_without_the_clamp_the_worst_fitted_samples_look_clean():
    """The other way round: a wide clean Gaussian wins again far right of the narrow noisy one."""
    mixture = Mixture((0.5, 0.5), (0.2, 0.5), (0.3, 0.02), 0.0, 1.0)
    raw, clamped = (mixture.posterior(np.array([0.5, 1.0]), clamp=clamp) for clamp in (False, True))
    assert raw[0] < 0.1 < 0.9 < raw[1]
    assert clamped[1] <= clamped[0] == raw[0]


def test_a_split_uses_the_posterior_that_was_asked_for():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(1.0, 0.05, 300), rng.normal(3.0, 2.0, 300).clip(0)])
    omega = {
        clamp: fit_partition(values, np.zeros(600, int), n_classes=1, settings=P(clamp=clamp)).omega
        for clamp in (False, True)
    }
    mixture = fit_mixture(values)
    for clamp, found in omega.items():
        np.testing.assert_allclose(found, mixture.posterior(values, clamp=clamp), atol=1e-6)
    far = values < 0.3
    assert (omega[False][far] < 0.5).all() and (omega[True][far] > 0.5).all() and far.sum() > 9


@given(
    st.floats(0.01, 0.99),
    st.floats(0, 0.9),
    st.floats(0.01, 1),
    st.floats(0.005, 0.5),
    st.floats(0.005, 0.5),
)
@settings(deadline=None, max_examples=300)
def test_clamped_posterior_never_rises_with_the_loss(weight, mean, distance, clean_sd, noisy_sd):
    mixture = Mixture((weight, 1 - weight), (mean, mean + distance), (clean_sd, noisy_sd), 0.0, 1.0)
    x = np.linspace(0, 1, 301)
    omega, raw = mixture.posterior(x), mixture.posterior(x, clamp=False)
    assert (np.diff(omega) <= 1e-12).all()
    assert ((omega >= 0) & (omega <= 1)).all()
    between = (x >= mean) & (x <= mean + distance)
    np.testing.assert_array_equal(
        omega[between], raw[between]
    )  # between the means nothing is touched


@given(st.integers(0, 2**31), st.floats(0.02, 2))
@settings(deadline=None, max_examples=25)
def test_clamped_split_is_a_threshold_on_the_loss(seed, scale):
    generator = np.random.default_rng(seed)
    losses = generator.gamma(1.0, scale, 300)
    result = fit_partition(
        losses,
        _labels(300),
        n_classes=2,
        settings=P(min_gap=0.0, clean_share=(0, 1), min_per_class=0),
    )
    if not result.clean.all():
        assert losses[result.clean].max() <= losses[~result.clean].min()


# ---- the guards, each ----------------------------------------------------------------------------


def _refused(result, n: int, why: str) -> None:
    assert not result.separated and why in result.note
    assert result.clean.all() and len(result.clean) == n  # every label is kept


def test_equal_losses_are_no_separation():
    result = fit_partition(np.full(100, 0.7), _labels(100), n_classes=2)
    _refused(result, 100, "all losses are equal")
    assert result.mixtures == (None,) and result.loss_gap == 0.0 and (result.omega == 1).all()


def test_losses_that_differ_by_rounding_alone_count_as_equal():
    losses = 0.7 + 1e-9 * _planted(100)[0]
    _refused(
        fit_partition(losses, _labels(100), n_classes=2, settings=P(min_gap=0.0)),
        100,
        "all losses are equal",
    )


def test_tau_itself_goes_to_U():
    """The paper: X holds those whose ω is larger than τ."""
    losses = np.random.default_rng(0).gamma(1.0, 1.0, 400)
    omega = fit_partition(losses, _labels(400), n_classes=2, settings=P(dip_test=False)).omega
    tau = np.sort(omega[(omega > 0.2) & (omega < 0.8)])[0]
    clean = fit_partition(
        losses, _labels(400), n_classes=2, settings=P(tau=tau, dip_test=False)
    ).clean
    np.testing.assert_array_equal(clean, omega > tau)
    assert not clean[omega == tau].any()


def test_a_small_gap_is_no_separation():
    losses, clean = _planted(1000)
    _refused(
        fit_partition(losses / 20, _labels(1000), n_classes=2),
        1000,
        "differ by 0.08 nat, under 0.1",
    )
    result = fit_partition(losses / 20, _labels(1000), n_classes=2, settings=P(min_gap=0.05))
    assert result.separated and (result.clean == clean).mean() > 0.99


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_x_of_nearly_all_or_none_is_no_separation(tau):
    losses, _ = _planted(1000)
    _refused(
        fit_partition(losses, _labels(1000), n_classes=2, settings=P(tau=tau)),
        1000,
        "outside 5%–98%",
    )


def test_share_guard_is_inclusive_and_says_the_share():
    losses, clean = _planted(1000, 0.04)
    proposed = fit_partition(losses, _labels(1000), n_classes=2, settings=P(dip_test=False))
    assert proposed.clean.sum() == clean.sum() == 960
    _refused(
        fit_partition(
            losses, _labels(1000), n_classes=2, settings=P(clean_share=(0.05, 0.95), dip_test=False)
        ),
        1000,
        "X would hold 96.0% of the",
    )
    assert fit_partition(
        losses, _labels(1000), n_classes=2, settings=P(clean_share=(0.05, 0.96), dip_test=False)
    ).separated


def test_a_class_that_X_would_lose_is_no_separation():
    losses, clean = _planted(1000)
    labels = np.where(clean, 0, 1)
    labels[np.flatnonzero(clean)[:5]] = 1  # of class 1 only five look clean
    _refused(
        fit_partition(losses, labels, n_classes=2),
        1000,
        "class 1 would keep 5 samples in X, under 8",
    )
    assert fit_partition(losses, labels, n_classes=2, settings=P(min_per_class=5)).separated


def test_a_class_that_was_too_small_all_along_does_not_count():
    losses, clean = _planted(1000)
    labels = np.zeros(1000, dtype=int)
    labels[np.flatnonzero(~clean)[:7]] = 1
    assert fit_partition(losses, labels, n_classes=3).separated  # class 2 is absent, class 1 has 7


# ---- the cap on U --------------------------------------------------------------------------------


@pytest.mark.parametrize("per_class", [False, True])
def test_cap_keeps_only_the_least_likely_to_be_clean_in_U(per_class):
    losses, clean = _planted(1000, 0.4)
    free = fit_partition(losses, _labels(1000), n_classes=2, settings=P(per_class=per_class))
    capped = fit_partition(
        losses, _labels(1000), n_classes=2, settings=P(per_class=per_class, max_unlabelled=0.15)
    )
    assert (~free.clean).sum() == 400 and (~capped.clean).sum() == 150 and capped.separated
    assert not (capped.clean & ~free.clean)[
        ~capped.clean
    ].any()  # what is capped comes out of U, nothing new goes in
    np.testing.assert_array_equal(capped.omega, free.omega)
    assert free.omega[~capped.clean].max() <= free.omega[capped.clean & ~free.clean].min()


def test_cap_of_29_percent_of_100_is_29():
    losses = np.r_[np.full(60, 0.1), np.linspace(5, 6, 40)]
    assert (
        ~fit_partition(losses, _labels(100), n_classes=2, settings=P(max_unlabelled=0.29)).clean
    ).sum() == 29  # 0.29 · 100 < 29


def test_cap_among_equally_unlikely_takes_the_largest_losses():
    losses = np.r_[
        np.full(90, 0.1), np.full(90, 0.11), np.linspace(5, 6, 20)
    ]  # ω underflows to one value for all 20
    result = fit_partition(
        losses, _labels(200), n_classes=2, settings=P(max_unlabelled=0.05, dip_test=False)
    )
    assert np.flatnonzero(~result.clean).tolist() == list(range(190, 200))


def test_cap_that_is_not_reached_changes_nothing_and_0_is_no_separation():
    losses, clean = _planted(1000, 0.2)
    np.testing.assert_array_equal(
        fit_partition(losses, _labels(1000), n_classes=2, settings=P(max_unlabelled=0.3)).clean,
        clean,
    )
    _refused(
        fit_partition(losses, _labels(1000), n_classes=2, settings=P(max_unlabelled=0.0)),
        1000,
        "X would hold 100.0%",
    )
    with pytest.raises(MerKitError, match="max_unlabelled is 1.5"):
        fit_partition(losses, _labels(1000), n_classes=2, settings=P(max_unlabelled=1.5))


# ---- robustness ----------------------------------------------------------------------------------


def test_one_loss_of_100_does_not_put_everything_into_X():
    losses, clean = _planted(1000)
    losses[np.flatnonzero(~clean)[0]] = 100.0
    assert (fit_partition(losses, _labels(1000), n_classes=2).clean == clean).mean() > 0.99
    naive = fit_partition(
        losses,
        _labels(1000),
        n_classes=2,
        settings=P(clip_percentiles=(0.0, 100.0), clean_share=(0, 1)),
    )
    assert naive.clean.mean() > 0.99  # what clipping prevents


def test_float32_losses_and_constant_offsets_give_the_same_split():
    losses, clean = _planted(1000)
    result = fit_partition(losses.astype(np.float32), _labels(1000), n_classes=2)
    assert (result.clean == clean).all() and result.omega.dtype == np.float64
    shifted = fit_partition(
        (losses * 1e-3 + 16).astype(np.float32), _labels(1000), n_classes=2, settings=P(min_gap=0.0)
    )
    assert (shifted.clean == clean).mean() > 0.99


@given(st.integers(0, 2**31), st.floats(0.05, 20), st.floats(-5, 5))
@settings(deadline=None, max_examples=25)
def test_split_is_affine_invariant_without_a_gap_in_nats(seed, scale, shift):
    losses, clean = _planted(400, seed=seed)
    one = fit_partition(losses, _labels(400), n_classes=2, settings=P(min_gap=0.0))
    other = fit_partition(
        scale * losses + shift, _labels(400), n_classes=2, settings=P(min_gap=0.0)
    )
    np.testing.assert_array_equal(one.clean, clean)
    np.testing.assert_array_equal(other.clean, clean)
    np.testing.assert_allclose(other.omega, one.omega, atol=1e-5)
    assert other.loss_gap == pytest.approx(scale * one.loss_gap, rel=1e-9)


@given(st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_split_does_not_depend_on_the_order(seed):
    losses, clean = _planted(400, seed=seed)
    order = np.random.default_rng(seed).permutation(400)
    one, other = (fit_partition(x, _labels(400), n_classes=2) for x in (losses, losses[order]))
    np.testing.assert_array_equal(other.clean, one.clean[order])
    np.testing.assert_allclose(other.omega, one.omega[order], atol=1e-2)


def test_same_seed_same_split():
    losses, _ = _planted(500)
    one, same = (fit_partition(losses, _labels(500), n_classes=2, seed=3) for _ in range(2))
    assert one.omega.tobytes() == same.omega.tobytes() and one.mixtures == same.mixtures


# ---- one mixture per class -----------------------------------------------------------------------


def test_per_class_keeps_a_hard_class():
    """Class 1 is hard: its clean losses lie where class 0's noisy ones do. One mixture loses it,
    two do not.
    """
    generator = np.random.default_rng(1)
    labels = np.r_[np.zeros(900, dtype=int), np.ones(300, dtype=int)]
    clean = generator.random(1200) < 0.8
    centre = np.where(labels == 0, np.where(clean, 0.2, 1.5), np.where(clean, 1.4, 3.0))
    losses = generator.normal(centre, 0.1)
    _refused(fit_partition(losses, labels, n_classes=2), 1200, "class 1 would keep 0 samples in X")
    whole, each = (
        fit_partition(losses, labels, n_classes=2, settings=P(per_class=p, min_per_class=0))
        for p in (False, True)
    )
    assert (whole.clean & (labels == 1)).sum() == 0 and (each.clean == clean).mean() > 0.99
    assert len(each.mixtures) == 2 and len(whole.mixtures) == 1
    for k in (0, 1):  # the same as splitting that class alone
        alone = fit_partition(
            losses[labels == k], np.zeros((labels == k).sum(), dtype=int), n_classes=1
        )
        np.testing.assert_array_equal(each.omega[labels == k], alone.omega)


def test_per_class_leaves_classes_without_a_mixture_in_X():
    losses, clean = _planted(1000)
    labels = np.zeros(1000, dtype=int)
    labels[0] = 2  # one sample: no mixture; class 1 has none at all
    result = fit_partition(losses, labels, n_classes=3, settings=P(per_class=True))
    assert result.mixtures[0] is not None and result.mixtures[1:] == (None, None)
    assert result.clean[0] and result.omega[0] == 1 and (result.clean == clean)[1:].mean() > 0.99


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_losses_get_a_sentence(bad):
    losses, _ = _planted(100)
    losses[7] = bad
    with pytest.raises(
        MerKitError, match=f"loss 7 is {bad}, expected a finite number: lower the learning rate"
    ):
        fit_partition(losses, _labels(100), n_classes=2)


def test_other_bad_input_gets_a_sentence():
    with pytest.raises(MerKitError, match="labels has 3 entries, expected 4"):
        fit_partition(np.arange(4.0), np.zeros(3, dtype=int), n_classes=2)
    with pytest.raises(MerKitError, match=r"labels\[1\] is 2, expected 0 to 1"):
        fit_partition(np.arange(4.0), np.array([0, 2, 0, 0]), n_classes=2)
    with pytest.raises(MerKitError, match="tau is 1.5"):
        fit_partition(np.arange(4.0), np.zeros(4, dtype=int), n_classes=2, settings=P(tau=1.5))
    with pytest.raises(MerKitError, match=r"losses have shape \(1,\)"):
        fit_mixture(np.ones(1))
    with pytest.raises(MerKitError, match=r"losses have shape \(2, 2\)"):
        fit_mixture(np.ones((2, 2)))
