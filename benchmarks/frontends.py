"""Seconds that each front-end takes for a clip of 30 s, on one thread: frames, and vectors of 3 s every second.

Front-ends whose weights are not on this machine are left out. Aim: descriptors in at most 2 s.

    python benchmarks/frontends.py [--repeats 5] [NAME ...]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mer_kit.checks import MerKitError
from mer_kit.signal import frontends, segments
from mer_kit.signal.frontend import BaseFrontend


def main() -> None:
    """Print the best and the median of the repeats for each front-end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="how often each is timed (default 5)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="front-ends (default: all)")
    arguments = parser.parse_args()
    print(f"{'front-end':<16}{'best s':>8}{'median s':>10}")
    for name in arguments.names or frontends.MODULES:
        frontend = frontends.make(name)
        samples = music(frontend.sample_rate)
        try:
            with threadpool_limits(1):
                work(frontend, samples)  # imports, weights and compiled functions
                taken = [work(frontend, samples) for _ in range(arguments.repeats)]
        except MerKitError as error:
            print(f"{name:<16}  {error}")
            continue
        print(f"{name:<16}{min(taken):>8.2f}{np.median(taken):>10.2f}")


def music(rate: int) -> np.ndarray:
    """Return 30 s of tones that begin every half second, over noise."""
    t = np.arange(30 * rate) / rate
    beat = np.exp(-4 * (t % 0.5))
    tones = sum(np.sin(2 * np.pi * hertz * t) for hertz in (196.0, 261.6, 329.6, 392.0))
    noise = np.random.default_rng(0).normal(scale=0.02, size=len(t))
    return (0.1 * beat * tones + noise).astype(np.float32)


def work(frontend: BaseFrontend, samples: np.ndarray) -> float:
    """Return the seconds for a clip's frames and, if the front-end pools, its segments' vectors."""
    started = time.perf_counter()
    frames = frontend.frames(samples)
    if frontend.pool is not None:
        index = segments.index([30.0], 3.0, frames_per_second=frontend.frames_per_second)
        for start in index.start_frame:
            frontend.pool(frames[start : start + index.n_frames])
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
