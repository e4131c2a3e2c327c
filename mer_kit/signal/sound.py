"""Open a sound file of any kind as pieces that decode in blocks; know beforehand how much of it is missing.

Notebook: 01_segmentation
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.signal import containers, mpeg

#: A file that ends this many seconds before its own header says so was cut off.
MISSING_SECONDS = 0.5
#: Samples per channel and block: some 24 s of 44,100 Hz.
BLOCK = 1 << 20
#: More samples than this are a header's way to say that it does not know.
UNKNOWN_FRAMES = 1 << 40


class Unusable(Exception):
    """A file cannot be used; `kind` names the sentence of `audio`, `detail` goes into it."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


@dataclass
class Piece:
    """A stretch of sound of one sample rate, decoded by libsndfile, or already decoded."""

    rate: int
    frames: int
    file: Any = None
    samples: np.ndarray | None = None
    exact: bool = True

    def count(self) -> int:
        """Return the number of samples per channel; a file that does not state it is decoded."""
        return self.frames if self.frames < UNKNOWN_FRAMES else sum(len(block) for block in self.blocks())

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield float32 [n, channels], n ≤ BLOCK.

        Raises
        ------
        Unusable
            If the data break off before `frames`, where that number is exact, or are damaged.
        """
        if self.samples is not None:
            yield from (self.samples[at : at + BLOCK] for at in range(0, len(self.samples), BLOCK))
            return
        import soundfile

        done = 0
        while True:
            try:
                block: np.ndarray = self.file.read(BLOCK, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                there = f"after {done / self.rate:.1f} s its data break off or are damaged"
                raise Unusable("truncated_file", there) from error
            if len(block) == 0:
                break
            done += len(block)
            yield block
        if self.exact and self.frames < UNKNOWN_FRAMES:
            check_complete(done / self.rate, self.frames / self.rate)


def check_complete(there_s: float, stated_s: float) -> None:
    """Raise Unusable if a file states more sound than there is.

    Examples
    --------
    >>> check_complete(7.9, 8.0)
    """
    if stated_s - there_s > MISSING_SECONDS:
        raise Unusable("truncated_file", f"{there_s:.1f} of {stated_s:.1f} s are there")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[list[Piece]]:
    """Yield the pieces of a sound file: one, or several where an MP3 changes its format inside.

    Raises
    ------
    Unusable
        If it is no sound file, states more sound than it holds, or cannot be read whole.
    """
    with contextlib.ExitStack() as stack:
        try:
            parts, data = _mpeg_parts(path, stack)
            if parts:
                yield _mpeg_pieces(path, data, parts, stack)
            else:
                yield [_container_piece(path, stack)]
        except Unusable:
            raise
        except OSError as error:
            raise Unusable("unreadable_file", error.strerror or type(error).__name__) from error
        except Exception as error:  # decoders raise anything from ValueError to MemoryError on hostile bytes
            raise Unusable("not_audio", type(error).__name__) from error


def _open(source: Any, stack: contextlib.ExitStack, *, exact: bool) -> Piece:
    """Return what libsndfile reads from a path or a file object."""
    import soundfile

    file = stack.enter_context(soundfile.SoundFile(source))
    return Piece(int(file.samplerate), int(file.frames), file, exact=exact)


# ---- MP3 -------------------------------------------------------------------------------------------------------------


def _mpeg_parts(path: Path, stack: contextlib.ExitStack) -> tuple[list[mpeg.Part], Any]:
    """Return the parts of an MP3 file and its bytes; [] where it begins as no MP3 does."""
    file = stack.enter_context(path.open("rb"))
    head = file.read(4)
    begins = head[:3] == b"ID3" or head[:2] == b"\0\0" or (head[:1] == b"\xff" and len(head) > 1 and head[1] >= 0xE0)
    if not begins and path.suffix.lower() not in (".mp3", ".mp2"):
        return [], b""
    if head in (b"RIFF", b"OggS", b"fLaC", b"FORM"):
        return [], b""
    data = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    parts = mpeg.walk(data)
    return (parts if sum(part.frames for part in parts) > 1 else []), data


def _mpeg_pieces(path: Path, data: Any, parts: list[mpeg.Part], stack: contextlib.ExitStack) -> list[Piece]:
    """Return one piece for a plain MP3 as libsndfile reads it, else each part behind an info frame of its own."""
    check_complete(sum(part.seconds for part in parts), sum(part.stated_seconds for part in parts))
    if len(parts) == 1:
        with contextlib.suppress(Exception):  # what libsndfile does not open as it is, it may open rebuilt
            piece = _open(str(path), stack, exact=False)
            if _reads_whole(piece, parts[0]):
                return [dataclasses.replace(piece, frames=min(piece.frames, _n_samples(parts[0])))]
    sounding = [part for part in parts if part.frames]
    return [_open(io.BytesIO(mpeg.rebuilt(data, part)), stack, exact=True) for part in sounding]


def _reads_whole(piece: Piece, part: mpeg.Part) -> bool:
    """Tell whether libsndfile, which guesses a length from the first frames, reads on to the last frame that is there.

    A guess that is too long does no harm, unless damaged bytes between the frames end the decoding: then it is tried.
    """
    if part.stated is not None and part.frames > part.stated + 1:
        return False
    least = _n_samples(part) - part.trimmed - part.format.samples
    if len(part.ranges) == 1:
        return piece.frames >= least
    decoded = sum(len(block) for block in piece.blocks())
    piece.file.seek(0)
    return decoded >= least


def _n_samples(part: mpeg.Part) -> int:
    return part.frames * part.format.samples


# ---- everything else -------------------------------------------------------------------------------------------------


class _Patched(io.FileIO):
    """A file whose header fields read as the values they should have."""

    def __init__(self, path: Path, patches: tuple[tuple[int, bytes], ...]) -> None:
        super().__init__(path, "rb")
        self.patches = patches

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the file, then put the right values over the fields that it covers."""
        view, start = memoryview(buffer).cast("B"), self.tell()
        n = super().readinto(view) or 0
        for offset, right in self.patches:
            for at, byte in enumerate(right, start=offset):
                if start <= at < start + n:
                    view[at - start] = byte
        return n


def _container_piece(path: Path, stack: contextlib.ExitStack) -> Piece:
    """Return the one piece of a file that is no MP3, after comparing what its container states with what is there."""
    import soundfile

    found, ogg = containers.sound_bytes(path), containers.ogg_state(path)
    source: Any = str(path)
    if found is not None and found.patches:
        source = stack.enter_context(_Patched(path, found.patches))
    try:
        piece = _open(source, stack, exact=True)
    except soundfile.LibsndfileError:
        if found is not None and found.missing:
            share = f"{found.there / (found.there + found.missing):.0%} of its sound is there"
            raise Unusable("truncated_file", share) from None
        return _by_audioread(path)
    seconds = piece.frames / piece.rate
    if found is not None and found.missing and found.there:
        check_complete(seconds, seconds * (found.there + found.missing) / found.there)
    if ogg == "cut":
        raise Unusable("truncated_file", f"{seconds:.1f} s are there, then its stream breaks off")
    if ogg == "joined":
        raise Unusable("joined_file", f"the first lasts {seconds:.1f} s")
    return piece


def _by_audioread(path: Path) -> Piece:
    """Return what audioread decodes (it uses ffmpeg if it is there).

    Raises
    ------
    Unusable
        If it decodes nothing.
    """
    try:
        import audioread  # type: ignore[import-untyped, unused-ignore]

        with audioread.audio_open(str(path)) as file:
            rate, n_channels = int(file.samplerate), int(file.channels)
            data = b"".join(file)
    except Exception as error:  # its backends raise anything from EOFError to wave.Error: the file is no audio to us
        raise Unusable("not_audio", type(error).__name__) from error
    samples = np.frombuffer(data[: len(data) // (2 * n_channels) * 2 * n_channels], dtype="<i2")
    if len(samples) == 0:
        raise Unusable("not_audio", "no samples")
    channels = (samples.reshape(-1, n_channels) / np.float32(1 << 15)).astype(np.float32)
    return Piece(rate, len(channels), samples=channels)
