"""A fold's `.npz` file, read without trusting it: nothing is unpacked before its size is known to be plausible.

Notebook: 02_noisy_labels
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mer_kit import files
from mer_kit.checks import MerKitError

#: The passes of a large corpus take some tens of megabytes.
MOST_BYTES = 4 << 30
#: Up to so many bytes an array may be packed as tightly as it will (all passes alike), beyond that at most this ratio.
FREE_BYTES, MOST_RATIO = 64 << 20, 64
#: The end of a zip file without a comment: signature, disks, entries, size of the directory, …
_END = struct.Struct("<4s4H2LH")


def read(
    path: Path, wanted: Mapping[str, int], *, inside: Path | None = None
) -> dict[str, np.ndarray]:
    """Return the arrays of an `.npz` file by name; `wanted` gives each one's number of dimensions.

    Raises
    ------
    MerKitError
        If the file is no regular file of the folder or is damaged, or an array is missing, no array of numbers, of
        another number of dimensions, or larger than its packed bytes can plausibly be.
    """
    where = f"{path.name} in fold {path.parent.name}"
    try:
        if not files.is_plain_file(path, inside=inside) or path.stat().st_size > MOST_BYTES:
            raise MerKitError(
                f"{where} is missing or no regular file, expected a fold's arrays: train the fold again"
            )
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            return {
                name: _array(archive, f"{name}.npy", dimensions)
                for name, dimensions in wanted.items()
            }
    except MerKitError:
        raise
    except (
        Exception
    ) as error:  # zipfile and numpy raise anything from KeyError to MemoryError on spoilt files
        raise MerKitError(
            f"{where} cannot be read ({type(error).__name__}), expected a fold's arrays: train the fold again"
        ) from error


def _check_directory(path: Path) -> None:
    """Raise ValueError where a zip file has more entries than a fold's, before zipfile reads the list of them."""
    with open(path, "rb") as file:
        file.seek(-_END.size, 2)
        signature, _, _, _, entries, size, _, comment = _END.unpack(file.read(_END.size))
    if signature != b"PK\x05\x06" or entries > 64 or size > 1 << 16 or comment:
        raise ValueError("not the end of an .npz file")


def _array(archive: zipfile.ZipFile, name: str, dimensions: int) -> np.ndarray:
    """Return one array, after comparing the size that its header claims with the bytes that are there."""
    entry = archive.getinfo(name)
    if entry.file_size > max(FREE_BYTES, MOST_RATIO * entry.compress_size):
        raise ValueError(f"{name} is packed more tightly than probabilities are")
    with archive.open(entry) as file:
        head = io.BytesIO(file.read(4096))
        version = np.lib.format.read_magic(head)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(head)
    expected = head.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.kind not in "fiu" or len(shape) != dimensions or expected != entry.file_size:
        raise ValueError(f"{name} is not an array of {dimensions} dimensions that fits its file")
    with archive.open(entry) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def check_passes(arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Check that a fold's evaluation passes [E, S, K] and what stands beside them [S] belong together.

    Raises
    ------
    MerKitError
        If a length differs, a label or a clip is none, or a probability is.
    """
    p, labels, clip = arrays["probabilities"], arrays["labels"], arrays["clip"]
    wrong = ""
    if 0 in p.shape or any(
        len(arrays[name]) != p.shape[1] for name in ("labels", "clip", "start_s")
    ):
        wrong = "arrays of different lengths"
    elif p.dtype.kind != "f" or not ((p >= 0) & (p <= 1)).all():  # also false where it is NaN
        wrong = "probabilities outside 0 to 1"
    elif labels.dtype.kind != "i" or (labels < 0).any() or (labels >= p.shape[2]).any():
        wrong = "labels that are none of its classes"
    elif clip.dtype.kind != "i" or (clip < 0).any() or not np.isfinite(arrays["start_s"]).all():
        wrong = "segments of no clip"
    if wrong:
        raise MerKitError(
            f"{where} has {wrong}: train the fold again, or ask the sender for the file"
        )
