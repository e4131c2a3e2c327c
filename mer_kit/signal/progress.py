"""Progress reporting for long jobs: a caller's callback, a progress bar, or nothing."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

#: Called with (number done, total).
Progress = Callable[[int, int], None]


@contextlib.contextmanager
def reporting(
    total: int, progress: Progress | None = None, *, what: str, unit: str, line_at_end: bool = False
) -> Iterator[Progress]:
    """Yield a progress callback: the caller's, one that moves a bar, or one that does nothing.

    The bar is shown if standard error is a terminal.

    Parameters
    ----------
    total : number of items
    progress : the caller's callback, or None
    what, unit : the bar's name, and what it counts
    line_at_end : if there is neither a callback nor a bar, print one line with the time taken

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
