"""What the evaluation passes reveal about every label.

All functions work on the archived probabilities [E, S, K] and the inherited labels [S] alone.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from mer_kit.checks import MerKitError, check_labels, check_range
from mer_kit.training.evaluation import losses
from mer_kit.training.partition import (
    Partition,
    PartitionSettings,
    fit_partition,
    losses_to_divide,
)


def check_epochs(epochs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return epochs as [E, S, K] and labels as int64 [S].

    Raises
    ------
    MerKitError
        If the shapes do not belong together.

    Examples
    --------
    >>> epochs, labels = check_epochs(np.full((3, 2, 4), 0.25), [0, 3])
    >>> epochs.shape, labels.dtype
    ((3, 2, 4), dtype('int64'))
    """
    array = np.asarray(epochs)
    if array.ndim != 3 or len(array) == 0:
        raise MerKitError(
            f"epochs have shape {array.shape}, expected [epochs, segments, classes]: "
            "pass the array of epochs.npz"
        )
    return array, check_labels("labels", labels, array.shape[2], length=array.shape[1])


def loss_table(epochs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of each evaluation pass against the labels: float64 [E, S], nats.

    Source: paper Eq. (2). Notebook: 02_noisy_labels

    Examples
    --------
    >>> loss_table(np.array([[[0.5, 0.5]], [[0.25, 0.75]]]), np.array([1])).round(3).tolist()
    [[0.693], [0.288]]
    """
    epochs, labels = check_epochs(epochs, labels)
    return np.stack([losses(one, labels) for one in epochs])


def replay(
    epochs: np.ndarray,
    labels: np.ndarray,
    *,
    songs: np.ndarray | None = None,
    settings: PartitionSettings = PartitionSettings(),
    seed: int = 0,
) -> Partition:
    """Divide the segments again from archived evaluation passes [E, S, K], with any settings.

    The passes after epochs 1 to e give the partition of epoch e + 1. With the training's own
    settings, its songs [S] and `seed=mixture_seed(seed)` the result equals the training's partition
    exactly. Without songs, segments count as independent.

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = np.r_[rng.uniform(0.8, 0.99, 80), rng.uniform(0.02, 0.2, 20)]
    >>> of = PartitionSettings(dip_test=False)
    >>> int(replay([np.c_[p, 1 - p]], np.zeros(100, dtype=int), settings=of).clean.sum())
    80
    """
    epochs, labels = check_epochs(epochs, labels)
    each = np.arange(len(labels)) if songs is None else songs
    return fit_partition(
        losses_to_divide(epochs, labels, each, settings),
        labels,
        n_classes=epochs.shape[2],
        settings=settings,
        songs=songs,
        seed=seed,
    )


def partition_quality(
    clean: np.ndarray, omega: np.ndarray, truly_clean: np.ndarray
) -> dict[str, float]:
    """Return how well X matches the truly clean labels, for data whose ground truth is known.

    Parameters
    ----------
    clean : bool [S], in X
    omega : float [S], posterior of the clean component
    truly_clean : bool [S], the inherited label is the true one

    Returns
    -------
    dict
        precision (fraction of X that is truly clean), recall (fraction of the truly clean that is
        in X), noise_recall (fraction of wrong labels that is in U), roc_auc (ROC AUC of ω),
        share_labelled = |X|/S, true_noise = wrong labels / S. NaN if undefined.

    Examples
    --------
    >>> clean, truly_clean = np.array([1, 1, 0, 0], bool), np.array([1, 1, 1, 0], bool)
    >>> q = partition_quality(clean, np.array([0.9, 0.8, 0.3, 0.1]), truly_clean)
    >>> q["precision"], round(q["recall"], 3), q["noise_recall"], q["roc_auc"]
    (1.0, 0.667, 1.0, 1.0)

    Notebook: 02_noisy_labels
    """
    clean, truly = np.asarray(clean, dtype=bool), np.asarray(truly_clean, dtype=bool)
    # A ROC curve needs both clean and wrong labels.
    both = truly.any() and not truly.all()
    with np.errstate(invalid="ignore"):  # 0 of 0 is NaN
        quality = {
            "precision": (clean & truly).sum() / clean.sum(),
            "recall": (clean & truly).sum() / truly.sum(),
            "noise_recall": (~clean & ~truly).sum() / (~truly).sum(),
            "roc_auc": roc_auc_score(truly, omega) if both else np.nan,
            "share_labelled": clean.mean(),
            "true_noise": (~truly).mean(),
        }
    return {name: float(value) for name, value in quality.items()}


def data_map(epochs: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Return one row per segment: confidence, variability and correctness.

    Confidence and variability are mean and standard deviation of p(label) over the evaluation
    passes; correctness (0–1) is the fraction of them that predict the label. Low confidence with
    low variability suggests a wrong label.

    Source: dataset cartography, Swayamdipta et al. 2020.
    Notebook: 02_noisy_labels

    Examples
    --------
    >>> e = np.array([[[0.5, 0.5]], [[0.75, 0.25]]])
    >>> data_map(e, np.array([0])).round(3).to_dict("records")
    [{'confidence': 0.625, 'variability': 0.125, 'correctness': 1.0}]
    """
    epochs, labels = check_epochs(epochs, labels)
    # float64 [E, S]: float16 sums over many epochs would lose digits.
    own = epochs[:, np.arange(len(labels)), labels].astype(np.float64)
    # [S], the fraction of passes whose most likely class is the label.
    correct = (epochs.argmax(axis=2) == labels).mean(axis=0)
    return pd.DataFrame(
        {"confidence": own.mean(axis=0), "variability": own.std(axis=0), "correctness": correct}
    )


def forgetting(epochs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return int64 [S]: how often a correct prediction was wrong one evaluation pass later.

    −1 for a segment that was never predicted correctly.

    Source: Toneva et al. 2019. Notebook: 02_noisy_labels

    Examples
    --------
    >>> right, wrong = [0.9, 0.1], [0.1, 0.9]
    >>> epochs = np.array([[right, wrong], [wrong, wrong], [right, wrong]])
    >>> forgetting(epochs, np.array([0, 0])).tolist()
    [1, -1]
    """
    epochs, labels = check_epochs(epochs, labels)
    # bool [E, S]: whether pass e predicts the label of segment s.
    right = epochs.argmax(axis=2) == labels
    forgotten = (right[:-1] & ~right[1:]).sum(axis=0)
    return np.where(right.any(axis=0), forgotten, -1).astype(np.int64)


def flips(clean_by_epoch: np.ndarray) -> np.ndarray:
    """Return int64 [S]: how often each segment moved between X and U.

    `clean_by_epoch` bool [E, S] is True for X; row e is the partition of epoch e.

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> flips(np.array([[True, True], [False, True], [True, True]])).tolist()
    [2, 0]
    """
    table = np.asarray(clean_by_epoch, dtype=bool)
    if table.ndim != 2:
        raise MerKitError(
            f"clean_by_epoch has shape {table.shape}, expected [epochs, segments]: "
            "stack `clean` of every partition"
        )
    # Every row is compared with the row before it, column by column: [E, S] → [S].
    return np.asarray((table[1:] != table[:-1]).sum(axis=0), dtype=np.int64)


def rejected(
    start_s: np.ndarray, end_s: np.ndarray, omega: np.ndarray, *, tau: float = 0.5
) -> pd.DataFrame:
    """Return the spans of one song in which the model rejects the inherited label.

    Inputs are one song's segments [n], in seconds; a span has start_s, end_s and omega (mean). A
    piece of time is rejected if the mean ω of the segments that cover it is at most τ; adjacent
    pieces are joined.

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> start_s, omega = np.array([0.0, 1.0, 2.0]), np.array([0.9, 0.1, 0.3])
    >>> rejected(start_s, start_s + 1, omega).to_dict("records")
    [{'start_s': 1.0, 'end_s': 3.0, 'omega': 0.2}]
    """
    check_range("tau", tau, 0, 1)
    start_s, end_s = np.asarray(start_s, dtype=float), np.asarray(end_s, dtype=float)
    omega = np.asarray(omega, dtype=float)
    # Between two neighbouring edges the same segments sound, so that ω is constant there.
    edges = np.unique(np.r_[start_s, end_s].round(9))
    low, high = edges[:-1, None], edges[1:, None]  # [pieces, 1], compared with segments [n]
    covering = (start_s <= low + 1e-9) & (end_s >= high - 1e-9)
    seconds = np.diff(edges)
    # In a gap between segments nothing speaks against the label.
    mean = np.array([omega[of].mean() if of.any() else 1.0 for of in covering], dtype=float)
    pieces = pd.DataFrame({"start_s": edges[:-1], "end_s": edges[1:], "omega": mean * seconds})
    # Rejected pieces with no accepted one between them are one span.
    accepted = mean > tau
    spans = pieces[~accepted].groupby(accepted.cumsum()[~accepted])
    joined = spans.agg({"start_s": "first", "end_s": "last", "omega": "sum"})
    # ω of a span is the mean weighted by seconds.
    joined["omega"] /= joined["end_s"] - joined["start_s"]
    return joined.reset_index(drop=True)
