"""The grid on dask.distributed: this machine's cores, a scheduler that runs already, or SLURM."""

from __future__ import annotations

import contextlib
import queue
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from distributed import Client, KilledWorker, LocalCluster
from distributed.security import Security

from mer_kit.batch import grid
from mer_kit.batch.jobs import Outcome, execute_one, is_done, lock_file, note_failure
from mer_kit.batch.limits import ResourceLimits
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.runs.locks import exclusive
from mer_kit.signal.builder import usable_processors

#: What tells torch and BLAS how many threads to use.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
#: A task whose worker died this often is given up.
WORKER_DEATHS = 3
#: More workers than this on one machine are a slip of the keyboard.
MOST_WORKERS = 256
#: Scheduler and workers answer no HTTP request: not even their health is anybody else's business.
NO_HTTP: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
#: Seconds between two looks at how many workers there are.
LOOK_SECONDS = 2.0
#: Names that a SLURM file may have: what dask-jobqueue's SLURMCluster takes, and how many jobs to start.
SLURM_NAMES = (
    "jobs", "queue", "account", "cores", "memory", "processes", "walltime", "job_extra_directives", "job_script_prologue",
    "worker_extra_args", "interface", "scheduler_options", "local_directory", "log_directory", "python", "lifetime", "job_cpu",
    "shared_temp_directory",
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What one notebook may take, and the worker resources it asks for ({"GPU": 1} for one run per GPU)."""

    seconds: float | None = None
    memory_mb: float | None = None
    resources: Mapping[str, float] | None = None


def work(task: grid.Task, before: Sequence[dict[str, Any]], limits: Limits) -> dict[str, Any]:
    """Execute one notebook on a worker; return its outcome as plain values.

    Whoever else executes the same notebook is waited for, and what it finished is kept. A dead kernel gets a second
    chance; an error in a cell, a passed limit and a missing predecessor do not.
    """
    failed = [outcome["name"] for outcome in before if outcome["state"] in ("failed", "skipped")]
    if failed and not task.anyway:
        return {
            "name": task.name,
            "state": "skipped",
            "seconds": 0.0,
            "peak_mb": 0.0,
            "message": f"after {failed[0]}",
        }
    try:
        # asked before the lock too: what is done may lie where nothing can be written any more
        if is_done(task.job, task.mark):
            outcome = Outcome(task.job, "kept", 0.0)
        else:
            with exclusive(lock_file(task.job)):
                done = is_done(task.job, task.mark)
                outcome = Outcome(task.job, "kept", 0.0) if done else _execute(task, limits)
    except Exception as error:  # whatever it is, it is this notebook's failure, and no other's
        outcome = Outcome(task.job, "failed", 0.0, f"{type(error).__name__}: {error}")
        _note(task, outcome.message)
    told = {
        "state": outcome.state,
        "seconds": outcome.seconds,
        "peak_mb": outcome.peak_mb,
        "message": outcome.message,
    }
    return {"name": task.name, **told}


def _note(task: grid.Task, message: str) -> None:
    """Write a failure down where the disk takes it."""
    with contextlib.suppress(OSError):
        note_failure(task.job, task.mark, message)


def _execute(task: grid.Task, limits: Limits) -> Outcome:
    watch = ResourceLimits(limits.seconds, limits.memory_mb)
    outcome = execute_one(task.job, mark=task.mark, watch=watch)
    if outcome.message.startswith("DeadKernelError") and not watch.reason:
        outcome = execute_one(
            task.job, mark=task.mark, watch=ResourceLimits(limits.seconds, limits.memory_mb)
        )
    return outcome


@contextlib.contextmanager
def local(workers: int, *, threads: int | None = None, dashboard: bool = False) -> Iterator[Client]:
    """Yield a client of a cluster on this machine's loopback, closed to its other users: one notebook per worker.

    Whoever reaches a dask scheduler can run code as its owner. So all connections ask for a certificate that this call
    makes and keeps in memory, and nothing is served over HTTP unless the dashboard is asked for.

    Parameters
    ----------
    threads : threads that each worker computes with; by default the cores are shared out evenly
    dashboard : serve dask's dashboard on loopback, where every user of this machine can read it
    """
    check_range("workers", workers, 1, MOST_WORKERS, whole=True)
    environ = {
        f"distributed.nanny.pre-spawn-environ.{name}": str(
            threads or max(1, usable_processors() // workers)
        )
        for name in THREADS
    }
    settings = {
        "distributed.scheduler.allowed-failures": WORKER_DEATHS,
        **environ,
        **({} if dashboard else NO_HTTP),
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", protocol="tls://",
            security=Security.temporary(), dashboard_address="127.0.0.1:0" if dashboard else None, memory_limit=0,
            silence_logs="ERROR",
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        yield client


@contextlib.contextmanager
def joined(
    address: str, *, ca: str | None = None, certificate: str | None = None, key: str | None = None
) -> Iterator[Client]:
    """Yield a client of a scheduler that runs already; `tls://` wants the three PEM files.

    Raises
    ------
    MerKitError
        If a file is missing, or the scheduler does not answer or refuses the certificate.
    """
    scheme = address.partition("://")[0]
    check_choice("scheduler address", scheme, ("tcp", "tls"))
    security = None
    if scheme == "tls":
        for name, file in (("--tls-ca", ca), ("--tls-cert", certificate), ("--tls-key", key)):
            if not file or not Path(file).is_file():
                raise MerKitError(
                    f"{name} is {file!r}, expected a PEM file: a tls:// scheduler wants all three"
                )
        security = Security(
            tls_ca_file=ca, tls_client_cert=certificate, tls_client_key=key, require_encryption=True
        )
    try:
        client = Client(address, security=security, timeout=15)
    except (OSError, TimeoutError, ValueError) as error:
        raise MerKitError(
            f"the scheduler at {address} does not answer or refuses us ({type(error).__name__}), expected one that runs: "
            "check address, firewall and certificate"
        ) from error
    with client:
        yield client


@contextlib.contextmanager
def slurm(path: str | Path) -> Iterator[Client]:
    """Yield a client of workers that SLURM starts, as a YAML file says; connections are encrypted.

    Raises
    ------
    MerKitError
        If dask-jobqueue or cryptography is not installed, or the file is not what it takes.
    """
    ctrl_c = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue.slurm import SLURMCluster

        security = Security.temporary()
    except ImportError as error:
        raise MerKitError(
            "SLURM wants dask-jobqueue and cryptography, of which one is not installed: pip install 'mer-kit[slurm]'"
        ) from error
    finally:
        signal.signal(
            signal.SIGINT, ctrl_c
        )  # its import made Ctrl-C end the process as if all had gone well
    options = grid.read_mapping(path, example="jobs: 4")
    for name in options:
        check_choice(f"name in {Path(path).name}", name, SLURM_NAMES)
    jobs = int(check_range("jobs", options.pop("jobs", 1), 1, whole=True))
    lifetime = options.pop("lifetime", None)
    extra = ["--nthreads", "1"]  # one notebook at a time, whatever cores the job has
    if lifetime:  # workers end by themselves before SLURM ends them, and hand their task on
        extra += ["--lifetime", str(lifetime), "--lifetime-stagger", "2m"]
    options["worker_extra_args"] = [*extra, *options.get("worker_extra_args", [])]
    scheduler = options.setdefault("scheduler_options", {})
    if isinstance(scheduler, dict) and "dashboard_address" not in scheduler:
        scheduler.setdefault(
            "dashboard", False
        )  # it has no password, and the login node has many users
    if (
        dask.config.get("jobqueue.slurm.shared-temp-directory", None) is None
    ):  # else the place's own choice holds
        options.setdefault(
            "shared_temp_directory", str(Path.cwd())
        )  # for the certificates, which the jobs read
    try:
        cluster = SLURMCluster(security=security, nanny=True, **options)
    except (TypeError, ValueError, OSError) as error:
        raise MerKitError(
            f"SLURM workers cannot be described by {Path(path).name} ({error}), expected what SLURMCluster takes: correct it"
        ) from error
    with cluster, Client(cluster) as client:
        cluster.adapt(
            minimum_jobs=jobs, maximum_jobs=jobs
        )  # unlike scale, it replaces a job whose lifetime is over
        yield client


def run(
    client: Client,
    tasks: Sequence[grid.Task],
    *,
    limits: Limits = Limits(),
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Execute tasks, each after those it names; say one line each; return all outcomes.

    A task whose worker dies is given to another one; what it had finished is found on disk. Only as many tasks are
    handed out as there are workers, for the scheduler blames a death on all tasks that it has given to that worker.
    """
    waiting, running = {task.name: task for task in tasks}, dict[Any, tuple[grid.Task, Any]]()
    outcomes: dict[str, dict[str, Any]] = {}
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    while waiting or running:
        open_ = {*waiting, *(task.name for task, _ in running.values())}
        ready = [task for task in waiting.values() if open_.isdisjoint(task.after)]
        for task in ready[: _free(client, len(running))] if ready else ():
            before = [outcomes[name] for name in task.after if name in outcomes]
            future = client.submit(
                work, task, before, limits, key=f"{task.name} {uuid.uuid4().hex}", pure=False,
                resources=dict(limits.resources) if limits.resources else None,
            )  # fmt: skip
            running[future.key] = (
                waiting.pop(task.name),
                future,
            )  # the scheduler forgets what nobody holds
            future.add_done_callback(ended.put)
        try:
            future = ended.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        task, _ = running.pop(future.key)
        outcomes[task.name] = _outcome(task, future)
        say(f"[{len(outcomes)}/{len(tasks)}] {line(outcomes[task.name])}")
    return list(outcomes.values())


def _free(client: Client, running: int) -> int:
    """Return how many more tasks the workers that are here now can take.

    Raises
    ------
    MerKitError
        If the scheduler was lost.
    """
    try:
        return max(0, int(sum(client.nthreads().values())) - running)
    except (OSError, TimeoutError, ValueError, AttributeError) as error:
        raise MerKitError(
            f"the scheduler was lost ({type(error).__name__}): start it again, and the same command goes on from here"
        ) from error


def _outcome(task: grid.Task, future: Any) -> dict[str, Any]:
    """Return the outcome of a future that ended."""
    message = "the scheduler was lost"
    if future.status != "cancelled":
        try:
            return dict(future.result())
        except KilledWorker as error:
            message = f"its worker died {error.allowed_failures + 1} times"
            _note(task, message)
        except Exception as error:  # of dask's own: `work` lets none through
            message = f"{type(error).__name__}: {error}"
    return {
        "name": task.name,
        "state": "failed",
        "seconds": 0.0,
        "peak_mb": 0.0,
        "message": message,
    }


def line(outcome: Mapping[str, Any]) -> str:
    """Return an outcome as one line."""
    told = f"{outcome['name']}: {outcome['state']}"
    if outcome["state"] in ("done", "failed"):
        told += f" in {outcome['seconds']:.0f} s"
        told += f", {outcome['peak_mb']:.0f} MB" if outcome["peak_mb"] else ""
    return told + (f": {outcome['message']}" if outcome["message"] else "")
