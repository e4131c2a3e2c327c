"""Plots of how good a partition is: X and U, the effect of τ, ROC curves and their AUC.

Notebook: 02_noisy_labels
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.metrics import roc_auc_score, roc_curve

from mer_kit.plots.axes import HATCHED, axes_or_new, epoch_axis, percent
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
        size, text = int(rows.sum()), f" {rows.sum()}"
        if wrong is None:
            ax.barh(place, size, color=NEUTRAL, height=0.6)
        else:
            n_wrong = int((rows & wrong).sum())
            ax.barh(place, size - n_wrong, color=CLEAN, height=0.6)
            ax.barh(place, n_wrong, left=size - n_wrong, color=NOISY, height=0.6, **HATCHED)
            text += f" ({n_wrong} wrong)"
        ax.text(size, place, text, va="center")
    ax.set_yticks([0, 1], ["X", "U"], weight="bold")
    ax.tick_params(axis="y", length=0)
    ax.set(
        ylim=(1.5, -0.5), xlim=(0, 1.3 * max(clean.sum(), (~clean).sum(), 1)),
        xlabel="segments" if wrong is None else "segments (hatched: the label is wrong)",
    )  # fmt: skip
    ax.spines["left"].set_visible(False)
    ax.grid(axis="y", visible=False)
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
    looks = (
        ("precision", "precision", CLEAN, "-", 0.2),
        ("share in X", "fraction in X", NEUTRAL, "-.", 0.5),
        ("recall", "recall", NOISY, "--", 0.8),
    )
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    for column, name, colour, line, x in (look for look in looks if look[0] in table):
        ax.plot(table["tau"], table[column], color=colour, linestyle=line)
        ax.text(
            x, float(np.interp(x, table["tau"], table[column].fillna(0.0))), name, color=colour,
            ha="center", va="center", bbox=white,
        )  # fmt: skip
    ax.axvline(tau, color=NEUTRAL, linestyle=":", linewidth=1)
    ax.annotate(
        f"τ = {tau:g}", (tau, 0.0), (4, 4), textcoords="offset points", color=NEUTRAL, fontsize=9
    )
    percent(ax, high=1.05, xlim=(0, 1), xlabel="threshold τ")
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
        hits = (inside & right).sum(axis=1)
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: an empty X, or no right label at all
            table["precision"], table["recall"] = hits / inside.sum(axis=1), hits / right.sum()
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
        text = f"after epoch {epoch}: {roc_auc_score(right, omega):.2f}"
        ax.plot(*roc_curve(right, omega)[:2], color=shade, label=text)
    ax.plot([0, 1], [0, 1], color=NEUTRAL, linestyle=":", linewidth=1)
    percent(ax, "x", low=-0.02, xlabel="fraction of wrong labels kept in X")
    percent(ax, high=1.02, ylabel="fraction of right labels kept in X")
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
    ends = []
    for (name, values), (colour, line) in zip(curves.items(), looks, strict=False):
        ax.plot(
            range(1, len(values) + 1), values, color=colour, linestyle=line, marker="o",
            markersize=3,
        )  # fmt: skip
        ends.append((float(values[-1]), name, colour))
    ax.axhline(0.5, color=NEUTRAL, linestyle=":", linewidth=1)
    ax.set_ylim(min(0.4, *(float(np.nanmin(values)) - 0.05 for values in curves.values())), 1.02)
    epoch_axis(ax, max(map(len, curves.values())), ends, ylabel="ROC AUC", label="after epoch")
    return ax
