"""Run folders: nothing half written, nothing called done too early, and every number comes back as it was."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit import files, paths
from mer_kit.checks import MerKitError
from mer_kit.files import writing
from mer_kit.later_settings import kinds
from mer_kit.records import EpochRecord, FoldResult
from mer_kit.runs import run_folder, schema
from mer_kit.runs.config import RunConfig, as_dictionary, changed
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import FOLD_FILES, RunFolder
from mer_kit.training.partition import PartitionSettings
from mer_kit.training.settings import TrainingSettings

# ---- atomic writes ---------------------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file_and_no_partial(tmp_path):
    target = tmp_path / "deep" / "er" / "numbers.txt"
    with writing(target) as partial:
        partial.write_text("whole")
        assert (
            not target.exists() and partial.parent == target.parent
        )  # a rename within one file system
    with pytest.raises(RuntimeError), writing(target) as partial:
        partial.write_text("ha")
        raise RuntimeError("disk full")
    assert [entry.name for entry in target.parent.iterdir()] == ["numbers.txt"]
    assert target.read_text() == "whole"


@pytest.mark.parametrize("write", [run_folder.write_json, files.write_table])
def test_json_and_tables_that_cannot_be_written_leave_nothing(tmp_path, write):
    class Broken(dict):
        def to_csv(self, path: Path, **_: Any) -> None:
            path.write_text("a,b\n1")
            raise OSError("disk full")

    with pytest.raises((OSError, TypeError)):
        write(tmp_path / "file", Broken(bad={1, 2}))
    assert list(tmp_path.iterdir()) == []


def test_partials_are_not_taken_for_results(tmp_path):
    """A process that is killed while writing leaves its partial; no reader's pattern may match it."""
    with writing(tmp_path / "a-run" / "config.json") as partial:
        partial.write_text("{}")
        assert run_folder.all_runs(tmp_path) == [] and partial.name.startswith(".")
        assert not list(tmp_path.glob("*/config*")) and not list(tmp_path.glob("*/[!.]*"))


# ---- JSON ------------------------------------------------------------------------------------------------------------


def test_json_is_plain_and_strict(tmp_path):
    content = {
        "whole": np.int64(3),
        "float": np.float32(0.5),
        "nan": float("nan"),
        "infinite": np.inf,
        "flag": np.bool_(True),
        "array": np.array([[1.0, np.nan]]),
        "path": Path("a/b"),
        "record": FoldResult(
            0, 9, 1, {"accuracy": np.float64(0.1)}, {"svm": {"f1_0": 1.0}}, {}, 2.5
        ),
        "tuple": (1, "zwölf"),
        7: None,
    }
    run_folder.write_json(tmp_path / "x.json", content)
    text = (tmp_path / "x.json").read_text("utf-8")

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    stored = json.loads(text, parse_constant=refuse)
    assert stored == schema.read_json(tmp_path / "x.json")
    assert (
        stored["whole"] == 3
        and stored["float"] == 0.5
        and stored["nan"] is None
        and stored["infinite"] is None
    )
    assert stored["flag"] is True and stored["array"] == [[1.0, None]] and stored["path"] == "a/b"
    assert stored["record"]["segments"] == {"accuracy": 0.1} and stored["record"]["seconds"] == 2.5
    assert (
        stored["tuple"] == [1, "zwölf"]
        and stored["7"] is None
        and "zwölf" in text
        and text.endswith("\n")
    )


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None, max_examples=50)
def test_json_numbers_come_back_bit_equal(tmp_path_factory, value):
    file = tmp_path_factory.mktemp("json") / "x.json"
    run_folder.write_json(file, {"a": np.float64(value)})
    assert schema.read_json(file)["a"] == value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"state": "do',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_torn_json_gets_a_sentence(tmp_path, content):
    (tmp_path / "status.json").write_bytes(content)
    with pytest.raises(
        MerKitError,
        match="status.json in .* cannot be read .* expected a run's JSON file: run it again",
    ):
        schema.read_json(tmp_path / "status.json")
    with pytest.raises(MerKitError, match="absent.json in .* cannot be read"):
        schema.read_json(tmp_path / "absent.json")
    (tmp_path / "status.json").write_text("[1, 2]")
    with pytest.raises(
        MerKitError,
        match=r"status.json in .* holds \[1, 2\], expected names and values: run it again",
    ):
        schema.read_json(tmp_path / "status.json")


# ---- records through CSV ---------------------------------------------------------------------------------------------

FLOATS = st.floats(width=64)
RECORDS = st.builds(
    EpochRecord,
    epoch=st.integers(1, 200),
    phase=st.sampled_from(["warmup", "plain", "ssl"]),
    loss=FLOATS,
    loss_mix=FLOATS,
    loss_kl=FLOATS,
    lambda_kl=FLOATS,
    learning_rate=FLOATS,
    evaluation_loss=FLOATS,
    train_accuracy=FLOATS,
    n_labelled=st.integers(0, 10**7),
    n_unlabelled=st.integers(0, 10**7),
    separated=st.booleans(),
    loss_gap=FLOATS,
    pseudo_agreement=FLOATS,
    pseudo_confidence=FLOATS,
    labelled_class_share=st.lists(st.floats(0, 1), max_size=5).map(tuple),
    seconds=FLOATS,
    note=st.sampled_from(
        ["", "no separation: X and U differ by 0.08 nat, under 0.1", 'a "quoted", note', "nan-like"]
    ),
)


def _same(one: EpochRecord, other: EpochRecord) -> bool:
    for field in dataclasses.fields(EpochRecord):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, float) and math.isnan(a):
            if not math.isnan(b):
                return False
        elif type(a) is not type(b) or a != b:
            return False
    return True


@given(st.lists(RECORDS, min_size=1, max_size=5))
@settings(deadline=None, max_examples=80)
def test_history_comes_back_bit_equal_through_csv(tmp_path_factory, records):
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    files.write_table(
        folder.fold(0) / "history.csv", pd.DataFrame([record.row() for record in records])
    )
    again = folder.history(0)
    assert len(again) == len(records) and all(map(_same, again, records))


@given(RECORDS)
@settings(deadline=None, max_examples=50)
def test_a_row_in_memory_comes_back_too(record):
    assert _same(EpochRecord.from_row(record.row()), record)


# ---- fingerprints ----------------------------------------------------------------------------------------------------

BASE = resolve(preset="cpu", ramp_fraction=0.0)


def _mark(config: RunConfig = BASE, *, corpus_checksum: str = "c", code_version: str = "1") -> str:
    return run_folder.fingerprint(
        config, corpus_checksum=corpus_checksum, code_version=code_version
    )


SPLIT = {
    *kinds(PartitionSettings),
    "temperature",
    "pseudo_labels",
    "soft_targets",
    "restart_schedule",
}
RDROP = {"lambda_kl", "ramp_epochs", "ramp_fraction"}
CHANGES: dict[str, Any] = {
    "corpus": "4q",
    "task": "valence",
    "segment_seconds": 2.0,
    "folds": 5,
    "seed": 1,
    "fold_seed": 7,
    "group_by": "song",
    "grouping": "exact",
    "divide_by": "official",
    "max_seconds": None,
    "song_features": "oof",
    "theta": 0.4,
    "svm_folds": "songs",
    "noise_kind": "song",
    "noise_rate": 0.2,
    "padding": "zero",
    "training": changed(BASE, tau=0.4, alpha=0.4).training,
    "frontend_settings": {"n_mels": 64},
    "train_every_seconds": 1.0,
    "corpus_options": {"drift": 0.4},
    "classes": ("folk", "rock"),
}


#: Another value for each setting of SSSL's training.
TRAINING: dict[str, Any] = {
    "epochs": 14,
    "warmup_epochs": 2,
    "warmup_accuracy": 0.5,
    "warmup_mixup": not BASE.training.warmup_mixup,
    "batch_size": 32,
    "optimizer": "sgd",
    "learning_rate": 0.5,
    "weight_decay": 0.5,
    "schedule": "constant",
    "gradient_clip": 0.5,
    "share": 0.5,
    "tau": 0.4,
    "per_class": True,
    "reg_covar": 0.5,
    "min_gap": 0.5,
    "max_unlabelled": 0.5,
    "temperature": 0.4,
    "pseudo_labels": "epoch",
    "alpha": 0.4,
    "lambda_kl": 0.4,
    "ramp_epochs": 3.0,
    "compile": True,
    "clean_share": (0.1, 0.9),
    "min_per_class": 3,
    "clip_percentiles": (0.0, 100.0),
    "clamp": False,
    "loss_window": 2,
    "song_median": True,
    "dip_test": False,
    "em_tolerance": 1e-3,
    "restart_schedule": False,
    "ramp_fraction": 0.3,
    "renew_batch_norm": False,
    "soft_targets": True,
}


def _with_another(name: str, config: RunConfig = BASE) -> RunConfig:
    """Return the configuration with another value of one setting of the training."""
    more = {"restart_schedule": False} if name == "warmup_accuracy" else {}  # never both
    return changed(config, **{name: TRAINING[name]}, **more)


def test_every_setting_that_changes_a_number_changes_the_fingerprint():
    assert set(CHANGES) | {"preset", "on_bad_clip", "frontend", "system", "system_settings"} == {
        field.name for field in dataclasses.fields(RunConfig)
    }
    # of these methods none has settings of its own; front-ends, networks and systems: tests/test_extending.py
    assert set(TRAINING) | {"own", "method", "network", "model"} == set(kinds(TrainingSettings))
    marks = [_mark(dataclasses.replace(BASE, **{name: value})) for name, value in CHANGES.items()]
    marks += [_mark(_with_another(name)) for name in TRAINING]
    marks += [
        _mark(changed(BASE, **one))
        for one in ({"head_pool": 3}, {"dropout": 0.3}, {"width": 16}, {"method": "ce"})
    ]
    marks += [_mark(corpus_checksum="d"), _mark(code_version="2"), _mark()]
    assert len(set(marks)) == len(marks)
    assert all(len(mark) == 10 and int(mark, 16) >= 0 for mark in marks)


def test_names_and_spellings_do_not_change_it():
    assert _mark(dataclasses.replace(BASE, preset="mine", on_bad_clip="skip")) == _mark()
    ours = resolve(
        preset="cpu",
        epochs=20.0,
        ramp_fraction=0,
        weight_decay=0.02,
        ramp_epochs=4,
        max_seconds=30,
        theta=0.5,
        width=8.0,
    )
    assert _mark(ours) == _mark()  # 4 is 4.0


@pytest.mark.parametrize(
    ("method", "idle"),
    [
        ("sssl", set()),
        ("sssl_no_kl", RDROP),
        ("mixup", RDROP | {"warmup_mixup"} | SPLIT),
        ("ce", RDROP | {"warmup_mixup", "alpha", "renew_batch_norm"} | SPLIT),
    ],
)
def test_settings_that_a_method_has_no_use_for_do_not_change_it(method, idle):
    config = changed(BASE, method=method)
    others = {name: _with_another(name, config) for name in TRAINING}
    assert {name for name, other in others.items() if _mark(other) == _mark(config)} == idle


# ---- run folders -----------------------------------------------------------------------------------------------------


def _finish(folder: RunFolder, number: int) -> None:
    for name in FOLD_FILES:
        with writing(folder.fold(number) / name) as partial:
            partial.write_bytes(b"x")
    folder.set_status("done", fold=number, seconds=1.5)


def test_folder_names():
    config = resolve(corpus="demo", task="arousal", segment_seconds=2.5, method="sssl_no_kl")
    assert RunFolder.of(Path("runs"), config, "0123456789").path == Path(
        "runs/demo-arousal-2.5s-sssl_no_kl-0123456789"
    )
    assert RunFolder.of(Path("runs"), resolve(), "ab").path.name == "demo-quadrant-3s-sssl-ab"


def test_a_fold_is_done_only_with_its_status_and_all_its_files(tmp_path):
    folder = RunFolder(tmp_path)
    assert not folder.fold_done(0) and folder.folds_done() == []
    _finish(folder, 0)
    assert folder.fold_done(0)
    for name in FOLD_FILES:
        kept = (folder.fold(0) / name).read_bytes()
        (folder.fold(0) / name).unlink()
        assert not folder.fold_done(0), name
        (folder.fold(0) / name).write_bytes(kept)
    assert folder.fold_done(0)
    for state in ("running", "failed"):
        folder.set_status(state, fold=0)
        assert not folder.fold_done(0)
    (folder.fold(0) / "status.json").write_text(
        '{"state": "do'
    )  # torn: train it again, do not stop for ever
    assert not folder.fold_done(0)
    (folder.fold(0) / "status.json").unlink()
    assert not folder.fold_done(0)


def test_finished_folds_are_listed_by_number(tmp_path):
    folder = RunFolder(tmp_path)
    for number in (10, 2, 0):
        _finish(folder, number)
    folder.set_status("running", fold=1)
    (folder.path / "folds" / "notes").mkdir()
    assert folder.folds_done() == [0, 2, 10]


def test_status_of_the_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert folder.status == "new"
    folder.set_status("running", of=10)
    assert folder.status == "running"
    stored = schema.read_json(folder.path / "status.json")
    assert stored["of"] == 10 and len(stored["at"]) == len("2026-01-31T12:00:00")
    (folder.path / "status.json").write_text("")
    assert folder.status == "failed"


def test_epochs_segments_and_config_come_back(tmp_path):
    folder = RunFolder(tmp_path)
    run_folder.write_json(folder.path / "config.json", as_dictionary(resolve(task="valence")))
    p = np.random.default_rng(0).dirichlet(np.ones(4), (3, 5)).astype(np.float16)
    beside = {
        "labels": np.arange(5, dtype=np.int8) % 4,
        "clip": np.arange(5),
        "start_s": np.arange(5.0),
    }
    with files.writing(folder.fold(2) / "epochs.npz") as partial, partial.open("wb") as file:
        np.savez_compressed(file, probabilities=p, **beside)
    stored = folder.epochs(2)
    assert stored["probabilities"].tobytes() == p.tobytes() and stored["labels"].tolist() == [
        0,
        1,
        2,
        3,
        0,
    ]
    table = pd.DataFrame(
        {"clip_id": ["007", "08"], "start_s": [0.0, 1.0], "end_s": [3.0, 4.0], "part": "test"}
    )
    table = table.assign(**{"label": "V+", "V-": [0.25, 1 / 3], "V+": [0.75, 2 / 3]})
    files.write_table(folder.fold(2) / "segments.csv", table, float_format="%.6g")
    again = folder.segments(2)
    assert again["clip_id"].tolist() == ["007", "08"] and again["V-"].tolist() == [0.25, 0.333333]
    assert folder.config["training"]["tau"] == resolve().training.partition.tau


def test_all_runs_are_the_folders_with_a_config(tmp_path):
    assert run_folder.all_runs(tmp_path / "absent") == []
    for name in ("b-run", "a-run"):
        run_folder.write_json(tmp_path / name / "config.json", {})
    (tmp_path / "half").mkdir()
    assert [run.path.name for run in run_folder.all_runs(tmp_path)] == ["a-run", "b-run"]


def test_where_runs_go(monkeypatch, tmp_path):
    monkeypatch.setenv("MER_RUNS", str(tmp_path / "elsewhere"))
    assert paths.default_runs_dir() == tmp_path / "elsewhere"
    monkeypatch.delenv("MER_RUNS")
    monkeypatch.setattr(paths, "project_root", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert paths.default_runs_dir() == tmp_path / "runs"
