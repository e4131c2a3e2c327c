"""How many samples the headers of rarer formats state; libsndfile shortens these files silently.

PAF, PVF, IRCAM, SD2 and XI are missing here because their headers state no length.

Source: libsndfile's readers of the same names; NIST SPHERE; MAT-File Level 4 and 5.
"""

import re
import struct
from typing import Any

_SPHERE_COUNT = re.compile(rb"sample_count -i (\d{1,12})\s")
#: Offset and coding of the stated number of samples per channel.
_FIELDS = {"AVR": (26, ">I"), "WVE": (18, ">I"), "MPC2K": (30, "<I")}
#: Kind → bytes before the content of each of its blocks.
_HEADERS = {"VOC": 4, "MAT5": 8, "MAT4": 20}
#: Digit of a matrix's type in MAT-File Level 4 → bytes of an element.
_MAT4_WIDTHS = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}
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
        offset, coding = _FIELDS[kind]
        return int(struct.unpack_from(coding, data, offset)[0])
    if kind == "NIST":
        count = _SPHERE_COUNT.search(bytes(data[:1024]))
        return int(count.group(1)) if count else frames
    if kind not in _HEADERS:
        return frames
    content, end = _last_block(data, kind)
    missing = content < len(data) < end
    return frames * (end - content) / (len(data) - content) if missing else frames


def _last_block(data: Any, kind: str) -> tuple[int, int]:
    """Return where the content of a file's last block begins and where it should end."""
    content = end = {"VOC": int.from_bytes(data[20:22], "little"), "MAT5": 128, "MAT4": 0}[kind]
    for _ in range(MOST_BLOCKS):
        if end + _HEADERS[kind] > len(data) or (kind == "VOC" and data[end] == 0):  # 0: the end
            break
        content, end = _block(data, kind, end)
    return content, end


def _block(data: Any, kind: str, position: int) -> tuple[int, int]:
    """Return where the content of the block at `position` begins and where it should end."""
    content = position + _HEADERS[kind]
    head = bytes(data[position:content])
    if kind == "VOC":  # 8 bits of type and 24 bits of size
        return content, content + int.from_bytes(head[1:], "little")
    if kind == "MAT5":  # type and size
        _, size = struct.unpack("<II" if data[126:128] == b"IM" else ">II", head)
        return content, content + int(size)
    # MAT4: matrices, each after five numbers and a name; one row of one rate comes first
    form, rows, columns, _, name = struct.unpack("<5I" if data[4] else ">5I", head)
    width = _MAT4_WIDTHS.get(form // 10 % 10, 1)
    return content + name, content + name + rows * columns * width
