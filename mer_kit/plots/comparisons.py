"""Differences from plain training with their intervals, and the chance to see a difference.

Notebook: 06_results, 08_compare
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from mer_kit.format import with_noise
from mer_kit.plots import style
from mer_kit.plots.axes import axes_or_new, end_labels, percent
from mer_kit.results import findings


def differences(comparisons: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw every system's difference from the baseline, with its 95 % interval over artists.

    Filled points are separable from 0 after the correction, open grey ones are not. The thin line
    is the interval of the corrected t-test over folds, which is conservative.

    Parameters
    ----------
    comparisons : from `results.compare.comparisons`, of one corpus and task

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> row = {"second": "sssl", "first": "ce", "difference": 0.01, "low": -0.01, "high": 0.03}
    >>> row |= {"t_low": -0.03, "t_high": 0.05, "p_holm": 1.0, "songs": 80, "seeds": 2}
    >>> ax = differences(pd.DataFrame([row | {"noise_kind": "none", "noise_rate": 0.0}]))
    >>> ax.get_yticklabels()[0].get_text(), [text.get_text() for text in ax.texts][:3]
    ('sssl', ['+1.0 [−1.0, +3.0]', '80 × 2', 'not separable'])
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax, size=(9.6, 1.4 + 0.34 * len(comparisons)))
    rows = comparisons.sort_values("difference", ascending=False).to_dict("records")
    ax.axvline(0, color=style.NEUTRAL, linewidth=1.2)
    for y, row in enumerate(rows):
        t_low, t_high = 100 * row["t_low"], 100 * row["t_high"]
        ax.hlines(y, t_low, t_high, color=style.NEUTRAL, linewidth=0.8)
        interval(ax, row, y)
        d, low, high = (_points(row[name]) for name in ("difference", "low", "high"))
        said = findings.finding(row)
        _columns(ax, y, f"{d} [{low}, {high}]", f"{row['songs']} × {row['seeds']}", said)
    _columns(ax, -0.95, "points [95 %]", "songs × seeds", color=style.NEUTRAL)
    against = " or ".join(sorted({str(row["first"]) for row in rows}))
    ax.set(
        yticks=range(len(rows)), ylim=(len(rows) - 0.4, -0.6),
        yticklabels=[with_noise(str(row["second"]), row) for row in rows],
        xlabel=f"points of song accuracy above {against} (right: better)",
    )  # fmt: skip
    ax.grid(False, axis="y")
    return ax


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "−")


def _columns(ax: Axes, y: Any, *cells: str, **look: Any) -> None:
    """Write a row of a table to the right of an Axes."""
    for points, text in zip((10, 130, 206), cells, strict=False):
        ax.annotate(
            text, (1, y), xycoords=("axes fraction", "data"), xytext=(points, 0),
            textcoords="offset points", va="center", fontsize=9, annotation_clip=False, **look,
        )  # fmt: skip


def interval(ax: Axes, row: Mapping[Any, Any], y: Any) -> None:
    """Draw a difference and its interval in points at the height y, open if not separable.

    Parameters
    ----------
    row : of `results.compare.comparisons`
    """
    colour, face = style.NEUTRAL, "white"
    if findings.finding(row) in ("better", "worse"):
        colour = face = (style.NOISY, style.CLEAN)[int(row["difference"] > 0)]
    ax.hlines(y, 100 * row["low"], 100 * row["high"], color=colour, linewidth=3)
    ax.plot(
        [100 * row["difference"]], [y], "o", color=colour, markerfacecolor=face, markersize=7,
        markeredgewidth=1.6,
    )  # fmt: skip


def power_curves(table: pd.DataFrame, ax: Axes | None = None, *, run: Sequence[int] = ()) -> Axes:
    """Draw the chance to see a true difference against the number of seeds, a line per fold count.

    Solid lines are the intervals over songs; the dotted one is the corrected t-test over folds,
    for the largest number of folds only.

    Parameters
    ----------
    table : from `results.seeds_and_folds.chances`
    run : (seeds, folds) that were run, marked with a ring

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> rows = {"seeds": [1, 2], "folds": 3, "songs": 80, "by_song": [0.1, 0.2], "by_fold": 0.05}
    >>> ax = power_curves(pd.DataFrame(rows))
    >>> [text.get_text() for text in ax.texts]
    ['t-test over 3 folds', '3 folds, 80 songs']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    ends, last = [], float(table["seeds"].max())
    shades = (style.NEUTRAL, style.CLEAN, "#1f4fa8", "#102a5c")
    for number, folds in enumerate(sorted({int(one) for one in table["folds"]})):
        rows = table[table["folds"] == folds].sort_values("seeds")
        colour = shades[number % len(shades)]
        ax.plot(rows["seeds"], rows["by_song"], color=colour, marker="o", markersize=4)
        if folds == table["folds"].max():
            ax.plot(rows["seeds"], rows["by_fold"], color=colour, linestyle=":")
            ends.append((float(rows["by_fold"].iloc[-1]), f"t-test over {folds} folds", colour))
        text = f"{folds} folds, {rows['songs'].iloc[0]:.0f} songs"
        ends.append((float(rows["by_song"].iloc[-1]), text, colour))
        if run and folds == run[1]:
            ring = rows[rows["seeds"] == run[0]]
            ax.plot(
                ring["seeds"], ring["by_song"], "o", color="black", markerfacecolor="none",
                markersize=11,
            )  # fmt: skip
    ax.plot([0, last], [0.8, 0.8], color=style.NEUTRAL, linewidth=1, linestyle="--")
    percent(
        ax, ylabel="chance to see it", xlabel="seeds", xlim=(0.7, last * 1.5),
        xticks=sorted(set(table["seeds"])),
    )  # fmt: skip
    end_labels(ax, last, ends, gap=0.075, size=9)
    return ax
