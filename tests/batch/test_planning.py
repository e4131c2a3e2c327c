"""What a run executes: notebook 03 per fold or once for all, 02 on request where folds train in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mer_kit.batch import grid, planning, progress
from mer_kit.checks import MerKitError
from mer_kit.cli import main
from mer_kit.runs.config import RunConfig, as_dictionary
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import RunFolder, write_json
from tests.corpora.tiny import write

SMALL = {"corpus_options": {"clips": 16, "seconds": 8.0}}
VECTORS = {"frontend": "logmel_stats"}


def quick(**more: object) -> RunConfig:
    return resolve(preset="smoke", folds=3, **VECTORS, **SMALL, **more)


def names(config: RunConfig | None, folds: list[int], *notebooks: str) -> list[str]:
    planned = planning.plan(RunFolder("run"), {}, folds, config=config, notebooks=notebooks)
    return [job.name for job in planned]


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({}, False),
        ({"preset": "paper"}, False),
        (VECTORS, True),
        ({"preset": "embedding"}, True),
        ({"preset": "paper", **VECTORS}, True),
    ],
)
def test_folds_train_in_seconds_where_a_network_gets_vectors(
    config: dict[str, str], wanted: bool
) -> None:
    assert resolve(**config).trains_in_seconds is wanted  # type: ignore[arg-type]


def test_one_execution_of_03_trains_all_folds_and_02_is_left_out() -> None:
    assert names(quick(), [1, 2]) == [
        "00_start_here", "01_segmentation", "03_sssl_training", "04_song_decisions",
        "05_emotion_curve", "06_results",
    ]  # fmt: skip
    planned = planning.plan(RunFolder("run"), {"seed": 1}, [1, 2], config=quick())
    assert planned[2].target.as_posix() == "run/folds/1/03_sssl_training.ipynb"
    assert planned[2].parameters == {"seed": 1, "fold": 1, "only_folds": "1,2"}


def test_networks_on_frames_keep_a_notebook_for_each_fold() -> None:
    slow = resolve(preset="smoke", folds=3)
    assert names(slow, [1, 2])[2:5] == [
        "02_noisy_labels", "03_sssl_training fold 1", "03_sssl_training fold 2"
    ]  # fmt: skip
    planned = planning.plan(RunFolder("run"), {}, [1, 2], config=slow)
    assert planned[4].parameters == {"fold": 2}  # other folds do not change this copy's key


def test_notebooks_on_request() -> None:
    assert names(quick(), [0, 1], "02") == ["02_noisy_labels"]
    assert names(quick(), [0, 1], "03", "04") == ["03_sssl_training", "04_song_decisions"]
    assert names(resolve(preset="smoke"), [0], "03") == ["03_sssl_training fold 0"]
    assert names(quick(method="embedding_svm"), [0]) == ["04_song_decisions", "06_results"]
    assert names(quick(), [0], "06", "08") == ["06_results", "08_compare"]
    assert names(quick(method="embedding_svm"), [0], "08") == ["08_compare"]
    assert planning.parse_notebooks(" 02,08 ,") == ["02", "08"]
    with pytest.raises(MerKitError, match="notebook is '2', expected one of 00, .*did you mean"):
        planning.parse_notebooks("2")


def test_a_run_refuses_an_unknown_notebook_before_anything_runs(tmp_path: Path) -> None:
    given = ["run", "--preset", "smoke", "--notebooks", "9", "--runs", str(tmp_path / "runs")]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 2 and "notebook is '9'" in result.output
    assert not (tmp_path / "runs").exists()


def test_more_folds_are_another_copy_that_trains_the_missing_ones(tmp_path: Path) -> None:
    def of(folds: list[int]) -> planning.Job:
        jobs = planning.plan(RunFolder(tmp_path), {}, folds, config=quick(), notebooks=["03"])
        return jobs[0]

    job = of([0])
    write(job.target, "{}")
    write_json(job.status_file, {"state": "done", "key": job.key("m")})
    assert of([0]).is_done("m") and not of([0, 1]).is_done("m")


def cell_and_tasks(tmp_path: Path, **more: object) -> tuple[grid.Cell, list[grid.Task]]:
    given = {"preset": "smoke", "folds": 3, "frontend": "logmel_stats", "overrides": SMALL, **more}
    (cell,) = grid.cells(grid.Grid.of(given))
    return cell, grid.tasks(cell, grid.CorpusCache(tmp_path))


def test_a_grid_waits_for_the_one_copy_of_03(tmp_path: Path) -> None:
    _, tasks = cell_and_tasks(tmp_path)
    after = {
        task.name.split(" · ")[1]: [name.split(" · ")[1] for name in task.after] for task in tasks
    }
    assert after == {
        "01_segmentation": [],
        "03_sssl_training": [],
        "04_song_decisions": ["03_sssl_training"],
        "05_emotion_curve": ["04_song_decisions"],
    }


def test_all_folds_of_the_one_copy_are_estimated(tmp_path: Path) -> None:
    cell, tasks = cell_and_tasks(tmp_path)
    folder = tasks[0].job.target.parents[1]
    write_json(folder / "config.json", as_dictionary(cell.config))
    for fold in (0, 1):
        for name in ("history.csv", "epochs.npz", "model.safetensors", "segments.csv"):
            write(folder / "folds" / str(fold) / name, "x")
        status = {"state": "done", "seconds": 60.0}
        write_json(folder / "folds" / str(fold) / "status.json", status)
    costs = progress.unit_costs(tmp_path)
    table, _ = progress.plan_table([(cell, tasks)], costs)
    # fold 2 is missing, and four notebooks at the constant
    assert json.loads(table.to_json(orient="records"))[0]["minutes"] == f"{100 / 60:.0f}"
    # a copy of 03 that took 133 s spent 120 of them on the two folds' training
    status_file = folder / "folds" / "0" / "03_sssl_training.status.json"
    write_json(status_file, {"state": "done", "seconds": 133.0})
    assert progress.estimate(cell, progress.unit_costs(tmp_path), "03_sssl_training") == 13.0
