"""Does a grid survive? Kill a worker, a kernel or the whole grid at random moments, go on, compare with an undisturbed run.

    python benchmarks/faults.py                # ten moments each
    python benchmarks/faults.py --times 2 --whole
    python benchmarks/faults.py --times 2 --every-system    # every method and system, on vectors

The grid's notebooks are 03 and 04 up to the cell that trains or decides, and with --whole all of their pictures too.

For each fault: was every number bit-equal in the end, was a finished notebook executed again, does a process live on?
The moments come from a seed. Exit 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import psutil

from mer_kit.batch import grid, planning
from mer_kit.runs.schema import read_json
from mer_kit.systems import ALIASES, SYSTEMS
from mer_kit.training import METHODS

#: Notebooks of each run: training and deciding are what must not be lost.
NOTEBOOKS = ("03_sssl_training", "04_song_decisions")
#: The cells of them that train and decide.
WORK = ("03-train", "04-run")
OPTIONS = [
    "grid", "--preset", "smoke", "--folds", "2", "--workers", "2",
    "--set", 'corpus_options={"clips": 16, "seconds": 8.0}',
]  # fmt: skip
TWO_METHODS = ["--method", "ce,sssl", "--set", "epochs=6", "--set", "warmup_epochs=2"]
EVERY_SYSTEM = ["--method", ",".join([*METHODS, *SYSTEMS, *ALIASES]), "--frontend", "logmel_stats"]
FAULTS = ("worker", "kernel", "grid")
#: Seconds that a process may take to notice that it is alone.
GRACE_SECONDS = 15.0


def shorten(folder: Path) -> None:
    """Write every notebook into `folder` with its cells up to the one that trains or decides, the last in WORK."""
    for source in planning.notebooks_folder().glob("0*.ipynb"):
        book = nbformat.read(source, as_version=4)
        ids = [cell.id for cell in book.cells]
        last = next((ids.index(cell) for cell in WORK if cell in ids), len(ids) - 1)
        book.cells = book.cells[: last + 1]
        nbformat.write(book, folder / source.name)


def child(runs: Path, notebooks: Path | None, every_system: bool) -> None:
    """Be the grid: run the command line with the two notebooks only."""
    from mer_kit.cli import main

    grid.OF_A_RUN = NOTEBOOKS
    if notebooks:
        planning.notebooks_folder = lambda: notebooks
    main([*OPTIONS, *(EVERY_SYSTEM if every_system else TWO_METHODS), "--runs", str(runs)])


def start(runs: Path) -> subprocess.Popen[bytes]:
    """Start a grid in a process of its own, with the methods that this process was asked for."""
    command = [sys.executable, __file__, "--child", str(runs)]
    if "--every-system" in sys.argv:
        command.append("--every-system")
    if (runs.parent / "notebooks").is_dir():
        command += ["--notebooks", str(runs.parent / "notebooks")]
    env = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"}
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def results(runs: Path) -> dict[str, str]:
    """Return file → hash of everything that holds a number; times are left out."""
    found = {}
    for path in sorted(runs.rglob("*")):
        name = path.relative_to(runs).as_posix()
        if path.name in ("segments.csv", "songs.csv", "model.safetensors"):
            found[name] = hashlib.blake2b(path.read_bytes()).hexdigest()
        elif path.name == "epochs.npz":
            with np.load(path, allow_pickle=False) as stored:
                found[name] = hashlib.blake2b(
                    b"".join(stored[key].tobytes() for key in sorted(stored.files))
                ).hexdigest()
        elif path.name == "history.csv":
            found[name] = hashlib.blake2b(pd.read_csv(path).drop(columns="seconds").to_csv().encode()).hexdigest()
    return found


def finished(runs: Path) -> dict[str, int]:
    """Return the status files that say done, with the moment they were written."""
    done = {}
    for path in runs.rglob("*.status.json"):
        if path.stem.startswith(NOTEBOOKS) and read_json(path).get("state") == "done":
            done[path.relative_to(runs).as_posix()] = path.stat().st_mtime_ns
    return done


def victims(main: psutil.Process, fault: str) -> list[psutil.Process]:
    """Return the processes that a fault may hit."""
    if fault == "grid":
        return [main]
    kernels = [p for p in main.children(recursive=True) if "ipykernel_launcher" in called(p)]
    if fault == "kernel":
        return kernels
    return [p for p in main.children() if "spawn_main" in called(p) and p.children()]


def called(process: psutil.Process) -> str:
    """Return the command line of a process, or "" where it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def strike(runs: Path, fault: str, moment: float) -> dict[str, object]:
    """Start a grid, kill something after `moment` seconds, go on to the end, and say what is there then."""
    grid_process = start(runs)
    main = psutil.Process(grid_process.pid)
    time.sleep(moment)
    hit: list[psutil.Process] = []
    for _ in range(200):  # there may be no kernel at this very moment
        hit = victims(main, fault) if grid_process.poll() is None else []
        if hit or grid_process.poll() is not None:
            break
        time.sleep(0.1)
    family = main.children(recursive=True) if grid_process.poll() is None else []
    before = finished(runs)
    if hit:
        random.Random(moment).choice(hit).kill()
    code = grid_process.wait()
    ended = time.monotonic()
    again = 0
    while code != 0 and again < 3:
        again += 1
        code = start(runs).wait()
    after = finished(runs)
    while time.monotonic() - ended < GRACE_SECONDS and any(p.is_running() for p in family):
        time.sleep(0.2)
    orphans = [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    redone = [name for name, written in before.items() if after.get(name) != written]
    return {
        "fault": fault, "after_s": round(moment, 1), "hit": bool(hit), "done before": len(before), "calls again": again,
        "exit": code, "done again": len(redone), "orphans": len(orphans),
    }  # fmt: skip


def main() -> int:
    """Print the table of all faults; return 1 if anything is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whole", action="store_true", help="the two notebooks with all of their cells")
    parser.add_argument("--every-system", action="store_true", help="all methods and systems, not ce and sssl only")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--notebooks", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.notebooks, given.every_system)
        return 0
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="mer-kit-faults-") as scratch:
        undisturbed = Path(scratch) / "undisturbed"
        if not given.whole:
            (Path(scratch) / "notebooks").mkdir()
            shorten(Path(scratch) / "notebooks")
        began = time.monotonic()
        if start(undisturbed).wait():
            print("the undisturbed grid failed: run it by hand to see why")
            return 1
        length, wanted = time.monotonic() - began, results(undisturbed)
        print(f"undisturbed: {length:.0f} s, {len(wanted)} files with numbers", flush=True)
        rows = []
        for fault in FAULTS:
            for number in range(given.times):
                runs = Path(scratch) / f"{fault}-{number}"
                row = strike(runs, fault, rng.uniform(0.15, 0.8) * length)
                row["bit-equal"] = results(runs) == wanted
                rows.append(row)
                print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    table = pd.DataFrame(rows)
    print("\n" + table.to_string(index=False))
    good = table["bit-equal"] & (table["exit"] == 0) & (table["done again"] == 0) & (table["orphans"] == 0)
    hit = table["hit"]
    print(
        f"\n{int((good & hit).sum())} of the {int(hit.sum())} that hit something are as they should be, of {len(table)}"
    )
    return 0 if good.all() else 1


if __name__ == "__main__":
    sys.exit(main())
