"""Pictures of clips and segments: waveform, log-mel, the staircase of segments, what cutting costs.

Notebook: 01_segmentation
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from mer_kit.plots import style
from mer_kit.records import EMOTIONS
from mer_kit.signal import frontends
from mer_kit.signal.frontend import BaseFrontend

#: Decibels shown from darkest to brightest, the same in every picture, so that loud looks loud.
MEL_RANGE_DB = (-60.0, 30.0)
FREQUENCIES = (128, 512, 2048, 8192)


def mel_picture(
    mel: np.ndarray,
    ax: Axes | None = None,
    *,
    start_s: float = 0.0,
    frontend: BaseFrontend | None = None,
    title: str = "",
) -> Axes:
    """Draw a log-mel [frames, bands] in dB: seconds to the right, bands upwards with their frequencies in Hz.

    `frontend` is the one that made it; None stands for the log-mel at its defaults.

    The colours span the same range in every picture (`MEL_RANGE_DB`), so pictures can be compared.

    Notebook: 01_segmentation
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 2.6))
    frontend = frontend or frontends.make()
    frames, bands = mel.shape
    end_s = start_s + frames / frontend.frames_per_second
    picture: AxesImage = ax.imshow(
        np.asarray(mel, dtype=np.float32).T, origin="lower", aspect="auto", cmap="magma", interpolation="nearest",
        extent=(start_s, end_s, 0, bands), vmin=MEL_RANGE_DB[0], vmax=MEL_RANGE_DB[1],
    )  # fmt: skip
    picture.set_gid("log-mel")
    ax.set_yticks(
        bands_of(FREQUENCIES, bands, frontend.sample_rate), [f"{f} Hz" for f in FREQUENCIES]
    )
    ax.set_xlabel("seconds")
    ax.set_title(style.name(title), parse_math=False)
    ax.grid(False)
    return ax


def features_picture(
    values: np.ndarray,
    ax: Axes | None = None,
    *,
    frontend: BaseFrontend,
    start_s: float = 0.0,
    title: str = "",
) -> Axes:
    """Draw a segment as a front-end gives it: its frames [n, d] as a picture, or its pooled vector [1, d′] as a line.

    Notebook: 03_sssl_training
    """
    if frontends.name_of(frontend) == frontends.DEFAULT:
        return mel_picture(values, ax, start_s=start_s, frontend=frontend, title=title)
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 2.6))
    ax.set_title(style.name(title), parse_math=False)
    if frontend.pool is not None:
        ax.plot(np.asarray(values[0], dtype=np.float32), color=style.NEUTRAL, linewidth=0.8)
        ax.set_xlabel("feature")
        ax.set_ylabel(frontend.unit)
        return ax
    low, high = frontend.picture_range or (None, None)
    end_s = start_s + len(values) / frontend.frames_per_second
    ax.imshow(
        np.asarray(values, dtype=np.float32).T, origin="lower", aspect="auto", cmap="magma", interpolation="nearest",
        extent=(start_s, end_s, 0, values.shape[1]), vmin=low, vmax=high,
    )  # fmt: skip
    named = np.unique(np.linspace(0, values.shape[1] - 1, 6).round().astype(int))
    ax.set_yticks(named + 0.5, [style.name(frontend.columns[k]) for k in named], parse_math=False)
    ax.set_xlabel("seconds")
    ax.grid(False)
    return ax


def bands_of(frequencies: Sequence[float], bands: int, sample_rate: int) -> list[float]:
    """Return where frequencies stand on the axis of mel bands, by librosa's (Slaney's) mel scale."""
    import librosa

    centres = librosa.mel_frequencies(n_mels=bands + 2, fmin=0.0, fmax=sample_rate / 2)[1:-1]
    return [float(np.interp(f, centres, np.arange(bands) + 0.5)) for f in frequencies]


def waveform(
    y: np.ndarray,
    ax: Axes | None = None,
    *,
    sample_rate: int = 22050,
    segment: tuple[float, float] | None = None,
    points: int = 1200,
) -> Axes:
    """Draw the samples [n] as the band between lowest and highest in each of `points` stretches.

    `segment` = (start, end) in seconds is marked where given.

    Notebook: 01_segmentation
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 1.8))
    edges = np.linspace(0, len(y), min(points, len(y)) + 1).astype(int)
    low, high = np.minimum.reduceat(y, edges[:-1]), np.maximum.reduceat(y, edges[:-1])
    ax.fill_between(edges[:-1] / sample_rate, low, high, color=style.NEUTRAL, linewidth=0.3)
    if segment is not None:
        ax.axvspan(*segment, color=style.CLEAN, alpha=0.25, linewidth=0)
    ax.set(xlim=(0, len(y) / sample_rate), xlabel="seconds", ylabel="amplitude")
    return ax


def staircase(
    start_s: np.ndarray,
    segment_seconds: float,
    label: str,
    ax: Axes | None = None,
    *,
    truth: Sequence[str] | None = None,
) -> Axes:
    """Draw the segments of one clip as a staircase of bars, one starting each second.

    Parameters
    ----------
    start_s : [S], seconds at which the clip's segments start
    label : the class that all of them inherit
    truth : [S], the class that is true of each, where known; bars that differ from `label` are hatched

    Notebook: 01_segmentation
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 3.6))
    true = list(truth) if truth is not None else [label] * len(start_s)
    for number, (start, name) in enumerate(zip(start_s, true, strict=True)):
        colour = style.LOOK.get(name, (style.NEUTRAL, "-"))[0]
        ax.barh(
            number, segment_seconds, left=start, height=0.78, color=colour, alpha=1.0 if name != label else 0.55,
            hatch="////" if name != label else None, edgecolor="white", linewidth=0.5,
        )  # fmt: skip
    end = float(start_s[-1]) + segment_seconds if len(start_s) else segment_seconds
    for name in dict.fromkeys(true):
        last = max(n for n, other in enumerate(true) if other == name)
        says = f"{name} {EMOTIONS.get(name, '')}" + (
            ": inherited" if name == label else f": true, labelled {label}"
        )
        colour = style.LOOK.get(name, (style.NEUTRAL, "-"))[0]
        x, side = (float(start_s[last]) + segment_seconds + 0.2, "left")
        if x > 0.7 * end:  # left of the bar above too, which the letters reach
            x, side = float(start_s[max(last - 1, 0)]) - 0.2, "right"
        ax.text(x, last, says, ha=side, va="center", fontsize=9, color=colour, weight="bold")
    ax.set(xlabel="seconds", ylabel="segment", xlim=(0, end), ylim=(len(start_s) - 0.4, -0.6))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    ax.grid(axis="y", visible=False)
    return ax


def noise_by_duration(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the share of wrong and of mixed segments over the segments' duration.

    `table` is what `analysis.segment_study.noise_by_duration` returns.

    Notebook: 01_segmentation
    """
    if ax is None:
        _, ax = plt.subplots()
    x = table["segment_seconds"]
    rows = (
        ("wrong_percent", "label is wrong", style.NOISY, "-", "o"),
        ("mixed_percent", "emotion changes inside", style.NEUTRAL, "--", "s"),
    )
    for column, says, colour, line, marker in rows:
        ax.plot(x, table[column], color=colour, linestyle=line, marker=marker)
        ax.annotate(
            says,
            (x.iloc[-1], table[column].iloc[-1]),
            xytext=(8, 0),
            textcoords="offset points",
            color=colour,
            va="center",
        )
    ax.set(
        xlabel="segment duration in seconds",
        ylabel="share of segments (%)",
        xticks=list(x),
        ylim=(0, None),
    )
    ax.margins(x=0.04)
    return ax


def transform_difference(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw, frame by frame, how far a segment's view is from the segment's own transform (log scale).

    `table` is what `analysis.segment_study.transform_difference` returns.

    Notebook: 01_segmentation
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 3.0))
    rows = (
        ("exact_start_db", "cut at the exact second", style.NOISY, "--"),
        ("same_start_db", "cut at the view's first frame", style.CLEAN, "-"),
    )
    for column, says, colour, line in rows:
        values = table[column].clip(lower=1e-4)
        ax.plot(table["second"], values, color=colour, linestyle=line)
        # Above the curve's highest point in the middle half, where edges do not reach.
        middle = values.iloc[len(values) // 4 : max(3 * len(values) // 4, 1)]
        ax.annotate(
            says, (table["second"].mean(), float(middle.max())), xytext=(0, 6), textcoords="offset points",
            ha="center", va="bottom", color=colour,
        )  # fmt: skip
    ax.margins(y=0.15)
    ax.set(yscale="log", xlabel="seconds", ylabel="mean difference (dB)")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())  # matplotlib writes powers of ten as formulae
    return ax
