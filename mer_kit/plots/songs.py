"""From segments to a song: the seven numbers per class, who is taken for whom, and what the SVM learns from.

Notebook: 04_song_decisions
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mer_kit.plots.axes import axes_or_new, percent
from mer_kit.plots.style import CLEAN, LOOK, NEUTRAL, NOISY
from mer_kit.records import EMOTIONS
from mer_kit.songs import features


def seven_numbers(
    probabilities: np.ndarray, classes: Sequence[str], ax: Axes | None = None, *, theta: float
) -> Axes:
    """Draw f1…f7 of one song: whiskers to max and min, box between the quartiles, median, mean, and the share above θ.

    Parameters
    ----------
    probabilities : [segments, K], one song's
    classes : K names
    theta : drawn as a line; the share of segments above it stands over each class

    Source: paper, Eq. 11–15 (`songs.features.pool`). Notebook: 04_song_decisions
    """
    ax = axes_or_new(ax)
    table = feature_table(probabilities, classes, theta=theta)
    ax.axhline(theta, color=NEUTRAL, linewidth=1, linestyle="--")
    ax.text(-0.48, theta + 0.01, f"θ = {theta:g}", color=NEUTRAL, fontsize=8, va="bottom")
    for k, name in enumerate(classes):
        f, (colour, _) = table.loc[name], LOOK[name]
        ax.vlines(k, f["min"], f["max"], color=colour, linewidth=1.5)
        ax.hlines([f["min"], f["max"]], k - 0.1, k + 0.1, color=colour, linewidth=1.5)
        height = max(f["upper quartile"] - f["lower quartile"], 0.004)
        ax.bar(
            k,
            height,
            bottom=f["lower quartile"],
            width=0.36,
            color=colour,
            alpha=0.45,
            edgecolor=colour,
        )
        ax.hlines(f["median"], k - 0.18, k + 0.18, color="black", linewidth=1.5)
        ax.plot(k, f["mean"], marker="D", markersize=5, color="white", markeredgecolor="black")
        ax.text(k, 1.04, f"{f['share above θ']:.0%} > θ", ha="center", fontsize=9)
    ax.set_xticks(range(len(classes)), [f"{name}\n{EMOTIONS[name]}" for name in classes])
    ax.set_xlim(-0.5, len(classes) - 0.5)
    percent(ax, low=-0.02, high=1.12)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.grid(False, axis="x")
    ax.set_title("box: quartiles · line: median · diamond: mean", fontsize=9, fontweight="normal")
    return ax


def feature_table(
    probabilities: np.ndarray, classes: Sequence[str], *, theta: float
) -> pd.DataFrame:
    """Return one song's 7·K features as a table: a row a class, a column a statistic (f1…f7 in the paper's order)."""
    song = np.zeros(len(probabilities), dtype=np.int64)
    row = features.pool(probabilities, song, n_songs=1, theta=theta)
    return pd.DataFrame(
        row.reshape(len(classes), 7), index=list(classes), columns=list(features.STATISTICS)
    )


def confusion(table: np.ndarray, classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: counts, and as shade the share of each true class (rows sum to 1).

    Parameters
    ----------
    table : int [K, K], row the true class, column the answer (`songs.scores.confusion`)

    Notebook: 04_song_decisions
    """
    ax = axes_or_new(ax)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*table.shape):
        colour = "white" if share[i, j] > 0.55 else "black"
        text = f"{table[i, j]}\n{share[i, j]:.0%}" if table[i, j] else "0"
        ax.text(
            j,
            i,
            text,
            ha="center",
            va="center",
            color=colour if table[i, j] else NEUTRAL,
            fontsize=9,
        )
    names = [f"{name}\n{EMOTIONS[name]}" for name in classes]
    ax.set_xticks(range(len(classes)), names)
    ax.set_yticks(range(len(classes)), names)
    ax.set_xlabel("answer")
    ax.set_ylabel("label")
    ax.grid(False)
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    return ax


def own_class(segments: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return for every song the mean probability of its own label: clip_id, part (train or test), label, mean.

    Parameters
    ----------
    segments : from `RunFolder.segments`: clip_id, part, label, one column a class
    """
    at = np.array([list(classes).index(label) for label in segments["label"]])
    own = segments[list(classes)].to_numpy()[np.arange(len(segments)), at]
    table = segments[["clip_id", "part", "label"]].assign(mean=own)
    return table.groupby(["clip_id", "part", "label"], as_index=False).agg(mean=("mean", "mean"))


def in_sample_gap(songs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how sure the network is of a song's own label: songs that the SVM learns from against test songs.

    Parameters
    ----------
    songs : from `own_class`

    Notebook: 04_song_decisions
    """
    ax = axes_or_new(ax)
    bins = np.linspace(0, 1, 21)
    looks = {
        "train": ("songs the SVM learns from", CLEAN, "-"),
        "test": ("test songs", NOISY, "--"),
    }
    labels = []
    for part, (name, colour, line) in looks.items():
        means = songs.loc[songs["part"] == part, "mean"].to_numpy()
        share = np.histogram(means, bins)[0] / max(len(means), 1)
        ax.stairs(share, bins, color=colour, linestyle=line, linewidth=1.8, fill=False)
        ax.stairs(share, bins, color=colour, alpha=0.15, fill=True)
        labels.append(
            (
                float(means.mean()),
                f"{name}: mean {means.mean():.0%}, n = {len(means)}",
                colour,
                line,
            )
        )
    high = 1.3 * ax.get_ylim()[1]
    percent(ax, low=0, high=high)
    percent(ax, "x")
    for row, (x, text, colour, line) in enumerate(labels):
        top, side = high * (1 - 0.09 * row), "right" if x > 0.5 else "left"
        ax.vlines(x, 0, top - 0.07 * high, color=colour, linewidth=1, linestyle=line)
        ax.text(x, top, text, color=colour, ha=side, va="top", fontsize=9)
    ax.set_xlabel("mean probability of the song's own label")
    ax.set_ylabel("share of the songs")
    return ax
