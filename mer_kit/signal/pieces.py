"""Stretches of decoded sound: read in blocks from libsndfile or another decoder, checked against what was stated.

Notebook: 01_segmentation
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: A file that ends this many seconds before its own header says so was cut off.
MISSING_SECONDS = 0.5
#: Samples per channel and block, of a file of one or two channels: some 24 s of 44,100 Hz.
BLOCK = 1 << 20
#: More samples than this are a header's way to say that it does not know.
UNKNOWN_FRAMES = 1 << 40
_ROOM = threading.local()
#: Sample rates in Hz outside of which a file holds no music.
LOWEST_RATE, HIGHEST_RATE = 1000, 10_000_000


class Unusable(Exception):
    """A file cannot be used; `kind` names the sentence of `audio`, `detail` goes into it."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


@dataclass
class Piece:
    """A stretch of sound of one sample rate, decoded by libsndfile, or by another program as a stream of blocks."""

    rate: int
    frames: int
    file: Any = None
    stream: Callable[[], Iterator[np.ndarray]] | None = None
    exact: bool = True

    def count(self) -> int:
        """Return the number of samples per channel; a file that does not state it is decoded."""
        return (
            self.frames
            if self.frames < UNKNOWN_FRAMES
            else sum(len(block) for block in self.blocks())
        )

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield float32 [n, channels], n ≤ BLOCK; the next block overwrites it.

        Raises
        ------
        Unusable
            If the data break off before `frames`, where that number is exact, or are damaged.
        """
        done = 0
        blocks = self._read() if self.stream is None else self.stream()
        while True:
            try:
                block = next(blocks, None)
            except (
                Exception
            ) as error:  # decoders raise anything on damaged data, not their own errors only
                where = (
                    f"somewhere after {done / self.rate:.1f} s its data break off or are damaged"
                )
                raise Unusable("truncated_file", where) from error
            if block is None:
                break
            done += len(block)
            yield block
        if self.exact and self.frames < UNKNOWN_FRAMES:
            check_complete(done / self.rate, self.frames / self.rate)

    def _read(self) -> Iterator[np.ndarray]:
        n = min(max(2 * BLOCK // max(self.file.channels, 2), 1), max(self.frames, 1))
        room = _room(n * self.file.channels).reshape(n, self.file.channels)
        while len(block := self.file.read(dtype="float32", always_2d=True, out=room)):
            yield block


def _room(n: int) -> np.ndarray:
    """Return float32 [n] of this thread, used for file after file: fresh memory costs a twentieth of the decoding."""
    kept = getattr(_ROOM, "samples", None)
    if kept is None or len(kept) < n:
        kept = _ROOM.samples = np.empty(n, dtype=np.float32)
    room: np.ndarray = kept[:n]
    return room


def check_rate(rate: int) -> int:
    """Return a file's sample rate, or raise Unusable if it is none of music."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise Unusable("not_audio", f"a sample rate of {rate} Hz")
    return rate


def check_complete(there_s: float, stated_s: float) -> None:
    """Raise Unusable if a file states more sound than there is.

    Examples
    --------
    >>> check_complete(7.9, 8.0)
    """
    if stated_s - there_s > MISSING_SECONDS:
        raise Unusable("truncated_file", f"{there_s:.1f} of {stated_s:.1f} s are there")


class Window(io.RawIOBase):
    """A stretch of a file as a file of its own, whose header fields read as the values they should have."""

    def __init__(
        self, path: Path, start: int, end: int, patches: tuple[tuple[int, bytes], ...]
    ) -> None:
        self.file = path.open("rb")
        self.start, self.end, self.patches = start, end, patches
        self.file.seek(start)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position within the window and return it."""
        origin = {io.SEEK_SET: self.start, io.SEEK_CUR: self.file.tell(), io.SEEK_END: self.end}[
            whence
        ]
        return self.file.seek(max(origin + offset, self.start)) - self.start

    def tell(self) -> int:
        """Return the position within the window."""
        return self.file.tell() - self.start

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the file, then put the right values over the fields that it covers."""
        at = self.file.tell()
        view = memoryview(buffer).cast("B")[: max(self.end - at, 0)]
        n = self.file.readinto(view)
        for offset, right in self.patches:
            for position, byte in enumerate(right, start=offset):
                if at <= position < at + n:
                    view[position - at] = byte
        return n

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        super().close()
