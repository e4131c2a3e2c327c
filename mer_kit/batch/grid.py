"""Many runs as one plan: corpora × tasks × durations × methods × seeds, each the notebooks of `batch` with its folds."""

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

#: What a notebook waits for, beside the fold it trains: 02 reads the first fold, 04 all of them.
AFTER = {"02": ("01", "03 first"), "04": ("03 all",), "05": ("04",)}
#: Entries of one list of a grid, and runs of the whole, that are still a plan and no slip of the keyboard.
MOST_ENTRIES, MOST_RUNS = 1000, 10_000
#: A YAML file that is larger is no plan of runs.
MOST_BYTES = 1 << 20
_VARIED = ("corpus", "task", "seconds", "method", "seeds")
#: Notebooks that a run of a grid executes; 06 comes once, when everything else is there.
OF_A_RUN = tuple(name for name in planning.NOTEBOOKS if not name.startswith(("00", "06")))


@dataclass(frozen=True)
class Grid:
    """What is varied, and what is the same for all. Lists multiply: every corpus with every task, and so on.

    `seeds` are the seeds themselves; `preset` None means demo for the demo corpus and cpu for the others.
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
        """Return a grid from names and values as a person writes them: one value or a list; `seeds: 3` is 0, 1, 2.

        Raises
        ------
        MerKitError
            If a name is not known; values are checked by `cells`.

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
    """Return one field of a grid from what a person wrote, its size checked before anything is expanded."""
    if name == "overrides":
        return as_mapping("overrides", value)
    if name == "seeds" and not isinstance(value, (list, tuple)):
        value = range(int(check_range("seeds", value, 1, MOST_ENTRIES, whole=True)))
    several = (
        list(value[: MOST_ENTRIES + 1]) if isinstance(value, (list, tuple, range)) else [value]
    )
    kinds = (int,) if name == "seeds" else (str, int, float, type(None))
    plain = all(isinstance(one, kinds) and not isinstance(one, bool) for one in several)
    if not several or not plain or len(several) > MOST_ENTRIES:
        wanted = "whole numbers" if name == "seeds" else "plain names or numbers"
        raise MerKitError(
            f"{name} in the grid is {shortened(value)}, expected one or some {wanted} ({MOST_ENTRIES} at most): correct it"
        )
    if name == "only_folds":
        return ",".join(map(str, several))
    return (
        tuple(dict.fromkeys(several))
        if name in _VARIED
        else several[0]
        if len(several) == 1
        else value
    )


def read(path: str | Path) -> Grid:
    """Return the grid that a YAML file describes, with the names of `Grid`.

    Raises
    ------
    MerKitError
        If the file cannot be read, is no mapping, or has an unknown name.
    """
    return Grid.of(read_mapping(path, example="corpus: [demo, 4q]"))


def read_mapping(path: str | Path, *, example: str) -> dict[str, Any]:
    """Return the names and values of a YAML file; `example` is a line that it may have.

    Raises
    ------
    MerKitError
        If the file cannot be read or holds no names.
    """
    try:
        content = yaml.safe_load(files.read_bytes(Path(path), most=MOST_BYTES).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, MerKitError):
            raise
        raise MerKitError(
            f"{Path(path).name} cannot be read as YAML ({type(error).__name__}), expected names like '{example}': "
            "correct the file"
        ) from error
    if not isinstance(content, dict):
        raise MerKitError(
            f"{Path(path).name} holds no names, expected lines like '{example}': correct the file"
        )
    if not all(isinstance(name, str) for name in content):
        raise MerKitError(
            f"{Path(path).name} has names that are no text ({shortened(list(content))}), expected lines like "
            f"'{example}': correct the file"
        )
    return dict(content)


@dataclass(frozen=True)
class Cell:
    """One run of the grid: its configuration, the parameters of its notebooks, the folds to train."""

    config: RunConfig
    parameters: Mapping[str, Any]
    folds: tuple[int, ...]

    @property
    def title(self) -> str:
        """The cell in words."""
        c = self.config
        return f"{c.corpus}, {c.task}, {c.segment_seconds:g} s, {c.method}, seed {c.seed}"


def cells(grid: Grid) -> list[Cell]:
    """Return the runs of a grid in the order given; everything is checked before anything runs.

    Raises
    ------
    MerKitError
        If a name or value is not known; the sentence names the nearest right one.
    """
    n_runs = math.prod(len(getattr(grid, name)) for name in _VARIED)
    if n_runs > MOST_RUNS:
        raise MerKitError(
            f"the grid has {n_runs:,} runs, expected {MOST_RUNS:,} at most: divide it into several"
        )
    made = []
    for corpus, task, seconds, method, seed in itertools.product(
        grid.corpus, grid.task, grid.seconds, grid.method, grid.seeds
    ):
        parameters = {
            "corpus": corpus, "task": task, "segment_seconds": seconds, "method": method, "seed": seed,
            "folds": grid.folds, "preset": grid.preset or ("demo" if corpus == "demo" else "cpu"),
        }  # fmt: skip
        config = resolve(**merged(parameters, grid.overrides))
        numbers = parse_folds(grid.only_folds, config.folds)
        made.append(Cell(config, {**parameters, "overrides": dict(grid.overrides)}, tuple(numbers)))
    return made


class CorpusCache:
    """Opens each corpus once for all cells that need the same of it."""

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
        clips = (
            c.corpus,
            c.task,
            c.segment_seconds,
            c.max_seconds,
            c.on_bad_clip,
            sorted(c.corpus_options.items()),
        )
        key = repr((clips, c.frontend, c.frontend_settings, c.train_every_seconds))
        if key not in self._opened:
            self._opened[key] = open_corpus(c, self.data_root)
        return Experiment(
            c, data_root=self.data_root, runs_dir=self.runs_dir, opened=self._opened[key]
        )


@dataclass(frozen=True)
class Task:
    """One notebook of one run, and the names of the tasks that come before it.

    It is left out where one of them failed, unless `anyway` says that it wants only to be the last.
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
    """Return a run's notebooks with what each waits for: 01 → 02 ← first 03; all 03 → 04 → 05.

    Parameters
    ----------
    notebooks : numbers like "04", to execute these only; each does for itself what others would have done before

    Raises
    ------
    MerKitError
        If a number is none of theirs.
    """
    for number in notebooks:
        check_choice("notebook", number, [name[:2] for name in OF_A_RUN])
    shared = {**cell.parameters, "runs_dir": str(runs_dir), "data_root": str(data_root or "")}
    jobs = [
        job
        for job in planning.plan(
            experiment.folder,
            shared,
            cell.folds,
            truth=truth.digest(experiment.corpus),
            config=cell.config,
        )
        if job.source.stem in OF_A_RUN
    ]
    jobs = [job for job in jobs if not notebooks or job.source.stem[:2] in notebooks]
    run = experiment.folder.path.name
    names = {id(job): f"{run} · {job.name}" for job in jobs}
    training = [names[id(job)] for job in jobs if job.source.stem.startswith("03")]

    def before(job: planning.Job) -> tuple[str, ...]:
        found: list[str] = []
        for wanted in AFTER.get(job.source.stem[:2], ()):
            if wanted.startswith("03"):
                found += training[:1] if wanted.endswith("first") else training
            else:
                found += [name for name in names.values() if f" · {wanted}_" in name]
        return tuple(found)

    return [Task(names[id(job)], job, experiment.fingerprint, before(job)) for job in jobs]


def results_task(
    cell: Cell, runs_dir: Path, data_root: str | Path | None, after: Sequence[str]
) -> Task:
    """Return notebook 06 as a task after all others, always executed; its copy lies in the runs folder itself.

    It reads every run; the cell is the one whose settings stand in its parameters.
    """
    source = planning.notebooks_folder() / "06_results.ipynb"
    shared = {**cell.parameters, "runs_dir": str(runs_dir), "data_root": str(data_root or "")}
    known = parameters_of(source)
    chosen = {name: value for name, value in shared.items() if name in known}
    job = planning.Job("06_results", source, runs_dir / "06_results.ipynb", chosen)
    return Task("06_results", job, f"{time.time_ns()}", tuple(after), anyway=True)
