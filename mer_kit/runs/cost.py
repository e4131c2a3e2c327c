"""What a fold costs: seconds, parameters, peak memory, and the epochs that made a partition.

Notebook: 06_results
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mer_kit.records import PARTITION_PHASE, EpochRecord

#: The numbers of a fold's cost in its status.json; one that a run does not know is missing.
#: `parameters` are all trained numbers, `peak_mb` the most memory in use at a time (MB; of the GPU
#: where one trained, else of the whole process), `split` the fraction of the epochs with a
#: partition in which the losses separated.
NAMES = ("parameters", "peak_mb", "split")
_SELF = Path("/proc/self")


def stored(status: Mapping[str, Any]) -> dict[str, float]:
    """Return the cost in a fold's status.json; older runs have none.

    Examples
    --------
    >>> stored({"state": "done", "seconds": 3.0, "parameters": 1204})
    {'parameters': 1204}
    """
    return {name: status[name] for name in NAMES if status.get(name) is not None}


def split(history: Sequence[EpochRecord]) -> float:
    """Return the fraction of epochs with a partition whose losses separated; NaN without any.

    A method that never separates treats every label as right: plain training under its name.

    Examples
    --------
    >>> split([])
    nan
    """
    separated = [record.separated for record in history if record.phase == PARTITION_PHASE]
    if not separated:
        return float("nan")
    return float(np.mean(separated))


def forget_peak(device: torch.device) -> None:
    """Begin to measure the peak memory of a device, or of this process, anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.suppress(OSError):  # only Linux has it, and not in every container
        (_SELF / "clear_refs").write_text("5")


def peak_mb(device: torch.device) -> float:
    """Return the most memory in use since `forget_peak`, in MB; NaN where it cannot be measured.

    Examples
    --------
    >>> value = peak_mb(torch.device("cpu"))
    >>> bool(np.isnan(value) or value > 10)
    True
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s*(\d+) kB", (_SELF / "status").read_text())
        if found:
            return int(found[1]) * 1024 / 1e6
    return float("nan")
