"""How much sound is in FLAC, Ogg and MPEG-4, whose lengths are read from frames, pages and boxes.

Source: RFC 9639 (FLAC), RFC 3533 (Ogg) and ISO/IEC 14496-12 (boxes of MPEG-4).

Notebook: 01_segmentation
"""

import re
import struct
from typing import Any

from mer_kit.signal.extent import Extent

#: The beginning of a FLAC file.
FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
#: First bytes of the first packet of an audio stream in Ogg.
_OGG_SOUND = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_FLAC_SIZES = {
    1: 192,
    **{n: 576 << n - 2 for n in range(2, 6)},
    **{n: 256 << n - 8 for n in range(8, 16)},
}
#: Largest number of positions that are tried as FLAC's last frame.
MOST_TRIES = 100_000


def flac(data: Any, start: int) -> Extent | None:
    """Read FLAC: the header states the number of samples (0: unknown), and frames are numbered.

    Examples
    --------
    >>> import io, soundfile
    >>> file = io.BytesIO()
    >>> soundfile.write(file, [i / 16384 for i in range(16384)], 16000, format="FLAC")
    >>> extent = flac(file.getvalue(), 0)
    >>> extent.stated, extent.there, extent.rate
    (16384, 16384, 16000)
    """
    info = bytes(data[start + 8 : start + 42])
    if len(info) < 34:
        return None
    end = next((match.start() for match in FLAC.finditer(data, start + 42)), len(data))
    rate = int.from_bytes(info[10:13], "big") >> 4
    stated = int.from_bytes(info[13:18], "big") & (1 << 36) - 1
    there = _flac_samples(data, start + 42, end, int.from_bytes(info[2:4], "big"))
    length = (start + 21, ((info[13] & 0xF0) << 32 | there).to_bytes(5, "big"))
    patches: tuple[tuple[int, bytes], ...] = ()
    if there > stated:
        patches = (length,)
    return Extent(end, stated or None, there, rate=rate, patches=patches)


def _flac_samples(data: Any, start: int, end: int, block: int) -> int:
    """Return where the last frame between `start` and `end` ends, in samples; 0 if none does."""
    position = end
    for _ in range(MOST_TRIES):
        position = max(data.rfind(sync, start, position) for sync in (b"\xff\xf8", b"\xff\xf9"))
        if position < 0:
            return 0
        samples = _flac_frame_end(bytes(data[position : position + 16]), block)
        if samples is not None:
            return samples
    return 0


def _flac_frame_end(head: bytes, block: int) -> int | None:
    """Return 1 + the number of the last sample of a frame, or None if this is not a header."""
    if len(head) < 6 or head[3] & 1:  # sync, sizes, a number of one byte and the checksum
        return None
    # The number is coded like a character in UTF-8.
    n_more = max(7 - (head[4] ^ 0xFF).bit_length(), 0)
    number = head[4] & 0x7F >> n_more + bool(n_more)
    for byte in head[5 : 5 + n_more]:
        number = number << 6 | byte & 0x3F
    end, size, rate = 5 + n_more, head[2] >> 4, head[2] & 15
    extra = {6: 1, 7: 2}.get(size, 0)
    n_samples = _FLAC_SIZES.get(size, int.from_bytes(head[end : end + extra], "big") + 1)
    end += extra + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if size == 0 or rate == 15 or end >= len(head) or _crc8(head[:end]) != head[end]:
        return None
    if not head[1] & 1:  # blocks of one size: the number is that of the frame
        number *= block
    return number + n_samples


def _crc8(data: bytes) -> int:
    """Return the remainder of the data, followed by eight zero bits, modulo x⁸ + x² + x + 1."""
    rest = int.from_bytes(data, "big") << 8
    while rest > 0xFF:
        rest ^= 0x107 << rest.bit_length() - 9
    return rest


def ogg(data: Any, start: int) -> Extent | None:
    """Read Ogg up to where a new stream begins after another's pages.

    It is broken if an audio stream lacks its last page.

    Examples
    --------
    >>> import io, soundfile
    >>> file = io.BytesIO()
    >>> soundfile.write(file, [0.5] * 16000, 16000, format="OGG")
    >>> ogg(file.getvalue(), 0).broken, ogg(file.getvalue()[:-1], 0).broken
    (False, True)
    """
    ended: dict[bytes, bool] = {}
    position, end, in_body = start, len(data), False
    while (page := data.find(b"OggS\0", position)) >= 0 and page + 27 <= len(data):
        flags, serial = data[page + 5], bytes(data[page + 14 : page + 18])
        content = page + 27 + data[page + 26]
        position = content + sum(data[page + 27 : content])
        if flags & 2 and in_body:
            end = page
            break
        in_body = in_body or not flags & 2
        if flags & 2 and bytes(data[content : content + 8]).startswith(_OGG_SOUND):
            ended[serial] = False
        if flags & 4 and serial in ended and position <= len(data):
            ended[serial] = True
    if not ended:
        return None
    return Extent(end, None, end - start, broken=not all(ended.values()))


def mp4(data: Any, start: int) -> Extent:
    """Read MPEG-4 (M4A): boxes, of which mdat contains the sound and moov describes it.

    It is broken if moov is missing or a box is truncated.

    Examples
    --------
    >>> moov = bytes([0, 0, 0, 16]) + b"moov" + bytes(8)
    >>> mdat = bytes([0, 0, 0, 32]) + b"mdat" + bytes(8)
    >>> extent = mp4(moov + mdat, 0)
    >>> extent.stated, extent.there, extent.broken
    (32, 16, True)
    """
    position, stated, there, has_index = start, 0, 0, False
    while position + 16 <= len(data):
        short, name, long = struct.unpack_from(">I4sQ", data, position)
        length = {0: len(data) - position, 1: long}.get(short, short)
        if length < 8:
            break
        if name == b"mdat":
            stated += length
            there += min(length, len(data) - position)
        has_index = has_index or (name == b"moov" and position + length <= len(data))
        position += length
    return Extent(len(data), stated or None, there, broken=not has_index or position > len(data))
