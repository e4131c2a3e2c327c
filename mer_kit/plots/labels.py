"""Pictures of single labels: the data map, forgetting and flips, a song's rejected seconds.

Notebook: 02_noisy_labels
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from mer_kit.plots.axes import GROUP_LOOK, axes_or_new, percent
from mer_kit.plots.style import CLEAN, LOOK, NEUTRAL, NOISY
from mer_kit.records import EMOTIONS
from mer_kit.training.diagnostics import rejected

#: ω from 0 (noisy) over ½ (undecided) to 1 (clean).
OMEGA_MAP = LinearSegmentedColormap.from_list("omega", [NOISY, "#f5f5f7", CLEAN])
#: Counts beyond this share one bar.
MOST = 5


def data_map_scatter(
    table: pd.DataFrame, groups: Mapping[str, np.ndarray], *, ax: Axes | None = None
) -> Axes:
    """Draw the data map: each segment's confidence (mean p of its label) against its variability over the passes.

    `table` is what `diagnostics.data_map` returns; `groups` maps names to bool [S]. Where only one group is known,
    the colour is the correctness: in how many passes the model's first choice was the label.

    Source: Swayamdipta et al. 2020. Notebook: 02_noisy_labels
    """
    ax = axes_or_new(ax)
    x, y = table["variability"].to_numpy(), table["confidence"].to_numpy()
    if len(groups) == 1:
        dots = ax.scatter(
            x, y, c=table["correctness"], cmap="viridis", s=10, alpha=0.7, linewidths=0
        )
        ax.figure.colorbar(dots, ax=ax, label="correctness (share of passes)")
    for name, rows in groups.items() if len(groups) > 1 else ():
        colour, _, marker = GROUP_LOOK[name]
        size = 10 if marker == "o" else 26
        label = f"{name} (n = {int(rows.sum())})"
        ax.scatter(
            x[rows],
            y[rows],
            s=size,
            color=colour,
            marker=marker,
            alpha=0.55,
            linewidths=0.3,
            label=label,
        )
    if len(groups) > 1:
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, 1.13), ncols=len(groups), markerscale=1.6
        )
    percent(ax, low=-0.02, high=1.02)
    ax.set_xlim(0, max(0.3, 1.12 * float(x.max())))
    ax.set_xlabel("variability (standard deviation of p(label) over the passes)")
    ax.set_ylabel("confidence (mean p(label))")
    for where, text, side in (
        ((0.01, 0.97), "easy to learn", "left"),
        ((0.99, 0.5), "ambiguous", "right"),
        ((0.01, 0.03), "never learned: suspect", "left"),
    ):
        ax.text(
            *where,
            text,
            transform=ax.transAxes,
            ha=side,
            va="center",
            style="italic",
            color=NEUTRAL,
        )
    return ax


def count_bars(
    counts: np.ndarray,
    groups: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    never: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw what share of each group has each count: 0, 1, 2 … 5 or more; −1 is drawn first, under the name `never`.

    `counts` int [S], for example from `diagnostics.forgetting` or `diagnostics.flips`. Notebook: 02_noisy_labels
    """
    ax = axes_or_new(ax)
    values = ([-1] if never else []) + list(range(MOST + 1))
    names = ([never] if never else []) + [str(value) for value in range(MOST)] + [f"{MOST}+"]
    capped = np.minimum(counts, MOST)
    width = 0.8 / len(groups)
    for number, (name, rows) in enumerate(groups.items()):
        colour, _, _ = GROUP_LOOK[name]
        shares = [float((capped[rows] == value).mean()) if rows.any() else 0.0 for value in values]
        left = np.arange(len(values)) + (number - (len(groups) - 1) / 2) * width
        ax.bar(left, shares, width=0.92 * width, color=colour, label=name, hatch=None if number == 0 else "////",
               edgecolor="white", linewidth=0)  # fmt: skip
    ax.set_xticks(range(len(values)), names)
    ax.set_xlabel(xlabel)
    ax.set_ylabel("share of the group")
    highest = max(bar.get_height() for bar in ax.patches)  # type: ignore[attr-defined]
    percent(ax, high=min(1.0, max(1.08 * highest, ax.get_ylim()[1])))
    ax.grid(axis="x", visible=False)
    if len(groups) > 1:
        ax.legend()
    return ax


def song_strip(
    start_s: np.ndarray,
    end_s: np.ndarray,
    omega: np.ndarray,
    *,
    label: str,
    tau: float,
    truth: pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one song along time: its inherited label, ω second by second, what is rejected, and the truth where known.

    Parameters
    ----------
    start_s, end_s, omega : [n], the song's segments
    truth : the true stretches (start_s, end_s, leader) from `analysis.paper_fig2.truth_spans`

    Notebook: 02_noisy_labels
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 2.4 if truth is None else 2.9))
    end = float(end_s.max())
    rows = ["inherited label", "ω of each second", "rejected (ω ≤ τ)"] + (
        ["true label"] if truth is not None else []
    )
    _class_bar(ax, 0, 0.0, end, label)
    for low, high, value in second_by_second(start_s, end_s, omega):
        ax.barh(
            1,
            high - low,
            left=low,
            height=0.8,
            color=OMEGA_MAP(value),
            edgecolor="white",
            linewidth=0.5,
        )
        ax.text(
            (low + high) / 2,
            1,
            f"{value:.1f}".lstrip("0") or "0",
            ha="center",
            va="center",
            fontsize=7,
        )
    spans = rejected(start_s, end_s, omega, tau=tau)
    for low, high in spans[["start_s", "end_s"]].to_numpy(dtype=float).tolist():
        ax.barh(
            2,
            high - low,
            left=low,
            height=0.8,
            color=NOISY,
            alpha=0.8,
            hatch="////",
            edgecolor="white",
            linewidth=0,
        )
    if truth is not None:
        times = truth[["start_s", "end_s"]].to_numpy(dtype=float).tolist()
        for (low, high), name in zip(times, truth["leader"].astype(str).tolist(), strict=True):
            _class_bar(ax, 3, low, min(high, end), name)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0, end)
    ax.set_xlabel("seconds")
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    return ax


def _class_bar(ax: Axes, row: int, low: float, high: float, name: str) -> None:
    if high <= low:
        return
    colour = LOOK.get(name, (NEUTRAL, "-"))[0]
    ax.barh(
        row,
        high - low,
        left=low,
        height=0.8,
        color=colour,
        alpha=0.75,
        edgecolor="white",
        linewidth=0.5,
    )
    text = f"{name} {EMOTIONS.get(name, '')}" if high - low >= 3 else name
    ax.text((low + high) / 2, row, text, ha="center", va="center", fontsize=8)


def second_by_second(
    start_s: np.ndarray, end_s: np.ndarray, omega: np.ndarray
) -> list[tuple[float, float, float]]:
    """Return (from, to, mean ω of the segments that cover it) for every stretch between two segment edges.

    Examples
    --------
    >>> second_by_second(np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([1.0, 0.0]))
    [(0.0, 1.0, 1.0), (1.0, 2.0, 0.5), (2.0, 3.0, 0.0)]
    """
    edges = np.unique(np.r_[start_s, end_s])
    stretches = []
    for low, high in itertools.pairwise(edges):
        covering = (start_s <= low + 1e-9) & (end_s >= high - 1e-9)
        if covering.any():
            stretches.append((float(low), float(high), float(np.asarray(omega)[covering].mean())))
    return stretches


def telling_songs(
    clip: np.ndarray, clean: np.ndarray, *, wrong: np.ndarray | None = None
) -> list[int]:
    """Return two clips (entries of int [S]) that are worth a strip.

    Where the wrong labels are known: the song in which U finds them best and the one in which it errs most, so that
    success and failure stand side by side. Otherwise the two songs whose share in U is nearest to one half.

    Examples
    --------
    >>> telling_songs(np.array([7, 7, 8, 8, 9, 9]), np.array([1, 1, 1, 0, 0, 0], dtype=bool))
    [8, 7]
    """
    names = np.unique(clip)
    if wrong is None or not wrong.any() or len(names) < 2:
        order = np.argsort(
            [abs(float((~clean)[clip == name].mean()) - 0.5) for name in names], kind="stable"
        )
        return [int(name) for name in names[order[:2]]]
    found = np.array([int((wrong & ~clean)[clip == name].sum()) for name in names])
    error = np.array([int((wrong == clean)[clip == name].sum()) for name in names])
    best, worst = int(names[np.argmax(found - error)]), int(names[np.argmax(error)])
    return [best, worst]
