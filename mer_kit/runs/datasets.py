"""Which corpora are on this machine, what is in them, and where the others are asked for.

Notebook: 00_start_here
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.corpora.base import cache_root
from mer_kit.records import TASKS, Corpus, Problem
from mer_kit.signal.store import open_store


def overview(data_root: str | Path | None = None) -> pd.DataFrame:
    """Return one row per corpus that mer-kit knows; opens label tables, no audio, and makes nothing.

    Columns: corpus, title, state ("found", "made on first use", "missing" or "broken"), folder, clips, problems; for
    each task its class counts ("Q1 225 · Q2 225 …") and `majority_<task>`, the accuracy of always guessing the largest
    class; next_step, one sentence on what to do.

    Parameters
    ----------
    data_root : a corpus' folder or one that holds it under a usual name; None or "" for MER_DATA or the project's data/

    Notebook: 00_start_here
    """
    rows = [{column: None for column in _columns()} | row_of(name, data_root) for name in corpora.names()]
    table = pd.DataFrame(rows, columns=_columns())
    return table.astype({"clips": "Int64", "problems": "Int64"} | {f"majority_{task}": "Float64" for task in TASKS})


def row_of(name: str, data_root: str | Path | None = None) -> dict[str, Any]:
    """Return one corpus' row of `overview` as a dict; what is not known is left out."""
    module = corpora.module(name)
    row: dict[str, Any] = {"corpus": name, "title": module.TITLE}
    root = data_root or None
    folder = corpora.locate(name, root)
    if folder is None and module.GENERATED:
        root = None
        folder = corpora.locate(name)
    if folder is None:
        state = "made on first use" if module.GENERATED else "missing"
        return row | {"state": state, "next_step": module.REQUEST}
    try:
        corpus = corpora.load(name, root)
        counts = {task: class_counts(corpus, task) for task in TASKS}
    except MerKitError as error:
        return row | {"state": "broken", "folder": str(folder), "next_step": str(error)}
    row |= {"state": "found", "folder": str(folder), "clips": len(corpus.clips), "problems": len(corpus.problems)}
    for task, numbers in counts.items():
        row[task] = " · ".join(f"{label} {number}" for label, number in numbers.items())
        row[f"majority_{task}"] = numbers.max() / numbers.sum() if numbers.sum() else None
    return row | {"next_step": _next_step(corpus)}


def class_counts(corpus: Corpus, task: str) -> pd.Series[int]:
    """Return how many clips each class of a task has, indexed by class name in the task's order.

    Raises
    ------
    MerKitError
        If a clip has no label for the task.
    """
    labels = pd.Series(corpus.labels(task), dtype="int64")
    counts = labels.value_counts().reindex(range(len(TASKS[task])), fill_value=0)
    return counts.set_axis(list(TASKS[task]))


def typical(corpus: Corpus, task: str) -> list[int]:
    """Return for each class the position of the clip that speaks for it most clearly.

    That is the one with the highest confidence where the corpus knows it (4Q: PQuad), else the first; −1 where a class
    has no clip.
    """
    labels = corpus.labels(task)
    confidence = np.array([clip.confidence if clip.confidence is not None else -1.0 for clip in corpus.clips])
    chosen = []
    for k in range(len(TASKS[task])):
        clips = np.flatnonzero(labels == k)
        chosen.append(int(clips[confidence[clips].argmax()]) if len(clips) else -1)
    return chosen


def _next_step(corpus: Corpus) -> str:
    if not corpus.problems:
        return "Ready to use."
    first = str(corpus.problems[0])
    return f"Mend {len(corpus.problems)} problems or leave these clips out with on_bad_clip='skip'; the first: {first}"


def _columns() -> list[str]:
    tasks = [column for task in TASKS for column in (task, f"majority_{task}")]
    return ["corpus", "title", "state", "folder", "clips", "problems", *tasks, "next_step"]


def as_text(row: dict[str, Any]) -> str:
    """Return a row of `overview` as a few lines for the terminal."""
    lines = [f"{row['corpus']:<6} {row['state']}: {row['title']}"]
    if row["state"] == "found":
        lines.append(f"{'':<7}{row['clips']} clips, {row['problems']} problems, in {row['folder']}")
        for task in TASKS:
            share = row[f"majority_{task}"]
            lines.append(f"{'':<7}{task}: {row[task]}" + ("" if pd.isna(share) else f" (majority {share:.1%})"))
    lines.append(f"{'':<7}{row['next_step']}")
    return "\n".join(lines)


def problems(name: str, data_root: str | Path | None = None) -> tuple[Problem, ...]:
    """Return everything that is wrong with a corpus: what its tables tell, and every clip that cannot be decoded.

    Raises
    ------
    MerKitError
        If the corpus is not there, or none of its clips can be decoded.
    """
    corpus = corpora.load(name, data_root)
    store = open_store(corpus.clips, cache_root() / "mel", on_bad_clip="skip")
    return (*corpus.problems, *store.skipped)
