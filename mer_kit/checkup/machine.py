"""Is this machine ready? Each thing that training, listening or the notebooks rely on, looked at once.

Notebook: 00_start_here
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mer_kit
from mer_kit.checks import MerKitError
from mer_kit.paths import cache_root, default_runs_dir

#: D: the demo needs well under 1 GB; 4Q's log-mels 0.3 GB, its run folders some more.
PLENTY_GB, ENOUGH_GB = 2.0, 0.5


@dataclass(frozen=True)
class HealthCheck:
    """One thing looked at: `state` is "ready", "note" (works, could be better) or "problem"."""

    item: str
    state: str
    found: str
    advice: str = ""


def check_machine(*, runs_dir: str | Path | None = None) -> pd.DataFrame:
    """Return one row per thing looked at, with the columns item, state, found and advice; takes a few seconds.

    `state` is "ready", "note" (works, could be better) or "problem"; `advice` says what to do and is empty where
    nothing is.

    Parameters
    ----------
    runs_dir : where run folders go; None or "" for MER_RUNS or the project's runs/

    Notebook: 00_start_here
    """
    looks: list[tuple[str, Callable[[], HealthCheck]]] = [
        ("mer-kit", _package),
        ("Python", _python),
        ("torch", _torch),
        ("processor", _processor),
        ("bfloat16", _bfloat16),
        ("GPU", _gpu),
        ("decoding WAV", lambda: _decoding("WAV", "problem")),
        ("decoding MP3", lambda: _decoding("MP3", "note")),
        ("space for runs", lambda: _space("space for runs", Path(runs_dir or default_runs_dir()))),
        ("space for the cache", lambda: _space("space for the cache", cache_root())),
        ("notebook kernel", _kernel),
    ]
    return pd.DataFrame([_safely(item, look) for item, look in looks])


def _safely(item: str, look: Callable[[], HealthCheck]) -> HealthCheck:
    """Return what a look finds; a look that fails is a finding too."""
    try:
        return look()
    except Exception as error:  # a doctor that falls over helps nobody
        advice = "install mer-kit's requirements again (make setup)"
        return HealthCheck(item, "problem", f"{type(error).__name__}: {error}", advice)


def _package() -> HealthCheck:
    return HealthCheck("mer-kit", "ready", mer_kit.__version__)


def _python() -> HealthCheck:
    return HealthCheck("Python", "ready", f"{platform.python_version()} on {platform.system()}")


def _torch() -> HealthCheck:
    import torch

    return HealthCheck("torch", "ready", str(torch.__version__))


def _processor() -> HealthCheck:
    import torch

    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    found = f"{cores} cores, torch uses {threads} threads"
    if threads < cores // 2:
        return HealthCheck(
            "processor", "note", found, "unset OMP_NUM_THREADS to train on all cores"
        )
    return HealthCheck("processor", "ready", found)


def _bfloat16() -> HealthCheck:
    from mer_kit.training.evaluation import place

    if place("cpu", "auto").precision == "bfloat16":
        return HealthCheck("bfloat16", "ready", "the processor computes in it, so training does")
    return HealthCheck(
        "bfloat16",
        "note",
        "not on this processor",
        "nothing to do: training runs in float32, about half as fast",
    )


def _gpu() -> HealthCheck:
    import torch

    if not torch.cuda.is_available():
        return HealthCheck(
            "GPU",
            "note",
            "none that torch can use",
            "nothing to do: only the preset 'paper' wants one",
        )
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    return HealthCheck("GPU", "ready", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB")


def _decoding(kind: str, state: str) -> HealthCheck:
    """Write a stereo tone at 32 kHz as `kind`, decode it to mono 22,050 Hz, and compare length and loudness."""
    import soundfile

    from mer_kit.signal import audio

    item = f"decoding {kind}"
    if kind not in soundfile.available_formats():
        advice = f"install soundfile 0.12 or newer to read {kind} files"
        return HealthCheck(item, state, f"this libsndfile knows no {kind}", advice)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 32000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"tone.{kind.lower()}"
        soundfile.write(path, np.stack([tone, tone], axis=1), 32000, format=kind)
        try:
            y = audio.load(path)
        except MerKitError as error:
            return HealthCheck(item, state, str(error), "install librosa and soundfile again")
    level = float(np.sqrt(np.mean(np.square(y))))
    if abs(len(y) / audio.SAMPLE_RATE - 1) > 0.1 or abs(level - 0.5 / np.sqrt(2)) > 0.03:
        found = f"one second came back as {len(y) / audio.SAMPLE_RATE:.2f} s at level {level:.2f}, expected 0.35"
        return HealthCheck(item, state, found, "install librosa, soxr and soundfile again")
    return HealthCheck(
        item, "ready", f"soundfile {soundfile.__version__}, one second of tone came back whole"
    )


def _space(item: str, folder: Path) -> HealthCheck:
    there = folder.expanduser().absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free / 1e9
    found = f"{free:.1f} GB free at {folder}"
    if not os.access(there, os.W_OK):
        return HealthCheck(
            item,
            "problem",
            f"{there} cannot be written",
            "set MER_RUNS or MER_CACHE to a folder of yours",
        )
    if free < PLENTY_GB:
        state = "problem" if free < ENOUGH_GB else "note"
        return HealthCheck(
            item,
            state,
            found,
            f"free {PLENTY_GB:g} GB or set MER_RUNS and MER_CACHE to another disk",
        )
    return HealthCheck(item, "ready", found)


def _kernel() -> HealthCheck:
    """Look whether the kernel called python3, which every notebook asks for, is a Python that has mer-kit."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    item, again = (
        "notebook kernel",
        "run `python -m ipykernel install --sys-prefix` in mer-kit's environment",
    )
    try:
        spec: Any = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return HealthCheck(item, "problem", "no kernel called python3", again)
    program = spec.argv[0]
    own = (
        "python",
        "python3",
        f"python3.{sys.version_info[1]}",
    )  # jupyter puts the running Python in their place
    if program in own or Path(program).parent == Path(sys.executable).parent:
        return HealthCheck(item, "ready", f"python3 is this Python ({sys.prefix})")
    tried = subprocess.run(
        [program, "-c", "import mer_kit"], capture_output=True, check=False, timeout=60
    )
    if tried.returncode == 0:
        return HealthCheck(
            item,
            "note",
            f"python3 is {program}, which has mer-kit",
            "set JUPYTER_PREFER_ENV_PATH=1",
        )
    advice = f"set JUPYTER_PREFER_ENV_PATH=1, or {again}"
    return HealthCheck(item, "problem", f"python3 is {program}, which lacks mer-kit", advice)
