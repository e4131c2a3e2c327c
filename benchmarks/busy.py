"""How much longer does the demo take on a busy machine? `mer-kit demo` alone, then beside CPU-bound processes.

Both runs begin with nothing: run folders and caches lie in temporary folders that are removed at the end. Wall-clock
seconds tell what a person waits, processor seconds (of the command and its kernels) whether threads spin while they
wait. Everything else that the machine does meanwhile counts too: its load before each run is printed.

  python benchmarks/busy.py [--preset smoke] [--beside 2]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Most that a busy machine may cost, where two processes stand beside it on two cores.
LIMIT = 2.5
#: A process that computes until it is ended, or until its parent is gone.
BURN = "import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"


@contextlib.contextmanager
def beside(count: int) -> Iterator[None]:
    """Keep so many CPU-bound processes running within the block; end these, and no others, after it."""
    burning: list[subprocess.Popen[bytes]] = []
    try:
        burning += [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)]
        yield
    finally:
        for process in burning:
            process.terminate()
        for process in burning:
            process.wait()


def processor_seconds() -> float:
    """Return what this process's ended children took, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def demo(preset: str) -> tuple[float, float]:
    """Return the wall-clock and the processor seconds of one demo from nothing."""
    with tempfile.TemporaryDirectory(prefix="mer-kit-busy-") as folder:
        environment = {**os.environ, "MER_CACHE": f"{folder}/cache", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "mer_kit", "demo", "--preset", preset, "--runs", f"{folder}/runs"]
        wall, processor = time.perf_counter(), processor_seconds()
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"mer-kit demo failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return time.perf_counter() - wall, processor_seconds() - processor


def main() -> None:
    """Run both and print their ratio; exit 1 if it is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="smoke", choices=("smoke", "demo"), help="demo is the real one")
    parser.add_argument("--beside", type=int, default=2, help="how many CPU-bound processes run beside the second demo")
    typed = parser.parse_args()
    walls = []
    for name, count in (("alone", 0), (f"beside {typed.beside}", typed.beside)):
        load = os.getloadavg()[0]
        with beside(count):
            wall, processor = demo(typed.preset)
        walls.append(wall)
        print(f"{name:<10} {wall:7.1f} s  processor {processor:7.1f} s  (load before {load:.1f})", flush=True)
    ratio = walls[1] / walls[0]
    print(f"ratio      {ratio:7.2f}    expected at most {LIMIT} beside 2 on two cores")
    raise SystemExit(ratio > LIMIT)


if __name__ == "__main__":
    main()
