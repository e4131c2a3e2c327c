"""Open any sound file as pieces that are decoded in blocks; detect missing sound beforehand.

Notebook: 01_segmentation
"""

import contextlib
import dataclasses
import io
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.signal import containers, mpeg, rare, streams, tags
from mer_kit.signal.containers import Extent
from mer_kit.signal.pieces import (
    MISSING_SECONDS,
    Piece,
    Unusable,
    Window,
    by_audioread,
    check_complete,
    check_rate,
)

#: First bytes → reader of a container.
_READERS: dict[bytes, Callable[[Any, int], Extent | None]] = {
    b"RIFF": containers.riff,
    b"FORM": containers.iff,
    b"caff": containers.caf,
    b"riff": containers.w64,
    b".snd": containers.au,
    b"fLaC": streams.flac,
    b"OggS": streams.ogg,
    b"ftyp": streams.mp4,
}
#: Largest number of joined files that is looked for.
MOST_JOINED = 1000
#: Fewer consecutive MPEG frames may be chance.
FEWEST_FRAMES = 3
#: An MP3 with more changes of format than this is rejected.
MOST_PARTS = 64


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
    files = located(data)
    alone = len(files) == 1
    if alone and files[0].mpeg:
        (extent,) = files
        frames = data[extent.offset : extent.offset + extent.there]
        parts = mpeg.walk(frames)
        if parts:
            return _mpeg_pieces(path, frames, parts, stack, fraction=extent.fraction)
    if files:
        alone = alone and files[0].end >= len(data)
        return [_container_piece(path, data, extent, stack, alone=alone) for extent in files]
    head = bytes(data[:2])
    looks = head in (b"ID", b"\0\0") or (head[:1] == b"\xff" and head[1:] >= b"\xe0")
    if looks or path.suffix.lower() in (".mp3", ".mp2"):
        parts = _walked(file.fileno(), data)
        if any(part.frames + part.info_frames >= FEWEST_FRAMES for part in parts):
            return _mpeg_pieces(path, data, parts, stack)
    if head == b"ID" and tags.id3_length(data, 0) > len(data):
        raise Unusable("truncated_file", "it ends within the tag before its sound")
    return [_other_piece(path, data, stack)]


def _open(source: Any, stack: contextlib.ExitStack, *, exact: bool) -> Piece:
    """Return a path or file object as libsndfile reads it."""
    import soundfile

    file = stack.enter_context(soundfile.SoundFile(source))
    return Piece(check_rate(int(file.samplerate)), int(file.frames), file, exact=exact)


# ---- joined files -----------------------------------------------------------------------


def located(data: Any) -> list[Extent]:
    """Return the sound files in a file's bytes, usually one; [] if they begin with no container.

    Parameters
    ----------
    data : bytes or a memory map

    Examples
    --------
    >>> au = b".snd" + bytes([0, 0, 0, 24, 0, 0, 0, 4]) + bytes(12) + b"abcd"
    >>> [(file.kind, file.start, file.there) for file in located(au + au)]
    [(b'.snd', 0, 4), (b'.snd', 28, 4)]
    """
    files: list[Extent] = []
    start = 0
    while len(files) < MOST_JOINED:
        while tag := tags.id3_length(data, start):
            start += tag
        is_mp4 = data[start + 4 : start + 8] == b"ftyp"
        kind = b"ftyp" if is_mp4 else containers.begins(data, start)
        extent = _READERS[kind](data, start) if kind else None
        if extent is None:
            break
        files.append(dataclasses.replace(extent, kind=kind, start=start))
        start = extent.end
        if start >= len(data):
            break
    return files


# ---- MP3 --------------------------------------------------------------------------------

#: The last file walked and its parts: a file is often decoded right after its duration is read.
_LAST_WALK: dict[tuple[int, ...], list[mpeg.Part]] = {}


def _walked(number: int, data: Any) -> list[mpeg.Part]:
    """Return the parts of an open MP3 file, given its file descriptor and its bytes."""
    about = os.fstat(number)
    key = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    parts = _LAST_WALK.get(key) or mpeg.walk(data)
    _LAST_WALK.clear()
    _LAST_WALK[key] = parts  # threads may clear it at any time
    return parts


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
    check_complete(there_s, there_s / fraction if fraction else np.inf)
    with contextlib.suppress(Exception):  # libsndfile may read it after rebuilding
        piece = _open(str(path), stack, exact=False)
        if _reads_whole(piece, parts):
            return [dataclasses.replace(piece, frames=min(piece.frames, _n_samples(parts)))]
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


def _n_samples(parts: list[mpeg.Part]) -> int:
    """Return the samples of frames read as one file, in which later info frames are sound too."""
    n_samples = sum((part.frames + part.info_frames) * part.format.samples for part in parts)
    return n_samples - parts[0].info_frames * parts[0].format.samples


# ---- everything else --------------------------------------------------------------------


def _container_piece(
    path: Path, data: Any, extent: Extent, stack: contextlib.ExitStack, *, alone: bool
) -> Piece:
    """Return the piece of one container, after comparing its stated length with the actual one."""
    if extent.stated and not extent.there:
        raise Unusable("truncated_file", "none of its sound is there")
    if extent.rate and extent.stated:
        check_complete(extent.there / extent.rate, extent.stated / extent.rate)
    source: Any = str(path)
    if not alone or extent.patches or (extent.kind == b"OggS" and extent.start):
        source = Window(data, extent.start, extent.end, extent.patches)
    try:
        piece = _open(source, stack, exact=True)
    except Unusable:
        raise
    except Exception:
        if extent.missing or extent.broken:
            few = f"{extent.fraction:.0%} of its sound is there"
            broken = "parts of it that are needed to read its sound are missing"
            raise Unusable("truncated_file", few if extent.missing else broken) from None
        if not alone:
            raise
        return by_audioread(path, bytes(data[:16]))
    seconds = piece.frames / piece.rate
    if not extent.rate:
        check_complete(seconds, seconds / extent.fraction)
    if extent.broken:
        detail = f"{seconds:.1f} s are there, then its stream ends abruptly"
        raise Unusable("truncated_file", detail)
    more = seconds * extent.behind / max(extent.there, 1)
    if more > MISSING_SECONDS:
        detail = f"{seconds:.1f} s of sound, but bytes for another {more:.1f} s follow"
        raise Unusable("more_sound", detail)
    return piece


def _other_piece(path: Path, data: Any, stack: contextlib.ExitStack) -> Piece:
    """Return a file that is neither MPEG nor a known container, by libsndfile or audioread."""
    try:
        piece = _open(str(path), stack, exact=True)
    except Unusable:
        raise
    except Exception:
        return by_audioread(path, bytes(data[:16]))
    if piece.file.format == "MP3":  # it accepts any two bytes as a frame
        raise Unusable("not_audio", "no frames of MPEG audio")
    stated = rare.stated_frames(data, piece.file.format, piece.frames)
    check_complete(piece.frames / piece.rate, stated / piece.rate)
    return piece
