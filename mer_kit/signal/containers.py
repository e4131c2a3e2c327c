"""How many bytes of sound a file states and how many are there, read from its chunks without decoding it.

libsndfile shortens a cut WAV, AIFF, AU, CAF or W64 file to what is there without a word, believes the sizes that
programs writing to a pipe leave in a header, and reads the first only of files joined by `cat`.

Source: Microsoft's RIFF, EBU Tech 3306 (RF64), Apple's AIFF and CAF, EA's IFF (8SVX), Sun's AU, Sony's W64.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mer_kit.signal.tags import id3_length

#: Sizes from here on in a field of 32 bits are what writers to a pipe put where they know none (SoX's AIFF: 0x7f000000).
NO_LENGTH = {b"RIFF": 0x7FFF0000, b"FORM": 0x7F000000}
#: The same for fields of 64 bits.
NO_LONG_LENGTH = 1 << 62
#: Chunks looked at in one file: more is no music file.
MOST_CHUNKS = 10_000
#: WAVE_FORMAT_MPEG and WAVE_FORMAT_MPEGLAYER3: the data chunk holds MPEG frames.
MPEG_TAGS = (0x50, 0x55)
Order = Literal["big", "little"]
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")


@dataclass(frozen=True)
class Extent:
    """How much sound a file, or one of several joined files, states and how much of it is there.

    Attributes
    ----------
    end : where the next of several joined files begins, or what would be taken for sound; else the length of all
    stated : bytes of sound, or samples where `rate` is given; None where no length is stated
    there : the same, as found
    rate : samples a second, where samples are counted
    offset : where the sound begins
    patches : (offset, bytes) to put over the header so that it states the true length
    behind : bytes behind the sound that are no chunks, so that they may be more of it
    mpeg : the sound is MPEG frames
    broken : the sound breaks off, whatever is stated
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

    @property
    def missing(self) -> int:
        """Bytes or samples that are stated but not there."""
        return max((self.stated or 0) - self.there, 0)


def begins(data: Any, position: int) -> bytes:
    """Return the kind of sound file that begins here ("RIFF", "FORM", "riff", "caff", ".snd", "fLaC", "OggS"), or b"".

    Examples
    --------
    >>> begins(b"RIFF____WAVEfmt ", 0), begins(b"RIFF____AVI LIST", 0)
    (b'RIFF', b'')
    """
    head = bytes(data[position : position + 16])
    kind, inner = head[:4], head[8:12]
    if kind in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return b"RIFF" if inner == b"WAVE" else b""
    if kind == b"FORM":
        return kind if inner in (b"AIFF", b"AIFC", b"8SVX", b"16SV") else b""
    if kind in (b".snd", b"dns."):
        return b".snd"
    starts = (_W64_RIFF, b"caff\0\1", b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22", b"OggS\0\2")
    return kind if head.startswith(starts) else b""


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
    """Yield each chunk's name, the offset of its size field, the offset of its content, and the size it states."""
    position = start
    for _ in range(MOST_CHUNKS):
        head = bytes(data[position : position + name + width])
        if len(head) < name + width:
            return
        size = int.from_bytes(head[name:], order)
        content = position + name + width
        yield head[:name], position + name, content, size - (name + width if inclusive else 0)
        step = size if inclusive else name + width + size
        if step <= 0:
            return
        position += step + -step % align


def riff(data: Any, start: int) -> Extent | None:
    """RIFF (little-endian), RIFX (big-endian), and RF64 or BW64, whose ds64 chunk has sizes of 64 bits."""
    order: Order = "big" if data[start : start + 4] == b"RIFX" else "little"
    mpeg, long_sizes = False, 0
    for name, field, content, stated in _chunks(data, start + 12, order=order, align=2):
        if name == b"fmt ":
            mpeg = int.from_bytes(data[content : content + 2], order) in MPEG_TAGS
        if name == b"ds64":
            long_sizes = content
        if name == b"data" and long_sizes and stated == 0xFFFFFFFF:
            stated = int.from_bytes(data[long_sizes + 8 : long_sizes + 16], order)
            known, sizes = 0 < stated < NO_LONG_LENGTH, (8, long_sizes, long_sizes + 8)
            return _sound(data, start, content, stated if known else None, order, sizes, mpeg=mpeg)
        if name == b"data":
            empty = stated == 0 and _only_chunks(data, content, order)
            known = 0 < stated < NO_LENGTH[b"RIFF"] or empty
            return _sound(
                data,
                start,
                content,
                stated if known else None,
                order,
                (4, start + 4, field),
                mpeg=mpeg,
            )
    return None


def iff(data: Any, start: int) -> Extent | None:
    """AIFF, AIFF-C and 8SVX: big-endian chunks, the sound in SSND or BODY."""
    for name, field, content, stated in _chunks(data, start + 12, order="big", align=2):
        if name in (b"SSND", b"BODY"):
            known = (8 if name == b"SSND" else 0) < stated < NO_LENGTH[b"FORM"]
            extent = _sound(
                data, start, content, stated if known else None, "big", (4, start + 4, field)
            )
            to_the_end = (
                name == b"SSND" or not known
            )  # libsndfile takes what follows a BODY for more of it
            return extent if to_the_end else dataclasses.replace(extent, end=content + extent.there)
    return None


def caf(data: Any, start: int) -> Extent | None:
    """Apple's CAF: chunks with sizes of 64 bits."""
    for name, field, content, stated in _chunks(data, start + 8, width=8, order="big", align=1):
        if name == b"data":
            known = 4 < stated < NO_LONG_LENGTH
            return _sound(
                data, start, content, stated if known else None, "big", (8, 0, field), align=1
            )
    return None


def w64(data: Any, start: int) -> Extent | None:
    """Sony's W64: chunks named by 16 bytes, whose sizes of 64 bits include their headers."""
    for name, _, content, stated in _chunks(
        data, start + 40, name=16, width=8, order="little", align=8, inclusive=True
    ):
        if name == _W64_DATA:
            known = 0 < stated < NO_LONG_LENGTH
            end = min(content + stated + -stated % 8, len(data)) if known else len(data)
            return Extent(end, stated if known else None, end - content, offset=content)
    return None


def au(data: Any, start: int) -> Extent:
    """Sun's AU: a header, then the sound."""
    order: Order = "big" if data[start : start + 4] == b".snd" else "little"
    offset, stated = (int.from_bytes(data[start + at : start + at + 4], order) for at in (4, 8))
    content = min(start + offset, len(data))
    if not 0 < stated < NO_LENGTH[b"RIFF"]:
        return _sound(data, start, content, None, order, (4, 0, start + 8))
    end = content + stated
    if begins(data, end):
        return Extent(end, stated, stated, offset=content)
    there = len(data) - content
    return Extent(
        len(data), stated, min(there, stated), offset=content, behind=_unexplained(data, end)
    )


def _sound(
    data: Any, start: int, content: int, stated: int | None, order: Order, sizes: tuple[int, int, int],
    *, mpeg: bool = False, align: int = 2,
) -> Extent:  # fmt: skip
    """Return the extent of a sound chunk; `sizes` are the width and the offsets of the size fields of file and chunk."""
    there = len(data) - content
    if stated is None:
        width, whole, chunk = sizes
        values = ((whole, len(data) - start - 8), (chunk, there))
        fits = max(value for _, value in values) < 1 << 8 * width
        patches = (
            tuple((at, value.to_bytes(width, order)) for at, value in values if at) if fits else ()
        )
        return Extent(len(data), None, there, offset=content, patches=patches, mpeg=mpeg)
    width = 8 if align == 1 else 4
    end, behind = _behind(data, content + stated, order=order, width=width, align=align)
    return Extent(end, stated, min(there, stated), offset=content, behind=behind, mpeg=mpeg)


def _behind(data: Any, position: int, *, order: Order, width: int, align: int) -> tuple[int, int]:
    """Return where another file begins behind the sound (else the end of all), and how many bytes are no chunks."""
    for _ in range(MOST_CHUNKS):
        padded = position + -position % align
        for at in {position, padded}:
            if begins(data, at):
                return at, 0
        position = padded if _is_name(data, padded) or not _is_name(data, position) else position
        position += id3_length(data, position)
        if not _is_name(data, position):
            return len(data), _unexplained(data, position)
        position += 4 + width + int.from_bytes(data[position + 4 : position + 4 + width], order)
    return len(data), 0


def _only_chunks(data: Any, position: int, order: Order) -> bool:
    """Tell whether nothing but whole chunks follows to the end."""
    for name, _, content, size in _chunks(data, position, order=order, align=2):
        if not _is_name(name, 0):
            return False
        position = content + size + size % 2
    return len(data) <= position <= len(data) + 1


def _is_name(data: Any, position: int) -> bool:
    """Tell whether a chunk's name stands here: four printable characters."""
    name = bytes(data[position : position + 4])
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def _unexplained(data: Any, position: int) -> int:
    """Return how many bytes there are from here on, unless they begin with nothing but zeros."""
    return len(data) - position if bytes(data[position : position + 65536]).strip(b"\0") else 0
