"""Open any sound file as pieces that are decoded in blocks; detect missing sound beforehand.

Notebook: 01_segmentation
"""

import contextlib
import functools
import io
import mmap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.signal import containers, mpeg
from mer_kit.signal.extent import Extent, id3_length

#: A file is truncated if it ends this many seconds before the length in its header.
MISSING_SECONDS = 0.5
#: Samples per channel and block for one or two channels: about 24 s at 44,100 Hz.
BLOCK = 1 << 20
#: A header that states more samples than this means that the length is unknown.
UNKNOWN_FRAMES = 1 << 40
_ROOM = threading.local()
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
#: Fewer consecutive MPEG frames may be chance.
FEWEST_FRAMES = 3
#: Formats of which libsndfile shortens a truncated file silently, and whose headers are not read
#: here, by its names.
SHORTENED = ("AVR", "MAT4", "MAT5", "MPC2K", "NIST", "SVX", "VOC", "WVE")
#: An MP3 with more changes of format than this is rejected.
MOST_PARTS = 64


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
        try:
            for block in (self.stream or self._read)():
                done += len(block)
                yield block
        except Exception as error:  # on damaged data, decoders raise anything
            raise Unusable(
                "truncated_file",
                f"its data end or are damaged somewhere after {done / self.rate:.1f} s",
            ) from error
        if self.exact and self.frames < UNKNOWN_FRAMES:
            check_complete(done / self.rate, self.frames / self.rate)

    def _read(self) -> Iterator[np.ndarray]:
        n = min(max(2 * BLOCK // max(self.file.channels, 2), 1), max(self.frames, 1))
        room = _room(n * self.file.channels).reshape(n, self.file.channels)
        while len(block := self.file.read(dtype="float32", always_2d=True, out=room)):
            yield block


def _room(n: int) -> np.ndarray:
    """Return float32 [n], reused by this thread: new memory would take 5 % of decoding time."""
    if len(getattr(_ROOM, "samples", ())) < n:
        _ROOM.samples = np.empty(n, dtype=np.float32)
    return np.asarray(_ROOM.samples[:n])


def check_complete(there_s: float, stated_s: float) -> None:
    """Raise Unusable if a file states more sound than it contains.

    Examples
    --------
    >>> check_complete(7.9, 8.0)
    >>> check_complete(4.0, 8.0)
    Traceback (most recent call last):
    mer_kit.signal.sound.Unusable: ('truncated_file', '4.0 of 8.0 s are there')
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

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> None:
        """Go to a position within the section."""
        origins = {io.SEEK_SET: self.start, io.SEEK_CUR: self.position, io.SEEK_END: self.end}
        self.position = max(origins[whence] + offset, self.start)

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


@contextlib.contextmanager
def opened(path: Path) -> Iterator[list[Piece]]:
    """Yield the pieces of a sound file.

    There is usually one; several if files were joined, or if the format changes within an MP3.

    Raises
    ------
    Unusable
        If it is not a sound file, states more sound than it contains, or cannot be read completely.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.au")
    ...     soundfile.write(path, np.full(4000, 0.5), 8000)
    ...     _ = path.write_bytes(2 * path.read_bytes())  # two files, joined
    ...     with opened(path) as pieces:
    ...         [(piece.rate, piece.frames) for piece in pieces]
    [(8000, 4000), (8000, 4000)]
    """
    with contextlib.ExitStack() as stack:
        try:
            pieces = _pieces(path, stack)
            for piece in pieces:
                if not LOWEST_RATE <= piece.rate <= HIGHEST_RATE:
                    raise Unusable("not_audio", f"a sample rate of {piece.rate} Hz")
        except Unusable:
            raise
        except OSError as error:
            raise Unusable("unreadable_file", error.strerror or type(error).__name__) from error
        except Exception as error:  # on hostile bytes, decoders raise anything
            raise Unusable("not_audio", type(error).__name__) from error
        yield pieces


def _pieces(path: Path, stack: contextlib.ExitStack) -> list[Piece]:
    """Return the pieces of a file; its suffix matters only if its first bytes are not decisive."""
    file = stack.enter_context(path.open("rb"))
    data = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    files = containers.located(data)
    if len(files) == 1 and files[0].mpeg:
        (extent,) = files
        frames = data[extent.offset : extent.offset + extent.there]
        parts = mpeg.walk(frames)
        if parts:
            return _mpeg_pieces(path, frames, parts, stack, fraction=extent.fraction)
    if files:
        alone = len(files) == 1 and files[0].end >= len(data)
        return [_container_piece(path, data, extent, stack, alone=alone) for extent in files]
    head = bytes(data[:2])
    looks = head in (b"ID", b"\0\0") or (head[:1] == b"\xff" and head[1:] >= b"\xe0")
    if looks or path.suffix.lower() in (".mp3", ".mp2"):
        parts = mpeg.walk(data)
        if any(part.frames + part.info_frames >= FEWEST_FRAMES for part in parts):
            return _mpeg_pieces(path, data, parts, stack)
    if head == b"ID" and id3_length(data, 0) > len(data):
        raise Unusable("truncated_file", "it ends within the tag before its sound")
    whole = Extent(len(data), None, len(data))
    return [_container_piece(path, data, whole, stack, alone=True)]


def _open(source: Any, stack: contextlib.ExitStack, *, exact: bool) -> Piece:
    """Return a path or file object as libsndfile reads it."""
    import soundfile

    file = stack.enter_context(soundfile.SoundFile(source))
    return Piece(int(file.samplerate), int(file.frames), file, exact=exact)


# ---- MP3 --------------------------------------------------------------------------------


def _mpeg_pieces(
    path: Path,
    data: Any,
    parts: list[mpeg.Part],
    stack: contextlib.ExitStack,
    *,
    fraction: float = 1.0,
) -> list[Piece]:
    """Return one piece if libsndfile reads the whole MP3, else each part with its own info frame.

    `fraction` is how much of the frames is there, according to a container around them.
    """
    there_s = sum(part.seconds for part in parts)
    check_complete(there_s, there_s + mpeg.missing_seconds(parts))
    check_complete(there_s, there_s / fraction)
    with contextlib.suppress(Exception):  # libsndfile may read it after rebuilding
        piece = _open(str(path), stack, exact=False)
        if _reads_whole(piece, parts):  # later info frames are then sound too
            n_samples = sum(part.frames * part.format.samples for part in parts)
            later = sum(part.info_frames * part.format.samples for part in parts[1:])
            return [replace(piece, frames=min(piece.frames, n_samples + later))]
    sounding = [part for part in parts if part.frames]
    if len(sounding) > MOST_PARTS:
        raise Unusable("many_formats", f"{len(sounding) - 1} times")
    return [_open(io.BytesIO(mpeg.rebuilt(data, part)), stack, exact=True) for part in sounding]


def _reads_whole(piece: Piece, parts: list[mpeg.Part]) -> bool:
    """Return whether libsndfile, which guesses the length from the first frames, reads them all.

    An estimate that is too long does no harm, unless damaged bytes between the frames end the
    decoding: then the file is decoded to find out.
    """
    first, form = parts[0], parts[0].format
    least = (sum(part.frames for part in parts) - 1) * form.samples - first.trimmed
    formats = {part.format._replace(kbit=form.kbit) for part in parts}
    if formats != {form} or piece.frames < least:
        return False
    if len(parts) == 1 and first.stated is not None and first.frames > first.stated + 1:
        return False
    if len(parts) == len(first.ranges) == 1:
        return True
    decoded = sum(len(block) for block in piece.blocks())
    piece.file.seek(0)
    return decoded >= least


# ---- everything else --------------------------------------------------------------------


def _container_piece(
    path: Path, data: Any, extent: Extent, stack: contextlib.ExitStack, *, alone: bool
) -> Piece:
    """Return the piece of one file, after comparing its stated length with the actual one."""
    if extent.stated and not extent.there:
        raise Unusable("truncated_file", "none of its sound is there")
    if extent.rate and extent.stated:
        check_complete(extent.there / extent.rate, extent.stated / extent.rate)
    source: Any = str(path)
    if not alone or extent.patches or (extent.kind == b"OggS" and extent.start):
        source = Window(data, extent.start, extent.end, extent.patches)
    try:
        piece = _open(source, stack, exact=True)
    except Exception:
        if extent.missing:
            few = f"{extent.fraction:.0%} of its sound is there"
            raise Unusable("truncated_file", few) from None
        if extent.broken:
            needed = "parts of it that are needed to read its sound are missing"
            raise Unusable("truncated_file", needed) from None
        if not alone:
            raise
        return by_audioread(path, bytes(data[:16]))
    if piece.file.format == "MP3":  # it accepts any two bytes as a frame
        raise Unusable("not_audio", "no frames of MPEG audio")
    if piece.file.format in SHORTENED:
        raise Unusable("length_unknown", piece.file.format)
    seconds = piece.frames / piece.rate
    if not extent.rate:
        check_complete(seconds, seconds / extent.fraction)
    if extent.broken:
        raise Unusable(
            "truncated_file", f"{seconds:.1f} s are there, then its stream ends abruptly"
        )
    more = seconds * extent.behind / max(extent.there, 1)
    if more > MISSING_SECONDS:
        raise Unusable(
            "more_sound", f"{seconds:.1f} s of sound, but bytes for another {more:.1f} s follow"
        )
    return piece


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
    mer_kit.signal.sound.Unusable: ('not_audio', 'no decoder recognises it')
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
    return Piece(rate, UNKNOWN_FRAMES, stream=functools.partial(_blocks, opened, n_channels))


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
