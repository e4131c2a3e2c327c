"""What a stranger's run folder can do to `mer-kit report` and `mer-kit predict`: nothing but a sentence.

    python benchmarks/spoilt_runs.py                 # makes a small run of its own first
    python benchmarks/spoilt_runs.py --run FOLDER    # spoils copies of that one

Each copy is spoilt in one way (`spoiling.py`) and lies beside a good run; at the end all of them lie beside it at once. What
report, predict and the reading of a fold's passes do is seen in processes of their own, with limits on time and memory. A
traceback, a hang, more than a gigabyte over the idle process, a page or table without the good run, or a file outside of the
runs that was read into the page or touched is a failure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import torch

import spoiling
from mer_kit.analysis import predict
from mer_kit.checks import MerKitError
from mer_kit.pages import report
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import RunFolder
from mer_kit.signal.frontends import logmel as mel
from mer_kit.views import curve_files

SECONDS, MOST_MB = 60, 1000
#: No child may take more address space than this, whatever it is made to do.
LIMIT = 16 << 30
SECRET = "a line of somebody's diary"


def measured(what: Callable[[], Any]) -> tuple[str, float, float]:
    """Run something in a child process; return how it ended ("fine", a sentence or "!" with why), seconds and megabytes."""
    idle, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
        torch.set_num_threads(1)
        os.write(writing, _said(what).encode("utf-8", "backslashreplace")[:4000])
        os._exit(0)
    os.close(writing)
    done, patience = 0, SECONDS * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # a busy machine takes longer
    while not done and time.monotonic() - began < patience:
        done, status, usage = os.wait4(child, os.WNOHANG)
        time.sleep(0.01)
    if not done:
        os.kill(child, 9)
        _, status, usage = os.wait4(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode("utf-8", "replace")
    if not done:
        said = f"! hangs for {patience:.0f} s"
    elif status:
        said = f"! ended by signal {status & 127}"
    return said, time.monotonic() - began, max(0.0, (usage.ru_maxrss - idle) / 1024)


def _said(what: Callable[[], Any]) -> str:
    """Return "fine", the sentence of a deliberate error, or "!" and the last line of a traceback."""
    try:
        what()
    except MerKitError as error:
        return str(error).replace("\n", " ")
    except BaseException:
        return "! " + traceback.format_exc().strip().splitlines()[-1]
    return "fine"


def good_run(folder: Path) -> Path:
    """Make a small decided run in a child process and return its folder."""

    def train() -> None:
        config = resolve(corpus="demo", preset="smoke", folds=2, corpus_options={"clips": 16, "seconds": 10.0})
        experiment = Experiment(config, runs_dir=folder)
        experiment.write_config()
        experiment.run([0])

    said, _, _ = measured(train)
    assert said == "fine", said
    run = next(folder.glob("demo-*"))
    (run / "figures").mkdir(exist_ok=True)
    return run


def write_report(runs: Path, good: str, n_runs: int) -> None:
    """Write a page of runs and check that the good run is in it, that no run is missing, and that nothing private is."""
    page = report.write(runs).read_text("utf-8")
    table = pd.read_csv(runs / "results.csv", dtype={"folder": str}).set_index("folder")
    assert good in page, "the good run is missing in the page"
    assert table.loc[good, "song_accuracy_mean"] >= 0 and table.loc[good, "status"] == "partial", "its row has changed"
    assert len(table) == n_runs, f"{len(table)} rows of {n_runs} runs"
    assert SECRET not in page, "the page shows what lies outside"
    for copied in runs.rglob("*.html"):
        if copied.is_file() and not copied.is_symlink():
            assert SECRET not in copied.read_text("utf-8", "replace"), f"{copied.name} shows what lies outside"


def read_passes(run: Path) -> None:
    """Read what the notebooks read of a fold."""
    for number in RunFolder(run).folds_done():
        RunFolder(run).check_seal(number)
        RunFolder(run).epochs(number)
        RunFolder(run).history(number)
        RunFolder(run).segments(number)


def outside(place: Path) -> Path:
    """Make a folder that no run may read or touch, and return it."""
    private = place / "private"
    shutil.rmtree(private, ignore_errors=True)
    private.mkdir()
    (private / "diary.txt").write_text(SECRET)
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": SECRET}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (private / "diary.ipynb").write_text(json.dumps(notebook))
    return private


def contents(folder: Path) -> dict[str, str]:
    """Return path → checksum of every plain file below a folder."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): hashlib.file_digest(path.open("rb"), "blake2b").hexdigest() for path in found
    }


def attack(run: Path, song: Path, name: str, place: Path) -> list[str]:
    """Spoil a copy of `run` beside a good one and try all commands; print a line each, and return what failed."""
    runs, private = place / "runs", outside(place)
    shutil.rmtree(runs, ignore_errors=True)
    good, spoilt = f"{run.name[:-1]}x", runs / run.name
    for copy in (runs / good, spoilt):
        shutil.copytree(run, copy)
    spoiling.WAYS[name](spoilt)
    before = contents(private)
    folders = [path for path in runs.iterdir() if path.is_dir()]
    moved = next((path for path in folders if path.name != good), spoilt)
    tried = {
        "report": lambda: write_report(runs, good, len(folders)),
        "predict": lambda: predict.describe(predict.predict_curve(song, moved)),
        "passes": lambda: read_passes(moved),
    }
    failed = []
    for command, what in tried.items():
        said, seconds, megabytes = measured(what)
        said = "! it touched a file outside" if contents(private) != before else said
        print(f"{name:<48.48} {command:<8}{seconds:5.1f} s {megabytes:6.0f} MB  {said[:150]!r}", flush=True)
        if said.startswith("!") or megabytes > MOST_MB:
            failed.append(f"{name}, {command}: {said} ({megabytes:.0f} MB)")
    return failed


def attack_together(run: Path, names: list[str], place: Path) -> list[str]:
    """Write one page of a good run beside all spoilt ones; return what failed."""
    runs = place / "together" / "runs"
    outside(place / "together")
    good = f"{run.name[:-1]}x"
    shutil.copytree(run, runs / good)
    for number, name in enumerate(names):
        spoilt = runs / f"{run.name}{number:03d}"
        shutil.copytree(run, spoilt)
        private = outside(place / "together")  # some ways move files there, and the next need its names
        spoiling.WAYS[name](spoilt)
        shutil.move(private, f"{private}{number}")
        private.mkdir()
    folders = [path for path in runs.iterdir() if path.is_dir()]
    said, seconds, megabytes = measured(lambda: write_report(runs, good, len(folders)))
    print(f"{'all of them at once':<48} {'report':<8}{seconds:5.1f} s {megabytes:6.0f} MB  {said[:150]!r}", flush=True)
    return [f"all at once: {said} ({megabytes:.0f} MB)"] if said != "fine" or megabytes > MOST_MB else []


def main() -> None:
    """Try all ways, or those whose name holds a word; exit 1 if one of them is more than a sentence."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a small decided run of preset smoke")
    parser.add_argument("--only", default="", help="ways whose name holds this")
    parser.add_argument("--together", action="store_true", help="only the page of all spoilt runs at once")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "together").mkdir()
        run = chosen.run or good_run(place / "good")
        song = place / "song.wav"
        soundfile.write(song, 0.1 * np.random.default_rng(0).standard_normal(22050 * 6), 22050)
        mel.log_mel(np.zeros(22050))  # what that imports and compiles is there for all children
        first, _, _ = measured(lambda: curve_files.write(predict.predict_curve(song, run), place / "out", song))
        assert first == "fine", first
        names = [name for name in spoiling.WAYS if chosen.only in name]
        alone = [] if chosen.together else names
        failed = [line for name in alone for line in attack(run, song, name, place)]
        failed += attack_together(run, names, place)
    print(f"{len(names)} ways, {len(failed)} failures")
    for line in failed:
        print(f"  {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
