"""Grids on dask: order, failures and skipped notebooks, dead workers, and nothing executed twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest
from click.testing import CliRunner
from distributed import Client, LocalCluster
from distributed.security import Security
from nbformat.v4 import new_code_cell, new_notebook

from mer_kit.batch import grid, planning
from mer_kit.batch.cluster import Limits, joined, local, run, slurm, work
from mer_kit.batch.jobs import Outcome
from mer_kit.checks import MerKitError
from mer_kit.cli import main

pytestmark = pytest.mark.notebooks
JOBQUEUE = ("dask_jobqueue", "dask_jobqueue.slurm")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with local(2) as started:
        yield started


def task(
    folder: Path, name: str, *cells: str, after: tuple[str, ...] = (), anyway: bool = False
) -> grid.Task:
    parameters = new_code_cell("place: str = ''", metadata={"tags": ["parameters"]})
    book = new_notebook(cells=[parameters, *map(new_code_cell, cells)])
    book.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    source = folder / f"{name}.ipynb"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, source)
    job = planning.Job(
        name, source, folder / "out" / f"{name}.ipynb", {"place": str(folder / "log")}
    )
    return grid.Task(name, job, "m", after, anyway)


SAY = "open(place, 'a').write('{} ')"


def states(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {name: outcome.state for name, outcome in outcomes.items()}


def test_order_and_a_second_call_that_keeps_everything(client: Client, tmp_path: Path) -> None:
    tasks = [
        task(tmp_path, "a", SAY.format("a")),
        task(tmp_path, "b", SAY.format("b"), after=("a",)),
        task(tmp_path, "c", SAY.format("c"), after=("a", "b")),
    ]
    lines: list[str] = []
    assert states(run(client, tasks, say=lines.append)) == {"a": "done", "b": "done", "c": "done"}
    assert (tmp_path / "log").read_text() == "a b c " and lines[2].startswith("[3/3] c: done in ")
    assert states(run(client, tasks, say=lines.append)) == {"a": "kept", "b": "kept", "c": "kept"}
    assert (tmp_path / "log").read_text() == "a b c ", "a finished notebook ran again"
    stored = json.loads((tmp_path / "out" / "a.status.json").read_text())
    assert stored["state"] == "done" and stored["peak_mb"] > 10 and stored["seconds"] > 0


def test_what_fails_ends_as_failed_with_the_true_reason_and_the_rest_finishes(
    client: Client, tmp_path: Path
) -> None:
    tasks = [
        task(tmp_path, "raises", "raise ValueError('no such thing')"),
        task(tmp_path, "leaves", "import sys; sys.exit(0)", "1"),
        task(tmp_path, "hangs", "import time; time.sleep(600)"),
        task(tmp_path, "eats", "x = bytearray(700 * 2**20); import time; time.sleep(600)"),
        task(tmp_path, "fine", SAY.format("fine")),
        task(tmp_path, "later", SAY.format("later"), after=("fine", "raises")),
        task(tmp_path, "last", SAY.format("last"), after=("fine", "raises"), anyway=True),
    ]
    outcomes = run(client, tasks, limits=Limits(seconds=15, memory_mb=500), say=lambda _: None)
    messages = {name: outcome.message for name, outcome in outcomes.items()}
    assert states(outcomes) == {
        "raises": "failed", "leaves": "failed", "hangs": "failed", "eats": "failed", "fine": "done", "later": "skipped",
        "last": "done",
    }  # fmt: skip
    assert (
        "no such thing" in messages["raises"]
        and messages["hangs"] == "took more than the limit of 15 s"
    )
    assert (
        "more than the limit of 500 MB" in messages["eats"] and messages["later"] == "after raises"
    )
    assert "SystemExit" in messages["leaves"] or "never ran" in messages["leaves"]


def test_a_kernel_that_dies_once_gets_another_chance(client: Client, tmp_path: Path) -> None:
    dies = "import os\nif not os.path.exists(place):\n    open(place, 'w').write('x')\n    os.kill(os.getpid(), 9)"
    (outcome,) = run(client, [task(tmp_path, "dies", dies)], say=lambda _: None).values()
    assert outcome.state == "done", outcome.message
    always = task(tmp_path / "b", "dies", "import os; os.kill(os.getpid(), 9)")
    (outcome,) = run(client, [always], say=lambda _: None).values()
    assert outcome.state == "failed" and "Dead" in outcome.message


def test_a_killed_worker_costs_what_was_in_flight_and_leaves_no_kernel(
    client: Client, tmp_path: Path
) -> None:
    kills = (
        "import os, psutil\nif not os.path.exists(place):\n    open(place, 'w').write(str(os.getpid()))\n"
        "    psutil.Process().parent().kill()\n    import time; time.sleep(60)"
    )
    (outcome,) = run(client, [task(tmp_path, "kills", kills)], say=lambda _: None).values()
    assert outcome.state == "done", outcome.message
    kernel = int((tmp_path / "log").read_text())
    for _ in range(50):
        if not psutil.pid_exists(kernel):
            return
        time.sleep(0.2)
    pytest.fail("the dead worker's kernel lives on")


def test_two_grids_at_once_do_nothing_twice(client: Client, tmp_path: Path) -> None:
    slow = [
        task(tmp_path, name, "import time; time.sleep(2)", SAY.format(name)) for name in ("a", "b")
    ]
    with local(2) as other:
        futures = [other.submit(work, one, {}, Limits(), pure=False) for one in slow]
        here = run(client, slow, say=lambda _: None)
        there = {one.name: future.result() for one, future in zip(slow, futures, strict=True)}
    both = [(states(here)[name], states(there)[name]) for name in ("a", "b")]
    assert all(sorted(pair) == ["done", "kept"] for pair in both), both
    assert sorted((tmp_path / "log").read_text().split()) == ["a", "b"]


def test_workers_share_the_cores_and_listen_on_loopback_only(client: Client) -> None:
    seen = client.run(lambda: (os.environ["OMP_NUM_THREADS"], os.getpid()))
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    assert {threads for threads, _ in seen.values()} == {str(max(1, cores // 2))} and len(seen) == 2
    assert all(address.startswith("tls://127.0.0.1:") for address in seen)


def test_a_scheduler_elsewhere_wants_an_address_and_a_certificate(tmp_path: Path) -> None:
    with (
        pytest.raises(MerKitError, match="scheduler address is 'udp', expected one of tcp, tls"),
        joined("udp://x"),
    ):
        pass
    with (
        pytest.raises(MerKitError, match="--tls-ca is None, expected a PEM file"),
        joined("tls://127.0.0.1:1"),
    ):
        pass


def test_without_dask_jobqueue_slurm_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in JOBQUEUE:
        monkeypatch.setitem(sys.modules, name, None)
    with (
        pytest.raises(MerKitError, match=r"pip install 'mer-kit\[slurm\]'"),
        slurm(tmp_path / "slurm.yaml"),
    ):
        pass


def test_ctrl_c_stays_ours_with_dask_jobqueue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dask_jobqueue").mkdir()
    (tmp_path / "dask_jobqueue" / "__init__.py").write_text(
        "import signal, sys\nsignal.signal(signal.SIGINT, lambda *_: sys.exit())  # as version 0.9.0 does it\n"
    )
    (tmp_path / "dask_jobqueue" / "slurm.py").write_text(
        "def SLURMCluster(**options):\n    raise ValueError(sorted(options))\n"
    )
    (tmp_path / "slurm.yaml").write_text("jobs: 1\ncores: 1\nlifetime: 1h\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        Security, "temporary", Security
    )  # wants cryptography, as the extra slurm has it
    for name in JOBQUEUE:
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = signal.getsignal(signal.SIGINT)
    try:
        with (
            pytest.raises(MerKitError, match="cannot be described by slurm.yaml"),
            slurm(tmp_path / "slurm.yaml"),
        ):
            pass
    finally:
        for name in JOBQUEUE:
            sys.modules.pop(name, None)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_grid_from_the_command_line_and_what_it_says_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "OF_A_RUN", ("03_sssl_training", "04_song_decisions"))
    small = 'corpus_options={"clips": 16, "seconds": 8.0}'
    command = [
        "grid",
        "--preset",
        "smoke",
        "--folds",
        "2",
        "--only-folds",
        "0",
        "--method",
        "ce",
        "--runs",
        str(tmp_path),
    ]
    command += ["--set", small]
    dry = CliRunner().invoke(main, [*command, "--dry-run"])
    assert (
        dry.exit_code == 0
        and "1 runs, 2 notebooks to do" in dry.output
        and not list(tmp_path.glob("demo-*"))
    )
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert (
        "1 runs, 3 notebooks\n" in done.output
        and "dashboard" not in done.output
        and (tmp_path / "06_results.ipynb").exists()
    )
    again = CliRunner().invoke(main, [*command, "--status"])
    assert "0 notebooks to do" in again.output and (tmp_path / "index.html").exists()
    assert CliRunner().invoke(main, ["grid", "--method", "sss"]).exit_code == 2
    assert CliRunner().invoke(main, ["grid", "--seconds", "1,x"]).exit_code == 2


def _certificate(folder: Path, name: str) -> dict[str, str]:
    """Write a key and a certificate that is its own authority."""
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
    ]
    subprocess.run(
        [*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    return {"ca": str(certificate), "certificate": str(certificate), "key": str(key)}


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not here to make certificates"
)
def test_a_tls_scheduler_takes_who_has_its_certificate_and_refuses_others(tmp_path: Path) -> None:
    ours, other = (_certificate(tmp_path, name) for name in ("ours", "other"))
    files = {"tls_ca_file": ours["ca"], "require_encryption": True}
    files |= {f"tls_{who}_{part}": ours[name] for who in ("scheduler", "worker", "client") for part, name in
              (("cert", "certificate"), ("key", "key"))}  # fmt: skip
    with LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", protocol="tls://", dashboard_address=None,
        security=Security(**files), silence_logs=50,
    ) as cluster:  # fmt: skip
        address = str(cluster.scheduler_address)
        assert address.startswith("tls://")
        with joined(address, **ours) as client:
            (outcome,) = run(
                client, [task(tmp_path / "tls", "a", SAY.format("a"))], say=lambda _: None
            ).values()
            assert outcome.state == "done", outcome.message
        with (
            pytest.raises(MerKitError, match="does not answer or refuses us"),
            joined(address, **other),
        ):
            pass
        with (
            pytest.raises(MerKitError, match="does not answer or refuses us"),
            joined(address.replace("tls", "tcp")),
        ):
            pass
