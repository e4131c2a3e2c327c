"""Tags before, between and behind the frames of an MP3, and before other sound files: ID3v2 and APEv2.

Source: id3.org, ID3v2.4 structure; the APEv2 specification of hydrogenaud.io.
"""

from __future__ import annotations

from typing import Any


def id3_length(data: Any, position: int) -> int:
    """Return how many bytes an ID3v2 tag takes at `position`, 0 where there is none.

    Examples
    --------
    >>> id3_length(b"ID3" + bytes([4, 0, 0, 0, 0, 1, 2]), 0)  # 10 bytes of header, then 130
    140
    """
    head = bytes(data[position : position + 10])
    if head[:3] != b"ID3" or len(head) < 10 or head[3] == 0xFF or max(head[6:10]) >= 0x80:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def tag_length(data: Any, position: int) -> int:
    """Return how many bytes an ID3v2 or APEv2 tag takes at `position`, 0 where there is none that fits."""
    length = id3_length(data, position)
    head = bytes(data[position : position + 32])
    if head[:8] == b"APETAGEX" and len(head) == 32:
        size, flags = int.from_bytes(head[12:16], "little"), int.from_bytes(head[20:24], "little")
        length = 32 + (size if flags & 0x20000000 else 0)
    return length if position + length <= len(data) else 0
