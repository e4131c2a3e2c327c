"""The paper's printed tables, and our table 1 compared with the paper's.

Notebook: 01_segmentation
"""

from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice, check_range
from mer_kit.signal import segments

#: Number of the table → its file in mer_kit/results/printed.
PAPER_FILES = {1: "table1_segments.csv", 2: "table2_durations.csv", 3: "table3_methods.csv"}


def paper_table(number: int) -> pd.DataFrame:
    """Return table 1, 2 or 3 of the paper, one row per printed number (or pair of numbers).

    Table 1: corpus, songs, segment_seconds, overlap_seconds, segments. Table 2: corpus,
    segment_seconds, task, accuracy_percent, f1_percent. Table 3: corpus, method, task,
    accuracy_percent, f1_percent, f1_kind (which F1 it is: "positive", the F1 of the high class, or
    "micro", which equals accuracy, as far as the numbers tell; "?" is not stated), note (what is
    known to be wrong; several are separated by " | ").

    Raises
    ------
    MerKitError
        If there is no such table.

    Examples
    --------
    >>> table = paper_table(1)
    >>> int(table.query("corpus == '4q' and segment_seconds == 3")["segments"].item())
    25135

    Notebook: 01_segmentation
    """
    name = PAPER_FILES[check_choice("number", number, PAPER_FILES)]
    return _read(name)


def systems_table() -> pd.DataFrame:
    """Return which row of table 3 is which of the kit's systems; cells may be "".

    Columns: system (our name), printed (the name in `paper_table(3)`), title (in the table, where
    it is not the system's own). Systems that only the kit has need no row here.

    Examples
    --------
    >>> table = systems_table().set_index("system")
    >>> table.loc["embedding_svm", "printed"]
    'audio_embedding_koh2021'
    """
    return _read("systems.csv", dtype=str, keep_default_na=False)


def majority_table() -> pd.DataFrame:
    """Return the majority class of the paper's corpora: corpus, task, options, songs, majority.

    `majority` of the `songs` in the corpus' own label table are of the largest class, with the
    corpus' `options` ("" for the defaults).

    Examples
    --------
    >>> table = majority_table().query("corpus == 'pmemo' and task == 'valence'")
    >>> (100 * table["majority"] / table["songs"]).round(1).tolist()
    [73.3, 60.9]
    """
    return _read("majority.csv", keep_default_na=False)


def _read(name: str, **options: Any) -> pd.DataFrame:
    """Return a table of `printed/`."""
    printed = resources.files("mer_kit.results").joinpath("printed", name)
    with printed.open("r", encoding="utf-8") as file:
        return pd.DataFrame(pd.read_csv(file, **options))


def table1(
    durations_s: Sequence[float] | np.ndarray,
    n_songs: int,
    corpus_name: str,
    segment_seconds: Sequence[float] = segments.DURATIONS,
    *,
    max_seconds: float | None = 30.0,
) -> pd.DataFrame:
    """Return our table 1 next to the paper's: how many segments a corpus gives at each duration.

    Columns: corpus, songs, segment_seconds, overlap_seconds, segments, paper_songs, paper_segments
    (missing if the paper has no such row) and difference_percent, 100 · (ours − paper's) / paper's.

    Parameters
    ----------
    durations_s : [clips], seconds of each clip; a clip shorter than a segment gives none
    n_songs : number of songs that the corpus lists
    corpus_name : as in `corpora.names()`

    Source: paper table 1; counting is `signal.segments.count`.
    Notebook: 01_segmentation

    Examples
    --------
    >>> row = table1([30.0] * 900, 900, "4q", (3,)).iloc[0]
    >>> int(row["segments"]), int(row["paper_segments"]), round(float(row["difference_percent"]), 2)
    (25200, 25135, 0.26)
    """
    check_range("n_songs", n_songs, 0, whole=True)
    rows = [
        {
            "corpus": corpus_name,
            "songs": int(n_songs),
            "segment_seconds": float(seconds),
            "overlap_seconds": max(float(seconds) - 1.0, 0.0),
            "segments": sum(
                segments.count(float(d), seconds, max_seconds=max_seconds) for d in durations_s
            ),
        }
        for seconds in segment_seconds
    ]
    paper = paper_table(1)[["corpus", "segment_seconds", "songs", "segments"]]
    paper = paper.rename(columns={"songs": "paper_songs", "segments": "paper_segments"})
    paper["segment_seconds"] = paper["segment_seconds"].astype(float)
    table = pd.DataFrame(rows).merge(paper, on=["corpus", "segment_seconds"], how="left")
    table = table.astype({"paper_songs": "Int64", "paper_segments": "Int64"})
    ours, theirs = table["segments"].astype("Float64"), table["paper_segments"].astype("Float64")
    table["difference_percent"] = 100 * (ours - theirs) / theirs
    return table


def table1_arithmetic() -> pd.DataFrame:
    """Return the paper's table 1 and the counts that its songs would give at 30 s or more each.

    Adds `full` = songs · (30 − segment_seconds + 1), `missing_percent` = 100 · (full − paper's) /
    full, and `step`, the number of segments that a row has fewer than the row before. Dropping one
    start per song would make every step equal to the number of songs that are long enough.

    Examples
    --------
    >>> table = table1_arithmetic().query("corpus == '4q'")
    >>> table[["segments", "full", "step"]].iloc[:2].values.tolist()
    [[26957, 27000, <NA>], [26046, 26100, 911]]

    Notebook: 01_segmentation
    """
    table = paper_table(1)
    table["full"] = table["songs"] * (30 - table["segment_seconds"] + 1)
    table["missing_percent"] = 100 * (table["full"] - table["segments"]) / table["full"]
    table["step"] = -table.groupby("corpus", sort=False)["segments"].diff().astype("Int64")
    return table
