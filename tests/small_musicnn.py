"""A file like musicnn's package, with random weights, as small as the real one but for its numbers."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mer_kit.signal import wheels
from mer_kit.signal.frontends import musicnn

CONVOLUTIONS = {
    "conv2d": (7, 38, 1, 204), "conv2d_1": (7, 67, 1, 204), "conv2d_2": (128, 1, 1, 51),
    "conv2d_3": (64, 1, 1, 51), "conv2d_4": (32, 1, 1, 51), "conv2d_5": (7, 561, 1, 64),
    "conv2d_6": (7, 64, 1, 64), "conv2d_7": (7, 64, 1, 64), "dense": (1506, 200),
    "dense_1": (200, 50),
}  # fmt: skip
NORMALISED = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)


def random_tensors() -> dict[str, np.ndarray]:
    """Random weights of musicnn's shapes; some scales of the batch normalisation are negative."""
    rng = np.random.default_rng(0)
    made: dict[str, np.ndarray] = {}
    for name, shape in CONVOLUTIONS.items():
        fan_in = np.prod(shape[:-1])
        made[f"{name}/kernel"] = rng.normal(0, fan_in**-0.5, shape).astype(np.float32)
        made[f"{name}/bias"] = rng.normal(0, 0.1, shape[-1]).astype(np.float32)
    for number, width in enumerate(NORMALISED):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        made[f"{name}/gamma"] = rng.normal(0.5, 1.0, width).astype(np.float32)
        made[f"{name}/beta"] = rng.normal(0, 0.1, width).astype(np.float32)
        made[f"{name}/moving_mean"] = rng.normal(0, 0.1, width).astype(np.float32)
        made[f"{name}/moving_variance"] = rng.uniform(0.5, 2, width).astype(np.float32)
    return made


def varint(number: int) -> bytes:
    """Return a number as seven bits a byte."""
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def checkpoint(tensors: dict[str, np.ndarray]) -> tuple[bytes, bytes]:
    """Return index and data of a checkpoint with these tensors, as TensorFlow would write them."""

    def block(entries: list[tuple[bytes, bytes]]) -> bytes:
        body, previous = b"", b""
        for key, value in entries:
            shared = 0
            while shared < min(len(key), len(previous)) and key[shared] == previous[shared]:
                shared += 1
            body += varint(shared) + varint(len(key) - shared) + varint(len(value))
            body += key[shared:] + value
            previous = key
        return body + struct.pack("<II", 0, 1)

    data, entries = b"", [(b"", b"\x08\x01\x1a\x02\x08\x01")]
    for name in sorted(tensors):
        value = tensors[name].astype("<f4")
        dimensions = b"".join(
            b"\x12" + varint(len(size)) + size
            for size in (b"\x08" + varint(n) for n in value.shape)
        )
        entry = b"\x08\x01\x12" + varint(len(dimensions)) + dimensions
        entry += b"\x20" + varint(len(data)) + b"\x28" + varint(value.nbytes)
        entry += b"\x35" + struct.pack("<I", 7)  # a checksum, which is not read
        entries.append((name.encode(), entry))
        data += value.tobytes()
    body = block(entries)
    pointer = block([(b"zzz", varint(0) + varint(len(body)))])
    footer = varint(0) + varint(0) + varint(len(body) + 5) + varint(len(pointer))
    magic = 0xDB4775248B80FB57.to_bytes(8, "little")
    return body + bytes(5) + pointer + bytes(5) + footer.ljust(40, b"\0") + magic, data


@contextmanager
def installed(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tensors: dict[str, np.ndarray]
) -> Iterator[wheels.Wheel]:
    """Put a package with these weights into a cache folder, and make musicnn use it."""
    monkeypatch.setenv("MER_CACHE", str(cache))
    file = cache / "made.whl"
    with zipfile.ZipFile(file, "w") as made:
        index, data = checkpoint(tensors)
        for model in ("MSD", "MTT"):
            made.writestr(f"musicnn/{model}_musicnn/.index", index)
            made.writestr(f"musicnn/{model}_musicnn/.data-00000-of-00001", data)
    content = file.read_bytes()
    wheel = wheels.Wheel("musicnn", "0.1.0", hashlib.sha256(content).hexdigest(), "musicnn", "ISC")
    wheel.path.parent.mkdir()
    wheel.path.write_bytes(content)
    monkeypatch.setattr(musicnn, "WHEEL", wheel)
    musicnn.network.cache_clear()
    wheels.read.cache_clear()
    yield wheel
    musicnn.network.cache_clear()
    wheels.read.cache_clear()
