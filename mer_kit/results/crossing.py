"""Where one system overtakes another as more labels become wrong, and how certain that is.

Notebook: 08_compare
"""

import contextlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.results import compare, statistics


@dataclass(frozen=True)
class Crossing:
    """The rate of wrong labels from which on a system stays ahead of another.

    Attributes
    ----------
    rate : by linear interpolation between the rates tested; 0 if it is ahead at all of them,
        infinity if it is not ahead at the highest one
    low, high : bounds of the 95 % interval, which may be 0 and infinity too
    rates : float64 [R], the rates tested, ascending
    songs, artists : how many they were tested on
    """

    rate: float
    low: float
    high: float
    rates: np.ndarray
    songs: int
    artists: int

    @property
    def is_shown(self) -> bool:
        """Whether there is a crossing, and the interval lies inside the rates tested."""
        return self.low > 0 and self.high < np.inf

    def words(self, name: str, baseline: str = compare.BASELINE) -> str:
        """Return one sentence about the crossing or its absence.

        Examples
        --------
        >>> rates = np.array([0, 0.2, 0.6])
        >>> print(Crossing(0.31, 0.12, 0.5, rates, 80, 40).words("sssl"))
        sssl overtakes ce at 31 % wrong labels [12 %, 50 %].
        >>> print(Crossing(0.31, 0, np.inf, rates, 80, 40).words("sssl"))
        sssl overtakes ce at 31 % wrong labels [before 0 %, beyond 60 %]: a crossing is not shown.
        """
        top = f"{100 * self.rates[-1]:.0f} %"
        low, high = (_bound(value, top) for value in (self.low, self.high))
        if self.low == np.inf:
            return f"{name} does not cross {baseline}: it is not ahead at {top} wrong labels."
        if self.high == 0:
            return f"{name} does not cross {baseline}: it is ahead at every rate up to {top}."
        interval = f"[{low}, {high}]"
        if self.rate == np.inf:
            found = f"{name} does not overtake {baseline} up to {top} wrong labels {interval}"
            return f"{found}: a crossing is neither shown nor excluded."
        if self.rate == 0:
            found = f"{name} is ahead of {baseline} at every rate up to {top} {interval}"
            return f"{found}: a crossing is neither shown nor excluded."
        end = "." if self.is_shown else ": a crossing is not shown."
        return (
            f"{name} overtakes {baseline} at {100 * self.rate:.0f} % wrong labels {interval}{end}"
        )


def _bound(value: float, top: str) -> str:
    if value == np.inf:
        return f"beyond {top}"
    return f"{100 * value:.0f} %" if value > 0 else "before 0 %"


def crossing(
    table: pd.DataFrame, name: str, *, kind: str, baseline: str = compare.BASELINE
) -> Crossing:
    """Return where a system overtakes the baseline as the rate of one kind of noise grows.

    Only answers that both gave at every rate count: the same songs with the same seeds and folds.
    The interval is that of a bootstrap over artists, which draws the same artists at every rate.

    Parameters
    ----------
    table : from `results.side_by_side.answers_alike`
    name, baseline : names in it
    kind : of noise, see `training.noise.KINDS`

    Raises
    ------
    MerKitError
        If the two have fewer than two rates in common, or share no answer at all of them.
    """
    noise = table["noise_kind"].isin([kind, "none"])
    first, second = (table[noise & table["name"].eq(one)] for one in (baseline, name))
    both = first.merge(second, on=["noise_rate", *compare.TESTED], suffixes=("", "_second"))
    both["d"] = both["right_second"].astype(int) - both["right"].astype(int)
    answer = ["group", "clip_id", "seed", "fold"]  # the same ones at every rate
    d = both.pivot_table(index=answer, columns="noise_rate", values="d").dropna()
    d = d.groupby(level=["group", "clip_id"]).mean()
    rates = d.columns.to_numpy(dtype=float)
    if len(rates) < 2:
        raise MerKitError(
            f"{name} and {baseline} have {len(rates)} rates of {kind} noise in common, expected "
            "at least two: run both without noise and at one rate or more"
        )
    if d.empty:
        raise MerKitError(
            f"{name} and {baseline} share no song, seed and fold at all {len(rates)} rates of "
            f"{kind} noise, expected some: run the same folds and seeds at every rate"
        )
    sums = d.groupby(level="group").sum().to_numpy()  # [artists, rates]
    n = len(sums)
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=statistics.DRAWS)
    bounds = crossing_rate(rates, drawn @ sums)  # the scale of a curve does not matter
    edge = (1 - statistics.LEVEL) / 2
    low, high = np.quantile(bounds, [edge, 1 - edge], method="inverted_cdf")  # some are infinite
    rate = crossing_rate(rates, d.to_numpy().mean(axis=0)[None])[0]
    return Crossing(float(rate), float(low), float(high), rates, len(d), n)


def crossings(
    table: pd.DataFrame, noise_map: pd.DataFrame, *, baseline: str = compare.BASELINE
) -> dict[tuple[str, str], Crossing]:
    """Return (name, kind) → crossing, for every line of a noise map with two rates or more.

    Lines whose rates share no song, seed and fold are left out.

    Parameters
    ----------
    table : see `crossing`
    noise_map : from `results.side_by_side.noise_map`

    Examples
    --------
    >>> crossings(pd.DataFrame(), pd.DataFrame(columns=["name", "kind", "rate"]))
    {}
    """
    found = {}
    for (name, kind), rows in noise_map.groupby(["name", "kind"]):
        if rows["rate"].nunique() > 1:
            with contextlib.suppress(MerKitError):
                line = crossing(table, str(name), kind=str(kind), baseline=baseline)
                found[str(name), str(kind)] = line
    return found


def crossing_rate(rates: np.ndarray, differences: np.ndarray) -> np.ndarray:
    """Return from which rate on the differences stay above 0: [curves, R] → [curves].

    It is 0 where all of them are above 0, and infinity where the last one is not.

    Examples
    --------
    >>> rates = np.array([0.0, 0.2, 0.4])
    >>> curves = [[-0.03, -0.01, 0.04], [0.01, 0.02, 0.03], [0.05, 0.01, 0.0]]
    >>> crossing_rate(rates, np.array(curves)).round(3).tolist()
    [0.24, 0.0, inf]
    """
    behind = differences <= 0
    last = np.where(behind.any(axis=1), len(rates) - 1 - behind[:, ::-1].argmax(axis=1), -1)
    at = np.clip(last, 0, len(rates) - 2)
    rows = np.arange(len(differences))
    before, after = differences[rows, at], differences[rows, at + 1]
    slope = np.where(after == before, 1.0, after - before)
    inside = rates[at] - before / slope * (rates[at + 1] - rates[at])
    found = np.where(last == len(rates) - 1, np.inf, inside)
    return np.where(last == -1, 0.0, found)
