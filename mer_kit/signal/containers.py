"""How much sound a file states and how much it contains, not decoded.

libsndfile silently shortens a truncated WAV, AIFF, AU, CAF or W64 file, trusts the sizes that
programs writing to a pipe leave in a header, and reads only the first of files joined by `cat`.

Source: Microsoft's RIFF, EBU Tech 3306 (RF64), Apple's AIFF and CAF, Sun's AU and Sony's W64.

Notebook: 01_segmentation
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

from mer_kit.signal.extent import Extent, id3_length
from mer_kit.signal.streams import FLAC, flac, mp4, ogg

#: 32-bit sizes from here on are placeholders of programs that write to a pipe (SoX, AIFF:
#: 0x7f000000).
NO_LENGTH = {b"RIFF": 0x7FFF0000, b"FORM": 0x7F000000}
#: The same for 64-bit sizes.
NO_LONG_LENGTH = 1 << 62
#: Chunks read in one file; a music file has fewer.
MOST_CHUNKS = 10_000
#: WAVE_FORMAT_MPEG and WAVE_FORMAT_MPEGLAYER3: the data chunk holds MPEG frames.
MPEG_TAGS = (0x50, 0x55)
Order = Literal["big", "little"]
_BIG: dict[bytes, Order] = {b"RIFX": "big", b".snd": "big"}
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
#: A chunk's name: four printable characters.
_NAME = re.compile(rb"[ -~]{4}")
#: First bytes → kind of sound file.
_STARTS = {
    rb"(RIFF|RIFX|RF64|BW64).{4}WAVE": b"RIFF",
    rb"FORM.{4}AIF[FC]": b"FORM",
    re.escape(_W64_RIFF): b"riff",
    rb"caff\x00\x01": b"caff",
    rb"\.snd|dns\.": b".snd",
    FLAC.pattern: b"fLaC",
    rb"OggS\x00\x02": b"OggS",
    rb".{4}ftyp": b"ftyp",
}
#: Largest number of joined files that is looked for.
MOST_JOINED = 1000


def begins(data: Any, position: int) -> bytes:
    """Return the kind of sound file that begins here, or b"".

    Kinds are b"RIFF", b"FORM", b"riff", b"caff", b".snd", b"fLaC", b"OggS" and b"ftyp".

    Examples
    --------
    >>> begins(b"RIFF____WAVEfmt ", 0), begins(b"RIFF____AVI LIST", 0)
    (b'RIFF', b'')
    """
    head = bytes(data[position : position + 16])
    kinds = (kind for start, kind in _STARTS.items() if re.match(start, head, re.DOTALL))
    return next(kinds, b"")


def _chunks(
    data: Any,
    start: int,
    *,
    name: int = 4,
    width: int = 4,
    order: Order,
    align: int,
    inclusive: bool = False,
) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield each chunk's name, offset of its size field, offset of its content, and stated size."""
    position, header = start, name + width
    for _ in range(MOST_CHUNKS):
        head = bytes(data[position : position + header])
        if len(head) < header:
            return
        size = int.from_bytes(head[name:], order) - header * inclusive
        yield head[:name], position + name, position + header, size
        step = header + size
        position += step + -step % align


def _length(stated: int, too_long: int, *, above: int = 0) -> int | None:
    """Return a stated size, or None if it is one of those that mean "unknown"."""
    return stated if above < stated < too_long else None


def riff(data: Any, start: int) -> Extent | None:
    """Read RIFF (little-endian), RIFX (big-endian), and RF64 or BW64 (64-bit sizes in ds64).

    Examples
    --------
    >>> extent = riff(b"RIFF" + bytes([16, 0, 0, 0]) + b"WAVEdata" + bytes([8, 0, 0, 0, 1, 2]), 0)
    >>> extent.stated, extent.there, extent.missing  # cut off after two of eight bytes
    (8, 2, 6)
    """
    order = _BIG.get(data[start : start + 4], "little")
    mpeg, long_sizes = False, 0
    for name, field, content, stated in _chunks(data, start + 12, order=order, align=2):
        if name == b"fmt ":
            mpeg = int.from_bytes(data[content : content + 2], order) in MPEG_TAGS
        if name == b"ds64":
            long_sizes = content
        if name == b"data":
            length, sizes = _length(stated, NO_LENGTH[b"RIFF"]), (4, start + 4, field)
            if long_sizes and stated == 0xFFFFFFFF:
                stated = int.from_bytes(data[long_sizes + 8 : long_sizes + 16], order)
                length, sizes = _length(stated, NO_LONG_LENGTH), (8, long_sizes, long_sizes + 8)
            elif stated == 0 and _only_chunks(data, content, order):
                length = 0
            return _sound(data, start, content, length, order, sizes, mpeg=mpeg)
    return None


def aiff(data: Any, start: int) -> Extent | None:
    """Read AIFF and AIFF-C: big-endian chunks, the sound in SSND, which is 8 bytes if empty.

    Examples
    --------
    >>> extent = aiff(b"FORM" + bytes(4) + b"AIFFSSND" + bytes([0, 0, 0, 10, 1, 2, 3, 4]), 0)
    >>> extent.stated, extent.there
    (10, 4)
    """
    for name, field, content, stated in _chunks(data, start + 12, order="big", align=2):
        if name == b"SSND":
            length = _length(stated, NO_LENGTH[b"FORM"], above=8)
            return _sound(data, start, content, length, "big", (4, start + 4, field))
    return None


def caf(data: Any, start: int) -> Extent | None:
    """Read Apple's CAF: chunks with 64-bit sizes.

    Examples
    --------
    >>> chunk = b"data" + (12).to_bytes(8, "big") + bytes(5)
    >>> extent = caf(b"caff" + bytes([0, 1, 0, 0]) + chunk, 0)
    >>> extent.stated, extent.there
    (12, 5)
    """
    for name, field, content, stated in _chunks(data, start + 8, width=8, order="big", align=1):
        if name == b"data":
            length = _length(stated, NO_LONG_LENGTH, above=4)
            return _sound(data, start, content, length, "big", (8, 0, field), align=1)
    return None


def w64(data: Any, start: int) -> Extent | None:
    """Read Sony's W64: chunks with 16-byte names and 64-bit sizes that include the header.

    Examples
    --------
    >>> chunk = _W64_DATA + (24 + 16).to_bytes(8, "little")
    >>> extent = w64(_W64_RIFF + bytes(24) + chunk + bytes(4), 0)
    >>> extent.stated, extent.there
    (16, 4)
    """
    for name, _, content, stated in _chunks(
        data, start + 40, name=16, width=8, order="little", align=8, inclusive=True
    ):
        if name == _W64_DATA:
            length, end = _length(stated, NO_LONG_LENGTH), len(data)
            if length is not None:
                end = min(content + length + -length % 8, end)
            return Extent(end, length, end - content, offset=content)
    return None


def au(data: Any, start: int) -> Extent:
    """Read Sun's AU: a header, then the sound.

    Examples
    --------
    >>> extent = au(b".snd" + bytes([0, 0, 0, 24, 0, 0, 0, 10]) + bytes(12 + 4), 0)
    >>> extent.stated, extent.there
    (10, 4)
    """
    order = _BIG.get(data[start : start + 4], "little")
    content = min(start + int.from_bytes(data[start + 4 : start + 8], order), len(data))
    stated = int.from_bytes(data[start + 8 : start + 12], order)
    if not 0 < stated < NO_LENGTH[b"RIFF"]:
        return _sound(data, start, content, None, order, (4, 0, start + 8))
    end = content + stated
    if begins(data, end):
        return Extent(end, stated, stated, offset=content)
    there = min(len(data) - content, stated)
    return Extent(len(data), stated, there, offset=content, behind=_unexplained(data, end))


def _sound(
    data: Any,
    start: int,
    content: int,
    stated: int | None,
    order: Order,
    sizes: tuple[int, int, int],
    *,
    mpeg: bool = False,
    align: int = 2,
) -> Extent:
    """Return the extent of a sound chunk.

    `sizes` are the width of the size fields, and their offsets: that of the file and of the chunk.
    """
    there = len(data) - content
    if stated is None:
        width, whole, chunk = sizes
        values = {whole: len(data) - start - 8, chunk: there}
        fit = max(values.values()) < 1 << 8 * width
        patches = tuple(
            (field, value.to_bytes(width, order))
            for field, value in values.items()
            if fit and field
        )
        return Extent(len(data), None, there, offset=content, patches=patches, mpeg=mpeg)
    width = {1: 8, 2: 4}[align]  # of later chunks' sizes
    end, behind = _behind(data, content + stated, order=order, width=width, align=align)
    return Extent(end, stated, min(there, stated), offset=content, behind=behind, mpeg=mpeg)


def _behind(data: Any, position: int, *, order: Order, width: int, align: int) -> tuple[int, int]:
    """Return where another file begins after the sound, and how many bytes are not chunks.

    The first is the length of the data if no other file follows.
    """
    for _ in range(MOST_CHUNKS):
        padded = position + -position % align
        beginning = next((here for here in (position, padded) if begins(data, here)), None)
        if beginning is not None:
            return beginning, 0
        if _NAME.match(data, padded) or not _NAME.match(data, position):
            position = padded
        position += id3_length(data, position)
        if not _NAME.match(data, position):
            return len(data), _unexplained(data, position)
        position += 4 + width + int.from_bytes(data[position + 4 : position + 4 + width], order)
    return len(data), 0


def _only_chunks(data: Any, position: int, order: Order) -> bool:
    """Return whether the rest of the data consists of whole chunks."""
    for name, _, content, size in _chunks(data, position, order=order, align=2):
        if not _NAME.match(name):
            return False
        position = content + size + size % 2
    return len(data) <= position <= len(data) + 1


def _unexplained(data: Any, position: int) -> int:
    """Return the number of remaining bytes, or 0 if they begin with a long run of zeros."""
    if not bytes(data[position : position + 65536]).strip(b"\0"):
        return 0
    return len(data) - position


#: First bytes → reader of a container.
_READERS: dict[bytes, Callable[[Any, int], Extent | None]] = {
    b"RIFF": riff,
    b"FORM": aiff,
    b"caff": caf,
    b"riff": w64,
    b".snd": au,
    b"fLaC": flac,
    b"OggS": ogg,
    b"ftyp": mp4,
}


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
    for _ in range(MOST_JOINED):
        while tag := id3_length(data, start):
            start += tag
        kind = begins(data, start)
        extent = _READERS[kind](data, start) if kind else None
        if extent is None:
            break
        files.append(replace(extent, kind=kind, start=start))
        start = extent.end
    return files
