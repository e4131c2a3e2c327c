"""What corpora with ratings share: valence and arousal on a scale become classes at the scale's middle."""

from __future__ import annotations

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

#: What becomes of a rating that lies exactly on the middle.
TIES = ("high", "low", "drop")
#: Quadrant's name of (valence is high, arousal is high).
_QUADRANT = {(1, 1): "Q1", (0, 1): "Q2", (0, 0): "Q3", (1, 0): "Q4"}


@dataclass(frozen=True)
class Scale:
    """The range of a corpus' ratings; classes are divided at its middle."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The value that is neither high nor low."""
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Rating:
    """One clip's mean ratings, on the corpus' scale."""

    valence: float
    arousal: float


@dataclass(frozen=True)
class About:
    """What a corpus' metadata tell of a clip; empty texts where they do not."""

    artist: str = ""
    title: str = ""
    split: str | None = None


def side(value: float, middle: float, ties: str) -> int | None:
    """Return 1 above the middle, 0 below it, and on it what `ties` says: "high" 1, "low" 0, "drop" None.

    Examples
    --------
    >>> side(0.6, 0.5, "low"), side(0.5, 0.5, "high"), side(0.5, 0.5, "low"), side(0.5, 0.5, "drop")
    (1, 1, 0, None)
    """
    if value == middle:
        return {"high": 1, "low": 0, "drop": None}[check_choice("ties", ties, TIES)]
    return int(value > middle)


def high(values: np.ndarray, middle: float, ties: str) -> np.ndarray:
    """Return bool, of the shape of `values`: above the middle; on it too, unless ties are "low".

    With "drop" the ties are left to the caller, as NaN is, which is never high.

    Examples
    --------
    >>> high(np.array([0.4, 0.5, 0.6]), 0.5, "high"), high(np.array([0.4, 0.5, 0.6]), 0.5, "low")
    (array([False,  True,  True]), array([False, False,  True]))
    """
    return np.asarray(values > middle if ties == "low" else values >= middle)


def classes(rating: Rating, middle: float, ties: str) -> dict[str, int]:
    """Return task → class index; a task whose rating ties is left out with ties="drop".

    D: the scale's middle divides; ties are high unless asked otherwise, as on PMEmo's page.

    Examples
    --------
    >>> classes(Rating(valence=0.5, arousal=0.7), 0.5, "high"), classes(Rating(0.5, 0.7), 0.5, "drop")
    ({'valence': 1, 'arousal': 1, 'quadrant': 0}, {'arousal': 1})
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
    """Return clip id → ratings of every usable row; each other row adds a problem, and so does an unlikely scale.

    `columns` names the id, valence and arousal columns.

    Raises
    ------
    MerKitError
        If the table cannot be read or a column is missing.
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
    """Return the rating of a usable row's valence and arousal."""
    valence, arousal = (number(text) for text in texts)
    assert valence is not None and arousal is not None  # wrong_values has seen to it
    return Rating(valence, arousal)


def doubtful(
    rows: Sequence[tuple[str, str]], table: str, scale: Scale, next_step: str
) -> tuple[list[Problem], list[Problem]]:
    """Return problems and notes on rows of valence and arousal that do not look like their scale."""
    pairs = [(number(valence), number(arousal)) for valence, arousal in rows]
    known = np.array([pair for pair in pairs if None not in pair], dtype=np.float64).reshape(-1, 2)
    return scale_doubts(table, known, low=scale.low, high=scale.high, next_step=next_step)


def wrong_id(table: str, clip_id: str, n_rows: int) -> Problem | None:
    """Return what is wrong with an id as a table gives it, or None."""
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
    """Return what is wrong with a row's valence and arousal, or None."""
    for name, text in zip(("valence", "arousal"), rows[0], strict=True):
        value = number(text)
        if value is None:
            what = f"{name} {text!r}, expected a number from {scale.low:g} to {scale.high:g}"
            return audio_files.problem(
                "unknown_label", f"{table}, id {clip_id!r}", what, "correct the table", clip_id
            )
        if not scale.low <= value <= scale.high:
            what = f"{name} {text}, off the scale of {scale.low:g} to {scale.high:g}"
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
    """Return one Clip for each id of `labels` that has its audio file; every other adds a problem.

    Parameters
    ----------
    labels : clip id → task → class index
    files : clip id → its audio files (see `base.list_audio`)
    table : name of the label table, for the sentences
    about : clip id → artist (the group, case folded), title and official split
    """
    clips = []
    names = Names(stem for stem in files if stem not in labels)
    for clip_id in sorted(labels):
        paths = files.get(clip_id, [])
        if not paths:
            problems.append(ids.no_such_file(names, Match(None), clip_id, clip_id, table))
        path = audio_files.pick_file(root, clip_id, paths, problems)
        if path is not None:
            told = about.get(clip_id, About())
            clips.append(
                Clip(
                    clip_id, path, dict(labels[clip_id]), group=told.artist.casefold() or None,
                    title=told.title or None, artist=told.artist or None, split=told.split,
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
    """Return one Clip for each rated id that has its audio file, and one note for each file that the table leaves out.

    A file whose row is at fault is no news: its problem is there already. Parameters as for `make_clips`.
    """
    labels = {clip_id: classes(rating, scale.middle, ties) for clip_id, rating in ratings.items()}
    clips = make_clips(root, labels, files, table=table, about=about, problems=problems)
    told = {*ratings, *(problem.clip_id for problem in problems if problem.clip_id)}
    return clips, not_listed(root, told, files, table)


def not_listed(
    root: Path, listed: Sequence[str] | set[str], files: Mapping[str, list[Path]], table: str
) -> list[Problem]:
    """Return one note for each audio file whose id no row names: it has no label and is not used."""
    known = set(listed)
    what = f"not listed in {table}, so it has no label and is not used"
    return [
        audio_files.problem(
            "not_listed", audio_files.place(root, path), what, "add a row or leave it", path.stem
        )
        for stem, paths in sorted(files.items())
        if stem not in known
        for path in paths
    ]
