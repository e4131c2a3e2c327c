"""Scores against hand-computed numbers and scikit-learn's own."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mer_kit.checks import MerKitError
from mer_kit.songs import scores

#: Three classes by hand. Class 0: TP 2 FP 1 FN 1 → 4/6; class 1: TP 1 FP 1 FN 1 → 2/4; class 2: TP
#: 1 FP 0 FN 0 → 1.
TRUTH = [0, 0, 0, 1, 1, 2]
PREDICTED = [0, 0, 1, 1, 0, 2]


def test_hand_computed():
    result = scores.score(TRUTH, PREDICTED, 3)
    expected = {
        "accuracy": 4 / 6,
        "macro_f1": (2 / 3 + 1 / 2 + 1) / 3,
        "weighted_f1": (3 * 2 / 3 + 2 * 1 / 2 + 1) / 6,
        "f1_0": 2 / 3,
        "f1_1": 1 / 2,
        "f1_2": 1.0,
    }
    assert result == pytest.approx(expected)
    assert list(result) == list(expected)


def test_two_classes_also_give_the_positive_class():
    """Class 1: TP 1, FP 1, FN 1 → 2/4. Class 0: TP 2, FP 1, FN 1 → 4/6."""
    result = scores.score([1, 1, 0, 0, 0], [1, 0, 1, 0, 0], 2)
    assert result["positive_f1"] == result["f1_1"] == pytest.approx(1 / 2)
    assert result["f1_0"] == pytest.approx(2 / 3)
    assert "positive_f1" not in scores.score(TRUTH, PREDICTED, 3)


def test_a_class_that_never_occurs_counts_as_zero():
    result = scores.score([0, 0, 1], [0, 0, 1], 4)
    assert result["accuracy"] == result["weighted_f1"] == 1
    assert result["macro_f1"] == 0.5
    assert result["f1_2"] == result["f1_3"] == 0


def by_hand(
    truth: np.ndarray, predicted: np.ndarray, n_classes: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Confusion matrix and scores, counted without scikit-learn; runs on disk were scored in this
    way.
    """
    table = np.bincount(truth * n_classes + predicted, minlength=n_classes**2).reshape(
        n_classes, n_classes
    )
    hits, of_truth, of_predicted = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    f1 = (
        2 * hits / np.maximum(of_truth + of_predicted, 1)
    )  # 2·TP + FP + FN = counts in truth and predictions
    result = {
        "accuracy": float(hits.sum() / table.sum()),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float((f1 * of_truth).sum() / table.sum()),
    }
    result |= {f"f1_{k}": float(value) for k, value in enumerate(f1)}
    if n_classes == 2:
        result["positive_f1"] = float(f1[1])
    return table, result


@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 10_000))
@settings(deadline=None, max_examples=100)
def test_equals_counting_by_hand_to_the_last_bit(n_classes, n, seed):
    truth, predicted = np.random.default_rng(seed).integers(0, n_classes, (2, n))
    table, expected = by_hand(truth, predicted, n_classes)
    assert scores.score(truth, predicted, n_classes) == expected
    np.testing.assert_array_equal(scores.confusion(truth, predicted, n_classes), table)


@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_the_averages_are_scikit_learns(n_classes, n, seed):
    truth, predicted = np.random.default_rng(seed).integers(0, n_classes, (2, n))
    result = scores.score(truth, predicted, n_classes)
    for average in ("macro", "weighted"):
        expected = metrics.f1_score(
            truth, predicted, labels=range(n_classes), average=average, zero_division=0
        )
        assert result[f"{average}_f1"] == pytest.approx(expected)


def test_majority_answers_what_training_saw_most():
    """Training says 2; two of the five test songs are 2: F1 of class 2 is 2·2/(2 + 5)."""
    result = scores.majority([0, 1, 2, 2], [2, 2, 0, 1, 0], 3)
    assert result["accuracy"] == pytest.approx(2 / 5)
    assert result["f1_2"] == pytest.approx(4 / 7) and result["f1_0"] == result["f1_1"] == 0
    assert scores.majority([1, 0, 0, 1], [0, 0, 1], 2)["accuracy"] == pytest.approx(
        2 / 3
    )  # a tie: the smaller index


def test_majority_of_pmemo_is_64_percent():
    labels = np.repeat(np.arange(4), [491, 76, 138, 62])
    assert scores.majority(labels, labels, 4)["accuracy"] == pytest.approx(0.6402, abs=5e-5)


def test_summarise_by_the_textbook():
    values = [0.5, 0.7, 0.9]
    result = scores.summarise([{"accuracy": value, "f1_0": 1.0} for value in values])
    assert result["accuracy"] == pytest.approx(
        {"mean": 0.7, "sd": statistics.stdev(values), "n": 3}
    )
    assert result["f1_0"] == {"mean": 1.0, "sd": 0.0, "n": 3}


def test_one_fold_has_no_spread():
    assert math.isnan(scores.summarise([{"accuracy": 0.5}])["accuracy"]["sd"])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: scores.score([], [], 2), "truth is empty"),
        (
            lambda: scores.score([0, 1], [0], 2),
            r"predicted has shape \(1,\), expected \(2,\) like truth",
        ),
        (lambda: scores.score([0, 2], [0, 1], 2), r"truth\[1\] is 2, expected 0 to 1"),
        (lambda: scores.score([0, 1], [0, -1], 2), r"predicted\[1\] is -1, expected 0 to 1"),
        (lambda: scores.score([0.0, 1.0], [0, 1], 2), "truth is a float64 array"),
        (
            lambda: scores.score([0, 0], [0, 0], 1),
            "n_classes is 1, expected a whole number of at least 2",
        ),
        (lambda: scores.majority([], [0], 2), "train_labels is empty"),
        (lambda: scores.summarise([]), "results is empty"),
        (
            lambda: scores.summarise([{"a": 1.0}, {"a": 1.0, "b": 2.0}]),
            r"results\[1\] and results\[0\] differ in b",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(MerKitError, match=sentence):
        call()
