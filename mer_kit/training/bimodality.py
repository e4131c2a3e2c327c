"""Do the losses show two modes at all? Hartigan's dip test, calibrated on whole songs.

A mixture of two components always finds two, also in losses of one kind, so a partition counts only
if this test finds a second mode.

Notebook: 02_noisy_labels
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression  # type: ignore[import-untyped, unused-ignore]

#: √n times the dip that 1 % of uniform samples of any size exceed, see `benchmarks/bimodality.py`.
CRITICAL = 0.64


@dataclass(frozen=True)
class DipTest:
    """The dip of a sample, and the dip that 1 % of unimodal samples of its effective size exceed.

    Attributes
    ----------
    dip : largest distance between the empirical and the closest unimodal distribution, 0 to ¼
    critical : the least dip that counts as two modes
    n_effective : independent values that the sample is worth
    """

    dip: float
    critical: float
    n_effective: float

    @property
    def bimodal(self) -> bool:
        """Whether a second mode is shown at the level of 1 %."""
        return bool(self.dip > self.critical)


def dip_test(values: np.ndarray, songs: np.ndarray | None = None) -> DipTest:
    """Test values [n] for a second mode; `songs` int [n] says which of them belong together.

    The uniform distribution is the unimodal one with the largest dip, so that skewed or normal
    values are called bimodal even more rarely than its 1 %. Segments of one song resemble each
    other; n is therefore reduced to the number of independent values that they are worth.

    Source: Hartigan and Hartigan 1985; D: the level and the effective number of values.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one = rng.exponential(size=2000)
    >>> dip_test(one).bimodal, dip_test(np.r_[one, rng.normal(9, 1, 400)]).bimodal
    (False, True)
    """
    values = np.asarray(values, dtype=np.float64)
    n_effective = float(len(values))
    if songs is not None:
        n_effective = effective_number(values, songs)
    return DipTest(dip(values), CRITICAL / np.sqrt(n_effective), n_effective)


def dip(values: np.ndarray) -> float:
    """Return Hartigan's dip of values [n]: 1/(2n) to ¼.

    The closest unimodal distribution is convex left of its modal interval and concave right of it.
    The interval starts as the whole range and is narrowed to where the greatest convex minorant and
    the least concave majorant are furthest apart, until what remains inside it is closer than what
    has been found outside.

    Source: Hartigan 1985, AS 217.

    Examples
    --------
    >>> round(dip(np.array([0.0, 0.001, 0.999, 1.0])), 3), round(dip(np.arange(5.0)), 3)
    (0.25, 0.1)
    """
    x = spread_ties(np.sort(np.asarray(values, dtype=np.float64)))
    below = np.arange(len(x)) / len(x)  # the empirical distribution just before each value
    above = below + 1 / len(x)
    low, high, found = 0, len(x) - 1, 1 / len(x)
    while True:
        inside = slice(low, high + 1)
        minorant = _minorant(x[inside], below[inside])
        # The majorant is the minorant of the turned distribution.
        majorant = 1 - _minorant(-x[inside][::-1], 1 - above[inside][::-1])[::-1]
        gap = majorant - minorant
        furthest = int(gap.argmax())
        if gap[furthest] <= found + 1e-12:
            return found / 2
        # The modal interval reaches to the next point of contact of either curve on its side.
        on_minorant = np.flatnonzero(minorant >= below[inside] - 1e-12)
        on_majorant = np.flatnonzero(majorant <= above[inside] + 1e-12)
        left = int(on_minorant[on_minorant <= furthest][-1])
        right = int(on_majorant[on_majorant >= furthest][0])
        outside_left = (above[inside] - minorant)[: left + 1].max()
        outside_right = (majorant - below[inside])[right:].max()
        found = max(found, float(outside_left), float(outside_right))
        if left == 0 and right == len(gap) - 1:
            return found / 2
        low, high = low + left, low + right


def _minorant(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the greatest convex minorant of the points (x, y) at x: [n], [n] → [n]."""
    # Its slopes are the points' own slopes made ascending: isotonic regression, weighted by Δx.
    width = np.diff(x)
    if not len(width):
        return y
    slopes = isotonic_regression(np.diff(y) / width, weights=width).x
    return np.asarray(y[0] + np.append(0, np.cumsum(slopes * width)))


def spread_ties(ordered: np.ndarray) -> np.ndarray:
    """Return ascending values with equal ones spread evenly between their neighbours.

    Archived probabilities are float16, so many losses are equal. Each stands for the interval of
    values that are rounded to it; left on one point, they would look like modes.

    Examples
    --------
    >>> spread_ties(np.array([0.0, 1.0, 1.0, 2.0])).tolist()
    [0.0, 0.75, 1.25, 2.0]
    """
    distinct, counts = np.unique(ordered, return_counts=True)
    if len(distinct) == len(ordered):
        return ordered
    if len(distinct) == 1:
        return ordered + np.linspace(0, 1, len(ordered))  # no spread at all: any unimodal shape
    borders = (distinct[1:] + distinct[:-1]) / 2
    first, last = 2 * distinct[0] - borders[0], 2 * distinct[-1] - borders[-1]
    low, high = np.append(first, borders), np.append(borders, last)
    # The k-th of c equal values lies at (k + ½) / c of their interval; a single value in its place.
    k = np.arange(len(ordered)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = (k + 0.5) / np.repeat(counts, counts)
    spread = np.repeat(low, counts) + place * np.repeat(high - low, counts)
    return np.asarray(np.where(np.repeat(counts, counts) == 1, ordered, spread))


def effective_number(values: np.ndarray, songs: np.ndarray) -> float:
    """Return how many independent values [n] are worth, given which of them share a song.

    n / (1 + (m − 1)·ρ), with ρ the intraclass correlation and m the songs' mean size, each song
    weighted by its size (Kish's design effect).

    Examples
    --------
    >>> songs = np.repeat([0, 1, 2, 3], 5)
    >>> effective_number(np.repeat([0.0, 1.0, 2.0, 4.0], 5), songs)
    4.0
    """
    _, song, counts = np.unique(songs, return_inverse=True, return_counts=True)
    n, n_songs = len(values), len(counts)
    if not 1 < n_songs < n:
        return float(n)
    means = np.bincount(song, values) / counts
    within = np.square(values - means[song]).sum() / (n - n_songs)
    between = (counts * np.square(means - values.mean())).sum() / (n_songs - 1)
    size = (n - np.square(counts).sum() / n) / (n_songs - 1)  # the mean size of the ANOVA
    variance = max(0.0, (between - within) / size)
    correlation = variance / max(variance + within, 1e-300)
    return float(n / (1 + (np.square(counts).sum() / n - 1) * correlation))
