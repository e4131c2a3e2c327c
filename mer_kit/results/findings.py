"""What runs and their comparisons show, in sentences.

Notebook: 06_results
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.format import duration, percent, plural, with_noise
from mer_kit.results import answers
from mer_kit.results.compare import POINTS, chance_to_see, comparisons, without_partner
from mer_kit.results.runs_table import COMPARED

NOT_SEPARABLE = "not separable"


def words(row: Mapping[Any, Any]) -> str:
    """Return a row of `comparisons` in words: effect, interval, and whether it is separable.

    It is not separable where the 95 % interval contains 0.

    Examples
    --------
    >>> row = {"difference": 0.013, "low": -0.004, "high": 0.03, "songs": 900, "artists": 661,
    ...        "seeds": 5, "seeds_per_song": 5, "variance_songs": 0.0, "variance_seed": 4e-4}
    >>> print(words(row).replace(": ", ":\\n"))
    +1.3 points [-0.4, 3.0] over 900 songs of 661 artists, 5 seeds:
    not separable (a true difference of 2 points would be seen with probability 0.61)
    """
    bounds = f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    found = (
        f"{100 * row['difference']:+.1f} points {bounds} over {plural(row['songs'], 'song')} of "
        f"{plural(row['artists'], 'artist')}, {plural(row['seeds'], 'seed')}"
    )
    said = finding(row)
    if said == NOT_SEPARABLE:
        chance = float(chance_to_see(row))
        if np.isnan(chance):
            return f"{found}: {said} (too little differs to tell what would be seen)"
        return (
            f"{found}: {said} (a true difference of {100 * POINTS:g} points would be seen "
            f"with probability {chance:.2f})"
        )
    corrected = f"{row['p_holm']:.2g} corrected for {plural(row['comparisons'], 'comparison')}"
    return f"{found}: {said}, p = {row['p']:.2g}, {corrected}"


def finding(row: Mapping[Any, Any]) -> str:
    """Return what a row of `comparisons` shows: better, worse, or not separable.

    Examples
    --------
    >>> row = {"difference": 0.03, "low": 0.01, "high": 0.05, "p_holm": 0.01}
    >>> [finding(row | {"low": low}) for low in (0.01, 0.0)]
    ['better', 'not separable']
    >>> finding(row | {"p_holm": 0.06})
    'better, but not after the correction'
    """
    if not (row["low"] > 0 or row["high"] < 0):
        return NOT_SEPARABLE
    way: str = ("worse", "better")[int(row["difference"] > 0)]
    return way + ", but not after the correction" * int(row["p_holm"] > 0.05)


def sentences(results: pd.DataFrame, folds: pd.DataFrame) -> list[str]:
    """Return what the runs show: their states, songs against the majority, methods against ce.

    Parameters
    ----------
    results, folds : from `results.runs_table.collect` and `fold_scores`
    """
    counts = results["status"].value_counts().items()
    states = ", ".join(f"{count} {state}" for state, count in counts)
    lines = [f"{plural(len(results), 'run')}: {states or 'none'}."]
    broken = results[results["status"].isin(["failed", "unreadable"])]
    lines += [f"{run.folder} is {run.status}: {run.reason}." for run in broken.itertuples()]
    lines += [  # with the fingerprint, since one title can have several settings
        f"{title(rows.iloc[0])} ({str(folder).rpartition('-')[2]}): {_against_majority(rows)}."
        for folder, rows in folds.groupby("folder", sort=False)
    ]
    table = answers.song_answers(results)
    for row in comparisons(table).to_dict("records"):
        pair = f"{row['second']} against {row['first']}"
        where = with_noise(f"{row['corpus']}, {row['task']}", row)
        lines.append(f"{where}: {pair}: {words(row)}.")
    return [*lines, *(f"{sentence}." for sentence in without_partner(table))]


def title(row: Any) -> str:
    """Return a run's name for people from any row with its settings.

    Examples
    --------
    >>> title({"corpus": "4q", "task": "valence", "segment_seconds": 3.0, "method": "ce",
    ...        "preset": "cpu", "seed": 1})
    '4q, valence, 3 s, ce, cpu, seed 1'
    """
    name = (
        f"{row['corpus']}, {row['task']}, {duration(row['segment_seconds'])}, {row['method']}, "
        f"{row['preset']}, seed {int(row['seed'])}"
    )
    return with_noise(name, row)


def _against_majority(run: pd.DataFrame) -> str:
    """Return one run's song accuracy compared with always answering the majority class."""
    songs = run[run["classifier"].isin(COMPARED)].set_index("fold")["accuracy"]
    guess = run[run["classifier"] == "majority"].set_index("fold")["accuracy"].reindex(songs.index)
    n, above = len(songs), int((songs > guess).sum())
    return (
        f"{percent(songs.mean(), songs.std(ddof=1))} % of the songs right over {n} of "
        f"{int(run['folds'].iloc[0])} folds, always answering the majority class "
        f"{100 * guess.mean():.1f} %; above it in {above} of {n}"
    )
