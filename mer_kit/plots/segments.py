"""Plots of clips and segments: waveform, log-mel, the segments of a clip, the effect of cutting.

Notebook: 01_segmentation
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from mer_kit.plots import style
from mer_kit.plots.axes import axes_or_new
from mer_kit.records import with_word
from mer_kit.signal import frontends
from mer_kit.signal.frontend import BaseFrontend

#: Decibels from darkest to brightest, the same in every figure, so that figures compare.
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
    """Draw a log-mel [frames, bands] in dB: time on the x axis, frequency on the y axis.

    The colour range is the same in every figure (`MEL_RANGE_DB`), so figures can be compared.

    Parameters
    ----------
    start_s : time of the first frame, seconds
    frontend : the front-end that computed it; None for the log-mel with default settings

    Notebook: 01_segmentation

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = mel_picture(np.zeros((43, 128)), title="silence")
    >>> [tick.get_text() for tick in ax.get_yticklabels()]
    ['128 Hz', '512 Hz', '2048 Hz', '8192 Hz']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax, size=(7.2, 2.6))
    frontend = frontend or frontends.make()
    _image(mel, ax, start_s, frontend.frames_per_second, MEL_RANGE_DB)
    ax.images[-1].set_gid("log-mel")
    ax.set(
        yticks=bands_of(FREQUENCIES, mel.shape[1], frontend.sample_rate),
        yticklabels=[f"{hertz} Hz" for hertz in FREQUENCIES],
    )
    ax.set_title(style.name(title), parse_math=False)
    return ax


def _image(
    values: np.ndarray,
    ax: Axes,
    start_s: float,
    frames_per_second: float,
    limits: tuple[float | None, float | None],
) -> None:
    """Draw frames [n, d] as an image over seconds, with the colours between `limits`."""
    extent = (start_s, start_s + len(values) / frames_per_second, 0, values.shape[1])
    ax.imshow(
        np.asarray(values, dtype=np.float32).T, extent=extent, vmin=limits[0], vmax=limits[1],
        origin="lower", aspect="auto", cmap="magma", interpolation="nearest",
    )  # fmt: skip
    ax.set_xlabel("seconds")
    ax.grid(False)


def features_picture(
    values: np.ndarray,
    ax: Axes | None = None,
    *,
    frontend: BaseFrontend,
    start_s: float = 0.0,
    title: str = "",
) -> Axes:
    """Draw a segment as its front-end represents it.

    Frames [n, d] are drawn as an image, a pooled vector [1, d′] as a line.

    Notebook: 03_sssl_training
    """
    if frontends.name_of(frontend) == frontends.DEFAULT:
        return mel_picture(values, ax, start_s=start_s, frontend=frontend, title=title)
    ax = axes_or_new(ax, size=(7.2, 2.6))
    ax.set_title(style.name(title), parse_math=False)
    if frontend.pool is not None:
        ax.plot(np.asarray(values[0], dtype=np.float32), color=style.NEUTRAL, linewidth=0.8)
        ax.set(xlabel="feature", ylabel=frontend.unit)
        return ax
    _image(values, ax, start_s, frontend.frames_per_second, frontend.picture_range or (None, None))
    named = np.unique(np.linspace(0, values.shape[1] - 1, 6).round().astype(int))
    ax.set_yticks(named + 0.5, [style.name(frontend.columns[k]) for k in named], parse_math=False)
    return ax


def bands_of(frequencies: Sequence[float], bands: int, sample_rate: int) -> list[float]:
    """Return the positions of frequencies on the axis of mel bands (librosa's, Slaney's, scale).

    Examples
    --------
    >>> [round(place, 1) for place in bands_of([1000.0], 128, 22050)]
    [38.3]
    """
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
    """Draw the samples [n] as the range between minimum and maximum in each of `points` parts.

    Parameters
    ----------
    segment : (start, end) in seconds of a segment to highlight

    Notebook: 01_segmentation

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = waveform(np.zeros(44100), sample_rate=44100, segment=(0.25, 0.75))
    >>> [float(limit) for limit in ax.get_xlim()], len(ax.patches)
    ([0.0, 1.0], 1)
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax, size=(7.2, 1.8))
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
    classes: Sequence[str] = (),
) -> Axes:
    """Draw the segments of one clip as a staircase of bars, one starting each second.

    Parameters
    ----------
    start_s : [S], start of each segment in seconds
    label : the clip's label, which all segments inherit
    truth : [S], segment-level ground truth if known; bars whose class is not `label` are hatched
    classes : of the task, for the colours of a corpus' own ones

    Notebook: 01_segmentation

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = staircase(np.arange(3.0), 2.0, "Q1", truth=["Q1", "Q1", "Q2"])
    >>> [text.get_text() for text in ax.texts]
    ['Q1 happy: inherited', 'Q2 angry: true, labelled Q1']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax, size=(7.2, 3.6))
    true = [label] * len(start_s) if truth is None else list(truth)
    for number, (start, name) in enumerate(zip(start_s, true, strict=True)):
        look = {"alpha": 0.55} if name == label else {"alpha": 1.0, "hatch": "////"}
        ax.barh(
            number, segment_seconds, left=start, height=0.78, edgecolor="white", linewidth=0.5,
            color=style.class_colour(name, classes), **look,
        )  # fmt: skip
    end = segment_seconds + max(start_s, default=0.0)
    for name, last in {name: number for number, name in enumerate(true)}.items():
        status = "inherited" if name == label else f"true, labelled {label}"
        x, side = float(start_s[last]) + segment_seconds + 0.2, "left"
        if x > 0.7 * end:  # to the left of the bar above as well, which the text would reach
            x, side = float(start_s[max(last - 1, 0)]) - 0.2, "right"
        ax.text(
            x, last, f"{with_word(name)}: {status}", ha=side, va="center",
            fontsize=9, color=style.class_colour(name, classes), weight="bold",
        )  # fmt: skip
    ax.set(xlabel="seconds", ylabel="segment", xlim=(0, end), ylim=(len(start_s) - 0.4, -0.6))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    ax.grid(axis="y", visible=False)
    return ax


def noise_by_duration(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the percentages of wrong and of mixed segments against the segment duration.

    Parameters
    ----------
    table : from `analysis.segmentation.noise_by_duration`

    Notebook: 01_segmentation

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> percentages = {"wrong_percent": [15.0, 14.0], "mixed_percent": [0.0, 6.0]}
    >>> ax = noise_by_duration(pd.DataFrame({"segment_seconds": [1.0, 2.0], **percentages}))
    >>> [text.get_text() for text in ax.texts]
    ['label is wrong', 'emotion changes inside']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    x = table["segment_seconds"]
    for column, text, colour, line, marker in (
        ("wrong_percent", "label is wrong", style.NOISY, "-", "o"),
        ("mixed_percent", "emotion changes inside", style.NEUTRAL, "--", "s"),
    ):
        ax.plot(x, table[column], color=colour, linestyle=line, marker=marker)
        ax.annotate(
            text, (x.iloc[-1], table[column].iloc[-1]), (8, 0), textcoords="offset points",
            color=colour, va="center",
        )  # fmt: skip
    ax.set(
        xticks=list(x), xlabel="segment duration in seconds", ylim=(0, None), ylabel="segments (%)"
    )
    ax.margins(x=0.04)
    return ax


def transform_difference(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how much a segment's view of the clip's log-mel differs from its own transform.

    The difference is the mean over bands of each frame, on a log scale.

    Parameters
    ----------
    table : from `analysis.segmentation.transform_difference`

    Notebook: 01_segmentation
    """
    ax = axes_or_new(ax, size=(7.2, 3.0))
    for column, text, colour, line in (
        ("exact_start_db", "cut at the exact second", style.NOISY, "--"),
        ("same_start_db", "cut at the view's first frame", style.CLEAN, "-"),
    ):
        values = table[column].clip(lower=1e-4)
        ax.plot(table["second"], values, color=colour, linestyle=line)
        # Above the highest point of the middle half, which the edges do not reach.
        middle = values.iloc[len(values) // 4 : max(3 * len(values) // 4, 1)]
        ax.annotate(
            text, (table["second"].mean(), float(middle.max())), (0, 6), color=colour,
            textcoords="offset points", ha="center", va="bottom",
        )  # fmt: skip
    ax.margins(y=0.15)
    ax.set(yscale="log", xlabel="seconds", ylabel="mean difference (dB)")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())  # matplotlib writes powers of ten as formulae
    return ax
