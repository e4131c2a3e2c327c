"""The emotion curve of a song: class probabilities over time, the leading class, the ground truth.

Notebook: 05_emotion_curve
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from mer_kit.analysis.curve import classes_of, leaders
from mer_kit.plots import style
from mer_kit.plots.axes import (
    axes_or_new,
    class_names,
    end_labels,
    name_room,
    percent,
    room_right,
)
from mer_kit.records import with_word

#: Curves of more segments are drawn without markers.
MOST_MARKERS = 60
#: Spans that the alt text lists before it only counts the rest.
MOST_SPANS = 12


def emotion_curve(curve: pd.DataFrame, ax: Axes | None = None, *, room: float = 0.13) -> Axes:
    """Draw the unsmoothed class probabilities at the centres of the segments, labelled directly.

    Parameters
    ----------
    curve : from `analysis.predict.predict_curve`: start_s, end_s, centre_s, one column per class
    room : fraction of the width kept free for the class names

    Source: paper, Fig. 2. Notebook: 05_emotion_curve

    Examples
    --------
    >>> curve = pd.DataFrame({"start_s": [0.0, 1.0], "end_s": [3.0, 4.0], "centre_s": [1.5, 2.5]})
    >>> ax = emotion_curve(curve.assign(**{"A-": [0.2, 0.7], "A+": [0.8, 0.3]}))
    >>> ax.lines[0].get_ydata().tolist(), ax.texts[0].get_text()
    ([0.2, 0.7], 'A+ energetic')
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    classes, x = classes_of(curve), curve["centre_s"].to_numpy()
    looks, room = style.looks(classes), name_room(classes, room)
    marker = "" if len(x) > MOST_MARKERS else "o"
    for name in classes:
        colour, line = looks[name]
        ax.plot(x, curve[name], color=colour, linestyle=line, marker=marker, markersize=3)
    percent(
        ax, low=-0.02, high=1.02, xlabel="seconds (centre of the segment)", ylabel="probability"
    )
    room_right(ax, float(curve["start_s"].iloc[0]), float(curve["end_s"].iloc[-1]), share=room)
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= curve["end_s"].iloc[-1]])
    ends = [
        (curve[name].iloc[-1], text, looks[name][0])
        for name, text in zip(classes, class_names(classes), strict=True)
    ]
    end_labels(ax, x[-1], ends, gap=0.075)
    return ax


def leader_strip(
    spans: pd.DataFrame,
    ax: Axes | None = None,
    *,
    name: str = "leads",
    classes: Sequence[str] = (),
) -> Axes:
    """Draw one coloured bar per span along the time axis, with the class name where it fits.

    Parameters
    ----------
    spans : start_s, end_s, leader (a class), from `analysis.curve.leaders` or `truth_spans`
    name : written to the left of the strip
    classes : of the task, for the colours of a corpus' own ones

    Notebook: 05_emotion_curve

    Examples
    --------
    >>> spans = pd.DataFrame({"start_s": [0, 4], "end_s": [4, 9], "leader": ["Q1", "Q4"]})
    >>> ax = leader_strip(spans)
    >>> [(text.get_text(), float(bar.get_width())) for text, bar in zip(ax.texts, ax.patches)]
    [('Q1', 4.0), ('Q4', 5.0)]
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    total = float(spans["end_s"].iloc[-1] - spans["start_s"].iloc[0])
    for start, end, leader in zip(spans["start_s"], spans["end_s"], spans["leader"], strict=True):
        colour = style.class_colour(leader, classes)
        ax.barh(0, end - start, 1.0, left=start, color=colour, edgecolor="white", linewidth=1)
        if end - start > max(0.03, 0.011 * len(leader)) * total:
            ax.text(
                (start + end) / 2, 0, leader, color=readable_on(colour), ha="center", va="center",
                fontsize=8,
            )  # fmt: skip
    ax.set(ylim=(-0.5, 0.5), yticks=[0], yticklabels=[name])
    ax.tick_params(axis="y", length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax


def curve_figure(
    curve: pd.DataFrame,
    *,
    truth: pd.DataFrame | None = None,
    label: str | None = None,
    title: str = "",
) -> Figure:
    """Return the complete figure: the curve, the leading class and, if known, the ground truth.

    Parameters
    ----------
    truth : segment-level ground truth as start_s, end_s, leader, or None
    label : the clip's label, added to the title
    title : the song's name; "" uses the name stored with the curve

    Source: paper, Fig. 2. Notebook: 05_emotion_curve

    Examples
    --------
    >>> curve = pd.DataFrame({"start_s": [0.0, 1.0], "end_s": [3.0, 4.0], "centre_s": [1.5, 2.5]})
    >>> figure = curve_figure(curve.assign(**{"A-": [0.2, 0.7], "A+": [0.8, 0.3]}), title="a song")
    >>> len(figure.axes), len(figure.axes[0].lines)
    (2, 2)
    >>> plt.close(figure)
    """
    known = {"leads": leaders(curve), "truth": truth}
    strips = {name: spans for name, spans in known.items() if spans is not None}
    figure, axes = plt.subplots(
        1 + len(strips),
        1,
        figsize=(8.4, 3.4 + 0.35 * len(strips)),
        sharex=True,
        height_ratios=[8] + [0.9] * len(strips),
    )
    emotion_curve(curve, axes[0])
    axes[0].set_xlabel("")
    heading = style.name(title or str(curve.attrs.get("song", "song")))
    about = f", label {with_word(label)}" if label else ""
    axes[0].set_title(heading + about, parse_math=False)
    for ax, (name, spans) in zip(axes[1:], strips.items(), strict=True):
        leader_strip(spans, ax, name=name, classes=classes_of(curve))
        ax.tick_params(axis="x", length=0, labelbottom=False)
    axes[-1].tick_params(axis="x", labelbottom=True, length=3)
    axes[-1].set_xlabel("seconds (centre of the segment)")
    return figure


def probability_bars(
    curve: pd.DataFrame, row: int, ax: Axes | None = None, *, name: str = ""
) -> Axes:
    """Draw the class probabilities of one segment as labelled bars.

    Parameters
    ----------
    row : which segment of the curve, counted from 0
    name : what the segment is called; the title gives it before the seconds

    Notebook: 05_emotion_curve

    Examples
    --------
    >>> curve = pd.DataFrame({"start_s": [0.0, 1.0], "end_s": [3.0, 4.0], "centre_s": [1.5, 2.5]})
    >>> ax = probability_bars(curve.assign(**{"A-": [0.2, 0.7], "A+": [0.8, 0.3]}), 1, name="last")
    >>> [text.get_text() for text in ax.texts], ax.get_title() + ax.get_title(loc="left")
    (['70%', '30%'], 'last: 1 to 4 s')
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    classes = classes_of(curve)
    values = curve[classes].iloc[row].to_numpy(dtype=float)
    colours = [colour for colour, _ in style.looks(classes).values()]
    ax.barh(range(len(classes)), values, color=colours, height=0.7)
    for k, value in enumerate(values):
        ax.text(value + 0.02, k, f"{value:.0%}", va="center", fontsize=9)
    percent(
        ax, "x", high=1.18, xticks=[0, 0.5, 1], yticks=range(len(classes)),
        yticklabels=class_names(classes),
    )  # fmt: skip
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    span = f"{curve['start_s'].iloc[row]:g} to {curve['end_s'].iloc[row]:g} s"
    ax.set_title(": ".join(filter(None, (name, span))), fontsize=10)
    return ax


def alt_text(curve: pd.DataFrame, *, truth: pd.DataFrame | None = None) -> str:
    """Return the curve in words: which class leads when, and with which mean probability.

    Examples
    --------
    >>> curve = pd.DataFrame({"start_s": [0.0, 1.0], "end_s": [1.0, 2.0], "centre_s": [0.5, 1.5]})
    >>> alt_text(curve.assign(**{"A-": [0.2, 0.4], "A+": [0.8, 0.6]}))
    'Probabilities of A-, A+ over the song. Leading: A+ from 0 to 2 s (70%).'
    """
    table = leaders(curve)
    leads = [
        f"{span} ({p:.0%})" for span, p in zip(_spans(table), table["probability"], strict=True)
    ]
    more = len(leads) - MOST_SPANS
    listed = "; ".join(leads[:MOST_SPANS]) + (f" and {more} further spans" if more > 0 else "")
    text = f"Probabilities of {', '.join(classes_of(curve))} over the song. Leading: {listed}."
    return text if truth is None else f"{text} Truth: {'; '.join(_spans(truth))}."


def _spans(table: pd.DataFrame) -> list[str]:
    return [f"{s.leader} from {s.start_s:g} to {s.end_s:g} s" for s in table.itertuples()]


def readable_on(colour: str) -> str:
    """Return "black" or "white", whichever contrasts more with a colour (WCAG luminance).

    Examples
    --------
    >>> readable_on("#f89c20"), readable_on("#964a8b")
    ('black', 'white')
    """
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    light = float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05
    return "black" if light / 0.05 > 1.05 / light else "white"
