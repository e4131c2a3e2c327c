"""What `collect` reads is what the runs wrote; nothing is dropped; the paper's tables get our rows beneath."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.results import runs_table, status, tables
from mer_kit.results.copies import compare_copies
from mer_kit.results.table3 import table3
from mer_kit.runs.config import as_dictionary
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import FOLD_FILES, RunFolder, write_json
from mer_kit.runs.schema import read_json
from mer_kit.songs import scores

DECIDERS = ("svm", "mean", "vote", "run_length")
Maker = Callable[..., Path]


def write_run(
    runs_dir: Path,
    name: str,
    accuracies: dict[int, float],
    *,
    n_test: int = 20,
    finish: bool = True,
    **settings: Any,
) -> Path:
    """Write a run folder whose fold k answers round(accuracy · n_test) of its songs rightly (by every classifier)."""
    folder = runs_dir / name
    config = resolve(**{"preset": "smoke", "folds": 3, **settings})
    n_classes = 4 if config.task == "quadrant" else 2
    write_json(
        folder / "config.json",
        {**as_dictionary(config), "fingerprint": name, "method_version": "1", "versions": {}},
    )
    folds, truths, answers = [], [], []
    for k, accuracy in accuracies.items():
        truth = np.arange(n_test) % n_classes
        answer = np.where(
            np.arange(n_test) < round(accuracy * n_test), truth, (truth + 1) % n_classes
        )
        score = scores.score(truth, answer, n_classes)
        folds.append(
            {
                "fold": k,
                "n_train": 2 * n_test,
                "n_test": n_test,
                "segments": score,
                "seconds": 60.0 + k,
            }
        )
        folds[-1] |= {
            "songs": dict.fromkeys(DECIDERS, score),
            "majority": scores.majority(truth, truth, n_classes),
        }
        truths.append(truth)
        answers.append(answer)
        write_json(folder / "folds" / str(k) / "status.json", {"state": "done", "seconds": 60.0})
        for file in ("history.csv", "epochs.npz", "model.safetensors", "segments.csv"):
            (folder / "folds" / str(k) / file).touch()
    if accuracies and finish:
        pooled = dict.fromkeys(
            DECIDERS, scores.score(np.concatenate(truths), np.concatenate(answers), n_classes)
        )
        summary = {
            "pooled": pooled,
            "seconds": sum(f["seconds"] for f in folds),
            "n_songs": n_test * len(folds),
        }
        write_json(folder / "metrics.json", {"folds": folds, "summary": summary})
        write_json(folder / "status.json", {"state": "done"})
    return folder


def row(table: pd.DataFrame, name: str) -> pd.Series:
    return table[table["folder"] == name].iloc[0]


def test_a_row_holds_what_the_folds_scored(tmp_path: Path) -> None:
    write_run(tmp_path, "a", {0: 0.5, 1: 0.6, 2: 0.85}, task="valence")
    found = row(runs_table.collect(tmp_path), "a")
    assert found["song_accuracy_mean"] == pytest.approx(0.65)
    assert found["song_accuracy_sd"] == pytest.approx(np.std([0.5, 0.6, 0.85], ddof=1))
    assert found["pooled_accuracy_vote"] == pytest.approx(0.65)
    assert found["majority_accuracy_mean"] == pytest.approx(0.5)
    assert (found["folds_done"], found["folds"], found["n_songs"], found["seconds"]) == (
        3,
        3,
        60,
        183.0,
    )
    assert (found["corpus"], found["task"], found["fingerprint"], found["status"]) == (
        "demo",
        "valence",
        "a",
        "done",
    )
    assert 0 < found["song_positive_f1_mean"] < 1


def test_one_fold_shows_no_spread_and_four_classes_no_positive_f1(tmp_path: Path) -> None:
    write_run(tmp_path, "a", {1: 0.5})
    found = row(runs_table.collect(tmp_path), "a")
    assert math.isnan(found["song_accuracy_sd"]) and math.isnan(found["song_positive_f1_mean"])
    assert (found["status"], found["reason"]) == ("partial", "1 of 3 folds")


def test_no_run_is_dropped_and_each_says_why(tmp_path: Path) -> None:
    write_run(tmp_path, "bare", {})
    write_run(tmp_path, "undecided", {0: 0.5}, finish=False)
    write_run(tmp_path, "running", {})
    write_json(tmp_path / "running/folds/0/status.json", {"state": "running"})
    write_run(tmp_path, "failed", {})
    write_json(
        tmp_path / "failed/folds/1/status.json", {"state": "failed", "message": "KeyError: 'x'"}
    )
    write_run(tmp_path, "stopped", {0: 0.5})
    write_json(
        tmp_path / "stopped/status.json", {"state": "failed", "message": "notebook 05 burst"}
    )
    write_run(tmp_path, "torn", {0: 0.5})
    (tmp_path / "torn/config.json").write_text('{"corpus": ')
    write_run(tmp_path, "foreign", {0: 0.5})
    write_json(tmp_path / "foreign/config.json", {"corpus": "demo"})
    write_run(tmp_path, "headless", {0: 0.5})
    (tmp_path / "headless/config.json").unlink()
    write_run(tmp_path, "odd", {0: 0.5})
    write_json(tmp_path / "odd/metrics.json", {"folds": []})
    write_run(tmp_path, "late", {0: 0.5})
    later = write_run(tmp_path, "later", {0: 0.5, 1: 0.6}, finish=False)
    write_json(later / "metrics.json", read_json(tmp_path / "late/metrics.json"))
    write_run(tmp_path, ".set-aside", {0: 0.5})
    (tmp_path / "figures").mkdir()
    found = runs_table.collect([tmp_path, tmp_path / "nowhere"]).set_index("folder")
    expected = {
        "bare": ("new", "no fold is finished"), "undecided": ("undecided", "fold 0 is trained"),
        "running": ("running", "fold 0 is running"), "failed": ("failed", "fold 1: KeyError: 'x'"),
        "stopped": ("failed", "notebook 05 burst"), "torn": ("unreadable", "config.json in torn cannot be read"),
        "foreign": ("unreadable", "config.json in foreign lacks task"),
        "headless": ("unreadable", "FileNotFoundError"),
        "odd": ("unreadable", "metrics.json in odd lacks summary"),
        "late": ("partial", "1 of 3"), "later": ("partial", "fold 1 is trained, but"),
    }  # fmt: skip
    assert set(found.index) == set(expected)
    for name, (state, reason) in expected.items():
        assert found.loc[name, "status"] == state, name
        assert reason in found.loc[name, "reason"], name
    assert found.loc["stopped", "song_accuracy_mean"] == pytest.approx(0.5)
    assert math.isnan(found.loc["torn", "song_accuracy_mean"])


def seal(run: Path, fold: int = 0) -> None:
    """Keep the checksums of a fold's files, as its training does."""
    folder = RunFolder(run)
    for name in FOLD_FILES:
        (folder.fold(fold) / name).write_bytes(name.encode() * 100)
    folder.set_status("done", fold=fold, seconds=60.0, files=folder.seal(fold))


@pytest.mark.parametrize("name", FOLD_FILES)
@pytest.mark.parametrize("kind", ["a bit", "a line less", "gone", "a link"])
def test_a_file_that_changed_since_the_training_is_named(
    tmp_path: Path, name: str, kind: str
) -> None:
    write_run(tmp_path, "good", {0: 0.5})
    spoilt = write_run(tmp_path, "spoilt", {0: 0.5})
    seal(spoilt)
    assert row(runs_table.collect(tmp_path), "spoilt")["status"] == "partial"
    file = spoilt / "folds/0" / name
    data = file.read_bytes()
    file.unlink()
    if kind == "a link":
        file.symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").write_bytes(data)
    elif kind != "gone":
        file.write_bytes(bytes([data[0] ^ 1]) + data[1:] if kind == "a bit" else data[:-5])
    found = runs_table.collect(tmp_path)
    assert row(found, "good")["status"] == "partial"
    if kind in ("gone", "a link"):  # then nobody can call the fold finished
        assert not RunFolder(spoilt).fold_done(0)
    else:
        assert row(found, "spoilt")["status"] == "changed"
        assert (
            f"fold 0 of spoilt: {name} has changed since the training"
            in row(found, "spoilt")["reason"]
        )
        assert row(found, "spoilt")["song_accuracy_mean"] == pytest.approx(
            0.5
        )  # counted before the change
        with pytest.raises(
            MerKitError, match=f"{name} has changed .* restore it, or delete the fold's folder"
        ):
            RunFolder(spoilt).check_seal(0)
    others = [other for other in FOLD_FILES if other != name]
    RunFolder(spoilt).check_seal(0, others)


def test_large_files_are_compared_by_size_where_many_runs_are_looked_at(
    tmp_path: Path, monkeypatch: Any
) -> None:
    run = write_run(tmp_path, "a", {0: 0.5})
    seal(run)
    monkeypatch.setattr("mer_kit.runs.run_folder.QUICK_BYTES", 1000)
    file = run / "folds/0/model.safetensors"
    data = file.read_bytes()
    assert len(data) > 1000
    file.write_bytes(b"x" + data[1:])
    RunFolder(run).check_seal(0, quick=True)
    with pytest.raises(MerKitError, match="has changed"):
        RunFolder(run).check_seal(0)
    file.write_bytes(data + b"x")
    with pytest.raises(MerKitError, match="has changed"):
        RunFolder(run).check_seal(0, quick=True)


@pytest.mark.parametrize(
    "sealed", [{"segments.csv": 7}, {"segments.csv": {"bytes": "1"}}, {"segments.csv": {}}]
)
def test_checksums_of_another_kind_count_as_changed_and_foreign_names_as_none(
    tmp_path: Path, sealed: Any
) -> None:
    run = RunFolder(write_run(tmp_path, "a", {0: 0.5}))
    run.set_status("done", fold=0, seconds=1.0, files=sealed)
    assert row(runs_table.collect(tmp_path), "a")["status"] == "changed"
    run.set_status(
        "done", fold=0, seconds=1.0, files={"../../../../etc/passwd": {"bytes": 1, "blake2b": "0"}}
    )
    assert row(runs_table.collect(tmp_path), "a")["status"] == "partial"


def test_copies_and_notes_among_the_folds_are_no_folds(tmp_path: Path) -> None:
    plain = write_run(tmp_path, "plain", {0: 0.5, 1: 0.6})
    full = Path(shutil.copytree(plain, tmp_path / "full"))
    for name in ("0.bak", "0 (copy)", "x", "00", "-1", "٣", "99999999999", "7"):
        shutil.copytree(plain / "folds/0", full / "folds" / name)
        write_json(
            full / "folds" / name / "03_sssl_training.status.json",
            {"state": "failed", "message": "old"},
        )
    (full / "folds/7/03_sssl_training.status.json").unlink()
    (full / "folds/2").write_text("a file")
    (full / "folds/.DS_Store").write_bytes(b"x")
    found = runs_table.collect(tmp_path).set_index("folder").drop(columns=["path"])
    pd.testing.assert_series_equal(found.loc["full"], found.loc["plain"], check_names=False)
    assert RunFolder(full).folds_done() == [0, 1, 7]


def test_one_bad_run_never_takes_the_others_away(tmp_path: Path) -> None:
    write_run(tmp_path, "good", {0: 0.5})
    makers: dict[str, Callable[[Path], Any]] = {
        "a pipe for config.json": lambda run: (
            (run / "config.json").unlink(),
            os.mkfifo(run / "config.json"),
        ),
        "a pipe for metrics.json": lambda run: (
            (run / "metrics.json").unlink(),
            os.mkfifo(run / "metrics.json"),
        ),
        "/dev/zero for status.json": lambda run: (
            (run / "status.json").unlink(),
            (run / "status.json").symlink_to("/dev/zero"),
        ),
        "folds is a file": lambda run: (
            shutil.rmtree(run / "folds"),
            (run / "folds").write_text("x"),
        ),
        "deep": lambda run: (run / "metrics.json").write_text('{"folds": ' * 50_000),
        "fold 99": lambda run: (run / "metrics.json").write_text(
            (run / "metrics.json").read_text().replace('"fold": 0', '"fold": 99')
        ),
        "<b>&\x1b[2J\n'\"": lambda run: (run / "config.json").write_text("{"),
        "odd status": lambda run: write_json(run / "folds/0/status.json", {"state": {"a": 1}}),
    }
    for name, spoil in makers.items():
        spoil(write_run(tmp_path, name.replace("/", "_"), {0: 0.5}))
    (tmp_path / "elsewhere").mkdir()
    write_run(tmp_path / "elsewhere", "linked", {0: 0.5})
    (tmp_path / "a link").symlink_to(tmp_path / "elsewhere" / "linked")
    (tmp_path / "a file").write_text("x")
    found = runs_table.collect(tmp_path)
    assert len(found) == len(makers) + 2
    assert row(found, "good")["status"] == "partial" and row(found, "good")[
        "song_accuracy_mean"
    ] == pytest.approx(0.5)
    others = found[found["folder"] != "good"]
    # without its folds a run is what its metrics say
    assert set(others["status"]) == {"unreadable", "partial"} and (others["reason"] != "").all()
    assert "has fold 99 of a run with 3 folds" in row(found, "fold 99")["reason"]
    assert (
        row(found, "a link")["status"] == "unreadable"
        and "is a link" in row(found, "a link")["reason"]
    )
    assert (
        others["folder"].map(str.isprintable).all() and others["reason"].map(str.isprintable).all()
    )
    runs_table.fold_scores(found)
    compare_copies(found)
    written = pd.read_csv(runs_table.write_results_csv(tmp_path))
    assert len(written) == len(found)


def test_long_and_odd_messages_are_cut_to_what_a_page_can_show(tmp_path: Path) -> None:
    run = write_run(tmp_path, "a", {0: 0.5})
    log = ["x" * 10_000, 7, {}, "\x1b[31mred"] * 500
    (run / "notebooks").mkdir()
    (run / "notebooks/02_noisy_labels.status.json").write_text(
        json.dumps({"state": "failed", "message": "y" * 1_000_000 + "\ud800", "log": log})
    )
    (failure,) = status.failures(run)
    assert len(failure["message"]) == 1000 and len(failure["log"]) == 12
    assert all(len(line) <= 240 and line.isprintable() for line in failure["log"])
    found = row(runs_table.collect(tmp_path), "a")
    assert (
        found["status"] == "failed"
        and len(found["reason"]) <= 1000
        and found["reason"].isprintable()
    )


def test_folds_with_fewer_scores_count_with_those_that_all_have(tmp_path: Path) -> None:
    run = write_run(tmp_path, "a", {0: 0.5, 1: 0.7})
    metrics = read_json(run / "metrics.json")
    del metrics["folds"][1]["songs"]["svm"]["weighted_f1"]
    metrics["summary"]["seconds"] = None
    write_json(run / "metrics.json", metrics)
    found = row(runs_table.collect(tmp_path), "a")
    assert found["song_accuracy_mean"] == pytest.approx(0.6) and math.isnan(
        found["song_weighted_f1_mean"]
    )
    assert math.isnan(found["seconds"]) and found["status"] == "partial"


def test_costs_are_means_the_most_memory_and_of_older_runs_what_their_history_says(
    tmp_path: Path,
) -> None:
    run = write_run(tmp_path, "new", {0: 0.5, 1: 0.7})
    metrics = read_json(run / "metrics.json")
    for fold, cost in zip(
        metrics["folds"], ({"peak_mb": 300.0, "split": 0.5}, {"peak_mb": 200}), strict=True
    ):
        fold["cost"] = cost | {"parameters": 1200}
    write_json(run / "metrics.json", metrics)
    old = write_run(tmp_path, "old", {0: 0.5})
    records = [("warmup", False), ("ssl", True), ("ssl", False), ("ssl", True), ("ssl", True)]
    pd.DataFrame(
        [
            {"epoch": k, "phase": p, "separated": s, "n_labelled": 1, "n_unlabelled": 0}
            for k, (p, s) in enumerate(records)
        ]
    ).to_csv(old / "folds/0/history.csv", index=False)
    found = runs_table.collect(tmp_path)
    names = ["seconds_per_fold", "parameters", "peak_mb", "split"]
    assert row(found, "new")[names].tolist() == [60.5, 1200, 300, 0.5]
    assert row(found, "old")["split"] == 0.75 and row(found, "old")[names[1:3]].isna().all()
    cells = tables.run_table(found).set_index("run")
    assert cells.loc["new", ["s per fold", "parameters", "peak MB", "epochs split"]].tolist() == [
        "60.5", "1,200", "300", "50 %"
    ]  # fmt: skip
    assert cells.loc["old", ["parameters", "peak MB", "epochs split"]].tolist() == [
        "–",
        "–",
        "75 %",
    ]


def test_an_empty_folder_gives_an_empty_table_with_all_columns(tmp_path: Path) -> None:
    found = runs_table.collect(tmp_path)
    assert found.empty and list(found.columns) == list(runs_table.COLUMNS)
    assert runs_table.fold_scores(found).empty
    assert tables.table2(found).empty and table3(found).empty


def test_results_csv_has_every_row_and_no_place_on_this_machine(tmp_path: Path) -> None:
    write_run(tmp_path, "a", {0: 0.5, 1: 0.7})
    written = runs_table.write_results_csv(tmp_path)
    assert written == tmp_path / "results.csv"
    text = written.read_text("utf-8")
    assert str(tmp_path) not in text
    again = pd.read_csv(written)
    assert again["song_accuracy_mean"].item() == pytest.approx(0.6) and "path" not in again


def test_fold_scores_list_every_fold_and_answer(tmp_path: Path) -> None:
    write_run(tmp_path, "a", {0: 0.5, 2: 0.75})
    write_run(tmp_path, "b", {}, method="ce")
    table = runs_table.fold_scores(runs_table.collect(tmp_path))
    assert len(table) == 2 * 6 and set(table["folder"]) == {"a"}
    assert set(table["classifier"]) == {*DECIDERS, "segments", "majority"}
    svm = table[table["classifier"] == "svm"].set_index("fold")["accuracy"]
    assert svm.to_dict() == pytest.approx({0: 0.5, 2: 0.75})


def test_a_recipe_ignores_what_may_differ_and_nothing_else(tmp_path: Path) -> None:
    for name, settings in {
        "base": {}, "ce": {"method": "ce"}, "seed": {"seed": 5}, "task": {"task": "arousal"},
        "seconds": {"segment_seconds": 2.0}, "tau": {"tau": 0.3}, "folds": {"folds": 4}, "theta": {"theta": 0.6},
    }.items():  # fmt: skip
        write_run(tmp_path, name, {0: 0.5}, **settings)
    write_run(tmp_path, "clips", {0: 0.5})
    config = json.loads((tmp_path / "clips" / "config.json").read_text())
    (tmp_path / "clips" / "config.json").write_text(
        json.dumps({**config, "corpus_checksum": "other clips"})
    )
    mark = runs_table.collect(tmp_path).set_index("folder")["recipe"]
    assert mark["clips"] != mark["base"]
    assert len({mark[name] for name in ("base", "ce", "seed", "task", "seconds")}) == 1
    assert len({mark[name] for name in ("base", "tau", "folds", "theta")}) == 4


def test_table2_puts_our_rows_beneath_the_papers(tmp_path: Path) -> None:
    # corpus 4q is only named here: no audio is opened
    write_run(tmp_path, "v", {0: 0.7, 1: 0.8}, corpus="4q", task="valence")
    write_run(tmp_path, "a", {0: 0.9}, corpus="4q", task="arousal")
    write_run(tmp_path, "q", {0: 0.9}, corpus="4q", task="quadrant")
    write_run(tmp_path, "d", {0: 0.9}, corpus="demo", task="valence")
    table = tables.table2(runs_table.collect(tmp_path))
    assert table["corpus"].unique().tolist() == ["4q"]
    assert table["who"].tolist() == [
        "paper",
        "paper",
        "paper",
        "ours: smoke, seed 0",
        "paper",
        "paper",
    ]
    assert table["segment (s)"].tolist() == ["1", "2", "3", "3", "4", "5"]
    ours = table[table["who"] != "paper"].iloc[0]
    assert (ours["valence acc."], ours["arousal acc."]) == ("75.0 ± 7.1", "90.0")
    assert (ours["folds"], ours["run"]) == ("1 or 2 of 3", "a, v")
    assert (ours["valence majority"], ours["s per fold"]) == ("50.0", "60.2")
    paper = table[(table["who"] == "paper") & (table["segment (s)"] == "3")].iloc[0]
    assert paper[["valence acc.", "valence F1", "arousal acc.", "arousal F1"]].tolist() == [
        "75.2",
        "77.4",
        "86.6",
        "86.1",
    ]
    every = tables.table2(runs_table.collect(tmp_path), every_run=True)
    assert every["corpus"].tolist() == ["pmemo"] * 5 + ["4q"] * 6 + ["demo"]
    assert (every["who"] == "paper").sum() == 10


def test_markdown_has_a_line_a_row_and_the_note(tmp_path: Path) -> None:
    write_run(tmp_path, "q", {0: 0.9}, corpus="4q", task="valence")
    table = tables.table2(runs_table.collect(tmp_path))
    lines = tables.markdown(table).split("\n")
    assert len(lines) == 2 + len(table) + 2 and lines[-1].startswith(tables.NOTE)
    assert all(line.count("|") == len(table.columns) + 1 for line in lines[: 2 + len(table)])


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=5), min_size=1, max_size=4))
def test_combined_parts_equal_the_statistics_of_all_values(parts: list[list[float]]) -> None:
    sds = [float(np.std(part, ddof=1)) if len(part) > 1 else float("nan") for part in parts]
    mean, sd, n = tables.combine(
        [float(np.mean(part)) for part in parts], sds, [len(part) for part in parts]
    )
    together = np.concatenate([np.array(part) for part in parts])
    assert n == len(together) and mean == pytest.approx(together.mean(), abs=1e-12)
    if n > 1:
        assert sd == pytest.approx(together.std(ddof=1), abs=1e-7)
    else:
        assert math.isnan(sd)
