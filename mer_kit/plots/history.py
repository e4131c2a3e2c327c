"""Plots of a training's history: losses, agreement, X and U, pseudo-labels, classes, methods.

Notebook: 03_sssl_training
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mer_kit.plots.axes import (
    HATCHED,
    axes_or_new,
    end_labels,
    epoch_axis,
    first_partition_epoch,
    mark_first_partition,
    percent,
    room_right,
)
from mer_kit.plots.style import CLEAN, LOOK, METHOD_LOOK, NEUTRAL, NOISY
from mer_kit.records import EpochRecord
from mer_kit.training import objectives


def history_table(history: Sequence[EpochRecord]) -> pd.DataFrame:
    """Return the records as a table with one row per epoch and one column per field."""
    return pd.DataFrame([record.row() for record in history])


def history_lines(
    history: Sequence[EpochRecord],
    fields: dict[str, tuple[str, str, str]],
    *,
    ylabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw some fields of the history over the epochs; epochs in which a field is NaN are left out.

    Parameters
    ----------
    fields : field → (name, colour, line style)

    Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    table = history_table(history)
    ends = _draw_columns(ax, table, "epoch", fields)
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    room_right(ax, 1, len(table), 0.34)
    end_labels(ax, len(table), ends)
    epoch_axis(ax, len(table))
    ax.set_ylabel(ylabel)
    mark_first_partition(ax, history)
    return ax


def _draw_columns(
    ax: Axes, table: pd.DataFrame, x: str, looks: Mapping[str, tuple[str, str, str]]
) -> list[tuple[float, str, str]]:
    """Draw columns of a table against column `x`; return the labels for the ends of the lines."""
    ends = []
    for column, (name, colour, line) in looks.items():
        known = table[table[column].notna()]
        ax.plot(known[x], known[column], color=colour, linestyle=line, marker="o", markersize=3)
        if len(known):
            ends.append((float(known[column].iloc[-1]), name, colour))
    return ends


def loss_curves(history: Sequence[EpochRecord], *, ax: Axes | None = None) -> Axes:
    """Draw the training loss, its two parts, and the loss of the evaluation pass.

    The evaluation pass measures the loss against the inherited labels, with dropout off.

    Source: paper Eq. (2), (8)–(10). Notebook: 03_sssl_training
    """
    fields = {"loss": ("L, total", CLEAN, "-")}
    if any(np.isfinite(record.loss_kl) for record in history):
        fields |= {"loss_mix": ("L_MIX", NEUTRAL, "--"), "loss_kl": ("L_KL on U", NOISY, ":")}
    fields["evaluation_loss"] = ("evaluation pass", LOOK["Q4"][0], "-.")
    return history_lines(history, fields, ylabel="nats per sample", ax=ax)


def agreement_curve(
    history: Sequence[EpochRecord], *, n_classes: int, ax: Axes | None = None
) -> Axes:
    """Draw how often the predicted class of a training segment is its inherited label.

    The dotted line is chance, 1 / n_classes. Notebook: 03_sssl_training
    """
    fields = {"train_accuracy": ("agrees with\nits label", CLEAN, "-")}
    ax = history_lines(history, fields, ylabel="fraction of training segments", ax=ax)
    ax.axhline(1 / n_classes, color=NEUTRAL, linestyle=":", linewidth=1)
    percent(ax, high=1.02)
    return ax


def ramp_curve(
    history: Sequence[EpochRecord], *, weight: float, ramp_epochs: float, ax: Axes | None = None
) -> Axes:
    """Draw λ over the epochs: the ramp as a line, and λ at the end of each epoch as dots.

    Source: λ of paper Eq. (10); the ramp is ours. Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    first = first_partition_epoch(history)
    epochs = np.linspace(1, len(history) + 1, 40 * len(history) + 1)
    values = np.zeros(len(epochs))
    if first is not None:
        for k in np.flatnonzero(epochs >= first):
            values[k] = objectives.ramp(epochs[k] - first, weight=weight, ramp_epochs=ramp_epochs)
    ax.plot(epochs, values, color=NEUTRAL)
    ends = np.array([record.epoch + 1 for record in history])
    ax.plot(ends, [record.lambda_kl for record in history], "o", color=CLEAN, markersize=5)
    ax.set_ylim(0, max(1.05 * weight, 0.1))
    ax.set_xlim(1, len(history) + 1.2)
    ax.set_xticks(range(1, len(history) + 2, max(1, len(history) // 6)))
    ax.set_xlabel("beginning of epoch")
    ax.set_ylabel("λ")
    return ax


def x_u_sizes(history: Sequence[EpochRecord], *, ax: Axes | None = None) -> Axes:
    """Draw the numbers of segments in X and in U over the epochs, stacked.

    Epochs whose losses did not separate are hatched: all their segments are in X.

    Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    for record in history:
        x = (record.epoch - 0.5, record.epoch + 0.5)
        n_labelled, n_unlabelled = record.n_labelled, record.n_unlabelled
        total = n_labelled + n_unlabelled
        ax.fill_between(x, 0, n_labelled, color=CLEAN, alpha=0.55, linewidth=0)
        if record.phase == "ssl" and not record.separated:
            ax.fill_between(x, 0, n_labelled, facecolor="none", **HATCHED)
        if n_unlabelled:
            ax.fill_between(x, n_labelled, total, color=NOISY, alpha=0.55, linewidth=0)
            middle = n_labelled + n_unlabelled / 2
            text = f"{n_unlabelled / total:.0%}"
            ax.text(record.epoch, middle, text, ha="center", va="center", fontsize=7.5)
    total = history[-1].n_labelled + history[-1].n_unlabelled
    last = len(history) + 0.5
    ends = [(history[-1].n_labelled / 2, "X", CLEAN)]
    if any(record.n_unlabelled for record in history):
        ends.append((total - max(history[-1].n_unlabelled, 0.04 * total) / 2, "U", NOISY))
    ax.set_ylim(0, 1.02 * total)
    room_right(ax, 0.5, last, 0.06)
    ax.set_xlim(left=0.5)
    end_labels(ax, last, ends, size=12)
    epoch_axis(ax, len(history))
    ax.grid(False)
    ax.set_ylabel("training segments")
    mark_first_partition(ax, history)
    return ax


def pseudo_label_curves(history: Sequence[EpochRecord], *, ax: Axes | None = None) -> Axes:
    """Draw the mean confidence of pseudo-labels on U, and how often they equal the erased label.

    Notebook: 03_sssl_training
    """
    fields = {
        "pseudo_confidence": ("confidence", NEUTRAL, "--"),
        "pseudo_agreement": ("equals the erased label", CLEAN, "-"),
    }
    ax = history_lines(history, fields, ylabel="mean over U", ax=ax)
    percent(ax, high=1.02)
    if not any(record.n_unlabelled for record in history):
        text = "this training had no U"
        ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", color=NEUTRAL)
    return ax


def pseudo_truth_curves(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw, for U after every epoch, how often the erased label and the model's guess are true.

    Parameters
    ----------
    table : from `analysis.passes.Passes.pseudo_labels`, with its columns about the ground truth

    Notebook: 03_sssl_training

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> true = {"label_is_true": [0.5, 0.25], "guess_is_true": [0.5, 0.75]}
    >>> ax = pseudo_truth_curves(pd.DataFrame({"after_epoch": [1, 2], **true}))
    >>> [line.get_ydata().tolist() for line in ax.lines]
    [[0.5, 0.25], [0.5, 0.75]]
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    looks = {
        "label_is_true": ("the erased label\nis true", NEUTRAL, "--"),
        "guess_is_true": ("the model's guess\nis true", CLEAN, "-"),
    }
    ends = _draw_columns(ax, table, "after_epoch", looks)
    percent(ax, high=1.02)
    room_right(ax, 1, len(table))
    end_labels(ax, len(table), ends, gap=0.13)
    epoch_axis(ax, len(table), label="after epoch")
    ax.set_ylabel("fraction of U")
    return ax


def class_shares(
    history: Sequence[EpochRecord],
    base: Sequence[float],
    classes: Sequence[str],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw which fraction of X each class has in every epoch.

    The thin horizontal lines are the fractions among all training segments; a class whose line
    falls below its own is losing segments to U.

    Parameters
    ----------
    base : [K], the fractions among all training segments

    Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    shares = np.array([record.labelled_class_share for record in history])
    epochs = np.arange(1, len(history) + 1)
    ends = []
    for k, name in enumerate(classes):
        colour, line = LOOK[name]
        ax.axhline(base[k], color=colour, linewidth=0.7, alpha=0.6)
        ax.plot(epochs, shares[:, k], color=colour, linestyle=line, marker="o", markersize=3)
        ends.append((float(shares[-1, k]), name, colour))
    percent(ax, high=1.15 * float(max(shares.max(), max(base))))
    room_right(ax, 1, len(history), 0.08)
    end_labels(ax, len(history), ends)
    epoch_axis(ax, len(history))
    ax.set_ylabel("fraction of X")
    mark_first_partition(ax, history)
    return ax


def method_scores(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each method's accuracy on the test songs of one fold, ± one standard error for songs.

    Circles are single segments, squares whole songs, and the dotted line is the majority class.

    Parameters
    ----------
    table : from `analysis.ablation.compare`

    Notebook: 03_sssl_training

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> scores = {"segments": [0.6], "songs": [0.7], "songs_error": [0.05], "majority": [0.3]}
    >>> ax = method_scores(pd.DataFrame({"method": ["sssl"], **scores}))
    >>> [text.get_text() for text in ax.texts]
    ['songs 70.0%', 'segments 60.0%', 'majority class']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax, size=(7.2, 0.9 + 0.7 * len(table)))
    names = [str(name) for name in table["method"]]
    columns = (
        table[column].to_numpy(dtype=float) for column in ("segments", "songs", "songs_error")
    )
    label: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 8}
    for place, (name, segments, songs, error) in enumerate(zip(names, *columns, strict=True)):
        colour, _ = METHOD_LOOK[name]
        above, below = place - 0.12, place + 0.16
        ax.errorbar(songs, above, xerr=error, fmt="s", color=colour, markersize=7, capsize=3)
        ax.plot(segments, below, "o", color=colour, markersize=6)
        label["color"] = colour
        ax.annotate(f"songs {songs:.1%}", (songs, above), (0, 6), va="bottom", **label)
        ax.annotate(f"segments {segments:.1%}", (segments, below), (0, -6), va="top", **label)
    majority = float(table["majority"].iloc[0])
    ax.axvline(majority, color=NEUTRAL, linestyle=":", linewidth=1)
    ax.text(
        majority, 1.01, "majority class", transform=ax.get_xaxis_transform(), ha="center",
        va="bottom", fontsize=8, color=NEUTRAL,
    )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.55)
    percent(ax, "x")
    ax.set_xlabel("accuracy on the test songs")
    ax.grid(axis="y", visible=False)
    return ax
