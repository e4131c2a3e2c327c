"""What the files of a run folder hold, checked where they are read: kinds, ranges and sizes, whoever wrote them.

A folder may come from another version, another machine or a stranger. What is not there is missing, what is there and
wrong is named in one sentence, and nothing is allocated before its size is known to fit the file.

Notebook: 06_results
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError, shortened
from mer_kit.records import TASKS

#: Bytes beyond which a JSON file or a fold's table is no run's: read, they take up to 25 and 6 times as much memory.
MOST_JSON, MOST_TABLE = 8 << 20, 128 << 20
#: Folds of a run and letters of a name beyond which a file is no run's.
MOST_FOLDS, MOST_NAME = 1000, 200


#: Columns of a method's own that are read from a history.
MOST_OWN = 50
#: Lines of a failed notebook's last output that are kept, and the characters of each.
LOG_LINES, LOG_WIDTH = 12, 240
#: Scores that are fractions; others may be any number.
SCORES = ("accuracy", "macro_f1", "weighted_f1", "positive_f1")


@dataclass(frozen=True)
class Field:
    """One entry of a JSON file: is it there as it should be?"""

    words: str
    fits: Callable[[Any], bool]
    needed: bool = True


def _number(low: float = -1e15, high: float = 1e15) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    )


def _whole(low: int = 0, high: int = 10**12) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    )


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_NAME and value.isprintable()


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _scores(value: Any) -> bool:
    """Tell whether this is a classifier's scores by name: numbers, or null where one is not defined."""
    fraction, number = _number(0, 1), _number()
    return isinstance(value, dict) and all(
        one is None or (fraction if name in SCORES else number)(one) for name, one in value.items()
    )


def _scores_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(_scores(one) for one in value.values())


_NAME = Field("a short text", _text)
CONFIG: dict[str, Field] = {
    "corpus": _NAME,
    "task": Field(
        f"one of {', '.join(TASKS)}", lambda value: isinstance(value, str) and value in TASKS
    ),
    "segment_seconds": Field("seconds above 0 and at most 30", _number(1e-3, 30)),
    "method": _NAME,
    "preset": _NAME,
    "folds": Field(f"a whole number from 1 to {MOST_FOLDS}", _whole(1, MOST_FOLDS)),
    "seed": Field("a whole number", _whole()),
    "song_features": Field("a short text", _text, needed=False),
    "fingerprint": Field("a short text", _text, needed=False),
    "theta": Field("a number from 0 to 1", _number(0, 1), needed=False),
    "max_seconds": Field(
        "seconds or null", lambda value: value is None or _number(0, 1e6)(value), needed=False
    ),
    "frontend": Field("a short text", _text, needed=False),
    "frontend_settings": Field("names and values", _mapping, needed=False),
    "network": Field("a short text", _text, needed=False),
    "system": Field("a short text", _text, needed=False),
    "system_settings": Field("names and values", _mapping, needed=False),
    "training": Field("names and values", _mapping, needed=False),
    "model": Field("names and values", _mapping, needed=False),
    "corpus_options": Field("names and values", _mapping, needed=False),
    "skipped": Field("a list", lambda value: isinstance(value, list), needed=False),
}
STATUS: dict[str, Field] = {
    "state": Field("a short text", _text, needed=False),
    "message": Field("a text", lambda value: isinstance(value, str), needed=False),
    "seconds": Field("a number of seconds", _number(0), needed=False),
    "files": Field("names and checksums", _mapping, needed=False),
    "log": Field("a list of lines", lambda value: isinstance(value, list), needed=False),
}
_FOLD: dict[str, Field] = {
    "fold": Field("a fold's number", _whole(0, MOST_FOLDS)),
    "n_train": Field("a count", _whole()),
    "n_test": Field("a count", _whole()),
    "songs": Field("fractions for each classifier", _scores_by_name),
    "segments": Field("fractions", _scores),
    "majority": Field("fractions", _scores),
}
METRICS: dict[str, Field] = {
    "folds": Field(
        "a list of folds", lambda value: isinstance(value, list) and len(value) <= MOST_FOLDS
    ),
    "summary": Field("names and values", _mapping),
}
_SUMMARY: dict[str, Field] = {
    "n_songs": Field("a count", _whole()),
    "seconds": Field(
        "a number of seconds or null",
        lambda value: value is None or _number(0)(value),
        needed=False,
    ),
    "pooled": Field("fractions for each classifier", _scores_by_name),
}


def read_json(
    path: Path, fields: Mapping[str, Field] | None = None, *, inside: Path | None = None
) -> dict[str, Any]:
    """Return a run's JSON file, its `fields` checked.

    Raises
    ------
    MerKitError
        If the file is missing, torn, too large, no regular file of the folder, or a field is missing or wrong.
    """
    where = f"{path.name} in {path.parent.name}"
    try:
        content = json.loads(
            files.read_bytes(path, most=MOST_JSON, inside=inside).decode("utf-8-sig")
        )
    except MerKitError:
        raise
    except (OSError, RecursionError, ValueError) as error:
        raise MerKitError(
            f"{where} cannot be read ({type(error).__name__}), expected a run's JSON file: run it again"
        ) from error
    if not isinstance(content, dict):
        raise MerKitError(
            f"{where} holds {shortened(content)}, expected names and values: run it again"
        )
    check(content, fields or {}, where)
    return content


def check(content: Mapping[str, Any], fields: Mapping[str, Field], where: str) -> None:
    """Raise one sentence for the first field that is missing or not what it should be."""
    for name, field in fields.items():
        if name not in content:
            if field.needed:
                raise MerKitError(f"{where} lacks {name}, expected {field.words}: run it again")
        elif not field.fits(content[name]):
            raise MerKitError(
                f"{where} has {name} {shortened(content[name])}, expected {field.words}: run it again"
            )


def check_metrics(metrics: Mapping[str, Any], where: str) -> None:
    """Check the folds and the summary of metrics.json, beyond what METRICS says.

    Raises
    ------
    MerKitError
        If a fold or the summary is not what a run writes.
    """
    for number, fold in enumerate(metrics["folds"]):
        if not isinstance(fold, dict):
            raise MerKitError(
                f"{where} has {shortened(fold)} as fold {number}, expected names and values: run it again"
            )
        check(fold, _FOLD, where)
    numbers = [fold["fold"] for fold in metrics["folds"]]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise MerKitError(
            f"{where} has fold {twice[0]} twice, expected each once: run notebook 04_song_decisions again"
        )
    check(metrics["summary"], _SUMMARY, where)


def read_table(
    path: Path,
    kinds: Mapping[str, type],
    *,
    inside: Path | None = None,
    exact: bool = False,
    optional: Sequence[str] = (),
    most: int = MOST_TABLE,
) -> pd.DataFrame:
    """Return a run's CSV table with these columns, each of its kind (str, float or int); others are not read.

    `optional` columns may be missing: another version did not write them, and they are missing here too. With `exact`
    floats are read bit for bit, and an empty one is NaN.

    Raises
    ------
    MerKitError
        If the file is no regular file of the folder or too large, or lacks a column, or a value is of another kind.
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
            f"{where} cannot be read as a table ({type(error).__name__}), expected what a run writes: run it again"
        ) from error
    missing = [name for name in kinds if name not in table and name not in optional]
    if missing:
        raise MerKitError(
            f"{where} lacks the column {missing[0]!r}, expected {', '.join(kinds)}: run it again"
        )
    return table


def numbers_beside(path: Path, known: Iterable[str], *, inside: Path | None = None) -> pd.DataFrame:
    """Return the numeric columns of a run's CSV table that are not `known`: another version's, or a method's own.

    What is no number there is NaN; columns that have none, or a name that no setting could have, are left out.
    """
    raw = files.read_bytes(path, most=MOST_JSON, inside=inside)
    names = set(known)
    text = raw.decode("utf-8", "replace")
    try:
        table = pd.read_csv(
            io.StringIO(text),
            usecols=lambda name: name not in names and name.isidentifier(),
            index_col=False,
        )
    except Exception:  # what is nobody's known column is no error
        return pd.DataFrame()
    numbers: pd.DataFrame = (
        table.iloc[:, :MOST_OWN].apply(pd.to_numeric, errors="coerce").astype(float)
    )
    return numbers.dropna(axis=1, how="all")


def _exact_float(text: str) -> float:
    """Return a number bit for bit; read_csv's own parser does so only from pandas 3 on."""
    return float(text or "nan")


def check_segments(table: pd.DataFrame, classes: Sequence[str], where: str) -> None:
    """Check a fold's segment table: parts, labels, and probabilities that are some.

    Raises
    ------
    MerKitError
        If it has no rows, an unknown part or label, times out of order, or rows that are no probabilities.
    """
    p = table[list(classes)].to_numpy(dtype=np.float64)
    told = (
        (len(table) == 0, "no rows"),
        (not table["part"].isin(["train", "test"]).all(), "a part that is neither train nor test"),
        (
            not table["label"].isin(list(classes)).all(),
            f"a label that is none of {', '.join(classes)}",
        ),
        (not (table["end_s"] > table["start_s"]).all(), "a segment that ends before it begins"),
        (_differs(table, "part"), "a song both among the training and the test songs"),
        (_differs(table, "label"), "a song with two labels"),
        (
            not np.isfinite(p).all() or (p < 0).any(),
            "probabilities that are negative or no numbers",
        ),
        (
            np.isfinite(p).all() and (np.abs(p.sum(axis=1) - 1) > 1e-2).any(),
            "probabilities that do not sum to 1",
        ),
    )
    for wrong, words in told:
        if wrong:
            raise MerKitError(
                f"{where} has {words}: train the fold again, or ask the sender for the file"
            )


def _differs(table: pd.DataFrame, column: str) -> bool:
    """Tell whether a song has two values of a column."""
    return len(table[["clip_id", column]].drop_duplicates()) > table["clip_id"].nunique()


def log_of(status: Mapping[str, Any]) -> Sequence[str]:
    """Return the last lines that a notebook's status file keeps of a failure; () where there are none."""
    lines = status.get("log")
    return [str(line) for line in lines] if isinstance(lines, list) else ()
