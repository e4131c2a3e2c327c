"""Pictures of how good a split is: X and U, τ at work, ROC curves and the area under them.

Notebook: 02_noisy_labels
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.metrics import roc_auc_score, roc_curve

from mer_kit.plots.axes import axes_or_new, end_labels, epoch_axis, percent, room_right
from mer_kit.plots.style import CLEAN, NEUTRAL, NOISY


def x_u_bars(clean: np.ndarray, *, wrong: np.ndarray | None = None, ax: Axes | None = None) -> Axes:
    """Draw X and U as two bars of segments; where `wrong` (bool [S]) is known, split into right and wrong labels.

    Notebook: 02_noisy_labels
    """
    ax = axes_or_new(ax)
    for place, rows in enumerate((clean, ~clean)):
        bad = int((rows & wrong).sum()) if wrong is not None else 0
        good = int(rows.sum()) - bad
        colour = NEUTRAL if wrong is None else CLEAN
        ax.barh(place, good, color=colour, height=0.6)
        ax.barh(
            place,
            bad,
            left=good,
            color=NOISY,
            height=0.6,
            hatch="////",
            edgecolor="white",
            linewidth=0,
        )
        text = f" {good + bad}" + (f" ({bad} wrong)" if wrong is not None else "")
        ax.text(good + bad, place, text, va="center")
    ax.set_yticks([0, 1], ["X", "U"], weight="bold")
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(1.5, -0.5)
    ax.set_xlim(0, 1.3 * max(int(clean.sum()), int((~clean).sum()), 1))
    ax.spines["left"].set_visible(False)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("segments" + ("" if wrong is None else " (hatched: the label is wrong)"))
    return ax


def tau_curve(
    omega: np.ndarray, *, right: np.ndarray | None = None, tau: float, ax: Axes | None = None
) -> Axes:
    """Draw against τ the share of segments in X and, where `right` (bool [S]) is known, X's precision and recall.

    Notebook: 02_noisy_labels
    """
    ax = axes_or_new(ax)
    table = tau_table(omega, right=right)
    looks = {
        "precision": (CLEAN, "-", 0.2),
        "share in X": (NEUTRAL, "-.", 0.5),
        "recall": (NOISY, "--", 0.8),
    }
    for name, (colour, line, x) in looks.items():
        if name in table:
            ax.plot(table["tau"], table[name], color=colour, linestyle=line)
            y = float(np.interp(x, table["tau"], table[name].fillna(0.0)))
            ax.text(x, y, name, color=colour, ha="center", va="center",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
    ax.axvline(tau, color=NEUTRAL, linestyle=":", linewidth=1)
    ax.annotate(
        f"τ = {tau:g}",
        (tau, 0.0),
        xytext=(4, 4),
        textcoords="offset points",
        color=NEUTRAL,
        fontsize=9,
    )
    percent(ax, high=1.05)
    ax.set_xlim(0, 1)
    ax.set_xlabel("threshold τ")
    return ax


def tau_table(
    omega: np.ndarray, *, right: np.ndarray | None = None, steps: int = 100
) -> pd.DataFrame:
    """Return tau, share in X and, where `right` is known, precision and recall for τ = 0, 1/steps … 1.

    Examples
    --------
    >>> tau_table(np.array([0.2, 0.8]), right=np.array([False, True]), steps=2).to_dict("list")
    {'tau': [0.0, 0.5, 1.0], 'share in X': [1.0, 0.5, 0.0], 'precision': [0.5, 1.0, nan], 'recall': [1.0, 1.0, 0.0]}
    """
    taus = np.linspace(0, 1, steps + 1)
    inside = np.asarray(omega)[None, :] > taus[:, None]
    table = pd.DataFrame({"tau": taus, "share in X": inside.mean(axis=1)})
    if right is not None:
        right = np.asarray(right, dtype=bool)
        hits, sizes = (inside & right).sum(axis=1), inside.sum(axis=1)
        table["precision"] = np.where(sizes > 0, hits / np.maximum(sizes, 1), np.nan)
        table["recall"] = hits / right.sum() if right.any() else np.nan
    return table


def roc_curves(
    omegas: Mapping[int, np.ndarray], right: np.ndarray, *, ax: Axes | None = None
) -> Axes:
    """Draw one ROC curve per pass (after epoch → ω [S]): right labels kept in X against wrong labels kept in X.

    Notebook: 02_noisy_labels
    """
    ax = axes_or_new(ax)
    shades = plt.get_cmap("Blues")(np.linspace(0.35, 1.0, len(omegas)))
    for (epoch, omega), shade in zip(omegas.items(), shades, strict=True):
        false, true, _ = roc_curve(right, omega)
        area = roc_auc_score(right, omega)
        ax.plot(false, true, color=shade, label=f"after epoch {epoch}: {area:.2f}")
    ax.plot([0, 1], [0, 1], color=NEUTRAL, linestyle=":", linewidth=1)
    percent(ax, "x", low=-0.02)
    percent(ax, high=1.02)
    ax.set_xlabel("share of wrong labels kept in X")
    ax.set_ylabel("share of right labels kept in X")
    ax.legend(title="area under the curve", loc="lower right")
    return ax


def auc_over_epochs(curves: Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> Axes:
    """Draw the area under the ROC curve of ω after each epoch, one line per name; 0.5 is a coin's.

    Notebook: 02_noisy_labels
    """
    ax = axes_or_new(ax)
    looks = [(CLEAN, "-"), (NOISY, "--"), ("#964a8b", "-."), ("#f89c20", ":")]
    longest = max(len(values) for values in curves.values())
    ends = []
    for (name, values), (colour, line) in zip(curves.items(), looks, strict=False):
        ax.plot(
            np.arange(1, len(values) + 1),
            values,
            color=colour,
            linestyle=line,
            marker="o",
            markersize=3,
        )
        ends.append((float(np.asarray(values)[-1]), name, colour))
    ax.axhline(0.5, color=NEUTRAL, linestyle=":", linewidth=1)
    lowest = min(float(np.nanmin(values)) for values in curves.values())
    ax.set_ylim(min(0.4, lowest - 0.05), 1.02)
    room_right(ax, 1, longest)
    end_labels(ax, longest, ends)
    epoch_axis(ax, longest, label="after epoch")
    ax.set_ylabel("area under the ROC curve")
    return ax
