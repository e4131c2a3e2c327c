"""The store's manifest: the content of each audio file, and size and checksum of its features.

Notebook: 01_segmentation
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mer_kit.files import writing

#: Increase it when values or file layout change; older files are then ignored, not deleted.
FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """One clip's features in the store; `size` and `crc32` are those of the whole `.npy` file.

    `digest` is the file's name: a hash of the audio's content and the settings, or its
    `beginning_key`.
    """

    digest: str
    frames: int
    duration_s: float
    size: int
    crc32: int


@dataclass
class Manifest:
    """Maps audio file → content hash and digest → Entry; losing it costs time, not correctness."""

    path: Path
    audio: dict[str, list[Any]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Return the manifest at `path`, or an empty one if there is no valid file."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["format"] == FORMAT:
                audio = {str(key): list(value) for key, value in stored["audio"].items()}
                entries = {key: Entry(key, *values) for key, values in stored["entries"].items()}
                return cls(path, audio, entries)
        return cls(path)

    def write(self) -> None:
        """Write new entries, merged with those of other processes; ignore a read-only folder."""
        latest = Manifest.read(self.path)
        audio, entries = latest.audio | self.audio, latest.entries | self.entries
        if (audio, entries) == (latest.audio, latest.entries):
            return
        rows = {key: dataclasses.astuple(entry)[1:] for key, entry in entries.items()}
        stored = {"format": FORMAT, "audio": audio, "entries": rows}
        with contextlib.suppress(OSError):
            write_atomically(self.path, json.dumps(stored).encode())


def beginning_key(digest: str, max_seconds: float) -> str:
    """Return the name of features of only the beginning, from the digest of the whole clip.

    Examples
    --------
    >>> beginning_key("1f", 30.0)
    '1f-first-30s'
    """
    return f"{digest}-first-{max_seconds:g}s"


def features_path(folder: Path, digest: str) -> Path:
    """Return the path of the features with this digest.

    Examples
    --------
    >>> features_path(Path("store"), "1f").as_posix()
    'store/1f.npy'
    """
    return folder / f"{digest}.npy"


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to a temporary file and rename it, so that no reader sees a partial file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder, "a"), b"data")
    ...     Path(folder, "a").read_bytes()
    b'data'
    """
    with writing(path) as partial:
        partial.write_bytes(data)
