"""Read a fold's CSV tables, checked: its history and its segments.

Notebook: 06_results
"""

import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.records import EpochRecord
from mer_kit.runs.schema import MOST_JSON

#: Largest table in bytes; in memory it needs up to 6 times as much.
MOST_TABLE = 128 << 20
#: Most columns of a method's own numbers that are read from a history.
MOST_OWN = 50


def read_table(
    path: Path,
    kinds: Mapping[str, type],
    *,
    inside: Path | None = None,
    exact: bool = False,
    optional: Sequence[str] = (),
    most: int = MOST_TABLE,
) -> pd.DataFrame:
    """Return these columns of a run's CSV table, each of its type (str, float or int).

    Parameters
    ----------
    exact : read floats bit for bit, an empty one as NaN
    optional : columns that may be missing, since another version did not write them

    Raises
    ------
    MerKitError
        If the file is not a regular file of the folder or is too large, a column is missing, or a
        value is of another type.
    """
    where = f"{path.name} in {path.parent.name}"
    try:
        raw = files.read_bytes(path, most=most, inside=inside)
        if raw[:100_000].find(b"\n") < 0 and len(raw) > 100_000:
            raise ValueError("a header without end")
        dtypes = {name: kind for name, kind in kinds.items() if not (exact and kind is float)}
        converters = {name: _exact_float for name in kinds if name not in dtypes}
        table = pd.read_csv(
            io.BytesIO(raw),
            dtype=dtypes,
            converters=converters,
            keep_default_na=False,
            index_col=False,
            usecols=lambda name: name in kinds,
        )
    except MerKitError:
        raise
    except Exception as error:  # pandas raises its own, Unicode, value and key errors
        raise MerKitError(
            f"{where} cannot be read as a table ({type(error).__name__}), "
            "expected what a run writes: run it again"
        ) from error
    missing = [name for name in kinds if name not in table and name not in optional]
    if missing:
        raise MerKitError(
            f"{where} lacks the column {missing[0]!r}, expected {', '.join(kinds)}: run it again"
        )
    return table


def numbers_beside(path: Path, known: Iterable[str], *, inside: Path | None = None) -> pd.DataFrame:
    """Return the other numeric columns of a run's CSV: another version's, or a method's own.

    Values that are not numbers become NaN. Columns without any number are left out, and so are
    those whose name could not be a setting's.
    """
    raw = files.read_bytes(path, most=MOST_JSON, inside=inside)
    names = set(known)
    try:
        table = pd.read_csv(
            io.StringIO(raw.decode("utf-8", "replace")),
            usecols=lambda name: name not in names and name.isidentifier(),
            index_col=False,
        )
    except Exception:  # columns that nobody declared are not an error
        return pd.DataFrame()
    own = table.iloc[:, :MOST_OWN].apply(pd.to_numeric, errors="coerce")
    numbers: pd.DataFrame = own.astype(float).dropna(axis=1, how="all")
    return numbers


def _exact_float(value: str) -> float:
    """Return a number bit for bit; read_csv's own parser does so only from pandas 3 on."""
    return float(value or "nan")


def read_history(path: Path, where: str, *, inside: Path | None = None) -> list[EpochRecord]:
    """Return a fold's EpochRecords; `where` names the file in errors.

    Raises
    ------
    MerKitError
        If the file cannot be read or a row is not an epoch's.
    """
    kinds: dict[str, type] = {}
    for field in dataclasses.fields(EpochRecord):
        kinds[field.name] = float if field.type in (float, "float") else str
    del kinds["own"]
    later = ["labelled_class_share", "note"]
    later += [name for name, kind in kinds.items() if kind is float]
    table = read_table(path, kinds, inside=inside, exact=True, optional=later, most=MOST_JSON)
    for name in {"labelled_class_share", "note"} - set(table):
        table[name] = ""
    table = table.reindex(columns=list(kinds)).reset_index(drop=True)
    own = numbers_beside(path, kinds, inside=inside).reset_index(drop=True)
    if len(own) == len(table):
        table = table.join(own)
    try:
        rows = table.to_dict("records")
        return [EpochRecord.from_row({str(k): v for k, v in row.items()}) for row in rows]
    except (ValueError, TypeError, OverflowError) as error:
        raise MerKitError(
            f"{where} has a row that is not an epoch's: train the fold again"
        ) from error


def check_segments(table: pd.DataFrame, classes: Sequence[str], where: str) -> None:
    """Check a fold's segment table: train/test part, labels, times and probabilities.

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
    findings = (
        (len(table) == 0, "no rows"),
        (not table["part"].isin(["train", "test"]).all(), "a part that is neither train nor test"),
        (not table["label"].isin(list(classes)).all(), f"a label not among {', '.join(classes)}"),
        (not (table["end_s"] > table["start_s"]).all(), "a segment that ends before it begins"),
        (_differs(table, "part"), "a song both among the training and the test songs"),
        (_differs(table, "label"), "a song with two labels"),
        (not valid, "probabilities that are negative or not numbers"),
        (valid and (np.abs(p.sum(axis=1) - 1) > 1e-2).any(), "probabilities that do not sum to 1"),
    )
    for wrong, words in findings:
        if wrong:
            raise MerKitError(
                f"{where} has {words}: train the fold again, or ask the sender for the file"
            )


def _differs(table: pd.DataFrame, column: str) -> bool:
    """Return whether a song has two values of a column."""
    return len(table[["clip_id", column]].drop_duplicates()) > table["clip_id"].nunique()
