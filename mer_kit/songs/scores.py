"""Accuracy and every F1 the paper may have meant, the majority baseline, and mean ± sd over folds.

The paper reports one "F1" without saying which, so all are kept; macro-F1 is our headline (D).

Notebook: 04_song_decisions, 06_results
"""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from mer_kit.checks import MerKitError, check_labels, check_range


def confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return int64 [K, K]: how many songs of each true class (row) got each answer (column).

    Raises
    ------
    MerKitError
        If the arrays differ in length, are empty or contain anything but class indices.

    Examples
    --------
    >>> confusion([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    t, p = _checked(truth, predicted, n_classes)
    return np.asarray(confusion_matrix(t, p, labels=range(n_classes)), dtype=np.int64)


def score(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> dict[str, float]:
    """Return accuracy, macro_f1, weighted_f1 and f1_0 … f1_<K−1>.

    For two classes there is also positive_f1, the F1 of class 1 (V+ or A+). F1 is
    2·TP / (2·TP + FP + FN), and 0 for a class that occurs neither in the truth nor among the
    predictions. All `n_classes` count in the macro average, so that every fold is averaged over
    the same classes; the weights of weighted_f1 are the true class counts.

    Raises
    ------
    MerKitError
        As for `confusion`.

    Examples
    --------
    >>> result = score([0, 0, 1, 1], [0, 0, 0, 1], 2)
    >>> result["accuracy"], round(result["macro_f1"], 3), round(result["positive_f1"], 3)
    (0.75, 0.733, 0.667)

    Notebook: 04_song_decisions
    """
    t, p = _checked(truth, predicted, n_classes)
    # `labels` fixes K: without it, a fold that lacks a class would be averaged over fewer.
    f1 = f1_score(t, p, labels=range(n_classes), average=None, zero_division=0)  # [K]
    result = {
        "accuracy": float(accuracy_score(t, p)),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float((f1 * np.bincount(t, minlength=n_classes)).sum() / len(t)),
        **{f"f1_{k}": float(value) for k, value in enumerate(f1)},
    }
    if n_classes == 2:
        result["positive_f1"] = float(f1[1])
    return result


def _checked(
    truth: np.ndarray, predicted: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return both as int64 [n], n ≥ 1, of class indices."""
    check_range("n_classes", n_classes, 2, whole=True)
    t = check_labels("truth", truth, n_classes)
    if len(t) == 0:
        raise MerKitError("truth is empty, expected at least one label: check the fold's test set")
    if np.shape(predicted) != t.shape:
        raise MerKitError(
            f"predicted has shape {np.shape(predicted)}, expected {t.shape} like truth: "
            "pass one prediction per label"
        )
    return t, check_labels("predicted", predicted, n_classes)


def majority(train_labels: np.ndarray, test_labels: np.ndarray, n_classes: int) -> dict[str, float]:
    """Return the scores of the majority baseline.

    It always answers the majority class of the training songs (the smallest index in a tie).
    PMEmo's quadrants give 64 % accuracy this way, so it is reported with every result.

    Raises
    ------
    MerKitError
        If there are no training labels, or as for `confusion`.

    Examples
    --------
    >>> majority([0, 1, 1], [1, 0], 2)["accuracy"]
    0.5
    """
    train = check_labels("train_labels", train_labels, n_classes)
    if len(train) == 0:
        raise MerKitError(
            "train_labels is empty, expected at least one label: check the fold's training set"
        )
    answer = np.bincount(train, minlength=n_classes).argmax()
    return score(test_labels, np.full(len(np.asarray(test_labels)), answer), n_classes)


def summarise(results: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return {score: {"mean", "sd", "n"}} over folds (or seeds).

    sd is the sample standard deviation, with n − 1 (D); of a single fold it is NaN.

    Raises
    ------
    MerKitError
        If there are no results, or they do not all have the same scores.

    Examples
    --------
    >>> summarise([{"accuracy": 0.5}, {"accuracy": 1.0}])
    {'accuracy': {'mean': 0.75, 'sd': 0.3535533905932738, 'n': 2}}
    """
    if len(results) == 0:
        raise MerKitError(
            "results is empty, expected the scores of at least one fold: run a fold first"
        )
    for fold, result in enumerate(results):
        odd = sorted(set(result) ^ set(results[0]))
        if odd:
            raise MerKitError(
                f"results[{fold}] and results[0] differ in {', '.join(odd)}, expected the same "
                "scores in every fold: summarise one task at a time"
            )
    table = {name: np.array([float(one[name]) for one in results]) for name in results[0]}
    return {
        name: {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)) if len(values) > 1 else float("nan"),
            "n": len(values),
        }
        for name, values in table.items()
    }
