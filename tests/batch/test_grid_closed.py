"""A grid on this machine is closed to other users, and serves nothing over HTTP unless asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from distributed import Client
from distributed.security import Security

from mer_kit.batch import cluster

#: What an intruder would try: connect plainly, and with a certificate of his own, and run code on a worker.
_INTRUDER = """
import os, sys
from distributed import Client
from distributed.security import Security
for address, security in ((f"tcp://{sys.argv[1]}", None), (f"tls://{sys.argv[1]}", Security.temporary())):
    print("TRIES", address, os.getuid(), flush=True)
    try:
        client = Client(address, security=security, timeout=4)
        print("IN", client.submit(os.getuid).result(timeout=4), flush=True)
    except Exception as error:
        print("OUT", type(error).__name__, flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def closed() -> Iterator[Client]:
    with cluster.local(1) as client:
        client.wait_for_workers(1, timeout=60)
        yield client


def _ports() -> set[int]:
    """The TCP ports on which this process and its children listen."""
    ours = [psutil.Process(), *psutil.Process().children(recursive=True)]
    connections = [
        c
        for process in ours
        for c in process.net_connections("tcp")
        if c.status == psutil.CONN_LISTEN
    ]
    assert all(c.laddr.ip in ("127.0.0.1", "::1") for c in connections), "loopback only"
    return {c.laddr.port for c in connections}


def test_all_connections_are_encrypted_and_ask_for_our_certificate(closed: Client):
    about = closed.scheduler_info()
    addresses = [
        about["address"],
        *about["workers"],
        *(worker["nanny"] for worker in about["workers"].values()),
    ]
    assert len(addresses) == 3 and all(
        address.startswith("tls://127.0.0.1:") for address in addresses
    )
    for address, security in (
        (about["address"].replace("tls", "tcp"), None),
        (about["address"], Security.temporary()),
    ):
        with pytest.raises((OSError, TimeoutError)):
            Client(address, security=security, timeout=3).close()
    assert closed.submit(sum, [1, 2]).result(timeout=30) == 3, "it still serves its owner"


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root may act as another user"
)
def test_another_user_does_not_get_in(closed: Client, tmp_path: Path):
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv, which makes a process of another user, is not installed")
    as_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    tmp_path.chmod(0o777)
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    python = [*as_nobody, sys.executable]
    if subprocess.run(
        [*python, "-c", "import distributed"], env=environment, cwd="/", capture_output=True
    ).returncode:
        pytest.skip("another user cannot read this environment")
    place = closed.scheduler_info()["address"].removeprefix("tls://")
    done = subprocess.run(
        [*python, "-c", _INTRUDER, place],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    printed = [line.split() for line in done.stdout.splitlines()]
    assert [words[0] for words in printed] == ["TRIES", "OUT", "TRIES", "OUT"], (
        done.stdout + done.stderr
    )
    assert printed[0][2] == "65534"


def test_nothing_is_served_over_http(closed: Client):
    for port in _ports():
        for page in (
            "status",
            "health",
            "info/main/workers.html",
            "metrics",
            "api/v1",
            "json/counts.json",
        ):
            with pytest.raises((urllib.error.URLError, OSError)):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=3)


def test_the_dashboard_comes_on_request():
    with cluster.local(1, dashboard=True) as client:
        link = client.dashboard_link
        assert link.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(link, timeout=20) as answer:
            assert answer.status == 200
