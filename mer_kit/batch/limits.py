"""Peak memory of a notebook, and limits on its seconds and memory."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

import psutil

#: Seconds between two measurements.
INTERVAL_SECONDS = 0.25


@dataclass
class ResourceLimits:
    """Watch the child processes started inside a `with` block; kill them if a limit is exceeded.

    Parameters
    ----------
    limit_seconds, limit_mb : kill the child processes beyond this; None for no limit

    Attributes
    ----------
    peak_mb : largest resident memory of all child processes together, MB
    reason : why they were killed, or ""
    """

    limit_seconds: float | None = None
    limit_mb: float | None = None
    peak_mb: float = 0.0
    reason: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)
    _before: frozenset[int] = frozenset()

    def __enter__(self) -> ResourceLimits:
        self._before = frozenset(child.pid for child in psutil.Process().children(recursive=True))
        self._stop.clear()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _children(self) -> list[psutil.Process]:
        return [
            child
            for child in psutil.Process().children(recursive=True)
            if child.pid not in self._before
        ]

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(INTERVAL_SECONDS):
            memory = 0
            for child in self._children():
                with contextlib.suppress(psutil.Error):
                    memory += child.memory_info().rss
            memory_mb, seconds = memory / 2**20, time.monotonic() - began
            self.peak_mb = max(self.peak_mb, memory_mb)
            if self.limit_seconds is not None and seconds > self.limit_seconds:
                self._kill(f"took more than the limit of {self.limit_seconds:g} s")
            elif self.limit_mb is not None and memory_mb > self.limit_mb:
                self._kill(f"took {memory_mb:.0f} MB, more than the limit of {self.limit_mb:g} MB")

    def _kill(self, reason: str) -> None:
        self.reason = self.reason or reason
        for child in self._children():
            with contextlib.suppress(psutil.Error):
                child.kill()
