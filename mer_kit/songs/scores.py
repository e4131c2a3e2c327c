"""Accuracy and every F1 the paper may have meant, the majority baseline, and mean ± sd over folds.

The paper prints one "F1" without saying which, so all are kept; macro-F1 is our headline (D).

Notebook: 04_song_decisions, 06_results
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mer_kit.checks import MerKitError, check_labels, check_range


def confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return int64 [K, K]: how many of true class (row) were given predicted class (column).

    Raises
    ------
    MerKitError
        If the arrays differ in length, are empty or hold anything but class indices.

    Examples
    --------
    >>> confusion([0, 0, 1], [0, 1, 1], 2)
    array([[1, 1],
           [0, 1]])
    """
    check_range("n_classes", n_classes, 2, whole=True)
    t = check_labels("truth", truth, n_classes)
    if len(t) == 0:
        raise MerKitError("truth is empty, expected at least one label: check the fold's test set")
    if np.shape(predicted) != t.shape:
        raise MerKitError(
            f"predicted has shape {np.shape(predicted)}, expected {t.shape} like truth: pass one prediction per label"
        )
    p = check_labels("predicted", predicted, n_classes)
    return np.bincount(t * n_classes + p, minlength=n_classes**2).reshape(n_classes, n_classes)


def score(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> dict[str, float]:
    """Return accuracy, macro_f1, weighted_f1, f1_0 … f1_<K−1> and, for two classes, positive_f1 (class 1: V+ or A+).

    F1 = 2·TP / (2·TP + FP + FN), and 0 for a class found neither in truth nor among the predictions. All `n_classes`
    count in the macro average, so every fold is averaged over the same classes; weights are the true class counts.

    Raises
    ------
    MerKitError
        As `confusion`.

    Examples
    --------
    >>> result = score([0, 0, 1, 1], [0, 0, 0, 1], 2)
    >>> {name: round(value, 3) for name, value in result.items()}
    {'accuracy': 0.75, 'macro_f1': 0.733, 'weighted_f1': 0.733, 'f1_0': 0.8, 'f1_1': 0.667, 'positive_f1': 0.667}

    Notebook: 04_song_decisions
    """
    table = confusion(truth, predicted, n_classes)
    hits, of_truth, of_predicted = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    f1 = (
        2 * hits / np.maximum(of_truth + of_predicted, 1)
    )  # 2·TP + FP + FN = count in truth + count in predictions
    result = {
        "accuracy": float(hits.sum() / table.sum()),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float((f1 * of_truth).sum() / table.sum()),
    }
    result |= {f"f1_{k}": float(value) for k, value in enumerate(f1)}
    if n_classes == 2:
        result["positive_f1"] = float(f1[1])
    return result


def majority(train_labels: np.ndarray, test_labels: np.ndarray, n_classes: int) -> dict[str, float]:
    """Return the scores of always answering the training songs' most frequent class (the smallest index in a tie).

    PMEmo's quadrants give 64 % accuracy this way, so this stands beside every result.

    Raises
    ------
    MerKitError
        If there are no training labels, or as `confusion`.

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


def pooled(
    truths: Sequence[np.ndarray], predictions: Sequence[np.ndarray], n_classes: int
) -> dict[str, float]:
    """Return the scores over all folds' predictions put end to end, one entry of each sequence per fold.

    Where test sets partition the songs every song counts once, so a rare class is not at the mercy of one small fold.

    Raises
    ------
    MerKitError
        If the numbers of folds differ or are 0, a fold's lengths differ, or as `confusion`.

    Examples
    --------
    >>> pooled([[0, 1], [1]], [[0, 0], [1]], 2)["f1_1"]
    0.6666666666666666
    """
    if len(truths) != len(predictions) or len(truths) == 0:
        raise MerKitError(
            f"truths has {len(truths)} folds and predictions {len(predictions)}, expected the same number, at least 1: "
            "pass one array of each per fold"
        )
    for fold, (truth, predicted) in enumerate(zip(truths, predictions, strict=True)):
        if len(truth) != len(predicted):
            raise MerKitError(
                f"fold {fold} has {len(truth)} labels but {len(predicted)} predictions: pass one prediction per song"
            )
    return score(np.concatenate(list(truths)), np.concatenate(list(predictions)), n_classes)


def summarise(results: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return {score: {"mean", "sd", "n"}} over folds (or seeds).

    sd is the sample deviation, with n − 1 (D); of a single value it is NaN, since one fold shows no spread.

    Raises
    ------
    MerKitError
        If there are no results or they do not all hold the same scores.

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
        if set(result) != set(results[0]):
            odd = sorted(set(result) ^ set(results[0]))
            raise MerKitError(
                f"results[{fold}] and results[0] differ in {', '.join(odd)}, expected the same scores in every fold: "
                "summarise one task at a time"
            )
    summary = {}
    for name in results[0]:
        values = np.array([result[name] for result in results], dtype=np.float64)
        sd = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        summary[name] = {"mean": float(values.mean()), "sd": sd, "n": len(values)}
    return summary
