"""The arrays of a fold, checked on reading: an `.npz` file's directory, sizes and contents.

What `schema` says of a stranger's folder holds here too.

Notebook: 06_results
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.runs.schema import reading, refuse

#: Largest file of arrays; the evaluation passes of a large corpus need some tens of megabytes.
MOST_BYTES = 4 << 30
#: Arrays up to this size may be compressed at any ratio (all passes equal), larger ones at this.
FREE_BYTES, MOST_RATIO = 64 << 20, 64
#: The end of a zip file without a comment: signature, disks, entries, size of the directory, …
_END = struct.Struct("<4s4H2LH")


def read_arrays(
    path: Path, wanted: Mapping[str, int], *, inside: Path | None = None
) -> dict[str, np.ndarray]:
    """Return the arrays of an `.npz` file by name; `wanted` maps each name to its dimensions.

    Raises
    ------
    MerKitError
        If the file is damaged or not a regular file of the folder, or an array is missing, not
        numeric, of other dimensions, or larger than its compressed bytes can plausibly be.

    Examples
    --------
    >>> with files.scratch() as folder:
    ...     np.savez_compressed(Path(folder) / "epochs.npz", labels=np.array([0, 1]))
    ...     read_arrays(Path(folder) / "epochs.npz", {"labels": 1})
    {'labels': array([0, 1])}
    """
    where, expected = (
        f"{path.name} in fold {path.parent.name}",
        "a fold's arrays: train the fold again",
    )
    if not files.is_plain_file(path, inside=inside) or path.stat().st_size > MOST_BYTES:
        raise MerKitError(f"{where} is missing or not a regular file, expected {expected}")
    with reading(where, "", expected), open(path, "rb") as file:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            return {name: _array(archive, f"{name}.npy", n) for name, n in wanted.items()}


def _check_directory(file: BinaryIO) -> None:
    """Raise ValueError if a zip file has more entries than a fold's, before they are listed."""
    file.seek(-_END.size, io.SEEK_END)
    signature, _, _, _, entries, size, _, comment = _END.unpack(file.read(_END.size))
    if signature != b"PK\x05\x06" or entries > 64 or size > 1 << 16 or comment:
        raise ValueError("not the end of an .npz file")


def _array(archive: zipfile.ZipFile, name: str, dimensions: int) -> np.ndarray:
    """Return one array, after comparing the size in its header with the bytes in the file."""
    entry = archive.getinfo(name)
    if entry.file_size > max(FREE_BYTES, MOST_RATIO * entry.compress_size):
        raise ValueError(f"{name} is compressed more tightly than probabilities are")
    with archive.open(entry) as file:
        head = io.BytesIO(file.read(4096))
        readers = {(1, 0): np.lib.format.read_array_header_1_0}
        version = np.lib.format.read_magic(head)
        shape, _, dtype = readers.get(version, np.lib.format.read_array_header_2_0)(head)
        expected = head.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
        if dtype.kind not in "fiu" or len(shape) != dimensions or expected != entry.file_size:
            raise ValueError(
                f"{name} is not an array of {dimensions} dimensions that fits its file"
            )
        file.seek(0)
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def check_passes(arrays: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Return a fold's passes [E, S, K] and the arrays of its segments [S], if they agree.

    Raises
    ------
    MerKitError
        If lengths differ, or a label, clip or probability is out of range.

    Examples
    --------
    >>> arrays = {"probabilities": np.full((1, 1, 2), 0.5), "labels": np.array([2]),
    ...           "clip": np.array([0]), "start_s": np.array([0.0])}
    >>> check_passes(arrays, "epochs.npz in fold 0")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: epochs.npz in fold 0 has labels outside its classes: train the fold
    again, or ask the sender for the file
    """
    p, labels, clip = arrays["probabilities"], arrays["labels"], arrays["clip"]
    n_segments = {len(array) for name, array in arrays.items() if name != "probabilities"}
    refuse(
        where,
        {
            "arrays of different lengths": 0 in p.shape or n_segments != {p.shape[1]},
            # also where they are NaN
            "probabilities outside 0 to 1": p.dtype.kind != "f" or not ((p >= 0) & (p <= 1)).all(),
            "labels outside its classes": labels.dtype.kind != "i"
            or not ((labels >= 0) & (labels < p.shape[2])).all(),
            "segments without a clip": clip.dtype.kind != "i"
            or (clip < 0).any()
            or not np.isfinite(arrays["start_s"]).all(),
        },
    )
    return arrays
