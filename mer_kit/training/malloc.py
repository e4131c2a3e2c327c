"""Memory of the C library: what one layer frees is kept for the next, instead of going back to the system."""

from __future__ import annotations

import ctypes
import functools
import sys

#: Parameters of glibc's mallopt: from which size on a block is mapped alone, and how much freed memory is kept.
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
#: Bytes: the first that the library takes is set (older ones refuse more than 32 MiB), and the most to keep.
MAPPED_FROM, KEPT = (2**30, 2**25), 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc keep the memory that is freed; return whether it will (other C libraries are left as they are).

    D: activations are blocks of some ten MB. By its defaults glibc returns many of them to the system, which then has to
    clear every page again for the next layer; dask's workers ask for still less to be kept (MALLOC_TRIM_THRESHOLD_), and
    a kernel started by one inherits that. `benchmarks/allocation.py` measures both. No number changes.

    Source: mallopt(3).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    return any(mallopt(MMAP_THRESHOLD, size) for size in MAPPED_FROM) and bool(
        mallopt(TRIM_THRESHOLD, KEPT)
    )
