"""Walk an MP3 file frame by frame: how many frames it states, how many are there, and where they lie.

An MP3 is a row of frames, each with its own header, and nothing but the frames themselves says how long the sound is:
the Xing, Info or VBRI frame at the beginning may be missing, or speak of the first of several joined files.

Source: ISO/IEC 11172-3 and 13818-3 (frame header); the Xing, LAME and VBRI headers as encoders write them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mer_kit.signal.tags import tag_length

#: Where a frame or a tag may begin.
_SYNC = re.compile(rb"\xff[\xe2-\xff][\x00-\xef]|ID3|APETAGEX")
#: A length in the table below this is the padding of a frame of free bit rate, whose length only its neighbour tells.
_SHORTEST = 24
#: The longest frame of free bit rate that is looked for.
_LONGEST_FREE = 6000
#: Bytes that are searched at a time.
_STRETCH = 1 << 24
#: So many headers in a row are no chance, not even in the samples of a quiet WAV.
_FREE_ALIKE = 8
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
    """What must not change between two frames that one decoder reads; `layer` is the header's two bits (1 = III).

    `kbit` is 0 in Layer III, where an info frame tells the decoder the length whatever the bit rates are.
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

    def add(self, n_frames: int, start: int, end: int) -> None:
        """Add consecutive frames between two offsets."""
        self.frames += n_frames
        if self.ranges and self.ranges[-1][1] == start:
            self.ranges[-1][1] = end
        else:
            self.ranges.append([start, end])

    @property
    def seconds(self) -> float:
        """Seconds of sound that are there."""
        return self.frames * self.format.samples / self.format.rate


def _headers() -> dict[int, tuple[Format, Format, int]]:
    """Return second and third byte of a header → its stereo and mono Format and the frame's length in bytes."""
    table, formats = {}, dict[Format, Format]()
    for version, rates in _RATES.items():
        for layer in (1, 2, 3):
            kbits = (0, *_KBIT[version == 3, layer])
            for number, padding in ((n, p) for n in range(15) for p in (0, 1)):
                kbit = kbits[number]
                for at, rate in enumerate(rates):
                    stereo, mono = (
                        Format(version, layer, rate, one, 0 if layer == 1 else kbit)
                        for one in (False, True)
                    )
                    stereo, mono = (
                        formats.setdefault(one, one) for one in (stereo, mono)
                    )  # one object each, for speed
                    slot = 4 if layer == 3 else 1
                    length = (stereo.samples // 8 * kbit * 1000 // rate // slot + padding) * slot
                    for protection, private in ((a, b) for a in (0, 1) for b in (0, 1)):
                        second = 0xE0 | version << 3 | layer << 1 | protection
                        third = number << 4 | at << 2 | padding << 1 | private
                        table[second << 8 | third] = (stereo, mono, length)
    return table


_HEADERS = _headers()


def walk(data: Any) -> list[Part]:
    """Return the parts of an MP3 file's bytes, in order; [] where no frame is found.

    Tags (ID3v1, ID3v2, APEv2, Lyrics3), zeros and damaged stretches between frames are passed over. Info frames carry
    no sound: they are left out of `ranges` and `frames`, and each begins a new part. So does a change of format, if
    the next frame confirms it.

    Parameters
    ----------
    data : bytes or a memory map
    """
    if len(data) <= _STRETCH:
        data = bytes(data)  # its bytes are reached faster than those of a memory map
    parts: list[Part] = []
    position, size, free = 0, len(data), dict[Format, int]()
    infos = _places(data)
    while position + 4 <= size:
        part = parts[-1] if parts else None
        if part is not None:
            position = _advance(data, position, part, infos)
        found = _frame(data, position, free)
        if found is None or (
            (part is None or part.format is not found[0])
            and not _confirmed(data, position, found, free)
        ):
            position = _next_frame(data, position, free)
            continue
        form, length = found
        if position + length > size:
            break
        info = _info(data, position, form)
        if part is None or info is not None or part.format is not form:
            part = Part(form)
            parts.append(part)
        if info is not None:
            part.info_frames, part.stated, part.trimmed = 1, *info
        else:
            part.add(1, position, position + length)
        position += length
    return [part for part in parts if part.frames or part.stated]


def _places(data: Any) -> frozenset[int]:
    """Return where the words stand that an info frame holds; bytes of sound may read the same by chance."""
    places: set[int] = set()
    for start in range(0, len(data), _STRETCH):
        letters = np.frombuffer(
            data[start : start + _STRETCH + 3], dtype=np.uint8
        )  # three times faster than data.find
        for word in (b"Xing", b"Info", b"VBRI"):
            found = np.flatnonzero(letters[:-3] == word[0])
            for at in (1, 2, 3):
                found = found[letters[found + at] == word[at]]
            places.update((found + start).tolist())
    return frozenset(places)


def _advance(data: Any, start: int, part: Part, infos: frozenset[int]) -> int:
    """Add the frames of the part's format that follow one another from `start` on; return where they end.

    The loop that is run once for each frame: `walk` sees to all that is not plain.
    """
    size, position, n_frames, form, mono = len(data), start, 0, part.format, part.format.mono
    headers, xing = _HEADERS, form.info_offset
    while position + 4 <= size and data[position] == 0xFF:
        found = headers.get(data[position + 1] << 8 | data[position + 2])
        if found is None or found[mono] is not form or (data[position + 3] >> 6 == 3) is not mono:
            break
        length = found[2]
        if (
            length < _SHORTEST
            or position + length > size
            or position + xing in infos
            or position + 36 in infos
        ):
            break
        n_frames += 1
        position += length
    if n_frames:
        part.add(n_frames, start, position)
    return position


def missing_seconds(parts: list[Part]) -> float:
    """Return how many seconds the info frames state beyond what is there.

    An info frame that states what its own and all later parts hold together speaks for them all.
    """
    missing = 0.0
    for number, part in enumerate(parts):
        following = sum(later.frames + later.info_frames for later in parts[number:])
        if part.stated is not None and abs(part.stated - following) > len(parts):
            missing += max(part.stated - part.frames, 0) * part.format.samples / part.format.rate
    return missing


def rebuilt(data: Any, part: Part) -> bytes:
    """Return a part as an MP3 file of its own, behind an info frame that states its true number of frames."""
    form = part.format
    number = 9  # 128 or 80 kbit/s: a frame with room for the header
    head = bytes((0xFF, 0xE0 | form.version << 3 | form.layer << 1 | 1))
    head += bytes(
        (number << 4 | _RATES[form.version].index(form.rate) << 2, 0xC0 if form.mono else 0)
    )
    length = _HEADERS[head[1] << 8 | head[2]][2]
    xing = b"Xing" + struct.pack(">II", 1, part.frames)
    info = (
        (head + bytes(form.info_offset - 4) + xing).ljust(length, b"\0") if form.layer == 1 else b""
    )
    return info + b"".join(data[start:end] for start, end in part.ranges)


def _info(data: Any, position: int, form: Format) -> tuple[int | None, int] | None:
    """Return what an info frame states: frames (None if it does not say) and samples that decoders trim; or None."""
    at = position + form.info_offset
    if data[at : at + 4] in (b"Xing", b"Info"):
        flags, frames = struct.unpack(">II", data[at + 4 : at + 12])
        lame = (
            at
            + 8
            + 4 * bool(flags & 1)
            + 4 * bool(flags & 2)
            + 100 * bool(flags & 4)
            + 4 * bool(flags & 8)
        )
        delays = int.from_bytes(data[lame + 21 : lame + 24], "big")
        return (frames if flags & 1 else None), (delays >> 12) + (delays & 0xFFF)
    if data[position + 36 : position + 40] == b"VBRI":
        return int.from_bytes(data[position + 50 : position + 54], "big"), 0
    return None


def _frame(data: Any, position: int, free: dict[Format, int]) -> tuple[Format, int] | None:
    """Return format and length of the frame whose header stands at `position`, or None; `free` keeps free lengths."""
    if position + 4 > len(data) or data[position] != 0xFF:
        return None
    found = _HEADERS.get(data[position + 1] << 8 | data[position + 2])
    if found is None:
        return None
    stereo, mono, length = found
    form = mono if data[position + 3] >> 6 == 3 else stereo
    if length >= _SHORTEST:
        return form, length
    if form not in free:
        found_length = _free_length(data, position)
        if not found_length:
            return None
        free[form] = found_length
    return form, free[form] + length


def _free_length(data: Any, position: int) -> int:
    """Return the length without padding of frames of free bit rate: at it, headers like this one follow; or 0."""
    slot, start = (4 if data[position + 1] >> 1 & 3 == 3 else 1), position + _SHORTEST
    while (
        at := data.find(bytes((0xFF, data[position + 1])), start, position + _LONGEST_FREE)
    ) >= 0:
        length, other, n_alike = at - position - (data[position + 2] >> 1 & 1) * slot, at, 0
        while n_alike < _FREE_ALIKE and _alike(data, position, other):
            n_alike += 1
            other += length + (data[other + 2] >> 1 & 1) * slot
        if n_alike == _FREE_ALIKE or (n_alike > 1 and other + 4 > len(data)):
            return int(length)
        start = at + 1
    return 0


def _alike(data: Any, position: int, other: int) -> bool:
    """Tell whether two headers differ in nothing but padding, private bit, and how stereo is coded."""
    one, two = bytes(data[position : position + 4]), bytes(data[other : other + 4])
    if len(two) < 4 or one[:2] != two[:2] or (one[2] ^ two[2]) & 0xFC:
        return False
    return (one[3] >> 6 == 3) == (two[3] >> 6 == 3)


def _confirmed(
    data: Any, position: int, found: tuple[Format, int], free: dict[Format, int]
) -> bool:
    """Tell whether a frame is followed by one of its format, a tag or the end: a header alone may be chance."""
    end = position + found[1]
    after = _frame(data, end, free)
    if after is not None:
        return after[0] is found[0]
    return end == len(data) or bytes(data[end : end + 8]).startswith(
        (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBE")
    )


def _next_frame(data: Any, position: int, free: dict[Format, int]) -> int:
    """Return where the next frame begins behind `position`: behind a tag, or at two headers that fit together."""
    tag = tag_length(data, position)
    if tag:
        return position + tag
    for match in _SYNC.finditer(data, position + 1):
        start = match.start()
        if data[start] != 0xFF:
            if tag_length(data, start):
                return start
            continue
        found = _frame(data, start, free)
        if found is not None and _confirmed(data, start, found, free):
            return start
    return len(data)
