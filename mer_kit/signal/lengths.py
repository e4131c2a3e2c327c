"""How long a sound file says it is and how much of it is there: one answer for every container, several joined included.

MP3, which has no container, is counted by `mpeg`.

Notebook: 01_segmentation
"""

from __future__ import annotations

import dataclasses
from typing import Any

from mer_kit.signal import containers, streams, tags
from mer_kit.signal.containers import Extent

#: More files joined into one than this are not looked for.
MOST_JOINED = 1000
_READERS = {
    b"RIFF": containers.riff, b"FORM": containers.iff, b"caff": containers.caf, b"riff": containers.w64,
    b".snd": containers.au, b"fLaC": streams.flac, b"OggS": streams.ogg,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Located:
    """A container's extent and where its file begins: behind the ID3 tags before it, and behind joined files."""

    kind: bytes
    start: int
    extent: Extent


def located(data: Any) -> list[Located]:
    """Return the sound files that a file's bytes consist of, mostly one; [] where they begin as no container does.

    Parameters
    ----------
    data : bytes or a memory map
    """
    found: list[Located] = []
    position = 0
    while len(found) < MOST_JOINED:
        start = position
        while tag := tags.id3_length(data, start):
            start += tag
        if data[start + 4 : start + 8] == b"ftyp":
            return [*found, Located(b"ftyp", start, streams.mp4(data, start))]
        kind = containers.begins(data, start)
        extent = _READERS[kind](data, start) if kind else None
        if extent is None:
            return found
        found.append(Located(kind, start, extent))
        position = extent.end
        if position >= len(data):
            return found
    return found
