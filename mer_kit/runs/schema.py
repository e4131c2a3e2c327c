"""What the JSON files of a run folder may hold, checked on reading: types, ranges and sizes.

A folder may come from another version, another machine or a stranger. A missing entry stays
missing, a wrong one is named in one sentence, and nothing is allocated before its size is known
to fit the file. The tables and arrays of a run (`stored_tables`, `stored_arrays`) keep to this too.

Notebook: 06_results
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mer_kit import files
from mer_kit.checks import MerKitError, shortened
from mer_kit.records import ALL_TASKS, LEAST_CLASSES, MOST_CLASSES

#: Longest text that a name may be.
MOST_NAME = 200
#: Largest JSON file in bytes; in memory it needs up to 25 times as much.
MOST_JSON = 8 << 20
#: Most folds of a run.
MOST_FOLDS = 1000
#: Lines of a failed notebook's last output that are kept, and the characters of each.
LOG_LINES, LOG_WIDTH = 12, 240
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


def _class_names(value: Any) -> bool:
    """Return whether a value lists different class names: none, or as many as a task may have."""
    return (
        listing(value)
        and (not value or LEAST_CLASSES <= len(value) <= MOST_CLASSES)
        and all(map(text, value))
        and len(set(value)) == len(value)
    )


_NAME, _SETTINGS = Field("a short text", text), Field("names and values", mapping, needed=False)
_OPTIONAL_NAME = Field("a short text", text, needed=False)
CONFIG: dict[str, Field] = {
    "corpus": _NAME,
    "task": Field(
        f"one of {', '.join(ALL_TASKS)}",
        lambda value: isinstance(value, str) and value in ALL_TASKS,
    ),
    "classes": Field("a list of different class names", _class_names, needed=False),
    "segment_seconds": Field(
        "seconds above 0 and at most 30, or clip",
        lambda value: value == "clip" or number(1e-3, 30)(value),
    ),
    "method": _NAME,
    "preset": _NAME,
    "folds": Field(f"a whole number from 1 to {MOST_FOLDS}", whole(1, MOST_FOLDS)),
    "seed": Field("a whole number", whole()),
    "fold_seed": Field("a whole number or null", or_null(whole()), needed=False),
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
    "padding": _OPTIONAL_NAME,
    "noise_kind": _OPTIONAL_NAME,
    "noise_rate": Field("a number from 0 to 1", number(0, 1), needed=False),
    "skipped": Field("a list", listing, needed=False),
}
STATUS: dict[str, Field] = {
    "state": _OPTIONAL_NAME,
    "message": Field("a text", lambda value: isinstance(value, str), needed=False),
    "seconds": Field("a number of seconds", number(0), needed=False),
    **{
        name: Field("a number or null", or_null(number(0)), needed=False)
        for name in ("parameters", "peak_mb", "split")
    },
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
    "cost": Field("numbers by name", _scores, needed=False),
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
def reading(where: str, kind: str, expected: str) -> Iterator[None]:
    """Raise one sentence for whatever the libraries raise on a damaged file."""
    try:
        yield
    except MerKitError:
        raise
    except Exception as error:  # anything from KeyError to MemoryError
        raise MerKitError(
            f"{where} cannot be read{kind} ({type(error).__name__}), expected {expected}"
        ) from error


def refuse(where: str, findings: Mapping[str, Any]) -> None:
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
    with reading(where, "", "a run's JSON file: run it again"):
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
