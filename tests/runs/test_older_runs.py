"""Runs on disk outlive the code: their names, their files and their numbers stay what they were."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mer_kit.analysis import predict
from mer_kit.checks import MerKitError
from mer_kit.later_settings import flat, later
from mer_kit.pages import report
from mer_kit.results import recipes, runs_table
from mer_kit.runs import presets, run_folder
from mer_kit.runs.config import RunConfig, hashed_config
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.run_folder import RunFolder
from mer_kit.training.methods.sssl import PAPER_FORM
from mer_kit.training.settings import TrainingSettings
from tests.music import RATE, song

#: Fold 0 of two, preset smoke, 16 clips of 8 s, as `Experiment.run([0])` of commit 19c9b69 left it.
OLD = next((Path(__file__).parent / "run_of_19c9b69").glob("demo-*"))
#: What that commit called these runs: by preset, then ce, mixup, sssl_no_kl, sssl; corpus checksum "0", method version "1".
NAMES = {
    "smoke": ("ca5bdbbab2", "3cfcb1898d", "f9fea14947", "75bf636253"),
    "demo": ("60c0a21f71", "f47d8468b5", "1c0d54c02b", "9a9b6f6b4b"),
    "cpu": ("6d9780a40c", "7fbe06a124", "0987a09228", "5b59f4a69f"),
    "paper": ("d5c8aa4b01", "7c594ea389", "259f764616", "7a7f01ea4b"),
}
METHODS = ("ce", "mixup", "sssl_no_kl", "sssl")
OTHER = ("a0d733c83e", "7b72f84b38", "fa5835aa7a", "bdfe1b5f74")


#: How long these presets trained then.
EPOCHS = {
    "demo": {"epochs": 12, "warmup_epochs": 8},
    "cpu": {"epochs": 16, "warmup_epochs": 12},
}


def resolve(*, method: str = "sssl", **settings: Any) -> RunConfig:
    """Return a configuration as that commit resolved it."""
    changed = {
        "grouping": "exact",
        "svm_folds": "songs",
        "small_output": False,
        "renew_batch_norm": False,
    }
    if method.startswith("sssl"):
        changed |= PAPER_FORM
    changed |= EPOCHS.get(settings.get("preset", ""), {})
    return presets.resolve(method=method, **(changed | settings))


def mark(config: RunConfig) -> str:
    return run_folder.fingerprint(config, corpus_checksum="0", code_version="1")


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", NAMES)
@pytest.mark.parametrize("at", range(4))
def test_the_first_methods_keep_the_names_of_their_runs(preset: str, at: int) -> None:
    config = resolve(corpus="4q", preset=preset, method=METHODS[at], grouping="exact")
    assert mark(config) == NAMES[preset][at]


@pytest.mark.parametrize("at", range(4))
def test_so_do_runs_with_settings_of_their_own(at: int) -> None:
    own = {"theta": 0.4, "tau": 0.3, "width": 16, "divide_by": "official", "grouping": "exact"}
    config = resolve(
        corpus="deam",
        preset="cpu",
        task="valence",
        segment_seconds=5,
        seed=3,
        method=METHODS[at],
        **own,
    )
    assert mark(config) == OTHER[at]


@dataclasses.dataclass(frozen=True)
class Grown(TrainingSettings):
    """Settings with one that is younger than the runs on disk, and a default that does not reproduce them."""

    momentum: float = later(default=0.5, absent_means=0.0)


@pytest.mark.parametrize(("momentum", "same"), [(0.0, True), (0.5, False), (None, False)])
@pytest.mark.parametrize("method", METHODS)
def test_a_later_setting_counts_where_it_does_not_reproduce_earlier_runs(
    method: str, momentum: float | None, same: bool
) -> None:
    config = resolve(corpus="4q", preset="cpu", method=method, grouping="exact")
    chosen = {} if momentum is None else {"momentum": momentum}  # None: the default
    grown = dataclasses.replace(config, training=Grown.of(**flat(config.training), **chosen))
    assert (mark(grown) == NAMES["cpu"][METHODS.index(method)]) is same
    assert (Grown(**chosen).warmup_key() == TrainingSettings().warmup_key()) is same


def test_a_later_setting_of_a_run_counts_likewise() -> None:
    @dataclasses.dataclass(frozen=True)
    class GrownRun(RunConfig):
        padding: str = later(default="zero", absent_means="none")

    assert hashed_config(GrownRun(padding="none")) == hashed_config(RunConfig())
    assert hashed_config(GrownRun())["padding"] == "zero"


def test_runs_that_name_a_later_setting_and_runs_that_do_not_share_a_recipe() -> None:
    config = RunFolder(OLD).config
    assert "grouping" not in config
    assert recipes.recipe(config) == recipes.recipe({**config, "grouping": "exact"})
    assert recipes.recipe(config) != recipes.recipe({**config, "grouping": "normalised"})


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD, tmp_path / "runs" / OLD.name))


def experiment(runs: Path) -> Experiment:
    options: dict[str, Any] = {
        "corpus_options": {"clips": 16, "seconds": 8.0},
        "max_seconds": 8.0,
        "grouping": "exact",
    }
    return Experiment(
        resolve(corpus="demo", preset="smoke", folds=2, **options),
        data_root=runs.parent,
        runs_dir=runs,
    )


def test_the_copy_is_small() -> None:
    assert sum(path.stat().st_size for path in OLD.rglob("*")) < 300_000


def test_an_older_run_is_in_the_table_and_on_the_page(old: Path) -> None:
    row = runs_table.collect(old.parent).iloc[0]
    stored = json.loads((old / "metrics.json").read_text())["summary"]["songs"]["svm"]["accuracy"][
        "mean"
    ]
    assert (row["status"], row["folds_done"], row["fingerprint"]) == ("partial", 1, "fc15f46979")
    assert row["song_accuracy_mean"] == stored
    assert old.name in report.write(old.parent).read_text("utf-8")


def test_an_older_run_goes_on_with_the_same_folds_and_scores(old: Path) -> None:
    """Its name is found again, its fold is done, and the classifiers that are fitted anew say what they said."""
    before = json.loads((old / "metrics.json").read_text())
    made = experiment(old.parent)
    assert made.folder.path == old and made.folder.folds_done() == [0]
    made.run([0])
    after = json.loads((old / "metrics.json").read_text())
    # It has no answer of a classifier that was added since; these are fitted now.
    answers = [*(fold["songs"] for fold in after["folds"]), after["summary"]["pooled"]]
    assert all(answer.pop("elm") for answer in answers)
    assert (
        after["folds"] == before["folds"]
        and after["summary"]["pooled"] == before["summary"]["pooled"]
    )


def test_an_older_run_predicts(old: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", song(1, 8.0), RATE)
    curve = predict.predict_curve(tmp_path / "a.wav", old, data_root=tmp_path)
    np.testing.assert_allclose(curve[["Q1", "Q2", "Q3", "Q4"]].sum(axis=1), 1, atol=1e-5)


def test_a_classifier_that_is_added_leaves_finished_runs_readable(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_table, "CLASSIFIERS", (*runs_table.CLASSIFIERS, "median"))
    monkeypatch.setattr(runs_table, "COLUMNS", (*runs_table.COLUMNS, "pooled_accuracy_median"))
    row = runs_table.collect(old.parent).iloc[0]
    assert (
        row["status"] == "partial"
        and np.isnan(row["pooled_accuracy_median"])
        and row["song_accuracy_mean"] > 0
    )


def test_files_and_settings_that_are_not_known_are_no_errors(old: Path) -> None:
    config = json.loads((old / "config.json").read_text())
    config |= {"invented": 3}
    config["training"]["invented"] = [1]
    (old / "config.json").write_text(json.dumps(config))
    (old / "folds" / "0" / "scores_of_tomorrow.json").write_text("{}")
    row = runs_table.collect(old.parent).iloc[0]
    assert row["status"] == "partial" and row["song_accuracy_mean"] > 0


@pytest.mark.parametrize("spoil", ["a field too many", "another encoding", "columns of tomorrow"])
def test_a_history_with_more_than_is_known_is_read_row_by_row(old: Path, spoil: str) -> None:
    file = old / "folds" / "0" / "history.csv"
    head, *lines = file.read_text().splitlines()
    if spoil == "a field too many":
        lines = [f"{line},7" for line in lines]
    elif spoil == "columns of tomorrow":
        head, lines = f"{head},mood,words", [f"{line},0.5,text" for line in lines]
    text = "\n".join([head, *lines, ""])
    file.write_bytes(text.encode() if spoil != "another encoding" else f"{head},strange\n".encode() + b"".join(
        f"{line},".encode() + b"\xff\n" for line in lines))  # fmt: skip
    try:
        history = RunFolder(old).history(0)
    except MerKitError:
        assert spoil != "columns of tomorrow"
        return
    assert [record.epoch for record in history] == [1, 2, 3]
    assert history[0].own == ({"mood": 0.5} if spoil == "columns of tomorrow" else {})
