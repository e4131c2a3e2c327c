"""Plots of song decisions: the seven statistics per class, confusion, and the in-sample gap.

Notebook: 04_song_decisions
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mer_kit.plots.axes import axes_or_new, class_names, class_ticks, percent
from mer_kit.plots.style import CLEAN, NEUTRAL, NOISY, looks
from mer_kit.songs import features


def seven_numbers(
    probabilities: np.ndarray, classes: Sequence[str], ax: Axes | None = None, *, theta: float
) -> Axes:
    """Draw the seven statistics f1…f7 of one song, per class.

    Whiskers are max and min, the box spans the quartiles, with the median as a line and the mean
    as a diamond; above each class is the fraction of segments with a probability above θ.

    Parameters
    ----------
    probabilities : [segments, K], of one song
    classes : [K] names
    theta : the threshold θ, drawn as a line

    Source: paper, Eq. 11–15 (`songs.features.pool`). Notebook: 04_song_decisions

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = seven_numbers(np.array([[0.9, 0.1], [0.4, 0.6]]), ("V-", "V+"), theta=0.5)
    >>> [text.get_text() for text in ax.texts]
    ['θ = 0.5', '50% > θ', '50% > θ']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    table, colours = feature_table(probabilities, classes, theta=theta), looks(classes)
    ax.axhline(theta, color=NEUTRAL, linewidth=1, linestyle="--")
    ax.text(-0.48, theta + 0.01, f"θ = {theta:.3g}", color=NEUTRAL, fontsize=8, va="bottom")
    for k, (name, highest, lowest, q1, median, q3, mean, above) in enumerate(table.itertuples()):
        colour = colours[name][0]
        look: dict[str, Any] = {"color": colour, "linewidth": 1.5}
        ax.vlines(k, lowest, highest, **look)
        ax.hlines([lowest, highest], k - 0.1, k + 0.1, **look)
        ax.bar(k, max(q3 - q1, 0.004), bottom=q1, width=0.36, color=colour, alpha=0.45,
               edgecolor=colour)  # fmt: skip
        ax.hlines(median, k - 0.18, k + 0.18, color="black", linewidth=1.5)
        ax.plot(k, mean, marker="D", markersize=5, color="white", markeredgecolor="black")
        ax.text(k, 1.04, f"{above:.0%} > θ", ha="center", fontsize=min(9, 54 / len(classes)))
    percent(ax, low=-0.02, high=1.12, yticks=np.linspace(0, 1, 6), xlim=(-0.5, len(classes) - 0.5))
    class_ticks(ax, classes, separator="\n")
    ax.grid(False, axis="x")
    ax.set_title("box: quartiles · line: median · diamond: mean", fontsize=9, fontweight="normal")
    return ax


def feature_table(
    probabilities: np.ndarray, classes: Sequence[str], *, theta: float
) -> pd.DataFrame:
    """Return the 7·K features of one song as a table: one row per class, one column per statistic.

    The columns f1…f7 are in the paper's order.

    Examples
    --------
    >>> table = feature_table(np.array([[0.9, 0.1], [0.4, 0.6]]), ("V-", "V+"), theta=0.5)
    >>> table.loc["V-"].round(3).tolist()
    [0.9, 0.4, 0.525, 0.65, 0.775, 0.65, 0.5]
    """
    song = np.zeros(len(probabilities), dtype=np.int64)
    row = features.pool(probabilities, song, n_songs=1, theta=theta)
    return pd.DataFrame(
        row.reshape(len(classes), -1), index=list(classes), columns=list(features.STATISTICS)
    )


def confusion(table: np.ndarray, classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: counts, shaded by the fraction of each true class (rows sum to 1).

    Parameters
    ----------
    table : int [K, K], rows are labels, columns predictions (`songs.scores.confusion`)

    Notebook: 04_song_decisions

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = confusion(np.array([[3, 1], [0, 2]]), ("V-", "V+"))
    >>> [text.get_text() for text in ax.texts]
    ['3\\n75%', '1\\n25%', '0', '2\\n100%']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    fractions = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    ax.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*table.shape):
        text, colour = "0", NEUTRAL
        if table[i, j]:
            text = f"{table[i, j]}\n{fractions[i, j]:.0%}"
            colour = "white" if fractions[i, j] > 0.55 else "black"
        ax.text(
            j, i, text, ha="center", va="center", color=colour, fontsize=min(9, 54 / len(classes))
        )
    class_ticks(ax, classes, separator="\n")
    ax.set_yticks(range(len(classes)), class_names(classes, separator="\n"))
    ax.set(xlabel="prediction", ylabel="label")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax


def own_class(segments: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the mean probability of each song's label: clip_id, part, label, mean.

    `part` is "train" or "test".

    Parameters
    ----------
    segments : from `RunFolder.segments`: clip_id, part, label, one column per class

    Examples
    --------
    >>> about = pd.DataFrame({"clip_id": ["a", "a"], "part": "test", "label": "V-"})
    >>> own_class(about.assign(**{"V-": [0.5, 1.0], "V+": [0.5, 0.0]}), ("V-", "V+"))
      clip_id  part label  mean
    0       a  test    V-  0.75
    """
    columns = [list(classes).index(label) for label in segments["label"]]
    own = segments[list(classes)].to_numpy()[np.arange(len(segments)), columns]
    by_song = segments.assign(mean=own).groupby(["clip_id", "part", "label"], as_index=False)
    return by_song.agg(mean=("mean", "mean"))


def in_sample_gap(songs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the distribution of the probability of a song's label, for training and test songs.

    Parameters
    ----------
    songs : from `own_class`

    Notebook: 04_song_decisions

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> songs = pd.DataFrame({"part": ["train", "train", "test"], "mean": [0.9, 0.7, 0.4]})
    >>> ax = in_sample_gap(songs)
    >>> [text.get_text() for text in ax.texts]
    ['songs the SVM is fitted on: mean 80%, n = 2', 'test songs: mean 40%, n = 1']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    bins = np.linspace(0, 1, 21)
    labels = []
    for subset, name, colour, line in (
        ("train", "songs the SVM is fitted on", CLEAN, "-"),
        ("test", "test songs", NOISY, "--"),
    ):
        means = songs.loc[songs["part"] == subset, "mean"].to_numpy()
        fractions = np.histogram(means, bins)[0] / max(len(means), 1)
        ax.stairs(fractions, bins, color=colour, linestyle=line, linewidth=1.8, fill=False)
        ax.stairs(fractions, bins, color=colour, alpha=0.15, fill=True)
        mean = float(means.mean())
        labels.append((mean, f"{name}: mean {mean:.0%}, n = {len(means)}", colour, line))
    high = 1.3 * ax.get_ylim()[1]
    percent(ax, high=high, ylabel="fraction of the songs")
    percent(ax, "x", xlabel="mean probability of the song's label")
    for row, (x, text, colour, line) in enumerate(labels):
        top, side = high * (1 - 0.09 * row), "right" if x > 0.5 else "left"
        ax.vlines(x, 0, top - 0.07 * high, color=colour, linewidth=1, linestyle=line)
        ax.text(x, top, text, color=colour, ha=side, va="top", fontsize=9)
    return ax
