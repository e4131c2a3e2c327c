"""The start call of every notebook: checks the parameters, sets the style, opens the run."""

import itertools
import os
import platform
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython import get_ipython
from IPython.display import HTML, display
from matplotlib.figure import Figure

import mer_kit
from mer_kit.batch.parameters import as_declared, assigned
from mer_kit.checks import MerKitError, check_choice
from mer_kit.files import write_table
from mer_kit.format import duration
from mer_kit.paths import default_runs_dir
from mer_kit.plots import style
from mer_kit.plots.names import table_view as table_view  # for the notebooks
from mer_kit.plots.names import tables_are_plain
from mer_kit.plots.picture import png_html
from mer_kit.records import PARTITION_PHASE, EpochRecord
from mer_kit.runs.config import RunConfig
from mer_kit.runs.defaults import PRESETS
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import merged, resolve
from mer_kit.signal import frontends
from mer_kit.signal.segments import WHOLE
from mer_kit.songs.folds import parse_folds
from mer_kit.systems import note

#: The parameters that a notebook may have, in the order in which they are written.
PARAMETERS = (
    "corpus", "data_root", "task", "segment_seconds", "method", "preset", "fold", "folds",
    "only_folds", "seed", "runs_dir", "song", "overrides", "methods", "seeds", "noise_kinds",
    "noise_rates",
)  # fmt: skip
#: Those that are not settings of one run.
_OF_NOTEBOOKS = ("fold", "song", "only_folds", "methods", "seeds", "noise_kinds", "noise_rates")


@dataclass
class Session:
    """The result of a notebook's start call.

    Attributes
    ----------
    name : the notebook's file name without its extension
    config : all settings, presets resolved
    runs_dir : the folder of runs
    watched : True in an interactive session; False under papermill, where interactive cells do
        nothing
    experiment : the run with its data open; None in notebooks that open no corpus
    figures : the folder that `keep` writes to
    """

    name: str
    config: RunConfig
    runs_dir: Path
    watched: bool
    experiment: Experiment | None = None
    figures: Path = field(default_factory=Path)

    def open(self, data_root: str | Path | None = None) -> Experiment:
        """Return the experiment, after opening it with the corpus in `data_root` if that is given.

        "" stands for MER_DATA or ./data.

        Raises
        ------
        MerKitError
            If no corpus is open.
        """
        if data_root is not None:
            self.experiment = Experiment(
                self.config, data_root=data_root or None, runs_dir=self.runs_dir, on_epoch=_say
            )
            self.figures = self.experiment.folder.path / "figures"
        if self.experiment is None:
            raise MerKitError(
                f"notebook {self.name} opened no corpus: call start with open_corpus=True"
            )
        return self.experiment

    def train_folds(self, only_folds: str = "") -> None:
        """Train folds ("0,2" or "0-2"; "" for all) where one takes seconds, with a line for each.

        Where a fold takes minutes, only print how many are trained: notebook 03 is executed for
        each of them.
        """
        experiment = self.open()
        if not self.config.trains_in_seconds:
            done, of = experiment.folder.folds_done(), len(experiment.folds)
            print(
                f"A fold takes minutes, so each is trained on its own; done: {done} of {of} folds."
            )
            return
        experiment.on_epoch = None  # a line for each fold, not for each epoch
        for number in parse_folds(only_folds, len(experiment.folds)):
            last = experiment.train(number).history(number)[-1]
            agrees = f"agrees with {last.train_accuracy:.1%} of its labels"
            print(f"fold {number}: {last.epoch} epochs, {agrees}", flush=True)

    def keep(
        self, figure: Figure, name: str, *, alt: str, data: pd.DataFrame | None = None
    ) -> None:
        """Save a figure in the run folder (SVG, PDF, PNG, data as CSV) and show it."""
        paths = style.save_figure(figure, self.figures / name, alt=alt, data=data)
        # embedded, so that executed copies and exports are complete
        css = "max-width:100%;height:auto"
        display(HTML(png_html(paths["png"].read_bytes(), alt, css=css)))
        plt.close(figure)

    def keep_table(self, table: pd.DataFrame, name: str) -> None:
        """Save a table as CSV next to the figures; the results page reads table 1 from there."""
        write_table(self.figures / f"{name}.csv", table, float_format="%.6g")


def start(
    name: str,
    parameters: MutableMapping[str, Any],
    *,
    open_corpus: bool = True,
    fallback: str = "",
) -> Session:
    """Check a notebook's parameters, set the figure style, open the corpus and its run.

    Call it with `globals()` in the notebook's third cell: it reads only known parameter names, and
    writes their values back with the declared types, since papermill's -p turns the clip id "2058"
    into a number and leaves overrides as text. One line about the run is printed.

    Parameters
    ----------
    name : the notebook's file name without its extension
    parameters : a mapping that holds the parameters, usually `globals()`
    open_corpus : load the corpus and create the Experiment
    fallback : front-end in place of the preset's if that one's weights are not on this machine

    Raises
    ------
    MerKitError
        If papermill injected a name that no cell declares (papermill only logs it), or if a value
        is invalid.

    Notebook: 00_start_here
    """
    injected, declared = injected_names(), declared_names()
    for key in injected:
        check_choice("parameter", key, dict.fromkeys([*declared, *PARAMETERS]))
    given = {key: as_declared(key, parameters[key]) for key in PARAMETERS if key in parameters}
    parameters.update(given)
    style.use()
    tables_are_plain()
    data_root = given.pop("data_root", "")
    runs_dir = Path(given.pop("runs_dir", "") or default_runs_dir()).expanduser().absolute()
    overrides = given.pop("overrides", {})
    missing = _missing_weights(given.get("preset", ""))
    if fallback and missing and "frontend" not in overrides:
        print(f"{fallback} is the front-end: the weights of the preset's are not here, {missing}")
        overrides = parameters["overrides"] = {**overrides, "frontend": fallback}
    for key in _OF_NOTEBOOKS:
        given.pop(key, None)
    config = resolve(**merged(given, overrides))
    for key in ("method", "segment_seconds"):  # those of an alias are now the run's
        if key in given:
            parameters[key] = getattr(config, key)
    session = Session(name, config, runs_dir, is_watched(), figures=runs_dir / "figures")
    if open_corpus:
        _check_segments(name, config)
        experiment = session.open(data_root)
        if parameters.get("fold") is not None:
            check_choice("fold", parameters["fold"], range(len(experiment.folds)))
        if name.startswith("03"):  # the one notebook that may be executed once per fold
            session.figures = experiment.folder.fold(int(parameters["fold"])) / "figures"
    print(_line(session))
    if note(given.get("method", "")):
        print(f"{note(given['method'])}.")
    if frontends.note(config.frontend):
        print(f"Note: {frontends.note(config.frontend)}.")
    unused = [name for name in injected if declared and name not in declared]
    if unused:
        print(f"This notebook does not use {', '.join(unused)}.")
    return session


def _check_segments(name: str, config: RunConfig) -> None:
    """Raise a MerKitError if a notebook is about segments, and the run has none."""
    if config.system and name.startswith(("02", "03", "05")):
        raise MerKitError(
            f"method is {config.method!r}, a system that classifies whole songs, but notebook "
            f"{name} is about segments: open 04_song_decisions, or choose another method"
        )
    if config.segment_seconds == WHOLE and name.startswith(("01", "02", "05")):
        raise MerKitError(
            f"segment_seconds is clip, but notebook {name} is about segments of a clip: "
            "open 03_sssl_training, or choose a number of seconds"
        )


def _missing_weights(preset: str) -> str:
    """Return what to do for the weights of a preset's front-end, "" if nothing."""
    frontend = PRESETS.get(preset, {}).get("frontend", frontends.DEFAULT)
    wheel = getattr(frontends.MODULES[frontend], "WHEEL", None)
    if wheel is None or wheel.is_ready:
        return ""
    return str(wheel.advice)


def _line(session: Session) -> str:
    c = session.config
    run = f" · run {session.experiment.folder.path.name}" if session.experiment else ""
    return (
        f"mer-kit {mer_kit.__version__} · Python {platform.python_version()} · "
        f"torch {torch.__version__.split('+')[0]} · seed {c.seed} · "
        f"{c.corpus}, {c.task}, {duration(c.segment_seconds)}, {c.method}, preset {c.preset}{run}"
    )


def _say(fold: int, record: EpochRecord) -> None:
    """Print one line per epoch; a progress bar would flood the log of an executed notebook."""
    share = record.n_unlabelled / max(1, record.n_labelled + record.n_unlabelled)
    of_u = f" · U {share:.1%}" if record.phase == PARTITION_PHASE else ""
    parts = (
        f"fold {fold} epoch {record.epoch:>2} {record.phase:<6} loss {record.loss:.3f}",
        f"agrees with the labels {record.train_accuracy:.1%}{of_u}",
        f"{record.seconds:.1f} s",
        record.note,
    )
    print(" · ".join(filter(None, parts)), flush=True)


def is_watched() -> bool:
    """Tell whether the notebook runs in an interactive session, not in papermill or a test.

    A Jupyter server, VS Code and Colab each leave a sign in the kernel; a kernel without one was
    started by a program. MER_BATCH=1 or papermill's injected cell mean no, MER_WATCHED=1 means yes.

    Examples
    --------
    >>> is_watched()  # not in a test
    False
    """
    if os.environ.get("MER_BATCH") or injected_names() or "ipykernel" not in sys.modules:
        return False
    return (
        "JPY_SESSION_NAME" in os.environ
        or _variable("__vsc_ipynb_file__") is not None
        or "google.colab" in sys.modules
        or bool(os.environ.get("MER_WATCHED"))
    )


def _variable(name: str) -> Any:
    """Return the value of a name in this kernel, or None."""
    return getattr(get_ipython(), "user_ns", {}).get(name)


def _inputs() -> list[str]:
    """Return the cells executed so far in this kernel."""
    return list(_variable("In") or [])


def _is_injected(cell: str) -> bool:
    """Tell whether papermill wrote a cell."""
    return cell.lstrip().startswith("# Parameters")


def injected_names() -> tuple[str, ...]:
    """Return the names that papermill's injected cell assigns, in order; () outside papermill.

    Examples
    --------
    >>> injected_names()
    ()
    """
    return tuple(name for cell in filter(_is_injected, _inputs()) for name in assigned(cell))


def declared_names() -> tuple[str, ...]:
    """Return the names that the notebook's cells so far assign, up to papermill's cell.

    Examples
    --------
    >>> declared_names()
    ()
    """
    own = itertools.takewhile(lambda cell: not _is_injected(cell), _inputs())
    return tuple(name for cell in own for name in assigned(cell))
