"""Pieces of sound, decoded in blocks and checked against the length that their header states.

Notebook: 01_segmentation
"""

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: A file is truncated if it ends this many seconds before the length in its header.
MISSING_SECONDS = 0.5
#: Samples per channel and block for one or two channels: about 24 s at 44,100 Hz.
BLOCK = 1 << 20
#: A header that states more samples than this means that the length is unknown.
UNKNOWN_FRAMES = 1 << 40
_ROOM = threading.local()
#: Lowest and highest sample rate of music in Hz.
LOWEST_RATE, HIGHEST_RATE = 1000, 10_000_000


class Unusable(Exception):
    """A file cannot be used: `kind` selects a sentence of `wording`, `detail` completes it."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


@dataclass
class Piece:
    """Sound of one sample rate, decoded by libsndfile, or by another decoder as a stream."""

    rate: int
    frames: int
    file: Any = None
    stream: Callable[[], Iterator[np.ndarray]] | None = None
    exact: bool = True

    def count(self) -> int:
        """Return the number of samples per channel; a file that does not state it is decoded."""
        if self.frames < UNKNOWN_FRAMES:
            return self.frames
        return sum(len(block) for block in self.blocks())

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield blocks, float32 [n, channels] with n ≤ BLOCK; each overwrites the previous one.

        Raises
        ------
        Unusable
            If the data are damaged, or end before `frames` if that number is exact.
        """
        done = 0
        blocks = self._read() if self.stream is None else self.stream()
        while True:
            try:
                block = next(blocks, None)
            except Exception as error:  # on damaged data, decoders raise anything
                detail = f"its data end or are damaged somewhere after {done / self.rate:.1f} s"
                raise Unusable("truncated_file", detail) from error
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
    """Return float32 [n], reused by this thread: new memory would take 5 % of decoding time."""
    kept = getattr(_ROOM, "samples", None)
    if kept is None or len(kept) < n:
        kept = _ROOM.samples = np.empty(n, dtype=np.float32)
    room: np.ndarray = kept[:n]
    return room


def check_rate(rate: int) -> int:
    """Return a file's sample rate, or raise Unusable if music never has it.

    Examples
    --------
    >>> check_rate(44100)
    44100
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise Unusable("not_audio", f"a sample rate of {rate} Hz")
    return rate


def check_complete(there_s: float, stated_s: float) -> None:
    """Raise Unusable if a file states more sound than it contains.

    Examples
    --------
    >>> check_complete(7.9, 8.0)
    >>> check_complete(4.0, 8.0)
    Traceback (most recent call last):
    mer_kit.signal.pieces.Unusable: ('truncated_file', '4.0 of 8.0 s are there')
    """
    if stated_s - there_s > MISSING_SECONDS:
        raise Unusable("truncated_file", f"{there_s:.1f} of {stated_s:.1f} s are there")


class Window(io.RawIOBase):
    """A section of a file, readable like a separate file, with wrong header fields corrected."""

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
        origins = {io.SEEK_SET: self.start, io.SEEK_CUR: self.file.tell(), io.SEEK_END: self.end}
        return self.file.seek(max(origins[whence] + offset, self.start)) - self.start

    def tell(self) -> int:
        """Return the position within the window."""
        return self.file.tell() - self.start

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the file, then correct the header fields that it covers."""
        start = self.file.tell()
        view = memoryview(buffer).cast("B")[: max(self.end - start, 0)]
        n = self.file.readinto(view)
        for offset, correct in self.patches:
            for position, byte in enumerate(correct, start=offset):
                if start <= position < start + n:
                    view[position - start] = byte
        return n

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        super().close()
