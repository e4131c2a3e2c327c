"""Plots of how good a partition is: X and U, the effect of τ, ROC curves and their AUC.

Notebook: 02_noisy_labels
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.metrics import roc_auc_score, roc_curve

from mer_kit.plots.axes import (
    HATCHED,
    axes_or_new,
    end_labels,
    epoch_axis,
    percent,
    room_right,
)
from mer_kit.plots.style import CLEAN, LOOK, NEUTRAL, NOISY


def x_u_bars(clean: np.ndarray, *, wrong: np.ndarray | None = None, ax: Axes | None = None) -> Axes:
    """Draw the sizes of X and U as bars, divided into right and wrong labels if these are known.

    Parameters
    ----------
    clean : bool [S], the segments in X
    wrong : bool [S], labels known to be wrong

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> ax = x_u_bars(np.array([True, True, False]), wrong=np.array([False, True, True]))
    >>> [text.get_text() for text in ax.texts]
    [' 2 (1 wrong)', ' 1 (1 wrong)']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    for place, rows in enumerate((clean, ~clean)):
        size = int(rows.sum())
        if wrong is None:
            ax.barh(place, size, color=NEUTRAL, height=0.6)
            text = f" {size}"
        else:
            n_wrong = int((rows & wrong).sum())
            right = size - n_wrong
            ax.barh(place, right, color=CLEAN, height=0.6)
            ax.barh(place, n_wrong, left=right, color=NOISY, height=0.6, **HATCHED)
            text = f" {size} ({n_wrong} wrong)"
        ax.text(size, place, text, va="center")
    ax.set_yticks([0, 1], ["X", "U"], weight="bold")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(1.5, -0.5)
    ax.set_xlim(0, 1.3 * max(int(clean.sum()), int((~clean).sum()), 1))
    ax.spines["left"].set_visible(False)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("segments")
    if wrong is not None:
        ax.set_xlabel("segments (hatched: the label is wrong)")
    return ax


def tau_curve(
    omega: np.ndarray, *, right: np.ndarray | None = None, tau: float, ax: Axes | None = None
) -> Axes:
    """Draw the size of X, and its precision and recall if `right` is known, against τ.

    Parameters
    ----------
    omega : [S], in 0–1
    right : bool [S], labels known to be right
    tau : the threshold in use, drawn as a line

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> ax = tau_curve(np.array([0.2, 0.8]), right=np.array([False, True]), tau=0.5)
    >>> [text.get_text() for text in ax.texts]
    ['precision', 'fraction in X', 'recall', 'τ = 0.5']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    table = tau_table(omega, right=right)
    looks = {
        "precision": ("precision", CLEAN, "-", 0.2),
        "share in X": ("fraction in X", NEUTRAL, "-.", 0.5),
        "recall": ("recall", NOISY, "--", 0.8),
    }
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    for column, (name, colour, line, x) in looks.items():
        if column not in table:
            continue
        ax.plot(table["tau"], table[column], color=colour, linestyle=line)
        y = float(np.interp(x, table["tau"], table[column].fillna(0.0)))
        ax.text(x, y, name, color=colour, ha="center", va="center", bbox=white)
    ax.axvline(tau, color=NEUTRAL, linestyle=":", linewidth=1)
    look: dict[str, Any] = {"textcoords": "offset points", "color": NEUTRAL, "fontsize": 9}
    ax.annotate(f"τ = {tau:g}", (tau, 0.0), (4, 4), **look)
    percent(ax, high=1.05)
    ax.set_xlim(0, 1)
    ax.set_xlabel("threshold τ")
    return ax


def tau_table(
    omega: np.ndarray, *, right: np.ndarray | None = None, steps: int = 100
) -> pd.DataFrame:
    """Return τ, the fraction in X, and precision and recall of X if `right` is known.

    The rows are τ = 0, 1/steps … 1. The precision of an empty X is NaN.

    Examples
    --------
    >>> tau_table(np.array([0.2, 0.8]), right=np.array([False, True]), steps=2)
       tau  share in X  precision  recall
    0  0.0         1.0        0.5     1.0
    1  0.5         0.5        1.0     1.0
    2  1.0         0.0        NaN     0.0
    """
    taus = np.linspace(0, 1, steps + 1)
    inside = np.asarray(omega)[None, :] > taus[:, None]
    table = pd.DataFrame({"tau": taus, "share in X": inside.mean(axis=1)})
    if right is not None:
        right = np.asarray(right, dtype=bool)
        hits, sizes = (inside & right).sum(axis=1), inside.sum(axis=1)
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: an empty X, or no right label at all
            table["precision"] = hits / sizes
            table["recall"] = hits / right.sum()
    return table


def roc_curves(
    omegas: Mapping[int, np.ndarray], right: np.ndarray, *, ax: Axes | None = None
) -> Axes:
    """Draw one ROC curve per evaluation pass: right labels in X against wrong labels in X.

    Parameters
    ----------
    omegas : after epoch → ω [S]
    right : bool [S], labels known to be right

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> omega = np.array([0.1, 0.6, 0.4, 0.9])
    >>> ax = roc_curves({3: omega}, np.array([False, False, True, True]))
    >>> ax.get_legend().get_texts()[0].get_text()
    'after epoch 3: 0.75'
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    shades = plt.get_cmap("Blues")(np.linspace(0.35, 1.0, len(omegas)))
    for (epoch, omega), shade in zip(omegas.items(), shades, strict=True):
        false, true, _ = roc_curve(right, omega)
        auc = roc_auc_score(right, omega)
        ax.plot(false, true, color=shade, label=f"after epoch {epoch}: {auc:.2f}")
    ax.plot([0, 1], [0, 1], color=NEUTRAL, linestyle=":", linewidth=1)
    percent(ax, "x", low=-0.02)
    percent(ax, high=1.02)
    ax.set_xlabel("fraction of wrong labels kept in X")
    ax.set_ylabel("fraction of right labels kept in X")
    ax.legend(title="ROC AUC", loc="lower right")
    return ax


def auc_over_epochs(curves: Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> Axes:
    """Draw the ROC AUC of ω after each epoch, one line per name; 0.5 is chance.

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> ax = auc_over_epochs({"symmetric": [0.5, 0.7], "by song": [0.5, 0.6]})
    >>> len(ax.lines), sorted(text.get_text() for text in ax.texts)
    (3, ['by song', 'symmetric'])
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    looks = [(CLEAN, "-"), (NOISY, "--"), (LOOK["Q4"][0], "-."), (LOOK["Q1"][0], ":")]
    longest = max(len(values) for values in curves.values())
    ends = []
    for (name, values), (colour, line) in zip(curves.items(), looks, strict=False):
        epochs = np.arange(1, len(values) + 1)
        ax.plot(epochs, values, color=colour, linestyle=line, marker="o", markersize=3)
        ends.append((float(np.asarray(values)[-1]), name, colour))
    ax.axhline(0.5, color=NEUTRAL, linestyle=":", linewidth=1)
    lowest = min(float(np.nanmin(values)) for values in curves.values())
    ax.set_ylim(min(0.4, lowest - 0.05), 1.02)
    room_right(ax, 1, longest)
    end_labels(ax, longest, ends)
    epoch_axis(ax, longest, label="after epoch")
    ax.set_ylabel("ROC AUC")
    return ax
