"""What the files of a run folder may hold, checked on reading: types, ranges and sizes.

A folder may come from another version, another machine or a stranger. A missing entry stays
missing, a wrong one is named in one sentence, and nothing is allocated before its size is known
to fit the file.

Notebook: 06_results
"""

import contextlib
import dataclasses
import io
import json
import re
import struct
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError, shortened
from mer_kit.records import TASKS, EpochRecord

#: Longest text that a name may be.
MOST_NAME = 200
#: Largest JSON file in bytes; in memory it needs up to 25 times as much.
MOST_JSON = 8 << 20
#: Largest table in bytes; in memory it needs up to 6 times as much.
MOST_TABLE = 128 << 20
#: Largest file of arrays; the evaluation passes of a large corpus need some tens of megabytes.
MOST_BYTES = 4 << 30
#: Arrays up to this size may be compressed at any ratio (all passes equal), larger ones at this.
FREE_BYTES, MOST_RATIO = 64 << 20, 64
#: Most folds of a run.
MOST_FOLDS = 1000
#: Most columns of a method's own numbers that are read from a history.
MOST_OWN = 50
#: Lines of a failed notebook's last output that are kept, and the characters of each.
LOG_LINES, LOG_WIDTH = 12, 240
#: The end of a zip file without a comment: signature, disks, entries, size of the directory, …
_END = struct.Struct("<4s4H2LH")
#: Beginnings of formulae in Excel, LibreOffice and Google Sheets, also in wide forms and after
#: white space; and texts that look like an escaped one.
_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r])")
Check = Callable[[Any], bool]


@dataclasses.dataclass(frozen=True)
class Field:
    """One entry of a JSON file: in words, as a check, and whether it is needed."""

    words: str
    fits: Check
    needed: bool = True


def number(low: float = -1e15, high: float = 1e15, kinds: Any = (int, float)) -> Check:
    """Return a check for numbers of these kinds from `low` to `high`; True and NaN are none.

    Examples
    --------
    >>> fraction = number(0, 1)
    >>> fraction(0.5), fraction(2), fraction(True), fraction(float("nan")), fraction("0.5")
    (True, False, False, False, False)
    """
    return lambda value: (
        isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
    )


def whole(low: int = 0, high: int = 10**12) -> Check:
    """Return a check for whole numbers from `low` to `high`.

    Examples
    --------
    >>> count = whole()
    >>> count(3), count(3.0), count(-1)
    (True, False, False)
    """
    return number(low, high, int)


def or_null(fits: Check) -> Check:
    """Return a check that also accepts null.

    Examples
    --------
    >>> or_null(whole())(None), or_null(whole())("3")
    (True, False)
    """
    return lambda value: value is None or fits(value)


def text(value: Any) -> bool:
    r"""Return whether a value is a short printable text.

    Examples
    --------
    >>> text("demo"), text("a\nb"), text("x" * 300)
    (True, False, False)
    """
    return isinstance(value, str) and len(value) <= MOST_NAME and value.isprintable()


def mapping(value: Any) -> bool:
    """Return whether a value is a JSON object.

    Examples
    --------
    >>> mapping({"a": 1}), mapping([1])
    (True, False)
    """
    return isinstance(value, dict)


def listing(value: Any) -> bool:
    """Return whether a value is a JSON array.

    Examples
    --------
    >>> listing([1]), listing("all")
    (True, False)
    """
    return isinstance(value, list)


def check(content: Any, fields: Mapping[str, Field], where: str) -> dict[str, Any]:
    """Return a JSON object, or raise one sentence for the first field that is missing or wrong.

    Raises
    ------
    MerKitError
        If it is no object, a needed field is missing, or a value does not fit its field.

    Examples
    --------
    >>> check({"seed": -1}, {"seed": Field("a whole number", whole())}, "config.json in a-run")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: config.json in a-run has seed -1, expected a whole number:
    run it again
    """
    if not isinstance(content, dict):
        raise MerKitError(
            f"{where} holds {shortened(content)}, expected names and values: run it again"
        )
    for name, field in fields.items():
        if name not in content:
            if field.needed:
                raise MerKitError(f"{where} lacks {name}, expected {field.words}: run it again")
        elif not field.fits(content[name]):
            raise MerKitError(
                f"{where} has {name} {shortened(content[name])}, expected {field.words}: "
                "run it again"
            )
    return content


#: Scores that are fractions; others may be any number.
FRACTIONS = dict.fromkeys(("accuracy", "macro_f1", "weighted_f1", "positive_f1"), number(0, 1))


def _scores(value: Any) -> bool:
    """Return whether a value holds scores by name: numbers, or null for an undefined score."""
    return mapping(value) and all(
        or_null(FRACTIONS.get(name, number()))(score) for name, score in value.items()
    )


def _scores_by_name(value: Any) -> bool:
    return mapping(value) and all(map(_scores, value.values()))


_NAME, _SETTINGS = Field("a short text", text), Field("names and values", mapping, needed=False)
_OPTIONAL_NAME = Field("a short text", text, needed=False)
CONFIG: dict[str, Field] = {
    "corpus": _NAME,
    "task": Field(
        f"one of {', '.join(TASKS)}", lambda value: isinstance(value, str) and value in TASKS
    ),
    "segment_seconds": Field("seconds above 0 and at most 30", number(1e-3, 30)),
    "method": _NAME,
    "preset": _NAME,
    "folds": Field(f"a whole number from 1 to {MOST_FOLDS}", whole(1, MOST_FOLDS)),
    "seed": Field("a whole number", whole()),
    "song_features": _OPTIONAL_NAME,
    "fingerprint": _OPTIONAL_NAME,
    "theta": Field("a number from 0 to 1", number(0, 1), needed=False),
    "max_seconds": Field("seconds or null", or_null(number(0, 1e6)), needed=False),
    "frontend": _OPTIONAL_NAME,
    "frontend_settings": _SETTINGS,
    "network": _OPTIONAL_NAME,
    "system": _OPTIONAL_NAME,
    "system_settings": _SETTINGS,
    "training": _SETTINGS,
    "model": _SETTINGS,
    "corpus_options": _SETTINGS,
    "skipped": Field("a list", listing, needed=False),
}
STATUS: dict[str, Field] = {
    "state": _OPTIONAL_NAME,
    "message": Field("a text", lambda value: isinstance(value, str), needed=False),
    "seconds": Field("a number of seconds", number(0), needed=False),
    "files": Field("names and checksums", mapping, needed=False),
    "log": Field("a list of lines", listing, needed=False),
}
FOLD: dict[str, Field] = {
    "fold": Field("a fold's number", whole(0, MOST_FOLDS)),
    "n_train": Field("a count", whole()),
    "n_test": Field("a count", whole()),
    "songs": Field("fractions for each classifier", _scores_by_name),
    "segments": Field("fractions", _scores),
    "majority": Field("fractions", _scores),
}
METRICS: dict[str, Field] = {
    "folds": Field("a list of folds", lambda value: listing(value) and len(value) <= MOST_FOLDS),
    "summary": Field("names and values", mapping),
}
_SUMMARY: dict[str, Field] = {
    "n_songs": Field("a count", whole()),
    "seconds": Field("a number of seconds or null", or_null(number(0)), needed=False),
    "pooled": Field("fractions for each classifier", _scores_by_name),
}
#: scores.json of a fold, see `runs.decisions`, which compares the rest with the fold.
FOLD_SCORES: dict[str, Field] = {
    "sources": Field(
        "checksums by classifier", lambda value: mapping(value) and all(map(text, value.values()))
    ),
    "fold": Field("names and values", mapping),
    "answers": Field("a list of class indices for each classifier", mapping),
}


@contextlib.contextmanager
def _reading(where: str, kind: str, expected: str) -> Iterator[None]:
    """Raise one sentence for whatever the libraries raise on a damaged file."""
    try:
        yield
    except MerKitError:
        raise
    except Exception as error:  # anything from KeyError to MemoryError
        raise MerKitError(
            f"{where} cannot be read{kind} ({type(error).__name__}), expected {expected}"
        ) from error


def _refuse(where: str, findings: Mapping[str, Any]) -> None:
    """Raise one sentence for the first finding that is true."""
    for words, wrong in findings.items():
        if wrong:
            raise MerKitError(
                f"{where} has {words}: train the fold again, or ask the sender for the file"
            )


def read_json(
    path: Path, fields: Mapping[str, Field] | None = None, *, inside: Path | None = None
) -> dict[str, Any]:
    """Return a run's JSON file, its `fields` checked.

    Raises
    ------
    MerKitError
        If the file is missing, torn, too large, or not a regular file of the folder, or a field is
        missing or wrong.
    """
    where = f"{path.name} in {path.parent.name}"
    with _reading(where, "", "a run's JSON file: run it again"):
        raw = files.read_bytes(path, most=MOST_JSON, inside=inside)
        content = json.loads(raw.decode("utf-8-sig"))
    return check(content, fields or {}, where)


def check_metrics(metrics: dict[str, Any], where: str) -> dict[str, Any]:
    """Return metrics.json, its folds and its summary checked beyond what METRICS says.

    Raises
    ------
    MerKitError
        If a fold or the summary is not what a run writes.

    Examples
    --------
    >>> check_metrics({"folds": [], "summary": {"n_songs": -1}}, "metrics.json in a-run")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: metrics.json in a-run has n_songs -1, expected a count: run it again
    """
    for index, fold in enumerate(metrics["folds"]):
        check(fold, FOLD, f"fold {index} of {where}")
    numbers = [fold["fold"] for fold in metrics["folds"]]
    twice = sorted({one for one in numbers if numbers.count(one) > 1})
    if twice:
        raise MerKitError(
            f"{where} has fold {twice[0]} twice, expected each once: "
            "run notebook 04_song_decisions again"
        )
    check(metrics["summary"], _SUMMARY, where)
    return metrics


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
    with _reading(where, " as a table", "what a run writes: run it again"):
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
    _refuse(
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


def read_arrays(
    path: Path, wanted: Mapping[str, int], *, inside: Path | None = None
) -> dict[str, np.ndarray]:
    """Return the arrays of an `.npz` file by name; `wanted` maps each name to its dimensions.

    Raises
    ------
    MerKitError
        If the file is damaged or not a regular file of the folder, or an array is missing, not
        numeric, of other dimensions, or larger than its compressed bytes can plausibly be.

    Examples
    --------
    >>> with files.scratch() as folder:
    ...     np.savez_compressed(Path(folder) / "epochs.npz", labels=np.array([0, 1]))
    ...     read_arrays(Path(folder) / "epochs.npz", {"labels": 1})
    {'labels': array([0, 1])}
    """
    where, expected = (
        f"{path.name} in fold {path.parent.name}",
        "a fold's arrays: train the fold again",
    )
    if not files.is_plain_file(path, inside=inside) or path.stat().st_size > MOST_BYTES:
        raise MerKitError(f"{where} is missing or not a regular file, expected {expected}")
    with _reading(where, "", expected), open(path, "rb") as file:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            return {name: _array(archive, f"{name}.npy", n) for name, n in wanted.items()}


def _check_directory(file: BinaryIO) -> None:
    """Raise ValueError if a zip file has more entries than a fold's, before they are listed."""
    file.seek(-_END.size, io.SEEK_END)
    signature, _, _, _, entries, size, _, comment = _END.unpack(file.read(_END.size))
    if signature != b"PK\x05\x06" or entries > 64 or size > 1 << 16 or comment:
        raise ValueError("not the end of an .npz file")


def _array(archive: zipfile.ZipFile, name: str, dimensions: int) -> np.ndarray:
    """Return one array, after comparing the size in its header with the bytes in the file."""
    entry = archive.getinfo(name)
    if entry.file_size > max(FREE_BYTES, MOST_RATIO * entry.compress_size):
        raise ValueError(f"{name} is compressed more tightly than probabilities are")
    with archive.open(entry) as file:
        head = io.BytesIO(file.read(4096))
        readers = {(1, 0): np.lib.format.read_array_header_1_0}
        version = np.lib.format.read_magic(head)
        shape, _, dtype = readers.get(version, np.lib.format.read_array_header_2_0)(head)
        expected = head.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
        if dtype.kind not in "fiu" or len(shape) != dimensions or expected != entry.file_size:
            raise ValueError(
                f"{name} is not an array of {dimensions} dimensions that fits its file"
            )
        file.seek(0)
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def check_passes(arrays: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Return a fold's passes [E, S, K] and the arrays of its segments [S], if they agree.

    Raises
    ------
    MerKitError
        If lengths differ, or a label, clip or probability is out of range.

    Examples
    --------
    >>> arrays = {"probabilities": np.full((1, 1, 2), 0.5), "labels": np.array([2]),
    ...           "clip": np.array([0]), "start_s": np.array([0.0])}
    >>> check_passes(arrays, "epochs.npz in fold 0")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: epochs.npz in fold 0 has labels outside its classes: train the fold
    again, or ask the sender for the file
    """
    p, labels, clip = arrays["probabilities"], arrays["labels"], arrays["clip"]
    n_segments = {len(arrays[name]) for name in ("labels", "clip", "start_s")}
    _refuse(
        where,
        {
            "arrays of different lengths": 0 in p.shape or n_segments != {p.shape[1]},
            # also where they are NaN
            "probabilities outside 0 to 1": p.dtype.kind != "f" or not ((p >= 0) & (p <= 1)).all(),
            "labels outside its classes": labels.dtype.kind != "i"
            or not ((labels >= 0) & (labels < p.shape[2])).all(),
            "segments without a clip": clip.dtype.kind != "i"
            or (clip < 0).any()
            or not np.isfinite(arrays["start_s"]).all(),
        },
    )
    return arrays


def without_formulae(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with an apostrophe before every text that a spreadsheet would run.

    Numbers stay numbers; `restored` undoes this.

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


def restored(text: str) -> str:
    """Return a text from before `without_formulae`.

    Examples
    --------
    >>> restored("'=1+1"), restored("plain"), restored("'tis"), restored("''=1")
    ('=1+1', 'plain', "'tis", "'=1")
    """
    return text.removeprefix("'") if _FORMULA.match(text) else text
