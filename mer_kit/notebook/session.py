"""The start call of every notebook: checks the parameters, sets style and seed, opens the run."""

from __future__ import annotations

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
from matplotlib.figure import Figure

import mer_kit
from mer_kit.batch.parameters import as_declared, assigned
from mer_kit.checks import MerKitError, check_choice
from mer_kit.files import write_table
from mer_kit.paths import default_runs_dir
from mer_kit.plots import style
from mer_kit.plots.names import escaped, tables_are_plain
from mer_kit.plots.names import table_view as table_view  # for the notebooks
from mer_kit.records import EpochRecord
from mer_kit.runs.config import RunConfig
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import merged, resolve

#: The parameters that a notebook may have, in the order in which they are written.
PARAMETERS = (
    "corpus",
    "data_root",
    "task",
    "segment_seconds",
    "method",
    "preset",
    "fold",
    "folds",
    "only_folds",
    "seed",
    "runs_dir",
    "song",
    "overrides",
)


@dataclass
class Session:
    """What a notebook's start call returns.

    Attributes
    ----------
    config : every setting, presets resolved
    experiment : the run with its data open (None in notebooks that open no corpus)
    watched : True where a person looks on; False under papermill, where interactive cells do nothing
    figures : folder that `keep` writes to
    """

    name: str
    config: RunConfig
    runs_dir: Path
    watched: bool
    experiment: Experiment | None = None
    figures: Path = field(default_factory=Path)

    def open(self, data_root: str | Path | None = None) -> Experiment:
        """Return the experiment; with `data_root`, open it there first."""
        if data_root is not None:
            self.experiment = Experiment(
                self.config, data_root=data_root, runs_dir=self.runs_dir, on_epoch=_say
            )
            self.figures = self.experiment.folder.path / "figures"
        if self.experiment is None:
            raise MerKitError(
                f"notebook {self.name} opened no corpus: call start with open_corpus=True"
            )
        return self.experiment

    def keep(
        self, figure: Figure, name: str, *, alt: str, data: pd.DataFrame | None = None
    ) -> None:
        """Save a figure in the run folder (SVG, PDF, PNG, CSV of the data) and show it with its alt text."""
        paths = style.save_figure(figure, self.figures / name, alt=alt, data=data)
        show_image(paths["png"], alt)
        plt.close(figure)

    def keep_table(self, table: pd.DataFrame, name: str) -> None:
        """Save a table as CSV beside the figures; the results page reads table 1 from there."""
        write_table(self.figures / f"{name}.csv", table, float_format="%.6g")


def show_image(path: Path, alt: str) -> None:
    """Display a PNG with alt text, embedded, so that executed copies and HTML exports are complete."""
    import base64

    from IPython.display import HTML, display

    encoded = base64.b64encode(path.read_bytes()).decode("ascii")
    tag = f'<img src="data:image/png;base64,{encoded}" alt="{escaped(alt)}" style="max-width:100%;height:auto">'
    display(HTML(tag))


def start(
    name: str,
    parameters: MutableMapping[str, Any],
    *,
    open_corpus: bool = True,
    allowed: tuple[str, ...] = PARAMETERS,
) -> Session:
    """Check a notebook's parameters, set the figure style, open the corpus and its run; print one line.

    Call it with `globals()` in the notebook's third cell: only the known parameter names are read from it, and put back
    as the kind that is declared, since papermill's -p makes 2058 of a clip id "2058" and leaves overrides as text.

    Parameters
    ----------
    name : the notebook's file name without ending
    parameters : a mapping that holds the parameters, usually `globals()`
    open_corpus : load the corpus and make the Experiment

    Raises
    ------
    MerKitError
        If papermill injected a name that no cell declares (papermill itself only logs it), or a value is wrong.

    Notebook: 00_start_here
    """
    injected, declared = injected_names(), declared_names()
    reject_unknown(injected, tuple(dict.fromkeys([*declared, *allowed])))
    given = {key: as_declared(key, parameters[key]) for key in allowed if key in parameters}
    parameters.update(given)
    style.use()
    tables_are_plain()
    watched = is_watched()
    data_root = given.pop("data_root", "") or None
    runs_dir = Path(given.pop("runs_dir", "") or default_runs_dir()).expanduser().absolute()
    given.pop("fold", None)
    given.pop("song", None)
    given.pop("only_folds", None)
    overrides = given.pop("overrides", {})
    config = resolve(**merged(given, overrides))
    session = Session(name, config, runs_dir, watched, figures=runs_dir / "figures")
    if open_corpus:
        _check_system(name, config)
        session.experiment = Experiment(
            config, data_root=data_root, runs_dir=runs_dir, on_epoch=_say
        )
        _check_fold(parameters.get("fold"), session.experiment)
        folder = session.experiment.folder
        own = (
            folder.fold(int(parameters["fold"])) if name.startswith("03") else folder.path
        )  # 03 runs once a fold
        session.figures = own / "figures"
    print(_line(session))
    unused = [name for name in injected if declared and name not in declared]
    if unused:
        print(f"This notebook has no use for {', '.join(unused)}.")
    return session


def _check_system(name: str, config: RunConfig) -> None:
    """Check that a system's run is opened in a notebook that has something to say about it.

    Raises
    ------
    MerKitError
        If the notebook looks into segments and how they are learned.
    """
    if config.system and name.startswith(("02", "03", "05")):
        raise MerKitError(
            f"method is {config.method!r}, a system that looks at whole songs, and notebook {name} is about segments: open "
            "04_song_decisions, or choose another method"
        )


def _check_fold(fold: Any, experiment: Experiment) -> None:
    if fold is not None:
        check_choice("fold", fold, range(len(experiment.folds)))


def _line(session: Session) -> str:
    c = session.config
    run = f" · run {session.experiment.folder.path.name}" if session.experiment else ""
    return (
        f"mer-kit {mer_kit.__version__} · Python {platform.python_version()} · torch {torch.__version__.split('+')[0]} · "
        f"seed {c.seed} · {c.corpus}, {c.task}, {c.segment_seconds:g} s, {c.method}, preset {c.preset}{run}"
    )


def _say(fold: int, record: EpochRecord) -> None:
    """Print one line per epoch: a bar would flood an executed notebook's log."""
    parts = [f"fold {fold} epoch {record.epoch:>2} {record.phase:<6} loss {record.loss:.3f}"]
    parts.append(f"agrees with the labels {record.train_accuracy:.1%}")
    if record.phase == "ssl":
        total = record.n_labelled + record.n_unlabelled
        parts.append(f"U {record.n_unlabelled / total:.1%}")
    parts.append(f"{record.seconds:.1f} s")
    print(" · ".join(parts + ([record.note] if record.note else [])), flush=True)


def is_watched() -> bool:
    """Tell whether a person runs the notebook, not papermill, nbconvert or a test.

    A Jupyter server, VS Code and Colab each leave a sign in the kernel; a kernel without one was started by a program.
    MER_BATCH=1 and papermill's injected cell say no, MER_WATCHED=1 says yes.
    """
    if os.environ.get("MER_BATCH") or _papermill_ran() or "ipykernel" not in sys.modules:
        return False
    signs = (
        "JPY_SESSION_NAME" in os.environ,
        _variable("__vsc_ipynb_file__") is not None,
        "google.colab" in sys.modules,
    )
    return any(signs) or bool(os.environ.get("MER_WATCHED"))


def _variable(name: str) -> Any:
    """Return what a name means in this kernel, or None."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    return shell.user_ns.get(name) if shell is not None else None


def _inputs() -> list[str]:
    """Return the cells executed so far in this kernel."""
    return list(_variable("In") or [])


def _papermill_ran() -> bool:
    return any(cell.lstrip().startswith("# Parameters") for cell in _inputs())


def injected_names() -> tuple[str, ...]:
    """Return the names that papermill's injected cell assigns, in order; () outside papermill."""
    return tuple(
        name
        for cell in _inputs()
        if cell.lstrip().startswith("# Parameters")
        for name in assigned(cell)
    )


def declared_names() -> tuple[str, ...]:
    """Return the names that the notebook's own cells assign before papermill's injected cell; () without one."""
    names: list[str] = []
    for cell in _inputs():
        if cell.lstrip().startswith("# Parameters"):
            return tuple(names)
        names += assigned(cell)
    return ()


def reject_unknown(injected: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Raise one sentence if an injected parameter is none that the notebook declares.

    Examples
    --------
    >>> reject_unknown(("sed",), ("task", "seed"))
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: parameter is 'sed', expected one of task, seed: did you mean 'seed'?
    """
    for name in injected:
        check_choice("parameter", name, known)
