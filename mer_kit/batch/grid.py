"""Many runs as one plan: corpora × tasks × durations × methods × seeds, and their notebooks."""

from __future__ import annotations

import itertools
import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mer_kit import systems
from mer_kit.batch import planning
from mer_kit.batch.grid_file import MOST_RUNS, VARIED, Grid
from mer_kit.checks import MerKitError, check_choice
from mer_kit.corpora import truth
from mer_kit.format import duration
from mer_kit.runs.config import RunConfig
from mer_kit.runs.defaults import default_method, default_preset
from mer_kit.runs.experiment import Experiment, OpenedCorpus, open_corpus
from mer_kit.runs.presets import merged, resolve
from mer_kit.signal import frontends
from mer_kit.songs.folds import parse_folds

#: Notebooks of each run of a grid; 06 is executed once, after all runs.
OF_A_RUN = tuple(name for name in planning.NOTEBOOKS if not name.startswith(("00", "06")))


@dataclass(frozen=True)
class Cell:
    """One run of a grid: its configuration, the parameters of its notebooks, the folds to train.

    `varied` has those of its overrides that vary, `variant` is the name of its variant, if any.
    """

    config: RunConfig
    parameters: Mapping[str, Any]
    folds: tuple[int, ...]
    varied: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""

    @property
    def title(self) -> str:
        """The cell in words."""
        c = self.config
        frontend = "" if c.frontend == frontends.DEFAULT else f"{c.frontend}, "
        about = f"{c.corpus}, {c.task}, {duration(c.segment_seconds)}, {frontend}{c.method}"
        varied = [f"{name} {value}" for name, value in self.varied.items()]
        return ", ".join(filter(None, [about, self.variant, *varied, f"seed {c.seed}"]))


def cells(grid: Grid) -> list[Cell]:
    """Return the runs of a grid, in the given order; everything is checked before anything runs.

    Cells with the same configuration are one run, under the first one's variant: without noise, for
    example, every `noise_rate` is the same.

    Raises
    ------
    MerKitError
        If a name or value is unknown; the message suggests the nearest valid one.

    Examples
    --------
    >>> [cell.title for cell in cells(Grid(method=("ce", "sssl")))]
    ['demo, quadrant, 3 s, ce, seed 0', 'demo, quadrant, 3 s, sssl, seed 0']
    """
    axes = {name: getattr(grid, name) for name in VARIED}
    axes["variants"] = [*grid.variants.items()] or [("", {})]
    axes |= {name: value for name, value in grid.overrides.items() if isinstance(value, list)}
    n_runs = math.prod(map(len, axes.values()))
    if n_runs > MOST_RUNS:
        raise MerKitError(
            f"the grid has {n_runs:,} runs, expected {MOST_RUNS:,} at most: divide it into several"
        )
    planned: dict[str, Cell] = {}
    listed = [*axes][len(VARIED) + 1 :]
    for combination in itertools.product(*axes.values()):
        corpus, task, seconds, frontend, method, seed, (variant, its_own), *values = combination
        varied = dict(zip(listed, values, strict=True))
        its = dict(its_own)
        corpus, frontend = its.pop("corpus", corpus), its.pop("frontend", frontend)
        method = its.pop("method", method) or default_method(corpus)
        overrides = {**grid.overrides, **varied, **its}
        if frontend and systems.takes(method, frontend):  # else it keeps its own, and runs once
            overrides["frontend"] = frontend
        parameters = {
            "corpus": corpus,
            "task": task,
            "segment_seconds": seconds,
            "method": method,
            "seed": seed,
            "folds": grid.folds,
            "preset": grid.preset
            or default_preset(corpus, overrides.get("frontend"), overrides.get("network")),
        }
        parameters |= {name: overrides.pop(name) for name in its if name in parameters}
        config = resolve(**merged(parameters, overrides))
        folds = tuple(parse_folds(grid.only_folds, config.folds))
        # As resolved: without noise the rate is 0, whatever the list says.
        varied = {name: getattr(config, name, value) for name, value in varied.items()}
        cell = Cell(config, {**parameters, "overrides": overrides}, folds, varied, variant)
        planned.setdefault(repr(config), cell)
    return list(planned.values())


class CorpusCache:
    """Opens each corpus once for all cells with the same data settings."""

    def __init__(self, runs_dir: Path, data_root: str | Path | None = None) -> None:
        self.runs_dir, self.data_root = runs_dir, data_root
        self._opened: dict[str, OpenedCorpus] = {}

    def parameters(self, cell: Cell) -> dict[str, Any]:
        """Return the parameters of a cell's notebooks, with the two folders."""
        folders = {"runs_dir": str(self.runs_dir), "data_root": str(self.data_root or "")}
        return {**cell.parameters, **folders}

    def experiment(self, cell: Cell) -> Experiment:
        """Return the cell's experiment.

        Raises
        ------
        MerKitError
            If the corpus is missing or has bad clips and the configuration says "stop".
        """
        c = cell.config
        clips = (c.corpus, c.task, c.segment_seconds, c.padding, c.max_seconds, c.on_bad_clip)
        features = (c.frontend, c.frontend_settings, c.train_every_seconds)
        key = repr((clips, sorted(c.corpus_options.items()), features))
        if key not in self._opened:
            self._opened[key] = open_corpus(c, self.data_root)
        return Experiment(
            c, data_root=self.data_root, runs_dir=self.runs_dir, opened=self._opened[key]
        )


@dataclass(frozen=True)
class Task:
    """One notebook of one run, the run's fingerprint, and the names of its prerequisites.

    Skipped if a prerequisite failed, unless `anyway` is set (then they only fix the order).
    """

    name: str
    job: planning.Job
    mark: str
    after: tuple[str, ...]
    anyway: bool = False


def tasks(cell: Cell, cache: CorpusCache, *, notebooks: Sequence[str] = ()) -> list[Task]:
    """Return a run's notebooks with their prerequisites: 01 → 02 ← first 03; all 03 → 04 → 05.

    See `planning.plan` for those of a run whose folds train in seconds.

    Parameters
    ----------
    notebooks : numbers like "04", to execute only these; each then does the work of those it needs

    Raises
    ------
    MerKitError
        If there is no notebook with that number.
    """
    for number in notebooks:
        check_choice("notebook", number, [name[:2] for name in OF_A_RUN])
    experiment = cache.experiment(cell)
    jobs = planning.plan(
        experiment.folder,
        cache.parameters(cell),
        cell.folds,
        truth=truth.digest(experiment.corpus),
        config=cell.config,
        notebooks=notebooks,
    )
    run = experiment.folder.path.name
    chosen = {f"{run} · {job.name}": job for job in jobs if job.source.stem in OF_A_RUN}
    names: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)  # by the notebook's number
    for name, job in chosen.items():
        names[job.source.stem[:2]] += (name,)
    # 02 reads the first fold that 03 trains, 04 reads all of them
    after = {"02": names["01"] + names["03"][:1], "04": names["03"], "05": names["04"]}
    return [
        Task(name, job, experiment.fingerprint, after.get(job.source.stem[:2], ()))
        for name, job in chosen.items()
    ]


def results_task(cell: Cell, cache: CorpusCache, after: Sequence[str]) -> Task:
    """Return notebook 06 as a task after all others; always executed, into the runs folder itself.

    It reads every run; `cell` is the one whose settings become its parameters.
    """
    job = planning.job_of("06_results", cache.runs_dir, cache.parameters(cell))
    return Task("06_results", job, f"{time.time_ns()}", tuple(after), anyway=True)
