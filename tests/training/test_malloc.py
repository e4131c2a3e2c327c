"""A process that trains keeps the memory that it frees, whatever its environment asks for."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from mer_kit.training import malloc
if sys.argv[1] == "ours":
    assert malloc.keep_freed_memory()
for _ in range(10):
    torch.empty(4_000_000).fill_(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    torch.empty(4_000_000).fill_(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_pages_are_not_fetched_again_and_again() -> None:
    def faults(kind: str) -> int:
        env = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}  # as in a worker of dask
        run = subprocess.run(
            [sys.executable, "-c", FAULTS, kind],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(run.stdout)

    theirs = faults("theirs")
    assert theirs > 40, "each of the 40 blocks is fetched anew, page by page"
    assert faults("ours") < theirs / 4
