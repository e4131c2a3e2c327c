"""Shared by all corpora: finding audio files, safe names from tables, reporting a faulty clip."""

import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PureWindowsPath

from mer_kit.records import Problem

#: File endings of audio, lower case; if a clip has two files, the earlier ending is preferred.
AUDIO_ENDINGS = (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".aif", ".aiff")


def stays_inside(relative: str) -> bool:
    r"""Return whether a name from a table stays below the folder it is joined to, on any system.

    Examples
    --------
    >>> [stays_inside(name) for name in ("MT0000004637", "a/b", "../b", "a/../../b", "/x", "C:x")]
    [True, True, False, False, False, False]
    """
    path = PureWindowsPath(relative)  # it has an anchor if it is absolute on any system
    depths = itertools.accumulate(-1 if part == ".." else 1 for part in path.parts)
    return not path.anchor and min(depths, default=0) >= 0


def first_file(root: Path, names: Iterable[str]) -> Path | None:
    """Return the first of these relative paths that is a file below `root`, or None.

    Examples
    --------
    >>> first_file(Path(__file__).parent, ["missing.csv", "demo/score.py", "table.py"]).name
    'score.py'
    """
    return next((root / name for name in names if is_file(root / name)), None)


def find_folder(
    data_root: Path, names: Iterable[str], holds_corpus: Callable[[Path], bool]
) -> Path | None:
    """Return the first of the subfolders `names` of `data_root` that holds a corpus, or None.

    The empty name stands for `data_root` itself.

    Examples
    --------
    >>> find_folder(Path("data"), ["", "eim", "emoMusic"], lambda folder: folder.name == "emoMusic")
    PosixPath('data/emoMusic')
    """
    return next(filter(holds_corpus, (data_root / name for name in names)), None)


def is_there(path: Path) -> bool:
    """Return whether anything has this name, even a folder or a broken link where a file belongs.

    Reading it then fails with an error message, which is better than ignoring it.

    Examples
    --------
    >>> is_there(Path(__file__)), is_there(Path(__file__).parent), is_there(Path("missing.csv"))
    (True, True, False)
    """
    return os.path.lexists(path)


def is_file(path: Path) -> bool:
    """Return whether there is such a file; False for a name that no file can have.

    Examples
    --------
    >>> is_file(Path(__file__)), is_file(Path(__file__).parent), is_file(Path("a\\0b"))
    (True, False, False)
    """
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, a NUL, a folder that may not be read
        return False


def list_audio(*folders: Path, endings: Sequence[str] = AUDIO_ENDINGS) -> dict[str, list[Path]]:
    """Return file stem → its audio files in these folders, by folder, preferred ending first.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("1.wav", "1.mp3", "2.flac", "notes.txt"):
    ...         Path(folder, name).touch()
    ...     files = list_audio(Path(folder))
    >>> {stem: [path.name for path in paths] for stem, paths in files.items()}
    {'1': ['1.mp3', '1.wav'], '2': ['2.flac']}
    """
    files: defaultdict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in endings and not is_hidden(path.name) and path.is_file():
                files[path.stem].append(path)
    return {
        stem: sorted(paths, key=lambda path: (path.parent.name, endings.index(path.suffix.lower())))
        for stem, paths in files.items()
    }


def audio_below(root: Path) -> list[str]:
    """Return all audio files below a folder, sorted, as relative paths with forward slashes.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "live").mkdir()
    ...     for name in ("live/b.mp3", "a.WAV", "._a.wav", "clips.csv"):
    ...         Path(folder, name).touch()
    ...     audio_below(Path(folder))
    ['a.WAV', 'live/b.mp3']
    """
    return [
        place(root, path)
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in AUDIO_ENDINGS
        and not is_hidden(place(root, path))
        and is_file(path)
    ]


def is_hidden(place: str) -> bool:
    """Return whether a relative path leads to a system's own files, such as a Mac's `._` files.

    Examples
    --------
    >>> [is_hidden(place) for place in ("Q1/a.mp3", "Q1/._a.mp3", "__MACOSX/a.mp3", ".git/a.mp3")]
    [False, True, True, True]
    """
    return any(part.startswith(".") or part == "__MACOSX" for part in place.split("/"))


def pick_file(
    root: Path, clip_id: str, paths: Sequence[Path], problems: list[Problem]
) -> Path | None:
    """Return the first of a clip's audio files unless it is empty; appends to `problems`.

    An empty file and every further file of the clip are problems.
    """
    usable = [path for path in paths[:1] if path.stat().st_size > 0]
    problems += [
        problem(
            "duplicate_file",
            place(root, path),
            f"a second file of clip {clip_id}, {paths[0].name} is used",
            "keep one of them",
            clip_id,
        )
        for path in paths[1:]
    ]
    problems += [
        problem(
            "empty_file",
            place(root, path),
            "0 bytes, expected audio",
            "copy the file again",
            clip_id,
        )
        for path in paths[:1]
        if path not in usable
    ]
    return next(iter(usable), None)


def place(root: Path, path: Path) -> str:
    """Return a file's path relative to `root`, with forward slashes.

    Examples
    --------
    >>> place(Path("data", "4q"), Path("data", "4q", "Q1", "a.mp3"))
    'Q1/a.mp3'
    """
    return path.relative_to(root).as_posix()


def printable(name: str) -> str:
    """Return a file name that can be printed and written as UTF-8, with undecodable bytes replaced.

    Examples
    --------
    >>> printable("MT\\udce9.mp3")
    'MT�.mp3'
    """
    return os.fsencode(name).decode("utf-8", "replace")


def problem(
    kind: str, where: str, what: str, next_step: str, clip_id: str | None = None
) -> Problem:
    """Return a `Problem` whose texts can be printed and stored, whatever bytes file names contain.

    Examples
    --------
    >>> print(problem("empty_file", "Q1/a.mp3", "0 bytes, expected audio", "copy it again", "a"))
    Q1/a.mp3: 0 bytes, expected audio: copy it again
    """
    return Problem(
        kind, printable(where), printable(what), next_step, clip_id and printable(clip_id)
    )
