"""What several plots share: axes on demand, direct labels, percent axes, the marks of a training's phases."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from mer_kit.plots.style import CLEAN, NEUTRAL, NOISY
from mer_kit.records import EpochRecord

#: Group of segments → (colour, line style, marker): what is known of the labels.
GROUP_LOOK: dict[str, tuple[str, str, str]] = {
    "right label": (CLEAN, "-", "o"),
    "wrong label": (NOISY, "--", "X"),
    "all segments": (NEUTRAL, "-", "o"),
    "left alone": (CLEAN, "-", "o"),
    "spoiled": (NOISY, "--", "X"),
}


def axes_or_new(ax: Axes | None) -> Axes:
    """Return `ax`, or the Axes of a new figure."""
    return ax if ax is not None else plt.subplots()[1]


def percent(
    ax: Axes, which: str = "y", *, low: float | None = 0.0, high: float | None = 1.0
) -> None:
    """Write an axis of shares 0–1 in percent, from `low` to `high`."""
    axis = ax.yaxis if which == "y" else ax.xaxis
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    limits = ax.set_ylim if which == "y" else ax.set_xlim
    limits(low, high)


def epoch_axis(ax: Axes, n_epochs: int, *, label: str = "epoch") -> None:
    """Label the x axis with whole epochs 1…n_epochs; what lies right of them is room for direct labels."""
    step = max(1, math.ceil(n_epochs / 10))
    ax.set_xticks(range(step if step > 1 else 1, n_epochs + 1, step))
    ax.set_xlabel(label)


def end_labels(
    ax: Axes,
    x: float,
    items: Sequence[tuple[float, str, str]],
    *,
    gap: float = 0.07,
    size: float = 9,
) -> None:
    """Write names beside the right ends of lines, moved apart so that none covers another.

    Parameters
    ----------
    x : where the lines end, data units
    items : (y in data units, text, colour); NaN is left out
    gap : smallest distance between two names, as a share of the y axis
    """
    low, high = ax.get_ylim()
    span = high - low
    wanted = sorted((item for item in items if np.isfinite(item[0])), key=lambda item: item[0])
    places: list[float] = []
    lines = [text.count("\n") + 1 for _, text, _ in wanted]
    for number, (y, _, _) in enumerate(wanted):
        room = gap * span * (lines[number - 1] + lines[number]) / 2
        places.append(max(y, places[-1] + room if places else low + 0.45 * gap * span * lines[0]))
    over = places[-1] - (high - 0.02 * span) if places else 0.0
    for (_, text, colour), y in zip(wanted, places, strict=True):
        where = (x, y - max(0.0, over))
        ax.annotate(
            text, where, xytext=(6, 0), textcoords="offset points", color=colour, va="center", fontsize=size,
            annotation_clip=False,
        )  # fmt: skip


def room_right(ax: Axes, first: float, last: float, share: float = 0.28) -> None:
    """Set the x limits so that `share` of the width stays free for `end_labels`."""
    span = max(last - first, 1.0)
    ax.set_xlim(first - 0.03 * span, last + span * share / (1 - share))


def mark_first_partition(ax: Axes, history: Sequence[EpochRecord]) -> None:
    """Draw a line where the warm-up ends and the first split is made, and name it."""
    first = next((record.epoch for record in history if record.phase == "ssl"), None)
    if first is None:
        return
    ax.axvline(first - 0.5, color=NEUTRAL, linewidth=1, linestyle=":")
    ax.text(
        first - 0.5, 0.97, "first split ", transform=ax.get_xaxis_transform(), rotation=90, ha="right", va="top",
        fontsize=8, color=NEUTRAL,
    )  # fmt: skip
