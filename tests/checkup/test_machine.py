"""The doctor: a good machine passes, and each thing that can be wrong is named with a next step."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import sys
import zipfile
from collections import namedtuple

import numpy as np
import pytest
import soundfile
import torch
from jupyter_client import kernelspec

from mer_kit.checkup import machine
from mer_kit.signal import audio, frontends, wheels

ITEMS = [
    "mer-kit", "Python", "torch", "processor", "bfloat16", "GPU", "decoding WAV", "decoding MP3", "space for runs",
    "space for the cache", "notebook kernel",
]  # fmt: skip
WHEELS = {name: one.WHEEL for name, one in frontends.MODULES.items() if hasattr(one, "WHEEL")}


def test_this_machine_is_looked_at_whole(tmp_path):
    table = machine.check_machine(runs_dir=tmp_path / "not" / "there" / "yet")
    assert table["item"].tolist() == [*ITEMS, *(f"weights of {name}" for name in WHEELS)]
    assert set(table["state"]) <= {"ready", "note", "problem"}
    assert (table["found"] != "").all()
    assert (table.loc[table["state"] != "ready", "advice"] != "").all()
    rows = table.set_index("item")
    assert rows.loc["decoding WAV", "state"] == "ready"
    assert rows.loc["torch", "found"] == torch.__version__
    assert list(tmp_path.iterdir()) == [], "looking made something"


def test_a_look_that_fails_is_a_finding(monkeypatch):
    def fall_over():
        raise RuntimeError("no libsndfile")

    finding = machine._safely(fall_over)
    assert (finding.state, finding.found) == (
        "problem",
        "RuntimeError: no libsndfile",
    )
    assert "make setup" in finding.advice


def test_sound_that_comes_back_wrong_is_a_problem(monkeypatch):
    monkeypatch.setattr(audio, "load", lambda path: np.zeros(22050, np.float32))
    finding = machine._decoding("WAV", "problem")
    assert finding.state == "problem" and "level 0.00, expected 0.35" in finding.found
    monkeypatch.setattr(audio, "load", lambda path: np.full(11025, 0.3535, np.float32))
    finding = machine._decoding("MP3", "note")
    assert finding.state == "note" and "0.50 s" in finding.found


def test_a_format_that_is_not_there(monkeypatch):
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": "x"})
    finding = machine._decoding("MP3", "note")
    assert finding.state == "note" and "no MP3" in finding.found


def test_weights_are_there_missing_or_damaged(monkeypatch, tmp_path):
    assert "musicnn" in WHEELS
    monkeypatch.setenv("MER_CACHE", str(tmp_path))
    data = b"a package"
    wheel = wheels.Wheel("tiny", "1.0", hashlib.sha256(data).hexdigest(), "tiny", "ISC")
    missing = machine._weights(wheel)
    assert missing.state == "note" and "not on this machine" in missing.found
    assert missing.advice == "run mer-kit frontends get tiny"
    wheel.path.parent.mkdir(parents=True)
    wheel.path.write_bytes(data[:4])
    damaged = machine._weights(wheel)
    assert damaged.state == "note" and "checksum" in damaged.found
    with zipfile.ZipFile(wheel.path, "w"):
        pass
    whole = dataclasses.replace(wheel, sha256=hashlib.sha256(wheel.path.read_bytes()).hexdigest())
    assert machine._weights(whole) == ("ready", "tiny 1.0, ISC licence", "")


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("free_gb", "state"), [(0.4, "problem"), (1.9, "note"), (2.1, "ready")])
def test_space(monkeypatch, tmp_path, free_gb, state):
    asked = []
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: asked.append(path) or Usage(9e9, 0, free_gb * 1e9)
    )
    finding = machine._space(tmp_path / "a" / "b")
    assert finding.state == state and f"{free_gb:.1f} GB free" in finding.found
    assert asked == [tmp_path]


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(machine.os, "access", lambda path, mode: False)
    assert machine._space(tmp_path).state == "problem"


def _kernel_with(monkeypatch, program):
    class Manager:
        def get_kernel_spec(self, name):
            assert name == "python3"
            if program is None:
                raise kernelspec.NoSuchKernel(name)
            return kernelspec.KernelSpec(argv=[program, "-m", "ipykernel_launcher"])

    monkeypatch.setattr(kernelspec, "KernelSpecManager", Manager)
    return machine._kernel()


def test_the_kernel(monkeypatch, tmp_path):
    assert _kernel_with(monkeypatch, "python").state == "ready"
    assert _kernel_with(monkeypatch, sys.executable).state == "ready"
    missing = _kernel_with(monkeypatch, None)
    assert missing.state == "problem" and "ipykernel install" in missing.advice


@pytest.mark.parametrize(("code", "state"), [(0, "note"), (1, "problem")])
def test_another_pythons_kernel(monkeypatch, tmp_path, code, state):
    other = tmp_path / "python"
    other.write_text(f"#!/bin/sh\nexit {code}\n")
    other.chmod(0o755)
    finding = _kernel_with(monkeypatch, str(other))
    assert finding.state == state and str(other) in finding.found
    assert "JUPYTER_PREFER_ENV_PATH=1" in finding.advice


def test_threads_held_back_are_noted(monkeypatch):
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert machine._processor().state == "note"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert machine._processor().state == "ready"
