"""Open a sound file of any kind as pieces that decode in blocks; know beforehand how much of it is missing.

Notebook: 01_segmentation
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.signal import containers, lengths, mpeg, rare, tags
from mer_kit.signal.external import by_audioread
from mer_kit.signal.pieces import (
    MISSING_SECONDS,
    UNKNOWN_FRAMES,
    Piece,
    Unusable,
    Window,
    check_complete,
    check_rate,
)

__all__ = ["MISSING_SECONDS", "UNKNOWN_FRAMES", "Piece", "Unusable", "check_complete", "opened"]

#: Fewer frames in a row may be chance.
FEWEST_FRAMES = 3
#: An MP3 that changes its format more often than this is not taken apart.
MOST_PARTS = 64


@contextlib.contextmanager
def opened(path: Path) -> Iterator[list[Piece]]:
    """Yield the pieces of a sound file: one, or several where files were joined or an MP3 changes its format inside.

    Raises
    ------
    Unusable
        If it is no sound file, states more sound than it holds, or cannot be read whole.
    """
    with contextlib.ExitStack() as stack:
        try:
            pieces = _pieces(path, stack)
        except Unusable:
            raise
        except OSError as error:
            raise Unusable("unreadable_file", error.strerror or type(error).__name__) from error
        except (
            Exception
        ) as error:  # decoders raise anything from ValueError to MemoryError on hostile bytes
            raise Unusable("not_audio", type(error).__name__) from error
        yield pieces


def _pieces(path: Path, stack: contextlib.ExitStack) -> list[Piece]:
    """Return the pieces of a file, by what its first bytes are; its ending decides only where they say nothing."""
    file = stack.enter_context(path.open("rb"))
    data = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    files = lengths.located(data)
    if len(files) == 1 and files[0].extent.mpeg:
        extent = files[0].extent
        parts = mpeg.walk(inside := data[extent.offset : extent.offset + extent.there])
        if parts:
            return _mpeg_pieces(path, inside, parts, stack, share=_share(extent))
    if files:
        alone = len(files) == 1 and files[0].extent.end >= len(data)
        return [_container_piece(path, data, one, stack, alone=alone) for one in files]
    head = bytes(data[:2])
    looks = head in (b"ID", b"\0\0") or (head[:1] == b"\xff" and head[1:] >= b"\xe0")
    parts = _walked(file.fileno(), data) if looks or path.suffix.lower() in (".mp3", ".mp2") else []
    if max((part.frames + part.info_frames for part in parts), default=0) >= FEWEST_FRAMES:
        return _mpeg_pieces(path, data, parts, stack)
    if head == b"ID" and tags.id3_length(data, 0) > len(data):
        raise Unusable("truncated_file", "it ends within the tag before its sound")
    return [_other_piece(path, data, stack)]


def _open(source: Any, stack: contextlib.ExitStack, *, exact: bool) -> Piece:
    """Return what libsndfile reads from a path or a file object."""
    import soundfile

    file = stack.enter_context(soundfile.SoundFile(source))
    return Piece(check_rate(int(file.samplerate)), int(file.frames), file, exact=exact)


def _share(extent: containers.Extent) -> float:
    """Return which part of the stated sound is there."""
    return 1.0 if not extent.missing else extent.there / (extent.there + extent.missing)


# ---- MP3 -------------------------------------------------------------------------------------------------------------

#: The file that was walked last and its parts: a file whose length was asked is decoded next.
_LAST_WALK: dict[tuple[int, ...], list[mpeg.Part]] = {}


def _walked(number: int, data: Any) -> list[mpeg.Part]:
    """Return the parts of an open MP3 file, given its file descriptor and its bytes."""
    about = os.fstat(number)
    key = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    parts = _LAST_WALK.get(key)
    if parts is None:
        parts = mpeg.walk(data)
        _LAST_WALK.clear()
        _LAST_WALK[key] = parts
    return parts


def _mpeg_pieces(
    path: Path,
    data: Any,
    parts: list[mpeg.Part],
    stack: contextlib.ExitStack,
    *,
    share: float = 1.0,
) -> list[Piece]:
    """Return one piece for an MP3 that libsndfile reads whole, else each part behind an info frame of its own.

    `share` is which part of the frames is there, as far as a container around them tells.
    """
    there_s = sum(part.seconds for part in parts)
    check_complete(there_s, there_s + mpeg.missing_seconds(parts))
    check_complete(there_s, there_s / share if share else np.inf)
    with contextlib.suppress(
        Exception
    ):  # what libsndfile does not open as it is, it may open rebuilt
        piece = _open(str(path), stack, exact=False)
        if _reads_whole(piece, parts):
            return [dataclasses.replace(piece, frames=min(piece.frames, _n_samples(parts)))]
    sounding = [part for part in parts if part.frames]
    if len(sounding) > MOST_PARTS:
        raise Unusable("many_formats", f"{len(sounding) - 1} times")
    return [_open(io.BytesIO(mpeg.rebuilt(data, part)), stack, exact=True) for part in sounding]


def _reads_whole(piece: Piece, parts: list[mpeg.Part]) -> bool:
    """Tell whether libsndfile, which guesses a length from the first frames, reads on to the last frame that is there.

    A guess that is too long does no harm, unless damaged bytes between the frames end the decoding: then it is tried.
    """
    first = parts[0]
    if any(
        dataclasses.replace(part.format, kbit=first.format.kbit) != first.format for part in parts
    ):
        return False
    least = (
        sum(part.frames for part in parts) * first.format.samples
        - first.trimmed
        - first.format.samples
    )
    if piece.frames < least or (
        len(parts) == 1 and first.stated is not None and first.frames > first.stated + 1
    ):
        return False
    if len(parts) == 1 and len(first.ranges) == 1:
        return True
    decoded = sum(len(block) for block in piece.blocks())
    piece.file.seek(0)
    return decoded >= least


def _n_samples(parts: list[mpeg.Part]) -> int:
    """Return the samples of frames that are read as one file, where later info frames are frames like others."""
    return sum((part.frames + part.info_frames) * part.format.samples for part in parts) - (
        parts[0].info_frames * parts[0].format.samples
    )


# ---- everything else -------------------------------------------------------------------------------------------------


def _container_piece(
    path: Path, data: Any, located: lengths.Located, stack: contextlib.ExitStack, *, alone: bool
) -> Piece:
    """Return the piece of one container, after comparing what it states with what is there."""
    extent = located.extent
    if extent.stated and not extent.there:
        raise Unusable("truncated_file", "none of its sound is there")
    if extent.rate and extent.stated:
        check_complete(extent.there / extent.rate, extent.stated / extent.rate)
    source: Any = str(path)
    if not alone or extent.patches or (located.kind == b"OggS" and located.start):
        source = stack.enter_context(Window(path, located.start, extent.end, extent.patches))
    try:
        piece = _open(source, stack, exact=True)
    except Unusable:
        raise
    except Exception:
        if extent.missing:
            raise Unusable(
                "truncated_file", f"{_share(extent):.0%} of its sound is there"
            ) from None
        if extent.broken:
            raise Unusable(
                "truncated_file", "parts of it that are needed to read its sound are missing"
            ) from None
        if not alone:
            raise
        return by_audioread(path, bytes(data[:16]))
    seconds = piece.frames / piece.rate
    if not extent.rate:
        check_complete(seconds, seconds / _share(extent))
    if extent.broken:
        raise Unusable("truncated_file", f"{seconds:.1f} s are there, then its stream breaks off")
    more = seconds * extent.behind / max(extent.there, 1)
    if more > MISSING_SECONDS:
        raise Unusable(
            "more_sound", f"{seconds:.1f} s of sound, but bytes for another {more:.1f} s follow"
        )
    return piece


def _other_piece(path: Path, data: Any, stack: contextlib.ExitStack) -> Piece:
    """Return what libsndfile or audioread makes of a file that is neither MPEG nor one of our containers."""
    try:
        piece = _open(str(path), stack, exact=True)
    except Unusable:
        raise
    except Exception:
        return by_audioread(path, bytes(data[:16]))
    if piece.file.format == "MP3":  # it takes two bytes of anything for a frame
        raise Unusable("not_audio", "no frames of MPEG audio")
    stated = rare.stated_frames(data, piece.file.format, piece.frames)
    check_complete(piece.frames / piece.rate, stated / piece.rate)
    return piece
