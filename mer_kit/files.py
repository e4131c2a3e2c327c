"""Safe reading and writing: complete files or none, no links out of a folder, bounded sizes."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mer_kit.checks import MerKitError

if TYPE_CHECKING:
    import pandas as pd

#: Largest text file that mer-kit writes (settings, scores, histories).
MOST_TEXT = 64 << 20
#: Temporary files of other machines that are this old belong to no living process.
LEFTOVER_SECONDS = 86_400.0
_PARTIAL = re.compile(r"\.(?:(?P<host>[\w-]+)\.)?(?P<pid>\d+)\.partial\..+")
#: As earlier versions named them: the process last.
_OLDER = re.compile(r"\..+\.(?P<pid>\d+)\.partial")
_NUMBER = itertools.count()
_HOST = re.sub(r"[^\w-]", "-", socket.gethostname())[:40] or "host"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; rename it to `path` if the block succeeds.

    If the block fails, nothing is left behind. The umask decides the file's mode, whatever mode
    the block's library chose.

    Examples
    --------
    >>> with scratch() as folder:
    ...     with writing(Path(folder) / "a.txt") as partial:
    ...         _ = partial.write_text("complete")
    ...     (Path(folder) / "a.txt").read_text()
    'complete'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{_HOST}.{os.getpid()}.partial.{next(_NUMBER)}.{path.name[-150:]}")
    try:
        partial.touch()
        mode = stat.S_IMODE(partial.stat().st_mode)
        yield partial
        if stat.S_IMODE(partial.stat().st_mode) != mode:
            partial.chmod(mode)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove temporary files that killed processes have left in a folder."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(".") and ".partial" in entry.name and _is_left_over(entry):
                Path(entry.path).unlink(missing_ok=True)


def scratch(name: str = "mer-kit") -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder of this process; remove those of killed processes.

    Examples
    --------
    >>> with scratch() as folder:
    ...     os.path.isdir(folder)
    True
    """
    for entry in Path(tempfile.gettempdir()).glob(f"{name}-*-*"):
        pid = entry.name.removeprefix(f"{name}-").partition("-")[0]
        with contextlib.suppress(OSError):
            if _is_own(entry) and pid.isdigit() and not _lives(int(pid)):
                shutil.rmtree(entry, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"{name}-{os.getpid()}-", ignore_cleanup_errors=True)


def _is_own(entry: Path) -> bool:
    """Return whether a path is this user's own, and not a link; False on Windows."""
    return hasattr(os, "getuid") and not entry.is_symlink() and entry.stat().st_uid == os.getuid()


def _is_left_over(entry: os.DirEntry[str]) -> bool:
    """Return whether a temporary file's process is dead; for other machines the age decides."""
    match = _PARTIAL.fullmatch(entry.name) or _OLDER.fullmatch(entry.name)
    if match is None or not entry.is_file(follow_symlinks=False):
        return False
    if match.groupdict().get("host") == _HOST:
        return not _lives(int(match["pid"]))
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFTOVER_SECONDS


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def is_plain_file(path: Path, *, inside: Path | None = None) -> bool:
    """Return whether a path is a regular file; with `inside`, one that is really in that folder.

    Links are followed only within that folder. Pipes, devices and sockets are never plain.

    Examples
    --------
    >>> with scratch() as folder:
    ...     file = Path(folder) / "a"
    ...     _ = file.write_text("abc")
    ...     is_plain_file(file, inside=Path(folder)), is_plain_file(Path(folder))
    (True, False)
    """
    try:
        if inside is not None:
            path.resolve(strict=True).relative_to(inside.resolve(strict=True))
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError, RuntimeError):
        return False


def read_bytes(path: Path, *, most: int = MOST_TEXT, inside: Path | None = None) -> bytes:
    """Return a regular file's bytes.

    Raises
    ------
    MerKitError
        If it is a pipe, a device, a link out of `inside`, or larger than `most`; nothing is read.
    OSError
        If it is missing or cannot be read.

    Examples
    --------
    >>> with scratch() as folder:
    ...     _ = (Path(folder) / "a").write_text("abc")
    ...     read_bytes(Path(folder) / "a")
    b'abc'
    """
    about = path.stat()
    where = f"{path.name} in {path.parent.name}"
    if not is_plain_file(path, inside=inside):
        raise MerKitError(
            f"{where} is not a regular file of this folder, expected one: restore or delete it"
        )
    if about.st_size > most:
        raise MerKitError(
            f"{where} has {about.st_size:,} bytes, expected at most {most:,}: "
            "it was not written by mer-kit; delete it"
        )
    with open(path, "rb") as file:
        return file.read(most + 1)


def checksum(path: Path) -> str:
    """Return the BLAKE2b checksum of a file, 32 hex digits; it is read block by block.

    Examples
    --------
    >>> with scratch() as folder:
    ...     _ = (Path(folder) / "a").write_text("abc")
    ...     checksum(Path(folder) / "a")
    'cf4ab791c62b8d2b2109c90275287816'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_table(path: Path, table: pd.DataFrame, *, float_format: str | None = None) -> None:
    """Write a CSV atomically, without the index."""
    with writing(path) as partial:
        table.to_csv(partial, index=False, float_format=float_format, lineterminator="\n")
