"""How long work on many files tells how far it is: to the caller's function, in a bar, or not at all."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

#: Called with (how many are done, how many there are).
Progress = Callable[[int, int], None]


@contextlib.contextmanager
def reporting(
    total: int, progress: Progress | None = None, *, what: str, unit: str, line_at_end: bool = False
) -> Iterator[Progress]:
    """Yield the function that reports progress: the caller's, or one that moves a bar where a person watches.

    Where neither is there it does nothing.

    Parameters
    ----------
    total : how many there are
    progress : the caller's function, if it has one
    what, unit : the bar's name, and what it counts
    line_at_end : print one line with the seconds taken where there is neither a caller's function nor a bar

    Examples
    --------
    >>> with reporting(2, print, what="checking", unit="file") as report:
    ...     report(1, 2)
    1 2
    """
    if progress is not None:
        yield progress
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=what, unit=unit) as bar:
            yield lambda done, _: bar.update(done - bar.n)
    else:
        started = time.monotonic()
        yield lambda done, _: None
        if line_at_end:
            print(f"{what}: {total} {unit}s in {time.monotonic() - started:.1f} s", file=sys.stderr)
