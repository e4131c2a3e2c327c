"""Is this machine ready? One check for everything that training, audio or the notebooks need.

Notebook: 00_start_here
"""

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
    """One thing checked: `state` is "ready", "note" (works, could be better) or "problem"."""

    item: str
    state: str
    found: str
    advice: str = ""


def check_machine(*, runs_dir: str | Path | None = None) -> pd.DataFrame:
    """Return one row per thing checked: item, state, found and advice. Needs a few seconds.

    `state` is "ready", "note" (works, could be better) or "problem"; `advice` says what to do and
    is empty if there is nothing to do.

    Parameters
    ----------
    runs_dir : folder for run folders; None or "" for MER_RUNS or the project's runs/

    Notebook: 00_start_here
    """
    checks: list[tuple[str, Callable[[], HealthCheck]]] = [
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
    return pd.DataFrame([_safely(item, check) for item, check in checks])


def _safely(item: str, check: Callable[[], HealthCheck]) -> HealthCheck:
    """Return the result of a check; a check that fails is a problem too."""
    try:
        return check()
    except Exception as error:  # one broken check must not hide the others
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
        advice = "unset OMP_NUM_THREADS to train on all cores"
        return HealthCheck("processor", "note", found, advice)
    return HealthCheck("processor", "ready", found)


def _bfloat16() -> HealthCheck:
    from mer_kit.training.evaluation import place

    if place("cpu", "auto").precision == "bfloat16":
        return HealthCheck("bfloat16", "ready", "the processor computes in it, so training does")
    advice = "nothing to do: training runs in float32, about half as fast"
    return HealthCheck("bfloat16", "note", "not on this processor", advice)


def _gpu() -> HealthCheck:
    import torch

    if not torch.cuda.is_available():
        advice = "nothing to do: only the preset 'paper' needs one"
        return HealthCheck("GPU", "note", "none that torch can use", advice)
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    return HealthCheck("GPU", "ready", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB")


def _decoding(kind: str, state: str) -> HealthCheck:
    """Write a 32 kHz stereo tone as `kind`, decode it to 22,050 Hz mono, compare it."""
    import soundfile

    from mer_kit.signal import audio

    item = f"decoding {kind}"
    if kind not in soundfile.available_formats():
        advice = f"install soundfile 0.12 or newer to read {kind} files"
        return HealthCheck(item, state, f"this libsndfile has no {kind}", advice)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 32000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"tone.{kind.lower()}"
        soundfile.write(path, np.stack([tone, tone], axis=1), 32000, format=kind)
        try:
            y = audio.load(path)
        except MerKitError as error:
            return HealthCheck(item, state, str(error), "install librosa and soundfile again")
    level, seconds = float(np.sqrt(np.mean(np.square(y)))), len(y) / audio.SAMPLE_RATE
    if abs(seconds - 1) > 0.1 or abs(level - 0.5 / np.sqrt(2)) > 0.03:
        found = f"one second is decoded as {seconds:.2f} s at level {level:.2f}, expected 0.35"
        return HealthCheck(item, state, found, "install librosa, soxr and soundfile again")
    found = f"soundfile {soundfile.__version__}, one second of tone is decoded correctly"
    return HealthCheck(item, "ready", found)


def _space(item: str, folder: Path) -> HealthCheck:
    existing = folder.expanduser().absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free / 1e9
    if not os.access(existing, os.W_OK):
        advice = "set MER_RUNS or MER_CACHE to one of your own folders"
        return HealthCheck(item, "problem", f"{existing} cannot be written", advice)
    found = f"{free:.1f} GB free at {folder}"
    if free >= PLENTY_GB:
        return HealthCheck(item, "ready", found)
    advice = f"free {PLENTY_GB:g} GB or set MER_RUNS and MER_CACHE to another disk"
    return HealthCheck(item, "problem" if free < ENOUGH_GB else "note", found, advice)


def _kernel() -> HealthCheck:
    """Check that the kernel python3, which every notebook names, is a Python with mer-kit."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    item = "notebook kernel"
    again = "run `python -m ipykernel install --sys-prefix` in mer-kit's environment"
    try:
        spec: Any = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return HealthCheck(item, "problem", "no kernel called python3", again)
    program = spec.argv[0]
    # jupyter replaces these names by the running Python
    own = ("python", "python3", f"python3.{sys.version_info[1]}")
    if program in own or Path(program).parent == Path(sys.executable).parent:
        return HealthCheck(item, "ready", f"python3 is this Python ({sys.prefix})")
    command = [program, "-c", "import mer_kit"]
    if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0:
        found = f"python3 is {program}, which has mer-kit"
        return HealthCheck(item, "note", found, "set JUPYTER_PREFER_ENV_PATH=1")
    advice = f"set JUPYTER_PREFER_ENV_PATH=1, or {again}"
    return HealthCheck(item, "problem", f"python3 is {program}, which lacks mer-kit", advice)
