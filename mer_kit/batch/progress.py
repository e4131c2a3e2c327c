"""Progress of a grid and an estimate of the remaining time."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.batch.grid import Cell, Task
from mer_kit.checks import MerKitError
from mer_kit.format import plural
from mer_kit.runs import schema
from mer_kit.runs.locks import is_held
from mer_kit.runs.run_folder import RunFolder, all_runs
from mer_kit.training import networks

#: Seconds of a notebook without training, for estimates before any of its name was measured.
SECONDS_A_NOTEBOOK = 10.0
#: Name of a fold's training in `unit_costs`; the other names are those of notebooks.
TRAINING = "training"
#: Settings by which measured runs are similar, the most important first.
LIKENESS = ("corpus", "preset", "method", "segment_seconds", "task")


def state(task: Task) -> str:
    """Return "done", "running", "failed" or "to do".

    A notebook with the status "running" but without a living process was interrupted: "to do".

    Examples
    --------
    >>> from mer_kit.batch.planning import Job
    >>> state(Task("01", Job("01", Path("01.ipynb"), Path("nowhere/01.ipynb"), {}), "", after=()))
    'to do'
    """
    if task.job.is_done(task.mark):
        return "done"
    if is_held(task.job.lock_file):
        return "running"
    return "failed" if task.job.status().get("state") == "failed" else "to do"


def unit_costs(runs_dir: Path) -> pd.DataFrame:
    """Return the seconds of finished folds and notebooks, one row each, with the settings LIKENESS.

    The column `what` is TRAINING for a fold's training, else the notebook's name. Notebook 03
    counts without its training, and where it trains all folds at once, without that of all.
    """
    rows = []
    for run in all_runs(runs_dir):
        try:
            config = run.config
            about = {name: config[name] for name in LIKENESS}
            trained = {k: float(run.fold_status(k)["seconds"]) for k in run.folds_done()}
        except (MerKitError, KeyError):
            continue
        measured = [(TRAINING, seconds) for seconds in trained.values()]
        within = trained
        if networks.takes_vectors(config.get("network", "")):
            within = dict.fromkeys(trained, sum(trained.values()))
        for home, training in {
            run.path / "notebooks": 0.0,
            **{run.fold(k): seconds for k, seconds in within.items()},
        }.items():
            measured += _notebook_seconds(home, training, inside=run.path)
        rows += [{"what": what, **about, "seconds": seconds} for what, seconds in measured]
    return pd.DataFrame(rows, columns=["what", *LIKENESS, "seconds"])


def _notebook_seconds(home: Path, training: float, *, inside: Path) -> Iterator[tuple[str, float]]:
    """Yield name and seconds of a folder's finished notebooks, without its fold's training.

    A 03 that took less than its fold's training is left out: an unknown part of the training had
    been done before.
    """
    for file in sorted(home.glob("*.status.json")):
        with contextlib.suppress(MerKitError):
            stored = schema.read_json(file, schema.STATUS, inside=inside)
            if stored.get("state") == "done" and stored.get("seconds", -1.0) >= training:
                yield file.name.removesuffix(".status.json"), float(stored["seconds"]) - training


def estimate(cell: Cell, costs: pd.DataFrame, what: str = TRAINING) -> float | None:
    """Return the expected seconds of one fold of a cell, or of one notebook; None if unknown.

    This is the median of the most similar measurements: with the same corpus, and of those with the
    same preset, then method, duration and task, as far as there are any. For a training, corpus and
    preset must be the same.

    Examples
    --------
    >>> from mer_kit.runs.config import RunConfig
    >>> cell = Cell(RunConfig(corpus="demo", preset="demo"), {}, (0,))
    >>> rows = [("training", "demo", "demo", "sssl", 3.0, "quadrant", 60.0),
    ...         ("training", "4q", "cpu", "sssl", 3.0, "quadrant", 900.0)]
    >>> estimate(cell, pd.DataFrame(rows, columns=["what", *LIKENESS, "seconds"]))
    60.0
    """
    alike = costs[costs["what"] == what]
    for name in LIKENESS:
        closer = alike[alike[name] == getattr(cell.config, name)]
        if len(closer) or (what == TRAINING and name in ("corpus", "preset")):
            alike = closer
    return float(np.median(alike["seconds"])) if len(alike) else None


def plan_table(
    found: Sequence[tuple[Cell, Sequence[Task]]], costs: pd.DataFrame, *, workers: int = 1
) -> tuple[pd.DataFrame, str]:
    """Return a table with one row per run, and a summary in one line.

    Columns: run, folds, done, running, failed, to do (notebooks), minutes (estimated).
    """
    rows: list[dict[str, Any]] = []
    total, unknown = 0.0, 0
    for cell, planned in found:
        states = list(map(state, planned))
        todo = [t for t, s in zip(planned, states, strict=True) if s in ("to do", "failed")]
        seconds, complete = _remaining(cell, todo, costs)
        minutes = f"{seconds / 60:.0f}" if complete else "?"
        total += seconds
        unknown += not complete
        counts = {name: states.count(name) for name in ("done", "running", "failed", "to do")}
        rows.append({"run": cell.title, "folds": len(cell.folds), **counts, "minutes": minutes})
    n_todo = sum(row["to do"] + row["failed"] for row in rows)
    summary = (
        f"{len(rows)} runs, {n_todo} notebooks to do, "
        f"about {total / 3600 / workers:.1f} h with {plural(workers, 'worker')}"
    )
    if unknown:
        summary += f", plus the training of {unknown} runs: nothing similar was measured yet"
    return pd.DataFrame(rows), summary


def _remaining(cell: Cell, todo: Sequence[Task], costs: pd.DataFrame) -> tuple[float, bool]:
    """Return the estimated seconds of these tasks, and whether that includes all trainings."""
    fold = estimate(cell, costs)
    trainings = sum(_untrained(cell, task) for task in todo if task.job.source.stem[:2] == "03")
    seconds = trainings * (fold or 0.0)
    for name, n in Counter(task.job.source.stem for task in todo).items():
        measured = estimate(cell, costs, name)
        seconds += n * (SECONDS_A_NOTEBOOK if measured is None else measured)
    return seconds, fold is not None or not trainings


def _untrained(cell: Cell, task: Task) -> int:
    """Return how many folds a notebook 03 still trains, apart from drawing their figures."""
    fold = task.job.target.parent
    run = RunFolder(fold.parents[1])
    numbers: Sequence[int] = [int(fold.name)]
    if cell.config.trains_in_seconds:
        numbers = cell.folds
    return sum(not run.fold_done(number) for number in numbers)


def choose(
    found: Sequence[tuple[Cell, Sequence[Task]]],
    *,
    only_failed: bool = False,
    limit: int | None = None,
) -> list[tuple[Cell, Sequence[Task]]]:
    """Return the first `limit` runs that are not finished, or with `only_failed` that failed."""
    states = [set(map(state, planned)) for _, planned in found]
    chosen = [
        run
        for run, of_run in zip(found, states, strict=True)
        if "failed" in of_run or (not only_failed and of_run != {"done"})
    ]
    return chosen[:limit]
