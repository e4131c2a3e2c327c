"""Lock files: one process at a time, freed by the operating system when the holder dies."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; wait for any other holder.

    The operating system frees the lock of a process that dies.

    Raises
    ------
    OSError
        If the folder is read-only.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with exclusive(Path(folder) / ".lock"):
    ...         inside = is_held(Path(folder) / ".lock")
    ...     inside, is_held(Path(folder) / ".lock")
    (True, False)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path, thread_local=False):
        yield


def is_held(path: Path) -> bool:
    """Return whether a living process holds the lock file `path`; False in a read-only folder."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0, thread_local=False):
            return False
    except Timeout:
        return True
    except OSError:
        return False
