"""Ways to spoil a run folder, for `spoilt_runs.py`: what people really end up with, and what an attacker would send."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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


def _linked(name: str, target: Callable[[Path], Path]) -> Spoil:
    """Put a link in the place of a file or folder."""

    def spoil(run: Path) -> None:
        place = run / name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target(run))

    return spoil


def private(run: Path) -> Path:
    """Return the folder outside of the runs that nobody has to read or to write; `spoilt_runs` makes it."""
    return run.parent.parent / "private"


def _moved(name: str) -> Spoil:
    """Move a file of fold 0 out of the run and leave a link to it."""

    def spoil(run: Path) -> None:
        shutil.copy(run / name, private(run) / Path(name).name)
        (run / name).unlink()
        (run / name).symlink_to(private(run) / Path(name).name)

    return spoil


def _renamed(name: str | bytes) -> Spoil:
    return lambda run: os.rename(run, os.path.join(os.fsencode(run.parent), os.fsencode(name)))


def _linked_run(run: Path) -> None:
    """Move a run with a notebook out of the runs and leave a link to it: a page written there would be outside."""
    _notebook(lambda nb: None)(run)
    shutil.move(run, private(run) / run.name)
    run.symlink_to(private(run) / run.name)


def _rows(path: Path, n_bytes: int) -> None:
    """Write a table of very short rows, which takes many times its size when it is read."""
    header, row = b"clip_id,start_s,end_s,part,label,Q1,Q2,Q3,Q4\n", b"a,0,1,train,Q1,1,0,0,0\n"
    path.write_bytes(header + row * (n_bytes // len(row)))


def _large_model(run: Path) -> None:
    """Claim one more tensor of 3 GB, which is there as a hole in the file."""
    data = (run / MODEL).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    end = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    size = 3 << 30
    header["/network/hole"] = {"dtype": "F32", "shape": [size // 4], "data_offsets": [end, end + size]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (run / MODEL).write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    os.truncate(run / MODEL, 8 + len(text) + end + size)


def _zeros(run: Path) -> None:
    """Write passes of honest shape, 8 GB of zeros in 8 MB."""
    shape, block = (1000, 1_000_000, 4), bytes(1 << 24)
    with zipfile.ZipFile(run / EPOCHS, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        with archive.open("probabilities.npy", "w", force_zip64=True) as file:
            file.write(_header(str(shape)))
            for _ in range(8_000_000_000 // len(block)):
                file.write(block)
            file.write(bytes(8_000_000_000 % len(block)))
        for name in ("labels", "clip", "start_s"):
            archive.writestr(f"{name}.npy", _header("(1000000,)", "<i4") + bytes(4_000_000))


def _entries(archive: zipfile.ZipFile) -> None:
    for number in range(20_000):
        archive.writestr(f"{number}.npy", b"")


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
    "config: a mark before it": lambda r: _bytes(CONFIG, b"\xef\xbb\xbf" + (r / CONFIG).read_bytes())(r),
    "config: NaN": _text(CONFIG, lambda t: t.replace('"segment_seconds": 3.0', '"segment_seconds": NaN')),
    "config: half a character": _set(CONFIG, "corpus", "\ud800"),
    "config: 8 MB of lists": _bytes(CONFIG, b'{"skipped": [' + b"[]," * 2_790_000 + b"[]]}"),
    "config: training 900 deep": _text(
        CONFIG, lambda t: t.replace('"training": {', '"training": {"a": ' + "[" * 900 + "]" * 900 + ",")
    ),
    "config: options that clash": _set(CONFIG, "corpus_options", {"data_root": 1, "name": 2}),
    "config: options of another corpus": _set(CONFIG, "corpus_options", {"ties": "low"}),
    "config: fewer keys": _json(CONFIG, lambda c: {k: c[k] for k in list(c)[:7]}),
    "config: more keys": _json(CONFIG, lambda c: c.update({"<b>": {"x": [1]}, "later": None})),
    "config: one fold": _set(CONFIG, "folds", 1),
    "config: leads out": _moved(CONFIG),
    "metrics: leads out": _moved(METRICS),
    "metrics: 3 GB": _replace(METRICS, _sparse),
    "metrics: a folder": _replace(METRICS, Path.mkdir),
    "metrics: above 1": _json(METRICS, lambda c: c["folds"][0]["songs"]["svm"].__setitem__("accuracy", 7)),
    "metrics: a score is names": _json(
        METRICS, lambda c: c["folds"][0]["songs"]["svm"].__setitem__("accuracy", {"a": 1})
    ),
    "metrics: scores are null": _json(
        METRICS, lambda c: c["folds"][0]["songs"].__setitem__("svm", dict.fromkeys(c["folds"][0]["songs"]["svm"]))
    ),
    "metrics: a fold twice": _json(METRICS, lambda c: c["folds"].append(c["folds"][0])),
    "metrics: fold 99": _json(METRICS, lambda c: c["folds"][0].__setitem__("fold", 99)),
    "metrics: no fold": _json(METRICS, lambda c: c.__setitem__("folds", [])),
    "metrics: counts are 1e308": _json(METRICS, lambda c: c["folds"][0].__setitem__("n_test", 1e308)),
    "metrics: a score less": _json(METRICS, lambda c: c["folds"][0]["segments"].pop("macro_f1") and None),
    "metrics: no majority": _json(METRICS, lambda c: c["folds"][0].pop("majority") and None),
    "status: a pipe": _replace(STATUS, os.mkfifo),
    "status: a folder": _replace(STATUS, Path.mkdir),
    "status: leads out": _moved(STATUS),
    "status: half a character": _json(STATUS, lambda c: c.update(state="failed", message="\ud800")),
    "status: a message of 10 MB": _json(STATUS, lambda c: c.update(state="failed", message="x" * 10_000_000)),
    "status: seconds less than none": _set(STATUS, "seconds", -1e300),
    "status of the run: a list": _bytes("status.json", b"[]"),
    "status of the run: a pipe": _replace("status.json", os.mkfifo),
    "model: leads out": _moved(MODEL),
    "segments: leads out": _moved(SEGMENTS),
    "svm: leads out": _moved(SVM),
    "svm: a folder": _replace(SVM, Path.mkdir),
    "svm: 3 GB": _replace(SVM, _sparse),
    "svm: vectors of 1e308": _tensors(SVM, lambda a, m: a.update(vectors=a["vectors"] + 1e308)),
    "fold 0 leads out": lambda r: (
        shutil.copytree(r / "folds/0", private(r) / "fold"),
        _linked("folds/0", lambda q: private(q) / "fold")(r),
    ),
    "folds lead out": lambda r: (
        shutil.copytree(r / "folds", private(r) / "folds"),
        _linked("folds", lambda q: private(q) / "folds")(r),
    ),
    "folds is a pipe": lambda r: (shutil.rmtree(r / "folds"), os.mkfifo(r / "folds")),
    "fold 0 is a file": lambda r: (shutil.rmtree(r / "folds/0"), (r / "folds/0").write_text("x")),
    "no folds": lambda r: shutil.rmtree(r / "folds"),
    "only a backup of fold 0": lambda r: (r / "folds/0").rename(r / "folds/0.bak"),
    "a backup that failed": lambda r: (
        _copy_of_fold("0.bak")(r),
        (r / "folds/0.bak/03_x.status.json").write_text('{"state": "failed"}'),
    ),
    "notebooks lead out": _linked("notebooks", private),
    "figures lead out": _linked("figures", private),
    "a page leads out": _linked("notebooks/02_noisy_labels.html", lambda r: private(r) / "diary.txt"),
    "the run is a link": _linked_run,
    "the run is a file": lambda r: (shutil.rmtree(r), r.write_text("x")),
    "the run is named with HTML": _renamed("demo-<img src=x onerror=alert(1)>&\"'-1"),
    "the run is named with a line": _renamed("demo-a\nb\x1b[2J"),
    "the run is named in Latin-1": _renamed(b"demo-caf\xe9"),
    "the run is named with $ and {": _renamed("demo-$a_b$-{c}-%d"),
    "a figure is named in Latin-1": lambda r: shutil.copy(__file__, os.fsencode(r / "figures") + b"/caf\xe9.png"),
    "a notebook is named in Latin-1": lambda r: (
        (r / "notebooks").mkdir(exist_ok=True),
        open(os.fsencode(r / "notebooks") + b"/caf\xe9.ipynb", "wb").close(),
    ),
    "songs.csv: a pipe": _replace("songs.csv", os.mkfifo),
    "songs.csv: leads out": _moved("songs.csv"),
    **{
        f"segments forged: {k}": _unsealed(v)
        for k, v in {
            "UTF-16": lambda r: _bytes(SEGMENTS, (r / SEGMENTS).read_text("utf-8").encode("utf-16"))(r),
            "NUL": _text(SEGMENTS, lambda t: t.replace("train", "tr\0ain", 3)),
            "semicolons": _text(SEGMENTS, lambda t: t.replace(",", ";")),
            "only test songs": _text(SEGMENTS, lambda t: t.replace("train", "test")),
            "a song in both": _text(SEGMENTS, lambda t: t.replace("train", "test", 1)),
            "one class": _text(
                SEGMENTS, lambda t: "\n".join(row for row in t.split("\n") if ",train," not in row or ",Q1," in row)
            ),
            "a column twice": _text(SEGMENTS, lambda t: t.replace("Q1,Q2,Q3,Q4\n", "Q1,Q1,Q3,Q4\n", 1)),
            "a value less": _text(SEGMENTS, lambda t: t.replace(",0.", ",", 1)),
            "120 MB of short rows": lambda r: (_rows(r / SEGMENTS, 120 << 20), (r / SVM).unlink()),
            "a quote": _text(SEGMENTS, lambda t: t.replace(",", ',"', 1)),
        }.items()
    },
    **{
        f"model forged: {k}": _unsealed(v)
        for k, v in {
            "a hole of 3 GB": _large_model,
            "of 2 classes": _tensors(
                MODEL,
                lambda a, m: (
                    m.update(tree=m["tree"].replace('["n_classes", {"value": 4}]', '["n_classes", {"value": 2}]')),
                    a.update({k: v[:2] for k, v in a.items() if "classifier.6" in k}),
                ),
            ),
            "1e9 classes": _tensors(
                MODEL,
                lambda a, m: m.update(
                    tree=m["tree"].replace('["n_classes", {"value": 4}]', '["n_classes", {"value": 1000000000}]')
                ),
            ),
            "64 bands": _tensors(MODEL, lambda a, m: a.update({k: v[:64] for k, v in a.items() if "bands" in k})),
            "bands without spread": _tensors(
                MODEL, lambda a, m: a.update({k: v * 0 for k, v in a.items() if "bands" in k})
            ),
            "dropout text": _tensors(MODEL, lambda a, m: m.update(tree=m["tree"].replace('"network"', '"dropout"', 1))),
            "keys that are lists": _tensors(MODEL, lambda a, m: m.update(tree='{"dict": [[[1], {"value": 2}]]}')),
            "an entry of two": _tensors(MODEL, lambda a, m: m.update(tree='{"dict": [], "list": []}')),
            "a tensor that is not there": _tensors(MODEL, lambda a, m: m.update(tree='{"tensor": "x"}')),
            "a tree of 60 MB": _tensors(
                MODEL, lambda a, m: m.update(tree='{"list":[' + '{"value":1},' * 5_000_000 + '{"value":1}]}')
            ),
            "a folder": _replace(MODEL, Path.mkdir),
            "missing": lambda r: (r / MODEL).unlink(),
        }.items()
    },
    **{
        f"epochs forged: {k}": _unsealed(v)
        for k, v in {
            "8 GB of zeros": _zeros,
            "20,000 entries": _npz(EPOCHS, _entries),
            "empty": _bytes(EPOCHS, b""),
            "a pipe": _replace(EPOCHS, os.mkfifo),
            "another shape": _npz(
                EPOCHS,
                lambda z: [
                    z.writestr(f"{n}.npy", _header("(2, 2)", "<f4") + bytes(16))
                    for n in ("probabilities", "labels", "clip", "start_s")
                ],
            ),
        }.items()
    },
    **{
        f"history forged: {k}": _unsealed(v)
        for k, v in {
            "a column less": _text(HISTORY, lambda t: t.replace("loss_gap", "gap")),
            "a million columns": _bytes(HISTORY, b"a," * 1_000_000 + b"\n"),
            "no epochs": _text(HISTORY, lambda t: t.split("\n")[0] + "\n"),
            "binary": _bytes(HISTORY, os.urandom(4000)),
        }.items()
    },
}
