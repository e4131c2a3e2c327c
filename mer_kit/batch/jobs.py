"""Execute notebooks with papermill into a run folder; finished copies are kept."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mer_kit import files
from mer_kit.batch.executed import (
    PLACES,
    last_lines,
    places,
    strip_places,
    unfinished,
    without_places,
)
from mer_kit.batch.limits import ResourceLimits
from mer_kit.batch.planning import Job
from mer_kit.checks import MerKitError
from mer_kit.files import writing
from mer_kit.runs.config import RunConfig
from mer_kit.runs.locks import exclusive
from mer_kit.runs.run_folder import read_json, write_json

if TYPE_CHECKING:  # takes seconds to import, and planning does not need it
    from nbformat import NotebookNode

#: Messages of jupyter-client about a kernel that did not start: a busy machine, an early kill.
START_ERRORS = ("didn't respond", "died before replying")
#: Parameters that are covered by a run's fingerprint.
SETTINGS = ("overrides", *(field.name for field in dataclasses.fields(RunConfig)))


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
        words = f"{name}: {self.state}"
        if self.state == "kept":
            return f"{words} (done before)"
        if self.state in ("done", "failed"):
            words += f" in {self.seconds:.0f} s"
        if self.peak_mb:
            words += f", {self.peak_mb:.0f} MB"
        if self.message:
            words += f": {self.message}"
        return words


def execute(
    jobs: Sequence[Job],
    *,
    mark: str,
    force: bool = False,
    say: Callable[[str], None] = print,
    progress_bar: bool = False,
    finished: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Execute jobs one after the other, each in its own kernel; continue after a failure.

    Parameters
    ----------
    mark : the run's fingerprint; see `is_done`
    force : also execute finished notebooks
    say : called with one line per job
    progress_bar : show papermill's bar over the cells
    finished : called with each outcome; the next job waits for it
    """
    run = functools.partial(execute_one, mark=mark, progress_bar=progress_bar)
    outcomes: list[Outcome] = []
    for number, job in enumerate(jobs, start=1):
        label = f"[{number}/{len(jobs)}] {job.name}"
        if force or not is_done(job, mark):
            say(f"{label} …")
        outcome = execute_once(job, run, mark=mark, force=force)
        outcomes.append(outcome)
        finished(outcome)
        say(outcome.line(label))
    return outcomes


def execute_once(
    job: Job, run: Callable[[Job], Outcome], *, mark: str, force: bool = False
) -> Outcome:
    """Call `run` for a job unless its copy is finished; wait for other processes that execute it.

    Any exception becomes a failure of this notebook alone, and is noted in its status file.
    """
    try:
        # asked before locking too: a finished copy may be in a read-only folder
        if not force and is_done(job, mark):
            return Outcome(job, "kept")
        with exclusive(lock_file(job)):
            if not force and is_done(job, mark):  # by another process, while this one waited
                return Outcome(job, "kept")
            return run(job)
    except Exception as error:
        outcome = Outcome(job, "failed", message=f"{type(error).__name__}: {error}")
        note_failure(job, mark, outcome.message)
        return outcome


def lock_file(job: Job) -> Path:
    """Return the lock file that a process holds while it executes a notebook.

    Examples
    --------
    >>> lock_file(Job("01", Path("01.ipynb"), Path("run/01_segmentation.ipynb"), {})).name
    '.01_segmentation.lock'
    """
    return job.target.with_name(f".{job.target.stem}.lock")


def is_done(job: Job, mark: str) -> bool:
    """Return whether a job's copy is finished, with the same source, parameters and fingerprint.

    Examples
    --------
    >>> is_done(Job("01", Path("01.ipynb"), Path("nowhere/01.ipynb"), {}), "0123456789")
    False
    """
    status = _status_file(job)
    if not (status.exists() and job.target.exists()):
        return False
    try:
        stored = read_json(status)
    except MerKitError:  # unreadable, so not known to be done
        return False
    return stored.get("state") == "done" and stored.get("key") == _key(job, mark)


def execute_one(
    job: Job, *, mark: str, progress_bar: bool = False, watch: ResourceLimits | None = None
) -> Outcome:
    """Execute one notebook; write the copy and its status file at the end, also if a cell failed.

    Both are written atomically and without local paths; the returned message has them. After a
    failure the status file holds the message and the last lines that the notebook printed.

    Parameters
    ----------
    watch : limits on seconds and memory; also records the peak memory
    """
    import nbformat
    from nbformat.v4 import new_notebook

    watch = watch or ResourceLimits()
    started = time.perf_counter()
    write_json(_status_file(job), {"state": "running", "key": _key(job, mark)})
    known = places(job.parameters, job.source.parent)
    state, log = "done", []
    with files.scratch() as scratch:
        copy = Path(scratch) / "executed.ipynb"
        with watch:
            message = _papermill_failure(job, copy, scratch, progress_bar, watch)
        notebook = nbformat.read(copy, as_version=4) if copy.exists() else new_notebook()
        message = watch.reason or message or unfinished(notebook)
        if message:
            state = "failed"
            of_python = "Error" in message.split()[0]
            log = last_lines(notebook, _stderr(scratch) if of_python else "")
        if log and message.endswith("CellExecutionError: "):  # without a reason: it was printed
            message = message.removesuffix("CellExecutionError: ") + log[-1]
        if copy.exists():
            _write_notebook(job.target, strip_places(notebook, known))
    seconds = time.perf_counter() - started
    peak_mb = round(watch.peak_mb)
    status = {
        "state": state,
        "key": _key(job, mark),
        "seconds": round(seconds, 2),
        "peak_mb": peak_mb,
        "message": without_places(message, known),
        "log": [without_places(line, known) for line in log],
    }
    write_json(_status_file(job), status)
    return Outcome(job, state, seconds, message, peak_mb, tuple(log))


def _papermill_failure(
    job: Job, copy: Path, scratch: str, progress_bar: bool, watch: ResourceLimits
) -> str:
    """Execute a notebook into `copy`; return why it failed, or "" if papermill reports nothing."""
    import papermill

    try:
        try:
            _run_papermill(job, copy, tempfile.mkdtemp(prefix="k", dir=scratch), progress_bar)
        except RuntimeError as error:
            if watch.reason or not any(words in str(error) for words in START_ERRORS):
                raise
            # no cell has run yet: try again
            _run_papermill(job, copy, tempfile.mkdtemp(prefix="k", dir=scratch), progress_bar)
    except papermill.PapermillExecutionError as error:
        return f"cell {error.exec_count} raised {error.ename}: {error.evalue}"
    except (RuntimeError, OSError) as error:  # nbclient: dead kernel, time-out, start failure
        lines = str(error).strip().splitlines() or ["no message"]
        return f"{type(error).__name__}: {lines[-1]}"
    return ""


def _stderr(scratch: str) -> str:
    """Return what the last kernel's process wrote to stderr."""
    from mer_kit.batch.kernel import STDERR

    logs = list(Path(scratch).glob(f"*/{STDERR}"))
    if not logs:
        return ""
    latest = max(logs, key=lambda path: path.stat().st_mtime)
    return latest.read_text("utf-8", errors="replace")


def note_failure(job: Job, mark: str, message: str) -> None:
    """Write a job's status file as failed, for a job that ended without writing it."""
    with contextlib.suppress(OSError):
        public = without_places(message, places(job.parameters, job.source.parent))
        status = {"state": "failed", "key": _key(job, mark), "message": public, "log": []}
        write_json(_status_file(job), status)


def _run_papermill(job: Job, copy: Path, sockets: str, progress_bar: bool) -> None:
    import nbformat
    import papermill

    from mer_kit.batch.kernel import kernel_manager

    notebook = nbformat.read(job.source, as_version=4)
    before = os.environ.get("MER_BATCH")
    os.environ["MER_BATCH"] = "1"
    try:
        papermill.execute_notebook(
            notebook,
            str(copy),
            parameters=dict(job.parameters),
            kernel_name="python3",
            progress_bar=progress_bar,
            log_output=False,
            start_timeout=90,
            kernel_manager_class=kernel_manager(sockets),
        )
    finally:
        if before is None:
            del os.environ["MER_BATCH"]
        else:
            os.environ["MER_BATCH"] = before


def _write_notebook(target: Path, notebook: NotebookNode) -> None:
    import nbformat

    with writing(target) as partial:
        nbformat.write(notebook, partial)


def _status_file(job: Job) -> Path:
    return job.target.with_suffix(".status.json")


def _key(job: Job, mark: str) -> str:
    """Return the identity of a copy: fingerprint, source, and parameters that are not settings.

    The fingerprint covers the settings, whether they were given or are defaults.
    """
    source = hashlib.blake2b(job.source.read_bytes(), digest_size=6).hexdigest()
    others = {
        name: value
        for name, value in sorted(job.parameters.items())
        if name not in (*PLACES, *SETTINGS)
    }
    key = f"{mark} {source} {others}"
    if job.truth:
        key += f" truth {job.truth}"
    return key
