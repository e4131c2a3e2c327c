"""Read a fold's `.npz` file without trusting it: nothing is unpacked before its size is checked.

Notebook: 02_noisy_labels
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mer_kit import files
from mer_kit.checks import MerKitError

#: Largest file; the evaluation passes of a large corpus need some tens of megabytes.
MOST_BYTES = 4 << 30
#: Arrays up to this size may be compressed at any ratio (all passes equal), larger ones at this.
FREE_BYTES, MOST_RATIO = 64 << 20, 64
#: The end of a zip file without a comment: signature, disks, entries, size of the directory, …
_END = struct.Struct("<4s4H2LH")


def read(
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
    ...     read(Path(folder) / "epochs.npz", {"labels": 1})
    {'labels': array([0, 1])}
    """
    where = f"{path.name} in fold {path.parent.name}"
    try:
        if not files.is_plain_file(path, inside=inside) or path.stat().st_size > MOST_BYTES:
            raise MerKitError(
                f"{where} is missing or not a regular file, expected a fold's arrays: "
                "train the fold again"
            )
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            return {name: _array(archive, f"{name}.npy", n) for name, n in wanted.items()}
    except MerKitError:
        raise
    except Exception as error:  # on corrupted files, anything from KeyError to MemoryError
        raise MerKitError(
            f"{where} cannot be read ({type(error).__name__}), expected a fold's arrays: "
            "train the fold again"
        ) from error


def _check_directory(path: Path) -> None:
    """Raise ValueError if a zip file has more entries than a fold's, before they are listed."""
    with open(path, "rb") as file:
        file.seek(-_END.size, 2)
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
        read_header = np.lib.format.read_array_header_2_0
        if np.lib.format.read_magic(head) == (1, 0):
            read_header = np.lib.format.read_array_header_1_0
        shape, _, dtype = read_header(head)
    expected = head.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.kind not in "fiu" or len(shape) != dimensions or expected != entry.file_size:
        raise ValueError(f"{name} is not an array of {dimensions} dimensions that fits its file")
    with archive.open(entry) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def check_passes(arrays: Mapping[str, np.ndarray], where: str) -> None:
    """Check that a fold's evaluation passes [E, S, K] and the arrays of its segments [S] agree.

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
    n_segments = {len(arrays[name]) for name in ("labels", "clip", "start_s")}
    wrong = ""
    if 0 in p.shape or n_segments != {p.shape[1]}:
        wrong = "arrays of different lengths"
    elif p.dtype.kind != "f" or not ((p >= 0) & (p <= 1)).all():  # also false where it is NaN
        wrong = "probabilities outside 0 to 1"
    elif labels.dtype.kind != "i" or (labels < 0).any() or (labels >= p.shape[2]).any():
        wrong = "labels outside its classes"
    elif clip.dtype.kind != "i" or (clip < 0).any() or not np.isfinite(arrays["start_s"]).all():
        wrong = "segments without a clip"
    if wrong:
        raise MerKitError(
            f"{where} has {wrong}: train the fold again, or ask the sender for the file"
        )
