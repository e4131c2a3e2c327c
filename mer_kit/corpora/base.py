"""What all corpora share: where data and cache lie, how a label table is read, how a bad clip is told."""

from __future__ import annotations

import io
import os
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_columns
from mer_kit.records import TASKS, Problem

#: File endings taken for audio, lower case; where one clip has two files, the earlier ending is used.
AUDIO_ENDINGS = (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".aif", ".aiff")
#: The columns of every segment truth table.
TRUTH_COLUMNS = ("clip_id", "start_s", "end_s", "label")


def project_root() -> Path | None:
    """Return the mer-kit checkout we are working in, or None.

    The nearest folder upwards from the current one whose pyproject.toml names mer-kit; where there is none, the
    checkout that this package was imported from. So a notebook, a test and a run folder all find the same one.

    Source: D: our decision; notebooks run with changing current folders.
    """
    here = Path.cwd()
    candidates = [here, *here.parents, Path(__file__).resolve().parents[2]]
    return next((folder for folder in candidates if _names_mer_kit(folder / "pyproject.toml")), None)


def _names_mer_kit(pyproject: Path) -> bool:
    try:
        content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    project = content.get("project")
    return isinstance(project, dict) and project.get("name") == "mer-kit"


def cache_root() -> Path:
    """Return the folder for things that can be computed again: MER_CACHE, `<project>/cache` or ~/.cache/mer-kit.

    The folder need not exist yet.
    """
    if os.environ.get("MER_CACHE"):
        return Path(os.environ["MER_CACHE"]).expanduser().absolute()
    project = project_root()
    return project / "cache" if project else Path.home() / ".cache" / "mer-kit"


def default_data_root() -> Path:
    """Return the folder where datasets are looked for: MER_DATA, `<project>/data` or ./data.

    The folder need not exist.
    """
    if os.environ.get("MER_DATA"):
        return Path(os.environ["MER_DATA"]).expanduser().absolute()
    return (project_root() or Path.cwd()) / "data"


def read_table(path: str | Path, required: Iterable[str]) -> pd.DataFrame:
    """Read a CSV table as text: every column and value a stripped str, empty cells "".

    UTF-8 (with or without a byte order mark), else Latin-1; any line ending. Columns are found by name, so their
    order does not matter.

    Raises
    ------
    MerKitError
        If the file is missing, empty, not a table, or lacks a column of `required`.
    """
    path = Path(path)
    try:
        text = decode(path.read_bytes())
    except OSError as error:
        raise MerKitError(
            f"{path.name} cannot be read ({error.strerror}), expected a CSV table at {str(path)!r}: "
            "restore it from the dataset's archive"
        ) from error
    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, index_col=False)
    except ValueError as error:  # pandas' EmptyDataError and ParserError are ValueErrors
        reason = str(error).strip().splitlines()[-1]
        raise MerKitError(
            f"{path.name} is not a readable table ({reason}), expected comma-separated rows under one header line: "
            "restore it from the dataset's archive"
        ) from error
    table.columns = pd.Index([str(column).strip() for column in table.columns])
    check_columns(path, list(table.columns), required)
    if table.empty:
        raise MerKitError(
            f"{path.name} holds a header but no rows, expected one row per clip: restore it from the dataset's archive"
        )
    return pd.DataFrame({column: table[column].str.strip() for column in table.columns})


def read_truth(path: str | Path, *, task: str | None = None) -> pd.DataFrame:
    """Read a segment truth table: columns clip_id (str), start_s, end_s (float64, seconds), label (quadrant's name).

    With `task` a label may also be one of that task's classes (V-, V+ of valence).

    Raises
    ------
    MerKitError
        If the table cannot be read, a time is not a number, a stretch ends before it begins, or a label is unknown.
    """
    table = read_table(path, TRUTH_COLUMNS)[list(TRUTH_COLUMNS)]
    for column in ("start_s", "end_s"):
        table[column] = pd.to_numeric(table[column], errors="coerce").astype("float64")
    known = list(dict.fromkeys([*TASKS["quadrant"], *(TASKS[task] if task else ())]))
    wrong = ~(table["start_s"] >= 0) | ~(table["end_s"] > table["start_s"]) | ~table["label"].isin(known)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        found = ", ".join(f"{column} {table[column].iloc[row]}" for column in TRUTH_COLUMNS)
        raise MerKitError(
            f"{Path(path).name} line {row + 2} has {found}; expected 0 <= start_s < end_s in seconds and a label of "
            f"{', '.join(known)}: correct the row"
        )
    return table


def decode(raw: bytes) -> str:
    r"""Return the text of a table's bytes: UTF-8 with or without a byte order mark, else Latin-1; newlines as \n.

    Examples
    --------
    >>> decode("Björk\r\n".encode("latin-1")) == decode("\ufeffBjörk\r".encode("utf-8")) == "Björk\n"
    True
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def stays_inside(relative: str) -> bool:
    r"""Tell whether a name from a table stays below the folder it is joined to, on every operating system.

    Examples
    --------
    >>> [stays_inside(name) for name in ("MT0000004637", "a/b", "../b", "a/../../b", "/etc/x", "..\\b", "C:x")]
    [True, True, False, False, False, False, False]
    """
    if PurePosixPath(relative).is_absolute() or PureWindowsPath(relative).anchor:
        return False
    depth = 0
    for part in PureWindowsPath(relative).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True


def first_file(root: Path, names: Iterable[str]) -> Path | None:
    """Return the first of these relative paths that is a file below `root`, or None."""
    return next((root / name for name in names if (root / name).is_file()), None)


def has_columns(path: Path | None, required: Iterable[str]) -> bool:
    """Tell whether a CSV table's header line names all these columns; False where there is no such file."""
    if path is None or not path.is_file():
        return False
    with path.open("rb") as file:
        header = decode(file.readline())
    return {column.strip().strip('"').strip() for column in header.split(",")} >= set(required)


def list_audio(*folders: Path, endings: Sequence[str] = AUDIO_ENDINGS) -> dict[str, list[Path]]:
    """Return file stem → the audio files of that name in these folders, by folder, preferred ending first."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in endings and not path.name.startswith("."):
                found[path.stem].append(path)
    for paths in found.values():
        paths.sort(key=lambda path: (path.parent.name, endings.index(path.suffix.lower())))
    return dict(found)


def pick_file(root: Path, clip_id: str, paths: Sequence[Path], problems: list[Problem]) -> Path | None:
    """Return the first of a clip's audio files unless it is empty; every other finding adds a problem."""
    for path in paths[1:]:
        what = f"a second file of clip {clip_id}, {paths[0].name} is used"
        problems.append(problem("duplicate_file", place(root, path), what, "keep one of them", clip_id))
    if paths and paths[0].stat().st_size == 0:
        what = "0 bytes, expected audio"
        problems.append(problem("empty_file", place(root, paths[0]), what, "copy the file again", clip_id))
        return None
    return paths[0] if paths else None


def place(root: Path, path: Path) -> str:
    """Return a file's path below `root`, with forward slashes."""
    return path.relative_to(root).as_posix()


def printable(name: str) -> str:
    """Return a file name that can be printed and written as UTF-8, undecodable bytes replaced.

    Examples
    --------
    >>> printable("MT\\udce9.mp3")
    'MT�.mp3'
    """
    return os.fsencode(name).decode("utf-8", "replace")


def problem(kind: str, where: str, what: str, next_step: str, clip_id: str | None = None) -> Problem:
    """Return a `Problem` whose texts can be printed and stored, whatever bytes the file names hold."""
    safe_id = printable(clip_id) if clip_id is not None else None
    return Problem(kind, printable(where), printable(what), next_step, safe_id)
