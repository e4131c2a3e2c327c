"""Whole files or none, modes as the umask says, and what dead processes left is swept."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mer_kit import files
from mer_kit.checks import MerKitError


def _dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_modes_follow_the_umask_whatever_a_library_chooses(tmp_path: Path, mask: int, mode: int):
    before = os.umask(mask)
    try:
        with files.writing(tmp_path / "a") as partial:
            partial.unlink()
            os.close(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600))  # as safetensors does
        (tmp_path / "neighbour").write_text("x")
    finally:
        os.umask(before)
    assert (
        stat.S_IMODE((tmp_path / "a").stat().st_mode)
        == mode
        == stat.S_IMODE((tmp_path / "neighbour").stat().st_mode)
    )


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError), files.writing(tmp_path / "a") as partial:
        partial.write_text("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (
        tmp_path / "a"
    ).read_text() == "old"


def test_two_writers_in_one_process_do_not_share_a_temporary_file(tmp_path: Path):
    with files.writing(tmp_path / "a") as first, files.writing(tmp_path / "a") as second:
        assert first != second


def test_leftovers_of_dead_processes_go_those_of_living_ones_stay(tmp_path: Path):
    host, dead = files._HOST, _dead()
    old = time.time() - 2 * files.LEFTOVER_SECONDS
    names = {
        f".{host}.{dead}.partial.0.model.safetensors": False, f".{host}.{os.getpid()}.partial.0.config.json": True,
        f".elsewhere.{dead}.partial.0.a": True, f".{dead}.partial.model.safetensors": True, ".model.safetensors.77.partial": True,
        "my.partial.notes": True, ".partial": True, "model.safetensors": True,
    }  # fmt: skip
    for name in names:
        (tmp_path / name).write_text("x")
    files.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        name for name, stays in names.items() if stays
    }
    for name in (
        f".elsewhere.{dead}.partial.0.a",
        f".{dead}.partial.model.safetensors",
        ".model.safetensors.77.partial",
    ):
        os.utime(tmp_path / name, (old, old))
    files.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f".{host}.{os.getpid()}.partial.0.config.json", "my.partial.notes", ".partial", "model.safetensors"
    }  # fmt: skip
    files.sweep(tmp_path / "not there")


def test_scratch_folders_of_dead_processes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / f"mer-kit-{_dead()}-abc"
    left.mkdir()
    (left / "executed.ipynb").write_text("{}")
    other = tmp_path / "mer-kit-notes"
    other.mkdir()
    with files.scratch() as first, files.scratch() as second:
        assert (
            Path(first).is_dir() and Path(second).is_dir() and not left.exists() and other.exists()
        )


def test_only_plain_files_inside_are_read(tmp_path: Path):
    inside, outside = tmp_path / "run", tmp_path / "diary"
    inside.mkdir()
    outside.write_text("secret")
    (inside / "a").write_text("fine")
    (inside / "link").symlink_to(inside / "a")
    (inside / "out").symlink_to(outside)
    (inside / "loop").symlink_to(inside / "loop")
    os.mkfifo(inside / "pipe")
    plain = [
        name
        for name in ("a", "link", "out", "loop", "pipe", "none")
        if files.is_plain_file(inside / name, inside=inside)
    ]
    assert plain == ["a", "link"]
    assert files.read_bytes(inside / "a", inside=inside) == b"fine"
    for name in ("out", "pipe"):
        with pytest.raises(
            MerKitError, match=f"{name} in run is not a regular file of this folder"
        ):
            files.read_bytes(inside / name, inside=inside)
    with pytest.raises(MerKitError, match="a in run has 4 bytes, expected at most 3"):
        files.read_bytes(inside / "a", most=3)
    with pytest.raises(MerKitError, match="zero in dev is not a regular file"):
        files.read_bytes(Path("/dev/zero"))
