"""Walk an MP3 file frame by frame: how many frames it states, how many are there, and where they lie.

An MP3 is a row of frames, each with its own header, and nothing but the frames themselves says how long the sound is:
the Xing, Info or VBRI frame at the beginning may be missing, or speak of the first of several joined files.

Source: ISO/IEC 11172-3 and 13818-3 (frame header); the Xing, LAME and VBRI headers as encoders write them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBIT = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


@dataclass(frozen=True)
class Format:
    """What must not change between two frames that one decoder reads; `layer` is the header's two bits (1 = III)."""

    version: int
    layer: int
    rate: int
    mono: bool

    @property
    def samples(self) -> int:
        """Samples per frame and channel."""
        if self.layer == 3:
            return 384
        return 576 if self.layer == 1 and self.version != 3 else 1152

    @property
    def info_offset(self) -> int:
        """Bytes from the frame's beginning to the Xing header, which follows the side information."""
        return 4 + ((17 if self.mono else 32) if self.version == 3 else (9 if self.mono else 17))


@dataclass
class Part:
    """Consecutive frames of one format: byte ranges in the file, how many there are, and how many were stated."""

    format: Format
    ranges: list[list[int]] = field(default_factory=list)
    frames: int = 0
    info_frames: int = 0
    stated: int | None = None
    trimmed: int = 0

    @property
    def seconds(self) -> float:
        """Seconds of sound that are there."""
        return self.frames * self.format.samples / self.format.rate

    @property
    def stated_seconds(self) -> float:
        """Seconds that the info frame states; what is there where it states fewer or there is none."""
        return max(self.frames, self.stated or 0) * self.format.samples / self.format.rate


def _headers() -> dict[int, tuple[Format, Format, int]]:
    """Return second and third byte of a header → its stereo and mono Format and the frame's length in bytes."""
    table = {}
    for version, rates in _RATES.items():
        for layer in (1, 2, 3):
            kbits = _KBIT[version == 3, layer]
            for number, padding in ((n, p) for n in range(1, 15) for p in (0, 1)):
                for at, rate in enumerate(rates):
                    stereo, mono = (Format(version, layer, rate, one) for one in (False, True))
                    slot = 4 if layer == 3 else 1
                    length = (stereo.samples // 8 * kbits[number - 1] * 1000 // rate // slot + padding) * slot
                    for protection, private in ((a, b) for a in (0, 1) for b in (0, 1)):
                        second = 0xE0 | version << 3 | layer << 1 | protection
                        third = number << 4 | at << 2 | padding << 1 | private
                        table[second << 8 | third] = (stereo, mono, length)
    return table


_HEADERS = _headers()


def walk(data: Any) -> list[Part]:
    """Return the parts of an MP3 file's bytes, in order; [] where no frame is found.

    Tags (ID3v1, ID3v2, APEv2, Lyrics3), zeros and damaged stretches between frames are passed over. Info frames carry
    no sound: they are left out of `ranges` and `frames`, and each begins a new part. So does a change of format.

    Parameters
    ----------
    data : bytes or a memory map
    """
    parts: list[Part] = []
    position, size = 0, len(data)
    while position + 4 <= size:
        found = _HEADERS.get(data[position + 1] << 8 | data[position + 2]) if data[position] == 0xFF else None
        if found is None:
            position = _next_frame(data, position)
            continue
        stereo, mono, length = found
        form, end = (mono if data[position + 3] >> 6 == 3 else stereo), position + length
        if end > size:
            break
        part = parts[-1] if parts else None
        info = _info(data, position, form)
        if part is None or info is not None or part.format != form:
            part = Part(form)
            parts.append(part)
        if info is not None:
            part.info_frames, part.stated, part.trimmed = 1, *info
        else:
            part.frames += 1
            if part.ranges and part.ranges[-1][1] == position:
                part.ranges[-1][1] = end
            else:
                part.ranges.append([position, end])
        position = end
    return [part for part in parts if part.frames or part.stated]


def rebuilt(data: Any, part: Part) -> bytes:
    """Return a part as an MP3 file of its own, behind an info frame that states its true number of frames."""
    form = part.format
    number = 9  # 128 or 80 kbit/s: a frame with room for the header
    head = bytes((0xFF, 0xE0 | form.version << 3 | form.layer << 1 | 1))
    head += bytes((number << 4 | _RATES[form.version].index(form.rate) << 2, 0xC0 if form.mono else 0))
    length = _HEADERS[head[1] << 8 | head[2]][2]
    xing = b"Xing" + struct.pack(">II", 1, part.frames)
    info = (head + bytes(form.info_offset - 4) + xing).ljust(length, b"\0") if form.layer == 1 else b""
    return info + b"".join(data[start:end] for start, end in part.ranges)


def _info(data: Any, position: int, form: Format) -> tuple[int | None, int] | None:
    """Return what an info frame states: frames (None if it does not say) and samples that decoders trim; or None."""
    at = position + form.info_offset
    if data[at : at + 4] in (b"Xing", b"Info"):
        flags, frames = struct.unpack(">II", data[at + 4 : at + 12])
        lame = at + 8 + 4 * bool(flags & 1) + 4 * bool(flags & 2) + 100 * bool(flags & 4) + 4 * bool(flags & 8)
        delays = int.from_bytes(data[lame + 21 : lame + 24], "big")
        return (frames if flags & 1 else None), (delays >> 12) + (delays & 0xFFF)
    if data[position + 36 : position + 40] == b"VBRI":
        return int.from_bytes(data[position + 50 : position + 54], "big"), 0
    return None


def _next_frame(data: Any, position: int) -> int:
    """Return where the next frame begins at or behind `position`: behind a tag, or at two headers that fit together."""
    tag = _tag_length(data, position)
    if tag:
        return min(position + tag, len(data))
    for start in _syncs(data, position + 1):
        if _tag_length(data, start):
            return start
        found = _HEADERS.get(data[start + 1] << 8 | data[start + 2]) if data[start] == 0xFF else None
        if found is None:
            continue
        end = start + found[2]
        if end == len(data):
            return start
        after = _HEADERS.get(data[end + 1] << 8 | data[end + 2]) if end + 4 <= len(data) else None
        if after is not None and data[end] == 0xFF and after[0] == found[0]:
            return start
    return len(data)


def _syncs(data: Any, position: int) -> Iterator[int]:
    """Yield where 0xFF stands, or a tag that may hold it begins, from `position` on."""
    size = len(data)
    id3 = data.find(b"ID3", position)
    while position + 4 <= size:
        start = data.find(b"\xff", position)
        if id3 >= 0 and (start < 0 or id3 < start):
            yield id3
            position, id3 = id3 + 1, data.find(b"ID3", id3 + 1)
        elif start < 0 or start + 4 > size:
            return
        else:
            yield start
            position = start + 1


def _tag_length(data: Any, position: int) -> int:
    """Return how many bytes an ID3v2 or APEv2 tag takes at `position`, 0 where there is none."""
    head = bytes(data[position : position + 32])
    if head[:3] == b"ID3" and len(head) >= 10 and head[3] < 0xFF and max(head[6:10]) < 0x80:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:8] == b"APETAGEX" and len(head) == 32:
        size, flags = int.from_bytes(head[12:16], "little"), int.from_bytes(head[20:24], "little")
        return 32 + (size if flags & 0x20000000 else 0)
    return 0
