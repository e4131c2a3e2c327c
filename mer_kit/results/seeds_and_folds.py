"""How likely a true difference is to be seen, by the number of seeds and of folds.

Notebook: 08_compare
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats  # type: ignore[import-untyped, unused-ignore]

from mer_kit.results.statistics import LEVEL, Spread, power

#: Columns of `chances`.
COLUMNS = ("seeds", "folds", "songs", "standard_error", "by_song", "by_fold")


def chances(
    row: Mapping[Any, Any],
    difference: float,
    *,
    of_folds: int,
    seeds: Sequence[int],
    folds: Sequence[int],
) -> pd.DataFrame:
    """Return the probability that a true difference would be seen with these seeds and folds.

    It follows from how often the two systems disagreed. n times the songs make the variance n
    times smaller, and more seeds only the part that seeds contribute. With one seed run, the parts
    cannot be told apart, and the numbers for more seeds are lower bounds.

    Parameters
    ----------
    row : of `results.compare.comparisons`
    difference : a fraction
    of_folds : number of folds of the cross-validation

    Returns
    -------
    DataFrame
        `COLUMNS`: number of songs tested, standard error of the difference (a fraction), and the
        probability by the interval over songs and by the corrected t-test over folds (the latter
        as if the folds of different seeds were independent; NaN for a single one). With few of the
        folds and many seeds, that test finds too much, since the same songs are tested again. Both
        are NaN where the two systems never disagreed

    Examples
    --------
    >>> row = {"variance_songs": 2e-5, "variance_seed": 1.2e-4, "fold_numbers": 10, "songs": 900}
    >>> table = chances(row, 0.02, of_folds=10, seeds=[1, 5], folds=[3, 10])
    >>> table[["songs", "by_song", "by_fold"]].round(2).values.tolist()
    [[270.0, 0.15, 0.07], [270.0, 0.38, 0.17], [900.0, 0.39, 0.11], [900.0, 0.85, 0.16]]
    """
    rows = [
        _chance(row, difference, row["fold_numbers"] / number, of_folds, n_seeds, number)
        for number in folds
        for n_seeds in seeds
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _chance(
    row: Mapping[Any, Any], difference: float, scale: float, of_folds: int, seeds: int, folds: int
) -> tuple[float, ...]:
    """Return one row of `chances`; `scale` is what the variances are multiplied with."""
    spread = Spread(float(row["variance_songs"]) * scale, float(row["variance_seed"]) * scale)
    error = float(spread.standard_error(seeds))
    n, of_one = seeds * folds, folds * (spread.songs + spread.seed)  # a single fold's variance
    by_fold = by_song = float("nan")
    if error > 0:
        by_song = float(power(difference, error))
    if error > 0 and n > 1:
        assumed = np.sqrt(of_one * (1 / n + 1 / (of_folds - 1)))
        edge = stats.t(n - 1).ppf((1 + LEVEL) / 2) * assumed / error
        shift = difference / error
        by_fold = float(stats.nct.sf(edge, n - 1, shift) + stats.nct.cdf(-edge, n - 1, shift))
    songs = round(row["songs"] / scale)
    return seeds, folds, songs, error, by_song, by_fold
