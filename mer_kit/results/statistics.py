"""Statistics of paired differences between two methods: intervals, tests, power. Arrays only.

The unit is the song: whether one method is right where another is wrong, averaged over seeds. Songs
of one artist resemble each other, so intervals and tests draw artists, not songs. All differences
are fractions; nothing here knows of runs.

Notebook: 06_results
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats  # type: ignore[import-untyped, unused-ignore]

from mer_kit.checks import MerKitError

#: Of every interval.
LEVEL = 0.95
#: Samples of the bootstrap, and draws of signs: bounds are then known to about 2 % of their width.
DRAWS = 5000


class Interval(NamedTuple):
    """An interval and a p-value."""

    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Spread:
    """The variance of a mean difference: the songs' part, and the part of one seed.

    More seeds make only the second part smaller; n times the songs make both n times smaller. With
    one seed they cannot be told apart: all of it is then the songs' part, and `standard_error` for
    more seeds is an upper bound.
    """

    songs: float
    seed: float

    def standard_error(self, seeds: int | np.ndarray) -> np.ndarray:
        """Return the standard error of the mean difference with this number of seeds.

        Examples
        --------
        >>> Spread(songs=9e-5, seed=2.1e-4).standard_error(np.array([1, 3])).round(4).tolist()
        [0.0173, 0.0126]
        """
        return np.sqrt(self.songs + self.seed / np.asarray(seeds))


def totals(values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each group's sum of the values [n] and its number of them, both float64 [G].

    Raises
    ------
    MerKitError
        If there are no values, or not one group for each.

    Examples
    --------
    >>> [column.tolist() for column in totals(np.array([1, 0, -1]), np.array(["a", "a", "b"]))]
    [[1.0, -1.0], [2.0, 1.0]]
    """
    if len(values) == 0 or np.shape(groups) != np.shape(values):
        raise MerKitError(
            f"got {len(values)} differences and groups of shape {np.shape(groups)}, expected at "
            "least one and the group of each: pass the artist of every song"
        )
    number = np.unique(groups, return_inverse=True)[1]
    return np.bincount(number, weights=values), np.bincount(number).astype(float)


def interval(values: np.ndarray, groups: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a mean over songs, drawing artists.

    With one artist there is nothing to draw, and both bounds are NaN.

    Parameters
    ----------
    values : float [n], one per song: a difference, or the fraction of seeds that are right
    groups : [n], the artist of each song, of any type

    Examples
    --------
    >>> values = np.array([1.0, 0.0, 0.0, 1.0])
    >>> interval(values, np.array(["a", "a", "b", "b"]))  # each artist has one song right
    (0.5, 0.5)
    """
    sums, sizes = totals(values, groups)
    if len(sums) < 2:
        return float("nan"), float("nan")
    drawn = stats.bootstrap(
        (sums, sizes), lambda s, n, axis: s.sum(axis=axis) / n.sum(axis=axis),
        n_resamples=DRAWS, batch=500, vectorized=True, paired=True, confidence_level=LEVEL,
        method="percentile", rng=np.random.default_rng(seed),
    )  # fmt: skip
    low, high = drawn.confidence_interval
    return float(low), float(high)


def sign_flip(values: np.ndarray, groups: np.ndarray, *, seed: int = 0) -> float:
    """Return the two-sided p-value of a mean difference if each artist's sign were a coin toss.

    It is (1 + as large or larger) / (1 + `DRAWS`), so never 0.

    Parameters
    ----------
    values, groups : see `interval`

    Examples
    --------
    >>> sign_flip(np.zeros(4), np.arange(4)), sign_flip(np.ones(30), np.arange(30)) < 0.001
    (1.0, True)
    """
    sums = totals(values, groups)[0]
    heads = np.random.default_rng(seed).integers(2, size=(DRAWS, len(sums)), dtype=np.int8)
    as_large = np.abs((2.0 * heads - 1) @ sums) >= np.abs(sums.sum()) - 1e-9
    return float(1 + as_large.sum()) / (1 + DRAWS)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return McNemar's exact two-sided p-value for one seed: is either method right more often?

    Parameters
    ----------
    only_first, only_second : number of songs that only this one of the two methods has right

    Examples
    --------
    >>> mcnemar(0, 0), round(mcnemar(10, 22), 4)
    (1.0, 0.0501)
    """
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def corrected_t(differences: np.ndarray, *, test_to_train: float) -> Interval:
    """Return interval and p-value of a mean difference by the corrected resampled t-test.

    The mean of n differences with sample standard deviation s has the standard error
    s · √(1/n + test/train), since folds share most of their training songs. The second term does
    not fall with n, so this test is conservative, and more so with many seeds. A single difference
    has no spread: all NaN.
    Source: Nadeau and Bengio 2003; for repeated cross-validation Bouckaert and Frank 2004.

    Parameters
    ----------
    differences : [n], one per fold and seed
    test_to_train : songs in a test fold per training song: 1 / (folds − 1) in cross-validation, 0
        for the ordinary paired t-test

    Examples
    --------
    >>> tested = corrected_t(np.array([0.02, -0.01, 0.01]), test_to_train=1 / 2)
    >>> [round(value, 3) for value in tested]
    [-0.053, 0.067, 0.68]
    """
    d = np.asarray(differences, dtype=float)
    if len(d) < 2:
        return Interval(float("nan"), float("nan"), float("nan"))
    mean = float(d.mean())
    error = float(d.std(ddof=1) * np.sqrt(1 / len(d) + test_to_train))
    if error == 0:
        return Interval(mean, mean, float(mean == 0))
    student = stats.t(len(d) - 1)
    reach = float(student.ppf((1 + LEVEL) / 2)) * error
    return Interval(mean - reach, mean + reach, 2 * float(student.sf(abs(mean) / error)))


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values [n] corrected for n comparisons; unknown ones (NaN) do not count.

    Source: Holm 1979.

    Examples
    --------
    >>> holm(np.array([0.03, 0.01, 0.5, np.nan])).round(3).tolist()
    [0.06, 0.03, 0.5, nan]
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)  # NaN last
    scaled = p[order] * np.arange(np.isfinite(p).sum(), np.isfinite(p).sum() - len(p), -1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return corrected


def spread(differences: np.ndarray, groups: np.ndarray) -> Spread:
    """Return the variance of the mean difference between two methods, and what seeds add to it.

    Songs of one artist are added up before squaring. Of two or more seeds, what differs from seed
    to seed within songs is the seeds' part. Songs may have been tested with different numbers of
    seeds: those with one count in the songs' part only, and the others tell what a seed adds.

    Parameters
    ----------
    differences : float [songs, seeds], second minus first of right (1) and wrong (0); NaN where a
        song was not tested with a seed
    groups : [songs]

    Examples
    --------
    >>> same_with_both_seeds = np.array([[1, 1], [0, 0], [-1, -1]])
    >>> spread(same_with_both_seeds, np.arange(3)).seed
    0.0
    """
    d = np.asarray(differences, dtype=float)
    by_song = np.nanmean(d, axis=1)
    artists = np.unique(groups)
    n_songs, n_artists = len(d), len(artists)
    if n_artists < 2:
        return Spread(float("nan"), float("nan"))
    sums, _ = totals(by_song - by_song.mean(), groups)
    total = float((sums**2).sum()) * n_artists / (n_artists - 1) / n_songs**2
    within = np.nan_to_num(d - by_song[:, None])
    by_seed = np.stack([totals(column, groups)[0] for column in within.T])
    tested, sizes = totals(np.isfinite(d).sum(axis=1), groups)
    seeds = tested / sizes  # of each artist's songs, on average
    more = seeds > 1
    if not more.any():
        return Spread(total, 0.0)
    of_one_seed = (by_seed[:, more] ** 2).sum() / (seeds[more] - 1).sum()
    a_song = of_one_seed * more.sum() / sizes[more].sum()  # of a song, its artist's other songs too
    in_total = a_song * (sizes / seeds).sum()
    return Spread(max(total - float(in_total) / n_songs**2, 0.0), float(a_song) / n_songs)


def power(difference: float | np.ndarray, standard_error: float | np.ndarray) -> np.ndarray:
    """Return the probability that a true difference of this size is seen, at the level of 5 %.

    It is seen if the interval of ± 1.96 standard errors around the measured one excludes 0.

    Parameters
    ----------
    difference, standard_error : fractions, of any shapes that broadcast

    Examples
    --------
    >>> power(0.02, np.array([0.0129, 0.0067])).round(2).tolist()
    [0.34, 0.85]
    """
    size = np.abs(difference) / np.maximum(standard_error, 1e-12)
    edge = stats.norm.ppf((1 + LEVEL) / 2)
    return np.asarray(stats.norm.sf(edge - size) + stats.norm.sf(edge + size))
