"""What the numbers do and do not show: paired comparisons over folds, and sentences made from them.

Notebook: 06_results
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t  # type: ignore[import-untyped, unused-ignore]

from mer_kit.checks import MerKitError
from mer_kit.results.runs_table import HEADLINES
from mer_kit.songs.classifiers import NAMES as CLASSIFIERS
from mer_kit.systems import CHAINS

#: Runs are compared fold by fold only where all of this agrees: then both saw the same training and test songs.
SAME = ("corpus", "task", "segment_seconds", "preset", "seed", "song_features", "folds", "recipe")
#: First comes what is compared against.
_ORDER = [*CHAINS, *CLASSIFIERS]


def _place(name: str) -> tuple[int, str]:
    """Return where a method or classifier stands among others; those that are not known here come last."""
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def paired(folds: pd.DataFrame, *, by: str = "method", score: str = "accuracy") -> pd.DataFrame:
    """Return the fold-by-fold differences of every two methods (or deciders) that were run on the same folds.

    Parameters
    ----------
    folds : from `results.runs_table.fold_scores`
    by : "method" compares runs that differ in nothing else, by the SVM's songs; "classifier" compares answers within a run
    score : one of `results.runs_table.SCORES`

    Returns
    -------
    DataFrame
        one row a pair and fold: what agrees, "first", "second", "fold", "first_score", "second_score", "difference"
        (second − first, a fraction)

    Notebook: 06_results
    """
    if by not in ("method", "classifier"):
        raise MerKitError(f"by is {by!r}, expected 'method' or 'classifier': choose one of these")
    same = [*SAME, *(["method"] if by == "classifier" else [])]
    kept = distinct(folds[folds["classifier"].isin(HEADLINES if by == "method" else CLASSIFIERS)])
    rows: list[dict[str, Any]] = []
    for key, part in kept.groupby(same, sort=False):
        table = part.pivot_table(index="fold", columns=by, values=score)
        order = sorted(table.columns, key=_place)
        for first, second in itertools.combinations(order, 2):
            both = table[[first, second]].dropna()
            rows += [
                {**dict(zip(same, key, strict=True)), "first": first, "second": second, "fold": fold,
                 "first_score": a, "second_score": b, "difference": b - a}
                for fold, a, b in zip(both.index, both[first], both[second], strict=True)
            ]  # fmt: skip
    return pd.DataFrame(
        rows,
        columns=[*same, "first", "second", "fold", "first_score", "second_score", "difference"],
    )


def distinct(folds: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one run for each setting, method and seed: the run with most folds, then the last by name.

    Two runs can agree in every setting and yet differ in clips or in the version of the method.

    Parameters
    ----------
    folds : from `results.runs_table.fold_scores`
    """
    run = [*SAME, "method"]
    sizes = folds.groupby([*run, "folder"], as_index=False).agg(n=("fold", "nunique"))
    best = sizes.sort_values(["n", "folder"]).drop_duplicates(run, keep="last")["folder"]
    return folds[folds["folder"].isin(best)]


def verdict(differences: np.ndarray, *, n_folds: int) -> str:
    r"""Return in words whether fold-by-fold differences stand out from their own spread.

    The mean of n differences with sample deviation s is taken as uncertain by t · s · √(1/n + 1/(n_folds − 1)), t the
    97.5 % point of Student's distribution with n − 1 degrees: folds share most of their training songs, so they are
    not independent, and the second term pays for that.
    Source: Nadeau and Bengio 2003, the corrected resampled t-test.

    Parameters
    ----------
    differences : [n], one a fold, fractions
    n_folds : into how many folds the songs were divided (n of them were run)

    Examples
    --------
    >>> print(verdict(np.array([0.02, -0.01, 0.01]), n_folds=3).replace(": ", ":\n"))
    +0.7 ± 1.5 points over 3 folds (better in 2, worse in 1):
    within the spread of the folds, so no difference is shown
    >>> verdict(np.array([0.05]), n_folds=10)
    '+5.0 points on 1 fold: a single fold has no spread, so nothing follows'
    """
    d = np.asarray(differences, dtype=float)
    n, mean = len(d), float(d.mean())
    if n == 1:
        return (
            f"{100 * mean:+.1f} points on 1 fold: a single fold has no spread, so nothing follows"
        )
    sd = float(d.std(ddof=1))
    counts = [
        (int((d > 0).sum()), "better"),
        (int((d == 0).sum()), "equal"),
        (int((d < 0).sum()), "worse"),
    ]
    tally = ", ".join(f"{word} in {count}" for count, word in counts if count)
    reach = float(t.ppf(0.975, n - 1)) * sd * np.sqrt(1 / n + 1 / (n_folds - 1))
    beyond = "beyond the spread of the folds, to be confirmed with other seeds"
    within = "within the spread of the folds, so no difference is shown"
    end = beyond if abs(mean) > reach else within
    return f"{100 * mean:+.1f} ± {100 * sd:.1f} points over {n} folds ({tally}): {end}"


def sentences(results: pd.DataFrame, folds: pd.DataFrame) -> list[str]:
    """Return what the runs show, a sentence each: which there are, songs against the majority, method against method.

    The more pairs are compared, the more of them stand out by chance; the sentences count nothing off for that.

    Parameters
    ----------
    results, folds : from `results.runs_table.collect` and `fold_scores`
    """
    counts = results["status"].value_counts()
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    lines = [f"{len(results)} run{'s' if len(results) != 1 else ''}: {states or 'none'}."]
    for _, run in results.iterrows():
        if run["status"] in ("failed", "unreadable"):
            lines.append(f"{run['folder']} is {run['status']}: {run['reason']}.")
    for folder, part in folds.groupby("folder", sort=False):
        mark = str(folder).rsplit("-", 1)[
            -1
        ]  # the fingerprint: other settings may differ under one title
        lines.append(f"{title(part.iloc[0])} ({mark}): {_against_majority(part)}.")
    for _, part in paired(folds).groupby([*SAME, "first", "second"], sort=False):
        head = part.iloc[0]
        difference = verdict(part["difference"].to_numpy(), n_folds=int(head["folds"]))
        lines.append(
            f"{title(head, method=False)}: {head['second']} against {head['first']}: {difference}."
        )
    return lines


def title(row: Any, *, method: bool = True) -> str:
    """Return a run's name for people from any row that holds its settings."""
    settings = [row["corpus"], row["task"], f"{row['segment_seconds']:g} s"] + (
        [row["method"]] if method else []
    )
    return ", ".join([*settings, str(row["preset"]), f"seed {int(row['seed'])}"])


def _against_majority(part: pd.DataFrame) -> str:
    """Return how one run's songs stand against always answering the commonest class."""
    songs = part[part["classifier"].isin(HEADLINES)].set_index("fold")["accuracy"]
    guess = (
        part[part["classifier"] == "majority"].set_index("fold")["accuracy"].reindex(songs.index)
    )
    n, above = len(songs), int((songs > guess).sum())
    spread = f" ± {100 * songs.std(ddof=1):.1f}" if n > 1 else ""
    of = int(part["folds"].iloc[0])
    return (
        f"{100 * songs.mean():.1f}{spread} % of the songs right over {n} of {of} folds, always answering the commonest "
        f"class {100 * guess.mean():.1f} %; above it in {above} of {n}"
    )
