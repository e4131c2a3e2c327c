"""The statistics against other people's implementations, closed forms and simulations."""

from __future__ import annotations

import baycomp
import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from mer_kit.checks import MerKitError
from mer_kit.results import statistics


def signs(
    rng: np.random.Generator, size: int | tuple[int, int], discordant: float, shift: float
) -> np.ndarray:
    """Draw differences −1, 0, 1: a fraction of songs is discordant, the mean difference is `shift`."""
    p = [(discordant - shift) / 2, 1 - discordant, (discordant + shift) / 2]
    return rng.choice([-1.0, 0.0, 1.0], size=size, p=p)


@pytest.mark.parametrize("table", [(3, 9), (9, 3), (0, 5), (40, 41), (7, 7)])
def test_mcnemar_is_that_of_statsmodels(table: tuple[int, int]) -> None:
    b, c = table
    expected = mcnemar([[100, b], [c, 50]], exact=True).pvalue
    assert statistics.mcnemar(b, c) == pytest.approx(expected, rel=1e-12)


def test_holm_is_that_of_statsmodels_and_unknown_ones_do_not_count() -> None:
    p = np.random.default_rng(0).uniform(0, 0.2, size=14)
    expected = multipletests(p, method="holm")[1]
    np.testing.assert_allclose(statistics.holm(p), expected, rtol=1e-12)
    with_gaps = statistics.holm(np.insert(p, [0, 7, 14], np.nan))
    assert np.isnan(with_gaps[[0, 8, 16]]).all()
    np.testing.assert_allclose(with_gaps[np.isfinite(with_gaps)], expected, rtol=1e-12)


@pytest.mark.parametrize(("folds", "runs"), [(10, 1), (10, 5), (3, 2)])
def test_the_corrected_t_has_the_tail_of_baycomp(folds: int, runs: int) -> None:
    rng = np.random.default_rng(folds + runs)
    first, second = rng.normal(0.7, 0.04, (2, folds * runs))
    left, right = baycomp.two_on_single(first, second, rope=0, runs=runs)
    tested = statistics.corrected_t(second - first, test_to_train=1 / (folds - 1))
    assert tested.p == pytest.approx(2 * min(left, right), rel=1e-9)
    assert (tested.low <= 0 <= tested.high) == (tested.p >= 0.05)


def test_without_correction_it_is_the_paired_t_test() -> None:
    first, second = np.random.default_rng(1).normal(0.7, 0.04, (2, 10))
    tested = statistics.corrected_t(second - first, test_to_train=0)
    expected = stats.ttest_rel(second, first)
    assert tested.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert tested[:2] == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9)


def test_the_correction_has_a_floor_that_seeds_do_not_lower() -> None:
    once = np.array([0.03, -0.01, 0.02, 0.0])
    width = [
        np.ptp(statistics.corrected_t(np.tile(once, n), test_to_train=1 / 3)[:2])
        for n in (100, 400)
    ]
    floor = 2 * stats.norm.ppf(0.975) * once.std() / np.sqrt(3)
    assert width[0] > width[1] > floor and width[1] == pytest.approx(floor, rel=0.02)


def test_equal_answers_and_swapped_methods() -> None:
    songs = np.arange(60)
    same = np.zeros(60)
    assert (
        statistics.interval(same, songs) == (0.0, 0.0) and statistics.sign_flip(same, songs) == 1.0
    )
    assert statistics.corrected_t(same, test_to_train=0.1) == (0.0, 0.0, 1.0)
    d = signs(np.random.default_rng(2), 60, 0.4, 0.2)
    low, high = statistics.interval(d, songs // 2)
    assert statistics.interval(-d, songs // 2) == pytest.approx((-high, -low), abs=1e-12)
    assert statistics.sign_flip(-d, songs // 2) == statistics.sign_flip(d, songs // 2)


def test_artists_of_one_song_each_are_drawn_as_songs_and_copies_of_songs_add_nothing() -> None:
    d = signs(np.random.default_rng(3), 200, 0.3, 0.05)
    low, high = statistics.interval(d, np.arange(200))
    plain = stats.bootstrap((d,), np.mean, method="percentile", n_resamples=statistics.DRAWS, rng=7)
    assert (low, high) == pytest.approx(tuple(plain.confidence_interval), abs=0.012)
    # Every song twice, by the same artist: the same evidence, not twice as much.
    twice, artists = np.repeat(d, 2), np.repeat(np.arange(200), 2)
    assert statistics.interval(twice, artists) == pytest.approx((low, high), abs=1e-12)
    assert statistics.sign_flip(twice, artists) == statistics.sign_flip(d, np.arange(200))
    loose = statistics.interval(twice, np.arange(400))
    assert np.ptp(loose) == pytest.approx((high - low) / np.sqrt(2), rel=0.1)


def test_sign_flips_are_scipys_exact_permutations() -> None:
    d = np.tile([1.0, 1, -1, 0, 1, -1, 1, 0], 3)
    artists = np.arange(24) // 2
    sums = d.reshape(12, 2).sum(axis=1)
    exact = stats.permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=2**12)
    assert statistics.sign_flip(d, artists) == pytest.approx(exact.pvalue, abs=0.02)
    assert 0.02 < exact.pvalue < 0.5


def test_one_artist_tells_nothing_and_every_song_has_an_artist() -> None:
    assert np.isnan(statistics.interval(np.ones(5), np.zeros(5))).all()
    assert np.isnan(statistics.spread(np.ones((5, 2)), np.zeros(5)).songs)
    with pytest.raises(
        MerKitError, match=r"got 5 differences and groups of shape \(4,\), expected"
    ):
        statistics.interval(np.ones(5), np.arange(4))


# Songs, discordance in percent → standard error in points and power to see 2 points with one seed,
# from the formula √((d − δ²)/N) by hand.
@pytest.mark.parametrize(
    ("n", "percent", "error", "chance"),
    [(900, 6, 0.81, 0.69), (900, 15, 1.29, 0.34), (900, 20, 1.49, 0.27), (767, 15, 1.40, 0.30)],
)
def test_power_with_one_seed_is_that_of_the_formula(
    n: int, percent: int, error: float, chance: float
) -> None:
    by_hand = np.sqrt((percent / 100 - 0.02**2) / n)
    assert 100 * by_hand == pytest.approx(error, abs=0.006)
    assert statistics.power(0.02, by_hand) == pytest.approx(chance, abs=0.006)
    d = np.repeat(
        [-1.0, 1.0, 0.0],
        [round(n * (percent / 100 - 0.02) / 2), round(n * (percent / 100 + 0.02) / 2), n],
    )
    d = d[:n]
    found = statistics.spread(d[:, None], np.arange(n))
    assert found.seed == 0 and found.standard_error(1) == pytest.approx(
        d.std(ddof=1) / np.sqrt(n), rel=1e-9
    )
    assert 100 * float(found.standard_error(1)) == pytest.approx(error, abs=0.02)


def test_power_is_how_often_a_difference_is_found() -> None:
    rng = np.random.default_rng(5)
    chance = float(statistics.power(0.04, np.sqrt((0.15 - 0.04**2) / 400)))
    found = []
    for d in signs(rng, (1000, 400), 0.15, 0.04):
        error = statistics.spread(d[:, None], np.arange(400)).standard_error(1)
        found.append(abs(d.mean()) > 1.96 * error)
    assert 0.4 < chance < 0.7 and np.mean(found) == pytest.approx(chance, abs=0.05)


def test_the_seeds_part_of_the_variance_tells_what_more_seeds_would_give() -> None:
    """2,000 songs of 1,000 artists; what differs by song stays, what differs by seed is averaged out."""
    rng = np.random.default_rng(6)
    artists = np.repeat(np.arange(1000), 2)
    by_song = 0.2 * rng.normal(size=1000)[artists] + 0.3 * rng.normal(size=2000)
    d = by_song[:, None] + 0.6 * rng.normal(size=(2000, 3))
    found = statistics.spread(d, artists)
    songs = (2 * 0.2**2 + 0.3**2) / 2000  # two songs of an artist count for less than two
    assert found.songs == pytest.approx(songs, rel=0.25) and found.seed == pytest.approx(
        0.6**2 / 2000, rel=0.1
    )
    with_gaps = np.where(rng.random(d.shape) < 0.1, np.nan, d)
    with_gaps[np.isnan(with_gaps).all(axis=1)] = 0.0
    assert statistics.spread(with_gaps, artists).standard_error(3) == pytest.approx(
        found.standard_error(3), rel=0.1
    )
    one = statistics.spread(d[:, :1], artists)
    assert one.seed == 0 and one.standard_error(5) == one.standard_error(1) > found.standard_error(
        5
    )


def test_seeds_that_tested_only_some_of_the_folds_do_not_distort_either_part() -> None:
    """Three seeds, of which the second tested 3 of 10 folds and the third 6: 4,000 songs."""
    rng = np.random.default_rng(7)
    artists = np.repeat(np.arange(2000), 2)
    by_song = 0.3 * rng.normal(size=4000)
    d = by_song[:, None] + 0.6 * rng.normal(size=(4000, 3))
    fold = artists % 10
    d[fold >= 3, 1] = d[fold >= 6, 2] = np.nan
    found = statistics.spread(d, artists)
    assert found.seed == pytest.approx(0.6**2 / 4000, rel=0.1)
    assert found.songs == pytest.approx(0.3**2 / 4000, rel=0.25)
