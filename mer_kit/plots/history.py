"""Pictures of a training's history: losses, agreement, X and U per epoch, pseudo-labels, class shares, methods.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mer_kit.plots.axes import (
    axes_or_new,
    end_labels,
    epoch_axis,
    mark_first_partition,
    percent,
    room_right,
)
from mer_kit.plots.style import CLEAN, LOOK, METHOD_LOOK, NEUTRAL, NOISY
from mer_kit.records import EpochRecord
from mer_kit.training import objectives


def history_table(history: Sequence[EpochRecord]) -> pd.DataFrame:
    """Return the records as a table, one row an epoch, one column a field."""
    return pd.DataFrame([record.row() for record in history])


def history_lines(
    history: Sequence[EpochRecord],
    fields: dict[str, tuple[str, str, str]],
    *,
    ylabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw some fields of the history over the epochs: field → (name, colour, line style).

    Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    table = history_table(history)
    ends = []
    for field, (name, colour, line) in fields.items():
        known = table[table[field].notna()]
        ax.plot(
            known["epoch"], known[field], color=colour, linestyle=line, marker="o", markersize=3
        )
        if len(known):
            ends.append((float(known[field].iloc[-1]), name, colour))
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    room_right(ax, 1, len(table), 0.34)
    end_labels(ax, len(table), ends)
    epoch_axis(ax, len(table))
    ax.set_ylabel(ylabel)
    mark_first_partition(ax, history)
    return ax


def loss_curves(history: Sequence[EpochRecord], *, ax: Axes | None = None) -> Axes:
    """Draw the training loss and its two parts, and the evaluation pass's loss against the inherited labels.

    Source: paper Eq. (2), (8)–(10). Notebook: 03_sssl_training
    """
    fields = {"loss": ("L, total", CLEAN, "-")}
    if any(np.isfinite(record.loss_kl) for record in history):
        fields |= {"loss_mix": ("L_MIX", NEUTRAL, "--"), "loss_kl": ("L_KL on U", NOISY, ":")}
    fields["evaluation_loss"] = ("evaluation pass", "#964a8b", "-.")
    return history_lines(history, fields, ylabel="nats per sample", ax=ax)


def agreement_curve(
    history: Sequence[EpochRecord], *, n_classes: int, ax: Axes | None = None
) -> Axes:
    """Draw how often the model's first choice is the inherited label of a training segment; dotted: chance.

    Notebook: 03_sssl_training
    """
    fields = {"train_accuracy": ("agrees with\nits label", CLEAN, "-")}
    ax = history_lines(history, fields, ylabel="share of training segments", ax=ax)
    ax.axhline(1 / n_classes, color=NEUTRAL, linestyle=":", linewidth=1)
    percent(ax, high=1.02)
    return ax


def ramp_curve(
    history: Sequence[EpochRecord], *, weight: float, ramp_epochs: float, ax: Axes | None = None
) -> Axes:
    """Draw λ over the epochs: the ramp as a line, and the λ that each epoch ended with as dots.

    Source: λ of paper Eq. (10); the ramp is ours. Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    first = next((record.epoch for record in history if record.phase == "ssl"), None)
    epochs = np.linspace(1, len(history) + 1, 40 * len(history) + 1)
    values = [
        0.0 if first is None else objectives.ramp(e - first, weight=weight, ramp_epochs=ramp_epochs)
        for e in epochs
    ]
    values = [
        0.0 if first is None or e < first else value
        for e, value in zip(epochs, values, strict=True)
    ]
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
    """Draw how many segments were in X and in U in every epoch, stacked; epochs without a separation are hatched.

    Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    for record in history:
        x = (record.epoch - 0.5, record.epoch + 0.5)
        total = record.n_labelled + record.n_unlabelled
        refused = record.phase == "ssl" and not record.separated
        ax.fill_between(x, 0, record.n_labelled, color=CLEAN, alpha=0.55, linewidth=0)
        if refused:
            ax.fill_between(
                x,
                0,
                record.n_labelled,
                facecolor="none",
                hatch="////",
                edgecolor="white",
                linewidth=0,
            )
        if record.n_unlabelled:
            ax.fill_between(x, record.n_labelled, total, color=NOISY, alpha=0.55, linewidth=0)
            share = record.n_unlabelled / total
            ax.text(record.epoch, record.n_labelled + record.n_unlabelled / 2, f"{share:.0%}", ha="center",
                    va="center", fontsize=7.5)  # fmt: skip
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
    """Draw, for U in every epoch, the pseudo-labels' confidence and how often they equal the erased label.

    Notebook: 03_sssl_training
    """
    fields = {
        "pseudo_confidence": ("confidence", NEUTRAL, "--"),
        "pseudo_agreement": ("equals the erased label", CLEAN, "-"),
    }
    ax = history_lines(history, fields, ylabel="mean over U", ax=ax)
    percent(ax, high=1.02)
    if not any(record.n_unlabelled for record in history):
        ax.text(
            0.5, 0.5, "this training had no U", transform=ax.transAxes, ha="center", color=NEUTRAL
        )
    return ax


def pseudo_truth_curves(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw, for the U of every pass, how many erased labels were true and how many of the model's guesses are.

    `table` is what `analysis.passes.Passes.pseudo_labels` returns, with its columns about the truth.

    Notebook: 03_sssl_training
    """
    ax = axes_or_new(ax)
    ends = []
    looks = {
        "label_is_true": ("the erased label\nis true", NEUTRAL, "--"),
        "guess_is_true": ("the model's guess\nis true", CLEAN, "-"),
    }
    for column, (name, colour, line) in looks.items():
        known = table[table[column].notna()]
        ax.plot(
            known["after_epoch"],
            known[column],
            color=colour,
            linestyle=line,
            marker="o",
            markersize=3,
        )
        if len(known):
            ends.append((float(known[column].iloc[-1]), name, colour))
    percent(ax, high=1.02)
    room_right(ax, 1, len(table))
    end_labels(ax, len(table), ends, gap=0.13)
    epoch_axis(ax, len(table), label="after epoch")
    ax.set_ylabel("share of U")
    return ax


def class_shares(
    history: Sequence[EpochRecord],
    base: Sequence[float],
    classes: Sequence[str],
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw each class's share of X in every epoch against its share of all training segments (thin, level lines).

    A line that sinks is a class that drains into U. Notebook: 03_sssl_training
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
    ax.set_ylabel("share of X")
    mark_first_partition(ax, history)
    return ax


def method_scores(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each method's accuracy on one fold's test songs: single segments, and whole songs ± one standard error.

    `table` is what `analysis.ablation.compare` returns. Notebook: 03_sssl_training
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 0.9 + 0.7 * len(table)))
    names = [str(name) for name in table["method"]]
    columns = (
        table[column].to_numpy(dtype=float) for column in ("segments", "songs", "songs_error")
    )
    for place, (name, segments, songs, error) in enumerate(zip(names, *columns, strict=True)):
        colour = METHOD_LOOK[name][0]
        ax.errorbar(songs, place - 0.12, xerr=error, fmt="s", color=colour, markersize=7, capsize=3)
        ax.plot(segments, place + 0.16, "o", color=colour, markersize=6)
        for text, x, y, up, va in (
            (f"songs {songs:.1%}", songs, place - 0.12, 6, "bottom"),
            (f"segments {segments:.1%}", segments, place + 0.16, -6, "top"),
        ):
            ax.annotate(
                text,
                (x, y),
                xytext=(0, up),
                textcoords="offset points",
                ha="center",
                va=va,
                fontsize=8,
                color=colour,
            )
    majority = float(table["majority"].iloc[0])
    ax.axvline(majority, color=NEUTRAL, linestyle=":", linewidth=1)
    ax.text(
        majority, 1.01, "always the commonest class", transform=ax.get_xaxis_transform(), ha="center", va="bottom",
        fontsize=8, color=NEUTRAL,
    )  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.55)
    percent(ax, "x")
    ax.set_xlabel("accuracy on the test songs")
    ax.grid(axis="y", visible=False)
    return ax
