"""What does it cost to get the features of all five segment durations: the store, or a plain script with librosa?

The plain script is the usual one: for each duration it loads every clip, cuts every segment, transforms it with
`librosa.feature.melspectrogram` and saves it as a float32 `.npy` file. The store decodes and transforms each clip once.
Both then read every segment back once, as one epoch of a training would.

Both get the same clips and a process of their own, warmed up on one clip; the least processor time of three repeats
counts. BLAS gets one thread in both: waiting BLAS threads burn processor time in the plain script and flatter the ratio.

    python benchmarks/features.py [--clips 8] [--data FOLDER_WITH_AUDIO]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

DURATIONS_S = (1, 2, 3, 4, 5)
REPEATS = 3
SUFFIXES = (".mp3", ".wav", ".flac", ".ogg")


def main() -> None:
    """Run both ways on the same clips and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=8, help="how many clips (default 8)")
    parser.add_argument("--data", type=Path, help="folder with audio files (default: clips synthesised on the spot)")
    parser.add_argument("--worker", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker[0], Path(arguments.worker[1]), [Path(line) for line in sys.stdin.read().splitlines()])
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = find_clips(arguments.data, arguments.clips) if arguments.data else synthesise(folder, arguments.clips)
        results = {way: measure(way, paths, Path(folder) / way) for way in ("plain", "store")}
    source = "clips" if arguments.data else "synthetic clips of 30 s"
    print(f"{len(paths)} {source}, segments of 1, 2, 3, 4 and 5 s")
    print(f"{'way':<28}{'CPU s':>9}{'wall s':>9}{'disk MB':>10}{'files':>8}")
    for way, name in (("plain", "librosa for each segment"), ("store", "mer-kit store")):
        cpu, wall, disk, files = results[way]
        print(f"{name:<28}{cpu:>9.2f}{wall:>9.2f}{disk / 1e6:>10.1f}{files:>8.0f}")
    ratios = np.array(results["plain"]) / np.array(results["store"])
    print(f"{'ratio (aim: CPU 10, disk 20)':<28}{ratios[0]:>8.1f}x{ratios[1]:>8.1f}x{ratios[2]:>9.1f}x")


def find_clips(folder: Path, n_clips: int) -> list[Path]:
    """Return `n_clips` audio files spread evenly over those below `folder`."""
    paths = sorted(path for path in folder.expanduser().rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        sys.exit(f"{folder} holds no {', '.join(SUFFIXES)} file: point --data at a folder with audio")
    chosen = np.linspace(0, len(paths) - 1, min(n_clips, len(paths))).round().astype(int)
    return [paths[i] for i in chosen]


def synthesise(folder: str, n_clips: int) -> list[Path]:
    """Write stereo MP3s of 30 s at 44,100 Hz, tones over noise, and return their paths."""
    import soundfile

    paths = []
    t = np.arange(30 * 44100) / 44100
    for number in range(n_clips):
        noise = np.random.default_rng(number).normal(scale=0.02, size=(len(t), 2))
        tones = sum(np.sin(2 * np.pi * (180 + 20 * number) * k * t) / k for k in range(1, 9))
        paths.append(Path(folder) / f"{number}.mp3")
        soundfile.write(paths[-1], 0.1 * tones[:, np.newaxis] + noise, 44100)
    return paths


def measure(way: str, paths: list[Path], folder: Path) -> tuple[float, float, float, float]:
    """Return (processor seconds, wall seconds, bytes, files) of one way, worked in a fresh process."""
    command = [sys.executable, __file__, "--worker", way, str(folder)]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        command,
        input="\n".join(map(str, paths)),
        env={**os.environ, **one_thread},
        text=True,
        check=True,
        stdout=subprocess.PIPE,
    )
    cpu, wall = map(float, done.stdout.split())
    files = [path for path in folder.rglob("*") if path.is_file()]
    return cpu, wall, float(sum(path.stat().st_size for path in files)), float(len(files))


def work(way: str, folder: Path, paths: list[Path]) -> None:
    """Do the work of one way three times and print the least processor and wall seconds, imports left out."""
    function = {"store": by_store, "plain": by_plain_script}[way]
    with tempfile.TemporaryDirectory() as scratch:
        function(paths[:1], Path(scratch))
    cpu, wall = [], []
    for _ in range(REPEATS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        cpu_start, wall_start = time.process_time(), time.perf_counter()  # process_time counts all threads
        function(paths, folder)
        cpu.append(time.process_time() - cpu_start)
        wall.append(time.perf_counter() - wall_start)
    print(min(cpu), min(wall))


def by_store(paths: list[Path], folder: Path) -> None:
    """Open the store, then read every segment of every duration."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from mer_kit.records import Clip
    from mer_kit.signal import segments, store

    clips = [Clip(str(number), path, {}) for number, path in enumerate(paths)]
    opened = store.open_store(clips, folder, progress=lambda done, total: None)
    for duration_s in DURATIONS_S:
        view = store.SegmentView(opened, segments.index(opened.durations_s, duration_s))
        for first in range(0, len(view), 64):
            view.gather(np.arange(first, min(first + 64, len(view))))


def by_plain_script(paths: list[Path], folder: Path) -> None:
    """Load, cut, transform and save each segment, one duration after the other; then read them all."""
    import librosa

    for duration_s in DURATIONS_S:
        for number, path in enumerate(paths):
            y, rate = librosa.load(path, sr=22050)
            for start_s in range(int(min(len(y) / rate, 30)) - duration_s + 1):
                piece = y[start_s * rate : (start_s + duration_s) * rate]
                mel = librosa.feature.melspectrogram(
                    y=piece, sr=rate, n_fft=1024, hop_length=512, window="hann", n_mels=128
                )
                np.save(folder / f"{number}-{duration_s}-{start_s}.npy", librosa.power_to_db(mel, top_db=None))
    for path in folder.iterdir():
        np.load(path)


if __name__ == "__main__":
    main()
