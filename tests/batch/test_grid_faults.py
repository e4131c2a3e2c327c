"""Faults that a grid survives: a full or read-only disk, a worker that always dies, a remote scheduler.

Small disks and networks are made for the test and taken away after it; where the machine does not allow that, it is
skipped with the reason. Notebooks that raise, leave, hang or eat memory are in `test_cluster`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner
from distributed import Client
from nbformat.v4 import new_code_cell, new_notebook, new_output

from mer_kit.batch import cluster, grid, planning, progress
from mer_kit.checks import MerKitError
from mer_kit.cli import main
from mer_kit.pages import report
from tests.batch.test_cluster import SAY, _certificate, states, task
from tests.pages.test_report import parsed
from tests.runs import guessed_runs

pytestmark = [pytest.mark.notebooks, pytest.mark.slow]

FULL = "No space left on device"
#: Writes more than a small disk holds, and leaves what it wrote.
FILL = "with open(place + '.big', 'wb') as file:\n    file.write(bytes(8 * 2**20))"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with cluster.local(2) as started:
        yield started


def run(client: Client, *tasks: grid.Task) -> tuple[dict[str, str], dict[str, str]]:
    """Execute tasks; return the state and the message of each."""
    outcomes = cluster.run(client, tasks, say=lambda _: None)
    return states(outcomes), {name: outcome.message for name, outcome in outcomes.items()}


# ---- disks -----------------------------------------------------------------------------------------------------------


def mount(place: Path, options: str) -> bool:
    """Mount a disk in memory at `place`, or change the one there; return whether that worked."""
    if shutil.which("mount") is None:
        return False
    command = ["mount", "-t", "tmpfs", "-o", options, "mer-kit-test", str(place)]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount(place, "size=4m"):
        pytest.skip("this machine does not let us mount a small disk (tmpfs): it wants root")
    yield place
    if subprocess.run(["umount", str(place)], capture_output=True).returncode:
        subprocess.run(
            ["umount", "--lazy", str(place)], check=True
        )  # where a file of it is still open


def partials(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".partial." in path.name]


def test_a_full_disk_is_told_and_the_rest_finishes(
    client: Client, disk: Path, tmp_path: Path
) -> None:
    tasks = [
        task(disk, "fills", FILL),
        task(tmp_path, "elsewhere", SAY.format("elsewhere")),
        task(tmp_path, "later", SAY.format("later"), after=("fills",)),
    ]
    ended, messages = run(client, *tasks)
    assert ended == {"fills": "failed", "elsewhere": "done", "later": "skipped"}
    assert FULL in messages["fills"] and messages["later"] == "after fills"
    assert progress.state(tasks[0]) in ("failed", "to do") and partials(disk) == []
    assert mount(disk, "remount,size=24m")
    ended, messages = run(client, *tasks)
    assert ended == {"fills": "done", "elsewhere": "kept", "later": "done"}, messages
    assert (tmp_path / "log").read_text().split() == ["elsewhere", "later"]


def test_a_full_disk_that_was_cleared_again_is_remembered(client: Client, disk: Path) -> None:
    clears = f"import os\ntry:\n    {FILL.replace(chr(10), chr(10) + '    ')}\nfinally:\n    os.remove(place + '.big')"
    cleared = task(disk, "clears", clears)
    ended, _ = run(client, cleared)
    assert ended == {"clears": "failed"} and progress.state(cleared) == "failed"
    assert FULL in cleared.job.status()["message"]
    (last,) = nbformat.read(cleared.job.target, as_version=4).cells[-1].outputs
    assert last.ename == "OSError"


def test_a_full_folder_for_temporary_files_is_told(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    filling = task(tmp_path, "fills", FILL, SAY.format("after"))
    parameters = {"place": str(disk / "log")}
    job = planning.Job("fills", filling.job.source, filling.job.target, parameters)
    outcome = cluster.work(grid.Task("fills", job, "m", ()), {}, cluster.Limits())
    assert outcome.state == "failed" and FULL in outcome.message, outcome
    assert not job.is_done("m") and not (disk / "log").exists()


def test_a_grid_on_a_full_disk_ends_with_1_and_goes_on_when_there_is_space(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_notebooks(
        tmp_path / "notebooks", {"03_sssl_training": FILL.replace("place", "runs_dir + '/of fold'")}
    )
    monkeypatch.setattr(planning, "notebooks_folder", lambda: tmp_path / "notebooks")
    monkeypatch.setattr(grid, "OF_A_RUN", ("01_segmentation", "03_sssl_training"))
    command = ["grid", "--preset", "smoke", "--folds", "2", "--only-folds", "0", "--method", "ce"]
    command += ["--set", 'corpus_options={"clips": 16, "seconds": 8.0}', "--runs", str(disk)]
    result = CliRunner().invoke(main, command)
    lines = result.output.splitlines()
    assert result.exit_code == 1 and not isinstance(result.exception, OSError), result.output
    assert any("01_segmentation: done" in line for line in lines), result.output
    assert any("03_sssl_training fold 0: failed" in line and FULL in line for line in lines), (
        result.output
    )
    assert mount(disk, "remount,size=24m")
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0 and "01_segmentation: kept" in result.output, result.output
    assert "03_sssl_training fold 0: done" in result.output and (disk / "index.html").exists()


def tiny_notebooks(folder: Path, special: dict[str, str]) -> None:
    """Write the kit's notebooks with a cell of our own each."""
    folder.mkdir()
    for name in planning.NOTEBOOKS:
        parameters = new_code_cell("runs_dir: str = ''", metadata={"tags": ["parameters"]})
        book = new_notebook(cells=[parameters, new_code_cell(special.get(name, "1 + 1"))])
        book.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(book, folder / f"{name}.ipynb")


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A folder and a list; after `seal` is called with both, the folder is read-only."""
    place, how = tmp_path / "sealed", [""]
    place.mkdir()
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # whom permissions do not stop
        if not mount(place, "size=4m"):
            pytest.skip(
                "this machine does not let root mount a small disk (tmpfs), and permissions do not stop root"
            )
        how[0] = "mount"
    elif os.name != "posix":
        pytest.skip("folders have no permissions here that take the right to write")
    yield place, how
    if how[0] == "mount":
        subprocess.run(["umount", "--lazy", str(place)], check=True)
    for folder in (place, *place.rglob("*/")):
        folder.chmod(0o755)


def seal(sealed: tuple[Path, list[str]]) -> None:
    place, (how,) = sealed
    if how == "mount":
        assert mount(place, "remount,ro")
    else:
        for path in (*place.rglob("*"), place):
            path.chmod(0o555 if path.is_dir() else 0o444)


def test_a_folder_that_takes_nothing_keeps_what_is_done_and_tells_the_rest(
    client: Client, sealed: tuple[Path, list[str]], tmp_path: Path
) -> None:
    place, _ = sealed
    done, failed = (
        task(place, "done", SAY.format("done")),
        task(place, "failed", "raise ValueError('the cable')"),
    )
    new, elsewhere = (
        task(place, "new", "1 + 1"),
        task(tmp_path, "elsewhere", SAY.format("elsewhere")),
    )
    assert run(client, done, failed)[0] == {"done": "done", "failed": "failed"}
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    seal(sealed)
    ended, messages = run(client, done, failed, new, elsewhere)
    assert ended == {"done": "kept", "failed": "failed", "new": "failed", "elsewhere": "done"}, (
        messages
    )
    for name in ("failed", "new"):
        assert "Read-only file system" in messages[name] or "Permission denied" in messages[name], (
            messages[name]
        )
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    assert [progress.state(one) for one in (done, failed, new)] == ["done", "failed", "to do"]
    assert "the cable" in failed.job.status()["message"]


# ---- workers ---------------------------------------------------------------------------------------------------------


def test_a_notebook_that_always_kills_its_worker_takes_no_other_with_it(tmp_path: Path) -> None:
    tasks = [
        task(
            tmp_path,
            "kills",
            "import psutil; psutil.Process().parent().kill(); import time; time.sleep(60)",
        ),
        task(tmp_path, "fine", SAY.format("fine")),
        task(tmp_path, "later", SAY.format("later"), after=("kills",)),
        task(tmp_path, "latest", SAY.format("latest"), after=("later",)),
        task(tmp_path, "last", SAY.format("last"), after=("kills", "fine", "later"), anyway=True),
    ]
    with cluster.local(1) as alone:  # everything that waits, waits for the worker that dies
        alone.run_on_scheduler(
            lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0)
        )  # to be quicker
        ended, messages = run(alone, *tasks)
    assert ended == {
        "kills": "failed",
        "fine": "done",
        "later": "skipped",
        "latest": "skipped",
        "last": "done",
    }, messages
    assert messages["kills"] == "its worker died 1 times" and messages["later"] == "after kills"
    assert (tmp_path / "log").read_text().split() == ["fine", "last"]
    assert progress.state(tasks[0]) == "failed"
    assert tasks[0].job.status()["message"] == "its worker died 1 times"


def test_a_lost_scheduler_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    scheduler = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        port,
    ]
    process = subprocess.Popen([*scheduler, "--no-dashboard"], stderr=subprocess.DEVNULL)
    try:
        with patiently(f"tcp://127.0.0.1:{port}", {}) as client:
            threading.Timer(1, process.kill).start()  # while the task waits for a worker
            with pytest.raises(
                MerKitError, match="the scheduler was lost .*: start it again, and the same command"
            ):
                run(client, task(tmp_path, "a", "1 + 1"))
    finally:
        process.kill()
        process.wait(30)


# ---- another network -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Elsewhere:
    """A network of its own, in which `start` runs commands; `there` is its address as seen from here."""

    name: str
    there: str
    log: Path

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.name, *command], stdout=log, stderr=log
            )


def ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True).returncode == 0


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    """A second network behind a cable of two ends, 10.x.y.1 here and 10.x.y.2 there."""
    number = os.getpid()
    name, here, there = f"mer-{number}", f"mer{number}a"[-15:], f"mer{number}b"[-15:]
    net = f"10.{200 + number % 50}.{number // 50 % 250}"
    if shutil.which("ip") is None:
        pytest.skip("ip is not here to make a second network: install iproute2")
    if not ip("netns", "add", name):
        pytest.skip(
            "this machine does not let us make a second network (ip netns add): it wants root"
        )
    try:
        if not ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name):
            pytest.skip("this machine has no cable between networks (a veth pair)")
        assert ip("addr", "add", f"{net}.1/30", "dev", here) and ip("link", "set", here, "up")
        assert ip("-n", name, "addr", "add", f"{net}.2/30", "dev", there) and ip(
            "-n", name, "link", "set", there, "up"
        )
        assert ip("-n", name, "link", "set", "lo", "up")
        yield Elsewhere(name, f"{net}.2", tmp_path / "elsewhere.log")
    finally:
        ip("netns", "del", name)  # the cable goes with it


@pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not here to make certificates"
)
def test_a_tls_scheduler_in_another_network_takes_only_who_has_its_certificate(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    ours, other = (_certificate(tmp_path, name) for name in ("ours", "other"))
    tls = [
        "--tls-ca-file",
        ours["ca"],
        "--tls-cert",
        ours["certificate"],
        "--tls-key",
        ours["key"],
        "--no-dashboard",
    ]
    address = f"tls://{elsewhere.there}:8786"
    of_there = [sys.executable, "-m"]
    scheduler = [
        *of_there,
        "distributed.cli.dask_scheduler",
        "--host",
        elsewhere.there,
        "--port",
        "8786",
    ]
    processes = [elsewhere.start(*scheduler, "--protocol", "tls", *tls)]
    try:
        processes.append(
            elsewhere.start(
                *of_there, "distributed.cli.dask_worker", address, "--nthreads", "1", *tls
            )
        )
        with patiently(address, ours) as client:
            client.wait_for_workers(1, timeout=60)
            cell = "import os\nopen(place, 'w').write(os.readlink('/proc/self/ns/net'))"
            assert run(client, task(tmp_path, "a", cell))[0] == {"a": "done"}
        assert (tmp_path / "log").read_text() != os.readlink("/proc/self/ns/net"), (
            "it did not run in the other network"
        )
        for who, files in ((address, other), (address.replace("tls", "tcp"), {})):
            with (
                pytest.raises(MerKitError, match="does not answer or refuses us"),
                cluster.joined(who, **files),
            ):
                pass
        with cluster.joined(address, **ours) as client:  # it was there all the time
            assert client.submit(os.getpid).result() > 0
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(30)


def patiently(address: str, files: dict[str, str]) -> AbstractContextManager[Client]:
    """Return `cluster.joined` as soon as the scheduler listens."""
    host, _, port = address.partition("://")[2].rpartition(":")
    for _ in range(300):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return cluster.joined(address, **files)
        except OSError:
            time.sleep(0.2)
    pytest.fail("the scheduler in the other network does not listen")


# ---- many ------------------------------------------------------------------------------------------------------------


def test_the_page_of_200_runs_is_small_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    output = new_output("execute_result", {"text/plain": "2"}, execution_count=1)
    book = new_notebook(cells=[new_code_cell("1 + 1", execution_count=1, outputs=[output])])
    for number, config in enumerate(guessed_runs.configs(200)):
        run = guessed_runs.finished(tmp_path, config)
        (run.path / "notebooks").mkdir()
        nbformat.write(book, run.path / "notebooks" / "01_segmentation.ipynb")
        if number % 40 == 0:
            run.set_status("failed", message=f"the cable of run {number}")
    page = report.write(tmp_path)
    text, table = page.read_text("utf-8"), pd.read_csv(tmp_path / "results.csv")
    assert page.stat().st_size < 2e6
    rows = re.search(r'<table id="runs">.*?<tbody>(.*?)</tbody>', text, re.DOTALL)
    assert (
        rows is not None and rows[1].count("<tr") == len(table) == table["folder"].nunique() == 200
    )
    assert all(text.count(f"the cable of run {number}</p>") == 1 for number in range(0, 200, 40))
    links = parsed(page).found
    assert sum(link.endswith("/01_segmentation.html") for link in links) == 200
    for link in links:
        to = urlsplit(link)
        assert not to.scheme and not to.netloc, link
        there = (
            f'id="{to.fragment}"' in text
            if link.startswith("#")
            else (tmp_path / unquote(to.path)).exists()
        )
        assert there, link
