"""How much sound FLAC, Ogg and MPEG-4 files state and how much is there, without decoding it.

Source: RFC 9639 (FLAC), RFC 3533 (Ogg), ISO/IEC 14496-12 (boxes of MPEG-4).
"""

from __future__ import annotations

import re
from typing import Any

from mer_kit.signal.containers import Extent

_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
#: How the first packet of a stream of sound begins in Ogg.
_OGG_SOUND = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_FLAC_SIZES = {
    1: 192,
    **{n: 576 << n - 2 for n in range(2, 6)},
    **{n: 256 << n - 8 for n in range(8, 16)},
}
#: So many places that look like FLAC's last frame are tried.
MOST_TRIES = 100_000


def flac(data: Any, start: int) -> Extent | None:
    """FLAC, whose header states the samples (0: unknown) and whose frames are numbered."""
    info = bytes(data[start + 8 : start + 42])
    if len(info) < 34:
        return None
    following = _FLAC.search(data, start + 42)
    end = following.start() if following else len(data)
    rate, stated = (
        int.from_bytes(info[10:13], "big") >> 4,
        int.from_bytes(info[13:18], "big") & (1 << 36) - 1,
    )
    there = _flac_samples(data, start + 42, end, int.from_bytes(info[2:4], "big"))
    patches: tuple[tuple[int, bytes], ...] = ()
    if there > stated:
        patches = ((start + 21, ((info[13] & 0xF0) << 32 | there).to_bytes(5, "big")),)
    return Extent(end, stated or None, there, rate=rate, patches=patches)


def _flac_samples(data: Any, start: int, end: int, block: int) -> int:
    """Return where the last frame between `start` and `end` ends, in samples; 0 if there is no frame."""
    at = end
    for _ in range(MOST_TRIES):
        at = max(data.rfind(b"\xff\xf8", start, at), data.rfind(b"\xff\xf9", start, at))
        if at < 0:
            return 0
        samples = _flac_frame_end(bytes(data[at : at + 16]), block)
        if samples is not None:
            return samples
    return 0


def _flac_frame_end(head: bytes, block: int) -> int | None:
    """Return the number of the last sample + 1 of the frame with this header, or None if it is no header."""
    if len(head) < 16 or head[3] & 1:
        return None
    n_more = (
        (8 - (head[4] ^ 0xFF).bit_length()) - 1 if head[4] >= 0xC0 else 0
    )  # the number is written as UTF-8 is
    number = head[4] & (0xFF >> n_more + 2 if n_more else 0x7F)
    for byte in head[5 : 5 + n_more]:
        number = number << 6 | byte & 0x3F
    at, size, rate = 5 + n_more, head[2] >> 4, head[2] & 15
    extra = {6: 1, 7: 2}.get(size, 0)
    n_samples = _FLAC_SIZES.get(size, int.from_bytes(head[at : at + extra], "big") + 1)
    at += extra + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if size == 0 or rate == 15 or at >= len(head) or _crc8(head[:at]) != head[at]:
        return None
    return (number if head[1] & 1 else number * block) + n_samples


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)
    return crc


def ogg(data: Any, start: int) -> Extent | None:
    """Ogg up to the next beginning of a stream behind another's pages: broken if a stream of sound lacks its last page."""
    ended: dict[bytes, bool] = {}
    position, end, in_body = start, len(data), False
    while (at := data.find(b"OggS\0", position)) >= 0 and at + 27 <= len(data):
        flags, serial, n_lengths = data[at + 5], bytes(data[at + 14 : at + 18]), data[at + 26]
        content = at + 27 + n_lengths
        position = content + sum(data[at + 27 : content])
        if flags & 2 and in_body:
            end = at
            break
        if flags & 2 and bytes(data[content : content + 8]).startswith(_OGG_SOUND):
            ended[serial] = False
        in_body = in_body or not flags & 2
        if flags & 4 and serial in ended and position <= len(data):
            ended[serial] = True
    if not ended:
        return None
    return Extent(end, None, end - start, broken=not all(ended.values()))


def mp4(data: Any, start: int) -> Extent:
    """MPEG-4 (M4A): boxes, of which mdat holds the sound and moov says where; broken without moov or with a cut box."""
    position, stated, there, index = start, 0, 0, False
    while position + 16 <= len(data):
        length, name = (
            int.from_bytes(data[position : position + 4], "big"),
            bytes(data[position + 4 : position + 8]),
        )
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        elif length == 0:
            length = len(data) - position
        if length < 8:
            break
        if name == b"mdat":
            stated += length
            there += min(length, len(data) - position)
        index = index or (name == b"moov" and position + length <= len(data))
        position += length
    return Extent(len(data), stated or None, there, broken=not index or position > len(data))
