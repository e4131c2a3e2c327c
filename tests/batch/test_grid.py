"""The plan of a grid: what varies, the order, what is done, and the estimated duration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook

from mer_kit.batch import grid, grid_file, progress
from mer_kit.batch.parameters import parameters_of
from mer_kit.checks import MerKitError
from mer_kit.cli import main
from mer_kit.runs.config import as_dictionary
from mer_kit.runs.locks import exclusive, is_held
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import write_json
from tests.corpora.tiny import write

SMALL = {"corpus_options": {"clips": 16, "seconds": 8.0}}


def planned(tmp_path: Path, **more: object) -> list[tuple[grid.Cell, list[grid.Task]]]:
    wanted = grid.Grid.of({"preset": "smoke", "folds": 2, "overrides": SMALL, **more})
    opener = grid.CorpusCache(tmp_path)
    return [(cell, grid.tasks(cell, opener)) for cell in grid.cells(wanted)]


# ---- what is varied --------------------------------------------------------------------------------------------------


def test_lists_multiply_and_single_values_do_not() -> None:
    cells = grid.cells(
        grid.Grid.of({"corpus": ["demo", "4q"], "task": "valence", "seconds": [1, 3], "seeds": 3})
    )
    assert len(cells) == 2 * 2 * 3 and len({cell.title for cell in cells}) == 12
    told = {(c.config.corpus, c.config.preset, c.config.method) for c in cells}
    assert told == {("demo", "demo", "sssl"), ("4q", "embedding", "ce")}
    assert cells[0].folds == tuple(range(10)) and cells[0].config.segment_seconds == 1.0


def test_a_system_with_features_of_its_own_runs_once_whatever_the_front_ends() -> None:
    named = {"method": ["ce", "two_stage", "embedding_svm"], "preset": "smoke"}
    cells = grid.cells(grid.Grid.of({**named, "frontend": ["logmel_stats", "descriptors"]}))
    found = [(cell.config.system or cell.config.method, cell.config.frontend) for cell in cells]
    assert sorted(found) == sorted(
        [(one, f) for one in ("ce", "embedding_svm") for f in ("logmel_stats", "descriptors")]
        + [("two_stage", "logmel")]
    )


def test_repeated_values_are_one_run() -> None:
    assert len(grid.cells(grid.Grid.of({"method": ["ce", "ce"], "seeds": [4, 4]}))) == 1


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"corpora": "demo"},
            "name in the grid is 'corpora', expected one of corpus, .*did you mean 'corpus'",
        ),
        ({"method": ["ce", "sss"]}, "method is 'sss', .*did you mean 'sssl'"),
        ({"seeds": 0}, "seeds is 0"),
        ({"seconds": 0}, "segment_seconds is 0"),
        ({"overrides": {"tua": 1}}, "did you mean 'tau'"),
        ({"overrides": {"seed": 1}}, "seed is given twice"),
        ({"only_folds": "3", "folds": 3}, "fold 3 does not exist"),
        ({"only_folds": [0, 3], "folds": 3}, "fold 3 does not exist"),
        ({"overrides": 3}, "overrides is 3, expected names and values"),
        (
            {"corpus": [["demo"]]},
            r"corpus in the grid is \[\['demo'\]\], expected one or more plain names",
        ),
    ],
)
def test_unknown_names_and_values_stop_it_before_anything_runs(
    given: dict[str, object], sentence: str
) -> None:
    with pytest.raises(MerKitError, match=sentence):
        grid.cells(grid.Grid.of(given))


def test_a_yaml_file_says_the_same(tmp_path: Path) -> None:
    text = "corpus: [demo, 4q]\nseconds: [1, 2]\nmethod: ce\nseeds: 2\nfolds: 5\noverrides: {tau: 0.3}\n"
    read = grid_file.read(write(tmp_path / "grid.yaml", text))
    assert read == grid.Grid.of(
        {
            "corpus": ["demo", "4q"],
            "seconds": [1, 2],
            "method": ["ce"],
            "seeds": 2,
            "folds": 5,
            "overrides": {"tau": 0.3},
        }
    )
    assert all(cell.config.training.partition.tau == 0.3 for cell in grid.cells(read))
    for bad in ("corpus: [demo", "- demo", ""):
        with pytest.raises(
            MerKitError,
            match="grid.yaml (cannot be read as YAML|must be a mapping).*: correct the file",
        ):
            grid_file.read(write(tmp_path / "grid.yaml", bad))
    (tmp_path / "grid.yaml").write_bytes("corpus: [démo]".encode("latin-1"))
    with pytest.raises(MerKitError, match="grid.yaml cannot be read as YAML"):
        grid_file.read(tmp_path / "grid.yaml")


def test_variants_change_several_settings_together_and_say_their_name(tmp_path: Path) -> None:
    text = """
method: sssl
overrides: {dip_test: false, noise_kind: [none, song], noise_rate: 0.4}
variants:
  repaired: {}
  one pass: {loss_window: 1}
  two switches: {dip_test: true, soft_targets: true}
  plain: {method: ce}
  elsewhere: {corpus: 4q, method: ""}
"""
    cells = grid.cells(grid_file.read(write(tmp_path / "grid.yaml", text)))
    told = [(cell.variant, cell.config.noise_kind) for cell in cells]
    names = ("repaired", "one pass", "two switches", "plain", "elsewhere")
    assert [cell.config.method for cell in cells] == ["sssl"] * 6 + ["ce"] * 4
    assert cells[-1].config.preset == "embedding" and cells[-1].parameters["corpus"] == "4q"
    assert told == [(name, kind) for name in names for kind in ("none", "song")]
    partition = {cell.variant: cell.config.training.partition for cell in cells}
    assert [partition[name].loss_window for name in names[:3]] == [5, 1, 5]
    assert [partition[name].dip_test for name in names[:3]] == [False, False, True]
    assert cells[4].config.training.soft_targets and not cells[0].config.training.soft_targets
    assert cells[2].title.endswith("sssl, one pass, noise_kind none, seed 0"), cells[2].title
    assert cells[4].parameters["overrides"]["dip_test"] is True


@pytest.mark.parametrize(
    ("variants", "sentence"),
    [
        (["a", "b"], "variants is"),
        ({"a": 3}, "variant 'a' is 3, expected names and values"),
        ({"a": {"loss_windw": 1}}, "loss_windw"),
    ],
)
def test_a_variant_that_is_no_mapping_of_settings_stops_it(variants: object, sentence: str) -> None:
    with pytest.raises(MerKitError, match=sentence):
        grid.cells(grid.Grid.of({"variants": variants}))


def test_single_notebooks_of_a_run_wait_for_nothing_that_is_not_asked_for(tmp_path: Path) -> None:
    (cell,) = grid.cells(
        grid.Grid.of(
            {"preset": "smoke", "folds": 2, "overrides": {"corpus_options": {"clips": 16}}}
        )
    )
    cache = grid.CorpusCache(tmp_path)
    (only,) = grid.tasks(cell, cache, notebooks=["04"])
    assert only.job.name == "04_song_decisions" and only.after == ()
    with pytest.raises(
        MerKitError, match="notebook is '4', expected one of 01, .*did you mean '04'"
    ):
        grid.tasks(cell, cache, notebooks=["4"])


def test_folds_may_be_a_number_or_a_list() -> None:
    for folds, wanted in ((0, (0,)), ([0, 2], (0, 2)), ("0-1", (0, 1))):
        assert grid.cells(grid.Grid.of({"folds": 3, "only_folds": folds}))[0].folds == wanted


def test_typed_settings_go_before_the_files_one_by_one(tmp_path: Path) -> None:
    file = write(
        tmp_path / "grid.yaml",
        "preset: smoke\noverrides: {tau: 0.3, epochs: 2, warmup_epochs: 1}\n",
    )
    seen: list[grid.Grid] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "cells", lambda wanted: seen.append(wanted) or [])
        result = CliRunner().invoke(
            main, ["grid", str(file), "--set", "tau=0.4", "--dry-run", "--runs", str(tmp_path)]
        )
    assert result.exit_code == 0 and seen[0].overrides == {
        "tau": 0.4,
        "epochs": 2,
        "warmup_epochs": 1,
    }


# ---- order -----------------------------------------------------------------------------------------------------------


def test_every_notebook_waits_for_what_it_reads(tmp_path: Path) -> None:
    ((_, tasks),) = planned(tmp_path)
    after = {
        task.name.split(" · ")[1]: [name.split(" · ")[1] for name in task.after] for task in tasks
    }
    assert after == {
        "01_segmentation": [],
        "02_noisy_labels": ["01_segmentation", "03_sssl_training fold 0"],
        "03_sssl_training fold 0": [],
        "03_sssl_training fold 1": [],
        "04_song_decisions": ["03_sssl_training fold 0", "03_sssl_training fold 1"],
        "05_emotion_curve": ["04_song_decisions"],
    }


def test_a_corpus_is_opened_once_for_all_that_need_the_same_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, real = [], grid.open_corpus
    monkeypatch.setattr(grid, "open_corpus", lambda *a: opened.append(1) or real(*a))
    assert len(planned(tmp_path, method=["ce", "sssl"], seeds=2, seconds=[2, 3])) == 8
    assert len(opened) == 2  # once a duration: what is too short depends on it


# ---- what is done ----------------------------------------------------------------------------------------------------


def test_states_come_from_our_own_status_files_and_living_locks(tmp_path: Path) -> None:
    ((_, tasks),) = planned(tmp_path)
    one, two, three, four, *_ = tasks
    for task, stored in ((one, "done"), (two, "running"), (three, "failed"), (four, "running")):
        task.job.target.parent.mkdir(parents=True, exist_ok=True)
        task.job.target.write_text("{}")
        key = task.job.key(task.mark)
        write_json(
            task.job.status_file,
            {"state": stored, "key": key, "message": "the cable"},
        )
    with exclusive(four.job.lock_file):
        assert is_held(four.job.lock_file)
        assert [progress.state(task) for task in tasks[:4]] == [
            "done", "to do", "failed", "running"
        ]  # fmt: skip
    assert progress.state(four) == "to do" and not is_held(four.job.lock_file)


def test_only_failed_and_limit_choose_runs(tmp_path: Path) -> None:
    runs = planned(tmp_path, seeds=3)
    bad = runs[1][1][0].job.target
    bad.parent.mkdir(parents=True, exist_ok=True)
    write_json(bad.with_suffix(".status.json"), {"state": "failed", "key": "", "message": "x"})
    assert [cell.config.seed for cell, _ in progress.choose(runs, only_failed=True)] == [1]
    assert [cell.config.seed for cell, _ in progress.choose(runs, limit=2)] == [0, 1]


def finished_fold(folder: Path, cell: grid.Cell, seconds: float, fold: int = 0) -> None:
    write_json(folder / "config.json", {**as_dictionary(cell.config)})
    for name in ("history.csv", "epochs.npz", "model.safetensors", "segments.csv"):
        write(folder / "folds" / str(fold) / name, "x")
    write_json(folder / "folds" / str(fold) / "status.json", {"state": "done", "seconds": seconds})


def test_estimates_come_from_the_most_alike_folds(tmp_path: Path) -> None:
    runs = planned(tmp_path, method=["ce", "sssl"])
    table, summary = progress.plan_table(runs, progress.unit_costs(tmp_path))
    assert table["minutes"].tolist() == ["?", "?"] and "nothing similar was measured yet" in summary
    for (cell, tasks), seconds in zip(runs, (60.0, 600.0), strict=True):
        finished_fold(tasks[0].job.target.parents[1], cell, seconds)
    costs = progress.unit_costs(tmp_path)
    assert [progress.estimate(cell, costs) for cell, _ in runs] == [60.0, 600.0]
    other = grid.cells(grid.Grid.of({"preset": "smoke", "method": "mixup", "overrides": SMALL}))[0]
    assert progress.estimate(other, costs) == 330.0  # nothing of that method: the corpus' median
    table, summary = progress.plan_table(runs, costs, workers=2)
    # one training (that of fold 0 is there) and six notebooks at the constant
    assert (
        table["minutes"].tolist() == ["2", "11"]
        and "12 notebooks to do, about 0.1 h with 2 workers" in summary
    )
    assert json.dumps(table.to_dict("records"))


def test_notebooks_are_estimated_by_what_the_most_alike_of_their_name_took(tmp_path: Path) -> None:
    runs = planned(tmp_path, method=["ce", "sssl"])
    for (cell, tasks), seconds in zip(runs, (100.0, 400.0), strict=True):
        folder = tasks[0].job.target.parents[1]
        finished_fold(folder, cell, 60.0)
        write_json(
            folder / "notebooks" / "02_noisy_labels.status.json",
            {"state": "done", "seconds": seconds},
        )
    costs = progress.unit_costs(tmp_path)
    assert [progress.estimate(cell, costs, "02_noisy_labels") for cell, _ in runs] == [
        100.0,
        400.0,
    ]
    (mixup,) = grid.cells(grid.Grid.of({"preset": "smoke", "method": "mixup", "overrides": SMALL}))
    (elsewhere,) = grid.cells(grid.Grid.of({"corpus": "4q", "preset": "cpu", "method": "sssl"}))
    assert [progress.estimate(cell, costs, "02_noisy_labels") for cell in (mixup, elsewhere)] == [
        250.0,
        400.0,
    ]
    assert progress.estimate(elsewhere, costs) is None  # a training of another corpus tells nothing
    assert progress.estimate(mixup, costs, "05_emotion_curve") is None
    table, _ = progress.plan_table(runs, costs)
    # one training of 60 s (that of fold 0 is there), one measured 02, and five notebooks at the constant
    assert (
        table["minutes"].tolist()
        == [f"{(60 + seconds + 50) / 60:.0f}" for seconds in (100, 400)]
        == ["4", "8"]
    )


def test_notebook_03_counts_without_its_training_and_not_at_all_where_that_was_done_before(
    tmp_path: Path,
) -> None:
    ((cell, tasks),) = planned(tmp_path)
    folder = tasks[0].job.target.parents[1]
    for fold, seconds in ((0, 73.0), (1, 13.0)):
        finished_fold(folder, cell, 60.0, fold)
        status = folder / "folds" / str(fold) / "03_sssl_training.status.json"
        write_json(status, {"state": "done", "seconds": seconds})
    assert (
        progress.estimate(cell, progress.unit_costs(tmp_path), "03_sssl_training") == 13.0
    )  # of 73; the other is unknown
    write_json(status, {"state": "done", "seconds": 75.0})
    assert progress.estimate(cell, progress.unit_costs(tmp_path), "03_sssl_training") == 14.0


def test_notebooks_that_failed_or_left_a_torn_status_measure_nothing(tmp_path: Path) -> None:
    ((cell, tasks),) = planned(tmp_path)
    folder = tasks[0].job.target.parents[1]
    finished_fold(folder, cell, 60.0)
    notebooks = folder / "notebooks"
    write_json(notebooks / "01_segmentation.status.json", {"state": "failed", "seconds": 500.0})
    write_json(
        notebooks / "02_noisy_labels.status.json", {"state": "running", "key": "no seconds yet"}
    )
    write(notebooks / "04_song_decisions.status.json", '{"state": "do')
    write_json(notebooks / "05_emotion_curve.status.json", {"state": "done", "seconds": 7.0})
    costs = progress.unit_costs(tmp_path)
    assert costs["what"].tolist() == ["training", "05_emotion_curve"] and costs[
        "seconds"
    ].tolist() == [60.0, 7.0]
    assert progress.estimate(cell, costs, "01_segmentation") is None


@pytest.mark.parametrize("seconds", ["long", None, [1], {"a": 1}])
def test_a_status_of_another_kind_measures_nothing(tmp_path: Path, seconds: object) -> None:
    run = tmp_path / "run"
    write_json(run / "config.json", as_dictionary(resolve(preset="smoke")))
    write_json(run / "notebooks/04_x.status.json", {"state": "done", "seconds": seconds})
    write_json(run / "notebooks/05_x.status.json", {"state": "done", "seconds": 3.0})
    write_json(run / "notebooks/06_x.status.json", {"state": "done"})
    assert progress.unit_costs(tmp_path)[["what", "seconds"]].to_numpy().tolist() == [["05_x", 3.0]]


def test_a_plan_is_checked_without_what_executes_notebooks() -> None:
    code = (
        "import sys; from mer_kit.batch import grid; grid.cells(grid.Grid.of({'seeds': 3}))\n"
        "assert not {'nbformat', 'papermill', 'jupyter_client', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_notebook_is_read_once_for_all_runs_and_again_where_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = new_notebook(cells=[new_code_cell("seed = 0", metadata={"tags": ["parameters"]})])
    source, read = tmp_path / "one.ipynb", []
    nbformat.write(book, source)
    whole = nbformat.read
    monkeypatch.setattr(
        nbformat, "read", lambda *given, **options: (read.append(1), whole(*given, **options))[1]
    )
    assert [parameters_of(source) for _ in range(3)] == [("seed",)] * 3 and len(read) == 1
    book.cells[0].source = "fold = 0"
    nbformat.write(book, source)
    os.utime(source, ns=(1, 1))
    assert parameters_of(source) == ("fold",) and len(read) == 2
