"""How many bytes of sound a file states and how many it contains, from its chunks, not decoded.

libsndfile silently shortens a truncated WAV, AIFF, AU, CAF or W64 file, trusts the sizes that
programs writing to a pipe leave in a header, and reads only the first of files joined by `cat`.

Source: Microsoft's RIFF, EBU Tech 3306 (RF64), Apple's AIFF and CAF, EA's IFF (8SVX), Sun's AU,
Sony's W64.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mer_kit.signal.tags import id3_length

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
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
_IFF = (b"AIFF", b"AIFC", b"8SVX", b"16SV")
_STARTS = (_W64_RIFF, b"caff\0\1", b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22", b"OggS\0\2")


@dataclass(frozen=True)
class Extent:
    """How much sound a file, or one of several joined files, states and how much it contains.

    Attributes
    ----------
    end : offset of the next of several joined files, or of bytes that would be read as sound; else
        the length of the data
    stated : stated bytes of sound, or samples if `rate` is given; None if no length is stated
    there : actual bytes of sound, or samples if `rate` is given
    rate : sample rate in Hz if samples are counted, else 0
    offset : where the sound begins
    patches : (offset, bytes) that replace parts of the header so that it states the true length
    behind : bytes after the sound that are not chunks, so that they may be more sound
    mpeg : whether the sound is MPEG frames
    broken : whether the sound is cut off, whatever is stated
    kind, start : first bytes of the file, and where it begins, after ID3 tags and earlier files
    """

    end: int
    stated: int | None
    there: int
    rate: int = 0
    offset: int = 0
    patches: tuple[tuple[int, bytes], ...] = ()
    behind: int = 0
    mpeg: bool = False
    broken: bool = False
    kind: bytes = b""
    start: int = 0

    @property
    def missing(self) -> int:
        """Bytes or samples that are stated but missing."""
        return max((self.stated or 0) - self.there, 0)

    @property
    def fraction(self) -> float:
        """Fraction of the stated sound that is there."""
        return self.there / (self.there + self.missing) if self.missing else 1.0


def begins(data: Any, position: int) -> bytes:
    """Return the kind of sound file that begins here, or b"".

    Kinds are b"RIFF", b"FORM", b"riff", b"caff", b".snd", b"fLaC" and b"OggS".

    Examples
    --------
    >>> begins(b"RIFF____WAVEfmt ", 0), begins(b"RIFF____AVI LIST", 0)
    (b'RIFF', b'')
    """
    head = bytes(data[position : position + 16])
    kind, inner = head[:4], head[8:12]
    if kind in (b"RIFF", b"RIFX", b"RF64", b"BW64") and inner == b"WAVE":
        return b"RIFF"
    if head.startswith(_STARTS) or (kind == b"FORM" and inner in _IFF):
        return kind
    return b".snd" if kind in (b".snd", b"dns.") else b""


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
    order: Order = "big" if data[start : start + 4] == b"RIFX" else "little"
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


def iff(data: Any, start: int) -> Extent | None:
    """Read AIFF, AIFF-C and 8SVX: big-endian chunks, the sound in SSND or BODY.

    Examples
    --------
    >>> extent = iff(b"FORM" + bytes(4) + b"8SVXBODY" + bytes([0, 0, 0, 6, 1, 2, 3, 4]), 0)
    >>> extent.stated, extent.there
    (6, 4)
    """
    empty = {b"SSND": 8, b"BODY": 0}  # sizes of these chunks if they contain no sound
    for name, field, content, stated in _chunks(data, start + 12, order="big", align=2):
        if name in empty:
            length = _length(stated, NO_LENGTH[b"FORM"], above=empty[name])
            extent = _sound(data, start, content, length, "big", (4, start + 4, field))
            cut = name == b"BODY" and length is not None  # libsndfile would read on after its end
            return dataclasses.replace(extent, end=content + extent.there) if cut else extent
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
    order: Order = "big" if data[start : start + 4] == b".snd" else "little"
    offset = int.from_bytes(data[start + 4 : start + 8], order)
    stated = int.from_bytes(data[start + 8 : start + 12], order)
    content = min(start + offset, len(data))
    if not 0 < stated < NO_LENGTH[b"RIFF"]:
        return _sound(data, start, content, None, order, (4, 0, start + 8))
    end = content + stated
    if begins(data, end):
        return Extent(end, stated, stated, offset=content)
    there, behind = min(len(data) - content, stated), _unexplained(data, end)
    return Extent(len(data), stated, there, offset=content, behind=behind)


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
    width = 8 if align == 1 else 4
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
        if _is_name(data, padded) or not _is_name(data, position):
            position = padded
        position += id3_length(data, position)
        if not _is_name(data, position):
            return len(data), _unexplained(data, position)
        position += 4 + width + int.from_bytes(data[position + 4 : position + 4 + width], order)
    return len(data), 0


def _only_chunks(data: Any, position: int, order: Order) -> bool:
    """Return whether the rest of the data consists of whole chunks."""
    for name, _, content, size in _chunks(data, position, order=order, align=2):
        if not _is_name(name, 0):
            return False
        position = content + size + size % 2
    return len(data) <= position <= len(data) + 1


def _is_name(data: Any, position: int) -> bool:
    """Return whether a chunk's name is at this position: four printable characters."""
    name = bytes(data[position : position + 4])
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def _unexplained(data: Any, position: int) -> int:
    """Return the number of remaining bytes, or 0 if they begin with a long run of zeros."""
    return len(data) - position if bytes(data[position : position + 65536]).strip(b"\0") else 0
