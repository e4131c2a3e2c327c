"""Which corpora are on this machine, what is in them, and how to request the others.

Notebook: 00_start_here
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.format import plural
from mer_kit.format import short as short  # for the notebooks
from mer_kit.records import ALL_TASKS, LABEL, TASKS, Corpus, Problem
from mer_kit.runs import plausible
from mer_kit.signal import audio

#: The columns of `overview` that count something.
COUNTS = ("clips", "labels", "missing", "extra", "unreadable", "problems", "notes")

#: Kinds of notes about a whole table or task; each of them has its own line.
OF_A_TABLE = ("spelling", "unknown_clip", "one_class", "few_songs")


def overview(
    data_root: str | Path | None = None,
    *,
    only: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return one row per corpus of mer-kit; read label tables and audio headers, write nothing.

    Columns: corpus, title, state ("found", "made on first use", "missing" or "broken"), folder;
    clips (usable), labels (usable rows of the label table), missing (listed, but no such file),
    extra (files that no row lists), unreadable (files whose header cannot be read), hours,
    problems, notes; for each task its class counts ("Q1 225 · Q2 225 …") and `majority_<task>`,
    the accuracy of always answering the majority class; next_step, one sentence on what to do.

    Parameters
    ----------
    data_root : a corpus' folder or its parent; None or "" for MER_DATA or the project's data/
    only : this corpus alone, loaded with these `options`

    Notebook: 00_start_here
    """
    names = [only] if only else corpora.names()
    tasks = [column for task in ALL_TASKS for column in (task, f"majority_{task}")]
    columns = ["corpus", "title", "state", "folder", *COUNTS, "hours", *tasks, "next_step"]
    rows = [dict.fromkeys(columns) | row_of(name, data_root, options or {}) for name in names]
    fractions = dict.fromkeys(("hours", *(f"majority_{task}" for task in ALL_TASKS)), "Float64")
    return pd.DataFrame(rows).astype(dict.fromkeys(COUNTS, "Int64") | fractions)


def row_of(
    name: str, data_root: str | Path | None = None, options: Mapping[str, Any] = {}
) -> dict[str, Any]:
    """Return one corpus' row of `overview` as a dict, without unknown entries.

    An error in one corpus is reported in its row and never hides the others.
    """
    module = corpora.module(name)
    row: dict[str, Any] = {"corpus": name, "title": module.TITLE}
    try:
        return row | _found(name, module, data_root, options)
    except MerKitError as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"it cannot be read ({error}): check the folder and its permissions"
    except Exception as error:
        sentence = (
            f"reading it failed with {type(error).__name__}: {error}; "
            "please report this with the table's first rows"
        )
    return row | {"state": "broken", "folder": str(data_root or ""), "next_step": sentence}


def _found(
    name: str,
    module: corpora.CorpusModule,
    data_root: str | Path | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return where a corpus is, what it holds, and what to do."""
    root = data_root or None
    folder = corpora.locate(name, root, **options)
    if folder is None and module.GENERATED:
        root, folder = None, corpora.locate(name, **options)
    if folder is None:
        state = "made on first use" if module.GENERATED else "missing"
        return {"state": state, "next_step": module.REQUEST}
    try:
        corpus = corpora.load(name, root, **options)
        counts = {task: class_counts(corpus, task) for task in ALL_TASKS}
    except MerKitError as error:
        return {"state": "broken", "folder": str(folder), "next_step": str(error)}
    more, oddities = plausible.hindrances(corpus)
    problems = [*corpus.problems, *more]
    row: dict[str, Any] = {
        "state": "found",
        "folder": str(folder),
        "clips": len(corpus.clips),
        "problems": len(problems),
        "notes": len(corpus.notes),
        **_files(corpus),
        "next_step": _next_step(problems, oddities),
    }
    for task, numbers in counts.items():
        row[task] = " · ".join(f"{label} {number}" for label, number in numbers.items())
        if numbers.sum():
            row[f"majority_{task}"] = numbers.max() / numbers.sum()
    return row


def _files(corpus: Corpus) -> dict[str, Any]:
    """Return labels, missing, extra, unreadable and hours, from problems, notes and headers."""
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


def class_counts(corpus: Corpus, task: str) -> "pd.Series[int]":
    """Return the number of clips of each class, by class name; clips without a label do not count.

    Examples
    --------
    >>> from mer_kit.records import Clip
    >>> clips = tuple(Clip(name, Path(name), {"valence": 1}) for name in "ab")
    >>> class_counts(Corpus("mine", Path("."), clips), "valence").to_dict()
    {'V-': 0, 'V+': 2}
    """
    labels = [clip.labels[task] for clip in corpus.clips if task in clip.labels]
    names = list(corpus.classes(task))
    return pd.Series([labels.count(k) for k in range(len(names))], index=names, dtype="int64")


def typical(corpus: Corpus, task: str) -> list[int]:
    """Return the position of the most typical clip of each class; −1 for a class without clips.

    That is the clip with the highest confidence if the corpus has one (4Q: PQuad), else the first.

    Examples
    --------
    >>> from mer_kit.records import Clip
    >>> clips = tuple(Clip(name, Path(name), {"valence": 1}, confidence=c)
    ...               for name, c in (("a", 0.5), ("b", 0.9)))
    >>> typical(Corpus("mine", Path("."), clips), "valence")
    [-1, 1]
    """
    labels = corpus.labels(task)
    confidence = pd.Series([clip.confidence for clip in corpus.clips], dtype=float).fillna(-1.0)
    best = confidence.groupby(labels).idxmax()
    return [int(best.get(k, -1)) for k in range(len(corpus.classes(task)))]


def _next_step(problems: Sequence[Problem], oddities: Sequence[Problem]) -> str:
    """Return a sentence on what to do first about a corpus."""
    if problems:
        return (
            f"Fix {plural(len(problems), 'problem')} or leave these clips out with "
            f"on_bad_clip='skip'; the first: {problems[0]}"
        )
    if oddities:
        return f"Ready to use, but note {oddities[0]}."
    return "Ready to use."


def as_text(row: dict[str, Any]) -> str:
    """Return a row of `overview` as a few lines for the terminal."""
    more = []
    if row["state"] == "found":
        more = [
            "{clips} clips ({hours:.1f} h), {problems} problems, in {folder}".format_map(row),
            "{labels} labels, {missing} missing, {extra} extra, {unreadable} unreadable".format_map(
                row
            ),
            *(_classes(row, task) for task in _tasks(row)),
        ]
    first = f"{row['corpus']:<6} {row['state']}: {row['title']}"
    return "\n".join([first, *(f"{'':<7}{line}" for line in [*more, row["next_step"]])])


def _tasks(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the tasks to show: `label` alone where a corpus has classes of its own."""
    if row.get(LABEL):
        return (LABEL,)
    return tuple(TASKS)


def _classes(row: dict[str, Any], task: str) -> str:
    """Return the class counts of a task and the fraction of the majority class."""
    fraction = row.get(f"majority_{task}")  # none where no clip has a label
    majority = "" if pd.isna(fraction) else f" (majority {fraction:.1%})"
    return f"{task}: {row[task]}{majority}"


def summary(table: pd.DataFrame) -> str:
    """Return the counts of `overview` as a text table, one row per corpus.

    Examples
    --------
    >>> counts = dict.fromkeys(COUNTS, 4)
    >>> row = {"corpus": "demo", "state": "found", **counts, "hours": 0.25}
    >>> print(summary(pd.DataFrame([row])).splitlines()[1])
    demo found     4      4       4     4          4        4     4   0.2
    """
    columns = table[["corpus", "state", *COUNTS, "hours"]].copy()
    columns["hours"] = columns["hours"].map("{:.1f}".format, na_action="ignore")
    texts = columns.astype(object).where(columns.notna(), "")
    return str(texts.to_string(index=False))


def notes(corpus: Corpus, more: Sequence[Problem] = ()) -> list[str]:
    """Return a corpus' notes and `more` as lines: the first of each kind, and how many follow.

    Examples
    --------
    >>> extra = [Problem("not_listed", name, "is not listed", "delete it") for name in "ab"]
    >>> notes(Corpus("mine", Path("."), ()), extra)
    ['a: is not listed: delete it (and 1 more)']
    """
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for note in (*corpus.notes, *more):
        where = note.where if note.kind in OF_A_TABLE else ""
        kinds.setdefault((note.kind, where), []).append(note)
    return [
        f"{first} (and {len(others)} more)" if others else f"{first}"
        for first, *others in kinds.values()
    ]
