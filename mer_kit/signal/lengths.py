"""How much sound a file states and how much it contains: one answer for all containers.

Several joined files are found as well. MP3, which has no container, is counted by `mpeg`.

Notebook: 01_segmentation
"""

import dataclasses
from typing import Any

from mer_kit.signal import containers, streams, tags
from mer_kit.signal.containers import Extent

#: Largest number of joined files that is looked for.
MOST_JOINED = 1000
_READERS = {
    b"RIFF": containers.riff,
    b"FORM": containers.iff,
    b"caff": containers.caf,
    b"riff": containers.w64,
    b".snd": containers.au,
    b"fLaC": streams.flac,
    b"OggS": streams.ogg,
}


@dataclasses.dataclass(frozen=True)
class Located:
    """A container's extent and where its file begins, after ID3 tags and earlier joined files."""

    kind: bytes
    start: int
    extent: Extent


def located(data: Any) -> list[Located]:
    """Return the sound files in a file's bytes, usually one; [] if they begin with no container.

    Parameters
    ----------
    data : bytes or a memory map

    Examples
    --------
    >>> au = b".snd" + bytes([0, 0, 0, 24, 0, 0, 0, 4]) + bytes(12) + b"abcd"
    >>> [(file.kind, file.start, file.extent.there) for file in located(au + au)]
    [(b'.snd', 0, 4), (b'.snd', 28, 4)]
    """
    files: list[Located] = []
    position = 0
    while len(files) < MOST_JOINED:
        start = position
        while tag := tags.id3_length(data, start):
            start += tag
        if data[start + 4 : start + 8] == b"ftyp":
            return [*files, Located(b"ftyp", start, streams.mp4(data, start))]
        kind = containers.begins(data, start)
        if not kind:
            break
        extent = _READERS[kind](data, start)
        if extent is None:
            break
        files.append(Located(kind, start, extent))
        position = extent.end
        if position >= len(data):
            break
    return files
