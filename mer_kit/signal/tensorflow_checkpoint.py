"""Read the tensors of a TensorFlow checkpoint with numpy alone.

The index file is an uncompressed LevelDB table: blocks of entries whose keys share prefixes, and
whose values say where in the data file a tensor lies.

Source: the formats of LevelDB (table_format.md) and of TensorFlow (tensor_bundle.proto).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError

#: Ends every LevelDB table.
_MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
_FOOTER_BYTES = 48
_FLOAT32 = 1


def tensors(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """Return every float32 tensor of a checkpoint by name.

    Parameters
    ----------
    index : content of the file `.index`
    data : content of the file `.data-00000-of-00001`

    Raises
    ------
    MerKitError
        If one of the two is truncated or is not what TensorFlow writes.
    """
    if not index.endswith(_MAGIC):
        raise MerKitError(
            "the checkpoint's index does not end as a LevelDB table, expected the file .index that "
            "TensorFlow wrote: get the weights again"
        )
    found: dict[str, np.ndarray] = {}
    try:
        footer = index[-_FOOTER_BYTES:]
        _, _, position = _handle(footer, 0)
        start, size, _ = _handle(footer, position)
        for _, pointer in _entries(index[start : start + size]):
            block_start, block_size, _ = _handle(pointer, 0)
            for name, entry in _entries(index[block_start : block_start + block_size]):
                if name:  # the entry without a name describes the checkpoint
                    found |= _tensor(name.decode(), entry, data)
    except (IndexError, ValueError) as error:
        raise MerKitError(
            f"the checkpoint is damaged ({error}), expected whole tensors: get the weights again"
        ) from error
    return found


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, lowest first, and the position after it."""
    number, shift = 0, 0
    while True:
        byte = buffer[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _handle(buffer: bytes, at: int) -> tuple[int, int, int]:
    """Return the offset and size of a block, and the position after them."""
    offset, at = _varint(buffer, at)
    size, at = _varint(buffer, at)
    return offset, size, at


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block; each key repeats the beginning of the one before."""
    n_restarts = int.from_bytes(block[-4:], "little")
    end, at, key = len(block) - 4 - 4 * n_restarts, 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        size, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + size]
        at += own + size


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the number and value of each field of a protocol-buffer message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        elif tag & 7 == 2:
            size, at = _varint(message, at)
            yield tag >> 3, message[at : at + size]
            at += size
        else:  # 4 or 8 bytes: checksums
            at += 4 if tag & 7 == 5 else 8


def _tensor(name: str, entry: bytes, data: bytes) -> dict[str, np.ndarray]:
    """Return the tensor of a BundleEntryProto under its name, or nothing if it is not float32."""
    fields: dict[int, Any] = dict(_fields(entry))
    if fields.get(1) != _FLOAT32:
        return {}
    shape = [dict(_fields(dimension)).get(1, 0) for _, dimension in _fields(fields.get(2, b""))]
    offset, size = fields.get(4, 0), fields.get(5, 0)
    if offset + size > len(data):
        raise ValueError(f"{len(data)} bytes of data, expected {offset + size}")
    values = np.frombuffer(data, dtype="<f4", count=size // 4, offset=offset)
    return {name: values.reshape(shape)}
