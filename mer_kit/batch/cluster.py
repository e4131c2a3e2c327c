"""Execute a grid with dask.distributed: on this machine, on a running scheduler, or on SLURM."""

import contextlib
import queue
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import dask
from distributed import Client, KilledWorker, LocalCluster
from distributed.security import Security

from mer_kit.batch import grid, grid_file
from mer_kit.batch.jobs import Outcome, execute_once, execute_one, failure
from mer_kit.batch.limits import NO_LIMITS, Limits
from mer_kit.batch.planning import Job
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.signal.builder import usable_processors

#: Environment variables with the number of threads of torch and BLAS.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
#: A task is abandoned after this many deaths of its worker.
WORKER_DEATHS = 3
#: Limit on the number of workers on one machine; more is a typing error.
MOST_WORKERS = 256
#: No HTTP: on a shared machine, even the health of the workers would be visible to all users.
NO_HTTP: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
#: Seconds between two counts of the workers.
LOOK_SECONDS = 2.0
#: Names allowed in a SLURM file: arguments of dask-jobqueue's SLURMCluster, and `jobs`.
SLURM_NAMES = (
    "jobs", "queue", "account", "cores", "memory", "processes", "walltime",
    "job_extra_directives", "job_script_prologue", "worker_extra_args", "interface",
    "scheduler_options", "local_directory", "log_directory", "python", "lifetime", "job_cpu",
    "shared_temp_directory",
)  # fmt: skip


def work(task: grid.Task, before: Mapping[str, Outcome], limits: Limits) -> Outcome:
    """Execute one notebook on a worker, unless it is finished or one of `before` failed.

    A dead kernel gets a second chance; an error in a cell or an exceeded limit does not.

    Examples
    --------
    >>> from mer_kit.batch.planning import Job
    >>> job = Job("04_song_decisions", Path("04.ipynb"), Path("run/04.ipynb"), {})
    >>> training = Outcome(job, "failed", 1.0, "the disk is full")
    >>> task = grid.Task("run · 04", job, "0123456789", after=("run · 03",))
    >>> work(task, {"run · 03": training}, Limits()).line(task.name)
    'run · 04: skipped: after run · 03'
    """
    failed = [name for name, outcome in before.items() if outcome.state in ("failed", "skipped")]
    if failed and not task.anyway:
        return Outcome(task.job, "skipped", message=f"after {failed[0]}")
    return execute_once(task.job, _execute, task.mark, limits=limits)


def _execute(job: Job, *, mark: str, limits: Limits) -> Outcome:
    """Execute one notebook, and once more if its kernel died, but not because of a limit."""
    outcome = execute_one(job, mark=mark, limits=limits)
    if outcome.message.startswith("DeadKernelError"):
        outcome = execute_one(job, mark=mark, limits=limits)
    return outcome


@contextlib.contextmanager
def local(workers: int, *, threads: int | None = None, dashboard: bool = False) -> Iterator[Client]:
    """Yield a client of a cluster on loopback, closed to other users of the machine.

    Each worker executes one notebook at a time. Anyone who can connect to a dask scheduler can run
    code as its owner. So all connections require a certificate that is created here and kept in
    memory, and nothing is served over HTTP unless the dashboard is requested.

    Parameters
    ----------
    threads : threads per worker; by default the cores are divided evenly
    dashboard : serve dask's dashboard on loopback, where every user of this machine can read it
    """
    check_range("workers", workers, 1, MOST_WORKERS, whole=True)
    per_worker = threads or max(1, usable_processors() // workers)
    settings: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": WORKER_DEATHS,
        **{f"distributed.nanny.pre-spawn-environ.{name}": str(per_worker) for name in THREADS},
    }
    if not dashboard:
        settings |= NO_HTTP
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address="127.0.0.1:0" if dashboard else None,
            memory_limit=0,
            silence_logs="ERROR",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def joined(
    address: str, *, ca: str | None = None, certificate: str | None = None, key: str | None = None
) -> Iterator[Client]:
    """Yield a client of a running scheduler; `tls://` requires the three PEM files.

    Raises
    ------
    MerKitError
        If a file is missing, or the scheduler does not answer or refuses the certificate.
    """
    security = None
    if check_choice("scheduler address", address.partition("://")[0], ("tcp", "tls")) == "tls":
        for name, file in (("--tls-ca", ca), ("--tls-cert", certificate), ("--tls-key", key)):
            if not file or not Path(file).is_file():
                raise MerKitError(
                    f"{name} is {file!r}, expected a PEM file: a tls:// scheduler needs all three"
                )
        security = Security(
            tls_ca_file=ca, tls_client_cert=certificate, tls_client_key=key, require_encryption=True
        )
    try:
        client = Client(address, security=security, timeout=15)
    except (OSError, TimeoutError, ValueError) as error:
        raise MerKitError(
            f"the scheduler at {address} does not answer or refuses us ({type(error).__name__}), "
            "expected a running scheduler: check address, firewall and certificate"
        ) from error
    with client:
        yield client


@contextlib.contextmanager
def slurm(path: str | Path) -> Iterator[Client]:
    """Yield a client of workers that SLURM starts, as described by a YAML file; TLS throughout.

    Raises
    ------
    MerKitError
        If dask-jobqueue or cryptography is not installed, or the file is invalid.
    """
    ctrl_c = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue.slurm import SLURMCluster

        security = Security.temporary()
    except ImportError as error:
        raise MerKitError(
            "SLURM needs dask-jobqueue and cryptography, and one of them is not installed: "
            "pip install 'mer-kit[slurm]'"
        ) from error
    finally:  # the import replaces the handler of Ctrl-C by one that exits with success
        signal.signal(signal.SIGINT, ctrl_c)
    options = grid_file.read_mapping(path, example="jobs: 4")
    for name in options:
        check_choice(f"name in {Path(path).name}", name, SLURM_NAMES)
    jobs = int(check_range("jobs", options.pop("jobs", 1), 1, whole=True))
    lifetime = options.pop("lifetime", None)
    # workers end before SLURM kills them, and return their task
    end = ["--lifetime", str(lifetime), "--lifetime-stagger", "2m"] if lifetime else []
    more = options.get("worker_extra_args", [])
    # one notebook at a time, however many cores the job has
    options["worker_extra_args"] = ["--nthreads", "1", *end, *more]
    scheduler = options.setdefault("scheduler_options", {})
    if isinstance(scheduler, dict) and "dashboard_address" not in scheduler:
        # the dashboard has no password, and the login node has many users
        scheduler.setdefault("dashboard", False)
    if dask.config.get("jobqueue.slurm.shared-temp-directory", None) is None:
        # for the certificates, which the jobs read; a site's own setting takes precedence
        options.setdefault("shared_temp_directory", str(Path.cwd()))
    try:
        cluster = SLURMCluster(security=security, nanny=True, **options)
    except (TypeError, ValueError, OSError) as error:
        raise MerKitError(
            f"SLURM workers cannot be described by {Path(path).name} ({error}), expected arguments "
            "of SLURMCluster: correct it"
        ) from error
    with cluster, Client(cluster) as client:
        # unlike scale, adapt replaces a job at the end of its lifetime
        cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)
        yield client


def run(
    client: Client,
    tasks: Sequence[grid.Task],
    *,
    limits: Limits = NO_LIMITS,
    say: Callable[[str], None] = print,
) -> dict[str, Outcome]:
    """Execute tasks, each after those it names; return the outcomes by name, as they finished.

    `say` is called with one line per task. A task whose worker dies is given to another one, which
    resumes from what is on disk. No more tasks are submitted than there are workers, because the
    scheduler counts a death against every task that it has assigned to that worker.
    """
    waiting = {task.name: task for task in tasks}
    running: dict[Any, tuple[grid.Task, Any]] = {}
    outcomes: dict[str, Outcome] = {}
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    while waiting or running:
        unfinished = {*waiting, *(task.name for task, _ in running.values())}
        ready = [task for task in waiting.values() if unfinished.isdisjoint(task.after)]
        if ready:
            ready = ready[: _free(client, len(running))]
        for task in ready:
            before = {name: outcomes[name] for name in task.after if name in outcomes}
            future = client.submit(
                work,
                task,
                before,
                limits,
                key=f"{task.name} {uuid.uuid4().hex}",
                pure=False,
                resources=dict(limits.resources) if limits.resources else None,
            )
            # kept, because the scheduler drops a task without a future
            running[future.key] = (waiting.pop(task.name), future)
            future.add_done_callback(ended.put)
        try:
            future = ended.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        task, _ = running.pop(future.key)
        outcomes[task.name] = _outcome(task, future)
        say(f"[{len(outcomes)}/{len(tasks)}] {outcomes[task.name].line(task.name)}")
    return outcomes


def _free(client: Client, running: int) -> int:
    """Return how many more tasks the present workers can accept.

    Raises
    ------
    MerKitError
        If the scheduler was lost.
    """
    try:
        return max(0, int(sum(client.nthreads().values())) - running)
    except (OSError, TimeoutError, ValueError, AttributeError) as error:
        raise MerKitError(
            f"the scheduler was lost ({type(error).__name__}): start it again, and the same "
            "command resumes from here"
        ) from error


def _outcome(task: grid.Task, future: Any) -> Outcome:
    """Return the outcome of a finished future."""
    if future.status == "cancelled":
        return Outcome(task.job, "failed", message="the scheduler was lost")
    try:
        return cast(Outcome, future.result())
    except KilledWorker as error:
        return failure(task.job, task.mark, f"its worker died {error.allowed_failures + 1} times")
    except Exception as error:  # of dask itself: `work` raises none
        return Outcome(task.job, "failed", message=f"{type(error).__name__}: {error}")
