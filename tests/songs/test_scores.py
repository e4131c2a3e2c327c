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

#: Three classes by hand. Class 0: TP 2 FP 1 FN 1 → 4/6; class 1: TP 1 FP 1 FN 1 → 2/4; class 2: TP 1 FP 0 FN 0 → 1.
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


@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_equals_scikit_learn(n_classes, n, seed):
    truth, predicted = np.random.default_rng(seed).integers(0, n_classes, (2, n))
    result = scores.score(truth, predicted, n_classes)
    labels = list(range(n_classes))
    by_class = metrics.f1_score(truth, predicted, labels=labels, average=None, zero_division=0)
    assert result["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert [result[f"f1_{k}"] for k in labels] == pytest.approx(by_class.tolist())
    for average in ("macro", "weighted"):
        oracle = metrics.f1_score(truth, predicted, labels=labels, average=average, zero_division=0)
        assert result[f"{average}_f1"] == pytest.approx(oracle)
    np.testing.assert_array_equal(
        scores.confusion(truth, predicted, n_classes), metrics.confusion_matrix(truth, predicted, labels=labels)
    )


def test_majority_answers_what_training_saw_most():
    """Training says 2; two of the five test songs are 2: F1 of class 2 is 2·2/(2 + 5)."""
    result = scores.majority([0, 1, 2, 2], [2, 2, 0, 1, 0], 3)
    assert result["accuracy"] == pytest.approx(2 / 5)
    assert result["f1_2"] == pytest.approx(4 / 7) and result["f1_0"] == result["f1_1"] == 0
    assert scores.majority([1, 0, 0, 1], [0, 0, 1], 2)["accuracy"] == pytest.approx(2 / 3)  # a tie: the smaller index


def test_majority_of_pmemo_is_64_percent():
    labels = np.repeat(np.arange(4), [491, 76, 138, 62])
    assert scores.majority(labels, labels, 4)["accuracy"] == pytest.approx(0.6402, abs=5e-5)


def test_pooled_counts_every_song_once_not_every_fold():
    """Folds of 1 and 3 songs: pooled accuracy 1/4 where the mean over folds would say 1/2."""
    truths, predictions = [np.array([0]), np.array([0, 1, 1])], [np.array([0]), np.array([1, 0, 0])]
    result = scores.pooled(truths, predictions, 2)
    assert result["accuracy"] == 1 / 4
    assert result == scores.score([0, 0, 1, 1], [0, 1, 0, 0], 2)


def test_summarise_by_the_textbook():
    values = [0.5, 0.7, 0.9]
    result = scores.summarise([{"accuracy": value, "f1_0": 1.0} for value in values])
    assert result["accuracy"] == pytest.approx({"mean": 0.7, "sd": statistics.stdev(values), "n": 3})
    assert result["f1_0"] == {"mean": 1.0, "sd": 0.0, "n": 3}


def test_one_fold_has_no_spread():
    assert math.isnan(scores.summarise([{"accuracy": 0.5}])["accuracy"]["sd"])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: scores.score([], [], 2), "truth is empty"),
        (lambda: scores.score([0, 1], [0], 2), r"predicted has shape \(1,\), expected \(2,\) like truth"),
        (lambda: scores.score([0, 2], [0, 1], 2), r"truth\[1\] is 2, expected 0 to 1"),
        (lambda: scores.score([0, 1], [0, -1], 2), r"predicted\[1\] is -1, expected 0 to 1"),
        (lambda: scores.score([0.0, 1.0], [0, 1], 2), "truth is a float64 array"),
        (lambda: scores.score([0, 0], [0, 0], 1), "n_classes is 1, expected a whole number of at least 2"),
        (lambda: scores.majority([], [0], 2), "train_labels is empty"),
        (lambda: scores.pooled([], [], 2), "truths has 0 folds and predictions 0"),
        (lambda: scores.pooled([[0], [1]], [[0]], 2), "truths has 2 folds and predictions 1"),
        (lambda: scores.pooled([[0], [1]], [[], [0, 1]], 2), "fold 0 has 1 labels but 0 predictions"),
        (lambda: scores.summarise([]), "results is empty"),
        (lambda: scores.summarise([{"a": 1.0}, {"a": 1.0, "b": 2.0}]), r"results\[1\] and results\[0\] differ in b"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(MerKitError, match=sentence):
        call()
