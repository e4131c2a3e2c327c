"""Helpers that several plots share: new axes, direct labels, percent axes, marks of the phases."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from mer_kit.analysis.passes import first_partition_epoch
from mer_kit.plots.style import CLEAN, NEUTRAL, NOISY
from mer_kit.records import TASKS, EpochRecord, with_word

#: Group of segments → (colour, line style, marker): what is known about the labels.
GROUP_LOOK: dict[str, tuple[str, str, str]] = {
    "right label": (CLEAN, "-", "o"),
    "wrong label": (NOISY, "--", "X"),
    "all segments": (NEUTRAL, "-", "o"),
    "left alone": (CLEAN, "-", "o"),
    "corrupted": (NOISY, "--", "X"),
}
#: Characters that fit on an x axis side by side.
MOST_LEVEL = 44
#: Bars that show wrong labels or a second quantity: hatched in white, readable without colour.
HATCHED: dict[str, Any] = {"hatch": "////", "edgecolor": "white", "linewidth": 0}


def axes_or_new(ax: Axes | None, *, size: tuple[float, float] | None = None) -> Axes:
    """Return `ax`, or the Axes of a new figure of a given size (width, height) in inches.

    Examples
    --------
    >>> ax = axes_or_new(None, size=(4, 3))
    >>> axes_or_new(ax) is ax
    True
    >>> plt.close(ax.figure)
    """
    return plt.subplots(figsize=size)[1] if ax is None else ax


def percent(
    ax: Axes, which: str = "y", *, low: float = 0.0, high: float = 1.0, **settings: Any
) -> None:
    """Label an axis of fractions in percent and set its limits to `low` and `high`.

    Parameters
    ----------
    settings : further ones, as in `Axes.set`

    Examples
    --------
    >>> ax = axes_or_new(None)
    >>> percent(ax, "x")
    >>> ax.xaxis.get_major_formatter()(0.25)
    '25%'
    >>> plt.close(ax.figure)
    """
    axis = {"x": ax.xaxis, "y": ax.yaxis}[which]
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set(**{f"{which}lim": (low, high)}, **settings)


def epoch_axis(
    ax: Axes,
    n_epochs: int,
    ends: Sequence[tuple[float, str, str]] = (),
    *,
    ylabel: str = "",
    label: str = "epoch",
    share: float = 0.28,
    gap: float = 0.07,
    size: float = 9,
) -> None:
    """Put ticks on the epochs 1…n_epochs only, and to their right names at the ends of the lines.

    Parameters
    ----------
    ends, gap, size : as in `end_labels`
    share : as in `room_right`

    Examples
    --------
    >>> ax = axes_or_new(None)
    >>> epoch_axis(ax, 12)
    >>> ax.get_xticks().tolist()
    [2, 4, 6, 8, 10, 12]
    >>> plt.close(ax.figure)
    """
    room_right(ax, 1, n_epochs, share)
    end_labels(ax, n_epochs, ends, gap=gap, size=size)
    step = math.ceil(n_epochs / 10)
    ax.set(xticks=range(step, n_epochs + 1, step), xlabel=label, ylabel=ylabel)


def class_names(classes: Sequence[str], *, separator: str = " ") -> list[str]:
    """Return tick labels for classes: each with its emotion, if it has one.

    Examples
    --------
    >>> class_names(("Q1", "V-"), separator=": ")
    ['Q1: happy', 'V-: unpleasant']
    """
    return [with_word(name, separator) for name in classes]


def class_ticks(ax: Axes, classes: Sequence[str], *, separator: str = " ") -> None:
    """Put the classes on the x axis; a corpus' own names are turned where they need more room.

    Examples
    --------
    >>> ax = axes_or_new(None)
    >>> class_ticks(ax, ("V-", "V+"), separator=": ")
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['V-: unpleasant', 'V+: pleasant']
    >>> plt.close(ax.figure)
    """
    ax.set_xticks(range(len(classes)), class_names(classes, separator=separator))
    if tuple(classes) not in TASKS.values() and len(classes) * max(map(len, classes)) > MOST_LEVEL:
        plt.setp(ax.get_xticklabels(), rotation=35, ha="right", rotation_mode="anchor")


def name_room(classes: Sequence[str], share: float) -> float:
    """Return the fraction of a width to keep free for class names; `share` if they are short.

    Examples
    --------
    >>> name_room(("Q1", "Q2"), 0.1), round(name_room(("sad", "joyful activation"), 0.1), 2)
    (0.1, 0.19)
    """
    own = [len(name) for name in classes if with_word(name) == name]
    return max(share, min(0.35, 0.011 * max(own, default=0)))


def root_scale(ax: Axes) -> None:
    """Draw a density on a root scale; on a linear one the second mode is too flat to see."""
    ax.set_yscale("function", functions=(np.sqrt, np.square))
    ax.set_ylabel("density (root scale)")


def end_labels(
    ax: Axes,
    x: float,
    items: Sequence[tuple[float, str, str]],
    *,
    gap: float = 0.07,
    size: float = 9,
) -> None:
    """Write names next to the right ends of lines, moved apart so that they do not overlap.

    Parameters
    ----------
    x : where the lines end, data units
    items : (y in data units, text, colour); items whose y is NaN are left out
    gap : smallest distance between two names, as a fraction of the y axis

    Examples
    --------
    >>> ax = axes_or_new(None)
    >>> end_labels(ax, 1.0, [(0.5, "a", "black"), (0.5, "b", "black")], gap=0.1)
    >>> [(text.get_text(), round(float(text.xy[1]), 2)) for text in ax.texts]
    [('a', 0.5), ('b', 0.6)]
    >>> plt.close(ax.figure)
    """
    wanted = sorted((item for item in items if np.isfinite(item[0])), key=lambda item: item[0])
    if not wanted:
        return
    low, high = ax.get_ylim()
    span, gap = high - low, min(gap, 1 / len(wanted))
    lines = [text.count("\n") + 1 for _, text, _ in wanted]
    places = [max(wanted[0][0], low + 0.45 * gap * span * lines[0])]
    for k in range(1, len(wanted)):
        room = gap * span * (lines[k - 1] + lines[k]) / 2
        places.append(max(wanted[k][0], places[-1] + room))
    excess = max(0.0, places[-1] - (high - 0.02 * span))
    for (_, text, colour), y in zip(wanted, places, strict=True):
        ax.annotate(
            text, (x, y - excess), xytext=(6, 0), textcoords="offset points", color=colour,
            va="center", fontsize=size, annotation_clip=False,
        )  # fmt: skip


def room_right(ax: Axes, first: float, last: float, share: float = 0.28) -> None:
    """Set the x limits so that a fraction `share` of the width stays free for `end_labels`.

    Examples
    --------
    >>> ax = axes_or_new(None)
    >>> room_right(ax, 0, 10, 0.5)
    >>> [round(float(limit), 1) for limit in ax.get_xlim()]
    [-0.3, 20.0]
    >>> plt.close(ax.figure)
    """
    span = max(last - first, 1.0)
    ax.set_xlim(first - 0.03 * span, last + span * share / (1 - share))


def note_in_middle(ax: Axes, text: str) -> None:
    """Write in the middle of an Axes why there is nothing to draw."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", color=NEUTRAL)


def mark_first_partition(ax: Axes, history: Sequence[EpochRecord]) -> None:
    """Draw a labelled line where the warm-up ends and the first partition is made."""
    first = first_partition_epoch(history)
    if first is not None:
        ax.axvline(first - 0.5, color=NEUTRAL, linewidth=1, linestyle=":")
        ax.text(
            first - 0.5, 0.97, "first partition ", transform=ax.get_xaxis_transform(), rotation=90,
            ha="right", va="top", fontsize=8, color=NEUTRAL,
        )  # fmt: skip
