"""Many runs as one plan: corpora × tasks × durations × methods × seeds, and their notebooks."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mer_kit import files
from mer_kit.batch import planning
from mer_kit.batch.parameters import as_mapping, parameters_of
from mer_kit.checks import MerKitError, check_choice, check_range, shortened
from mer_kit.corpora import truth
from mer_kit.runs.config import RunConfig
from mer_kit.runs.experiment import Experiment, OpenedCorpus, open_corpus
from mer_kit.runs.presets import merged, resolve
from mer_kit.songs.folds import parse_folds

#: What a notebook waits for: 02 reads the first fold that 03 trains, 04 reads all of them.
AFTER = {"02": ("01", "03 first"), "04": ("03 all",), "05": ("04",)}
#: Limits on the entries of one list and on the runs of a grid; anything larger is a typing error.
MOST_ENTRIES, MOST_RUNS = 1000, 10_000
#: Limit on the size of a YAML file.
MOST_BYTES = 1 << 20
_VARIED = ("corpus", "task", "seconds", "method", "seeds")
#: Notebooks of each run of a grid; 06 is executed once, after all runs.
OF_A_RUN = tuple(name for name in planning.NOTEBOOKS if not name.startswith(("00", "06")))


@dataclass(frozen=True)
class Grid:
    """What varies and what is fixed. Lists multiply: every corpus with every task, and so on.

    `seeds` lists the seeds; `preset` None means demo for the demo corpus and cpu for the others.
    """

    corpus: tuple[str, ...] = ("demo",)
    task: tuple[str, ...] = ("quadrant",)
    seconds: tuple[float, ...] = (3.0,)
    method: tuple[str, ...] = ("sssl",)
    seeds: tuple[int, ...] = (0,)
    folds: int = 10
    only_folds: str = ""
    preset: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Grid:
        """Return a grid from plain names and values: a value or a list; `seeds: 3` means 0, 1, 2.

        Raises
        ------
        MerKitError
            If a name is unknown; values are checked by `cells`.

        Examples
        --------
        >>> Grid.of({"corpus": ["demo", "4q"], "seeds": 2}).seeds
        (0, 1)
        """
        names = [f.name for f in dataclasses.fields(cls)]
        values: dict[str, Any] = {}
        for name, value in given.items():
            check_choice("name in the grid", name, names)
            values[name] = _field(name, value)
        return cls(**values)


def _field(name: str, value: Any) -> Any:
    """Return one field of a grid from a plain value; its size is checked before it is expanded."""
    if name == "overrides":
        return as_mapping("overrides", value)
    if name == "seeds" and not isinstance(value, (list, tuple)):
        value = range(int(check_range("seeds", value, 1, MOST_ENTRIES, whole=True)))
    entries = [value]
    if isinstance(value, (list, tuple, range)):
        entries = list(value[: MOST_ENTRIES + 1])
    kinds: tuple[type, ...] = (str, int, float, type(None))
    expected = "plain names or numbers"
    if name == "seeds":
        kinds, expected = (int,), "whole numbers"
    plain = all(isinstance(one, kinds) and not isinstance(one, bool) for one in entries)
    if not 1 <= len(entries) <= MOST_ENTRIES or not plain:
        raise MerKitError(
            f"{name} in the grid is {shortened(value)}, expected one or more {expected} "
            f"({MOST_ENTRIES} at most): correct it"
        )
    if name == "only_folds":
        return ",".join(map(str, entries))
    if name in _VARIED:
        return tuple(dict.fromkeys(entries))
    return entries[0] if len(entries) == 1 else value


def read(path: str | Path) -> Grid:
    """Return the grid that a YAML file describes, with the names of `Grid`.

    Raises
    ------
    MerKitError
        If the file cannot be read, is not a mapping, or has an unknown name.

    Examples
    --------
    >>> with files.scratch() as folder:
    ...     file = Path(folder) / "grid.yaml"
    ...     _ = file.write_text("corpus: [demo, 4q]\\nseeds: 2\\n")
    ...     read(file).corpus
    ('demo', '4q')
    """
    return Grid.of(read_mapping(path, example="corpus: [demo, 4q]"))


def read_mapping(path: str | Path, *, example: str) -> dict[str, Any]:
    """Return the names and values of a YAML file; `example` is a valid line, for error messages.

    Raises
    ------
    MerKitError
        If the file cannot be read or is not a mapping of names.
    """
    try:
        content = yaml.safe_load(files.read_bytes(Path(path), most=MOST_BYTES).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, MerKitError):
            raise
        raise MerKitError(
            f"{Path(path).name} cannot be read as YAML ({type(error).__name__}), expected lines "
            f"like '{example}': correct the file"
        ) from error
    if not isinstance(content, dict):
        raise MerKitError(
            f"{Path(path).name} must be a mapping, with lines like '{example}': correct the file"
        )
    if not all(isinstance(name, str) for name in content):
        raise MerKitError(
            f"{Path(path).name} has names that are not text ({shortened(list(content))}), expected "
            f"lines like '{example}': correct the file"
        )
    return dict(content)


@dataclass(frozen=True)
class Cell:
    """One run of a grid: its configuration, the parameters of its notebooks, the folds to train."""

    config: RunConfig
    parameters: Mapping[str, Any]
    folds: tuple[int, ...]

    @property
    def title(self) -> str:
        """The cell in words."""
        c = self.config
        return f"{c.corpus}, {c.task}, {c.segment_seconds:g} s, {c.method}, seed {c.seed}"


def cells(grid: Grid) -> list[Cell]:
    """Return the runs of a grid, in the given order; everything is checked before anything runs.

    Raises
    ------
    MerKitError
        If a name or value is unknown; the message suggests the nearest valid one.

    Examples
    --------
    >>> [cell.title for cell in cells(Grid(method=("ce", "sssl")))]
    ['demo, quadrant, 3 s, ce, seed 0', 'demo, quadrant, 3 s, sssl, seed 0']
    """
    n_runs = math.prod(len(getattr(grid, name)) for name in _VARIED)
    if n_runs > MOST_RUNS:
        raise MerKitError(
            f"the grid has {n_runs:,} runs, expected {MOST_RUNS:,} at most: divide it into several"
        )
    planned = []
    for corpus, task, seconds, method, seed in itertools.product(
        grid.corpus, grid.task, grid.seconds, grid.method, grid.seeds
    ):
        parameters = {
            "corpus": corpus,
            "task": task,
            "segment_seconds": seconds,
            "method": method,
            "seed": seed,
            "folds": grid.folds,
            "preset": grid.preset or ("demo" if corpus == "demo" else "cpu"),
        }
        config = resolve(**merged(parameters, grid.overrides))
        folds = tuple(parse_folds(grid.only_folds, config.folds))
        planned.append(Cell(config, {**parameters, "overrides": dict(grid.overrides)}, folds))
    return planned


class CorpusCache:
    """Opens each corpus once for all cells with the same data settings."""

    def __init__(self, runs_dir: Path, data_root: str | Path | None = None) -> None:
        self.runs_dir, self.data_root = runs_dir, data_root
        self._opened: dict[str, OpenedCorpus] = {}

    def experiment(self, cell: Cell) -> Experiment:
        """Return the cell's experiment.

        Raises
        ------
        MerKitError
            If the corpus is missing or has bad clips and the configuration says "stop".
        """
        c = cell.config
        options = sorted(c.corpus_options.items())
        clips = (c.corpus, c.task, c.segment_seconds, c.max_seconds, c.on_bad_clip, options)
        key = repr((clips, c.frontend, c.frontend_settings, c.train_every_seconds))
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


def tasks(
    cell: Cell,
    experiment: Experiment,
    *,
    runs_dir: Path,
    data_root: str | Path | None,
    notebooks: Sequence[str] = (),
) -> list[Task]:
    """Return a run's notebooks with their prerequisites: 01 → 02 ← first 03; all 03 → 04 → 05.

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
    shared = {**cell.parameters, "runs_dir": str(runs_dir), "data_root": str(data_root or "")}
    jobs = planning.plan(
        experiment.folder,
        shared,
        cell.folds,
        truth=truth.digest(experiment.corpus),
        config=cell.config,
    )
    run = experiment.folder.path.name
    names: dict[str, list[str]] = {}  # of the tasks, by the notebook's number
    chosen: list[tuple[str, planning.Job]] = []
    for job in jobs:
        number = job.source.stem[:2]
        if job.source.stem in OF_A_RUN and (not notebooks or number in notebooks):
            names.setdefault(number, []).append(f"{run} · {job.name}")
            chosen.append((names[number][-1], job))
    names |= {"03 first": names.get("03", [])[:1], "03 all": names.get("03", [])}

    def after(job: planning.Job) -> tuple[str, ...]:
        wanted = AFTER.get(job.source.stem[:2], ())
        return tuple(name for number in wanted for name in names.get(number, ()))

    return [Task(name, job, experiment.fingerprint, after(job)) for name, job in chosen]


def results_task(
    cell: Cell, runs_dir: Path, data_root: str | Path | None, after: Sequence[str]
) -> Task:
    """Return notebook 06 as a task after all others; always executed, into the runs folder itself.

    It reads every run; `cell` is the one whose settings become its parameters.
    """
    source = planning.notebooks_folder() / "06_results.ipynb"
    shared = {**cell.parameters, "runs_dir": str(runs_dir), "data_root": str(data_root or "")}
    declared = parameters_of(source)
    given = {name: value for name, value in shared.items() if name in declared}
    job = planning.Job("06_results", source, runs_dir / "06_results.ipynb", given)
    return Task("06_results", job, f"{time.time_ns()}", tuple(after), anyway=True)
