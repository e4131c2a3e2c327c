"""Your own collection: a table of audio files with labels or with valence and arousal ratings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.corpora import audio_files, ids, ratings, table_rows
from mer_kit.corpora.labels import of_clips, own_names
from mer_kit.records import Corpus, Problem

NAME = "table"
ORDER = 6
TITLE = "Your own collection (a plain table)"
CITATION = "Your own: state in your paper where the music and the labels come from."
LICENCE = "The licence of your music; mer-kit reads the files in place and copies nothing."
LAYOUT = """\
my_music/
  clips.csv            path,label            with labels Q1 … Q4, or V-, V+, A-, A+, or with 2 to
                                             20 classes of your own (then choose the task label)
                   or  path,valence,arousal  with numbers on one scale (option scale: 0 to 1)
                       optional columns: clip_id, group (clips that must be in the same fold),
                       artist, title
  segment_truth.csv    clip_id,start_s,end_s,label   (optional)
  …                    the audio files, at the paths in the table, relative to the table
Separated by commas, semicolons or tabs."""
REQUEST = (
    "Write the table next to your audio and pass the folder (or the table itself) as data_root or "
    "--data."
)
#: ids.Names of the table, and of its folder below the data root. A workbook gets an error message.
TABLES = ("clips.csv", "labels.csv", "table.csv", "clips.tsv", "clips.txt")
WORKBOOKS = ("clips.xlsx", "clips.xls", "clips.ods", "clips.numbers")
ENDINGS = (".csv", ".tsv", ".tab", ".txt")
FOLDERS = ("table", "my_music")
TRUTH = "segment_truth.csv"
OPTIONS: tuple[str, ...] = ("ties", "scale")
GENERATED = False


def find(data_root: Path, **_: Any) -> Path | None:
    """Return `data_root`, or the folder of FOLDERS in it, that has a table with a path column.

    If `data_root` is a table itself, it is returned. A clips.csv is accepted whatever it contains,
    so that `load` can say what is wrong with it.
    """
    if data_root.suffix.lower() in ENDINGS and audio_files.is_file(data_root):
        return data_root
    return audio_files.find_folder(data_root, ("", *FOLDERS), _holds_table)


def _holds_table(folder: Path) -> bool:
    table = _table_in(folder)
    return table is not None and (
        ids.plain(table.name).startswith("clips.") or "path" in table_rows.columns(table)
    )


def find_table(root: str | Path) -> Path:
    """Return the table in the folder `root`, or `root` itself if it is the table.

    Raises
    ------
    MerKitError
        If there is none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "Clips.CSV").touch()
    ...     find_table(folder).name
    'Clips.CSV'
    """
    place = Path(root).expanduser().absolute()
    if place.is_file():
        return place
    path = _table_in(place)
    if path is None:
        raise MerKitError(f"no table was found in {str(place)!r}, expected\n{LAYOUT}\n{REQUEST}")
    return path


def _table_in(folder: Path) -> Path | None:
    """Return the folder's table, ignoring the case of its name if none is spelled exactly."""
    try:
        by_name = {
            ids.plain(path.name): path
            for path in sorted(folder.iterdir(), key=lambda path: (path.name in TABLES, path))
            if audio_files.is_file(path)
        }
    except OSError:
        return None
    return next((by_name[name] for name in (*TABLES, *WORKBOOKS) if name in by_name), None)


def load(root: str | Path, *, ties: str = "high", scale: Sequence[float] = (0.0, 1.0)) -> Corpus:
    """Load the clips of a table, sorted by id; no audio is opened.

    Without a `clip_id` column, the id is the path without its ending. The group is the column
    `group`, or else the artist. Clips with labels V-, V+ or A-, A+ serve that one task only; those
    with Q1 … Q4 or with ratings serve all three. Other labels are classes of the table's own, for
    the task `label`; the everyday words happy, angry, sad and calm alone mean quadrants. A path may
    differ from its file in case, slashes, ending, Unicode form or leading folders, as long as
    exactly one file fits; a note reports it.

    Parameters
    ----------
    root : the folder of the table, or the table
    ties : class of a rating exactly at the middle of the scale: "high", "low", or "drop" (no label)
    scale : lowest and highest rating, for tables with valence and arousal

    Raises
    ------
    MerKitError
        If there is no such table, a column is missing, or an option is wrong.

    Notebook: 07_your_own_music

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "one.wav").write_bytes(b"audio")
    ...     _ = Path(folder, "clips.csv").write_text("path,label\\nONE.wav,happy\\n")
    ...     corpus = load(folder)
    >>> corpus.clips[0].clip_id, corpus.clips[0].labels["quadrant"]
    ('one', 0)
    >>> [note.kind for note in corpus.notes]
    ['spelling', 'label_spelling']
    """
    check_choice("ties", ties, ratings.TIES)
    path = find_table(root)
    span = _scale(scale)
    problems: list[Problem] = []
    notes: list[Problem] = []
    files = audio_files.audio_below(path.parent)
    rows = table_rows.read(path, ids.Names(files), notes)
    used = set(rows["file"])
    spare = ids.Names(name for name in files if name not in used)
    classes = own_names(rows.get("label", []), path.name)
    labels = table_rows.labels_of(path.name, rows, span, ties, spare, notes, problems, classes)
    labels = table_rows.one_row_a_file(path.name, rows, labels, problems)
    own = rows.loc[list(labels)]
    clips = ratings.make_clips(
        path.parent, labels, {clip_id: [path.parent / own["file"][clip_id]] for clip_id in labels},
        table=path.name, problems=problems,
        about={
            str(clip_id): ratings.About(row["artist"], row["title"], group=row["group"])
            for clip_id, row in own.iterrows()
        },
    )  # fmt: skip
    truth = table_rows.truth_of(path.parent / TRUTH, rows, labels, notes, problems, classes)
    notes += ids.not_listed(
        path.parent, used, {name: [path.parent / name] for name in files}, path.name
    )
    return Corpus(
        NAME, path.parent, clips, tuple(problems), of_clips(truth, clips),
        notes=tuple(notes), title=TITLE, citation=CITATION, licence=LICENCE,
        label_names=tuple(sorted(set(classes.values()))),
    )  # fmt: skip


def _scale(scale: Sequence[float]) -> ratings.Scale:
    if not isinstance(scale, (list, tuple)) or len(scale) != 2:
        raise MerKitError(
            f"scale is {scale!r}, expected two numbers like [1, 9]: "
            "pass the lowest and highest rating"
        )
    low, high = (float(check_range("scale", value)) for value in scale)
    if not low < high:
        raise MerKitError(
            f"scale is {scale!r}, expected the lowest rating first: pass for example [1, 9]"
        )
    return ratings.Scale(low, high)
