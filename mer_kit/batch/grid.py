"""Many runs as one plan: corpora × tasks × durations × methods × seeds, and their notebooks."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mer_kit import files, systems
from mer_kit.batch import planning
from mer_kit.batch.parameters import as_mapping
from mer_kit.checks import MerKitError, check_choice, check_range, shortened
from mer_kit.corpora import truth
from mer_kit.format import duration
from mer_kit.runs.config import RunConfig
from mer_kit.runs.experiment import Experiment, OpenedCorpus, open_corpus
from mer_kit.runs.presets import default_preset, merged, resolve
from mer_kit.signal import frontends
from mer_kit.songs.folds import parse_folds

#: Limits on the entries of one list and on the runs of a grid; anything larger is a typing error.
MOST_ENTRIES, MOST_RUNS = 1000, 10_000
#: Types of entries that are not just plain, and their name in messages.
KINDS = {"seeds": (int, "whole numbers")}
#: Limit on the size of a YAML file.
MOST_BYTES = 1 << 20
_VARIED = ("corpus", "task", "seconds", "frontend", "method", "seeds")
#: Notebooks of each run of a grid; 06 is executed once, after all runs.
OF_A_RUN = tuple(name for name in planning.NOTEBOOKS if not name.startswith(("00", "06")))


@dataclass(frozen=True)
class Grid:
    """What varies and what is fixed. Lists multiply: every corpus with every task, and so on.

    A list among the `overrides` multiplies too, such as `noise_kind: [none, song]`.
    `seeds` lists the seeds; an empty `frontend` means the preset's, and `preset` None the one of
    `presets.default_preset`. A system that cannot learn from a front-end keeps its own.
    """

    corpus: tuple[str, ...] = ("demo",)
    task: tuple[str, ...] = ("quadrant",)
    seconds: tuple[float, ...] = (3.0,)
    frontend: tuple[str, ...] = ("",)
    method: tuple[str, ...] = ("sssl",)
    seeds: tuple[int, ...] = (0,)
    folds: int = 10
    only_folds: str = ""
    preset: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, Any], base: Grid | None = None) -> Grid:
        """Return a grid from plain names and values: a value or a list; `seeds: 3` means 0, 1, 2.

        What is not given is taken from `base`, or is the default.

        Raises
        ------
        MerKitError
            If a name is unknown; values are checked by `cells`.

        Examples
        --------
        >>> Grid.of({"corpus": ["demo", "4q"], "seeds": 2}).seeds
        (0, 1)
        """
        for name in given:
            check_choice("name in the grid", name, [f.name for f in dataclasses.fields(cls)])
        values = {name: _field(name, value) for name, value in given.items()}
        return dataclasses.replace(base or cls(), **values)


def _field(name: str, value: Any) -> Any:
    """Return one field of a grid from a plain value; its size is checked before it is expanded."""
    if name == "overrides":
        overrides = as_mapping("overrides", value)
        for setting, values in overrides.items():
            if isinstance(values, list) and not 1 <= len(values) <= MOST_ENTRIES:
                raise MerKitError(
                    f"{setting} in the grid has {len(values)} values, expected 1 to "
                    f"{MOST_ENTRIES}: correct it"
                )
        return overrides
    if name == "seeds" and not isinstance(value, (list, tuple)):
        value = range(int(check_range("seeds", value, 1, MOST_ENTRIES, whole=True)))
    several = isinstance(value, (list, tuple, range))
    entries = list(value[: MOST_ENTRIES + 1]) if several else [value]
    kinds, expected = KINDS.get(name, (str | int | float | None, "plain names or numbers"))
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
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise MerKitError(
            f"{Path(path).name} must be a mapping of names that are text, but holds "
            f"{shortened(content)}, expected lines like '{example}': correct the file"
        )
    return content


@dataclass(frozen=True)
class Cell:
    """One run of a grid: its configuration, the parameters of its notebooks, the folds to train."""

    config: RunConfig
    parameters: Mapping[str, Any]
    folds: tuple[int, ...]
    varied: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The cell in words, with those of its overrides that vary."""
        c = self.config
        frontend = "" if c.frontend == frontends.DEFAULT else f"{c.frontend}, "
        about = f"{c.corpus}, {c.task}, {duration(c.segment_seconds)}, {frontend}{c.method}"
        return ", ".join([about, *(f"{k} {v}" for k, v in self.varied.items()), f"seed {c.seed}"])


def cells(grid: Grid) -> list[Cell]:
    """Return the runs of a grid, in the given order; everything is checked before anything runs.

    Cells with the same configuration are one run: without noise, every `noise_rate` is the same.

    Raises
    ------
    MerKitError
        If a name or value is unknown; the message suggests the nearest valid one.

    Examples
    --------
    >>> [cell.title for cell in cells(Grid(method=("ce", "sssl")))]
    ['demo, quadrant, 3 s, ce, seed 0', 'demo, quadrant, 3 s, sssl, seed 0']
    """
    axes = {name: getattr(grid, name) for name in _VARIED}
    axes |= {name: value for name, value in grid.overrides.items() if isinstance(value, list)}
    n_runs = math.prod(map(len, axes.values()))
    if n_runs > MOST_RUNS:
        raise MerKitError(
            f"the grid has {n_runs:,} runs, expected {MOST_RUNS:,} at most: divide it into several"
        )
    planned: dict[str, Cell] = {}
    for corpus, task, seconds, frontend, method, seed, *values in itertools.product(*axes.values()):
        varied = dict(zip(list(axes)[len(_VARIED) :], values, strict=True))
        overrides = {**grid.overrides, **varied}
        if frontend and systems.takes(method, frontend):  # else it keeps its own, and runs once
            overrides["frontend"] = frontend
        parameters = {
            "corpus": corpus,
            "task": task,
            "segment_seconds": seconds,
            "method": method,
            "seed": seed,
            "folds": grid.folds,
            "preset": grid.preset or default_preset(corpus, overrides.get("frontend")),
        }
        config = resolve(**merged(parameters, overrides))
        folds = tuple(parse_folds(grid.only_folds, config.folds))
        # As resolved: without noise the rate is 0, whatever the list says.
        varied = {name: getattr(config, name, value) for name, value in varied.items()}
        cell = Cell(config, {**parameters, "overrides": overrides}, folds, varied)
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
