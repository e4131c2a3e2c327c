"""Tests keep what they compute for themselves: one cache for the whole session, torch on one thread."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
import torch

# Small networks on two cores: a second thread costs more than it gives, and one thread repeats bit for bit.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def own_cache(request: pytest.FixtureRequest) -> None:
    """Put the log-mel store and the demo corpus of tests beside each other in one temporary folder, kept between runs."""
    folder = (
        Path(tempfile.gettempdir())
        / f"mer-kit-test-cache-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    )
    os.environ["MER_CACHE"] = str(folder)
    os.environ.pop("MER_RUNS", None)
