"""Results with their spread: folds as dots, methods fold by fold, accuracy against segment duration.

Notebook: 06_results
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mer_kit.plots import style
from mer_kit.plots.axes import axes_or_new, end_labels, percent
from mer_kit.plots.style import METHOD_LOOK, NEUTRAL
from mer_kit.results.paper import paper_table
from mer_kit.results.runs_table import HEADLINES
from mer_kit.results.tables import combine
from mer_kit.songs import classifiers
from mer_kit.systems import CHAINS

#: What a row of dots is called.
ROW_TITLES: dict[str, str] = {
    **classifiers.TITLES,
    "system": "the system itself",
    "segments": "single segments",
}
ROW_ORDER = [*CHAINS, *classifiers.NAMES, "system", "segments"]


def fold_dots(
    folds: pd.DataFrame, ax: Axes | None = None, *, by: str, score: str = "accuracy"
) -> Axes:
    """Draw one dot a fold, one row a classifier or method, with the mean as a bar and the majority guess as a line.

    Parameters
    ----------
    folds : from `results.runs_table.fold_scores`: one run for by="classifier", runs that differ in the method for by="method"
    by : "classifier" or "method" (whose SVM answers are drawn)
    score : a column of `folds`, fractions

    Notebook: 04_song_decisions, 06_results
    """
    ax = axes_or_new(ax)
    shown = (
        folds[folds["classifier"].isin(HEADLINES)]
        if by == "method"
        else folds[folds["classifier"] != "majority"]
    )
    there = {str(name) for name in shown[by]}
    rows: list[str] = [
        *(name for name in ROW_ORDER if name in there),
        *sorted(there - set(ROW_ORDER)),
    ]
    for y, name in enumerate(rows):
        values = shown.loc[shown[by] == name].sort_values("fold")[score].to_numpy(dtype=float)
        colour = (
            METHOD_LOOK[name][0]
            if name in METHOD_LOOK
            else METHOD_LOOK["sssl" if name in HEADLINES else "ce"][0]
        )
        shift = np.linspace(-0.16, 0.16, len(values)) if len(values) > 1 else np.zeros(1)
        ax.plot(
            values, y + shift, linestyle="none", marker="o", color=colour, markersize=6, alpha=0.75
        )
        ax.vlines(values.mean(), y - 0.3, y + 0.3, color=colour, linewidth=3)
        sd = f" ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else ""
        ax.annotate(
            f"{100 * values.mean():.1f}{sd} %",
            (1.01, y),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
        )
    guess = float(folds.loc[folds["classifier"] == "majority", score].mean())
    ax.axvline(guess, color=NEUTRAL, linewidth=1, linestyle="--")
    ax.annotate(
        f"majority {guess:.0%}", (guess, 1), xycoords=("data", "axes fraction"), xytext=(4, -2),
        textcoords="offset points", va="top", fontsize=8, color=NEUTRAL,
    )  # fmt: skip
    ax.set_yticks(range(len(rows)), [ROW_TITLES.get(name, name) for name in rows])
    ax.set_ylim(len(rows) - 0.4, -0.75)
    ax.grid(False, axis="y")
    percent(ax, "x")
    ax.set_xlabel(f"{score.replace('_', '-')}, one dot a fold, bar: mean")
    return ax


def paired_folds(pairs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw fold-by-fold differences: one row a pair, one dot a fold, a diamond at the mean with ± sd, a line at zero.

    Parameters
    ----------
    pairs : from `results.compare.paired`, of one setting: first, second, fold, difference

    Notebook: 06_results
    """
    ax = axes_or_new(ax)
    ax.axvline(0, color=NEUTRAL, linewidth=1.2)
    names = []
    for y, ((first, second), part) in enumerate(pairs.groupby(["first", "second"], sort=False)):
        d = 100 * part.sort_values("fold")["difference"].to_numpy(dtype=float)
        shift = np.linspace(-0.16, 0.16, len(d)) if len(d) > 1 else np.zeros(1)
        ax.plot(
            d, y + shift, linestyle="none", marker="o", color=METHOD_LOOK["sssl"][0], alpha=0.75
        )
        if len(d) > 1:
            sd = float(d.std(ddof=1))
            ax.errorbar(
                d.mean(),
                y,
                xerr=sd,
                color="black",
                marker="D",
                markersize=5,
                capsize=3,
                linewidth=1.2,
            )
        names.append(f"{second}\nagainst {first}")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    reach = 1.15 * max(1.0, float(np.abs(ax.get_xlim()).max()))
    ax.set_xlim(-reach, reach)
    ax.grid(False, axis="y")
    ax.set_xlabel("difference in points, one dot a fold (right: better)")
    return ax


def accuracy_by_duration(
    results: pd.DataFrame, ax: Axes | None = None, *, corpus: str, task: str
) -> Axes:
    """Draw song accuracy against segment duration: our runs with ± sd over folds, the paper's numbers as reference.

    Runs that differ only in their seed are combined, as in the tables. A method with one duration is a single point.
    The paper has durations for valence and arousal (table 2); its one number for four classes (table 3) is drawn as a level line.

    Parameters
    ----------
    results : from `results.runs_table.collect`

    Source: paper, table 2. Notebook: 06_results
    """
    ax = axes_or_new(ax)
    ours = results[
        (results["corpus"] == corpus)
        & (results["task"] == task)
        & results["song_accuracy_mean"].notna()
    ]
    labels: dict[str, tuple[float, str, str]] = {}
    last = float(ours["segment_seconds"].max()) if len(ours) else 5.0
    series = list(ours.groupby(["method", "preset", "song_features", "recipe"], sort=False))
    for number, ((method, preset, *_), runs) in enumerate(series):
        colour, line = METHOD_LOOK.get(str(method), (NEUTRAL, "-"))
        x, y, sd = seeds_combined(runs)
        x += 0.06 * (number - (len(series) - 1) / 2)
        ax.errorbar(
            x, y, yerr=np.nan_to_num(sd), color=colour, linestyle=line, marker="o", capsize=3
        )
        seeds = sorted({int(seed) for seed in runs["seed"]})
        name = f"{method}, {preset}" + (
            f", seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}" if any(seeds) else ""
        )
        done, wanted = int(runs["folds_done"].min()), runs["folds"].max()
        name += f", {done} of {wanted:.0f} folds" if done < wanted else ""
        labels[f"{name} {number}"] = (float(y[-1]), name, colour)
    percent(ax)
    ax.set_xlim(0.6, 7.2)
    ax.set_xticks(range(1, 6))
    end_labels(ax, last + 0.15, spread(list(labels.values()), 0.055), gap=0.05, size=8)
    references = list(_paper_reference(ax, corpus, task))
    guess = float(ours["majority_accuracy_mean"].mean()) if len(ours) else float("nan")
    ax.plot([0.6, 5.1], [guess, guess], color=NEUTRAL, linewidth=1, linestyle="--")
    end_labels(ax, 5.1, [*references, (guess, f"majority {guess:.0%}", NEUTRAL)], gap=0.075, size=8)
    ax.set_xlabel("segment duration (s)")
    ax.set_ylabel("accuracy, whole songs")
    ax.set_title(f"{style.name(corpus)}, {task}", parse_math=False)
    return ax


def seeds_combined(runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return durations, mean song accuracies and their sd (n − 1) over the folds of all seeds, ascending by duration.

    Parameters
    ----------
    runs : rows of `results.runs_table.collect` that differ in duration and seed only
    """
    names = ["song_accuracy_mean", "song_accuracy_sd", "folds_done"]
    rows = [
        (s, *combine(*(part[n].tolist() for n in names))[:2])
        for s, part in runs.groupby("segment_seconds")
    ]
    x, y, sd = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return x, y, sd


def spread(items: Sequence[tuple[float, str, str]], gap: float) -> list[tuple[float, str, str]]:
    """Return the labels (y, text, colour) moved apart to at least `gap`, each group staying centred where it was.

    Examples
    --------
    >>> [(round(y, 2), text) for y, text, _ in spread([(0.6, "b", ""), (0.6, "a", ""), (0.9, "c", "")], 0.1)]
    [(0.55, 'b'), (0.65, 'a'), (0.9, 'c')]
    """
    ordered = sorted(items, key=lambda item: item[0])
    groups: list[tuple[float, list[tuple[float, str, str]]]] = []  # centre, members
    for item in ordered:
        groups.append((item[0], [item]))
        while len(groups) > 1:
            (low, below), (high, above) = groups[-2:]
            if (
                high - gap * (len(above) - 1) / 2 - (low + gap * (len(below) - 1) / 2)
                >= gap - 1e-12
            ):
                break
            members = below + above
            groups[-2:] = [(float(np.mean([y for y, _, _ in members])), members)]
    return [
        (centre + gap * (at - (len(members) - 1) / 2), text, colour)
        for centre, members in groups
        for at, (_, text, colour) in enumerate(members)
    ]


def _paper_reference(ax: Axes, corpus: str, task: str) -> Sequence[tuple[float, str, str]]:
    """Draw the paper's accuracies where it has any; return what to write at the line's end."""
    table = paper_table(2)
    rows = table[(table["corpus"] == corpus) & (table["task"] == task)].sort_values(
        "segment_seconds"
    )
    if len(rows):
        y = rows["accuracy_percent"].to_numpy(dtype=float) / 100
        ax.plot(
            rows["segment_seconds"],
            y,
            color="black",
            linewidth=1,
            linestyle=":",
            marker="s",
            markersize=4,
        )
        return [(float(y[-1]), "paper, table 2", "black")]
    table = paper_table(3)
    one = table[(table["corpus"] == corpus) & (table["task"] == task) & (table["method"] == "sssl")]
    if len(one):
        y3 = float(one["accuracy_percent"].iloc[0]) / 100
        ax.plot([0.6, 5.1], [y3, y3], color="black", linewidth=1, linestyle=":")
        return [(y3, "paper, table 3", "black")]
    return []
