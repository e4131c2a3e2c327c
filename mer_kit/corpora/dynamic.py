"""Dynamic ratings: one value per half second or bar becomes segment-level ground truth."""

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice
from mer_kit.corpora import labels, ratings, tables
from mer_kit.corpora.labels import TRUTH_COLUMNS
from mer_kit.corpora.numerals import number
from mer_kit.records import Problem

#: A column of dynamic ratings.
_SAMPLE = re.compile(r"sample_(\d+)ms")


def truth(spans: pd.DataFrame, *, middle: float, ties: str) -> pd.DataFrame:
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
    check_choice("ties", ties, ratings.TIES)
    rated = spans[["valence", "arousal"]].to_numpy(dtype=np.float64)
    high_v, high_a = ratings.high(rated, middle, ties).T
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
    middle: float,
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
    own = [
        labels.align(name, frame, known, notes, problems).dropna() for name, frame in frames.items()
    ]
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
            name: long["text"].map(number),
        }
    )
    return frames.dropna().sort_values(["clip_id", "start_s"]).reset_index(drop=True)
