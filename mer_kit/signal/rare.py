"""How many samples the headers of rarer formats state; libsndfile shortens these files silently.

PAF, PVF, IRCAM, SD2 and XI are missing here because their headers state no length.

Source: libsndfile's readers of the same names; NIST SPHERE; MAT-File Level 4 and 5.
"""

import re
from typing import Any, Literal

Order = Literal["big", "little"]
_SPHERE_COUNT = re.compile(rb"sample_count -i (\d{1,12})\s")
#: Offset and byte order of the stated number of samples per channel.
_FIELDS: dict[str, tuple[int, Order]] = {
    "AVR": (26, "big"),
    "WVE": (18, "big"),
    "MPC2K": (30, "little"),
}
#: Blocks or elements read in one file.
MOST_BLOCKS = 10_000


def stated_frames(data: Any, kind: str, frames: int) -> float:
    """Return how many samples per channel a file states, or `frames` if it states no number.

    Parameters
    ----------
    data : the file's bytes
    kind : libsndfile's name of the format
    frames : how many samples per channel libsndfile finds

    Examples
    --------
    >>> stated_frames(b"NIST_1A\\n   1024\\nsample_count -i 96000\\nend_head\\n", "NIST", 48000)
    96000
    """
    if kind in _FIELDS:
        offset, order = _FIELDS[kind]
        return int.from_bytes(data[offset : offset + 4], order)
    if kind == "NIST":
        count = _SPHERE_COUNT.search(bytes(data[:1024]))
        return int(count.group(1)) if count else frames
    reach = {"VOC": _voc_reach, "MAT4": _mat4_reach, "MAT5": _mat5_reach}.get(kind)
    if reach is None:
        return frames
    content, end = reach(data)
    if content < len(data) < end:
        return frames * (end - content) / (len(data) - content)
    return frames


def _voc_reach(data: Any) -> tuple[int, int]:
    """Return where the last block begins and where it should end.

    A block has 8 bits of type and 24 bits of size; type 0 ends the file.
    """
    content = position = int.from_bytes(data[20:22], "little")
    for _ in range(MOST_BLOCKS):
        if position + 4 > len(data) or data[position] == 0:
            break
        content = position + 4
        position = content + int.from_bytes(data[position + 1 : position + 4], "little")
    return content, position


def _mat5_reach(data: Any) -> tuple[int, int]:
    """Return the same for a MAT-File Level 5: 128 bytes, then elements of type, size, content."""
    order: Order = "little" if data[126:128] == b"IM" else "big"
    content = position = 128
    for _ in range(MOST_BLOCKS):
        if position + 8 > len(data):
            break
        content = position + 8
        position = content + int.from_bytes(data[position + 4 : position + 8], order)
    return content, position


def _mat4_reach(data: Any) -> tuple[int, int]:
    """Return the same for a MAT-File Level 4: matrices, each after five numbers and a name."""
    order: Order = "little" if data[4] else "big"  # one row of one rate comes first
    content = position = 0
    for _ in range(MOST_BLOCKS):
        if position + 20 > len(data):
            break
        kind, rows, columns, _, name = (
            int.from_bytes(data[i : i + 4], order) for i in range(position, position + 20, 4)
        )
        width = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}.get(kind // 10 % 10, 1)
        content = position + 20 + name
        position = content + rows * columns * width
    return content, position
