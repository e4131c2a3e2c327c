"""Is this machine ready? One check for everything that training, audio or the notebooks need.

Notebook: 00_start_here
"""

import functools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

import mer_kit
from mer_kit.checks import MerKitError
from mer_kit.paths import cache_root, default_runs_dir
from mer_kit.signal import frontends, wheels

#: D: the demo needs well under 1 GB; 4Q's log-mels 0.3 GB, its run folders some more.
PLENTY_GB, ENOUGH_GB = 2.0, 0.5


class Finding(NamedTuple):
    """What a check found: `state` is "ready", "note" (works, could be better) or "problem"."""

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
    python = f"{platform.python_version()} on {platform.system()}"
    checks: dict[str, Callable[[], Finding]] = {
        "mer-kit": lambda: Finding("ready", mer_kit.__version__),
        "Python": lambda: Finding("ready", python),
        "torch": lambda: Finding("ready", str(torch.__version__)),
        "processor": _processor,
        "bfloat16": _bfloat16,
        "GPU": _gpu,
        "decoding WAV": lambda: _decoding("WAV", "problem"),
        "decoding MP3": lambda: _decoding("MP3", "note"),
        "space for runs": lambda: _space(Path(runs_dir or default_runs_dir())),
        "space for the cache": lambda: _space(cache_root()),
        "notebook kernel": _kernel,
    }
    for name, module in frontends.MODULES.items():
        if hasattr(module, "WHEEL"):
            checks[f"weights of {name}"] = functools.partial(_weights, module.WHEEL)
    rows = [(item, *_safely(check)) for item, check in checks.items()]
    return pd.DataFrame(rows, columns=["item", *Finding._fields])


def _safely(check: Callable[[], Finding]) -> Finding:
    """Return the result of a check; a check that fails is a problem too."""
    try:
        return check()
    except Exception as error:  # one broken check must not hide the others
        advice = "install mer-kit's requirements again (make setup)"
        return Finding("problem", f"{type(error).__name__}: {error}", advice)


def _processor() -> Finding:
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    found = f"{cores} cores, torch uses {threads} threads"
    if threads < cores // 2:
        return Finding("note", found, "unset OMP_NUM_THREADS to train on all cores")
    return Finding("ready", found)


def _bfloat16() -> Finding:
    from mer_kit.training.evaluation import place

    if place("cpu", "auto").precision == "bfloat16":
        return Finding("ready", "the processor computes in it, so training does")
    return Finding(
        "note",
        "not on this processor",
        "nothing to do: training runs in float32, about half as fast",
    )


def _gpu() -> Finding:
    if not torch.cuda.is_available():
        return Finding(
            "note", "none that torch can use", "nothing to do: only the preset 'paper' needs one"
        )
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    return Finding("ready", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB")


def _decoding(kind: str, state: str) -> Finding:
    """Write a 32 kHz stereo tone as `kind`, decode it to 22,050 Hz mono, compare it."""
    import soundfile

    from mer_kit.signal import audio

    if kind not in soundfile.available_formats():
        return Finding(
            state,
            f"this libsndfile has no {kind}",
            f"install soundfile 0.12 or newer to read {kind} files",
        )
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 32000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"tone.{kind.lower()}"
        soundfile.write(path, np.stack([tone, tone], axis=1), 32000, format=kind)
        try:
            y = audio.load(path)
        except MerKitError as error:
            return Finding(state, str(error), "install librosa and soundfile again")
    level, seconds = float(np.sqrt(np.mean(np.square(y)))), len(y) / audio.SAMPLE_RATE
    if abs(seconds - 1) > 0.1 or abs(level - 0.5 / np.sqrt(2)) > 0.03:
        found = f"one second is decoded as {seconds:.2f} s at level {level:.2f}, expected 0.35"
        return Finding(state, found, "install librosa, soxr and soundfile again")
    return Finding(
        "ready", f"soundfile {soundfile.__version__}, one second of tone is decoded correctly"
    )


def _space(folder: Path) -> Finding:
    path = folder.expanduser().absolute()
    existing = next(place for place in (path, *path.parents) if place.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if not os.access(existing, os.W_OK):
        return Finding(
            "problem",
            f"{existing} cannot be written",
            "set MER_RUNS or MER_CACHE to one of your own folders",
        )
    found = f"{free:.1f} GB free at {folder}"
    if free >= PLENTY_GB:
        return Finding("ready", found)
    advice = f"free {PLENTY_GB:g} GB or set MER_RUNS and MER_CACHE to another disk"
    return Finding("problem" if free < ENOUGH_GB else "note", found, advice)


def _weights(wheel: wheels.Wheel) -> Finding:
    """Check the pretrained weights of a front-end, which only runs that name it need."""
    try:
        wheels.read(wheel)
    except MerKitError as error:
        return Finding("note", str(error).partition(":")[0], wheel.advice)
    return Finding("ready", f"{wheel.name} {wheel.version}, {wheel.licence} licence")


def _kernel() -> Finding:
    """Check that the kernel python3, which every notebook names, is a Python with mer-kit."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    again = "run `python -m ipykernel install --sys-prefix` in mer-kit's environment"
    try:
        spec: Any = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding("problem", "no kernel called python3", again)
    program = spec.argv[0]
    # jupyter replaces these names by the running Python
    own = ("python", "python3", f"python3.{sys.version_info[1]}")
    if program in own or Path(program).parent == Path(sys.executable).parent:
        return Finding("ready", f"python3 is this Python ({sys.prefix})")
    command = [program, "-c", "import mer_kit"]
    if subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0:
        return Finding(
            "note", f"python3 is {program}, which has mer-kit", "set JUPYTER_PREFER_ENV_PATH=1"
        )
    return Finding(
        "problem",
        f"python3 is {program}, which lacks mer-kit",
        f"set JUPYTER_PREFER_ENV_PATH=1, or {again}",
    )
