"""How many bytes of sound a file states and how many are there, read from its container without decoding it.

libsndfile shortens a cut WAV, AIFF, AU, CAF or W64 file to what is there without a word, and believes the sizes that
programs writing to a pipe leave in a header. The containers are simple enough to ask them directly.

Source: Microsoft's RIFF, EBU Tech 3306 (RF64), Apple's AIFF and CAF, Sun's AU, Sony's W64, RFC 3533 (Ogg).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

#: Sizes from here on (2 GiB − 64 KiB in a field of 32 bits) are what writers to a pipe put where they know none.
NO_LENGTH = 0x7FFF0000
#: Chunks looked at before the sound begins, pages of Ogg looked for from the end: more is no music file.
MOST_CHUNKS = 10_000
Order = Literal["big", "little"]
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")


@dataclass(frozen=True)
class SoundBytes:
    """Where a file's sound lies: its offset, the bytes stated (None where the header states none), the bytes there.

    `patches` are (offset, bytes) to put over the header so that it states the true sizes.
    """

    offset: int
    stated: int | None
    there: int
    patches: tuple[tuple[int, bytes], ...] = ()

    @property
    def missing(self) -> int:
        """Bytes that are stated but not there."""
        return max((self.stated or 0) - self.there, 0)


def sound_bytes(path: Path) -> SoundBytes | None:
    """Return where the sound of a WAV, RF64, W64, AIFF, CAF or AU file lies; None for any other file.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(40)
        for begins, read in _READERS:
            if begins(head):
                return read(file, head, size)
    return None


def ogg_state(path: Path) -> str | None:
    """Return "whole", "cut" or "joined" for an Ogg file, and None for any other.

    It is cut if its last page is not whole or not marked as the end of its stream, and joined if that page belongs to
    another stream than the first one.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(27)
        if head[:4] != b"OggS" or len(head) < 27:
            return None
        size = file.seek(0, 2)
        start = max(size - 2 * 65307, 0)  # the longest page has 65,307 bytes
        file.seek(start)
        tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return "cut"
    n_segments = tail[at + 26]
    lengths = tail[at + 27 : at + 27 + n_segments]
    whole = len(lengths) == n_segments and len(tail) >= at + 27 + n_segments + sum(lengths)
    if not whole or not tail[at + 5] & 4:
        return "cut"
    return "whole" if tail[at + 14 : at + 18] == head[14:18] else "joined"


def _chunks(
    file: IO[bytes], start: int, end: int, *, name: int, width: int, order: Order, align: int, inclusive: bool
) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield each chunk's name, the offset of its size field, the offset of its content, and the size it states."""
    position = start
    for _ in range(MOST_CHUNKS):
        file.seek(position)
        head = file.read(name + width)
        if len(head) < name + width or position >= end:
            return
        size = int.from_bytes(head[name:], order)
        content = position + name + width
        yield head[:name], position + name, content, size - (name + width if inclusive else 0)
        step = size if inclusive else name + width + size
        if step <= 0:
            return
        position += step + -step % align


def _riff(file: IO[bytes], head: bytes, size: int) -> SoundBytes | None:
    """RIFF (little-endian), RIFX (big-endian) and RF64 or BW64, whose ds64 chunk has sizes of 64 bits."""
    long_size: int | None = None
    riff_size = int.from_bytes(head[4:8], "little")
    order: Order = "big" if head[:4] == b"RIFX" else "little"
    for name, field, content, stated in _chunks(file, 12, size, name=4, width=4, order=order, align=2, inclusive=False):
        if name == b"ds64":
            file.seek(content + 8)
            long_size = int.from_bytes(file.read(8), "little")
        if name == b"data":
            there = size - content
            if long_size is not None and stated == 0xFFFFFFFF:
                return SoundBytes(content, long_size or None, there)
            if 0 < stated < NO_LENGTH:
                return SoundBytes(content, stated, there)
            if stated == 0 and size - 1 <= riff_size + 8 < NO_LENGTH:  # other chunks may follow an empty one
                return SoundBytes(content, 0, 0)
            return SoundBytes(content, None, there, _patches(order, (4, size - 8), (field, there)))
    return None


def _w64(file: IO[bytes], head: bytes, size: int) -> SoundBytes | None:
    for name, _, content, stated in _chunks(file, 40, size, name=16, width=8, order="little", align=8, inclusive=True):
        if name == _W64_DATA:
            return SoundBytes(content, stated if 0 < stated < 1 << 62 else None, size - content)
    return None


def _aiff(file: IO[bytes], head: bytes, size: int) -> SoundBytes | None:
    for name, _, content, stated in _chunks(file, 12, size, name=4, width=4, order="big", align=2, inclusive=False):
        if name == b"SSND":
            return SoundBytes(content, stated if 8 < stated < NO_LENGTH else None, size - content)
    return None


def _caf(file: IO[bytes], head: bytes, size: int) -> SoundBytes | None:
    for name, _, content, stated in _chunks(file, 8, size, name=4, width=8, order="big", align=1, inclusive=False):
        if name == b"data":
            return SoundBytes(content, stated if 4 < stated < 1 << 62 else None, size - content)
    return None


def _au(file: IO[bytes], head: bytes, size: int) -> SoundBytes:
    order: Order = "big" if head[:4] == b".snd" else "little"
    offset, stated = (int.from_bytes(head[at : at + 4], order) for at in (4, 8))
    there = max(size - offset, 0)
    if 0 < stated < NO_LENGTH:
        return SoundBytes(offset, stated, there)
    return SoundBytes(offset, None, there, _patches(order, (8, there)))


def _patches(order: Order, *sizes: tuple[int, int]) -> tuple[tuple[int, bytes], ...]:
    """Return the bytes of size fields of 32 bits at their offsets; none where a file is too long for them."""
    if any(value > 0xFFFFFFFF for _, value in sizes):
        return ()
    return tuple((offset, value.to_bytes(4, order)) for offset, value in sizes)


_Reader = Callable[[IO[bytes], bytes, int], SoundBytes | None]
_READERS: tuple[tuple[Callable[[bytes], bool], _Reader], ...] = (
    (lambda head: head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE", _riff),
    (lambda head: head[:4] == b"riff", _w64),
    (lambda head: head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"), _aiff),
    (lambda head: head[:4] == b"caff", _caf),
    (lambda head: head[:4] in (b".snd", b"dns."), _au),
)
