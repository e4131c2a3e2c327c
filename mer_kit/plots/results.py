"""Plots of results with their spread: folds as dots, paired methods, accuracy by duration.

Notebook: 06_results
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mer_kit.format import with_noise
from mer_kit.plots import style
from mer_kit.plots.axes import axes_or_new, end_labels, percent
from mer_kit.results.paper import paper_table
from mer_kit.results.runs_table import COMPARED, HEADLINES
from mer_kit.results.tables import combine
from mer_kit.songs import classifiers
from mer_kit.systems import CHAINS

#: Classifier → label of its row of dots.
ROW_TITLES: dict[str, str] = {
    **classifiers.TITLES,
    "system": "the system itself",
    "segments": "single segments",
}
ROW_ORDER = [*CHAINS, *classifiers.NAMES, "system", "segments"]


def fold_dots(
    folds: pd.DataFrame, ax: Axes | None = None, *, by: str, score: str = "accuracy"
) -> Axes:
    """Draw one dot per fold, one row per classifier or method, with the mean as a bar.

    The dashed line is the score of the majority class.

    Parameters
    ----------
    folds : from `results.runs_table.fold_scores`: of one run for by="classifier", of runs that
        differ in the method for by="method"
    by : "classifier", or "method" (drawn with the answers by `mean`)
    score : a column of `folds` that holds fractions

    Notebook: 04_song_decisions, 06_results

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> folds = pd.DataFrame({"classifier": ["svm", "svm", "majority"], "fold": [0, 1, 0]})
    >>> ax = fold_dots(folds.assign(accuracy=[0.7, 0.9, 0.25]), by="classifier")
    >>> [text.get_text() for text in ax.texts]
    ['80.0 ± 14.1 %', 'majority 25%']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    classifier = folds["classifier"]
    shown = folds[classifier.isin(COMPARED) if by == "method" else classifier != "majority"]
    answers = " of songs by mean probability" if by == "method" else " of songs"
    present = {str(name) for name in shown[by]}
    rows = [name for name in dict.fromkeys([*ROW_ORDER, *sorted(present)]) if name in present]
    for y, name in enumerate(rows):
        values = shown.loc[shown[by] == name].sort_values("fold")[score].to_numpy(dtype=float)
        colour = style.METHOD_LOOK.get(
            name, style.METHOD_LOOK["sssl" if name in HEADLINES else "ce"]
        )[0]
        _dots(ax, values, y, colour=colour, markersize=6)
        ax.vlines(values.mean(), y - 0.3, y + 0.3, color=colour, linewidth=3)
        sd = f" ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else ""
        ax.annotate(
            f"{100 * values.mean():.1f}{sd} %", (1.01, y), xycoords=("axes fraction", "data"),
            va="center", fontsize=9,
        )  # fmt: skip
    guess = float(folds.loc[classifier == "majority", score].mean())
    ax.axvline(guess, color=style.NEUTRAL, linewidth=1, linestyle="--")
    ax.annotate(
        f"majority {guess:.0%}", (guess, 1), xycoords=("data", "axes fraction"),
        xytext=(4, -2), textcoords="offset points", va="top", fontsize=8, color=style.NEUTRAL,
    )  # fmt: skip
    ax.grid(False, axis="y")
    percent(
        ax, "x", yticks=range(len(rows)), yticklabels=[ROW_TITLES.get(name, name) for name in rows],
        ylim=(len(rows) - 0.4, -0.75),
        xlabel=f"{score.replace('_', '-')}{answers}; one dot per fold, bar: their mean",
    )  # fmt: skip
    return ax


def _dots(ax: Axes, values: np.ndarray, y: float, *, colour: str, **options: Any) -> None:
    """Draw the values of all folds around the height y, shifted a little so that all are seen."""
    shift = np.linspace(-0.16, 0.16, len(values)) if len(values) > 1 else 0.0
    ax.plot(values, y + shift, "o", color=colour, alpha=0.75, **options)


def paired_folds(pairs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw fold-by-fold differences: one row per pair of methods, one dot per fold.

    The diamond is the mean, its bar ± one standard deviation.

    Parameters
    ----------
    pairs : from `results.fold_pairs.paired`, of one setting: first, second, fold, difference

    Notebook: 06_results

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> pairs = pd.DataFrame({"first": "ce", "second": "sssl", "fold": [0, 1]}, index=[0, 1])
    >>> ax = paired_folds(pairs.assign(difference=[0.02, 0.04]))
    >>> ax.lines[1].get_xdata().tolist(), ax.get_yticklabels()[0].get_text()
    ([2.0, 4.0], 'sssl\\nagainst ce')
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    ax.axvline(0, color=style.NEUTRAL, linewidth=1.2)
    names = []
    for y, ((first, second), folds) in enumerate(pairs.groupby(["first", "second"], sort=False)):
        points = 100 * folds.sort_values("fold")["difference"].to_numpy(dtype=float)
        _dots(ax, points, y, colour=style.METHOD_LOOK["sssl"][0])
        if len(points) > 1:
            ax.errorbar(
                points.mean(), y, xerr=float(points.std(ddof=1)), color="black", marker="D",
                markersize=5, capsize=3, linewidth=1.2,
            )  # fmt: skip
        names.append(f"{second}\nagainst {first}")
    reach = 1.15 * max(1.0, float(np.abs(ax.get_xlim()).max()))
    ax.set(
        yticks=range(len(names)), yticklabels=names,
        xlim=(-reach, reach), ylim=(len(names) - 0.5, -0.5),
        xlabel="difference in percentage points, one dot per fold (right: better)",
    )  # fmt: skip
    ax.grid(False, axis="y")
    return ax


def accuracy_by_duration(
    results: pd.DataFrame, ax: Axes | None = None, *, corpus: str, task: str
) -> Axes:
    """Draw song accuracy against segment duration, with the paper's numbers for reference.

    Error bars are ± one standard deviation over folds. Runs that differ only in their seed are
    combined, as in the tables. The paper has durations for valence and arousal (table 2); its one
    number for four classes (table 3) is drawn as a horizontal line.

    Parameters
    ----------
    results : from `results.runs_table.collect`

    Source: paper, table 2. Notebook: 06_results
    """
    ax = axes_or_new(ax)
    ours = results.query("corpus == @corpus and task == @task").dropna(subset="song_accuracy_mean")
    ours = ours[np.isfinite(ours["segment_seconds"])]  # whole clips have no duration
    series = list(ours.groupby(["method", "preset", "song_features", "recipe"], sort=False))
    labels = []
    for number, ((method, preset, *_), runs) in enumerate(series):
        colour, line = style.METHOD_LOOK.get(str(method), (style.NEUTRAL, "-"))
        x, y, sd = seeds_combined(runs)
        ax.errorbar(
            x + 0.06 * (number - (len(series) - 1) / 2), y, yerr=np.nan_to_num(sd), color=colour,
            linestyle=line, marker="o", capsize=3,
        )  # fmt: skip
        name = with_noise(f"{method}, {preset}", runs.iloc[0])
        labels.append((float(y[-1]), _series_name(name, runs), colour))
    percent(
        ax, xlim=(0.6, 7.2), xticks=range(1, 6), xlabel="segment duration (s)",
        ylabel="accuracy, whole songs",
    )  # fmt: skip
    last = float(ours["segment_seconds"].max())
    end_labels(ax, last + 0.15, spread(labels, 0.055), gap=0.05, size=8)
    references = _paper_reference(ax, corpus, task)
    guess = float(ours["majority_accuracy_mean"].mean())
    ax.plot([0.6, 5.1], [guess, guess], color=style.NEUTRAL, linewidth=1, linestyle="--")
    end_labels(
        ax, 5.1, [*references, (guess, f"majority {guess:.0%}", style.NEUTRAL)], gap=0.075, size=8
    )
    ax.set_title(f"{style.name(corpus)}, {task}", parse_math=False)
    return ax


def _series_name(name: str, runs: pd.DataFrame) -> str:
    """Return the name of a line with its seeds, and its folds while some are unfinished."""
    seeds = sorted({int(seed) for seed in runs["seed"]})
    if seeds != [0]:
        name += f", seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    done, wanted = int(runs["folds_done"].min()), runs["folds"].max()
    return f"{name}, {done} of {wanted:.0f} folds" if done < wanted else name


def seeds_combined(runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return durations, mean accuracies and standard deviations, combined over seeds.

    Standard deviations are over the folds of all seeds (n − 1); durations are ascending.

    Parameters
    ----------
    runs : rows of `results.runs_table.collect` that differ only in duration and seed

    Examples
    --------
    >>> scores = {"song_accuracy_mean": [0.5, 0.75], "song_accuracy_sd": [0.0, 0.0]}
    >>> runs = pd.DataFrame({"segment_seconds": 3.0, "folds_done": [1, 1], **scores})
    >>> [column.round(3).tolist() for column in seeds_combined(runs)]
    [[3.0], [0.625], [0.177]]
    """
    names = ["song_accuracy_mean", "song_accuracy_sd", "folds_done"]
    rows = [
        (seconds, *combine(*(same[name].tolist() for name in names))[:2])
        for seconds, same in runs.groupby("segment_seconds")
    ]
    return tuple(np.array(rows, dtype=float).T)


def spread(items: Sequence[tuple[float, str, str]], gap: float) -> list[tuple[float, str, str]]:
    """Return labels (y, text, colour) moved apart to at least `gap`; groups keep their centre.

    Examples
    --------
    >>> labels = [(0.6, "b", ""), (0.6, "a", ""), (0.9, "c", "")]
    >>> [(round(y, 2), text) for y, text, _ in spread(labels, 0.1)]
    [(0.55, 'b'), (0.65, 'a'), (0.9, 'c')]
    """
    groups: list[tuple[float, list[tuple[float, str, str]]]] = []  # centre, members
    for item in sorted(items, key=lambda item: item[0]):
        groups.append((item[0], [item]))
        while len(groups) > 1:
            (low, below), (high, above) = groups[-2:]
            if high - low >= gap * (len(below) + len(above)) / 2 - 1e-12:
                break
            members = below + above
            groups[-2:] = [(float(np.mean([y for y, _, _ in members])), members)]
    return [
        (centre + gap * (i - (len(members) - 1) / 2), text, colour)
        for centre, members in groups
        for i, (_, text, colour) in enumerate(members)
    ]


def _paper_reference(ax: Axes, corpus: str, task: str) -> list[tuple[float, str, str]]:
    """Draw the paper's accuracies, if it has any; return the labels for the ends of the lines."""
    look: dict[str, Any] = {"color": "black", "linewidth": 1, "linestyle": ":"}
    wanted = "corpus == @corpus and task == @task"
    rows = paper_table(2).query(wanted).sort_values("segment_seconds")
    if len(rows):
        y = rows["accuracy_percent"].to_numpy(dtype=float) / 100
        ax.plot(rows["segment_seconds"], y, marker="s", markersize=4, **look)
        return [(float(y[-1]), "paper, table 2", "black")]
    levels = paper_table(3).query(f"{wanted} and method == 'sssl'")["accuracy_percent"] / 100
    for level in levels:
        ax.plot([0.6, 5.1], [level, level], **look)
    return [(float(level), "paper, table 3", "black") for level in levels]
