"""Which corpora are on this machine, what is in them, and where the others are asked for.

Notebook: 00_start_here
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.records import TASKS, Corpus, Problem
from mer_kit.runs import plausible
from mer_kit.signal import audio

#: The columns of `overview` that count something.
COUNTS = ("clips", "labels", "missing", "extra", "unreadable", "problems", "notes")

#: The kinds of notes that speak of a whole table or task, so that each has its line.
OF_A_TABLE = ("spelling", "unknown_clip", "one_class", "few_songs")


def overview(
    data_root: str | Path | None = None,
    *,
    only: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return one row per corpus that mer-kit knows; reads label tables and audio headers, and makes nothing.

    Columns: corpus, title, state ("found", "made on first use", "missing" or "broken"), folder; clips (usable), labels
    (usable rows of the label table), missing (listed, but no such file), extra (files that no row lists), unreadable
    (files whose header cannot be read), hours, problems, notes; for each task its class counts ("Q1 225 · Q2 225 …")
    and `majority_<task>`, the accuracy of always guessing the largest class; next_step, one sentence on what to do.

    Parameters
    ----------
    data_root : a corpus' folder or one that holds it under a usual name; None or "" for MER_DATA or the project's data/
    only : this corpus alone, loaded with these `options`

    Notebook: 00_start_here
    """
    names = [only] if only else corpora.names()
    rows = [dict.fromkeys(_columns()) | row_of(name, data_root, options or {}) for name in names]
    table = pd.DataFrame(rows, columns=_columns())
    shares = {name: "Float64" for name in ("hours", *(f"majority_{task}" for task in TASKS))}
    return table.astype(dict.fromkeys(COUNTS, "Int64") | shares)


def row_of(
    name: str, data_root: str | Path | None = None, options: Mapping[str, Any] = {}
) -> dict[str, Any]:
    """Return one corpus' row of `overview` as a dict; what is not known is left out.

    Whatever goes wrong with one corpus is told in its row, and never hides the others.
    """
    module = corpora.module(name)
    row: dict[str, Any] = {"corpus": name, "title": module.TITLE}
    try:
        return row | _found(name, module, data_root, options)
    except MerKitError as error:
        return row | {"state": "broken", "folder": str(data_root or ""), "next_step": str(error)}
    except OSError as error:
        sentence = f"it cannot be read ({error}): check the folder and who may read it"
        return row | {"state": "broken", "folder": str(data_root or ""), "next_step": sentence}
    except Exception as error:
        sentence = f"reading it failed with {type(error).__name__}: {error}; please report this with the table's first rows"
        return row | {"state": "broken", "folder": str(data_root or ""), "next_step": sentence}


def _found(
    name: str,
    module: corpora.CorpusModule,
    data_root: str | Path | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what there is to tell of a corpus: where it is, what it holds, and what to do."""
    root = data_root or None
    folder = corpora.locate(name, root, **options)
    if folder is None and module.GENERATED:
        root = None
        folder = corpora.locate(name, **options)
    if folder is None:
        state = "made on first use" if module.GENERATED else "missing"
        return {"state": state, "next_step": module.REQUEST}
    try:
        corpus = corpora.load(name, root, **options)
        counts = {task: class_counts(corpus, task) for task in TASKS}
    except MerKitError as error:
        return {"state": "broken", "folder": str(folder), "next_step": str(error)}
    more, oddities = plausible.hindrances(corpus)
    row: dict[str, Any] = {"state": "found", "folder": str(folder), "clips": len(corpus.clips)}
    row |= {
        "problems": len(corpus.problems) + len(more),
        "notes": len(corpus.notes),
        **_files(corpus),
    }
    for task, numbers in counts.items():
        row[task] = " · ".join(f"{label} {number}" for label, number in numbers.items())
        row[f"majority_{task}"] = numbers.max() / numbers.sum() if numbers.sum() else None
    return row | {"next_step": _next_step([*corpus.problems, *more], oddities)}


def _files(corpus: Corpus) -> dict[str, Any]:
    """Return labels, missing, extra, unreadable and hours, from what loading found and the files' headers."""
    kinds = [problem.kind for problem in (*corpus.problems, *corpus.notes)]
    with ThreadPoolExecutor() as pool:
        seconds = list(pool.map(lambda clip: _header(clip.path), corpus.clips))
    return {
        "labels": len(corpus.clips) + kinds.count("absent") + kinds.count("empty_file"),
        "missing": kinds.count("absent"),
        "extra": kinds.count("not_listed"),
        "unreadable": sum(length is None for length in seconds) + kinds.count("empty_file"),
        "hours": round(sum(length or 0.0 for length in seconds) / 3600, 3),
    }


def _header(path: Path) -> float | None:
    try:
        return audio.duration(path)
    except MerKitError:
        return None


def class_counts(corpus: Corpus, task: str) -> pd.Series[int]:
    """Return how many clips each class of a task has, indexed by class name; clips without a label do not count."""
    labels = pd.Series(
        [clip.labels[task] for clip in corpus.clips if task in clip.labels], dtype="int64"
    )
    counts = labels.value_counts().reindex(range(len(TASKS[task])), fill_value=0)
    return counts.set_axis(list(TASKS[task]))


def typical(corpus: Corpus, task: str) -> list[int]:
    """Return for each class the position of the clip that speaks for it most clearly.

    That is the one with the highest confidence where the corpus knows it (4Q: PQuad), else the first; −1 where a class
    has no clip.
    """
    labels = corpus.labels(task)
    confidence = np.array(
        [clip.confidence if clip.confidence is not None else -1.0 for clip in corpus.clips]
    )
    chosen = []
    for k in range(len(TASKS[task])):
        clips = np.flatnonzero(labels == k)
        chosen.append(int(clips[confidence[clips].argmax()]) if len(clips) else -1)
    return chosen


def _next_step(problems: Sequence[Problem], oddities: Sequence[Problem]) -> str:
    """Return a sentence on what to do first about a corpus."""
    if problems:
        found = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        return f"Mend {found} or leave these clips out with on_bad_clip='skip'; the first: {problems[0]}"
    return f"Ready to use, but mind {oddities[0]}." if oddities else "Ready to use."


def _columns() -> list[str]:
    tasks = [column for task in TASKS for column in (task, f"majority_{task}")]
    return ["corpus", "title", "state", "folder", *COUNTS, "hours", *tasks, "next_step"]


def as_text(row: dict[str, Any]) -> str:
    """Return a row of `overview` as a few lines for the terminal."""
    lines = [f"{row['corpus']:<6} {row['state']}: {row['title']}"]
    if row["state"] == "found":
        lines.append(
            f"{'':<7}{row['clips']} clips ({row['hours']:.1f} h), {row['problems']} problems, in {row['folder']}"
        )
        lines.append(
            f"{'':<7}{row['labels']} labels, {row['missing']} missing, {row['extra']} extra, {row['unreadable']} unreadable"
        )
        for task in TASKS:
            share = row[f"majority_{task}"]
            lines.append(
                f"{'':<7}{task}: {row[task]}"
                + ("" if pd.isna(share) else f" (majority {share:.1%})")
            )
    lines.append(f"{'':<7}{row['next_step']}")
    return "\n".join(lines)


def summary(table: pd.DataFrame) -> str:
    """Return the counts of `overview` as a table of text, a row a corpus."""
    short = table[["corpus", "state", *COUNTS, "hours"]].copy()
    short["hours"] = [f"{hours:.1f}" if pd.notna(hours) else "" for hours in short["hours"]]
    for name in COUNTS:
        short[name] = [f"{number}" if pd.notna(number) else "" for number in short[name]]
    return str(short.to_string(index=False))


def short(value: Any) -> str:
    """Return one value of `overview` as text: numbers with three digits, "–" for what is not known.

    Examples
    --------
    >>> short(0.7149), short(None), short(900), short("found")
    ('0.715', '–', '900', 'found')
    """
    if value is None or value is pd.NA or value != value:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def notes(corpus: Corpus, more: Sequence[Problem] = ()) -> list[str]:
    """Return a corpus' notes, and `more`, as lines: the first of each kind (and table), and how many more there are."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for note in (*corpus.notes, *more):
        kinds.setdefault((note.kind, note.where if note.kind in OF_A_TABLE else ""), []).append(
            note
        )
    return [
        f"{found[0]}" + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")
        for found in kinds.values()
    ]
