"""Decoding: as fast as reading files in one go, bit for bit the same, and in little memory however long they are.

    python benchmarks/decoding.py FOLDER        # every sound below FOLDER, both ways, and a long WAV made for this

Both ways read each file one after the other on one thread, in turns, and the processor's time is compared. With
`--old AUDIO.PY` the other way is `decode` of an earlier `mer_kit/signal/audio.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from mer_kit.checks import MerKitError
from mer_kit.corpora.audio_files import AUDIO_ENDINGS
from mer_kit.records import Problem
from mer_kit.signal import audio

_LONG = """
import resource, sys
from mer_kit.signal import audio, builder, frontends
audio.decode(sys.argv[1], max_seconds=0.1)  # libraries are loaded
idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seconds = None if sys.argv[3] == "whole" else float(sys.argv[3])
if sys.argv[2] == "decode":
    n = len(audio.decode(sys.argv[1], max_seconds=seconds))
else:
    n = len(builder.file_features(sys.argv[1], builder.Recipe(frontends.make()), max_seconds=seconds)[0])
print(n, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024)
"""


def in_one_go(path: Path) -> np.ndarray:
    """Return a file's samples as float32 [n], read whole, mixed and resampled by librosa."""
    import librosa

    samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    mono = sum(samples.T) / samples.shape[1]
    if rate == audio.SAMPLE_RATE:
        return np.asarray(mono)
    return np.asarray(librosa.resample(mono, orig_sr=rate, target_sr=audio.SAMPLE_RATE, res_type="soxr_hq"))


def earlier(path: Path) -> Callable[[Path], np.ndarray | Problem]:
    """Return the function `decode` of an earlier audio.py."""
    about = importlib.util.spec_from_file_location("earlier_audio", path)
    assert about is not None and about.loader is not None
    module = importlib.util.module_from_spec(about)
    about.loader.exec_module(module)
    return module.decode  # type: ignore[no-any-return]


def compare(files: list[Path], other: Callable[[Path], np.ndarray | Problem] = in_one_go) -> None:
    """Read every file both ways in turns; print seconds, their ratio, and how many files are bit for bit the same."""
    seconds, same, different = {"in one go": 0.0, "decode": 0.0}, 0, []
    ways = [("in one go", other), ("decode", audio.decode)]
    for _, way in ways:
        way(files[0])  # libraries are loaded
    for number, path in enumerate(files):
        found = {}
        for name, way in ways if number % 2 else reversed(ways):
            began = time.process_time()
            found[name] = way(path)
            if name == "decode":  # what opening a store asks as well
                with contextlib.suppress(MerKitError):
                    audio.duration(path)
            seconds[name] += time.process_time() - began
        kept = found["decode"]
        if isinstance(kept, Problem):
            different.append(f"{kept}")
        elif np.array_equal(found["in one go"], kept):
            same += 1
        else:
            different.append(f"{path.name}: {found['in one go']} in one go, {len(kept)} decoded")
    print(
        f"{len(files)} files: in one go {seconds['in one go']:.1f} s, decode {seconds['decode']:.1f} s of processor time"
    )
    print(f"ratio {seconds['decode'] / seconds['in one go']:.3f} (aim: at most 1.10); {same} the same bit for bit")
    for line in different[:20]:
        print(f"  {line}")


def long_file(hours: float) -> None:
    """Decode a WAV of `hours` in processes of their own; print the peak of memory over the idle process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        noise = (0.1 * np.random.default_rng(0).standard_normal((44100, 2))).astype(np.float32)
        with soundfile.SoundFile(path, "w", 44100, 2, subtype="PCM_16") as file:
            for _ in range(round(3600 * hours)):
                file.write(noise)
        for what in ("decode", "log-mel"):
            for seconds in ("whole", "30"):
                began = time.monotonic()
                command = [sys.executable, "-c", _LONG, str(path), what, seconds]
                said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                print(f"{hours:g} h WAV, {what}, {seconds}: {said[0]} rows, peak {float(said[1]):.0f} MB over idle, "
                      f"{time.monotonic() - began:.0f} s")  # fmt: skip


def main() -> None:
    """Compare both ways on a folder, then measure the memory of a long file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--old", type=Path, help="an earlier audio.py to compare with")
    parser.add_argument("--hours", type=float, default=3.0)
    chosen = parser.parse_args()
    if chosen.folder:
        files = sorted(p for p in chosen.folder.rglob("*") if p.suffix.lower() in AUDIO_ENDINGS)
        compare(files, earlier(chosen.old) if chosen.old else in_one_go)
    if chosen.hours:
        long_file(chosen.hours)


if __name__ == "__main__":
    main()
