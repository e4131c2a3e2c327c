"""One process at a time: a file that the operating system unlocks when its holder dies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; wait for whoever holds it. A dead holder holds nothing.

    Raises
    ------
    OSError
        If the folder takes no files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path, thread_local=False):
        yield


def is_held(path: Path) -> bool:
    """Tell whether a living process holds the lock file `path`; where nothing can be written, nobody does."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0, thread_local=False):
            return False
    except Timeout:
        return True
    except OSError:
        return False
