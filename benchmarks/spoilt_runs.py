"""What a stranger's run folder can do to `mer-kit report` and `mer-kit predict`: nothing but a sentence.

    python benchmarks/spoilt_runs.py                 # makes a small run of its own first
    python benchmarks/spoilt_runs.py --run FOLDER    # spoils copies of that one

Each copy is spoilt in one way and lies beside a good run. `report` and `predict` run in processes of their own, with a
limit on time. A traceback, a hang, more than a gigabyte over the idle process, or a page without the good run is a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError
from mer_kit.runs import predict
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.show import curve_files, report

SECONDS, MOST_MB = 60, 1000
Spoil = Callable[[Path], Any]


def _json(name: str, change: Callable[[dict[str, Any]], Any]) -> Spoil:
    def spoil(run: Path) -> None:
        content = json.loads((run / name).read_text("utf-8"))
        changed = change(content)
        (run / name).write_text(json.dumps(content if changed is None else changed), "utf-8")

    return spoil


def _set(name: str, key: str, value: Any) -> Spoil:
    return _json(name, lambda content: content.__setitem__(key, value))


def _bytes(name: str, data: bytes) -> Spoil:
    return lambda run: (run / name).write_bytes(data)


def _text(name: str, change: Callable[[str], str]) -> Spoil:
    return lambda run: (run / name).write_text(change((run / name).read_text("utf-8")), "utf-8")


def _replace(name: str, make: Callable[[Path], Any]) -> Spoil:
    def spoil(run: Path) -> None:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).unlink(missing_ok=True)
        make(run / name)

    return spoil


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(3 << 30)


def _npz(name: str, make: Callable[[zipfile.ZipFile], Any]) -> Spoil:
    def spoil(run: Path) -> None:
        with zipfile.ZipFile(run / name, "w", zipfile.ZIP_DEFLATED) as archive:
            make(archive)

    return spoil


def _header(shape: str, dtype: str = "<f2") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def _tensors(name: str, change: Callable[[dict[str, Any], dict[str, str]], Any]) -> Spoil:
    def spoil(run: Path) -> None:
        from safetensors import safe_open
        from safetensors.numpy import save_file

        with safe_open(run / name, framework="np") as file:
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = dict(file.metadata())
        change(arrays, metadata)
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, run / name, metadata)

    return spoil


def _unsealed(spoil: Spoil) -> Spoil:
    """Spoil a fold's file as a forger would, who takes its checksum out of status.json."""

    def both(run: Path) -> None:
        spoil(run)
        _json(STATUS, lambda content: content.pop("files", None) and None)(run)

    return both


def _copy_of_fold(name: str) -> Spoil:
    return lambda run: shutil.copytree(run / "folds" / "0", run / "folds" / name)


def _notebook(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    def spoil(run: Path) -> None:
        (run / "notebooks").mkdir(exist_ok=True)
        nb: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        changed = change(nb)
        (run / "notebooks" / "02_noisy_labels.ipynb").write_text(
            json.dumps(nb if changed is None else changed), "utf-8"
        )

    return spoil


def _figure(name: str, data: bytes) -> Spoil:
    return _replace(f"figures/{name}", lambda path: path.write_bytes(data))


def _cell(**cell: Any) -> Spoil:
    def change(nb: dict[str, Any]) -> None:
        nb["cells"].append({"id": "a", "metadata": {}, "source": "", **cell})

    return _notebook(change)


def _retree(metadata: dict[str, str], change: Callable[[Any], Any]) -> None:
    metadata["tree"] = json.dumps(change(json.loads(metadata["tree"])))


def _model(width: Any) -> Spoil:
    def change(arrays: dict[str, Any], metadata: dict[str, str]) -> None:
        metadata["tree"] = metadata["tree"].replace(
            '["width", {"value": 2}]', f'["width", {{"value": {json.dumps(width)}}}]'
        )

    return _tensors(MODEL, change)


CONFIG, METRICS, STATUS = "config.json", "metrics.json", "folds/0/status.json"
MODEL, SVM, SEGMENTS = "folds/0/model.safetensors", "folds/0/svm.safetensors", "folds/0/segments.csv"
EPOCHS, HISTORY = "folds/0/epochs.npz", "folds/0/history.csv"
_HUGE_PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", 2**31 - 1, 2**31 - 1) + bytes(9)

WAYS: dict[str, Spoil] = {
    **{
        f"config: {k} is {v!r}"[:60]: _set(CONFIG, k, v)
        for k, v in (
            ("corpus", {"a": 1}),
            ("corpus", "<b>x</b>"),
            ("corpus", "nowhere"),
            ("corpus", 7),
            ("task", "mood"),
            ("task", ["quadrant"]),
            ("segment_seconds", "3"),
            ("segment_seconds", 1e308),
            ("segment_seconds", None),
            ("segment_seconds", -1),
            ("method", None),
            ("method", "x" * 100_000),
            ("folds", "three"),
            ("folds", 10**9),
            ("folds", 2.5),
            ("seed", [1]),
            ("seed", True),
            ("fingerprint", {"a": []}),
            ("theta", "half"),
            ("corpus_options", [1]),
            ("corpus_options", {"clips": 10**9}),
            ("training", 3),
            ("skipped", "all"),
            ("preset", "\x1b[31mred\n"),
        )
    },
    "config: deep": _bytes(CONFIG, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "config: a list": _bytes(CONFIG, b"[1, 2]"),
    "config: empty": _bytes(CONFIG, b""),
    "config: torn": _bytes(CONFIG, b'{"corpus": "de'),
    "config: binary": _bytes(CONFIG, bytes(range(256)) * 9),
    "config: UTF-16": _bytes(CONFIG, '{"corpus": "demo"}'.encode("utf-16")),
    "config: a number of a million digits": _bytes(CONFIG, b'{"folds": ' + b"9" * 1_000_000 + b"}"),
    "config: 3 GB": _replace(CONFIG, _sparse),
    "config: a folder": _replace(CONFIG, Path.mkdir),
    "config: a pipe": _replace(CONFIG, os.mkfifo),
    "config: /dev/zero": _replace(CONFIG, lambda p: p.symlink_to("/dev/zero")),
    "config: dangling": _replace(CONFIG, lambda p: p.symlink_to("no")),
    "config: a loop": _replace(CONFIG, lambda p: p.symlink_to(p.name)),
    **{
        f"metrics: {k} is {v!r}"[:60]: _set(METRICS, k, v)
        for k, v in (
            ("folds", {"0": {}}),
            ("folds", [1]),
            ("folds", [{}]),
            ("folds", "all"),
            ("summary", None),
            ("summary", {}),
            ("summary", {"n_songs": "x"}),
        )
    },
    "metrics: fold's number is text": _json(METRICS, lambda c: c["folds"][0].__setitem__("fold", "0")),
    "metrics: scores are text": _json(METRICS, lambda c: c["folds"][0]["songs"]["svm"].__setitem__("accuracy", "good")),
    "metrics: no SVM": _json(METRICS, lambda c: c["folds"][0]["songs"].pop("svm") and None),
    "metrics: NaN": _text(METRICS, lambda t: t.replace('"accuracy": 0', '"accuracy": NaN, "x": 0')),
    "metrics: a pipe": _replace(METRICS, os.mkfifo),
    "metrics: deep": _bytes(METRICS, b"[" * 200_000),
    "status: a list": _bytes(STATUS, b"[]"),
    "status: seconds is text": _set(STATUS, "seconds", "long"),
    "status: state is a list": _set(STATUS, "state", [1]),
    "status: message with HTML": _json(
        STATUS, lambda c: c.update(state="failed", message="<script>alert(1)</script>\x1b[2J")
    ),
    "status: /dev/zero": _replace(STATUS, lambda p: p.symlink_to("/dev/zero")),
    "status: checksums are numbers": _set(STATUS, "files", {"segments.csv": 7}),
    "status: checksum of /etc/passwd": _set(STATUS, "files", {"../../../x": "0"}),
    "segments: a row less": _text(SEGMENTS, lambda t: t[: t.rstrip().rfind("\n") + 1]),
    "segments: a bit": _text(SEGMENTS, lambda t: t.replace("0.2", "0.3", 1)),
    **{
        f"segments forged: {k}": _unsealed(v)
        for k, v in {
            "no rows": _text(SEGMENTS, lambda t: t.splitlines()[0] + "\n"),
            "other classes": _text(SEGMENTS, lambda t: t.replace("Q1", "K1")),
            "text": _text(SEGMENTS, lambda t: t.replace("0.2", "zwei")),
            "sums": _text(SEGMENTS, lambda t: t.replace("0.2", "0.9")),
            "infinite": _text(SEGMENTS, lambda t: t.replace("0.2", "inf")),
            "binary": _bytes(SEGMENTS, os.urandom(5000)),
            "a million columns": _bytes(SEGMENTS, b"a," * 1_000_000),
            "a part": _text(SEGMENTS, lambda t: t.replace("train", "trial")),
            "a pipe": _replace(SEGMENTS, os.mkfifo),
            "3 GB": _replace(SEGMENTS, _sparse),
            "no SVM either": lambda r: (r / SVM).unlink(missing_ok=True),
        }.items()
    },
    **{
        f"model forged: {k}": _unsealed(v)
        for k, v in {
            "width 200000": _model(200_000),
            "width 1e12": _model(10**12),
            "width text": _model("2"),
            "width null": _model(None),
            "a tensor less": _tensors(MODEL, lambda a, m: a.pop(sorted(a)[0])),
            "other shapes": _tensors(MODEL, lambda a, m: a.update({k: v[..., None] for k, v in a.items()})),
            "whole numbers": _tensors(MODEL, lambda a, m: a.update({k: v.astype(np.int8) for k, v in a.items()})),
            "NaN": _tensors(MODEL, lambda a, m: a.update({k: v * np.nan for k, v in a.items() if v.dtype.kind == "f"})),
            "deep": _tensors(MODEL, lambda a, m: m.update(tree='{"list":[' * 50_000)),
            "a list": _tensors(MODEL, lambda a, m: m.update(tree='{"list": []}')),
            "another setting": _tensors(MODEL, lambda a, m: m.update(tree=m["tree"].replace("width", "widht"))),
            "no tree": _tensors(MODEL, lambda a, m: m.clear()),
            "empty": _bytes(MODEL, b""),
            "garbage": _bytes(MODEL, os.urandom(5000)),
            "header of 2^60": _bytes(MODEL, struct.pack("<Q", 2**60) + b"{}"),
            "/dev/zero": _replace(MODEL, lambda p: p.symlink_to("/dev/zero")),
            "a pipe": _replace(MODEL, os.mkfifo),
        }.items()
    },
    "model: a bit": lambda r: _bytes(MODEL, (d := (r / MODEL).read_bytes())[:-1] + bytes((d[-1] ^ 1,)))(r),
    "svm: support vectors": _tensors(SVM, lambda a, m: a.update(n_support=a["n_support"] + 10_000)),
    "svm: coefficients": _tensors(SVM, lambda a, m: a.update(dual=a["dual"][:, :1])),
    "svm: another K": _tensors(SVM, lambda a, m: m.update(svm=m["svm"].replace('"n_classes": 4', '"n_classes": 2'))),
    "svm: garbage": _bytes(SVM, os.urandom(3000)),
    "svm: a pipe": _replace(SVM, os.mkfifo),
    "svm.skops of old": lambda r: ((r / SVM).unlink(), (r / "folds/0/svm.skops").write_bytes(b"PK" + os.urandom(3000))),
    **{
        f"epochs forged: {k}": _unsealed(v)
        for k, v in {
            "objects": _npz(
                EPOCHS, lambda z: z.writestr("probabilities.npy", _header("(2,)", "|O") + b"cos\nsystem\n(S'x'\ntR.")
            ),
            "40 GB": _npz(EPOCHS, lambda z: z.writestr("probabilities.npy", _header("(100000, 50000, 4)"))),
            "a bomb": _npz(EPOCHS, lambda z: z.writestr("probabilities.npy", bytes(1 << 28))),
            "garbage": _bytes(EPOCHS, os.urandom(4000)),
        }.items()
    },
    **{
        f"history forged: {k}": _unsealed(v)
        for k, v in {
            "no columns": _bytes(HISTORY, b"a,b\n1,2\n"),
            "text": _text(HISTORY, lambda t: t.replace("1", "x")),
        }.items()
    },
    **{f"folds/{n}": _copy_of_fold(n) for n in ("0.bak", "0 (copy)", "00", "-1", "x", "99999999999999999999", "0\n")},
    "folds is a file": lambda r: (shutil.rmtree(r / "folds"), (r / "folds").write_text("x")),
    "a figure with a huge header": _figure("a.png", _HUGE_PNG),
    "a figure is a pipe": _replace("figures/b.png", os.mkfifo),
    "a figure leads out": _replace("figures/c.png", lambda p: p.symlink_to("/etc/passwd")),
    "a page of figures": _figure("d.html", b"<script>parent.x=1</script>"),
    "a figure's odd name": _figure("<img src=x onerror=alert(1)>.png".replace("/", "_"), _HUGE_PNG),
    "notebook: torn": _replace("notebooks/02_noisy_labels.ipynb", lambda p: p.write_text('{"cells": [')),
    "notebook: deep": _replace("notebooks/02_noisy_labels.ipynb", lambda p: p.write_text("[" * 200_000)),
    "notebook: a list": _notebook(lambda nb: [1]),
    "notebook: no cells": _notebook(lambda nb: nb.pop("cells") and None),
    "notebook: a cell without kind": _notebook(lambda nb: nb["cells"].append({"x": 1})),
    "notebook: a missing attachment": _cell(cell_type="markdown", source="![a](attachment:none.png)"),
    "notebook: an attachment that is none": _cell(
        cell_type="markdown", source="![a](attachment:a.png)", attachments={"a.png": 3}
    ),
    "notebook: outputs are text": _cell(cell_type="code", outputs="x", execution_count=1),
    "notebook: a script": _cell(
        cell_type="code",
        execution_count=1,
        outputs=[
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {"text/html": "<script>alert(1)</script><meta http-equiv=refresh content='0;url=//x'>"},
            }
        ],
    ),
    "notebook: a pipe": _replace("notebooks/03_x.ipynb", os.mkfifo),
    "notebook: leads out": _replace("notebooks/04_x.ipynb", lambda p: p.symlink_to("/etc/hostname")),
    "notebook: 3 GB": _replace("notebooks/05_x.ipynb", _sparse),
    "notebook's status: a list": _replace("notebooks/02_noisy_labels.status.json", lambda p: p.write_text("[1]")),
    "notebook's status: a log of numbers": _replace(
        "notebooks/02_noisy_labels.status.json",
        lambda p: p.write_text('{"state": "failed", "message": 3, "log": [1, {}]}'),
    ),
    "songs.csv: garbage": _bytes("songs.csv", os.urandom(4000)),
    "an HTML page shipped": _replace("notebooks/02_noisy_labels.html", lambda p: p.write_text("<script>x</script>")),
}


def measured(what: Callable[[], Any]) -> tuple[str, float, float]:
    """Run something in a child process; return how it ended ("fine", a sentence or "!" with why), seconds and megabytes."""
    idle, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            what()
            said = "fine"
        except MerKitError as error:
            said = str(error).replace("\n", " ")
        except BaseException:
            said = "! " + traceback.format_exc().strip().splitlines()[-1]
        os.write(writing, said[:4000].encode("utf-8", "backslashreplace"))
        os._exit(0)
    os.close(writing)
    while time.monotonic() - began < SECONDS:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        _, status, usage = os.wait4(child, 0)
        return f"! hangs for {SECONDS} s", SECONDS, (usage.ru_maxrss - idle) / 1024
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode("utf-8")
    if status:
        said = f"! ended by signal {status & 127}"
    return said, time.monotonic() - began, max(0.0, (usage.ru_maxrss - idle) / 1024)


def good_run(folder: Path) -> Path:
    """Make a small decided run and return its folder."""
    config = resolve(corpus="demo", preset="smoke", folds=2, corpus_options={"clips": 16, "seconds": 10.0})
    experiment = Experiment(config, runs_dir=folder)
    experiment.write_config()
    experiment.run([0])
    (experiment.folder.path / "figures").mkdir(exist_ok=True)
    return experiment.folder.path


def attack(run: Path, song: Path, name: str, place: Path) -> list[str]:
    """Spoil a copy of `run` beside a good one, run report and predict on it; print a line, and return what failed."""
    runs = Path(tempfile.mkdtemp(dir=place))
    shutil.copytree(run, runs / f"{run.name[:-1]}x")
    spoilt = runs / run.name
    shutil.copytree(run, spoilt)
    WAYS[name](spoilt)

    def write_report() -> None:
        page = report.write(runs).read_text("utf-8")
        if f"{run.name[:-1]}x" not in page or run.name not in page:
            raise AssertionError("a run is missing in the page")

    def write_curve() -> None:
        curve_files.write(predict.predict_curve(song, spoilt), place / "out", song)

    failed = []
    for command, what in (("report", write_report), ("predict", write_curve)):
        said, seconds, megabytes = measured(what)
        print(f"{name:<48.48} {command:<8}{seconds:5.1f} s {megabytes:6.0f} MB  {said[:150]}", flush=True)
        if said.startswith("!") or megabytes > MOST_MB:
            failed.append(f"{name}, {command}: {said}")
    shutil.rmtree(runs, ignore_errors=True)
    return failed


def main() -> None:
    """Try all ways, or those whose name holds a word; exit 1 if one of them is more than a sentence."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="a small decided run of preset smoke")
    parser.add_argument("--only", default="", help="ways whose name holds this")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run = chosen.run or good_run(place / "good")
        import soundfile

        song = place / "song.wav"
        soundfile.write(song, 0.1 * np.random.default_rng(0).standard_normal(22050 * 6), 22050)
        first, _, _ = measured(lambda: curve_files.write(predict.predict_curve(song, run), place / "out", song))
        assert first == "fine", first
        names = [name for name in WAYS if chosen.only in name]
        failed = [line for name in names for line in attack(run, song, name, place)]
    print(f"{len(names)} ways, {len(failed)} failures")
    for line in failed:
        print(f"  {line}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
