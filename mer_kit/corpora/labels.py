"""Labels as tables write them, and segment truth: what is accepted, and what one sentence says of the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.corpora import audio_files, tables
from mer_kit.corpora.numerals import numbers
from mer_kit.records import EMOTIONS, TASKS, Problem, labels_from_quadrant

#: The columns of every segment truth table.
TRUTH_COLUMNS = ("clip_id", "start_s", "end_s", "label")
#: Label → task → class index.
LABELS: dict[str, dict[str, int]] = {
    **{name: labels_from_quadrant(k) for k, name in enumerate(TASKS["quadrant"])},
    **{name: {task: k} for task in ("valence", "arousal") for k, name in enumerate(TASKS[task])},
}
#: Label or everyday word, in lower case → label.
_SPELLINGS = {name.casefold(): name for name in LABELS} | {
    word: name for name, word in EMOTIONS.items()
}


def label_named(text: str) -> str | None:
    """Return the label that a table means: in any case, with any sign for minus, or as its everyday word; or None.

    Examples
    --------
    >>> [label_named(text) for text in ("Q1", "q2", "V−", "Happy", "relaxed", "1")]
    ['Q1', 'Q2', 'V-', 'Q1', None, None]
    """
    if text in LABELS:
        return text
    return _SPELLINGS.get(
        "".join(text.translate({0x2212: "-", 0x2013: "-", 0x2010: "-"}).split()).casefold()
    )


def accepted() -> str:
    """Return the accepted labels and their everyday words, for a sentence."""
    return f"{', '.join(LABELS)} or, in words, {', '.join(EMOTIONS[name] for name in LABELS)}"


def read_truth(path: str | Path, *, task: str | None = None) -> pd.DataFrame:
    """Read a segment truth table: columns clip_id (str), start_s, end_s (float64, seconds), label (quadrant's name).

    With `task` a label may also be one of that task's classes (V-, V+ of valence).

    Raises
    ------
    MerKitError
        If the table cannot be read, a time is not a number, a stretch ends before it begins, or a label is unknown.
    """
    table = tables.read_table(path, TRUTH_COLUMNS)[list(TRUTH_COLUMNS)]
    for column in ("start_s", "end_s"):
        table[column] = numbers(table[column])
    table["label"] = [label_named(text) or text for text in table["label"]]
    known = list(dict.fromkeys([*TASKS["quadrant"], *(TASKS[task] if task else ())]))
    wrong = (
        ~(table["start_s"] >= 0)
        | ~(table["end_s"] > table["start_s"])
        | ~table["label"].isin(known)
    )
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        found = ", ".join(f"{column} {table[column].iloc[row]}" for column in TRUTH_COLUMNS)
        raise MerKitError(
            f"{Path(path).name} line {row + 2} has {found}; expected 0 <= start_s < end_s in seconds and a label of "
            f"{', '.join(known)}: correct the row"
        )
    return table


def overlaps(table: str, truth: pd.DataFrame) -> list[Problem]:
    """Return one problem where stretches of a clip overlap, so that a moment would have two labels."""
    spans = truth.sort_values(["clip_id", "start_s"], kind="stable")
    ends = spans.groupby("clip_id")["end_s"].cummax().shift()
    same = spans["clip_id"] == spans["clip_id"].shift()
    wrong = spans[(same & (spans["start_s"] < ends - 1e-6)).to_numpy()]
    if not len(wrong):
        return []
    first = wrong.iloc[0]
    what = (
        f"{len(wrong)} stretches begin before the one before them ends, first {first['start_s']:g} to "
        f"{first['end_s']:g} s of clip {first['clip_id']!r}"
    )
    return [audio_files.problem("overlap", table, what, "let each moment have one label")]


def unknown_label(table: str, clip_id: str, label: str) -> Problem:
    """Return the problem of a label that is none of the accepted ones."""
    what = f"label {label!r}, expected one of {accepted()}"
    return audio_files.problem(
        "unknown_label", f"{table}, id {clip_id!r}", what, "correct the table", clip_id
    )
