"""Labels as written in tables, and tables of segment-level ground truth."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.corpora import audio_files, ids, tables
from mer_kit.corpora.numerals import number
from mer_kit.records import EMOTIONS, TASKS, Clip, Problem, labels_from_quadrant

#: The columns of every table of segment-level ground truth.
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
    """Return the label that a text means, or None.

    Upper and lower case, every sign for minus and everyday words are understood.

    Examples
    --------
    >>> [label_named(text) for text in ("Q1", "q2", "V−", "Happy", "relaxed", "1")]
    ['Q1', 'Q2', 'V-', 'Q1', None, None]
    """
    if text in LABELS:
        return text
    with_hyphen = text.translate({0x2212: "-", 0x2013: "-", 0x2010: "-"})
    return _SPELLINGS.get("".join(with_hyphen.split()).casefold())


def read_truth(path: str | Path, *, task: str | None = None) -> pd.DataFrame:
    """Read a table of segment-level ground truth.

    Its columns are clip_id (str), start_s and end_s (float64, seconds) and label (a quadrant). With
    `task`, a label may also be one of that task's classes (V- and V+ for valence).

    Raises
    ------
    MerKitError
        If the table cannot be read, a time is not a number, a span ends before it begins, or a
        label is unknown.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "segment_truth.csv")
    ...     _ = path.write_text("clip_id,start_s,end_s,label\\n007,0,4.5,happy\\n")
    ...     read_truth(path).to_dict("records")
    [{'clip_id': '007', 'start_s': 0.0, 'end_s': 4.5, 'label': 'Q1'}]
    """
    table = tables.read_table(path, TRUTH_COLUMNS)[list(TRUTH_COLUMNS)]
    for column in ("start_s", "end_s"):
        table[column] = table[column].map(number)
    table["label"] = [label_named(text) or text for text in table["label"]]
    known = list(dict.fromkeys([*TASKS["quadrant"], *TASKS.get(task or "", ())]))
    wrong = (
        ~(table["start_s"] >= 0)
        | ~(table["end_s"] > table["start_s"])
        | ~table["label"].isin(known)
    )
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        cells = ", ".join(f"{column} {table[column].iloc[row]}" for column in TRUTH_COLUMNS)
        raise MerKitError(
            f"{Path(path).name} line {row + 2} has {cells}; expected 0 <= start_s < end_s in "
            f"seconds and a label of {', '.join(known)}: correct the row"
        )
    return table


def overlaps(table: str, truth: pd.DataFrame) -> list[Problem]:
    """Return one problem if spans of a clip overlap, so that a moment would have two labels.

    Examples
    --------
    >>> truth = pd.DataFrame({"clip_id": "a", "start_s": [0, 2], "end_s": [3, 4], "label": "Q1"})
    >>> print(overlaps("truth.csv", truth)[0].what)
    1 of 2 spans begin before the previous one ends, first 2 to 4 s of clip 'a'
    """
    spans = truth.sort_values(["clip_id", "start_s"], kind="stable")
    ends = spans.groupby("clip_id")["end_s"].cummax().shift()
    same = spans["clip_id"] == spans["clip_id"].shift()
    wrong = spans[(same & (spans["start_s"] < ends - 1e-6)).to_numpy()]
    if not len(wrong):
        return []
    first = wrong.iloc[0]
    what = (
        f"{len(wrong)} of {len(truth)} spans begin before the previous one ends, "
        f"first {first['start_s']:g} to {first['end_s']:g} s of clip {first['clip_id']!r}"
    )
    return [audio_files.problem("overlap", table, what, "give each moment one label")]


def unknown_label(table: str, clip_id: str, label: str) -> Problem:
    """Return the problem of a label that is not accepted.

    Examples
    --------
    >>> print(str(unknown_label("clips.csv", "7", "Q5"))[:60])
    clips.csv, id '7': label 'Q5', expected one of Q1, Q2, Q3, Q
    """
    what = (
        f"label {label!r}, expected one of {', '.join(LABELS)} or, in words, "
        f"{', '.join(EMOTIONS[name] for name in LABELS)}"
    )
    return audio_files.problem(
        "unknown_label", f"{table}, id {clip_id!r}", what, "correct the table", clip_id
    )


def align(
    table: str,
    truth: pd.DataFrame,
    known: Iterable[str],
    notes: list[Problem],
    problems: list[Problem],
) -> pd.DataFrame:
    """Return a table of ground truth under the clips' own ids, without other rows; see `ids.align`.

    Examples
    --------
    >>> truth = pd.DataFrame({"clip_id": ["1.0", "9"], "label": ["Q1", "Q2"]})
    >>> align("truth.csv", truth, ["1", "2"], [], []).values.tolist()
    [['1', 'Q1']]
    """
    own_ids = ids.align(table, truth["clip_id"], known, notes, problems, what="ground truth")
    own = truth.assign(clip_id=truth["clip_id"].map(own_ids))
    return own.dropna(subset=["clip_id"]).reset_index(drop=True)


def of_clips(truth: pd.DataFrame | None, clips: Sequence[Clip]) -> pd.DataFrame | None:
    """Return the ground truth of these clips only, or None if there is no ground truth at all.

    Examples
    --------
    >>> table = pd.DataFrame({"clip_id": ["a", "a", "b"], "label": ["Q1", "Q2", "Q3"]})
    >>> of_clips(table, [Clip("b", Path("b.mp3"), {})])["label"].tolist()
    ['Q3']
    """
    if truth is None:
        return None
    return truth[truth["clip_id"].isin([clip.clip_id for clip in clips])].reset_index(drop=True)
