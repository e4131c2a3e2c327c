"""Labels as written in tables, and tables of segment-level ground truth."""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.corpora import audio_files, ids, tables, text
from mer_kit.records import (
    EMOTIONS,
    LEAST_CLASSES,
    MOST_CLASSES,
    TASKS,
    Clip,
    Problem,
    labels_from_quadrant,
)

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
#: What no class may be called, since the tables of a run have columns of these names.
RESERVED = ("clip_id", "start_s", "end_s", "centre_s", "part", "label", "epoch", "tags")
#: Longest name of a class.
LONGEST_NAME = 40
#: A column of dynamic ratings.
_SAMPLE = re.compile(r"sample_(\d+)ms")


def label_named(text: str) -> str | None:
    """Return the label that a text means, or None.

    Upper and lower case, every sign for minus and everyday words are understood.

    Examples
    --------
    >>> [label_named(text) for text in ("Q1", "q2", "V−", "Happy", "relaxed", "1")]
    ['Q1', 'Q2', 'V-', 'Q1', None, None]
    """
    return _SPELLINGS.get(_folded(text))


def _folded(text: str) -> str:
    """Return a label in lower case, without blanks and with hyphens for every sign for minus."""
    with_hyphen = text.translate({0x2212: "-", 0x2013: "-", 0x2010: "-"})
    return "".join(with_hyphen.split()).casefold()


def own_names(labels: Iterable[str], table: str) -> dict[str, str]:
    """Return the class that each label of a table means, where the table has classes of its own.

    It has none, and the result is {}, if a label is written Q1 … Q4, V± or A±, or if all labels are
    everyday words for these. Labels that differ in case and blanks only are one class, called as
    where it comes first.

    Raises
    ------
    MerKitError
        If there are more classes than a task may have, or one has a name that cannot be used.

    Examples
    --------
    >>> own_names(["happy", "sad", "tense", "Tense", ""], "clips.csv")
    {'happy': 'happy', 'sad': 'sad', 'tense': 'tense', 'Tense': 'tense'}
    >>> own_names(["happy", "sad"], "clips.csv"), own_names(["Q1", "tense"], "clips.csv")
    ({}, {})
    """
    texts = [text for text in dict.fromkeys(labels) if text.strip()]
    written = {name.casefold() for name in LABELS}
    if all(map(label_named, texts)) or any(_folded(text) in written for text in texts):
        return {}
    first = {_folded(text): " ".join(text.split()) for text in reversed(texts)}
    names = {text: first[_folded(text)] for text in texts}
    if len(first) > MOST_CLASSES:
        examples = ", ".join(map(repr, list(dict.fromkeys(names.values()))[:3]))
        raise MerKitError(
            f"{table} has {len(first)} different labels, first {examples}, expected "
            f"{LEAST_CLASSES} to {MOST_CLASSES} classes: join some, or leave clips out"
        )
    for name in first.values():
        if not name.isprintable() or len(name) > LONGEST_NAME or name.startswith(tuple("=+-@'")):
            fault = f"it must be printable, of at most {LONGEST_NAME} characters, and no formula"
        elif name.casefold() in RESERVED:
            fault = "a column of a run's tables is called so"
        else:
            continue
        raise MerKitError(f"{table} has the label {name!r}, but {fault}: rename this class")
    return names


def read_truth(
    path: str | Path, *, task: str | None = None, own: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a table of segment-level ground truth.

    Its columns are clip_id (str), start_s and end_s (float64, seconds) and label (a quadrant). With
    `task`, a label may also be one of that task's classes (V- and V+ for valence). With `own`, from
    `own_names`, it must be one of those classes.

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
        table[column] = table[column].map(text.number)
    known = list(dict.fromkeys([*TASKS["quadrant"], *TASKS.get(task or "", ())]))
    if own:
        known = sorted(set(own.values()))
        first = {_folded(name): name for name in known}
        table["label"] = [first.get(_folded(text), text) for text in table["label"]]
    else:
        table["label"] = [label_named(text) or text for text in table["label"]]
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
    same_clip = spans["clip_id"] == spans["clip_id"].shift()
    wrong = spans[same_clip & (spans["start_s"] < ends - 1e-6)]
    return [
        audio_files.problem(
            "overlap",
            table,
            f"{len(wrong)} of {len(truth)} spans begin before the previous one ends, "
            f"first {first['start_s']:g} to {first['end_s']:g} s of clip {first['clip_id']!r}",
            "give each moment one label",
        )
        for first in wrong.head(1).to_dict("records")
    ]


def wrong_label(table: str, clip_id: str, label: str) -> Problem | None:
    """Return the problem of a label that is not accepted, or None.

    Examples
    --------
    >>> print(str(wrong_label("clips.csv", "7", "Q5"))[:60])
    clips.csv, id '7': label 'Q5', expected one of Q1, Q2, Q3, Q
    """
    if label_named(label):
        return None
    return audio_files.problem(
        "unknown_label",
        f"{table}, id {clip_id!r}",
        f"label {label!r}, expected one of {', '.join(LABELS)} or, in words, "
        f"{', '.join(EMOTIONS[name] for name in LABELS)}",
        "correct the table",
        clip_id,
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
    names = truth["clip_id"]
    own_ids = ids.align(table, names, known, notes, problems, what="ground truth")
    return (
        truth.assign(clip_id=names.map(own_ids)).dropna(subset=["clip_id"]).reset_index(drop=True)
    )


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


def high(values: np.ndarray, middle: float | tuple[float, float], ties: str) -> np.ndarray:
    """Return bool, of the shape of `values`: above the middle, or at it unless ties are "low".

    `middle` may be one value, or one for each column (valence, arousal). With ties="drop", removing
    the ties is left to the caller. NaN is never high.

    Examples
    --------
    >>> values = np.array([0.4, 0.5, 0.6])
    >>> high(values, 0.5, "high"), high(values, 0.5, "low")
    (array([False,  True,  True]), array([False, False,  True]))
    """
    return np.asarray((values > middle) | ((values == middle) & (ties != "low")))


def truth(spans: pd.DataFrame, *, middle: float | tuple[float, float], ties: str) -> pd.DataFrame:
    """Return the segment-level ground truth of rated spans: one row per span, with its quadrant.

    `spans` has the columns clip_id, start_s, end_s, valence, arousal and possibly more; the result
    has the quadrant as `label` in addition. With ties="drop", spans with a tied rating are omitted.

    Examples
    --------
    >>> spans = pd.DataFrame({"clip_id": "a", "start_s": [0, 1], "end_s": [1, 2]})
    >>> spans = spans.assign(valence=[0.2, 0.5], arousal=0.9)
    >>> truth(spans, middle=0.5, ties="high")["label"].tolist()
    ['Q2', 'Q1']
    >>> truth(spans, middle=0.5, ties="drop")["label"].tolist()
    ['Q2']
    """
    rated = spans[["valence", "arousal"]].to_numpy(dtype=np.float64)
    high_v, high_a = high(rated, middle, ties).T
    label = np.select(
        [high_v & high_a, ~high_v & high_a, ~high_v & ~high_a], ["Q1", "Q2", "Q3"], default="Q4"
    )
    known = np.isfinite(rated).all(axis=1)
    if ties == "drop":
        known &= (rated != middle).all(axis=1)
    others = [column for column in spans.columns if column not in TRUTH_COLUMNS]
    table: pd.DataFrame = spans.assign(label=label).loc[known, [*TRUTH_COLUMNS, *others]]
    return table.reset_index(drop=True)


def truth_of(
    frames: Mapping[str, pd.DataFrame],
    known: Iterable[str],
    *,
    middle: float | tuple[float, float],
    ties: str,
    notes: list[Problem],
    problems: list[Problem],
) -> pd.DataFrame | None:
    """Return the ground truth of the ids `known` from tables of dynamic ratings, None without any.

    `frames` are the tables by name, with the columns clip_id, start_s, end_s, and valence, arousal
    or both; a moment that one of them lacks is omitted.

    Examples
    --------
    >>> frame = pd.DataFrame({"clip_id": ["7.0"], "start_s": 15.0, "end_s": 15.5})
    >>> frames = {"v.csv": frame.assign(valence=0.2), "a.csv": frame.assign(arousal=0.9)}
    >>> truth_of(frames, ["7"], middle=0.5, ties="high", notes=[], problems=[]).values.tolist()
    [['7', 15.0, 15.5, 'Q2', 0.2, 0.9]]
    """
    if not frames:
        return None
    own = [align(name, frame, known, notes, problems).dropna() for name, frame in frames.items()]
    spans = functools.reduce(pd.merge, own).sort_values(["clip_id", "start_s"], kind="stable")
    return truth(spans, middle=middle, ties=ties)


def read_frames(path: Path, id_column: str, name: str, seconds: float) -> pd.DataFrame:
    """Return a wide table of dynamic ratings as columns clip_id, start_s, end_s and `name`.

    The wide table has one column `sample_<milliseconds>ms` per moment, the start of a span of
    `seconds`. Empty cells are omitted.

    Raises
    ------
    MerKitError
        If the table cannot be read or has no such column.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "valence.csv")
    ...     _ = path.write_text("song_id,sample_15000ms,sample_15500ms\\n7,0.5,-0.25\\n8,0.1,\\n")
    ...     frames = read_frames(path, "song_id", "valence", 0.5)
    >>> frames.values.tolist()
    [['7', 15.0, 15.5, 0.5], ['7', 15.5, 16.0, -0.25], ['8', 15.0, 15.5, 0.1]]
    """
    table = tables.read_table(path, [id_column, "sample_15000ms"])
    samples = [column for column in table.columns if _SAMPLE.fullmatch(column)]
    long = table.melt(id_vars=[id_column], value_vars=samples, var_name="sample", value_name="text")
    start_s = long["sample"].str.extract(_SAMPLE.pattern, expand=False).astype(float) / 1000
    frames = pd.DataFrame(
        {
            "clip_id": long[id_column],
            "start_s": start_s,
            "end_s": start_s + seconds,
            name: long["text"].map(text.number),
        }
    )
    return frames.dropna().sort_values(["clip_id", "start_s"]).reset_index(drop=True)
