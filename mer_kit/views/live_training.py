"""A view of a training while it runs: losses, their histogram, and the sizes of X and U.

The pictures are redrawn after each epoch. `LiveTraining.run` trains in the cell that calls it:
JupyterLab's stop button interrupts it at once, and the next run of the cell resumes after the last
finished epoch. `LiveTraining.widget` has its own start and stop button: the training then runs in a
thread, since a kernel does not receive messages while a cell is running.

Notebook: 03_sssl_training
"""

import contextlib
import copy
import dataclasses
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import FrameType
from typing import Any, Self

import numpy as np
import traitlets

from mer_kit import plots
from mer_kit.analysis import passes
from mer_kit.analysis.passes import Passes
from mer_kit.analysis.preview import rehearse
from mer_kit.checks import check_choice
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.label_noise import segment_labels
from mer_kit.runs.run_folder import RunFolder
from mer_kit.training import Trainer
from mer_kit.views.view import View


class _Sides(traitlets.HasTraits):
    """The traits that the browser and the kernel share."""

    state = traitlets.Dict().tag(sync=True)
    pictures = traitlets.List(traitlets.Bytes()).tag(sync=True)


class Paused(KeyboardInterrupt):
    """A training was stopped; the next start resumes after the last finished epoch."""

    def _render_traceback_(self) -> list[str]:
        """Show the sentence without a traceback in a notebook: a pause is not an error."""
        return [str(self)]


class LiveTraining(View):
    """One fold's training with pictures; works without a browser through `train`, `start`, `stop`.

    Parameters
    ----------
    experiment : its own `on_epoch` is not called
    number : which fold

    Attributes
    ----------
    state : "ready", "running", "paused", "done" or "failed"
    passes : the history and the last evaluation passes so far, None before the first epoch's end

    Raises
    ------
    MerKitError
        If there is no such fold.

    Notebook: 03_sssl_training
    """

    module, sides = "live", (_Sides,)

    def __init__(self, experiment: Experiment, number: int = 0) -> None:
        check_choice("fold", number, range(len(experiment.folds)))
        self.experiment, self.number = copy.copy(experiment), number
        self.experiment.on_epoch = None
        self.page_title = f"Training fold {number}"
        self.again: Callable[[], Experiment] | None = None
        self.state, self.message = "ready", ""
        self._since: float | None = None  # when the running epoch began
        self.passes: Passes | None = None
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None
        self._views: list[Any] = []

    @classmethod
    def rehearsal(cls, experiment: Experiment, number: int = 0, *, epochs: int = 8) -> Self:
        """Return a short training of a few songs in a scratch folder, also for a finished fold.

        Each start after the end starts again. See `analysis.preview.rehearse`.
        """
        # Removed with the last object that can start in it.
        scratch = tempfile.TemporaryDirectory(prefix="mer-rehearsal-")

        def again() -> Experiment:
            return rehearse(experiment, number, tempfile.mkdtemp(dir=scratch.name), epochs=epochs)

        made = cls(again(), number)
        songs = len(made.experiment.folds[number].train)
        made.page_title, made.again = f"Rehearsal: {songs} songs of fold {number}", again
        return made

    @property
    def epochs(self) -> int:
        """The number of epochs of the whole training."""
        return self.experiment.config.training.all_epochs

    @property
    def done(self) -> int:
        """The number of epochs that this object has seen finish."""
        return 0 if self.passes is None else len(self.passes.history)

    # ---- training --------------------------------------------------------------------------------

    def train(self) -> RunFolder:
        """Train the fold to its end, or resume it, in this thread; return the run's folder.

        Raises
        ------
        Paused
            After `stop`, or at once after an interrupt of the kernel; the epoch that was running is
            then lost.
        """
        self._asked.clear()
        self._since = None
        self._become("running")
        try:
            with self._interrupts_remembered():
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

    @contextlib.contextmanager
    def _interrupts_remembered(self) -> Iterator[None]:
        """Pause at the end of the epoch after an interrupt of the kernel that did not get through.

        Python raises KeyboardInterrupt wherever it happens to be, and code that a library calls
        back may swallow it.
        """
        usual = signal.getsignal(signal.SIGINT)
        in_main = threading.current_thread() is threading.main_thread()
        if not in_main or not callable(usual):  # only the main thread may set a handler
            yield
            return

        def remember(number: int, frame: FrameType | None) -> None:
            self._asked.set()
            usual(number, frame)

        signal.signal(signal.SIGINT, remember)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)

    def start(self) -> None:
        """Train in a thread unless one is running; a finished rehearsal starts again."""
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
        """Wait until the thread that `start` started has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _in_thread(self) -> None:
        with contextlib.suppress(Paused, Exception):  # the view has said what happened
            self.train()

    def _watch(self, trainer: Trainer) -> None:
        if trainer.history_:
            self.passes = dataclasses.replace(
                self._template,
                # As many as the next partition is made from.
                probabilities=trainer.eval_probabilities_[-self._template.partition.loss_window :],
                history=list(trainer.history_),
            )
        self._since = time.time()
        self._become("running")
        if self._asked.is_set() and self.done < self.epochs:
            raise KeyboardInterrupt

    @cached_property
    def _template(self) -> Passes:
        """The fold's segments without evaluation passes: labels, truth and partition settings."""
        every = self.experiment.train_index
        rows = every.rows_of(self.experiment.folds[self.number].train)
        index, labels = every.take(rows), segment_labels(self.experiment, self.number)[rows]
        stored = {
            "probabilities": np.empty((0, len(labels), len(self.experiment.classes)), np.float16),
            "labels": labels,
            "clip": index.clip,
            "start_s": index.start_s,
        }
        return passes.passes_of(self.experiment, self.number, stored, [])

    # ---- what is shown ---------------------------------------------------------------------------

    def words(self) -> str:
        """Return the progress of the training as a sentence."""
        done, total, folder = self.done, self.epochs, self.experiment.folder
        match self.state:
            case "ready" if folder.fold_done(self.number):
                return "This fold is trained."
            case "ready" if (folder.fold(self.number) / "checkpoint.safetensors").exists():
                return "Resumes after the last finished epoch."
            case "ready":
                return f"{total} epochs, none started."
            case "running" if self._since is None:
                return "Starting."
            case "running" if done == total:
                return f"{self._finished()}The songs are being predicted."
            case "running":
                asked = ", followed by a pause" if self._asked.is_set() else ""
                return f"{self._finished()}Epoch {done + 1} of {total} is running{asked}."
            case "paused":
                return (
                    f"Paused with {done} of {total} epochs done. "
                    f"The next start resumes with epoch {done + 1}."
                )
            case "done":
                return f"{self._finished()}The training is done."
            case _:
                return f"Failed: {self.message}"

    def _finished(self) -> str:
        if not self.passes:
            return ""
        last = self.passes.history[-1]
        text = f"Epoch {self.done} of {self.epochs} is finished: loss {last.loss:.3f}"
        if u := last.n_unlabelled:
            text += (
                f", {last.n_labelled} segments in X and {u} in U ({u / (last.n_labelled + u):.0%})"
            )
        return f"{text}. "

    def pictures(self) -> list[bytes]:
        """Return the three pictures as PNG bytes, none before the first epoch's end."""
        if self.passes is None:
            return []
        return plots.live.panels(self.passes)

    def run(self) -> RunFolder:
        """Train in the cell that calls this, with the view above, which is removed at the end.

        Raises
        ------
        Paused
            After an interrupt; the view stays, later cells are not run, and the next run of the
            cell resumes.
        """
        from IPython.display import clear_output, display

        view = self.widget(buttons=False)
        display(view)
        folder = self.train()
        clear_output(wait=True)
        view.close()
        return folder

    def data(self, *, buttons: bool = True) -> dict[str, Any]:
        """Return what the view is built from; with `buttons`, it has a start and stop button."""
        return {
            "title": self.page_title,
            "epochs": self.epochs,
            "alts": list(plots.live.ALTS),
            "buttons": buttons,
        }

    def widget(self, *, buttons: bool = True, **values: Any) -> Any:
        """Return the anywidget view, with a start and stop button unless the cell itself trains."""
        view = super().widget(state=self._report(), pictures=self.pictures(), **values)
        view.data = self.data(buttons=buttons)
        self._views.append(view)
        return view

    def _on_start(self, _: Mapping[str, Any]) -> None:
        self.start()

    def _on_stop(self, _: Mapping[str, Any]) -> None:
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
