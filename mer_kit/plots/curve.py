"""The emotion curve of a song: probabilities second by second, who leads when, and what is truly there.

Notebook: 05_emotion_curve
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from mer_kit.analysis.paper_fig2 import classes_of, leaders
from mer_kit.plots import style
from mer_kit.plots.axes import axes_or_new, end_labels, percent, room_right
from mer_kit.plots.style import LOOK
from mer_kit.records import EMOTIONS


def emotion_curve(curve: pd.DataFrame, ax: Axes | None = None, *, room: float = 0.13) -> Axes:
    """Draw each class' probability at its segments' centres, raw, with the class named at the line's end.

    Parameters
    ----------
    curve : from `analysis.predict.predict_curve`: start_s, end_s, centre_s, one column a class
    room : share of the width kept free for the names

    Source: paper, Fig. 2. Notebook: 05_emotion_curve
    """
    ax = axes_or_new(ax)
    classes, x = classes_of(curve), curve["centre_s"].to_numpy()
    many = len(x) > 60
    for name in classes:
        colour, line = LOOK[name]
        ax.plot(
            x, curve[name], color=colour, linestyle=line, marker=None if many else "o", markersize=3
        )
    percent(ax, low=-0.02, high=1.02)
    ax.set_ylabel("probability")
    ax.set_xlabel("seconds (centre of the segment)")
    room_right(ax, float(curve["start_s"].iloc[0]), float(curve["end_s"].iloc[-1]), share=room)
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= curve["end_s"].iloc[-1]])
    end_labels(
        ax,
        x[-1],
        [(curve[n].iloc[-1], f"{n} {EMOTIONS[n]}", LOOK[n][0]) for n in classes],
        gap=0.075,
    )
    return ax


def leader_strip(spans: pd.DataFrame, ax: Axes | None = None, *, name: str = "leads") -> Axes:
    """Draw one band of colour along the time axis, each span with its class' colour and, where it fits, its name.

    Parameters
    ----------
    spans : start_s, end_s, leader (a class), as `analysis.paper_fig2.leaders` or `truth_spans` give them
    name : written at the band's left

    Notebook: 05_emotion_curve
    """
    ax = axes_or_new(ax)
    total = float(spans["end_s"].iloc[-1] - spans["start_s"].iloc[0])
    for start, end, leader in zip(spans["start_s"], spans["end_s"], spans["leader"], strict=True):
        colour = LOOK[leader][0]
        ax.barh(
            0, end - start, left=start, height=1.0, color=colour, edgecolor="white", linewidth=1
        )
        if end - start > 0.03 * total:
            ax.text(
                (start + end) / 2,
                0,
                leader,
                color=readable_on(colour),
                ha="center",
                va="center",
                fontsize=8,
            )
    ax.set_ylim(-0.5, 0.5)
    ax.set_yticks([0], [name])
    ax.tick_params(axis="y", length=0)
    ax.grid(False)
    for side in ("left", "bottom", "top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def curve_figure(
    curve: pd.DataFrame,
    *,
    truth: pd.DataFrame | None = None,
    label: str | None = None,
    title: str = "",
) -> Figure:
    """Return the whole picture: the curve, the band of who leads, and the band of truth where it is known.

    Parameters
    ----------
    truth : start_s, end_s, leader, or None
    label : the clip's label, named in the title
    title : the song's name; "" takes it from the curve

    Source: paper, Fig. 2. Notebook: 05_emotion_curve
    """
    bands = [("leads", leaders(curve))] + ([("truth", truth)] if truth is not None else [])
    figure, axes = plt.subplots(
        1 + len(bands),
        1,
        figsize=(8.4, 3.4 + 0.35 * len(bands)),
        sharex=True,
        height_ratios=[8] + [0.9] * len(bands),
    )
    emotion_curve(curve, axes[0])
    axes[0].set_xlabel("")
    told = f", label {label} {EMOTIONS[label]}" if label else ""
    axes[0].set_title(
        style.name(title or str(curve.attrs.get("song", "song"))) + told, parse_math=False
    )
    for ax, (name, spans) in zip(axes[1:], bands, strict=True):
        leader_strip(spans, ax, name=name)
        ax.tick_params(axis="x", length=0, labelbottom=False)
    axes[-1].tick_params(axis="x", labelbottom=True, length=3)
    axes[-1].set_xlabel("seconds (a segment stands at its centre)")
    return figure


def probability_bars(
    curve: pd.DataFrame, row: int, ax: Axes | None = None, *, name: str = ""
) -> Axes:
    """Draw the probabilities of one segment as bars with their numbers; row counts the curve's segments from 0.

    Parameters
    ----------
    name : what the segment is called, in the title before its seconds

    Notebook: 05_emotion_curve
    """
    ax = axes_or_new(ax)
    classes = classes_of(curve)
    values = curve[classes].iloc[row].to_numpy(dtype=float)
    ax.barh(range(len(classes)), values, color=[LOOK[name][0] for name in classes], height=0.7)
    for k, value in enumerate(values):
        ax.text(value + 0.02, k, f"{value:.0%}", va="center", fontsize=9)
    ax.set_yticks(range(len(classes)), [f"{name} {EMOTIONS[name]}" for name in classes])
    ax.invert_yaxis()
    percent(ax, "x", high=1.18)
    ax.grid(False, axis="y")
    ax.set_xticks([0, 0.5, 1])
    told = f"{name}: " if name else ""
    ax.set_title(
        f"{told}{curve['start_s'].iloc[row]:g} to {curve['end_s'].iloc[row]:g} s", fontsize=10
    )
    return ax


def alt_text(curve: pd.DataFrame, *, truth: pd.DataFrame | None = None) -> str:
    """Return the curve in words, from its numbers: who leads when, with which mean probability."""
    spans = leaders(curve)
    told = [
        f"{s.leader} from {s.start_s:g} to {s.end_s:g} s ({s.probability:.0%})"
        for s in spans.itertuples()
    ]
    shown, more = told[:12], f" and {len(told) - 12} further spans" if len(told) > 12 else ""
    text = f"Probabilities of {', '.join(classes_of(curve))} over the song. Leading: {'; '.join(shown)}{more}."
    if truth is not None:
        true = [f"{s.leader} from {s.start_s:g} to {s.end_s:g} s" for s in truth.itertuples()]
        text += f" Truth: {'; '.join(true)}."
    return text


def readable_on(colour: str) -> str:
    """Return "black" or "white", whichever stands out more on a colour (WCAG's relative luminance).

    Examples
    --------
    >>> readable_on("#f89c20"), readable_on("#964a8b")
    ('black', 'white')
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"
