"""Walk an MP3 file frame by frame: the stated number of frames, the actual one, their positions.

An MP3 is a sequence of frames, each with its own header, and only the frames themselves determine
how long the sound is: the Xing, Info or VBRI frame at the beginning may be missing, or describe
only the first of several joined files.

Source: ISO/IEC 11172-3 and 13818-3 (frame header); the Xing, LAME and VBRI headers as encoders
write them.
"""

import functools
import re
import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mer_kit.signal.extent import tag_length

#: Where a frame or a tag may begin.
_SYNC = re.compile(rb"\xff[\xe2-\xff][\x00-\xef]|ID3|APETAGEX")
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBE")
#: Largest file in bytes that is copied into memory, which is faster to index than a memory map.
_MOST_COPIED = 1 << 24
#: A length in a header below this is only the padding of a frame of free bit rate, whose length
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
#: (MPEG-1, layer bits) → samples per frame and channel.
_SAMPLES = {
    (True, 3): 384, (True, 2): 1152, (True, 1): 1152,
    (False, 3): 384, (False, 2): 1152, (False, 1): 576,
}  # fmt: skip
#: Layer bits → bytes by which padding lengthens a frame.
_SLOT_BYTES = {1: 1, 2: 1, 3: 4}
#: (MPEG-1, mono) → bytes of side information in Layer III.
_SIDE_BYTES = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}


class Format(NamedTuple):
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
        return _SAMPLES[self.version == 3, self.layer]

    @property
    def info_offset(self) -> int:
        """Bytes from the start of the frame to the Xing header, after the side information."""
        return 4 + _SIDE_BYTES[self.version == 3, self.mono]


@functools.cache
def _header(second: int, third: int, mono: bool) -> tuple[Format, int] | None:
    """Return format and length in bytes of a frame from bytes 2 and 3 of its header, or None."""
    version, layer = second >> 3 & 3, second >> 1 & 3
    number, column, padding = third >> 4, third >> 2 & 3, third >> 1 & 1
    if second < 0xE0 or version == 1 or layer == 0 or number == 15 or column == 3:
        return None
    rate, slot = RATES[version][column], _SLOT_BYTES[layer]
    kbit = (0, *_KBIT[version == 3, layer])[number]
    form = Format(version, layer, rate, mono, kbit * (layer != 1))
    return form, (form.samples // 8 * kbit * 1000 // rate // slot + padding) * slot


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
    header = _header(data[position + 1], data[position + 2], data[position + 3] >> 6 == 3)
    if header is None:
        return None
    form, length = header
    if length < SHORTEST:
        free[form] = free.get(form) or _free_length(data, position)
        length += free[form]
    return (form, length) if length >= SHORTEST else None


def _free_length(data: Any, position: int) -> int:
    """Return the unpadded length of frames of free bit rate, or 0.

    It is the distance at which matching headers follow one another.
    """
    slot = _SLOT_BYTES[data[position + 1] >> 1 & 3]
    sync, end = bytes((0xFF, data[position + 1])), position + _LONGEST_FREE
    for match in re.compile(re.escape(sync)).finditer(data, position + SHORTEST, end):
        length = match.start() - position - (data[position + 2] >> 1 & 1) * slot
        other, n_alike = match.start(), 0
        while n_alike < _FREE_ALIKE and _alike(data, position, other):
            n_alike += 1
            other += length + (data[other + 2] >> 1 & 1) * slot
        if n_alike == _FREE_ALIKE or (n_alike > 1 and other + 4 > len(data)):
            return int(length)
    return 0


def _alike(data: Any, position: int, other: int) -> bool:
    """Return whether two headers differ only in padding, private bit and stereo coding."""
    one, two = bytes(data[position : position + 4]), bytes(data[other : other + 4])
    same_bytes = len(two) == 4 and one[:2] == two[:2] and one[2] >> 2 == two[2] >> 2
    return same_bytes and (one[3] >> 6 == 3) == (two[3] >> 6 == 3)


@dataclass
class Part:
    """Consecutive frames of one format: their byte ranges, their number, and the stated number."""

    format: Format
    ranges: list[list[int]] = field(default_factory=list)
    frames: int = 0
    info_frames: int = 0
    stated: int | None = None
    trimmed: int = 0

    def add(self, start: int, end: int) -> None:
        """Add a frame between two offsets."""
        self.frames += 1
        if self.ranges and self.ranges[-1][1] == start:
            self.ranges[-1][1] = end
        else:
            self.ranges.append([start, end])

    @property
    def seconds(self) -> float:
        """Duration of the frames in seconds."""
        return self.frames * self.format.samples / self.format.rate


def walk(data: Any) -> list[Part]:
    """Return the parts of an MP3 file's bytes, in order; [] if no frame is found.

    Tags (ID3v1, ID3v2, APEv2, Lyrics3), zeros and damaged bytes between frames are skipped. Info
    frames contain no sound: they are left out of `ranges` and `frames`, and each begins a new part.
    A change of format also begins a new part, if the next frame confirms it.

    Parameters
    ----------
    data : bytes or a memory map

    Examples
    --------
    >>> frame = bytes.fromhex("fffb9064").ljust(417, bytes(1))  # Layer III, 128 kbit/s, 44.1 kHz
    >>> (part,) = walk(10 * frame)
    >>> part.frames, part.ranges, round(part.seconds, 3)
    (10, [[0, 4170]], 0.261)
    """
    if len(data) <= _MOST_COPIED:
        data = bytes(data)
    parts: list[Part] = []
    position, size, free = 0, len(data), dict[Format, int]()
    while position + 4 <= size:
        frame = frame_at(data, position, free)
        continues = frame is not None and bool(parts) and parts[-1].format == frame[0]
        if frame is None or not (continues or _confirmed(data, position, frame, free)):
            position = _next_frame(data, position, free)
            continue
        form, length = frame
        if position + length > size:
            break
        info = info_at(data, position, form)
        if info is not None:
            parts.append(Part(form, info_frames=1, stated=info[0], trimmed=info[1]))
        else:
            if not continues:
                parts.append(Part(form))
            parts[-1].add(position, position + length)
        position += length
    return [part for part in parts if part.frames or part.stated]


def missing_seconds(parts: list[Part]) -> float:
    """Return how many seconds more the info frames state than the file contains.

    An info frame that states the total of its own and all later parts describes all of them.

    Examples
    --------
    >>> form = Format(version=3, layer=1, rate=44100, mono=False)
    >>> round(missing_seconds([Part(form, frames=100, info_frames=1, stated=200)]), 3)
    2.612
    """
    missing = 0.0
    for number, part in enumerate(parts):
        following = sum(later.frames + later.info_frames for later in parts[number:])
        if part.stated is not None and abs(part.stated - following) > len(parts):
            missing += max(part.stated - part.frames, 0) * part.format.samples / part.format.rate
    return missing


def rebuilt(data: Any, part: Part) -> bytes:
    """Return a part as a separate MP3 file; its info frame states the true number of frames.

    Examples
    --------
    >>> frame = bytes.fromhex("fffb9064").ljust(417, bytes(1))
    >>> (part,) = walk(rebuilt(10 * frame, *walk(10 * frame)))
    >>> part.stated, part.frames
    (10, 10)
    """
    form, info = part.format, b""
    if form.layer == 1:
        number = 9  # 128 or 80 kbit/s: a frame with room for the Xing header
        second = 0xE0 | form.version << 3 | form.layer << 1 | 1
        third = number << 4 | RATES[form.version].index(form.rate) << 2
        head = bytes((0xFF, second, third, 0xC0 * form.mono))
        xing = b"Xing" + struct.pack(">II", 1, part.frames)
        length = form.samples * 125 * _KBIT[form.version == 3, 1][number - 1] // form.rate
        info = (head + bytes(form.info_offset - 4) + xing).ljust(length, bytes(1))
    return info + b"".join(data[start:end] for start, end in part.ranges)


def _confirmed(
    data: Any, position: int, frame: tuple[Format, int], free: dict[Format, int]
) -> bool:
    """Return whether a frame is followed by another of its format, a tag or the end of the file.

    A single header may occur by chance.
    """
    end = position + frame[1]
    after = frame_at(data, end, free)
    if after is not None:
        return after[0] == frame[0]
    return end == len(data) or bytes(data[end : end + 8]).startswith(_TAGS)


def _next_frame(data: Any, position: int, free: dict[Format, int]) -> int:
    """Return where the next frame after `position` begins: after a tag, or at a confirmed frame."""
    tag = tag_length(data, position)
    if tag:
        return position + tag
    for match in _SYNC.finditer(data, position + 1):
        start = match.start()
        frame = frame_at(data, start, free)
        if tag_length(data, start) or (frame is not None and _confirmed(data, start, frame, free)):
            return start
    return len(data)
