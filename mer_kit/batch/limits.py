"""What a notebook costs, and when it must stop: peak memory, and limits on seconds and memory."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

import psutil

#: Seconds between two looks.
INTERVAL_SECONDS = 0.25


@dataclass
class ResourceLimits:
    """Look at this process' children while a block runs; end them where a limit is passed.

    Parameters
    ----------
    limit_seconds, limit_mb : end the children beyond this; None for no limit

    Attributes
    ----------
    peak_mb : the largest memory (resident set) that all children had together
    reason : why they were ended, or ""
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
        self._thread = threading.Thread(target=self._look, daemon=True)
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

    def _look(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(INTERVAL_SECONDS):
            memory = 0
            for child in self._children():
                with contextlib.suppress(psutil.Error):
                    memory += child.memory_info().rss
            self.peak_mb = max(self.peak_mb, memory / 2**20)
            taken = time.monotonic() - began
            if self.limit_seconds is not None and taken > self.limit_seconds:
                self._end(f"took more than the limit of {self.limit_seconds:g} s")
            elif self.limit_mb is not None and memory / 2**20 > self.limit_mb:
                self._end(
                    f"took {memory / 2**20:.0f} MB, more than the limit of {self.limit_mb:g} MB"
                )

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        for child in self._children():
            with contextlib.suppress(psutil.Error):
                child.kill()
