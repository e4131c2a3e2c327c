"""A tiny 4Q, so that loaders can be tested without the dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ANNOTATIONS = "panda_dataset_taffc_annotations.csv"
METADATA = "panda_dataset_taffc_metadata.csv"
Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that writes a dataset of given rows, files and metadata below tmp_path/4q."""

    def make(
        rows: str, files: dict[str, bytes], metadata: str | None = None, encoding: str = "utf-8"
    ) -> Path:
        root = tmp_path / "4q"
        for quadrant in ("Q1", "Q2", "Q3", "Q4"):
            (root / quadrant).mkdir(parents=True)
        (root / ANNOTATIONS).write_bytes(("Song,Quadrant\n" + rows).encode(encoding))
        for name, content in files.items():
            (root / name).write_bytes(content)
        if metadata is not None:
            header = "Song,Artist,Title,Quadrant,PQuad\n"
            (root / METADATA).write_bytes((header + metadata).encode(encoding))
        return root

    return make
