"""The CSV tables of a run, checked on reading; texts that a spreadsheet would run are escaped.

What `schema` says of a stranger's folder holds here too.

Notebook: 06_results
"""

import dataclasses
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.records import EpochRecord
from mer_kit.runs.schema import MOST_JSON, reading, refuse

#: Largest table in bytes; in memory it needs up to 6 times as much.
MOST_TABLE = 128 << 20
#: Most columns of a method's own numbers that are read from a history.
MOST_OWN = 50
#: Beginnings of formulae in Excel, LibreOffice and Google Sheets, also in wide forms and after
#: white space; and texts that look like an escaped one.
_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r])")


def read_table(
    path: Path,
    kinds: Mapping[str, type],
    *,
    inside: Path | None = None,
    optional: Sequence[str] = (),
    most: int = MOST_TABLE,
    others: bool = False,
) -> pd.DataFrame:
    """Return these columns of a run's CSV table, each of its type (str, float or int).

    Parameters
    ----------
    optional : columns that may be missing, since another version did not write them
    others : also return the other columns whose name could be a setting's, as text

    Raises
    ------
    MerKitError
        If the file is not a regular file of the folder or is too large, a column is missing, or a
        value is of another type.
    """
    where = f"{path.name} in {path.parent.name}"
    with reading(where, " as a table", "what a run writes: run it again"):
        raw = files.read_bytes(path, most=most, inside=inside)
        if raw[:100_000].find(b"\n") < 0 and len(raw) > 100_000:
            raise ValueError("a header without end")
        table = pd.read_csv(
            io.BytesIO(raw),
            dtype=defaultdict(lambda: str, kinds),
            keep_default_na=False,
            index_col=False,
            usecols=lambda name: name in kinds or (others and name.isidentifier()),
        )
    missing = [name for name in kinds if name not in table and name not in optional]
    if missing:
        raise MerKitError(
            f"{where} lacks the column {missing[0]!r}, expected {', '.join(kinds)}: run it again"
        )
    return table


def read_history(path: Path, *, inside: Path | None = None) -> list[EpochRecord]:
    """Return a fold's EpochRecords.

    Columns of another version, or a method's own, are kept where they hold numbers.

    Raises
    ------
    MerKitError
        If the file cannot be read or a row is not an epoch's.
    """
    kinds = {field.name: str for field in dataclasses.fields(EpochRecord) if field.name != "own"}
    floats = [f.name for f in dataclasses.fields(EpochRecord) if f.type in (float, "float")]
    later = [*floats, "labelled_class_share", "note"]
    table = read_table(path, kinds, inside=inside, optional=later, most=MOST_JSON, others=True)
    own = table[table.columns.difference(list(kinds), sort=False)[:MOST_OWN]]
    own = own.apply(pd.to_numeric, errors="coerce").astype(float).dropna(axis=1, how="all")
    table = table.reindex(columns=list(kinds), fill_value="").join(own)
    try:
        table[floats] = table[floats].map(lambda cell: float(cell or "nan"))  # bit for bit
        return [
            EpochRecord.from_row({str(name): value for name, value in row.items()})
            for row in table.to_dict("records")
        ]
    except (ValueError, TypeError, OverflowError) as error:
        raise MerKitError(
            f"{path.name} in fold {path.parent.name} has a row that is not an epoch's: "
            "train the fold again"
        ) from error


def check_segments(table: pd.DataFrame, classes: Sequence[str], where: str) -> pd.DataFrame:
    """Return a fold's segment table, its parts, labels, times and probabilities checked.

    Raises
    ------
    MerKitError
        If it has no rows, an unknown part or label, times out of order, or invalid probabilities.

    Examples
    --------
    >>> table = pd.DataFrame({"clip_id": ["a"], "start_s": [0.0], "end_s": [3.0],
    ...                       "part": ["test"], "label": ["V+"], "V-": [0.5], "V+": [0.9]})
    >>> check_segments(table, ("V-", "V+"), "segments.csv in fold 0")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: segments.csv in fold 0 has probabilities that do not sum to 1:
    train the fold again, or ask the sender for the file
    """
    p = table[list(classes)].to_numpy(dtype=np.float64)
    valid = np.isfinite(p).all() and (p >= 0).all()
    differing = table.groupby("clip_id")[["part", "label"]].nunique().gt(1).any()
    refuse(
        where,
        {
            "no rows": table.empty,
            "a part that is neither train nor test": not table["part"]
            .isin(["train", "test"])
            .all(),
            f"a label not among {', '.join(classes)}": not table["label"].isin(list(classes)).all(),
            "a segment that ends before it begins": not (table["end_s"] > table["start_s"]).all(),
            "a song both among the training and the test songs": differing["part"],
            "a song with two labels": differing["label"],
            "probabilities that are negative or not numbers": not valid,
            "probabilities that do not sum to 1": valid
            and (np.abs(p.sum(axis=1) - 1) > 1e-2).any(),
        },
    )
    return table


def without_formulae(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with an apostrophe before every text that a spreadsheet would run.

    Numbers stay numbers.

    Examples
    --------
    >>> table = pd.DataFrame({"song": ["=1+1", "-dash", "plain"], "score": [-1.0, 2.0, 0.5]})
    >>> without_formulae(table)["song"].tolist()
    ["'=1+1", "'-dash", 'plain']
    """
    texts = table.select_dtypes(exclude="number")
    return table.assign(**texts.map(_as_text).astype(object))


def _as_text(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
