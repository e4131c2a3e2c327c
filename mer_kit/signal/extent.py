"""The extent of the sound in a file, and the tags that may surround it.

Source: id3.org's ID3v2.4 and hydrogenaud.io's APEv2.

Notebook: 01_segmentation
"""

from dataclasses import dataclass
from typing import Any


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
        """Fraction of the stated sound that is there, not quite 0 if nothing is."""
        there = max(self.there, 1)
        return there / (there + self.missing)


def id3_length(data: Any, position: int) -> int:
    """Return the length in bytes of the ID3v2 tag at `position`, or 0 if there is none.

    Examples
    --------
    >>> id3_length(b"ID3" + bytes([4, 0, 0, 0, 0, 1, 2]), 0)  # 10 bytes of header, then 130
    140
    """
    head = bytes(data[position : position + 10])
    if head[:3] != b"ID3" or len(head) < 10 or head[3] == 0xFF or max(head[6:10]) >= 0x80:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + 10 * bool(head[5] & 0x10)  # the last: a footer


def tag_length(data: Any, position: int) -> int:
    """Return the length in bytes of the ID3v2 or APEv2 tag at `position`, or 0 if none fits.

    Examples
    --------
    >>> tag = b"ID3" + bytes([4, 0, 0, 0, 0, 0, 2]) + b"ab"
    >>> tag_length(tag, 0), tag_length(tag[:-1], 0)  # the second is truncated
    (12, 0)
    """
    length = id3_length(data, position)
    head = bytes(data[position : position + 32])
    if head[:8] == b"APETAGEX" and len(head) == 32:
        is_header = bool(head[23] & 0x20)  # a footer comes after the items of its tag
        length = 32 + int.from_bytes(head[12:16], "little") * is_header
    return length * (position + length <= len(data))
