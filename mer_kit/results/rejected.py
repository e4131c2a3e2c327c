"""Segments whose label every network rejects that has not heard the song: candidates for wrong labels.

Notebook: 08_compare
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.runs.config import class_names
from mer_kit.runs.run_folder import RunFolder

#: Columns of `by_all`.
COLUMNS = (
    *("clip_id", "start_s", "end_s", "label", "answer", "agree", "p_label", "p_answer", "networks"),
)


def by_all(folders: Sequence[str | Path], *, n: int | None = 5, per_song: int = 1) -> pd.DataFrame:
    """Return test segments whose label is no network's answer, the least probable labels first.

    Each run tested each song with the network of the fold that was not trained on it. A run counts
    if it has predictions for the segments of the first run; whole clips, for example, have none.

    Parameters
    ----------
    folders : runs of the same songs and task
    n : at most so many segments; None for all
    per_song : at most so many of each song

    Returns
    -------
    DataFrame
        `COLUMNS`: "answer" is the class with the largest mean probability, "agree" the fraction of
        the networks whose own answer it is, "p_label" and "p_answer" are mean probabilities, and
        "networks" is the number of runs

    Raises
    ------
    MerKitError
        If no run has predictions of segments.

    Notebook: 08_compare
    """
    runs = [RunFolder(Path(folder)) for folder in folders]
    tables = [table for run in runs if (table := _tested(run)) is not None]
    if not tables:
        raise MerKitError(
            f"none of {len(runs)} runs has predictions of test segments, expected one at least: "
            "train a method, not only systems"
        )
    first = tables[0]
    alike = [table for table in tables if len(first.index.difference(table.index)) == 0]
    classes = [name for name in first.columns if name != "label"]
    p = np.stack([table.loc[first.index, classes].to_numpy(float) for table in alike])  # [R, S, K]
    label = first["label"].map(classes.index).to_numpy()
    own, mean = p.argmax(axis=2), p.mean(axis=0)
    answer, rows = mean.argmax(axis=1), np.arange(len(label))
    found = first.index.to_frame(index=False).assign(
        label=first["label"].to_numpy(),
        answer=np.array(classes)[answer],
        agree=(own == answer).mean(axis=0),
        p_label=mean[rows, label],
        p_answer=mean[rows, answer],
        networks=len(alike),
    )
    found = found[(own != label).all(axis=0)].sort_values("p_label", kind="stable")
    found = found.groupby("clip_id", sort=False).head(per_song)[list(COLUMNS)]
    return found.head(len(found) if n is None else n).reset_index(drop=True)


def _tested(run: RunFolder) -> pd.DataFrame | None:
    """Return a run's test segments, indexed by clip, start and end; None without any."""
    numbers = [k for k in run.fold_numbers() if run.fold_done(k)]
    if not numbers or run.config.get("system"):
        return None
    parts = [run.segments(k) for k in numbers]
    table = pd.concat([part[part["part"] == "test"] for part in parts])
    names = ["label", *class_names(run.config)]
    return table.set_index(["clip_id", "start_s", "end_s"])[names]
