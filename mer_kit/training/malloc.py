"""Let the C library keep freed memory for the next layer instead of returning it to the system."""

import ctypes
import functools
import sys

#: Parameters of glibc's mallopt: the size from which a block is mapped on its own, and how much
#: freed memory is kept.
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
#: Bytes. The first threshold that the library accepts is set (older ones refuse more than 32 MiB).
MAPPED_FROM = (2**30, 2**25)
#: Bytes, the most freed memory to keep.
KEPT = 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Let glibc keep freed memory; return whether it does. Other C libraries are left as they are.

    D: activations are blocks of some ten MB. By default glibc returns many of them to the system,
    which then has to clear every page again for the next layer; dask's workers set a still smaller
    limit (MALLOC_TRIM_THRESHOLD_), and a kernel started by one inherits it. No number changes.
    `benchmarks/allocation.py` measures both.

    Source: mallopt(3).

    Examples
    --------
    >>> keep_freed_memory() in (True, False)  # True on most Linux systems
    True
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    mapped = any(mallopt(MMAP_THRESHOLD, size) for size in MAPPED_FROM)
    return mapped and bool(mallopt(TRIM_THRESHOLD, KEPT))
