"""Segments whose label every network rejects that has not heard the song.

They are candidates for wrong labels.

Notebook: 08_compare
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.runs.config import class_names
from mer_kit.runs.run_folder import RunFolder

#: Columns of `by_all`.
COLUMNS = (
    *("clip_id", "start_s", "end_s", "label", "answer", "agree", "p_label", "p_answer", "runs"),
)


def by_all(
    folders: Sequence[str | Path], *, n: int | None = 5, per_song: int | None = 1
) -> pd.DataFrame:
    """Return test segments whose label is no run's answer, the least probable labels first.

    Each run tested each song with the network of the fold that was not trained on it. The runs
    compared are those with the most common set of segments: others are unfinished, or have other
    durations. Of several runs with equal predictions, such as SSSL's variants where nothing splits,
    one counts.

    Parameters
    ----------
    folders : runs of the same songs and task
    n : at most so many segments; None for all
    per_song : at most so many of each song; None for all

    Returns
    -------
    DataFrame
        `COLUMNS`: "answer" is the class with the largest mean probability, "agree" the fraction of
        the runs whose own answer it is, "p_label" and "p_answer" are mean probabilities, and "runs"
        is the number of runs

    Raises
    ------
    MerKitError
        If no run has predictions of segments.

    Notebook: 08_compare
    """
    runs = [RunFolder(Path(folder)) for folder in folders]
    tables = _alike([table for run in runs if (table := _tested(run)) is not None])
    if not tables:
        raise MerKitError(
            f"none of {len(runs)} runs has predictions of test segments, expected one at least: "
            "train a method, not only systems"
        )
    first = tables[0]
    classes = [name for name in first.columns if name != "label"]
    p = np.stack([table[classes].to_numpy(float) for table in tables])  # [R, S, K]
    p = np.unique(p, axis=0)
    label = first["label"].map(classes.index).to_numpy()
    own, mean = p.argmax(axis=2), p.mean(axis=0)
    answer, rows = mean.argmax(axis=1), np.arange(len(label))
    found = first.index.to_frame(index=False).assign(
        label=first["label"].to_numpy(),
        answer=np.array(classes)[answer],
        agree=(own == answer).mean(axis=0),
        p_label=mean[rows, label],
        p_answer=mean[rows, answer],
        runs=len(p),
    )
    found = found[(own != label).all(axis=0)].sort_values("p_label", kind="stable")
    if per_song is not None:
        found = found.groupby("clip_id", sort=False).head(per_song)
    chosen = found[list(COLUMNS)].head(len(found) if n is None else n)
    return pd.DataFrame(chosen.reset_index(drop=True))


def _alike(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the tables with the most common index; in a tie, with the longer or the first one."""
    marks = [tuple(one.index) for one in tables]
    times = Counter(marks)
    chosen = max(times, key=lambda mark: (times[mark], len(mark)), default=None)
    return [one for one, mark in zip(tables, marks, strict=True) if mark == chosen]


def _tested(run: RunFolder) -> pd.DataFrame | None:
    """Return a run's test segments, sorted by clip, start and end; None without any."""
    numbers = [k for k in run.fold_numbers() if run.fold_done(k)]
    if not numbers or run.config.get("system"):
        return None
    parts = [run.segments(k) for k in numbers]
    table = pd.concat([part[part["part"] == "test"] for part in parts])
    names = ["label", *class_names(run.config)]
    return table.set_index(["clip_id", "start_s", "end_s"])[names].sort_index()
