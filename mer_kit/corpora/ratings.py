"""Shared by corpora with ratings: valence and arousal become classes at the middle of the scale."""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice
from mer_kit.corpora import audio_files, ids, tables, text
from mer_kit.corpora.labels import of_clips
from mer_kit.records import Clip, Corpus, Problem

#: The class of a rating exactly at the middle.
TIES = ("high", "low", "drop")
#: (valence is high, arousal is high) of the quadrants Q1 to Q4.
_QUADRANTS = ((1, 1), (0, 1), (0, 0), (1, 0))
#: If at least this many rows, and this fraction of them, are off, then the scale is wrong.
FEWEST, FRACTION_OFF = 3, 0.2
#: With fewer ratings it means nothing that all are on one side of the middle.
ENOUGH = 4


@dataclass(frozen=True)
class Scale:
    """The range of a corpus' ratings; its middle separates the classes, unless `cuts` do."""

    low: float
    high: float
    #: where valence and arousal are divided instead
    cuts: tuple[float, float] | None = None

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
    """Metadata of a clip; "" for what the corpus does not give; the group is usually the artist."""

    artist: str = ""
    title: str = ""
    split: str | None = None
    group: str = ""


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


def classes(rating: Rating, middle: float | tuple[float, float], ties: str) -> dict[str, int]:
    """Return task → class index; with ties="drop", tasks with a tied rating are omitted.

    `middle` may be one value, or one for valence and one for arousal.

    D: the middle of the scale is the class boundary; ties are high by default, as on PMEmo's page.

    Examples
    --------
    >>> classes(Rating(valence=0.5, arousal=0.7), 0.5, "high")
    {'valence': 1, 'arousal': 1, 'quadrant': 0}
    >>> classes(Rating(valence=0.5, arousal=0.7), 0.5, "drop")
    {'arousal': 1}
    """
    of_valence, of_arousal = np.broadcast_to(middle, 2).tolist()
    sides = {
        "valence": side(rating.valence, of_valence, ties),
        "arousal": side(rating.arousal, of_arousal, ties),
    }
    labels = {task: value for task, value in sides.items() if value is not None}
    if len(labels) == 2:
        labels["quadrant"] = _QUADRANTS.index((labels["valence"], labels["arousal"]))
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
    rows: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for clip_id, valence, arousal in tables.read_table(path, columns)[list(columns)].to_numpy():
        rows[clip_id].append((valence, arousal))
    check_scale(
        [texts for texts, *_ in rows.values()],
        path.name,
        scale,
        "restore the original table",
        [],
        problems,
    )
    ratings = {}
    for clip_id, (texts, *others) in rows.items():
        wrong = wrong_id(path.name, clip_id, 1 + len(others)) or wrong_values(
            path.name, clip_id, texts, scale
        )
        if wrong is None:
            ratings[clip_id] = Rating(*map(text.number, texts))
        else:
            problems.append(wrong)
    return ratings


def check_scale(
    rows: Sequence[tuple[str, str]],
    table: str,
    scale: Scale,
    next_step: str,
    notes: list[Problem],
    problems: list[Problem],
) -> None:
    """Append a problem or a note if rows of valence and arousal do not fit their scale.

    It is a problem if many ratings are outside the scale, or if both columns stay in one half of
    it, which leaves a single quadrant; it is a note if only one column does. A rating at the middle
    counts for both halves.

    Examples
    --------
    >>> rows = [("1", "9"), ("2", "8"), ("7", "3"), ("6", "2")]
    >>> check_scale(rows, "clips.csv", Scale(0, 100), "change it", [], problems := [])
    >>> print(problems[0].what)  # doctest: +NORMALIZE_WHITESPACE
    valence ranges from 1 to 7 and arousal from 2 to 9, all in one quarter of the scale
    of 0 to 100, so this scale is probably wrong
    """
    ratings = np.array([(text.number(valence), text.number(arousal)) for valence, arousal in rows])
    ratings = ratings[np.isfinite(ratings).all(axis=1)]
    if len(ratings) < FEWEST:
        return
    lowest, highest = ratings.min(axis=0), ratings.max(axis=0)
    ranges = [f"from {first:g} to {last:g}" for first, last in zip(lowest, highest, strict=True)]
    both = f"valence ranges {ranges[0]} and arousal {ranges[1]}"
    limits = f"the scale of {scale.low:g} to {scale.high:g}"
    off = int(((ratings < scale.low) | (ratings > scale.high)).any(axis=1).sum())
    one_sided = ((highest <= scale.middle) & (lowest < scale.middle)) | (
        (lowest >= scale.middle) & (highest > scale.middle)
    )
    if off >= max(FEWEST, FRACTION_OFF * len(ratings)):
        what = (
            f"{both}, {off} of {len(ratings)} rows are outside {limits}, "
            "so this scale is probably wrong"
        )
    elif len(ratings) < ENOUGH or not one_sided.any():
        return
    elif one_sided.all():
        what = f"{both}, all in one quarter of {limits}, so this scale is probably wrong"
    else:
        one = f"valence ranges {ranges[0]}" if one_sided[0] else f"arousal ranges {ranges[1]}"
        what = f"{one}, all in one half of {limits}, so this scale may be wrong"
        problems = notes  # one column alone proves nothing
    problems.append(audio_files.problem("scale", table, what, next_step))


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
        return audio_files.problem(
            "leaves_root",
            where,
            "the id points outside the dataset, expected a file name",
            "correct the id",
            clip_id,
        )
    if n_rows > 1:
        return audio_files.problem(
            "duplicate_id",
            where,
            f"{n_rows} rows, expected one; the clip is left out",
            "delete the wrong rows",
            clip_id,
        )
    return None


def wrong_values(table: str, clip_id: str, texts: tuple[str, str], scale: Scale) -> Problem | None:
    """Return the problem of a row's valence and arousal, or None.

    Examples
    --------
    >>> print(wrong_values("t.csv", "7", ("0.5", "high"), Scale(0, 1)))
    t.csv, id '7': arousal 'high', expected a number from 0 to 1: correct the table
    """
    where, span = f"{table}, id {clip_id!r}", f"{scale.low:g} to {scale.high:g}"
    for name, cell in zip(("valence", "arousal"), texts, strict=True):
        if np.isnan(text.number(cell)):
            return audio_files.problem(
                "unknown_label",
                where,
                f"{name} {cell!r}, expected a number from {span}",
                "correct the table",
                clip_id,
            )
        if not scale.low <= text.number(cell) <= scale.high:
            return audio_files.problem(
                "off_scale",
                where,
                f"{name} {cell}, outside the scale of {span}",
                "correct the value",
                clip_id,
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
    about : clip id → artist, title, official split and group (case folded; by default the artist)

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
    names = ids.Names(stem for stem in files if stem not in labels)
    for clip_id in sorted(labels):
        paths = files.get(clip_id, [])
        if not paths:
            problems.append(ids.no_such_file(names, ids.Match(None), clip_id, clip_id, table))
        path = audio_files.pick_file(root, clip_id, paths, problems)
        if path is not None:
            own = about.get(clip_id, About())
            clips.append(
                Clip(
                    clip_id, path, dict(labels[clip_id]),
                    group=(own.group or own.artist).casefold() or None,
                    title=own.title or None, artist=own.artist or None, split=own.split,
                )
            )  # fmt: skip
    return tuple(clips)


def rated_corpus(
    corpus: Corpus,
    ratings: Mapping[str, Rating],
    files: Mapping[str, list[Path]],
    *,
    table: str,
    scale: Scale,
    ties: str,
    about: Mapping[str, About],
    truth: pd.DataFrame | None = None,
    notes: list[Problem],
    problems: list[Problem],
) -> Corpus:
    """Return `corpus` with one Clip per rated id with an audio file, and a note per unrated file.

    There is no note on a file whose row already has a problem. Parameters as for `make_clips`.
    """
    cuts = scale.cuts or scale.middle
    labels = {clip_id: classes(rating, cuts, ties) for clip_id, rating in ratings.items()}
    clips = make_clips(corpus.root, labels, files, table=table, about=about, problems=problems)
    known = {*ratings, *(problem.clip_id for problem in problems if problem.clip_id)}
    return dataclasses.replace(
        corpus, clips=clips, problems=tuple(problems), truth=of_clips(truth, clips),
        notes=(*notes, *ids.not_listed(corpus.root, known, files, table)),
    )  # fmt: skip
