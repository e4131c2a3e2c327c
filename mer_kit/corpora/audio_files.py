"""What all corpora share: which files are audio, names that stay inside a folder, and how a bad clip is reported."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from mer_kit.records import Problem

#: File endings taken for audio, lower case; where one clip has two files, the earlier ending is used.
AUDIO_ENDINGS = (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".aif", ".aiff")


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
    return next((root / name for name in names if is_file(root / name)), None)


def is_there(path: Path) -> bool:
    """Tell whether something has this name: a file, or what stands in a file's place and gets its sentence when read."""
    return os.path.lexists(path)


def is_file(path: Path) -> bool:
    """Tell whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, a NUL, a folder that may not be read
        return False


def list_audio(*folders: Path, endings: Sequence[str] = AUDIO_ENDINGS) -> dict[str, list[Path]]:
    """Return file stem → the audio files of that name in these folders, by folder, preferred ending first."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in endings and not is_hidden(path.name) and path.is_file():
                found[path.stem].append(path)
    for paths in found.values():
        paths.sort(key=lambda path: (path.parent.name, endings.index(path.suffix.lower())))
    return dict(found)


def audio_below(root: Path, endings: Sequence[str] = AUDIO_ENDINGS) -> list[str]:
    """Return the audio files anywhere below a folder, sorted, as relative paths with forward slashes."""
    found = (path for path in sorted(root.rglob("*")) if path.suffix.lower() in endings)
    return [
        place(root, path) for path in found if not is_hidden(place(root, path)) and is_file(path)
    ]


def is_hidden(place: str) -> bool:
    """Tell whether a relative path leads to what a computer keeps for itself, such as a Mac's `._` files.

    Examples
    --------
    >>> [is_hidden(place) for place in ("Q1/a.mp3", "Q1/._a.mp3", "__MACOSX/a.mp3", ".git/a.mp3")]
    [False, True, True, True]
    """
    return any(part.startswith(".") or part == "__MACOSX" for part in place.split("/"))


def pick_file(
    root: Path, clip_id: str, paths: Sequence[Path], problems: list[Problem]
) -> Path | None:
    """Return the first of a clip's audio files unless it is empty; every other finding adds a problem."""
    for path in paths[1:]:
        what = f"a second file of clip {clip_id}, {paths[0].name} is used"
        problems.append(
            problem("duplicate_file", place(root, path), what, "keep one of them", clip_id)
        )
    if paths and paths[0].stat().st_size == 0:
        what = "0 bytes, expected audio"
        problems.append(
            problem("empty_file", place(root, paths[0]), what, "copy the file again", clip_id)
        )
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


def problem(
    kind: str, where: str, what: str, next_step: str, clip_id: str | None = None
) -> Problem:
    """Return a `Problem` whose texts can be printed and stored, whatever bytes the file names hold."""
    safe_id = printable(clip_id) if clip_id is not None else None
    return Problem(kind, printable(where), printable(what), next_step, safe_id)
