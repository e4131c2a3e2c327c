"""Comparisons fold by fold: only what was run on the same folds, and words that follow from the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mer_kit.checks import MerKitError
from mer_kit.results import fold_pairs


def rows(
    method: str, accuracies: list[float], *, classifier: str = "mean", folder: str = "", **more: Any
) -> pd.DataFrame:
    base: dict[str, Any] = {
        "corpus": "demo", "task": "quadrant", "segment_seconds": 3.0, "method": method, "preset": "demo", "seed": 0,
        "song_features": "in_sample", "folds": 5, "recipe": "r", "folder": folder or f"run-{method}", "n_train": 40,
        "n_test": 20, "classifier": classifier, **more,
    }  # fmt: skip
    return pd.DataFrame([{**base, "fold": k, "accuracy": a} for k, a in enumerate(accuracies)])


def test_methods_are_paired_by_fold_in_a_fixed_order() -> None:
    folds = pd.concat([rows("sssl", [0.7, 0.6, 0.9]), rows("ce", [0.6, 0.7])])
    table = fold_pairs.paired(folds)
    assert table[["first", "second", "fold"]].to_numpy().tolist() == [
        ["ce", "sssl", 0],
        ["ce", "sssl", 1],
    ]
    assert table["difference"].tolist() == pytest.approx([0.1, -0.1])


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"task": "valence"}, {"recipe": "x"}, {"folds": 10}, {"corpus": "4q"}]
)
def test_runs_that_differ_otherwise_are_not_compared(other: dict[str, Any]) -> None:
    assert fold_pairs.paired(pd.concat([rows("sssl", [0.7]), rows("ce", [0.6], **other)])).empty


def test_deciders_are_compared_within_a_run_and_single_segments_are_left_out() -> None:
    parts = [
        rows("ce", [0.5, 0.6], classifier=name) for name in ("svm", "vote", "segments", "majority")
    ]
    parts += [rows("sssl", [0.9, 0.9], classifier="mean")]
    table = fold_pairs.paired(pd.concat(parts), by="classifier")
    assert set(zip(table["first"], table["second"], strict=True)) == {("svm", "vote")}
    with pytest.raises(MerKitError, match="by is 'seed', expected one of method, classifier"):
        fold_pairs.paired(pd.concat(parts), by="seed")


def test_of_two_runs_with_the_same_settings_the_fuller_one_counts() -> None:
    folds = pd.concat(
        [
            rows("ce", [0.1], folder="z"),
            rows("ce", [0.6, 0.7], folder="a"),
            rows("sssl", [0.7, 0.7]),
        ]
    )
    assert set(fold_pairs.distinct(folds)["folder"]) == {"a", "run-sssl"}
    assert fold_pairs.paired(folds)["first_score"].tolist() == [0.6, 0.7]


@pytest.mark.parametrize(("shift", "shown"), [(0.5, False), (1.5, True)])
def test_a_difference_counts_beyond_the_corrected_t_interval(shift: float, shown: bool) -> None:
    noise = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])
    reach = stats.t.ppf(0.975, 4) * noise.std(ddof=1) * np.sqrt(1 / 5 + 1 / 9)  # five of ten folds
    words = fold_pairs.verdict(noise + shift * reach, n_folds=10)
    assert words.endswith("so no difference is shown") is not shown
    assert ("beyond the spread" in words) is shown
    assert "over 5 folds" in words


def test_the_correction_is_wider_than_the_plain_interval() -> None:
    d = np.array([0.01, 0.02, 0.03, 0.02])
    plain = stats.t.ppf(0.975, 3) * d.std(ddof=1) / np.sqrt(4)
    between = d - d.mean() + 1.2 * plain
    assert "no difference is shown" in fold_pairs.verdict(between, n_folds=4)


def test_one_fold_proves_nothing() -> None:
    assert "nothing follows" in fold_pairs.verdict(np.array([0.3]), n_folds=10)
    assert "±" not in fold_pairs.verdict(np.array([0.3]), n_folds=10)


def test_ties_are_counted() -> None:
    assert "(better in 1, equal in 2, worse in 1)" in fold_pairs.verdict(
        np.array([0.1, 0.0, 0.0, -0.2]), n_folds=4
    )


def test_a_method_that_is_not_known_here_is_compared_and_comes_last() -> None:
    folds = pd.concat(
        [rows("of_tomorrow", [0.7, 0.6]), rows("ce", [0.6, 0.7]), rows("another", [0.5, 0.5])]
    )
    table = fold_pairs.paired(folds)
    assert set(zip(table["first"], table["second"], strict=True)) == {
        ("ce", "another"), ("ce", "of_tomorrow"), ("another", "of_tomorrow")
    }  # fmt: skip
