"""Pieces of sound, decoded in blocks and checked against the length that their header states.

Notebook: 01_segmentation
"""

import functools
import io
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
#: Lowest and highest sample rate of music in Hz.
LOWEST_RATE, HIGHEST_RATE = 1000, 10_000_000
#: Formats that need ffmpeg: offset and first bytes, and the format's name.
_KINDS = (
    (4, b"ftyp", "MPEG-4 audio (M4A)"),
    (0, b"\xff\xf1", "AAC"), (0, b"\xff\xf9", "AAC"), (0, b"ADIF", "AAC"),
    (0, b"\x30\x26\xb2\x75", "Windows Media audio"), (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"wvpk", "WavPack"), (0, b"MAC ", "Monkey's Audio"),
    (0, b"MPCK", "Musepack"), (0, b"MP+", "Musepack"),
    (0, b"#!AMR", "AMR"), (0, b"TTA", "True Audio"), (0, b"DSD ", "DSD"), (0, b"FRM8", "DSD"),
)  # fmt: skip


class Unusable(Exception):
    """A file cannot be used: `kind` selects a sentence of `audio`, `detail` completes it."""

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
        known = self.frames < UNKNOWN_FRAMES
        return self.frames if known else sum(len(block) for block in self.blocks())

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield blocks, float32 [n, channels] with n ≤ BLOCK; each overwrites the previous one.

        Raises
        ------
        Unusable
            If the data are damaged, or end before `frames` if that number is exact.
        """
        done = 0
        try:
            for block in self.stream() if self.stream else self._read():
                done += len(block)
                yield block
        except Exception as error:  # on damaged data, decoders raise anything
            detail = f"its data end or are damaged somewhere after {done / self.rate:.1f} s"
            raise Unusable("truncated_file", detail) from error
        if self.exact and self.frames < UNKNOWN_FRAMES:
            check_complete(done / self.rate, self.frames / self.rate)

    def _read(self) -> Iterator[np.ndarray]:
        n = min(max(2 * BLOCK // max(self.file.channels, 2), 1), max(self.frames, 1))
        room = np.empty((n, self.file.channels), dtype=np.float32)
        while len(block := self.file.read(dtype="float32", always_2d=True, out=room)):
            yield block


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


class Window:
    """A section of a file that libsndfile reads like a separate file, with its header corrected.

    Parameters
    ----------
    data : the whole file's bytes or a memory map
    start, end : where the section begins and ends
    patches : (offset in the file, correct bytes)
    """

    def __init__(
        self, data: Any, start: int, end: int, patches: tuple[tuple[int, bytes], ...]
    ) -> None:
        self.data, self.start, self.end, self.position = data, start, end, start
        self.patches = [pair for at, correct in patches for pair in enumerate(correct, start=at)]

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position within the section and return it."""
        origins = {io.SEEK_SET: self.start, io.SEEK_CUR: self.position, io.SEEK_END: self.end}
        self.position = max(origins[whence] + offset, self.start)
        return self.tell()

    def tell(self) -> int:
        """Return the position within the section."""
        return self.position - self.start

    def read(self, n: int) -> bytearray:
        """Return the next bytes, at most `n`."""
        start = self.position
        part = bytearray(self.data[start : min(start + n, self.end)])
        for offset, byte in self.patches:
            if start <= offset < start + len(part):
                part[offset - start] = byte
        self.position += len(part)
        return part


def by_audioread(path: Path, head: bytes) -> Piece:
    """Return a file as audioread decodes it; `head` is the file's first bytes.

    Raises
    ------
    Unusable
        If nothing can be decoded, or if ffmpeg is needed but not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "notes.txt")
    ...     _ = path.write_text("not a sound")
    ...     by_audioread(path, b"not a sound")
    Traceback (most recent call last):
    mer_kit.signal.pieces.Unusable: ('not_audio', 'no decoder recognises it')
    """
    import audioread  # type: ignore[import-untyped, unused-ignore]

    # RawAudioFile is for formats that libsndfile reads itself.
    backends = [one for one in audioread.available_backends() if one.__name__ != "RawAudioFile"]
    opened = functools.partial(audioread.audio_open, str(path), backends=backends)
    try:
        with opened() as file:
            rate, n_channels = int(file.samplerate), int(file.channels)
            first = next(iter(file), b"")
    except audioread.NoBackendError:
        names = [name for offset, magic, name in _KINDS if head[offset:].startswith(magic)]
        if not names or backends:
            raise Unusable("not_audio", "no decoder recognises it") from None
        raise Unusable("no_decoder", names[0]) from None
    except Exception as error:  # its backends raise anything: the file is not audio to us
        raise Unusable("not_audio", type(error).__name__) from error
    if not first:
        raise Unusable("not_audio", "no samples")
    stream = functools.partial(_blocks, opened, n_channels)
    return Piece(check_rate(rate), UNKNOWN_FRAMES, stream=stream)


def _blocks(opened: Callable[[], Any], n_channels: int) -> Iterator[np.ndarray]:
    """Yield float32 [n, channels] from audioread's buffers, which may end within a sample."""
    rest, width = b"", 2 * n_channels
    with opened() as file:
        for buffer in file:
            data = rest + bytes(buffer)
            whole = len(data) // width * width
            rest = data[whole:]
            if whole:
                samples = np.frombuffer(data[:whole], dtype="<i2").reshape(-1, n_channels)
                yield (samples / np.float32(1 << 15)).astype(np.float32)
