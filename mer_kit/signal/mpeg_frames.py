"""The header of an MPEG audio frame: its format, its length in bytes, and its info frame.

Source: ISO/IEC 11172-3 and 13818-3 (frame header); the Xing, LAME and VBRI headers as encoders
write them.
"""

import itertools
import struct
from dataclasses import dataclass
from typing import Any

#: A length in `HEADERS` below this is only the padding of a frame of free bit rate, whose length
#: must be found from the next frame.
SHORTEST = 24
#: Largest length in bytes that is tried for a frame of free bit rate.
_LONGEST_FREE = 6000
#: This many matching headers in a row are not chance, not even among the samples of a quiet WAV.
_FREE_ALIKE = 8
#: Version bits → sample rates in Hz.
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
#: (MPEG-1, layer bits) → bit rates in kbit/s.
_KBIT = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
#: Layer bits → bytes by which padding lengthens a frame.
_SLOT_BYTES = {1: 1, 2: 1, 3: 4}
#: (MPEG-1, mono) → bytes of side information in Layer III.
_SIDE_BYTES = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}


@dataclass(frozen=True)
class Format:
    """What must stay the same for one decoder to read two frames.

    `version` and `layer` are the header's bits (layer 1 is Layer III). `kbit` is 0 in Layer III,
    where an info frame gives the decoder the length, whatever the bit rates are.
    """

    version: int
    layer: int
    rate: int
    mono: bool
    kbit: int = 0

    @property
    def samples(self) -> int:
        """Samples per frame and channel."""
        if self.layer == 3:
            return 384
        if self.layer == 1 and self.version != 3:
            return 576
        return 1152

    @property
    def info_offset(self) -> int:
        """Bytes from the start of the frame to the Xing header, after the side information."""
        return 4 + _SIDE_BYTES[self.version == 3, self.mono]


def _headers() -> dict[int, tuple[Format, Format, int]]:
    """Return bytes 2 and 3 of a header → stereo Format, mono Format, and frame length in bytes."""
    table, formats = {}, dict[Format, Format]()
    for (version, rates), layer in itertools.product(RATES.items(), (1, 2, 3)):
        slot = _SLOT_BYTES[layer]
        for number, kbit in enumerate((0, *_KBIT[version == 3, layer])):
            for column, rate in enumerate(rates):
                both = (
                    Format(version, layer, rate, mono, kbit * (layer != 1))
                    for mono in (False, True)
                )
                stereo, mono = (formats.setdefault(form, form) for form in both)  # compared by `is`
                for padding, protection, private in itertools.product((0, 1), repeat=3):
                    length = (stereo.samples // 8 * kbit * 1000 // rate // slot + padding) * slot
                    second = 0xE0 | version << 3 | layer << 1 | protection
                    third = number << 4 | column << 2 | padding << 1 | private
                    table[second << 8 | third] = (stereo, mono, length)
    return table


#: Bytes 2 and 3 of a header → stereo Format, mono Format, and frame length in bytes.
HEADERS = _headers()


def info_at(data: Any, position: int, form: Format) -> tuple[int | None, int] | None:
    r"""Return the frames that an info frame states and the samples that decoders trim, or None.

    The number of frames is None if the info frame does not state it; the whole result is None if
    the frame at `position` is not an info frame.

    Examples
    --------
    >>> frame = b"\xff\xfb\x90\x64".ljust(36, b"\0") + b"Xing" + struct.pack(">II", 1, 230)
    >>> info_at(frame, 0, Format(version=3, layer=1, rate=44100, mono=False))
    (230, 0)
    """
    start = position + form.info_offset
    if data[start : start + 4] in (b"Xing", b"Info"):
        flags, frames = struct.unpack(">II", data[start + 4 : start + 12])
        fields = ((1, 4), (2, 4), (4, 100), (8, 4))
        lame = start + 8 + sum(size for flag, size in fields if flags & flag)
        delays = int.from_bytes(data[lame + 21 : lame + 24], "big")
        return (frames if flags & 1 else None), (delays >> 12) + (delays & 0xFFF)
    if data[position + 36 : position + 40] == b"VBRI":
        return int.from_bytes(data[position + 50 : position + 54], "big"), 0
    return None


def frame_at(data: Any, position: int, free: dict[Format, int]) -> tuple[Format, int] | None:
    """Return format and length in bytes of the frame whose header is at `position`, or None.

    `free` collects the lengths of frames of free bit rate, without padding.

    Examples
    --------
    >>> frame_at(bytes.fromhex("fffb9064"), 0, {})  # MPEG-1 Layer III, 128 kbit/s, joint stereo
    (Format(version=3, layer=1, rate=44100, mono=False, kbit=0), 417)
    """
    if position + 4 > len(data) or data[position] != 0xFF:
        return None
    header = HEADERS.get(data[position + 1] << 8 | data[position + 2])
    if header is None:
        return None
    stereo, mono, length = header
    form = mono if data[position + 3] >> 6 == 3 else stereo
    if length >= SHORTEST:
        return form, length
    if form not in free:
        free_length = _free_length(data, position)
        if not free_length:
            return None
        free[form] = free_length
    return form, free[form] + length


def _free_length(data: Any, position: int) -> int:
    """Return the unpadded length of frames of free bit rate, or 0.

    It is the distance at which matching headers follow one another.
    """
    slot = _SLOT_BYTES[data[position + 1] >> 1 & 3]
    sync, end = bytes((0xFF, data[position + 1])), position + _LONGEST_FREE
    following = data.find(sync, position + SHORTEST, end)
    while following >= 0:
        length = following - position - (data[position + 2] >> 1 & 1) * slot
        other, n_alike = following, 0
        while n_alike < _FREE_ALIKE and _alike(data, position, other):
            n_alike += 1
            other += length + (data[other + 2] >> 1 & 1) * slot
        if n_alike == _FREE_ALIKE or (n_alike > 1 and other + 4 > len(data)):
            return int(length)
        following = data.find(sync, following + 1, end)
    return 0


def _alike(data: Any, position: int, other: int) -> bool:
    """Return whether two headers differ only in padding, private bit and stereo coding."""
    one, two = bytes(data[position : position + 4]), bytes(data[other : other + 4])
    if len(two) < 4 or one[:2] != two[:2] or (one[2] ^ two[2]) & 0xFC:
        return False
    return (one[3] >> 6 == 3) == (two[3] >> 6 == 3)
