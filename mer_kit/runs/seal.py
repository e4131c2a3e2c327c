"""Checksums of what a training left, kept in the fold's status.json: a file that changed since is noticed.

Notebook: 03_sssl_training
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mer_kit import files

#: Larger files (the weights of a wide network) are compared by size alone where a whole folder of runs is looked at.
QUICK_BYTES = 64 << 20


def of(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return file name → size in bytes and BLAKE2b checksum of these files."""
    return {
        name: {"bytes": (folder / name).stat().st_size, "blake2b": files.checksum(folder / name)}
        for name in names
    }


def changed(
    folder: Path,
    sealed: Mapping[str, Any],
    names: Sequence[str],
    *,
    inside: Path,
    quick: bool = False,
) -> str | None:
    """Return the first of these files that is not as it was sealed, or None; what was never sealed cannot tell.

    Parameters
    ----------
    sealed : what `of` returned, read back
    inside : the run's folder, which the files may not leave
    quick : read no file above QUICK_BYTES
    """
    for name in names:
        expected = sealed.get(name)
        if expected is not None and not _is_as_sealed(folder / name, expected, inside, quick):
            return name
    return None


def _is_as_sealed(path: Path, expected: Any, inside: Path, quick: bool) -> bool:
    if not isinstance(expected, Mapping) or not files.is_plain_file(path, inside=inside):
        return False
    size = path.stat().st_size
    if size != expected.get("bytes"):
        return False
    return (quick and size > QUICK_BYTES) or files.checksum(path) == expected.get("blake2b")
