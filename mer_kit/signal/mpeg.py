"""Walk an MP3 file frame by frame: the stated number of frames, the actual one, their positions.

An MP3 is a sequence of frames, each with its own header, and only the frames themselves determine
how long the sound is: the Xing, Info or VBRI frame at the beginning may be missing, or describe
only the first of several joined files.

Source: see `mpeg_frames`.
"""

import re
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mer_kit.signal.mpeg_frames import HEADERS, RATES, SHORTEST, Format, frame_at, info_at
from mer_kit.signal.tags import tag_length

#: Where a frame or a tag may begin.
_SYNC = re.compile(rb"\xff[\xe2-\xff][\x00-\xef]|ID3|APETAGEX")
#: Bytes that are searched at a time.
_STRETCH = 1 << 24


@dataclass
class Part:
    """Consecutive frames of one format: their byte ranges, their number, and the stated number."""

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
    if len(data) <= _STRETCH:
        data = bytes(data)  # faster to index than a memory map
    parts: list[Part] = []
    part: Part | None = None
    position, size, free = 0, len(data), dict[Format, int]()
    infos = _info_words(data)
    while position + 4 <= size:
        if part is not None:
            position = _advance(data, position, part, infos)
        frame = frame_at(data, position, free)
        continues = frame is not None and part is not None and part.format is frame[0]
        if frame is None or not (continues or _confirmed(data, position, frame, free)):
            position = _next_frame(data, position, free)
            continue
        form, length = frame
        if position + length > size:
            break
        info = info_at(data, position, form)
        if part is None or info is not None or part.format is not form:
            part = Part(form)
            parts.append(part)
        if info is not None:
            part.info_frames, part.stated, part.trimmed = 1, *info
        else:
            part.add(1, position, position + length)
        position += length
    return [part for part in parts if part.frames or part.stated]


def _info_words(data: Any) -> frozenset[int]:
    """Return the positions of the words that mark an info frame; some may occur by chance."""
    positions: set[int] = set()
    for start in range(0, len(data), _STRETCH):  # three times faster than data.find
        letters = np.frombuffer(data[start : start + _STRETCH + 3], dtype=np.uint8)
        for word in (b"Xing", b"Info", b"VBRI"):
            matches = np.flatnonzero(letters[:-3] == word[0])
            for i in (1, 2, 3):
                matches = matches[letters[matches + i] == word[i]]
            positions.update((matches + start).tolist())
    return frozenset(positions)


def _advance(data: Any, start: int, part: Part, infos: frozenset[int]) -> int:
    """Add consecutive frames of the part's format from `start` on; return where they end.

    This loop runs once for each frame; `walk` handles everything out of the ordinary.
    """
    size, position, n_frames = len(data), start, 0
    form, mono, xing, headers = part.format, part.format.mono, part.format.info_offset, HEADERS
    while position + 4 <= size and data[position] == 0xFF:
        header = headers.get(data[position + 1] << 8 | data[position + 2])
        if header is None or header[mono] is not form or (data[position + 3] >> 6 == 3) is not mono:
            break
        length = header[2]
        if (
            length < SHORTEST
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
    form = part.format
    info = b""
    if form.layer == 1:
        number = 9  # 128 or 80 kbit/s: a frame with room for the Xing header
        column = RATES[form.version].index(form.rate)
        second = 0xE0 | form.version << 3 | form.layer << 1 | 1
        third = number << 4 | column << 2
        head = bytes((0xFF, second, third, 0xC0 * form.mono))
        xing = b"Xing" + struct.pack(">II", 1, part.frames)
        length = HEADERS[second << 8 | third][2]
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
        return after[0] is frame[0]
    tags = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBE")
    return end == len(data) or bytes(data[end : end + 8]).startswith(tags)


def _next_frame(data: Any, position: int, free: dict[Format, int]) -> int:
    """Return where the next frame after `position` begins: after a tag, or at a confirmed frame."""
    tag = tag_length(data, position)
    if tag:
        return position + tag
    for match in _SYNC.finditer(data, position + 1):
        start = match.start()
        if data[start] != 0xFF:
            if tag_length(data, start):
                return start
            continue
        frame = frame_at(data, start, free)
        if frame is not None and _confirmed(data, start, frame, free):
            return start
    return len(data)
