"""What the files of a run folder may hold, checked on reading: types, ranges and sizes.

A folder may come from another version, another machine or a stranger. A missing entry stays
missing, a wrong one is named in one sentence, and nothing is allocated before its size is known
to fit the file.

Notebook: 06_results
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mer_kit import files
from mer_kit.checks import MerKitError, shortened
from mer_kit.records import TASKS
from mer_kit.runs.fields import Field, check, listing, mapping, number, or_null, text, whole

#: Largest JSON file in bytes; in memory it needs up to 25 times as much.
MOST_JSON = 8 << 20
#: Most folds of a run.
MOST_FOLDS = 1000
#: Lines of a failed notebook's last output that are kept, and the characters of each.
LOG_LINES, LOG_WIDTH = 12, 240
#: Scores that are fractions; others may be any number.
SCORES = ("accuracy", "macro_f1", "weighted_f1", "positive_f1")


def _scores(value: Any) -> bool:
    """Return whether a value holds scores by name: numbers, or null for an undefined score."""
    if not mapping(value):
        return False
    kinds = dict.fromkeys(SCORES, number(0, 1))
    return all(or_null(kinds.get(name, number()))(score) for name, score in value.items())


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
_FOLD: dict[str, Field] = {
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
#: scores.json of a fold, see `runs.scores_file`.
FOLD_SCORES: dict[str, Field] = {
    "segments_blake2b": _NAME,
    "theta": Field("a number from 0 to 1", number(0, 1)),
    "seed": Field("a whole number", whole()),
    "sources": Field(
        "checksums by classifier", lambda value: mapping(value) and all(map(text, value.values()))
    ),
    "fold": Field("names and values", mapping),
    "clip_id": Field(
        "a list of different names",
        lambda value: (
            listing(value)
            and all(isinstance(one, str) for one in value)
            and len(set(value)) == len(value)
        ),
    ),
    "label": Field("a list of class indices", listing),
    "answers": Field("a list of class indices for each classifier", mapping),
}


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
    try:
        raw = files.read_bytes(path, most=MOST_JSON, inside=inside)
        content = json.loads(raw.decode("utf-8-sig"))
    except MerKitError:
        raise
    except (OSError, RecursionError, ValueError) as error:
        raise MerKitError(
            f"{where} cannot be read ({type(error).__name__}), expected a run's JSON file: "
            "run it again"
        ) from error
    if not isinstance(content, dict):
        raise MerKitError(
            f"{where} holds {shortened(content)}, expected names and values: run it again"
        )
    check(content, fields or {}, where)
    return content


def check_metrics(metrics: Mapping[str, Any], where: str) -> None:
    """Check the folds and the summary of metrics.json, beyond what METRICS says.

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
        if not isinstance(fold, dict):
            raise MerKitError(
                f"{where} has {shortened(fold)} as fold {index}, expected names and values: "
                "run it again"
            )
        check(fold, _FOLD, where)
    numbers = [fold["fold"] for fold in metrics["folds"]]
    twice = sorted({one for one in numbers if numbers.count(one) > 1})
    if twice:
        raise MerKitError(
            f"{where} has fold {twice[0]} twice, expected each once: "
            "run notebook 04_song_decisions again"
        )
    check(metrics["summary"], _SUMMARY, where)


def check_fold_scores(content: Mapping[str, Any], n_classes: int, where: str) -> None:
    """Check a fold's scores.json beyond what FOLD_SCORES says: its scores and its songs' answers.

    Raises
    ------
    MerKitError
        If the fold's scores are not valid, a class index is out of range, or lengths and names
        differ between the parts.

    Examples
    --------
    >>> fold = {"fold": 0, "n_train": 3, "n_test": 1, "songs": {"svm": {"accuracy": 1.0}},
    ...         "segments": {}, "majority": {}}
    >>> content = {"fold": fold, "clip_id": ["a"], "label": [1], "answers": {"svm": [1]}}
    >>> check_fold_scores(content, 2, "scores.json in 0")
    >>> check_fold_scores(content | {"answers": {"svm": [7]}}, 2, "scores.json in 0")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: scores.json in 0 has answers of svm that are not a class index
    for each of 1 songs: decide the fold again
    """
    check(content["fold"], _FOLD, where)
    n_songs, index = len(content["clip_id"]), whole(0, n_classes - 1)
    for name, values in {"label": content["label"], **content["answers"]}.items():
        if not listing(values) or len(values) != n_songs or not all(map(index, values)):
            raise MerKitError(
                f"{where} has answers of {shortened(name, 40).strip(chr(39))} that are not a class "
                f"index for each of {n_songs} songs: decide the fold again"
            )
    if content["fold"]["n_test"] != n_songs or set(content["fold"]["songs"]) != set(
        content["answers"]
    ):
        raise MerKitError(
            f"{where} has scores of other songs or classifiers than its answers: "
            "decide the fold again"
        )


def log_of(status: Mapping[str, Any]) -> Sequence[str]:
    """Return the last lines that a notebook's status file keeps of a failure; () without any.

    Examples
    --------
    >>> log_of({"state": "failed", "log": ["ValueError: torn"]}), log_of({"log": 3})
    (['ValueError: torn'], ())
    """
    lines = status.get("log")
    return list(map(str, lines)) if isinstance(lines, list) else ()
