"""ID3v2 and APEv2 tags: before, between and after MP3 frames, and before other sound files.

Source: id3.org, ID3v2.4 structure; the APEv2 specification of hydrogenaud.io.
"""

from typing import Any


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
        is_header = head[23] & 0x20 > 0  # a footer comes after the items of its tag
        length = 32 + int.from_bytes(head[12:16], "little") * is_header
    return length if position + length <= len(data) else 0
