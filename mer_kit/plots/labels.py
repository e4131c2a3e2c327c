"""Plots of single labels: the data map, forgetting and flips, rejected seconds of a song.

Notebook: 02_noisy_labels
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from mer_kit.plots.axes import GROUP_LOOK, HATCHED, axes_or_new, percent
from mer_kit.plots.style import CLEAN, NEUTRAL, NOISY, class_colour
from mer_kit.records import with_word
from mer_kit.training.diagnostics import rejected

#: ω from 0 (noisy) over ½ (undecided) to 1 (clean).
OMEGA_MAP = LinearSegmentedColormap.from_list("omega", [NOISY, "#f5f5f7", CLEAN])
#: All counts from this on are in one bar.
MOST = 5
_EDGE: dict[str, Any] = {"height": 0.8, "edgecolor": "white", "linewidth": 0.5}
_CENTRED: dict[str, Any] = {"ha": "center", "va": "center"}


def data_map_scatter(
    table: pd.DataFrame, groups: Mapping[str, np.ndarray], *, ax: Axes | None = None
) -> Axes:
    """Draw the data map: each segment's confidence against its variability over the passes.

    The confidence is the mean probability of the segment's label. With only one group, the colour
    is the correctness: the fraction of evaluation passes that predict the label.

    Parameters
    ----------
    table : from `training.diagnostics.data_map`
    groups : name → bool [S]

    Source: Swayamdipta et al. 2020. Notebook: 02_noisy_labels

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> numbers = {"confidence": [0.9, 0.2], "variability": [0.1, 0.05], "correctness": [1, 0]}
    >>> groups = {"right label": np.array([True, False]), "wrong label": np.array([False, True])}
    >>> ax = data_map_scatter(pd.DataFrame(numbers), groups)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['right label (n = 1)', 'wrong label (n = 1)']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    x, y = table["variability"].to_numpy(), table["confidence"].to_numpy()
    if len(groups) == 1:
        dots = ax.scatter(
            x, y, c=table["correctness"], cmap="viridis", s=10, alpha=0.7, linewidths=0
        )
        ax.figure.colorbar(dots, ax=ax, label="correctness (fraction of evaluation passes)")
    else:
        for name, rows in groups.items():
            colour, _, marker = GROUP_LOOK[name]
            ax.scatter(
                x[rows], y[rows], s={"o": 10, "X": 26}[marker], color=colour, marker=marker,
                alpha=0.55, linewidths=0.3, label=f"{name} (n = {int(rows.sum())})",
            )  # fmt: skip
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, 1.13), ncols=len(groups), markerscale=1.6
        )
    percent(
        ax, low=-0.02, high=1.02, ylabel="confidence (mean p(label))",
        xlim=(0, max(0.3, 1.12 * float(x.max()))),
        xlabel="variability (standard deviation of p(label) over the evaluation passes)",
    )  # fmt: skip
    for x_text, y_text, text, side in (
        (0.01, 0.97, "easy to learn", "left"),
        (0.99, 0.5, "ambiguous", "right"),
        (0.01, 0.03, "never learned: suspect", "left"),
    ):
        ax.text(
            x_text, y_text, text, transform=ax.transAxes, ha=side, va="center", style="italic",
            color=NEUTRAL,
        )  # fmt: skip
    return ax


def count_bars(
    counts: np.ndarray,
    groups: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    never: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a histogram of counts per group, as fractions of the group: 0, 1, 2 … 5 or more.

    Parameters
    ----------
    counts : int [S], for example from `training.diagnostics.forgetting` or `flips`
    groups : name → bool [S]
    never : tick label of the count −1, whose bar comes first; "" if there is none

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> everything = {"all segments": np.ones(4, dtype=bool)}
    >>> ax = count_bars(np.array([0, 0, 1, 9]), everything, xlabel="flips")
    >>> [float(bar.get_height()) for bar in ax.patches]
    [0.5, 0.25, 0.0, 0.0, 0.0, 0.25]
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    first = [never] if never else []
    names, width = [*first, *map(str, range(MOST)), f"{MOST}+"], 0.8 / len(groups)
    capped = np.minimum(counts, MOST) + len(first)
    for number, (name, rows) in enumerate(groups.items()):
        shares = np.bincount(capped[rows], minlength=len(names)) / max(int(rows.sum()), 1)
        left = np.arange(len(names)) + (number - (len(groups) - 1) / 2) * width
        look = {**HATCHED, "hatch": HATCHED["hatch"] if number else ""}
        ax.bar(left, shares, width=0.92 * width, label=name, color=GROUP_LOOK[name][0], **look)
    highest = max(bar.get_height() for bar in ax.patches)  # type: ignore[attr-defined]
    percent(
        ax, high=min(1.0, max(1.08 * highest, ax.get_ylim()[1])), xlabel=xlabel,
        ylabel="fraction of the group", xticks=range(len(names)), xticklabels=names,
    )  # fmt: skip
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
    classes: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw one song over time: inherited label, ω per second, rejected spans, and ground truth.

    Parameters
    ----------
    start_s, end_s, omega : [n], the song's segments
    truth : start_s, end_s, leader from `analysis.curve.truth_spans`; None if unknown
    classes : of the task, for the colours of a corpus' own ones

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> start_s, omega = np.array([0.0, 1.0]), np.array([1.0, 0.2])
    >>> ax = song_strip(start_s, start_s + 2, omega, label="Q1", tau=0.5)
    >>> [text.get_text() for text in ax.texts]
    ['Q1 happy', '1.0', '.6', '.2']
    >>> plt.close(ax.figure)
    """
    rows = ["inherited label", "ω of each second", "rejected (ω ≤ τ)"]
    if truth is not None:
        rows.append("true label")
    ax = axes_or_new(ax, size=(7.2, 0.9 + 0.5 * len(rows)))
    end = float(end_s.max())
    _class_bar(ax, 0, 0.0, end, label, class_colour(label, classes))
    for low, high, value in second_by_second(start_s, end_s, omega):
        ax.barh(1, high - low, left=low, color=OMEGA_MAP(value), **_EDGE)
        ax.text((low + high) / 2, 1, f"{value:.1f}".lstrip("0"), fontsize=7, **_CENTRED)
    spans = rejected(start_s, end_s, omega, tau=tau)
    length, look = spans["end_s"] - spans["start_s"], {"color": NOISY, "alpha": 0.8, **HATCHED}
    ax.barh(np.full(len(spans), 2), length, left=spans["start_s"], height=0.8, **look)
    if truth is not None:
        for low, high, name in truth[["start_s", "end_s", "leader"]].to_numpy().tolist():
            _class_bar(ax, 3, low, min(high, end), name, class_colour(name, classes))
    ax.set(
        yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.5, -0.5), xlim=(0, end),
        xlabel="seconds",
    )  # fmt: skip
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    return ax


def _class_bar(ax: Axes, row: int, low: float, high: float, name: str, colour: str) -> None:
    """Draw one span of a class, with its emotion where the text fits."""
    if high > low:
        ax.barh(row, high - low, left=low, color=colour, alpha=0.75, **_EDGE)
        text = with_word(name) if high - low >= 3 else name
        ax.text((low + high) / 2, row, text, fontsize=8, **_CENTRED)


def second_by_second(
    start_s: np.ndarray, end_s: np.ndarray, omega: np.ndarray
) -> list[tuple[float, float, float]]:
    """Return (start, end, mean ω of the covering segments) between consecutive segment edges.

    Examples
    --------
    >>> second_by_second(np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([1.0, 0.0]))
    [(0.0, 1.0, 1.0), (1.0, 2.0, 0.5), (2.0, 3.0, 0.0)]
    """
    stretches = []
    for low, high in itertools.pairwise(np.unique(np.r_[start_s, end_s]).tolist()):
        covering = (start_s <= low + 1e-9) & (end_s >= high - 1e-9)
        if covering.any():
            stretches.append((low, high, float(omega[covering].mean())))
    return stretches


def telling_songs(
    clip: np.ndarray, clean: np.ndarray, *, wrong: np.ndarray | None = None
) -> list[int]:
    """Return two clips (entries of `clip`, int [S]) that are worth a `song_strip`.

    If the wrong labels are known: the song where U finds them best, and the song where it errs
    most. Otherwise the two songs whose fraction in U is closest to one half.

    Examples
    --------
    >>> telling_songs(np.array([7, 7, 8, 8, 9, 9]), np.array([1, 1, 1, 0, 0, 0], dtype=bool))
    [8, 7]
    """
    names = np.unique(clip)
    if wrong is None or not wrong.any() or len(names) < 2:
        distances = [abs(clean[clip == name].mean() - 0.5) for name in names]
        return [int(name) for name in names[np.argsort(distances, kind="stable")[:2]]]
    hits, errors = (
        np.array([flags[clip == name].sum() for name in names])
        for flags in (wrong & ~clean, wrong == clean)
    )
    return [int(names[np.argmax(hits - errors)]), int(names[np.argmax(errors)])]
