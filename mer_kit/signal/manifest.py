"""The store's memory on disk: which audio file had which content, and what each file of features must look like.

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

#: Raise it when the numbers or the layout of the files change; older files are then left alone and not used.
FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """What the store knows of one clip's features; `size` and `crc32` are those of the whole `.npy` file.

    `digest` is the file's name: that of the audio's content and the settings, or its `beginning_key`.
    """

    digest: str
    frames: int
    duration_s: float
    size: int
    crc32: int


@dataclass
class Manifest:
    """The store's memory: audio file → content hash, and digest → Entry. Losing it costs time, never correctness."""

    path: Path
    audio: dict[str, list[Any]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    changed: bool = False

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Return the manifest at `path`, or an empty one where it is missing, torn or of another format."""
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["format"] != FORMAT:
                return cls(path)
            entries = {
                digest: Entry(digest, *values) for digest, values in stored["entries"].items()
            }
            return cls(
                path, {str(key): list(value) for key, value in stored["audio"].items()}, entries
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(path)

    def add(self, entry: Entry) -> None:
        """Remember one clip's features."""
        self.entries[entry.digest] = entry
        self.changed = True

    def write(self) -> None:
        """Write what is new, together with what other processes have added meanwhile; a store may be read-only."""
        if not self.changed:
            return
        latest = Manifest.read(self.path)
        rows = {
            digest: dataclasses.astuple(entry)[1:]
            for digest, entry in (latest.entries | self.entries).items()
        }
        text = json.dumps({"format": FORMAT, "audio": latest.audio | self.audio, "entries": rows})
        with contextlib.suppress(OSError):
            write_atomically(self.path, text.encode())
            self.changed = False


def beginning_key(digest: str, max_seconds: float) -> str:
    """Return the name of features that end soon after `max_seconds`, from the digest of the whole one.

    Examples
    --------
    >>> beginning_key("1f", 30.0), content_digest(beginning_key("1f", 30.0)), content_digest("1f")
    ('1f-first-30s', '1f', '1f')
    """
    return f"{digest}-first-{max_seconds:g}s"


def pooled_key(digest: str, segment_seconds: float, every_seconds: float) -> str:
    """Return the name of features that are one vector for each segment.

    Examples
    --------
    >>> pooled_key("1f", 3.0, 1.0)
    '1f-3s-every-1s'
    """
    return f"{digest}-{segment_seconds:g}s-every-{every_seconds:g}s"


def content_digest(key: str) -> str:
    """Return the digest of audio and front-end that a file's name begins with."""
    return key.partition("-")[0]


def features_path(folder: Path, digest: str) -> Path:
    """Return where the store keeps the features with this digest."""
    return folder / f"{digest}.npy"


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` under a temporary name and rename it, so that no reader ever sees half a file."""
    with writing(path) as partial:
        partial.write_bytes(data)
