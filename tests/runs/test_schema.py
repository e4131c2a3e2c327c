"""What is wrong in a run's files is named where it is read; what is missing or unknown is no error."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.runs import run_folder, stored_tables
from mer_kit.runs.config import as_dictionary
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import RunFolder

WRONG_CONFIG: list[tuple[str, Any]] = [
    ("corpus", {"a": 1}), ("corpus", "x" * 300), ("corpus", "a\nb"), ("corpus", "\ud800"), ("corpus", None),
    ("task", "mood"), ("task", ["quadrant"]), ("segment_seconds", "3"), ("segment_seconds", 1e308), ("segment_seconds", -1),
    ("segment_seconds", True), ("method", 3), ("folds", 10**9), ("folds", 2.5), ("folds", "three"), ("folds", 0),
    ("seed", [1]), ("seed", -1), ("theta", 2), ("theta", "half"), ("training", 3), ("model", []), ("corpus_options", [1]),
    ("skipped", "all"), ("fingerprint", {}), ("max_seconds", "30"),
]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "a-run")
    run_folder.write_json(folder.path / "config.json", as_dictionary(resolve(task="valence")))
    return folder


def change(run: RunFolder, **values: Any) -> None:
    file = run.path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize(("name", "value"), WRONG_CONFIG)
def test_a_setting_of_another_kind_or_range_is_named(run: RunFolder, name: str, value: Any) -> None:
    change(run, **{name: value})
    with pytest.raises(
        MerKitError, match=f"config.json in a-run has {name} .*, expected .*: run it again"
    ) as told:
        _ = run.config
    assert len(str(told.value)) < 250 and str(told.value).isprintable()


def test_what_is_not_finite_or_not_there_is_named(run: RunFolder) -> None:
    file = run.path / "config.json"
    whole = file.read_text()
    file.write_text(whole.replace('"segment_seconds": 3.0', '"segment_seconds": NaN'))
    with pytest.raises(MerKitError, match="segment_seconds nan, expected seconds above 0"):
        _ = run.config
    content = json.loads(whole)
    for name in ("corpus", "task", "segment_seconds", "method", "preset", "folds", "seed"):
        file.write_text(json.dumps({key: value for key, value in content.items() if key != name}))
        with pytest.raises(MerKitError, match=f"config.json in a-run lacks {name}, expected"):
            _ = run.config


def test_other_versions_may_know_less_and_more(run: RunFolder) -> None:
    content = {
        "corpus": "mine",
        "task": "valence",
        "segment_seconds": 3,
        "method": "elr",
        "preset": "p",
        "folds": 10,
        "seed": 0,
    }
    (run.path / "config.json").write_text(json.dumps({**content, "later": {"<b>": [1, None]}}))
    assert run.config["later"] == {"<b>": [1, None]} and "theta" not in run.config


def test_editors_that_mark_utf8_do_no_harm(run: RunFolder) -> None:
    file = run.path / "config.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert run.config["task"] == "valence"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX has pipes and links")
@pytest.mark.parametrize("kind", ["pipe", "zero", "out", "folder", "loop", "large"])
def test_only_small_plain_files_of_the_folder_are_read(
    run: RunFolder, tmp_path: Path, kind: str
) -> None:
    file = run.path / "config.json"
    (tmp_path / "outside.json").write_bytes(file.read_bytes())
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "large":
        with open(file, "wb") as hole:
            hole.truncate(3 << 30)
    else:
        file.symlink_to({"zero": "/dev/zero", "out": tmp_path / "outside.json", "loop": file}[kind])
    with pytest.raises(
        MerKitError,
        match="config.json in a-run (is not a regular file|has 3,221,225,472 bytes|cannot be)",
    ):
        _ = run.config


SCORES = {"accuracy": 0.5, "macro_f1": 0.4, "weighted_f1": 0.4, "f1_0": 0.5}
FOLD = {
    "fold": 0,
    "n_train": 9,
    "n_test": 3,
    "segments": SCORES,
    "songs": {"svm": SCORES},
    "majority": SCORES,
}
METRICS: dict[str, Any] = {
    "folds": [FOLD],
    "summary": {"n_songs": 3, "seconds": 1.0, "pooled": {"svm": SCORES}},
}
WRONG_METRICS: list[dict[str, Any]] = [
    {"folds": {"0": FOLD}}, {"folds": [1]}, {"folds": [{}]}, {"folds": "all"}, {"folds": [FOLD, FOLD]},
    {"folds": [{**FOLD, "fold": "0"}]}, {"folds": [{**FOLD, "fold": -1}]}, {"folds": [{**FOLD, "n_test": 1e308}]},
    {"folds": [{**FOLD, "songs": {"svm": {"accuracy": "good"}}}]}, {"folds": [{**FOLD, "songs": {"svm": {"accuracy": 7}}}]},
    {"folds": [{**FOLD, "songs": {"svm": {"accuracy": {"mean": 1}}}}]}, {"folds": [{**FOLD, "songs": [1]}]},
    {"folds": [{**FOLD, "segments": None}]}, {"folds": [{**FOLD, "majority": {"accuracy": -0.5}}]},
    {"summary": None}, {"summary": {}}, {"summary": {"n_songs": "3", "pooled": {}}}, {"summary": {"n_songs": 3, "pooled": 1}},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_METRICS)
def test_metrics_of_another_kind_or_range_are_named(run: RunFolder, wrong: dict[str, Any]) -> None:
    (run.path / "metrics.json").write_text(json.dumps(METRICS))
    assert run.metrics() == METRICS
    (run.path / "metrics.json").write_text(json.dumps({**METRICS, **wrong}))
    with pytest.raises(MerKitError, match="metrics.json in a-run .*, expected .*: run"):
        run.metrics()


def test_scores_that_are_not_defined_are_no_error(run: RunFolder) -> None:
    empty = {**FOLD, "songs": {"svm": dict.fromkeys(SCORES), "kappa": {"kappa": -0.3, "n": 12}}}
    (run.path / "metrics.json").write_text(json.dumps({**METRICS, "folds": [empty]}))
    assert run.metrics()["folds"][0]["songs"]["svm"]["accuracy"] is None


@pytest.mark.parametrize(
    "status", [{"state": [1]}, {"seconds": "long"}, {"seconds": -1}, {"message": 3}, {"files": 7}]
)
def test_a_status_of_another_kind_is_no_finished_fold(
    run: RunFolder, status: dict[str, Any]
) -> None:
    for name in run_folder.FOLD_FILES:
        with files.writing(run.fold(0) / name) as partial:
            partial.write_bytes(b"x")
    run.set_status("done", fold=0, seconds=1.0)
    assert run.folds_done() == [0]
    run_folder.write_json(run.fold(0) / "status.json", {"state": "done", **status})
    assert run.folds_done() == []
    with pytest.raises(MerKitError, match=r"status.json in 0 has .*, expected"):
        run.fold_status(0)


# ---- tables ----------------------------------------------------------------------------------------------------------


def segments() -> pd.DataFrame:
    table = pd.DataFrame(
        {"clip_id": ["007", "007", "b"], "start_s": [0.0, 1, 0], "end_s": [3.0, 4, 3]}
    )
    return table.assign(
        part=["train", "train", "test"],
        label=["V+", "V+", "V-"],
        **{"V-": [0.2, 0.4, 1], "V+": [0.8, 0.6, 0]},
    )


def spoilt(column: str, value: Any) -> pd.DataFrame:
    table = segments().astype({column: object})
    table.loc[0, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (segments().iloc[:0], "no rows"),
        (spoilt("part", "trial"), "a part that is neither train nor test"),
        (spoilt("part", "test"), "a song both among the training and the test songs"),
        (spoilt("label", "Q1"), r"a label not among V-, V\+"),
        (spoilt("label", "V-"), "a song with two labels"),
        (spoilt("end_s", 0.0), "a segment that ends before it begins"),
        (spoilt("end_s", float("nan")), r"cannot be read as a table"),
        (spoilt("V+", 0.9), "probabilities that do not sum to 1"),
        (spoilt("V+", "inf"), "probabilities that are negative or not numbers"),
        (spoilt("V+", -0.2), "probabilities that are negative or not numbers"),
        (spoilt("V+", "0,8"), "cannot be read as a table"),
        (segments().rename(columns={"V+": "K2"}), r"lacks the column 'V\+'"),
    ],
)
def test_segments_that_no_network_wrote_are_refused(
    run: RunFolder, table: pd.DataFrame, words: str
) -> None:
    files.write_table(run.fold(0) / "segments.csv", segments())
    assert run.segments(0)["clip_id"].tolist() == ["007", "007", "b"]
    files.write_table(run.fold(0) / "segments.csv", table)
    with pytest.raises(MerKitError, match=f"segments.csv .*{words}"):
        run.segments(0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        os.urandom(3000),
        b"a," * 200_000,
        "clip_id,start_s\n".encode("utf-16"),
        b'clip_id,"start_s\n' * 9,
    ],
)
def test_what_is_no_table_is_refused(run: RunFolder, content: bytes) -> None:
    run.fold(0).mkdir(parents=True)
    (run.fold(0) / "segments.csv").write_bytes(content)
    with pytest.raises(
        MerKitError, match=r"segments.csv in 0 (cannot be read as a table|lacks the column)"
    ):
        run.segments(0)


def test_columns_that_nobody_asked_for_are_not_kept(tmp_path: Path) -> None:
    files.write_table(tmp_path / "x.csv", pd.DataFrame({"a": [1], "later": ["x"], "b": ["y"]}))
    assert stored_tables.read_table(tmp_path / "x.csv", {"a": int, "b": str, "c": str}, optional=("c",)).to_dict("list") == {
        "a": [1], "b": ["y"]
    }  # fmt: skip
    with pytest.raises(MerKitError, match="lacks the column 'c', expected a, c"):
        stored_tables.read_table(tmp_path / "x.csv", {"a": int, "c": str})


def test_a_history_of_another_version_has_missing_values(run: RunFolder) -> None:
    row = {
        "epoch": 1,
        "phase": "warmup",
        "loss": 1.5,
        "n_labelled": 4,
        "n_unlabelled": 0,
        "separated": False,
        "later": 7,
    }
    files.write_table(run.fold(0) / "history.csv", pd.DataFrame([row]))
    (record,) = run.history(0)
    assert (record.epoch, record.loss, record.note, record.labelled_class_share) == (1, 1.5, "", ())
    assert np.isnan(record.loss_kl) and np.isnan(record.seconds)
    files.write_table(run.fold(0) / "history.csv", pd.DataFrame([{**row, "epoch": "first"}]))
    with pytest.raises(MerKitError, match="history.csv in fold 0 has a row that is not an epoch"):
        run.history(0)
