"""Two methods or classifiers compared fold by fold: their differences, and a verdict in words.

The conservative companion of `results.compare`, and what a person can see fold by fold.

Notebook: 06_results
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice
from mer_kit.results import statistics
from mer_kit.results.runs_table import COMPARED
from mer_kit.songs.classifiers import NAMES as CLASSIFIERS
from mer_kit.systems import CHAINS

#: Runs are compared by fold only if these agree: then both had the same training and test songs.
SAME = ("corpus", "task", "segment_seconds", "preset", "seed", "song_features", "folds", "recipe")
#: Methods and classifiers in order; each is compared with those before it.
_ORDER = [*CHAINS, *CLASSIFIERS]


def paired(folds: pd.DataFrame, *, by: str = "method", score: str = "accuracy") -> pd.DataFrame:
    """Return the fold-by-fold differences of every two methods or classifiers on the same folds.

    Parameters
    ----------
    folds : from `results.runs_table.fold_scores`
    by : "method" compares the answers by `mean` of runs that differ in nothing else;
        "classifier" compares answers within a run
    score : one of `results.runs_table.SCORES`

    Returns
    -------
    DataFrame
        one row per pair and fold: the settings that agree, "first", "second", "fold",
        "first_score", "second_score", "difference" (second − first, a fraction)

    Examples
    --------
    >>> same = dict.fromkeys(SAME, 0) | {"folds": 2, "classifier": "mean"}
    >>> folds = pd.DataFrame([
    ...     same | {"method": "ce", "folder": "a", "fold": 0, "accuracy": 0.5},
    ...     same | {"method": "sssl", "folder": "b", "fold": 0, "accuracy": 0.75}])
    >>> paired(folds)[["first", "second", "fold", "difference"]].values.tolist()
    [['ce', 'sssl', 0, 0.25]]

    Notebook: 06_results
    """
    choices: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "method": (COMPARED, SAME),
        "classifier": (CLASSIFIERS, (*SAME, "method")),
    }
    names, same = choices[check_choice("by", by, choices)]
    columns = [*same, "first", "second", "fold", "first_score", "second_score", "difference"]
    rows: list[tuple[Any, ...]] = []
    for key, run in distinct(folds[folds["classifier"].isin(names)]).groupby([*same], sort=False):
        table = run.pivot_table(index="fold", columns=by, values=score)
        # Names that are not in the order come last.
        known = [name for name in _ORDER if name in table.columns]
        order = [*known, *sorted(set(table.columns) - set(known))]
        for first, second in itertools.combinations(order, 2):
            both = table[[first, second]].dropna()
            rows += [(*key, first, second, fold, a, b, b - a) for fold, a, b in both.itertuples()]
    return pd.DataFrame(rows, columns=columns)


def distinct(folds: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one run for each setting, method and seed: the one with most folds.

    Two runs can agree in every setting and yet differ in clips or in the method's version; of
    several with equally many folds the last by name is kept.

    Parameters
    ----------
    folds : from `results.runs_table.fold_scores`

    Examples
    --------
    >>> same = dict.fromkeys((*SAME, "method"), 0)
    >>> rows = [("a", 0), ("a", 1), ("b", 0)]
    >>> folds = pd.DataFrame([same | {"folder": folder, "fold": fold} for folder, fold in rows])
    >>> distinct(folds)["folder"].tolist()
    ['a', 'a']
    """
    run = [*SAME, "method"]
    sizes = folds.groupby([*run, "folder"], as_index=False).agg(n=("fold", "nunique"))
    best = sizes.sort_values(["n", "folder"]).drop_duplicates(run, keep="last")["folder"]
    return folds[folds["folder"].isin(best)]


def verdict(differences: np.ndarray, *, n_folds: int) -> str:
    r"""Return in words whether fold-by-fold differences exceed their own spread.

    The mean of n differences with sample standard deviation s has the uncertainty
    t · s · √(1/n + 1/(n_folds − 1)), with t the 97.5 % point of Student's distribution with n − 1
    degrees of freedom. Folds share most of their training songs, so they are not independent; the
    second term accounts for that.
    Source: Nadeau and Bengio 2003, the corrected resampled t-test.

    Parameters
    ----------
    differences : [n], one per fold, fractions
    n_folds : number of folds of the cross-validation (n of them were run)

    Examples
    --------
    >>> print(verdict(np.array([0.02, -0.01, 0.01]), n_folds=3).replace(": ", ":\n"))
    +0.7 ± 1.5 points over 3 folds (better in 2, worse in 1):
    within the spread of the folds, so no difference is shown
    >>> verdict(np.array([0.05]), n_folds=10)
    '+5.0 points on 1 fold: a single fold has no spread, so nothing follows'
    """
    d = np.asarray(differences, dtype=float)
    n, points = len(d), f"{100 * float(d.mean()):+.1f}"
    if n == 1:
        return f"{points} points on 1 fold: a single fold has no spread, so nothing follows"
    sd = float(d.std(ddof=1))
    counts = {"better": (d > 0).sum(), "equal": (d == 0).sum(), "worse": (d < 0).sum()}
    tally = ", ".join(f"{word} in {count}" for word, count in counts.items() if count)
    t = statistics.corrected_t(d, test_to_train=1 / (n_folds - 1))
    within = "within the spread of the folds, so no difference is shown"
    beyond = "beyond the spread of the folds, to be confirmed with other seeds"
    finding = beyond if t.low > 0 or t.high < 0 else within
    return f"{points} ± {100 * sd:.1f} points over {n} folds ({tally}): {finding}"
