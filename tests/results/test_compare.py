"""Paired comparisons: only what was run on the same folds, and words that follow from the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mer_kit.checks import MerKitError
from mer_kit.results import compare
from mer_kit.results.runs_table import COLUMNS


def rows(
    method: str, accuracies: list[float], *, classifier: str = "svm", folder: str = "", **more: Any
) -> pd.DataFrame:
    base: dict[str, Any] = {
        "corpus": "demo", "task": "quadrant", "segment_seconds": 3.0, "method": method, "preset": "demo", "seed": 0,
        "song_features": "in_sample", "folds": 5, "recipe": "r", "folder": folder or f"run-{method}", "n_train": 40,
        "n_test": 20, "classifier": classifier, **more,
    }  # fmt: skip
    return pd.DataFrame([{**base, "fold": k, "accuracy": a} for k, a in enumerate(accuracies)])


def test_methods_are_paired_by_fold_in_a_fixed_order() -> None:
    folds = pd.concat([rows("sssl", [0.7, 0.6, 0.9]), rows("ce", [0.6, 0.7])])
    table = compare.paired(folds)
    assert table[["first", "second", "fold"]].to_numpy().tolist() == [
        ["ce", "sssl", 0],
        ["ce", "sssl", 1],
    ]
    assert table["difference"].tolist() == pytest.approx([0.1, -0.1])


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"task": "valence"}, {"recipe": "x"}, {"folds": 10}, {"corpus": "4q"}]
)
def test_runs_that_differ_otherwise_are_not_compared(other: dict[str, Any]) -> None:
    assert compare.paired(pd.concat([rows("sssl", [0.7]), rows("ce", [0.6], **other)])).empty


def test_deciders_are_compared_within_a_run_and_single_segments_are_left_out() -> None:
    parts = [
        rows("ce", [0.5, 0.6], classifier=name) for name in ("svm", "vote", "segments", "majority")
    ]
    parts += [rows("sssl", [0.9, 0.9], classifier="mean")]
    table = compare.paired(pd.concat(parts), by="classifier")
    assert set(zip(table["first"], table["second"], strict=True)) == {("svm", "vote")}
    with pytest.raises(MerKitError, match="by is 'seed', expected one of method, classifier"):
        compare.paired(pd.concat(parts), by="seed")


def test_of_two_runs_with_the_same_settings_the_fuller_one_counts() -> None:
    folds = pd.concat(
        [
            rows("ce", [0.1], folder="z"),
            rows("ce", [0.6, 0.7], folder="a"),
            rows("sssl", [0.7, 0.7]),
        ]
    )
    assert set(compare.distinct(folds)["folder"]) == {"a", "run-sssl"}
    assert compare.paired(folds)["first_score"].tolist() == [0.6, 0.7]


@pytest.mark.parametrize(("shift", "shown"), [(0.5, False), (1.5, True)])
def test_a_difference_counts_beyond_the_corrected_t_interval(shift: float, shown: bool) -> None:
    noise = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])
    reach = stats.t.ppf(0.975, 4) * noise.std(ddof=1) * np.sqrt(1 / 5 + 1 / 9)  # five of ten folds
    words = compare.verdict(noise + shift * reach, n_folds=10)
    assert words.endswith("so no difference is shown") is not shown
    assert ("beyond the spread" in words) is shown
    assert "over 5 folds" in words


def test_the_correction_is_wider_than_the_plain_interval() -> None:
    d = np.array([0.01, 0.02, 0.03, 0.02])
    plain = stats.t.ppf(0.975, 3) * d.std(ddof=1) / np.sqrt(4)
    between = d - d.mean() + 1.2 * plain
    assert "no difference is shown" in compare.verdict(between, n_folds=4)


def test_one_fold_proves_nothing() -> None:
    assert "nothing follows" in compare.verdict(np.array([0.3]), n_folds=10)
    assert "±" not in compare.verdict(np.array([0.3]), n_folds=10)


def test_ties_are_counted() -> None:
    assert "(better in 1, equal in 2, worse in 1)" in compare.verdict(
        np.array([0.1, 0.0, 0.0, -0.2]), n_folds=4
    )


def test_sentences_tell_of_every_run_and_every_failure() -> None:
    folds = pd.concat(
        [
            rows(m, a, classifier=d)
            for m, a in (("ce", [0.5, 0.6]), ("sssl", [0.7, 0.8]))
            for d in ("svm", "vote")
        ]
        + [rows(m, [0.25, 0.75], classifier="majority") for m in ("ce", "sssl")]
    )
    results = pd.DataFrame(
        [
            {"folder": "run-ce", "status": "done", "reason": ""},
            {"folder": "run-x", "status": "failed", "reason": "out of disk"},
        ],
        columns=list(COLUMNS),
    )
    lines = compare.sentences(results, folds)
    assert lines[0] == "2 runs: 1 done, 1 failed."
    assert lines[1] == "run-x is failed: out of disk."
    assert (
        "55.0 ± 7.1 % of the songs right over 2 of 5 folds" in lines[2]
        and "above it in 1 of 2" in lines[2]
    )
    assert lines[-1].startswith(
        "demo, quadrant, 3 s, demo, seed 0: sssl against ce: +20.0 ± 0.0 points over 2 folds"
    )
    assert len(lines) == 5


def test_a_method_that_is_not_known_here_is_compared_and_comes_last() -> None:
    folds = pd.concat(
        [rows("of_tomorrow", [0.7, 0.6]), rows("ce", [0.6, 0.7]), rows("another", [0.5, 0.5])]
    )
    table = compare.paired(folds)
    assert set(zip(table["first"], table["second"], strict=True)) == {
        ("ce", "another"), ("ce", "of_tomorrow"), ("another", "of_tomorrow")
    }  # fmt: skip
