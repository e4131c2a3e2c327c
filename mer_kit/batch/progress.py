"""How far a grid is, and what the rest will cost: the state of every notebook, measured seconds, the plan as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.batch import jobs
from mer_kit.batch.grid import Cell, Task
from mer_kit.checks import MerKitError
from mer_kit.runs import schema
from mer_kit.runs.locks import is_held
from mer_kit.runs.run_folder import RunFolder, all_runs, read_json

#: Seconds that a notebook takes beside its training, for estimates before one of its name was measured.
SECONDS_A_NOTEBOOK = 10.0
#: What `unit_costs` calls the training of a fold; everything else there is a notebook's name.
TRAINING = "training"
#: By what measured runs are alike, the most telling first.
LIKENESS = ("corpus", "preset", "method", "segment_seconds", "task")


def state(task: Task) -> tuple[str, str]:
    """Return "done", "running", "failed" or "to do", and the message of a failure.

    A notebook that says "running" without a living process behind it was interrupted: it is still to do.
    """
    if jobs.is_done(task.job, task.mark):
        return "done", ""
    if is_held(jobs.lock_file(task.job)):
        return "running", ""
    status = task.job.target.with_suffix(".status.json")
    try:
        stored = read_json(status) if status.exists() else {}
    except MerKitError:
        stored = {}
    return (
        ("failed", str(stored.get("message", "")))
        if stored.get("state") == "failed"
        else ("to do", "")
    )


def unit_costs(runs_dir: Path) -> pd.DataFrame:
    """Return what finished folds and notebooks took, one row each: `what`, the columns of LIKENESS, and seconds.

    `what` is TRAINING for a fold's training, else a notebook's name. Notebook 03 counts without its training.
    """
    rows = []
    for run in all_runs(runs_dir):
        try:
            config = run.config
            about = {name: config[name] for name in LIKENESS}
            trained = {k: float(run.fold_status(k)["seconds"]) for k in run.folds_done()}
        except (MerKitError, KeyError):
            continue
        rows += [{"what": TRAINING, **about, "seconds": seconds} for seconds in trained.values()]
        rows += [
            {"what": name, **about, "seconds": seconds}
            for name, seconds in _notebook_seconds(run, trained)
        ]
    return pd.DataFrame(rows, columns=["what", *LIKENESS, "seconds"])


def _notebook_seconds(run: RunFolder, trained: Mapping[int, float]) -> list[tuple[str, float]]:
    """Return name and seconds of a run's finished notebooks, those of 03 without its training.

    Left out is a 03 that took less than its fold's training: some of that was done before, and nobody knows how much.
    """
    homes = {
        run.path / "notebooks": 0.0,
        **{run.fold(k): seconds for k, seconds in trained.items()},
    }
    found = []
    for home, training in homes.items():
        for file in sorted(home.glob("*.status.json")):
            try:
                stored = schema.read_json(file, schema.STATUS, inside=run.path)
            except MerKitError:
                continue
            if stored.get("state") == "done" and stored.get("seconds", -1.0) >= training:
                found.append(
                    (file.name.removesuffix(".status.json"), float(stored["seconds"]) - training)
                )
    return found


def estimate(cell: Cell, costs: pd.DataFrame, what: str = TRAINING) -> float | None:
    """Return the seconds that one fold of a cell, or one of its notebooks, will take, or None if nothing tells.

    It is the median of the most alike that were measured: of the same corpus, and of those with the same preset, then
    method, duration and task, as far as there are. A training must have corpus and preset in common.
    """
    alike = costs[costs["what"] == what]
    for name in LIKENESS:
        closer = alike[alike[name] == getattr(cell.config, name)]
        needed = what == TRAINING and name in ("corpus", "preset")
        alike = closer if len(closer) or needed else alike
    return float(np.median(alike["seconds"])) if len(alike) else None


def plan_table(
    found: Sequence[tuple[Cell, Sequence[Task]]], costs: pd.DataFrame, *, workers: int = 1
) -> tuple[pd.DataFrame, str]:
    """Return one row a run (title, folds, done, running, failed, to do, estimated minutes), and a line for all of it."""
    rows: list[dict[str, Any]] = []
    total, unknown = 0.0, 0
    for cell, planned in found:
        states = [state(task)[0] for task in planned]
        todo = [t for t, s in zip(planned, states, strict=True) if s in ("to do", "failed")]
        fold = estimate(cell, costs)
        names = Counter(t.job.source.stem for t in todo)
        training = sum(t.job.source.stem.startswith("03") and not _trained(t) for t in todo)
        seconds = training * (fold or 0.0)
        for name, n in names.items():
            measured = estimate(cell, costs, name)
            seconds += n * (SECONDS_A_NOTEBOOK if measured is None else measured)
        total += seconds
        unknown += training > 0 and fold is None
        counts = {name: states.count(name) for name in ("done", "running", "failed", "to do")}
        minutes = f"{seconds / 60:.0f}" if fold is not None or not training else "?"
        rows.append({"run": cell.title, "folds": len(cell.folds), **counts, "minutes": minutes})
    told = (
        f"{len(rows)} runs, {sum(row['to do'] + row['failed'] for row in rows)} notebooks to do, "
    )
    told += (
        f"about {total / 3600 / workers:.1f} h with {workers} worker{'s' if workers > 1 else ''}"
    )
    if unknown:
        told += f", and the training of {unknown} runs of which nothing alike was measured yet"
    return pd.DataFrame(rows), told


def _trained(task: Task) -> bool:
    """Tell whether the fold of a notebook 03 is trained already, so that only its pictures are to be made."""
    fold = task.job.target.parent
    return RunFolder(fold.parents[1]).fold_done(int(fold.name))


def choose(
    found: Sequence[tuple[Cell, Sequence[Task]]],
    *,
    only_failed: bool = False,
    limit: int | None = None,
) -> list[tuple[Cell, Sequence[Task]]]:
    """Return the runs that are not finished, or only those with a failure, at most `limit` of them."""
    wanted: Callable[[list[str]], bool] = (
        (lambda s: "failed" in s) if only_failed else (lambda s: set(s) != {"done"})
    )
    chosen = [
        (cell, planned) for cell, planned in found if wanted([state(task)[0] for task in planned])
    ]
    return chosen[:limit]
