"""Peak memory of a notebook, and limits on its seconds and memory."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psutil

#: Seconds between two measurements.
INTERVAL_SECONDS = 0.25


@dataclass(frozen=True)
class Limits:
    """Limits of one notebook, and the worker resources it needs ({"GPU": 1}: one run per GPU)."""

    seconds: float | None = None
    memory_mb: float | None = None
    resources: Mapping[str, float] | None = None

    def exceeded(self, seconds: float, memory_mb: float) -> str:
        """Return which limit this exceeds, "" if none.

        Examples
        --------
        >>> Limits(seconds=60).exceeded(61.0, 900.0)
        'took more than the limit of 60 s'
        """
        if self.seconds is not None and seconds > self.seconds:
            return f"took more than the limit of {self.seconds:g} s"
        if self.memory_mb is not None and memory_mb > self.memory_mb:
            return f"took {memory_mb:.0f} MB, more than the limit of {self.memory_mb:g} MB"
        return ""


NO_LIMITS = Limits()


@dataclass
class Usage:
    """The peak resident memory of all child processes together, and why they were killed, or ""."""

    peak_mb: float = 0.0
    reason: str = ""


@contextlib.contextmanager
def watched(limits: Limits) -> Iterator[Usage]:
    """Watch the child processes started inside the block; kill them if a limit is exceeded."""
    process, usage, stop = psutil.Process(), Usage(), threading.Event()
    before = set(process.children(recursive=True))

    def watch() -> None:
        began = time.monotonic()
        while not stop.wait(INTERVAL_SECONDS):
            children = set(process.children(recursive=True)) - before
            memory = 0
            for child in children:
                with contextlib.suppress(psutil.Error):
                    memory += child.memory_info().rss
            usage.peak_mb = max(usage.peak_mb, memory / 2**20)
            exceeded = limits.exceeded(time.monotonic() - began, memory / 2**20)
            usage.reason = usage.reason or exceeded
            if exceeded:
                for child in children:
                    with contextlib.suppress(psutil.Error):
                        child.kill()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        stop.set()
        thread.join()
