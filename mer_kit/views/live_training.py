"""A training to look at while it runs: losses, their histogram, the sizes of X and U, redrawn as each epoch ends.

`LiveTraining.run` trains in the cell that calls it: JupyterLab's stop button ends it at once, and the next run of the
cell goes on after the last finished epoch. `LiveTraining.widget` has a start and a stop button of its own: the training
then runs in a thread, since a kernel hears no button while a cell is busy.

Notebook: 03_sssl_training
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import traitlets

from mer_kit import plots
from mer_kit.analysis import passes
from mer_kit.analysis.passes import Passes
from mer_kit.analysis.preview import rehearse
from mer_kit.checks import MerKitError, check_choice
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.run_folder import RunFolder
from mer_kit.training import Trainer
from mer_kit.views import js


class Paused(KeyboardInterrupt):
    """A training was stopped between or within epochs; the next start goes on after the last finished one."""

    def _render_traceback_(self) -> list[str]:
        """Show the sentence alone in a notebook: this is no fault that somebody would have to trace."""
        return [str(self)]


class LiveTraining:
    """One fold's training with pictures; works without a browser through `train`, `start`, `stop`.

    Parameters
    ----------
    experiment : its own `on_epoch` is not called; the view says more
    number : which fold

    Attributes
    ----------
    state : "ready", "running", "paused", "done" or "failed"
    passes : the history and the last evaluation pass so far, None before the first epoch's end

    Raises
    ------
    MerKitError
        If there is no such fold.

    Notebook: 03_sssl_training
    """

    def __init__(self, experiment: Experiment, number: int = 0) -> None:
        check_choice("fold", number, range(len(experiment.folds)))
        self.experiment, self.number = copy.copy(experiment), number
        self.experiment.on_epoch = None
        self.title = f"Training fold {number}"
        self.again: Callable[[], Experiment] | None = None
        self.state, self.message = "ready", ""
        self._since: float | None = None  # when the running epoch began
        self.passes: Passes | None = None
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None
        self._views: list[Any] = []

    @classmethod
    def rehearsal(cls, experiment: Experiment, number: int = 0, *, epochs: int = 8) -> LiveTraining:
        """Return a short training of a few songs in a scratch folder, to be shown also where the fold is done.

        Each start after an end begins afresh. See `analysis.preview.rehearse`.
        """
        scratch = tempfile.TemporaryDirectory(
            prefix="mer-rehearsal-"
        )  # removed with the last who can begin in it

        def again() -> Experiment:
            return rehearse(experiment, number, tempfile.mkdtemp(dir=scratch.name), epochs=epochs)

        made = cls(again(), number)
        made.title = f"Rehearsal: {len(made.experiment.folds[number].train)} songs of fold {number}"
        made.again = again
        return made

    @property
    def epochs(self) -> int:
        """How many epochs there are to be."""
        return self.experiment.config.training.epochs

    @property
    def done(self) -> int:
        """How many epochs are over, as far as this object has seen."""
        return len(self.passes.history) if self.passes else 0

    # ---- training --------------------------------------------------------------------------------------------------

    def train(self) -> RunFolder:
        """Train the fold to its end, or go on with it, in this thread; return the run's folder.

        Raises
        ------
        Paused
            After `stop`, or an interrupt of the kernel: then at once, and the epoch that was running is lost.
        """
        self._asked.clear()
        self._since = None
        self._become("running")
        try:
            folder = self.experiment.train(self.number, watch=self._watch)
            if self.passes is None:
                self.passes = passes.read_passes(self.experiment, self.number)
        except KeyboardInterrupt:
            self._become("paused")
            raise Paused(self.words()) from None
        except Exception as error:
            self._become("failed", str(error))
            raise
        self._become("done")
        return folder

    def start(self) -> None:
        """Train in a thread of its own; where a rehearsal is over, begin afresh. Does nothing while one runs."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self.state == "done" and self.again is not None:
            self.experiment, self.passes = self.again(), None
            self.__dict__.pop("_template", None)
        self._thread = threading.Thread(
            target=self._in_thread, name="mer-kit training", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ask the training to pause when the running epoch ends; nothing is lost."""
        self._asked.set()
        self._tell()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the thread that `start` began has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _in_thread(self) -> None:
        with contextlib.suppress(Paused, Exception):  # the view has said what happened
            self.train()

    def _watch(self, trainer: Trainer) -> None:
        if trainer.history_:
            self.passes = dataclasses.replace(
                self._template,
                probabilities=trainer.eval_probabilities_[-1:],
                history=list(trainer.history_),
            )
        self._since = time.time()
        self._become("running")
        if self._asked.is_set() and self.done < self.epochs:
            raise KeyboardInterrupt

    @cached_property
    def _template(self) -> Passes:
        """The fold's segments without any pass: labels, truth and the settings of the split stay the same."""
        index = self.experiment.train_index
        index = index.take(index.rows_of(self.experiment.folds[self.number].train))
        labels = self.experiment.labels[index.clip]
        nothing = np.empty((0, len(labels), len(self.experiment.classes)), dtype=np.float16)
        stored = {
            "probabilities": nothing,
            "labels": labels,
            "clip": index.clip,
            "start_s": index.start_s,
        }
        return passes.passes_of(self.experiment, self.number, stored, [])

    # ---- what is seen ----------------------------------------------------------------------------------------------

    def words(self) -> str:
        """Return how far the training is, as a sentence."""
        done, total = self.done, self.epochs
        said = ""
        if self.passes:
            last = self.passes.history[-1]
            said = f"Epoch {done} of {total} is over: loss {last.loss:.3f}"
            if last.n_unlabelled:
                share = last.n_unlabelled / (last.n_labelled + last.n_unlabelled)
                said += (
                    f", {last.n_labelled} segments in X and {last.n_unlabelled} in U ({share:.0%})"
                )
            said += ". "
        if self.state == "ready":
            checkpoint = self.experiment.folder.fold(self.number) / "checkpoint.safetensors"
            if self.experiment.folder.fold_done(self.number):
                return "This fold is trained."
            return (
                "Goes on after the last finished epoch."
                if checkpoint.exists()
                else f"{total} epochs, none begun."
            )
        if self.state == "running":
            if self._since is None:
                return "Starting."
            if done == total:
                return f"{said}Now the songs are predicted."
            asked = ", then there is a pause" if self._asked.is_set() else ""
            return f"{said}Epoch {done + 1} of {total} is running{asked}."
        if self.state == "paused":
            return f"Paused with {done} of {total} epochs done. The next start goes on with epoch {done + 1}."
        return f"{said}The training is done." if self.state == "done" else f"Failed: {self.message}"

    def pictures(self) -> list[bytes]:
        """Return the three pictures as PNG bytes, none before the first epoch's end."""
        return [] if self.passes is None else plots.live.panels(self.passes)

    def run(self) -> RunFolder:
        """Train in the cell that calls this, with the view above; take the view away at the end, for a picture to stay.

        Raises
        ------
        Paused
            After an interrupt; the view stays, following cells are not run, and the next run of the cell goes on.
        """
        from IPython.display import clear_output, display

        view = self.widget(buttons=False)
        display(view)
        folder = self.train()
        clear_output(wait=True)
        view.close()
        return folder

    def widget(self, *, buttons: bool = True) -> Any:
        """Return the anywidget view, with a button that starts and stops unless the cell does that."""
        data = {
            "title": self.title,
            "epochs": self.epochs,
            "alts": list(plots.live.ALTS),
            "buttons": buttons,
        }
        view = js.widget("live", data, sides=_Sides, state=self._report(), pictures=self.pictures())
        view.on_msg(lambda _, message, __: self.hear(message))
        self._views.append(view)
        return view

    def hear(self, message: Any) -> None:
        """Do what the browser asks: {"kind": "start"} or {"kind": "stop"}.

        Raises
        ------
        MerKitError
            If it asks for anything else.
        """
        kind = message.get("kind") if isinstance(message, Mapping) else None
        if kind not in ("start", "stop"):
            raise MerKitError(
                f"message is {message!r}, expected kind start or stop: reload the view"
            )
        if kind == "start":
            self.start()
        else:
            self.stop()

    def _become(self, state: str, message: str = "") -> None:
        self.state, self.message = state, message
        self._tell(self.pictures() if self._views else None)

    def _report(self) -> dict[str, Any]:
        asked = self.state == "running" and self._asked.is_set()
        return {
            "state": "stopping" if asked else self.state,
            "words": self.words(),
            "done": self.done,
            "since": self._since if self.state == "running" else None,
        }

    def _tell(self, pictures: list[bytes] | None = None) -> None:
        for view in self._views:
            with view.hold_sync():
                view.state = self._report()
                if pictures is not None:
                    view.pictures = pictures


class _Sides(traitlets.HasTraits):
    """What the browser and the kernel share of a training's view."""

    state = traitlets.Dict().tag(sync=True)
    pictures = traitlets.List(traitlets.Bytes()).tag(sync=True)
