"""Execute the notebooks with papermill into a run folder: resumable, with our own word on what is done."""

from __future__ import annotations

import dataclasses
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

if TYPE_CHECKING:  # what executes notebooks takes seconds to load, and who only plans does without
    from nbformat import NotebookNode

#: What jupyter-client says of a kernel that did not start: on a busy machine, and where it was killed so early.
START_ERRORS = ("didn't respond", "died before replying")
#: Parameters that a run's mark stands for.
SETTINGS = ("overrides", *(field.name for field in dataclasses.fields(RunConfig)))


@dataclass(frozen=True)
class Outcome:
    """What became of a job: "done", "kept" (was done before) or "failed" with a message."""

    job: Job
    state: str
    seconds: float
    message: str = ""
    peak_mb: float = 0.0
    log: tuple[str, ...] = ()


def execute(
    jobs: Sequence[Job],
    *,
    mark: str,
    force: bool = False,
    say: Callable[[str], None] = print,
    progress_bar: bool = False,
    finished: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Execute jobs one after the other in kernels of their own; go on after a failure, and tell what failed.

    Parameters
    ----------
    mark : the run's fingerprint; a finished copy counts as done only with the same mark, parameters and source
    force : execute also what is done
    say : receives one line a job
    progress_bar : papermill's bar over the cells, for a person who watches
    finished : receives each outcome as it comes; the next job waits for it
    """
    outcomes: list[Outcome] = []
    for number, job in enumerate(jobs, start=1):
        label = f"[{number}/{len(jobs)}] {job.name}"
        if not force and is_done(job, mark):
            outcomes.append(Outcome(job, "kept", 0.0))
            finished(outcomes[-1])
            say(f"{label}: done before, kept")
            continue
        say(f"{label} …")
        try:
            with exclusive(lock_file(job)):
                done = not force and is_done(job, mark)  # by another process, while this one waited
                outcome = (
                    Outcome(job, "kept", 0.0)
                    if done
                    else execute_one(job, mark=mark, progress_bar=progress_bar)
                )
        except (
            Exception
        ) as error:  # a full disk, say: this notebook's failure, the next may lie elsewhere
            outcome = Outcome(job, "failed", 0.0, f"{type(error).__name__}: {error}")
        outcomes.append(outcome)
        finished(outcome)
        say(
            f"{label}: {outcome.state} in {outcome.seconds:.0f} s{': ' + outcome.message if outcome.message else ''}"
        )
    return outcomes


def lock_file(job: Job) -> Path:
    """Return the lock of one notebook's copy: whoever executes it holds it."""
    return job.target.with_name(f".{job.target.stem}.lock")


def is_done(job: Job, mark: str) -> bool:
    """Tell whether a job's copy is finished and still belongs to its notebook, parameters and run."""
    status = _status_file(job)
    if not (status.exists() and job.target.exists()):
        return False
    try:
        stored = read_json(status)
    except MerKitError:  # torn: nobody can say that it is done
        return False
    return stored.get("state") == "done" and stored.get("key") == _key(job, mark)


def execute_one(
    job: Job, *, mark: str, progress_bar: bool = False, watch: ResourceLimits | None = None
) -> Outcome:
    """Execute one notebook; the copy and its status file appear at the end, whole, also when a cell failed.

    Neither names a folder of this machine; the returned message does. Of a failure the status file keeps the message
    and the last lines that the notebook printed.

    Parameters
    ----------
    watch : holds limits on seconds and memory, and learns what the kernel took
    """
    import nbformat
    from nbformat.v4 import new_notebook

    watch = watch or ResourceLimits()
    started = time.perf_counter()
    write_json(_status_file(job), {"state": "running", "key": _key(job, mark)})
    known = places(job.parameters, job.source.parent)
    message, log = "", []
    with files.scratch() as scratch:
        copy = Path(scratch) / "executed.ipynb"
        with watch:
            message = _papermill_says(job, copy, scratch, progress_bar, watch)
        notebook = nbformat.read(copy, as_version=4) if copy.exists() else new_notebook()
        message = watch.reason or message or unfinished(notebook)
        if message:
            log = last_lines(notebook, _stderr(scratch) if "Error" in message.split()[0] else "")
        if log and message.endswith(
            "CellExecutionError: "
        ):  # the error's own report failed: what was printed says why
            message = message.removesuffix("CellExecutionError: ") + log[-1]
        if copy.exists():
            _write_notebook(job.target, strip_places(notebook, known))
    seconds = time.perf_counter() - started
    state, peak = "failed" if message else "done", round(watch.peak_mb)
    told = {"state": state, "key": _key(job, mark), "seconds": round(seconds, 2), "peak_mb": peak}
    told |= {
        "message": without_places(message, known),
        "log": [without_places(line, known) for line in log],
    }
    write_json(_status_file(job), told)
    return Outcome(job, state, seconds, message, peak, tuple(log))


def _papermill_says(
    job: Job, copy: Path, scratch: str, progress_bar: bool, watch: ResourceLimits
) -> str:
    """Execute a notebook into `copy`; return why it failed, or "" where papermill noticed nothing."""
    import papermill

    try:
        try:
            _run_papermill(job, copy, tempfile.mkdtemp(prefix="k", dir=scratch), progress_bar)
        except RuntimeError as error:
            if watch.reason or not any(words in str(error) for words in START_ERRORS):
                raise
            # no cell has run yet: once more
            _run_papermill(job, copy, tempfile.mkdtemp(prefix="k", dir=scratch), progress_bar)
    except papermill.PapermillExecutionError as error:
        return f"cell {error.exec_count} raised {error.ename}: {error.evalue}"
    except (RuntimeError, OSError) as error:  # nbclient: dead kernel, time-out, start failure
        return f"{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error) else 'no message'}"
    return ""


def _stderr(scratch: str) -> str:
    """Return what the last kernel's process wrote to stderr."""
    from mer_kit.batch.kernel import STDERR

    files = sorted(Path(scratch).glob(f"*/{STDERR}"), key=lambda path: path.stat().st_mtime)
    return files[-1].read_text("utf-8", errors="replace") if files else ""


def note_failure(job: Job, mark: str, message: str) -> None:
    """Write a job's status file as failed: for whoever saw it end without a word of its own."""
    told = without_places(message, places(job.parameters, job.source.parent))
    write_json(
        _status_file(job), {"state": "failed", "key": _key(job, mark), "message": told, "log": []}
    )


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
    """Return what a finished copy must agree on: the run, the notebook's source, and parameters that are no settings.

    The run's mark stands for its settings, so that it does not matter who spelled out which of them.
    """
    source = hashlib.blake2b(job.source.read_bytes(), digest_size=6).hexdigest()
    wanted = {
        key: value
        for key, value in sorted(job.parameters.items())
        if key not in (*PLACES, *SETTINGS)
    }
    return f"{mark} {source} {wanted}" + (f" truth {job.truth}" if job.truth else "")
