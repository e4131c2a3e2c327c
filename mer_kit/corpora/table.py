"""Any collection of yours: a table of audio files with a label or with valence and arousal ratings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.corpora import audio_files, dynamic, ratings, table_rows
from mer_kit.corpora.matching import Names, plain
from mer_kit.records import Corpus, Problem

NAME = "table"
ORDER = 6
TITLE = "Your own collection (a plain table)"
CITATION = "Your own: say in your paper where the music and the labels come from."
LICENCE = "Whatever your music's licence is; mer-kit reads it where it lies and copies nothing."
LAYOUT = """\
my_music/
  clips.csv            path,label            with labels Q1 … Q4, or V-, V+, A-, A+
                   or  path,valence,arousal  with numbers on one scale (option scale, default 0 to 1)
                       optional columns: clip_id, group (what must stay together in a fold), artist, title
  segment_truth.csv    clip_id,start_s,end_s,label   (optional)
  …                    the audio files, at the paths that the table gives, relative to the table
Separated by commas, semicolons or tabs."""
REQUEST = "Write the table beside your audio and pass the folder (or the table itself) as data_root or --data."
#: File names of the table, and folder names below the data root. A workbook gets the sentence that it is one.
TABLES = ("clips.csv", "labels.csv", "table.csv", "clips.tsv", "clips.txt")
WORKBOOKS = ("clips.xlsx", "clips.xls", "clips.ods", "clips.numbers")
ENDINGS = (".csv", ".tsv", ".tab", ".txt")
FOLDERS = ("table", "my_music")
TRUTH = "segment_truth.csv"
OPTIONS: tuple[str, ...] = ("ties", "scale")
GENERATED = False


def find(data_root: Path, **_: Any) -> Path | None:
    """Return `data_root` or a folder in it that holds a table with a path column; a table itself is taken as it is.

    A clips.csv is taken whatever it holds, so that it gets a sentence about what is wrong with it.
    """
    if data_root.suffix.lower() in ENDINGS and audio_files.is_file(data_root):
        return data_root
    for folder in (data_root, *(data_root / name for name in FOLDERS)):
        table = _table_in(folder)
        if table is not None and (
            plain(table.name).startswith("clips.") or "path" in table_rows.columns(table)
        ):
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
    path = place if place.is_file() else _table_in(place)
    if path is None:
        raise MerKitError(f"no table was found in {str(place)!r}, expected\n{LAYOUT}\n{REQUEST}")
    return path


def _table_in(folder: Path) -> Path | None:
    """Return the folder's table, whatever the case of its name."""
    if (exact := audio_files.first_file(folder, TABLES)) is not None:
        return exact
    try:
        there = {
            plain(path.name): path for path in sorted(folder.iterdir()) if audio_files.is_file(path)
        }
    except OSError:
        return None
    return next((there[name] for name in (*TABLES, *WORKBOOKS) if name in there), None)


def load(root: str | Path, *, ties: str = "high", scale: Sequence[float] = (0.0, 1.0)) -> Corpus:
    """Load the clips of a table, sorted by id; no audio is opened.

    Without a `clip_id` column the id is the path without its ending. The group is the column `group`, else the artist.
    A table with labels V-, V+ or A-, A+ has clips for that one task; with Q1 … Q4 or ratings for all three. A path
    that differs from its file in case, slashes, ending, Unicode form, or by the folders before it, is found all the
    same where exactly one file fits, and a note says so.

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
    check_choice("ties", ties, ratings.TIES)
    path = find_table(root)
    span = _scale(scale)
    problems: list[Problem] = []
    notes: list[Problem] = []
    files = audio_files.audio_below(path.parent)
    rows = table_rows.read(path, Names(files), notes)
    used = set(rows["file"])
    spare = Names(name for name in files if name not in used)
    labels = table_rows.labels_of(path.name, rows, span, ties, spare, notes, problems)
    labels = table_rows.one_row_a_file(path.name, rows, labels, problems)
    clips = table_rows.clips_of(path, rows, labels, spare, problems)
    truth = table_rows.truth_of(path.parent / TRUTH, rows, labels, notes, problems)
    notes += ratings.not_listed(
        path.parent, used, {name: [path.parent / name] for name in files}, path.name
    )
    return Corpus(
        NAME, path.parent, clips, tuple(problems), dynamic.of_clips(truth, clips), notes=tuple(notes),
        title=TITLE, citation=CITATION, licence=LICENCE,
    )  # fmt: skip


def _scale(scale: Sequence[float]) -> ratings.Scale:
    if not isinstance(scale, (list, tuple)) or len(scale) != 2:
        raise MerKitError(
            f"scale is {scale!r}, expected two numbers like [1, 9]: pass the lowest and highest rating"
        )
    low, high = (float(check_range("scale", value)) for value in scale)
    if not low < high:
        raise MerKitError(
            f"scale is {scale!r}, expected the lowest rating first: pass for example [1, 9]"
        )
    return ratings.Scale(low, high)
