"""What the evaluation passes reveal about every label, from epochs [E, S, K] and inherited labels [S] alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from mer_kit.checks import MerKitError, check_labels, check_range
from mer_kit.training.evaluation import losses
from mer_kit.training.partition import Partition, PartitionSettings, fit_partition


def check_epochs(epochs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return epochs as [E, S, K] and labels as int64 [S].

    Raises
    ------
    MerKitError
        If the shapes do not belong together.
    """
    array = np.asarray(epochs)
    if array.ndim != 3 or len(array) == 0:
        raise MerKitError(
            f"epochs have shape {array.shape}, expected [epochs, segments, classes]: pass epochs.npz's"
        )
    return array, check_labels("labels", labels, array.shape[2], length=array.shape[1])


def loss_table(epochs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of every pass against the inherited labels: float64 [E, S], nats.

    Source: paper Eq. (2). Notebook: 02_noisy_labels
    """
    epochs, labels = check_epochs(epochs, labels)
    return np.stack([losses(one, labels) for one in epochs])


def replay(
    probabilities: np.ndarray,
    labels: np.ndarray,
    *,
    settings: PartitionSettings = PartitionSettings(),
    seed: int = 0,
) -> Partition:
    """Divide the segments again from one archived pass [S, K], with any settings; pass e gives the split of epoch e + 1.

    With the training's own settings and `seed=mixture_seed(seed)` the result equals the training's split exactly.

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = np.r_[rng.uniform(0.8, 0.99, 80), rng.uniform(0.02, 0.2, 20)]
    >>> int(replay(np.c_[p, 1 - p], np.zeros(100, dtype=int)).clean.sum())
    80
    """
    one, labels = check_epochs(np.asarray(probabilities)[None], labels)
    probabilities = one[0]
    return fit_partition(
        losses(probabilities, labels),
        labels,
        n_classes=probabilities.shape[1],
        settings=settings,
        seed=seed,
    )


def split_quality(
    clean: np.ndarray, omega: np.ndarray, truly_clean: np.ndarray
) -> dict[str, float]:
    """Return how well X holds the truly clean labels, where the truth is known.

    Parameters
    ----------
    clean : bool [S], in X
    omega : float [S], posterior of the clean component
    truly_clean : bool [S], the inherited label is the true one

    Returns
    -------
    dict
        precision (share of X that is truly clean), recall (share of the truly clean that is in X), noise_recall
        (share of wrong labels that is in U), roc_auc of ω, share_labelled = |X|/S, true_noise = wrong labels / S.
        NaN where undefined.

    Examples
    --------
    >>> q = split_quality(np.array([1, 1, 0, 0], bool), np.array([.9, .8, .3, .1]), np.array([1, 1, 1, 0], bool))
    >>> q["precision"], round(q["recall"], 3), q["noise_recall"], q["roc_auc"]
    (1.0, 0.667, 1.0, 1.0)

    Notebook: 02_noisy_labels
    """
    clean, truly = np.asarray(clean, dtype=bool), np.asarray(truly_clean, dtype=bool)
    hit, caught = float((clean & truly).sum()), float((~clean & ~truly).sum())
    both = truly.any() and not truly.all()
    return {
        "precision": hit / float(clean.sum()) if clean.any() else float("nan"),
        "recall": hit / float(truly.sum()) if truly.any() else float("nan"),
        "noise_recall": caught / float((~truly).sum()) if not truly.all() else float("nan"),
        "roc_auc": float(roc_auc_score(truly, omega)) if both else float("nan"),
        "share_labelled": float(clean.mean()),
        "true_noise": float((~truly).mean()),
    }


def data_map(epochs: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Return one row a segment: confidence, variability (mean and sd of p(label) over passes), correctness (0–1).

    Source: dataset cartography, Swayamdipta et al. 2020. Low confidence with low variability hints at a wrong label.
    Notebook: 02_noisy_labels

    Examples
    --------
    >>> e = np.array([[[0.5, 0.5]], [[0.75, 0.25]]])
    >>> data_map(e, np.array([0])).round(3).to_dict("records")
    [{'confidence': 0.625, 'variability': 0.125, 'correctness': 1.0}]
    """
    epochs, labels = check_epochs(epochs, labels)
    own = epochs[:, np.arange(len(labels)), labels].astype(np.float64)
    correct = (epochs.argmax(axis=2) == labels).mean(axis=0)
    return pd.DataFrame(
        {"confidence": own.mean(axis=0), "variability": own.std(axis=0), "correctness": correct}
    )


def forgetting(epochs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return int64 [S]: how often a segment that was predicted right was wrong one pass later; −1 if never right.

    Source: Toneva et al. 2019. Notebook: 02_noisy_labels

    Examples
    --------
    >>> right, wrong = [0.9, 0.1], [0.1, 0.9]
    >>> forgetting(np.array([[right, wrong], [wrong, wrong], [right, wrong]]), np.array([0, 0])).tolist()
    [1, -1]
    """
    epochs, labels = check_epochs(epochs, labels)
    right = epochs.argmax(axis=2) == labels
    forgotten = (right[:-1] & ~right[1:]).sum(axis=0)
    return np.where(right.any(axis=0), forgotten, -1).astype(np.int64)


def flips(clean_by_epoch: np.ndarray) -> np.ndarray:
    """Return int64 [S]: how often each segment moved between X and U, for bool [E, S] (row e: the split of epoch e).

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> flips(np.array([[True, True], [False, True], [True, True]])).tolist()
    [2, 0]
    """
    table = np.asarray(clean_by_epoch, dtype=bool)
    if table.ndim != 2:
        raise MerKitError(
            f"clean_by_epoch has shape {table.shape}, expected [epochs, segments]: stack the splits"
        )
    return np.asarray((table[1:] != table[:-1]).sum(axis=0), dtype=np.int64)


def rejected(
    start_s: np.ndarray, end_s: np.ndarray, omega: np.ndarray, *, tau: float = 0.5
) -> pd.DataFrame:
    """Return the spans of one song whose inherited label the model rejects: start_s, end_s, omega (mean).

    A second is rejected when the mean ω of the segments that cover it is at most τ; neighbouring seconds are joined.
    Inputs are one song's segments [n]. Notebook: 02_noisy_labels

    Examples
    --------
    >>> rejected(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), np.array([0.9, 0.1, 0.3])).to_dict("records")
    [{'start_s': 1.0, 'end_s': 3.0, 'omega': 0.2}]
    """
    check_range("tau", tau, 0, 1)
    start_s, end_s = np.asarray(start_s, dtype=float), np.asarray(end_s, dtype=float)
    omega = np.asarray(omega, dtype=float)
    edges = np.unique(np.r_[start_s, end_s])
    spans: list[dict[str, float]] = []
    weights: list[float] = []
    for low, high in pairwise(edges):
        covering = (start_s <= low + 1e-9) & (end_s >= high - 1e-9)
        mean = float(omega[covering].mean()) if covering.any() else 1.0
        if mean > tau:
            continue
        if spans and abs(spans[-1]["end_s"] - low) < 1e-9:
            span, before = spans[-1], weights[-1]
            span["omega"] = (span["omega"] * before + mean * (high - low)) / (before + high - low)
            span["end_s"] = float(high)
            weights[-1] += high - low
        else:
            spans.append({"start_s": float(low), "end_s": float(high), "omega": mean})
            weights.append(high - low)
    return pd.DataFrame(spans, columns=["start_s", "end_s", "omega"])
