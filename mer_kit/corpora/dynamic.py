"""Dynamic ratings: one value per half second or bar becomes segment-level ground truth."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice
from mer_kit.corpora import ratings, tables
from mer_kit.corpora.labels import TRUTH_COLUMNS
from mer_kit.corpora.numerals import numbers
from mer_kit.records import Clip

#: A column of dynamic ratings.
_SAMPLE = re.compile(r"sample_\d+ms")


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
    high_v, high_a = (
        ratings.high(spans[name].to_numpy(dtype=np.float64), middle, ties)
        for name in ("valence", "arousal")
    )
    label = np.select(
        [high_v & high_a, ~high_v & high_a, ~high_v & ~high_a], ["Q1", "Q2", "Q3"], default="Q4"
    )
    table = spans.copy()
    table.insert(3, "label", label)
    known = np.isfinite(spans[["valence", "arousal"]].to_numpy(dtype=np.float64)).all(axis=1)
    if ties == "drop":
        known &= (spans["valence"].to_numpy() != middle) & (spans["arousal"].to_numpy() != middle)
    others = [column for column in table.columns if column not in TRUTH_COLUMNS]
    kept: pd.DataFrame = table.loc[known, [*TRUTH_COLUMNS, *others]].reset_index(drop=True)
    return kept


def read_frames(path: Path, id_column: str) -> pd.DataFrame:
    """Return a wide table of dynamic ratings as columns clip_id, start_s (seconds), value.

    The wide table has one column `sample_<milliseconds>ms` per moment. Empty cells are omitted.

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
    ...     frames = read_frames(path, "song_id")
    >>> frames.values.tolist()
    [['7', 15.0, 0.5], ['7', 15.5, -0.25], ['8', 15.0, 0.1]]
    """
    table = tables.read_table(path, [id_column, "sample_15000ms"])
    samples = [column for column in table.columns if _SAMPLE.fullmatch(column)]
    long = table.melt(
        id_vars=[id_column], value_vars=samples, var_name="sample", value_name="value"
    )
    long["start_s"] = (
        long["sample"].str.removeprefix("sample_").str.removesuffix("ms").astype(float) / 1000
    )
    long["value"] = numbers(long["value"])
    frames = pd.DataFrame(
        {"clip_id": long[id_column], "start_s": long["start_s"], "value": long["value"]}
    )
    kept: pd.DataFrame = frames.dropna().sort_values(["clip_id", "start_s"]).reset_index(drop=True)
    return kept


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
