"""Plots of every system at every noise: the noise map, epochs that split, and costs.

Notebook: 08_compare
"""

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mer_kit.plots import style
from mer_kit.plots.axes import axes_or_new, note_in_middle, percent
from mer_kit.plots.comparisons import interval
from mer_kit.results.crossing import Crossing
from mer_kit.results.side_by_side import plain_name

#: Panels side by side in the noise map.
COLUMNS = 5
#: Column of costs → title of its strip.
STRIPS = {
    "seconds_per_fold": "seconds per fold",
    "parameters": "trained parameters",
    "peak_mb": "peak memory, MB",
}


def noise_figure(
    table: pd.DataFrame,
    *,
    crossings: Mapping[tuple[str, str], Crossing] | None = None,
    majority: float = math.nan,
) -> Figure:
    """Return the noise map: one panel per kind of noise and system, accuracy against the rate.

    The dashed line is plain training. Bars are 95 % intervals of the difference from it: where
    they miss the dashed line, the two can be told apart. A band marks the interval of a crossing
    that is shown.

    Parameters
    ----------
    table : from `results.side_by_side.noise_map`, without kind "none"
    crossings : (name, kind) → where the system overtakes plain training
    majority : accuracy of the majority class

    Notebook: 08_compare
    """
    names, kinds = sorted(set(table["name"])), sorted(set(table["kind"]))
    lines = math.ceil(len(names) / COLUMNS)
    columns = math.ceil(len(names) / lines)
    bounds = table["accuracy"], table["baseline"] + table["low"], table["baseline"] + table["high"]
    low, high = np.nanmin([*bounds, [majority] * len(table)]), np.nanmax(bounds)
    rows = len(kinds) * lines
    figure = plt.figure(figsize=(1.4 + 1.9 * columns, 0.5 + 1.75 * rows))
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for number, kind in enumerate(kinds):
        block = axes[number * lines : (number + 1) * lines].ravel()
        for ax, name in zip(block, names, strict=False):
            panel = table[table["name"].eq(name) & table["kind"].eq(kind)].sort_values("rate")
            _panel(ax, panel, (crossings or {}).get((name, kind)))
            ax.axhline(majority, color=style.NEUTRAL, linewidth=0.8, linestyle=":")
            ax.set_title(name, fontsize=10)
        for ax in block[len(names) :]:
            ax.set_axis_off()
        for ax in block[::columns]:
            ax.set_ylabel(f"{kind} noise", fontsize=9)
    percent(axes[0, 0], low=max(0.0, low - 0.05), high=min(1.0, high + 0.05))
    percent(axes[0, 0], "x", low=-0.04, high=max(0.4, float(table["rate"].max())) + 0.04)
    for column in axes.T:
        lowest = [ax for ax in column if ax.axison][-1]
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel("wrong labels", fontsize=9)
    return figure


def _panel(ax: Axes, panel: pd.DataFrame, crossing: Crossing | None) -> None:
    if panel.empty:
        note_in_middle(ax, "not run")
        return
    colour = style.METHOD_LOOK.get(plain_name(panel["name"].iloc[0]), (style.NEUTRAL, "-"))[0]
    x, y, plain = (panel[name].to_numpy(dtype=float) for name in ("rate", "accuracy", "baseline"))
    if crossing is not None and crossing.is_shown:
        ax.axvspan(crossing.low, crossing.high, color=style.NEUTRAL, alpha=0.15, linewidth=0)
        ax.axvline(crossing.rate, color=style.NEUTRAL, linewidth=1)
    ax.plot(x, plain, color="black", linestyle="--", linewidth=1.2)
    ax.vlines(x, plain + panel["low"], plain + panel["high"], color=colour, linewidth=1.2)
    ax.plot(x, y, color=colour, marker="o", markersize=4)


def cost_figure(costs: pd.DataFrame, gains: pd.DataFrame) -> Figure:
    """Return a figure of what each system brings, and next to it what it costs.

    Parameters
    ----------
    costs : from `results.side_by_side.costs_alike`, one row per system
    gains : from `results.compare.comparisons`; the baseline has a gain of 0

    Notebook: 08_compare
    """
    first = gains["first"].iloc[0]
    gains = gains.sort_values("difference", ascending=False)
    names = [first, *gains["second"]]
    figure = plt.figure(figsize=(9.6, 1.4 + 0.32 * len(names)))
    left, *strips = figure.subplots(
        1, 1 + len(STRIPS), sharey=True, width_ratios=(2, *(1 for _ in STRIPS))
    )
    left.axvline(0, color=style.NEUTRAL, linewidth=1.2)
    for y, row in enumerate(gains.to_dict("records"), start=1):
        interval(left, row, y)
    left.plot([0], [0], "D", color="black", markersize=5)
    left.set(xlabel=f"points over {first}, with 95 %", title="brings")
    known = costs.set_index("name").reindex(names)
    for ax, (column, title) in zip(strips, STRIPS.items(), strict=True):
        _strip(ax, known[column].to_numpy(dtype=float), title)
    strips[0].set_title("costs")
    left.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.6))
    return figure


def _strip(ax: Axes, values: np.ndarray, title: str) -> None:
    """Draw one cost as dots with their numbers on a logarithmic axis without ticks."""
    finite = values[np.isfinite(values) & (values > 0)]
    low, high = float(min(finite, default=1)), float(max(finite, default=1))
    ax.set_xscale("log")
    ax.set(xlim=(low / 1.5, max(high, 4 * low) * 6), xlabel=title)
    ax.set_xticks([], minor=True)
    ax.set_xticks([])
    for y, value in enumerate(values):
        text = f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
        if not value > 0:  # NaN too
            value, text = low, "not known"
        else:
            ax.plot([value], [y], "o", color=style.NEUTRAL, markersize=5)
        ax.annotate(
            text, (value, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8
        )


def split_bars(costs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the fraction of epochs that split, for each system with a partition and each noise.

    Parameters
    ----------
    costs : from `results.side_by_side.costs_alike`

    Notebook: 08_compare

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> costs = pd.DataFrame({"name": ["ce", "sssl"], "kind": "none", "rate": 0.0})
    >>> ax = split_bars(costs.assign(split=[np.nan, 0.0]))
    >>> [text.get_text() for text in ax.texts]
    ['never split']
    >>> plt.close(ax.figure)
    """
    shown = costs[costs["split"].notna()].sort_values(["name", "kind", "rate"])
    ax = axes_or_new(ax, size=(7.6, 1.2 + 0.3 * max(1, len(shown))))
    labels = []
    for y, row in enumerate(shown.to_dict("records")):
        noise = "no noise" if row["kind"] == "none" else f"{row['kind']} {100 * row['rate']:.0f} %"
        labels.append(f"{row['name']}, {noise}")
        colour = style.METHOD_LOOK.get(plain_name(row["name"]), (style.NEUTRAL, "-"))[0]
        ax.barh(y, row["split"], color=colour, height=0.65)
        text = f"{row['split']:.0%}" if row["split"] > 0 else "never split"
        ax.annotate(
            text, (row["split"], y), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=8,
        )  # fmt: skip
    if not labels:
        note_in_middle(ax, "no system here makes a partition")
    ax.grid(False, axis="y")
    percent(
        ax, "x", high=1.12, yticks=range(len(labels)), yticklabels=labels,
        ylim=(max(1, len(labels)) - 0.4, -0.6), xlabel="epochs with a partition that separated",
    )  # fmt: skip
    return ax
