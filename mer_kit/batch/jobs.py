"""Execute notebooks with papermill into a run folder; finished copies are kept."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbformat.v4 import new_notebook

from mer_kit import files
from mer_kit.batch.executed import last_lines, places, strip_places, unfinished, without_places
from mer_kit.batch.kernel import STDERR, kernel_manager
from mer_kit.batch.limits import NO_LIMITS, Limits, watched
from mer_kit.batch.planning import Job
from mer_kit.runs.locks import exclusive
from mer_kit.runs.run_folder import write_json

#: Messages of jupyter-client about a kernel that did not start: a busy machine, an early kill.
START_ERRORS = (
    "RuntimeError: Kernel didn't respond",
    "RuntimeError: Kernel died before replying",
)


@dataclass(frozen=True)
class Outcome:
    """The result of a job.

    `state` is "done", "kept" (finished by an earlier call), "failed" with a message, or "skipped"
    (a notebook that it needs failed).
    """

    job: Job
    state: str
    seconds: float = 0.0
    message: str = ""
    peak_mb: float = 0.0
    log: tuple[str, ...] = ()

    def line(self, name: str) -> str:
        """Return the outcome as one line that begins with `name`."""
        more = f" in {self.seconds:.0f} s"
        if self.state == "kept":
            more = " (done before)"
        elif self.state == "skipped":
            more = ""
        memory = f", {self.peak_mb:.0f} MB" if self.peak_mb else ""
        return ": ".join(filter(None, (name, f"{self.state}{more}{memory}", self.message)))


def execute(
    jobs: Sequence[Job],
    *,
    mark: str,
    force: bool = False,
    say: Callable[[str], None] = print,
    progress_bar: bool = False,
    finished: Callable[[Outcome], object] = lambda outcome: None,
) -> list[Outcome]:
    """Execute jobs one after the other, each in its own kernel; continue after a failure.

    Parameters
    ----------
    mark : the run's fingerprint; see `Job.is_done`
    force : also execute finished notebooks
    say : called with one line per job
    progress_bar : show papermill's bar over the cells
    finished : called with each outcome; the next job waits for it
    """
    outcomes: list[Outcome] = []
    for number, job in enumerate(jobs, start=1):
        label = f"[{number}/{len(jobs)}] {job.name}"
        if force or not job.is_done(mark):
            say(f"{label} …")
        outcome = execute_once(job, execute_one, mark, force=force, progress_bar=progress_bar)
        finished(outcome)
        say(outcome.line(label))
        outcomes.append(outcome)
    return outcomes


def execute_once(
    job: Job, run: Callable[..., Outcome], mark: str, *, force: bool = False, **options: Any
) -> Outcome:
    """Call `run(job, mark=mark, **options)` unless the job's copy is finished.

    Other processes that execute it are waited for. Any exception becomes a failure of this
    notebook alone, and is noted in its status file.
    """
    try:
        # asked before locking too: a finished copy may be in a read-only folder
        if not force and job.is_done(mark):
            return Outcome(job, "kept")
        with exclusive(job.lock_file):
            if not force and job.is_done(mark):  # by another process, while this one waited
                return Outcome(job, "kept")
            return run(job, mark=mark, **options)
    except Exception as error:
        return failure(job, mark, f"{type(error).__name__}: {error}")


def failure(job: Job, mark: str, message: str) -> Outcome:
    """Return the outcome of a job that ended without writing its status file, and write that."""
    with contextlib.suppress(OSError):
        _write_status(job, mark, "failed", message)
    return Outcome(job, "failed", message=message)


def _write_status(
    job: Job, mark: str, state: str, message: str, log: Sequence[str] = (), **measured: float
) -> None:
    """Write a job's status file, without local paths."""
    known = places(job.parameters, job.source.parent)
    texts: dict[str, Any] = {
        "message": without_places(message, known),
        "log": [without_places(line, known) for line in log],
    }
    write_json(job.status_file, {"state": state, "key": job.key(mark), **measured, **texts})


def execute_one(
    job: Job, *, mark: str, progress_bar: bool = False, limits: Limits = NO_LIMITS
) -> Outcome:
    """Execute one notebook; write the copy and its status file at the end, also if a cell failed.

    Both are written atomically and without local paths; the returned message has them. After a
    failure the status file holds the message and the last lines that the notebook printed.
    """
    started = time.perf_counter()
    write_json(job.status_file, {"state": "running", "key": job.key(mark)})
    log: list[str] = []
    with files.scratch() as scratch:
        copy = Path(scratch) / "executed.ipynb"
        with watched(limits) as usage:
            message = _papermill_failure(job, copy, scratch, progress_bar)
            if message.startswith(START_ERRORS) and not usage.reason:  # no cell has run yet
                message = _papermill_failure(job, copy, scratch, progress_bar)
        notebook = nbformat.read(copy, as_version=4) if copy.exists() else new_notebook()
        message = usage.reason or message or unfinished(notebook)
        if message:
            of_python = "Error" in message.split()[0]
            log = last_lines(notebook, _stderr(scratch) if of_python else "")
        if log and message.endswith("CellExecutionError: "):  # without a reason: it was printed
            message = message.removesuffix("CellExecutionError: ") + log[-1]
        if copy.exists():
            with files.writing(job.target) as partial:
                known = places(job.parameters, job.source.parent)
                nbformat.write(strip_places(notebook, known), partial)
    seconds, peak_mb = time.perf_counter() - started, round(usage.peak_mb)
    state = "failed" if message else "done"
    _write_status(job, mark, state, message, log, seconds=round(seconds, 2), peak_mb=peak_mb)
    return Outcome(job, state, seconds, message, peak_mb, tuple(log))


def _papermill_failure(job: Job, copy: Path, scratch: str, progress_bar: bool) -> str:
    """Execute a notebook into `copy`; return why it failed, or "" if papermill reports nothing."""
    try:
        _run_papermill(job, copy, tempfile.mkdtemp(prefix="k", dir=scratch), progress_bar)
    except papermill.PapermillExecutionError as error:
        return f"cell {error.exec_count} raised {error.ename}: {error.evalue}"
    except (RuntimeError, OSError) as error:  # nbclient: dead kernel, time-out, start failure
        lines = str(error).strip().splitlines() or ["no message"]
        return f"{type(error).__name__}: {lines[-1]}"
    return ""


def _run_papermill(job: Job, copy: Path, sockets: str, progress_bar: bool) -> None:
    papermill.execute_notebook(
        nbformat.read(job.source, as_version=4),
        str(copy),
        parameters=dict(job.parameters),
        kernel_name="python3",
        progress_bar=progress_bar,
        log_output=False,
        start_timeout=90,
        kernel_manager_class=kernel_manager(sockets),
    )


def _stderr(scratch: str) -> str:
    """Return what the last kernel's process wrote to stderr."""
    logs = sorted(Path(scratch).glob(f"*/{STDERR}"), key=lambda path: path.stat().st_mtime)
    return logs[-1].read_text("utf-8", errors="replace") if logs else ""
