"""Any collection of yours: a table of audio files with a label or with valence and arousal ratings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.corpora import base, rated
from mer_kit.records import TASKS, Clip, Corpus, Problem, labels_from_quadrant

NAME = "table"
TITLE = "Your own collection (a plain table)"
CITATION = "Your own: say in your paper where the music and the labels come from."
LICENCE = "Whatever your music's licence is; mer-kit reads it where it lies and copies nothing."
LAYOUT = """\
my_music/
  clips.csv            path,label            with labels Q1 … Q4, or V-, V+, A-, A+
                   or  path,valence,arousal  with numbers on one scale (option scale, default 0 to 1)
                       optional columns: clip_id, group (what must stay together in a fold), artist, title
  segment_truth.csv    clip_id,start_s,end_s,label   (optional)
  …                    the audio files, at the paths that the table gives, relative to the table"""
REQUEST = "Write the table beside your audio and pass the folder (or the table itself) as data_root or --data."
#: File names of the table, and folder names below the data root.
TABLES = ("clips.csv", "labels.csv", "table.csv")
FOLDERS = ("table", "my_music")
TRUTH = "segment_truth.csv"
#: Label → task → class index.
LABELS: dict[str, dict[str, int]] = {
    **{name: labels_from_quadrant(k) for k, name in enumerate(TASKS["quadrant"])},
    **{name: {task: k} for task in ("valence", "arousal") for k, name in enumerate(TASKS[task])},
}
OPTIONS: tuple[str, ...] = ("ties", "scale")
GENERATED = False


def find(data_root: Path, **_: Any) -> Path | None:
    """Return `data_root` or a folder in it that holds a table with a path column; a table itself is taken as it is."""
    if data_root.suffix.lower() == ".csv" and data_root.is_file():
        return data_root
    for folder in (data_root, *(data_root / name for name in FOLDERS)):
        table = base.first_file(folder, TABLES)
        if base.has_columns(table, ["path"]):
            return folder
    return None


def find_table(root: str | Path) -> Path:
    """Return the table that `root`, a folder or the table itself, means.

    Raises
    ------
    MerKitError
        If there is none.
    """
    place = Path(root).expanduser().absolute()
    path = place if place.is_file() else base.first_file(place, TABLES)
    if path is None:
        raise MerKitError(f"no table was found in {str(place)!r}, expected\n{LAYOUT}\n{REQUEST}")
    return path


def load(root: str | Path, *, ties: str = "high", scale: Sequence[float] = (0.0, 1.0)) -> Corpus:
    """Load the clips of a table, sorted by id; no audio is opened.

    Without a `clip_id` column the id is the path without its ending. The group is the column `group`, else the artist.
    A table with labels V-, V+ or A-, A+ has clips for that one task; with Q1 … Q4 or ratings for all three.

    Parameters
    ----------
    root : the folder of the table, or the table
    ties : class of a rating exactly on the scale's middle: "high", "low", or "drop" (no label)
    scale : lowest and highest rating, for tables with valence and arousal

    Raises
    ------
    MerKitError
        If there is no such table, a column is missing, or an option is wrong.

    Notebook: 07_your_own_music
    """
    check_choice("ties", ties, rated.TIES)
    path = find_table(root)
    problems: list[Problem] = []
    rows = _read(path)
    labels = _labels(path.name, rows, _scale(scale), ties, problems)
    clips = tuple(
        clip
        for clip_id in sorted(labels)
        if (clip := _clip(path, rows.loc[[clip_id]].iloc[0], labels[clip_id], problems)) is not None
    )
    tasks = {task for labels_of_clip in labels.values() for task in labels_of_clip}
    one = (
        next(iter(tasks)) if len(tasks) == 1 else None
    )  # a table of one task may have its truth in that task's classes
    truth = base.read_truth(path.parent / TRUTH, task=one) if (path.parent / TRUTH).is_file() else None
    if truth is not None:
        problems += _foreign_truth(truth, set(rows.index))
        truth = truth[truth["clip_id"].isin([clip.clip_id for clip in clips])].reset_index(drop=True)
    return Corpus(
        NAME, path.parent, clips, tuple(problems), truth, notes=tuple(_not_listed(path, rows)),
        title=TITLE, citation=CITATION, licence=LICENCE,
    )  # fmt: skip


def _scale(scale: Sequence[float]) -> rated.Scale:
    if not isinstance(scale, (list, tuple)) or len(scale) != 2:
        raise MerKitError(f"scale is {scale!r}, expected two numbers like [1, 9]: pass the lowest and highest rating")
    low, high = (float(check_range("scale", value)) for value in scale)
    if not low < high:
        raise MerKitError(f"scale is {scale!r}, expected the lowest rating first: pass for example [1, 9]")
    return rated.Scale(low, high)


def _read(path: Path) -> pd.DataFrame:
    """Return the table with every optional column filled in, indexed by clip id (which may repeat)."""
    table = base.read_table(path, ["path"])
    if "label" not in table and not {"valence", "arousal"} <= set(table.columns):
        raise MerKitError(
            f"{path.name} has the columns {', '.join(table.columns)}, expected 'label' or both 'valence' and 'arousal' "
            "beside 'path': add one or rename yours"
        )
    for column in ("artist", "title", "group"):
        if column not in table:
            table[column] = ""
    if "clip_id" not in table:
        table["clip_id"] = [str(Path(name).with_suffix("")) if name else "" for name in table["path"]]
    return table.set_index("clip_id", drop=False)


def _labels(
    name: str, rows: pd.DataFrame, scale: rated.Scale, ties: str, problems: list[Problem]
) -> dict[str, dict[str, int]]:
    """Return clip id → labels of every usable row; each other row adds a problem."""
    labels: dict[str, dict[str, int]] = {}
    counts = rows.index.value_counts()
    for clip_id in dict.fromkeys(rows.index):
        row = rows.loc[[clip_id]].iloc[0]
        wrong = rated.wrong_id(name, clip_id, int(counts[clip_id])) or _wrong_path(name, clip_id, row["path"])
        if wrong is None and "label" in rows:
            wrong = _wrong_label(name, clip_id, row["label"])
        elif wrong is None:
            wrong = rated.wrong_values(name, clip_id, [(row["valence"], row["arousal"])], scale)
        if wrong is not None:
            problems.append(wrong)
        elif "label" in rows:
            labels[clip_id] = LABELS[row["label"]]
        else:
            rating = rated.Rating(float(row["valence"]), float(row["arousal"]))
            labels[clip_id] = rated.classes(rating, scale.middle, ties)
    return labels


def _wrong_path(name: str, clip_id: str, path: str) -> Problem | None:
    where = f"{name}, id {clip_id!r}"
    if not path:
        return base.problem("empty_path", where, "no path, expected an audio file's", "fill in or delete", clip_id)
    if not base.stays_inside(path):
        what = f"path {path!r} leaves the table's folder, expected one below it"
        return base.problem("leaves_root", where, what, "move the file or the table", clip_id)
    return None


def _wrong_label(name: str, clip_id: str, label: str) -> Problem | None:
    if label in LABELS:
        return None
    what = f"label {label!r}, expected one of {', '.join(LABELS)}"
    return base.problem("unknown_label", f"{name}, id {clip_id!r}", what, "correct the table", clip_id)


def _clip(path: Path, row: pd.Series[Any], labels: dict[str, int], problems: list[Problem]) -> Clip | None:
    """Return the row's clip, or None and a problem where its file is missing or empty."""
    clip_id, file = str(row["clip_id"]), path.parent / str(row["path"])
    if not file.is_file():
        what = f"listed in {path.name}, but there is no such audio file"
        problems.append(base.problem("absent", str(row["path"]), what, "restore it or delete its row", clip_id))
        return None
    if base.pick_file(path.parent, clip_id, [file], problems) is None:
        return None
    artist, group = str(row["artist"]), str(row["group"] or row["artist"])
    return Clip(
        clip_id, file, labels, group=group.casefold() or None, title=str(row["title"]) or None, artist=artist or None
    )


def _foreign_truth(truth: pd.DataFrame, known: set[str]) -> list[Problem]:
    """Return one problem for each clip that only the truth knows."""
    what = "has segment truth, but the table does not list it"
    return [
        base.problem("unknown_clip", f"{TRUTH}, clip {clip_id!r}", what, "correct the id or delete the rows", clip_id)
        for clip_id in dict.fromkeys(truth["clip_id"])
        if clip_id not in known
    ]


def _not_listed(path: Path, rows: pd.DataFrame) -> list[Problem]:
    """Return one note for each audio file below the table's folder that no row names."""
    known = {Path(name).as_posix() for name in rows["path"]}
    what = f"not listed in {path.name}, so it has no label and is not used"
    return [
        base.problem("not_listed", base.place(path.parent, file), what, "add a row or leave it", file.stem)
        for file in sorted(path.parent.rglob("*"))
        if file.suffix.lower() in base.AUDIO_ENDINGS and base.place(path.parent, file) not in known
    ]
