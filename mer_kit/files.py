"""Everything that touches the disk with care: whole files or none, no foreign file, nothing larger than expected."""

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

#: Files that we write as text (settings, scores, histories) are smaller than this; what is larger is not ours.
MOST_TEXT = 64 << 20
#: A temporary file of another machine, or of an unknown kind, this old belongs to no living process.
LEFTOVER_SECONDS = 86_400.0
_PARTIAL = re.compile(r"\.(?:(?P<host>[\w-]+)\.)?(?P<pid>\d+)\.partial\..+")
#: As versions before this one named them: the process last.
_OLDER = re.compile(r"\..+\.(?P<pid>\d+)\.partial")
_NUMBER = itertools.count()
_HOST = re.sub(r"[^\w-]", "-", socket.gethostname())[:40] or "host"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path` and rename it when the block ends well; else leave nothing behind.

    The file's mode is the one that the umask gives, whatever the block's library chose.
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
    """Remove the temporary files that processes killed while writing have left in a folder; living ones keep theirs."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(".") and ".partial" in entry.name and _is_left_over(entry):
                Path(entry.path).unlink(missing_ok=True)


def scratch(name: str = "mer-kit") -> tempfile.TemporaryDirectory[str]:
    """Return a folder of this process for temporary files; those of killed processes are removed on the way."""
    for entry in Path(tempfile.gettempdir()).glob(f"{name}-*-*"):
        pid = entry.name.removeprefix(f"{name}-").partition("-")[0]
        with contextlib.suppress(OSError):
            ours = (
                not entry.is_symlink() and entry.stat().st_uid == os.getuid()
                if hasattr(os, "getuid")
                else False
            )
            if ours and pid.isdigit() and not _lives(int(pid)):
                shutil.rmtree(entry, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"{name}-{os.getpid()}-", ignore_cleanup_errors=True)


def _is_left_over(entry: os.DirEntry[str]) -> bool:
    """Tell whether a temporary file's process is dead; of another machine's processes only age can tell."""
    found = _PARTIAL.fullmatch(entry.name) or _OLDER.fullmatch(entry.name)
    if found is None or not entry.is_file(follow_symlinks=False):
        return False
    if found.groupdict().get("host") == _HOST:
        return not _lives(int(found["pid"]))
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
    """Tell whether a path is a regular file; with `inside`, one whose real place is in that folder.

    Links are followed only as far as that folder. Pipes, devices and sockets are never plain.
    """
    try:
        if inside is not None:
            path.resolve(strict=True).relative_to(inside.resolve(strict=True))
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError, RuntimeError):
        return False


def read_bytes(path: Path, *, most: int = MOST_TEXT, inside: Path | None = None) -> bytes:
    """Return a regular file's bytes; nothing is read of a pipe, a device, a link out of `inside`, or too large a file.

    Raises
    ------
    MerKitError
        If the file is one of these; the sentence has its name and that of its folder.
    OSError
        If it is missing or cannot be read.
    """
    about = path.stat()
    where = f"{path.name} in {path.parent.name}"
    if not is_plain_file(path, inside=inside):
        raise MerKitError(
            f"{where} is not a regular file of this folder, expected one: restore or delete it"
        )
    if about.st_size > most:
        raise MerKitError(
            f"{where} has {about.st_size:,} bytes, expected at most {most:,}: it was not written by mer-kit; delete it"
        )
    with open(path, "rb") as file:
        return file.read(most + 1)


def checksum(path: Path) -> str:
    """Return the BLAKE2b checksum of a file's bytes, 32 hex digits; memory holds a block of it at a time."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_table(path: Path, table: pd.DataFrame, *, float_format: str | None = None) -> None:
    """Write a CSV atomically, without the index."""
    with writing(path) as partial:
        table.to_csv(partial, index=False, float_format=float_format, lineterminator="\n")
