"""Checksums of a fold's files in its status.json, to notice files that changed after training.

Notebook: 03_sssl_training
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mer_kit import files

#: Larger files (weights of wide networks) are compared by size alone when many runs are listed.
QUICK_BYTES = 64 << 20


def of(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return file name → size in bytes and BLAKE2b checksum.

    Examples
    --------
    >>> with files.scratch() as folder:
    ...     _ = (Path(folder) / "a").write_text("abc")
    ...     sealed = of(Path(folder), ["a"])
    ...     before = changed(Path(folder), sealed, ["a"], inside=Path(folder))
    ...     _ = (Path(folder) / "a").write_text("abd")
    ...     after = changed(Path(folder), sealed, ["a"], inside=Path(folder))
    >>> sealed["a"]["bytes"], before, after
    (3, None, 'a')
    """
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
    """Return the first file that differs from its stored checksum, or None; see `of`.

    Files without a stored checksum are not compared.

    Parameters
    ----------
    sealed : result of `of`, read back
    inside : the run's folder; links out of it count as changed
    quick : do not read files above QUICK_BYTES
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
