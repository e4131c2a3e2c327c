"""The chance to see a difference, against simulated experiments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mer_kit.results.compare import chance_to_see
from mer_kit.results.seeds_and_folds import chances

ROW = {"variance_songs": 2e-5, "variance_seed": 1.2e-4, "fold_numbers": 10, "songs": 900}


def test_what_was_run_has_the_chance_that_the_comparison_reports() -> None:
    table = chances(ROW, 0.02, of_folds=10, seeds=[1, 2, 7], folds=[3, 10])
    whole = table[table["folds"] == 10].set_index("seeds")["by_song"]
    for seeds in (1, 2, 7):
        assert whole[seeds] == pytest.approx(float(chance_to_see(ROW, 0.02, seeds=seeds)))
    assert table.set_index(["folds", "seeds"]).loc[(3, 1), "songs"] == 270
    few = table[table["folds"] == 3].set_index("seeds")["standard_error"]
    assert few[7] ** 2 == pytest.approx((2e-5 + 1.2e-4 / 7) / 0.3)


@pytest.mark.parametrize(("folds", "true"), [(3, 0.04), (10, 0.04), (10, 0.0)])
def test_both_tests_see_a_difference_as_often_as_in_simulated_experiments(
    folds: int, true: float
) -> None:
    row = chances(ROW, true, of_folds=10, seeds=[1], folds=[folds]).iloc[0]
    rng, n = np.random.default_rng(0), 20_000
    by_fold = rng.normal(true, np.sqrt(10 * 1.4e-4), size=(n, folds))  # 90 songs each
    spread = by_fold.std(axis=1, ddof=1) * np.sqrt(1 / folds + 1 / 9)
    corrected = np.abs(by_fold.mean(axis=1)) > stats.t(folds - 1).ppf(0.975) * spread
    error = np.sqrt(1.4e-4 * 10 / folds)
    by_song = np.abs(by_fold.mean(axis=1)) > 1.96 * error
    for found, seen in ((row["by_fold"], corrected), (row["by_song"], by_song)):
        assert found == pytest.approx(np.mean(seen), abs=4 * np.sqrt(max(found, 0.002) / n))
    assert row["by_fold"] < row["by_song"]


def test_systems_that_never_disagreed_promise_nothing() -> None:
    equal = {**ROW, "variance_songs": 0.0, "variance_seed": 0.0}
    table = chances(equal, 0.02, of_folds=10, seeds=[1], folds=[1, 10])
    assert table[["by_song", "by_fold"]].isna().all(axis=None)
    single = chances(ROW, 0.02, of_folds=10, seeds=[1], folds=[1])
    assert np.isnan(single["by_fold"].item()) and 0 < single["by_song"].item() < 1
