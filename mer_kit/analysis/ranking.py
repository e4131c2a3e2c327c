"""How well scores rank wrong labels before right ones, and how alike the segments of a song are.

Arrays only. Intervals draw songs, since the segments of a song resemble each other.

Notebook: 02_noisy_labels
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from mer_kit.checks import MerKitError

#: Fraction of the segments whose labels are looked at for the precision.
LISTENED = 0.1
#: Samples of the bootstrap.
DRAWS = 1000


def ranking(
    scores: pd.DataFrame, wrong: np.ndarray, songs: Sequence[str] | np.ndarray, *, seed: int = 0
) -> pd.DataFrame:
    """Return how well each score ranks wrong labels before right ones.

    Parameters
    ----------
    scores : one row per segment, one column per score; rows with NaN are left out for that score,
        and all its numbers are NaN if the rest has labels of one kind only
    wrong : bool [S]
    songs : [S], the song of each segment; intervals draw songs

    Returns
    -------
    DataFrame
        score; auc with its 95 % percentile bootstrap interval low, high; within_songs, the mean of
        the AUCs within songs that have right and wrong labels; precision of the tenth with the
        highest scores; segments

    Raises
    ------
    MerKitError
        If all labels are right, or all wrong.

    Examples
    --------
    >>> wrong = np.array([0, 0, 1, 0, 1, 0, 0, 0, 0, 0], dtype=bool)
    >>> scores = pd.DataFrame({"loss": [0.1, 0.4, 0.9, 0.2, 0.3, 0.1, 0.2, 0.1, 0.1, 0.2]})
    >>> row = ranking(scores, wrong, list("aaabbbcccc")).iloc[0]
    >>> row[["auc", "within_songs", "precision"]].astype(float).round(3).tolist()
    [0.938, 1.0, 1.0]

    Notebook: 02_noisy_labels
    """
    wrong, number = np.asarray(wrong, dtype=bool), pd.factorize(np.asarray(songs))[0]
    if wrong.all() or not wrong.any():
        raise MerKitError(
            f"{int(wrong.sum())} of {len(wrong)} labels are wrong, expected some of either kind: "
            "choose a corpus with ground truth in time, or noise_kind"
        )
    draws = _draws(int(number.max()) + 1, seed)
    rows = []
    for name in scores:
        known = scores[name].notna().to_numpy()
        score, its = scores[name].to_numpy(float)[known], wrong[known]
        row = {"score": name, **dict.fromkeys(_NUMBERS, np.nan), "segments": len(score)}
        if its.any() and not its.all():
            row |= dict(zip(_NUMBERS, _quality(its, score, number[known], draws), strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


_NUMBERS = ("auc", "low", "high", "within_songs", "precision")


def _quality(
    wrong: np.ndarray, score: np.ndarray, songs: np.ndarray, draws: np.ndarray
) -> tuple[float, ...]:
    """Return `_NUMBERS` of one score; `draws` [D, songs] says how often each song is drawn."""
    # A few draws at a time: 25,000 segments would need gigabytes otherwise.
    parts = [weighted_auc(wrong, score, some[:, songs]) for some in np.array_split(draws, 20)]
    low, high = np.nanpercentile(np.concatenate(parts), [2.5, 97.5])
    first = np.argsort(-score, kind="stable")[: max(1, round(LISTENED * len(score)))]
    auc = roc_auc_score(wrong, score)
    within, precision = within_songs(wrong, score, songs), wrong[first].mean()
    return float(auc), float(low), float(high), within, float(precision)


def _draws(n_songs: int, seed: int) -> np.ndarray:
    """Return how often each song is drawn: int64 [DRAWS, songs]."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_songs, np.full(n_songs, 1 / n_songs), size=DRAWS)


def weighted_auc(wrong: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the AUC with every row of weights, float64 [draws]; NaN where one kind has no weight.

    Parameters
    ----------
    wrong, score : [S]
    weights : [draws, S]

    Examples
    --------
    >>> wrong, score = np.array([True, False, False]), np.array([1.0, 0.0, 2.0])
    >>> weighted_auc(wrong, score, np.array([[1, 1, 1], [1, 3, 1], [1, 0, 0]])).tolist()
    [0.5, 0.75, nan]
    """
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.diff(score[order], prepend=-np.inf))  # of each group of equal scores
    of_kind = [
        np.add.reduceat(weights[:, order] * kind[order], first, axis=1) for kind in (wrong, ~wrong)
    ]
    bad, good = (one.astype(float) for one in of_kind)
    below = np.cumsum(good, axis=1) - good / 2  # half of those with an equal score
    with np.errstate(invalid="ignore"):
        return np.asarray((bad * below).sum(axis=1) / (bad.sum(axis=1) * good.sum(axis=1)))


def difference_interval(
    wrong: np.ndarray, score: np.ndarray, songs: Sequence[str] | np.ndarray, part: np.ndarray
) -> tuple[float, float]:
    """Return the 95 % interval of the AUC in a part minus the AUC in the rest, drawing songs.

    Parameters
    ----------
    wrong, score, songs : [S]
    part : bool [S]

    Examples
    --------
    >>> wrong = np.tile([True, False, False, False], 50)
    >>> part = np.arange(200) < 100
    >>> score = np.where(part, wrong, 0.0)  # perfect in the part, chance in the rest
    >>> difference_interval(wrong, score, np.arange(200) // 4, part)
    (0.5, 0.5)
    """
    number = pd.factorize(np.asarray(songs))[0]
    draws = _draws(int(number.max()) + 1, 0)[:, number]
    of_each = [weighted_auc(wrong, score, draws * rows) for rows in (part, ~part)]
    low, high = np.nanpercentile(of_each[0] - of_each[1], [2.5, 97.5])
    return float(low), float(high)


def within_songs(wrong: np.ndarray, score: np.ndarray, songs: np.ndarray) -> float:
    """Return the mean AUC within the songs that have labels of both kinds; NaN without any.

    Parameters
    ----------
    wrong, score, songs : [S]

    Examples
    --------
    >>> wrong, score = np.array([1, 0, 0, 1], dtype=bool), np.array([2.0, 1.0, 4.0, 3.0])
    >>> within_songs(wrong, score, np.array(["a", "a", "b", "b"]))
    0.5
    """
    parts = [
        roc_auc_score(wrong[songs == one], score[songs == one])
        for one in np.unique(songs)
        if 0 < wrong[songs == one].mean() < 1
    ]
    return float(np.mean(parts)) if parts else float("nan")


def shared_by_song(values: np.ndarray, songs: np.ndarray) -> float:
    """Return the intraclass correlation of values within songs: 0 independent, 1 equal in a song.

    It is the one-way analysis of variance estimate, with songs of unequal size; NaN for a single
    song, or if all values are equal.

    Parameters
    ----------
    values, songs : [S]

    Examples
    --------
    >>> songs = np.repeat(np.arange(50), 20)
    >>> rng = np.random.default_rng(0)
    >>> round(shared_by_song(rng.normal(size=50)[songs] + rng.normal(size=1000), songs), 1)
    0.5
    """
    values = np.asarray(values, dtype=float)
    table = pd.Series(values).groupby(np.asarray(songs))
    size, mean = table.size(), table.mean()
    n, n_songs = int(size.sum()), len(size)
    if n_songs < 2 or np.ptp(values) == 0:
        return float("nan")
    overall = float(np.mean(values))
    between = float((size * (mean - overall) ** 2).sum()) / (n_songs - 1)
    within = float(((size - 1) * table.var().fillna(0)).sum()) / max(n - n_songs, 1)
    usual = (n - float((size**2).sum()) / n) / (n_songs - 1)
    return (between - within) / (between + (usual - 1) * within)
