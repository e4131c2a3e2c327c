"""What does the grid cost, and what does a second worker bring? Three questions, one table each.

overhead   a notebook of one trivial cell, against the same line in Python: kernel, papermill, status and lock
workers    the same trainings (notebook 03, one thread each) with one worker and with two: the ratio of the times
bare       the same trainings as plain processes, one after the other and two at once, for what the machine itself gives
many       200 notebooks of one trivial cell on two workers, each in a run folder of its own whose scores are guessed:
           failures, notebooks a minute, and the seconds and size of the results page of those 200 runs

  python benchmarks/grid.py [--many 200] [--trainings 4]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import pandas as pd
from nbformat.v4 import new_code_cell, new_notebook

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.runs import guessed_runs

from mer_kit.batch import cluster, grid, planning
from mer_kit.batch.jobs import Outcome
from mer_kit.pages import report

SMALL = {"corpus_options": {"clips": 16, "seconds": 8.0}, "epochs": 12, "warmup_epochs": 4}


def tiny(folder: Path, number: int, target: Path | None = None) -> grid.Task:
    """Return a task whose notebook says 1 + 1; its copy lies at `target`, by default below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "tiny.ipynb"
    if not source.exists():
        book = new_notebook(
            cells=[new_code_cell("seed: int = 0", metadata={"tags": ["parameters"]}), new_code_cell("1 + 1")]
        )
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, source)
    job = planning.Job(f"tiny {number}", source, target or folder / "out" / f"{number}.ipynb", {"seed": number})
    return grid.Task(job.name, job, "m", ())


def many(folder: Path, count: int) -> list[grid.Task]:
    """Return a trivial notebook for each of so many runs below `folder`/runs, which are finished but for it."""
    runs = [guessed_runs.finished(folder / "runs", config) for config in guessed_runs.configs(count)]
    return [tiny(folder, k, run.path / "notebooks" / "01_segmentation.ipynb") for k, run in enumerate(runs)]


def small_cells(count: int) -> list[grid.Cell]:
    """Return so many runs that differ in their seed."""
    wanted = {"preset": "smoke", "folds": 2, "only_folds": "0", "method": "mixup", "seeds": count, "overrides": SMALL}
    return grid.cells(grid.Grid.of(wanted))


def trainings(runs: Path, count: int) -> list[grid.Task]:
    """Return notebook 03 of so many runs that differ in their seed."""
    opener = grid.CorpusCache(runs)
    planned = [grid.tasks(c, opener) for c in small_cells(count)]
    return [task for tasks in planned for task in tasks if task.job.source.stem.startswith("03")]


def bare(runs: Path, count: int, at_once: int) -> float:
    """Return the seconds that so many trainings take as plain processes of one thread, `at_once` at a time."""
    env = os.environ | dict.fromkeys(cluster.THREADS, "1")
    began = time.perf_counter()
    for first in range(0, count, at_once):
        seeds = range(first, min(first + at_once, count))
        command = [sys.executable, __file__, "--child", str(runs), "--trainings", str(count), "--seed"]
        processes = [subprocess.Popen([*command, str(seed)], env=env) for seed in seeds]
        if any([process.wait() for process in processes]):  # all of them are waited for
            raise RuntimeError("a training as a plain process failed: its message stands above")
    return time.perf_counter() - began


def timed(tasks: list[grid.Task], workers: int) -> tuple[float, list[Outcome]]:
    """Return the seconds that the tasks take on so many workers of one thread, started before, and the outcomes."""
    with cluster.local(workers, threads=1) as client:
        client.wait_for_workers(workers)
        began = time.perf_counter()
        outcomes = cluster.run(client, tasks, say=lambda _: None)
        return time.perf_counter() - began, list(outcomes.values())


def main() -> int:
    """Print the three tables; return 1 if something failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--many", type=int, default=200)
    parser.add_argument("--trainings", type=int, default=4)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        grid.CorpusCache(given.child).experiment(small_cells(given.trainings)[given.seed]).train(0)
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="mer-kit-grid-") as scratch:
        home = Path(scratch)
        seconds, outcomes = timed([tiny(home / "overhead", k) for k in range(5)], 1)
        median = float(pd.Series([outcome.seconds for outcome in outcomes]).median())
        print(f"overhead: a trivial notebook takes {median:.2f} s (median of 5; aim: under 3 s)", flush=True)
        rows = []
        for workers in (1, 2):
            seconds, outcomes = timed(trainings(home / f"with{workers}", given.trainings), workers)
            failed += sum(outcome.state != "done" for outcome in outcomes)
            rows.append({"workers": workers, "notebooks": len(outcomes), "seconds": round(seconds, 1)})
            print(f"workers: {rows[-1]}", flush=True)
        print(
            f"workers: two are {rows[0]['seconds'] / rows[1]['seconds']:.2f} times as fast as one (aim: 1.7)",
            flush=True,
        )
        alone, together = (bare(home / f"bare{n}", given.trainings, n) for n in (1, 2))
        print(
            f"bare: as plain processes {alone:.1f} s one by one, {together:.1f} s two at once: {alone / together:.2f} times",
            flush=True,
        )
        seconds, outcomes = timed(many(home / "many", given.many), 2)
        bad = [outcome for outcome in outcomes if outcome.state != "done"]
        failed += len(bad)
        print(f"many: {len(outcomes)} notebooks, {len(bad)} failed, {60 * len(outcomes) / seconds:.0f} a minute")
        for count, runs in ((given.trainings, home / "with2"), (given.many, home / "many" / "runs")):
            began = time.perf_counter()
            size = report.write(runs).stat().st_size
            seconds = time.perf_counter() - began
            print(f"many: the page of {count} runs has {size / 1024:.0f} kB and took {seconds:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
