"""Shared by corpora with ratings: valence and arousal become classes at the middle of the scale."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mer_kit.checks import check_choice
from mer_kit.corpora import audio_files, ids, tables
from mer_kit.corpora.doubts import scale_doubts
from mer_kit.corpora.matching import Match, Names
from mer_kit.corpora.numerals import number
from mer_kit.records import TASKS, Clip, Problem

#: The class of a rating exactly at the middle.
TIES = ("high", "low", "drop")
#: (valence is high, arousal is high) → quadrant.
_QUADRANT = {(1, 1): "Q1", (0, 1): "Q2", (0, 0): "Q3", (1, 0): "Q4"}


@dataclass(frozen=True)
class Scale:
    """The range of a corpus' ratings; its middle separates the classes."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The value that is neither high nor low."""
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Rating:
    """One clip's mean ratings on the corpus' scale."""

    valence: float
    arousal: float


@dataclass(frozen=True)
class About:
    """Metadata of a clip; "" for what the corpus does not give."""

    artist: str = ""
    title: str = ""
    split: str | None = None


def side(value: float, middle: float, ties: str) -> int | None:
    """Return 1 above the middle and 0 below it; a tie is 1 ("high"), 0 ("low") or None ("drop").

    Examples
    --------
    >>> side(0.6, 0.5, "low"), [side(0.5, 0.5, ties) for ties in ("high", "low", "drop")]
    (1, [1, 0, None])
    """
    if value == middle:
        return {"high": 1, "low": 0, "drop": None}[check_choice("ties", ties, TIES)]
    return int(value > middle)


def high(values: np.ndarray, middle: float, ties: str) -> np.ndarray:
    """Return bool, of the shape of `values`: above the middle, or at it unless ties are "low".

    With ties="drop", removing the ties is left to the caller. NaN is never high.

    Examples
    --------
    >>> values = np.array([0.4, 0.5, 0.6])
    >>> high(values, 0.5, "high"), high(values, 0.5, "low")
    (array([False,  True,  True]), array([False, False,  True]))
    """
    if ties == "low":
        return np.asarray(values > middle)
    return np.asarray(values >= middle)


def classes(rating: Rating, middle: float, ties: str) -> dict[str, int]:
    """Return task → class index; with ties="drop", tasks with a tied rating are omitted.

    D: the middle of the scale is the class boundary; ties are high by default, as on PMEmo's page.

    Examples
    --------
    >>> classes(Rating(valence=0.5, arousal=0.7), 0.5, "high")
    {'valence': 1, 'arousal': 1, 'quadrant': 0}
    >>> classes(Rating(valence=0.5, arousal=0.7), 0.5, "drop")
    {'arousal': 1}
    """
    sides = {
        "valence": side(rating.valence, middle, ties),
        "arousal": side(rating.arousal, middle, ties),
    }
    labels = {task: value for task, value in sides.items() if value is not None}
    if len(labels) == 2:
        quadrant = _QUADRANT[labels["valence"], labels["arousal"]]
        labels["quadrant"] = TASKS["quadrant"].index(quadrant)
    return labels


def read_ratings(
    path: Path, columns: tuple[str, str, str], scale: Scale, problems: list[Problem]
) -> dict[str, Rating]:
    """Return clip id → rating of every usable row of a label table; appends to `problems`.

    Every other row is a problem, and so are ratings that do not match the scale. `columns` names
    the id, valence and arousal columns.

    Raises
    ------
    MerKitError
        If the table cannot be read or a column is missing.

    Examples
    --------
    >>> import tempfile
    >>> problems = []
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "static.csv")
    ...     _ = path.write_text("id,v,a\\n1,0.2,0.9\\n2,0.4,7\\n")
    ...     read_ratings(path, ("id", "v", "a"), Scale(0, 1), problems)
    {'1': Rating(valence=0.2, arousal=0.9)}
    >>> print(problems[0])
    static.csv, id '2': arousal 7, outside the scale of 0 to 1: correct the value
    """
    table = tables.read_table(path, columns)
    rows: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for clip_id, valence, arousal in zip(*(table[column] for column in columns), strict=True):
        rows[clip_id].append((valence, arousal))
    doubts, _ = doubtful(
        [values[0] for values in rows.values()], path.name, scale, "restore the original table"
    )
    problems += doubts
    ratings = {}
    for clip_id, values in rows.items():
        wrong = wrong_id(path.name, clip_id, len(values)) or wrong_values(
            path.name, clip_id, values, scale
        )
        if wrong is not None:
            problems.append(wrong)
        else:
            ratings[clip_id] = rating_of(values[0])
    return ratings


def rating_of(texts: tuple[str, str]) -> Rating:
    """Return the rating of a usable row's valence and arousal.

    Examples
    --------
    >>> rating_of(("0,25", "0.75"))
    Rating(valence=0.25, arousal=0.75)
    """
    valence, arousal = (number(text) for text in texts)
    assert valence is not None and arousal is not None  # wrong_values has checked it
    return Rating(valence, arousal)


def doubtful(
    rows: Sequence[tuple[str, str]], table: str, scale: Scale, next_step: str
) -> tuple[list[Problem], list[Problem]]:
    """Return problems and notes if rows of valence and arousal do not match their scale.

    Examples
    --------
    >>> problems, notes = doubtful([("2", "8"), ("7", "3"), ("9", "1")], "t.csv", Scale(0, 1), "")
    >>> [problem.kind for problem in problems], notes
    (['scale'], [])
    """
    pairs = [(number(valence), number(arousal)) for valence, arousal in rows]
    known = np.array([pair for pair in pairs if None not in pair], dtype=np.float64).reshape(-1, 2)
    return scale_doubts(table, known, low=scale.low, high=scale.high, next_step=next_step)


def wrong_id(table: str, clip_id: str, n_rows: int) -> Problem | None:
    """Return the problem of an id in a table, or None; `n_rows` rows have this id.

    Examples
    --------
    >>> print(wrong_id("t.csv", "7", n_rows=1))
    None
    >>> print(wrong_id("t.csv", "7", n_rows=2))
    t.csv, id '7': 2 rows, expected one; the clip is left out: delete the wrong rows
    """
    if not clip_id:
        return audio_files.problem(
            "empty_id",
            table,
            f"{n_rows} rows without an id, expected one each",
            "fill in or delete",
        )
    where = f"{table}, id {clip_id!r}"
    if not audio_files.stays_inside(clip_id):
        what = "the id points outside the dataset, expected a file name"
        return audio_files.problem("leaves_root", where, what, "correct the id", clip_id)
    if n_rows > 1:
        what = f"{n_rows} rows, expected one; the clip is left out"
        return audio_files.problem("duplicate_id", where, what, "delete the wrong rows", clip_id)
    return None


def wrong_values(
    table: str, clip_id: str, rows: Sequence[tuple[str, str]], scale: Scale
) -> Problem | None:
    """Return the problem of a row's valence and arousal, or None; only the first row is checked.

    Examples
    --------
    >>> print(wrong_values("t.csv", "7", [("0.5", "high")], Scale(0, 1)))
    t.csv, id '7': arousal 'high', expected a number from 0 to 1: correct the table
    """
    for name, text in zip(("valence", "arousal"), rows[0], strict=True):
        value = number(text)
        if value is None:
            what = f"{name} {text!r}, expected a number from {scale.low:g} to {scale.high:g}"
            return audio_files.problem(
                "unknown_label", f"{table}, id {clip_id!r}", what, "correct the table", clip_id
            )
        if not scale.low <= value <= scale.high:
            what = f"{name} {text}, outside the scale of {scale.low:g} to {scale.high:g}"
            return audio_files.problem(
                "off_scale", f"{table}, id {clip_id!r}", what, "correct the value", clip_id
            )
    return None


def make_clips(
    root: Path,
    labels: Mapping[str, Mapping[str, int]],
    files: Mapping[str, list[Path]],
    *,
    table: str,
    about: Mapping[str, About],
    problems: list[Problem],
) -> tuple[Clip, ...]:
    """Return one Clip per id of `labels` that has an audio file; appends the others to `problems`.

    Parameters
    ----------
    labels : clip id → task → class index
    files : clip id → its audio files (see `audio_files.list_audio`)
    table : name of the label table, for messages
    about : clip id → artist (the group, case folded), title and official split

    Examples
    --------
    >>> labels, about = {"7": {"valence": 1}}, {"7": About("Ann", split="development")}
    >>> problems = []
    >>> make_clips(Path(), labels, {}, table="t.csv", about=about, problems=problems)
    ()
    >>> print(problems[0])
    7: listed in t.csv, but there is no such audio file: restore it or delete its row
    """
    clips = []
    names = Names(stem for stem in files if stem not in labels)
    for clip_id in sorted(labels):
        paths = files.get(clip_id, [])
        if not paths:
            problems.append(ids.no_such_file(names, Match(None), clip_id, clip_id, table))
        path = audio_files.pick_file(root, clip_id, paths, problems)
        if path is not None:
            metadata = about.get(clip_id, About())
            clips.append(
                Clip(
                    clip_id, path, dict(labels[clip_id]), group=metadata.artist.casefold() or None,
                    title=metadata.title or None, artist=metadata.artist or None,
                    split=metadata.split,
                )
            )  # fmt: skip
    return tuple(clips)


def rated_clips(
    root: Path,
    ratings: Mapping[str, Rating],
    files: Mapping[str, list[Path]],
    *,
    scale: Scale,
    ties: str,
    table: str,
    about: Mapping[str, About],
    problems: list[Problem],
) -> tuple[tuple[Clip, ...], list[Problem]]:
    """Return one Clip per rated id with an audio file, and one note per file without a row.

    There is no note on a file whose row already has a problem. Parameters as for `make_clips`.
    """
    labels = {clip_id: classes(rating, scale.middle, ties) for clip_id, rating in ratings.items()}
    clips = make_clips(root, labels, files, table=table, about=about, problems=problems)
    reported = {problem.clip_id for problem in problems if problem.clip_id}
    return clips, ids.not_listed(root, {*ratings, *reported}, files, table)
