"""Differences from plain training with their intervals, and what more seeds would show.

Notebook: 06_results
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mer_kit.plots import style
from mer_kit.plots.axes import axes_or_new
from mer_kit.results import compare


def differences(comparisons: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw every system's difference from the baseline, with its 95 % interval over artists.

    A filled point is separable from 0, an open one is not. The thin line is the interval of the
    corrected t-test over folds, which is conservative.

    Parameters
    ----------
    comparisons : from `results.compare.comparisons`, of one corpus and task

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> row = {"second": "sssl", "first": "ce", "difference": 0.01, "low": -0.01, "high": 0.03}
    >>> row |= {"t_low": -0.03, "t_high": 0.05, "p_holm": 1.0}
    >>> ax = differences(pd.DataFrame([row]))
    >>> ax.get_yticklabels()[0].get_text(), [text.get_text() for text in ax.texts]
    ('sssl', ['+1.0, not separable'])
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax, size=(7.2, 1.2 + 0.4 * len(comparisons)))
    rows = comparisons.sort_values("difference", ascending=False).to_dict("records")
    ax.axvline(0, color=style.NEUTRAL, linewidth=1.2)
    for y, row in enumerate(rows):
        colour = style.METHOD_LOOK.get(str(row["second"]), (style.NEUTRAL, "-"))[0]
        found = compare.finding(row)
        point, low, high = (100 * row[name] for name in ("difference", "low", "high"))
        ax.hlines(y, 100 * row["t_low"], 100 * row["t_high"], color=style.NEUTRAL, linewidth=0.8)
        ax.hlines(y, low, high, color=colour, linewidth=3)
        inside = "white" if found == compare.NOT_SEPARABLE else colour
        ax.plot(point, y, "o", color=colour, markerfacecolor=inside, markersize=7)
        ax.annotate(
            f"{point:+.1f}, {found}", (1.01, y), xycoords=("axes fraction", "data"), va="center",
            fontsize=8,
        )  # fmt: skip
    against = " or ".join(sorted({str(row["first"]) for row in rows}))
    ax.set(
        yticks=range(len(rows)), yticklabels=[row["second"] for row in rows],
        ylim=(len(rows) - 0.4, -0.6),
        xlabel=f"points of song accuracy above {against} (right: better)",
    )  # fmt: skip
    ax.grid(False, axis="y")
    return ax


def power_by_seeds(
    row: Mapping[Any, Any], ax: Axes | None = None, *, points: float = 2.0, most: int = 10
) -> Axes:
    """Draw the probability of seeing a true difference against the number of seeds.

    Parameters
    ----------
    row : of `results.compare.comparisons`; with one seed the curve is a lower bound
    points : the true difference, in points
    most : seeds

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> row = {"variance_songs": 0.0, "variance_seed": 0.0129**2, "seeds": 1, "second": "sssl"}
    >>> ax = power_by_seeds(row)
    >>> ax.lines[0].get_ydata()[[0, 3]].round(2).tolist()
    [0.34, 0.87]
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    seeds = np.arange(1, most + 1)
    chance = compare.chance_to_see(row, points / 100, seeds=seeds)
    name = str(row["second"])
    colour = style.METHOD_LOOK.get(name, (style.NEUTRAL, "-"))[0]
    ax.plot(seeds, chance, "o-", color=colour, label=name)
    ax.axhline(0.8, color=style.NEUTRAL, linewidth=1, linestyle="--")
    ax.set(
        ylim=(0, 1), xlabel="seeds", ylabel=f"probability to see {points:g} points",
        xticks=seeds,
    )  # fmt: skip
    return ax
