"""Weights from packages: fetched by a pip that is replaced here, checked, and listed by the command."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mer_kit.checks import MerKitError
from mer_kit.cli import main
from mer_kit.signal import wheels
from mer_kit.signal.frontends import musicnn


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as made:
        made.writestr("tiny/a", b"first")
        made.writestr("tiny/b", b"second")
    return (tmp_path / "made.zip").read_bytes()


@pytest.fixture
def wheel(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> wheels.Wheel:
    """A package of two files, not fetched yet, in a cache of its own; musicnn's weights for the command."""
    monkeypatch.setenv("MER_CACHE", str(tmp_path / "cache"))
    wheels.read.cache_clear()
    made = wheels.Wheel("tiny", "1.0", hashlib.sha256(content).hexdigest(), "musicnn", "ISC")
    monkeypatch.setattr(musicnn, "WHEEL", made)
    return made


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Replace pip: it brings this content, or none and says why."""

    def replace(content: bytes | None, error: str = "") -> list[list[str]]:
        calls: list[list[str]] = []

        def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            calls.append(command)
            if content is not None:
                folder = Path(command[command.index("--dest") + 1])
                (folder / "tiny-1.0-py3-none-any.whl").write_bytes(content)
            return subprocess.CompletedProcess(command, int(content is None), "", error)

        monkeypatch.setattr(wheels.subprocess, "run", run)
        return calls

    return replace


def test_a_package_is_fetched_once_and_read(wheel, content, pip) -> None:
    calls = pip(content)
    assert not wheel.is_ready
    assert wheels.get(wheel) == wheels.get(wheel) == wheel.path
    (command,) = calls
    assert command[1:4] == ["-m", "pip", "download"] and command[-1] == "tiny==1.0"
    assert "--no-deps" in command and wheel.is_ready
    assert wheels.read(wheel, "tiny/b", "tiny/a") == (b"second", b"first")


def test_a_damaged_file_is_fetched_again(wheel, content, pip) -> None:
    calls = pip(content)
    wheel.path.parent.mkdir(parents=True)
    wheel.path.write_bytes(content[:-1])
    wheels.get(wheel)
    assert len(calls) == 1 and wheel.path.read_bytes() == content


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b" ", lambda b: b""])
def test_another_package_is_refused_and_not_kept(wheel, content, pip, change) -> None:
    pip(change(content))
    with pytest.raises(MerKitError, match="tiny 1.0 has the checksum .*truncated or another one"):
        wheels.get(wheel)
    assert not wheel.path.exists()


def test_no_network_is_one_sentence_with_pips_reason(wheel, pip) -> None:
    pip(None, "WARNING: retrying\nERROR: No matching distribution found for tiny==1.0\n")
    with pytest.raises(MerKitError, match=r"cannot fetch tiny 1.0 \(ERROR: No matching") as caught:
        wheels.get(wheel)
    assert "connect to the network and run mer-kit frontends get musicnn" in str(caught.value)
    pip(None)
    with pytest.raises(MerKitError, match="pip gave no reason"):
        wheels.get(wheel)


def test_files_of_one_package_have_one_checksum(wheel, content, pip) -> None:
    """What is in the cache is checked at every start of a program, whatever its name says."""
    pip(content)
    wheels.get(wheel)
    other = dataclasses.replace(wheel, sha256="0" * 64)
    with pytest.raises(MerKitError, match="expected 000000000000"):
        wheels.read(other, "tiny/a")


# ---- the command -----------------------------------------------------------------------------------------------------


def mer_kit(*words: str) -> Result:
    return CliRunner().invoke(main, ["frontends", *words])


def test_the_list_says_what_is_ready(wheel, content, pip) -> None:
    before = mer_kit().output
    assert "logmel " in before and "descriptors " in before and "licence Apache-2.0" in before
    assert "weights: tiny 1.0, licence ISC" in before
    assert "→ run mer-kit frontends get musicnn" in before
    pip(content)
    done = mer_kit("get", "musicnn")
    assert done.exit_code == 0 and "musicnn: tiny-1.0.whl is ready (ISC licence)" in done.output
    assert "→ run mer-kit frontends get musicnn" not in mer_kit().output


def test_without_a_network_the_command_fails_or_warns(wheel, pip) -> None:
    pip(None, "ERROR: no network")
    failed = mer_kit("get", "musicnn")
    assert failed.exit_code == 1 and "Traceback" not in failed.output
    assert "mer-kit: pip cannot fetch tiny 1.0" in failed.output
    warned = mer_kit("get", "musicnn", "onnx", "--if-online")
    assert warned.exit_code == 0 and warned.output.count("warning: pip cannot fetch") == 2


def test_a_front_end_without_weights_is_one_sentence(wheel) -> None:
    failed = mer_kit("get", "logmel")
    assert failed.exit_code == 1 and "is 'logmel', expected one of musicnn, onnx" in failed.output
