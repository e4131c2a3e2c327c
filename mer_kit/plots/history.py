"""Plots of a training's history: losses, agreement, X and U, pseudo-labels, classes, methods.

Notebook: 03_sssl_training
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mer_kit.analysis.passes import first_partition_epoch
from mer_kit.plots.axes import (
    HATCHED,
    axes_or_new,
    end_labels,
    epoch_axis,
    mark_first_partition,
    name_room,
    note_in_middle,
    percent,
    room_right,
)
from mer_kit.plots.style import CLEAN, LOOK, METHOD_LOOK, NEUTRAL, NOISY
from mer_kit.plots.style import looks as class_looks
from mer_kit.records import PARTITION_PHASE, EpochRecord
from mer_kit.training import TrainingSettings, objectives
from mer_kit.training.methods import sssl


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
    ends = _draw_columns(ax, history_table(history), "epoch", fields)
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    epoch_axis(ax, len(history), ends, ylabel=ylabel, share=0.34)
    mark_first_partition(ax, history)
    return ax


def _draw_columns(
    ax: Axes, table: pd.DataFrame, x: str, looks: dict[str, tuple[str, str, str]]
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
    ax = history_lines(
        history, {"train_accuracy": ("agrees with\nits label", CLEAN, "-")},
        ylabel="fraction of training segments", ax=ax,
    )  # fmt: skip
    ax.axhline(1 / n_classes, color=NEUTRAL, linestyle=":", linewidth=1)
    percent(ax, high=1.02)
    return ax


def ramp_curve(
    history: Sequence[EpochRecord], settings: TrainingSettings, *, ax: Axes | None = None
) -> Axes:
    """Draw λ over the epochs: the ramp as a line, and λ at the end of each epoch as dots.

    Parameters
    ----------
    settings : of the training, which say how far and how fast λ rises

    Source: λ of paper Eq. (10); the ramp is ours. Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    n_epochs, first = len(history), first_partition_epoch(history) or np.inf
    epochs = np.linspace(1, n_epochs + 1, 40 * n_epochs + 1)
    weight, over = settings.weight_kl, sssl.ramp_epochs(settings)
    values = [
        (epoch >= first) * objectives.ramp(epoch - first, weight=weight, ramp_epochs=over)
        for epoch in epochs
    ]
    ax.plot(epochs, values, color=NEUTRAL)
    ax.plot(
        [record.epoch + 1 for record in history], [record.lambda_kl for record in history], "o",
        color=CLEAN, markersize=5,
    )  # fmt: skip
    ax.set(
        xlim=(1, n_epochs + 1.2), xticks=range(1, n_epochs + 2, max(1, n_epochs // 6)),
        xlabel="beginning of epoch", ylim=(0, max(1.05 * weight, 0.1)), ylabel="λ",
    )  # fmt: skip
    return ax


def x_u_sizes(history: Sequence[EpochRecord], *, ax: Axes | None = None) -> Axes:
    """Draw the numbers of segments in X and in U over the epochs, stacked.

    Epochs whose losses did not separate are hatched: all their segments are in X.

    Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    for record in history:
        x, n_labelled = (record.epoch - 0.5, record.epoch + 0.5), record.n_labelled
        total = n_labelled + record.n_unlabelled
        ax.fill_between(x, 0, n_labelled, color=CLEAN, alpha=0.55, linewidth=0)
        if record.phase == PARTITION_PHASE and not record.separated:
            ax.fill_between(x, 0, n_labelled, facecolor="none", **HATCHED)
        if record.n_unlabelled:
            ax.fill_between(x, n_labelled, total, color=NOISY, alpha=0.55, linewidth=0)
            ax.text(
                record.epoch, (n_labelled + total) / 2, f"{record.n_unlabelled / total:.0%}",
                ha="center", va="center", fontsize=7.5,
            )  # fmt: skip
    last = len(history) + 0.5
    ends = [(record.n_labelled / 2, "X", CLEAN)]
    if any(record.n_unlabelled for record in history):
        ends.append((total - max(record.n_unlabelled, 0.04 * total) / 2, "U", NOISY))
    epoch_axis(ax, len(history), ylabel="training segments")
    room_right(ax, 0.5, last, 0.06)
    ax.set(xlim=(0.5, None), ylim=(0, 1.02 * total))
    end_labels(ax, last, ends, size=12)
    ax.grid(False)
    mark_first_partition(ax, history)
    return ax


def pseudo_label_curves(history: Sequence[EpochRecord], *, ax: Axes | None = None) -> Axes:
    """Draw the mean confidence of pseudo-labels on U, and how often they equal the erased label.

    Notebook: 03_sssl_training
    """
    ax = history_lines(
        history,
        {
            "pseudo_confidence": ("confidence", NEUTRAL, "--"),
            "pseudo_agreement": ("equals the erased label", CLEAN, "-"),
        },
        ylabel="mean over U",
        ax=ax,
    )
    percent(ax, high=1.02)
    if not any(record.n_unlabelled for record in history):
        note_in_middle(ax, "this training had no U")
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
    epoch_axis(ax, len(table), ends, ylabel="fraction of U", label="after epoch", gap=0.13)
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
    table = pd.DataFrame(
        [record.labelled_class_share for record in history],
        columns=list(classes),
        index=range(1, len(history) + 1),
    )
    looks = {name: (name, *look) for name, look in class_looks(classes).items()}
    for name, fraction in zip(classes, base, strict=True):
        ax.axhline(fraction, color=looks[name][1], linewidth=0.7, alpha=0.6)
    ends = _draw_columns(ax, table.reset_index(names="epoch"), "epoch", looks)
    percent(ax, high=1.15 * max(table.to_numpy().max(), *base))
    epoch_axis(ax, len(history), ends, ylabel="fraction of X", share=name_room(classes, 0.08))
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
    label: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 8}
    scores = table[["method", "segments", "songs", "songs_error"]].itertuples(index=False)
    for place, (name, segments, songs, error) in enumerate(scores):
        colour, above, below = METHOD_LOOK[name][0], place - 0.12, place + 0.16
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
    percent(
        ax, "x", yticks=range(len(table)), yticklabels=table["method"],
        ylim=(len(table) - 0.45, -0.55), xlabel="accuracy on the test songs",
    )  # fmt: skip
    ax.grid(axis="y", visible=False)
    return ax
