"""Runs on classes of a table's own: names from the corpus to the prediction, for 2 to 9 of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer_kit.analysis.predict import describe, predict_curve
from mer_kit.checks import MerKitError
from mer_kit.results import runs_table, tables
from mer_kit.runs.config import class_names, with_classes
from mer_kit.runs.data import open_corpus
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.songs.classifiers.svm import SVM
from tests.corpora import tiny
from tests.runs.own_classes import NAMES, collection, config


@pytest.fixture(scope="module", params=[2, 3, 5, 9])
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Experiment:
    root = collection(tmp_path_factory.mktemp("mine"), max(request.param, 3))
    if request.param == 2:  # tense and sad: happy and sad alone would be quadrants
        text = (root / "clips.csv").read_text()
        kept = [row for row in text.splitlines() if "happy" not in row]
        tiny.write(root / "clips.csv", "\n".join([*kept, ""]))
        tiny.write(
            root / "segment_truth.csv", "clip_id,start_s,end_s,label\ns00,0,3,tense\ns00,3,5,sad\n"
        )
    experiment = Experiment(
        config(), data_root=root, runs_dir=tmp_path_factory.mktemp("runs"), device="cpu"
    )
    experiment.run()
    return experiment


def test_names_and_theta_are_stored_in_the_run(finished: Experiment) -> None:
    stored = json.loads((finished.folder.path / "config.json").read_text())
    k = len(finished.classes)
    assert stored["classes"] == list(finished.classes) == sorted(finished.classes)
    assert stored["theta"] == (0.5 if k <= 4 else 1 / k)
    assert class_names(stored) == class_names(finished.config) == finished.classes
    svm = SVM.load(finished.folder.fold(0) / "svm.safetensors")
    assert svm.theta == stored["theta"] and svm.n_classes_ == k
    again = Experiment(config(), data_root=finished.corpus.root, runs_dir=finished.runs_dir)
    assert again.fingerprint == finished.fingerprint and again.folder.folds_done() == [0, 1]


def test_tables_and_results_have_the_names(finished: Experiment) -> None:
    songs = pd.read_csv(finished.folder.path / "songs.csv")
    assert set(songs["label"]) == set(finished.classes)
    assert set(songs["svm"]) <= set(finished.classes)
    segments = finished.folder.segments(0)
    assert list(segments.columns[-len(finished.classes) :]) == list(finished.classes)
    table = runs_table.collect(finished.runs_dir)
    assert table["task"].tolist() == ["label"] and table["song_accuracy_mean"].notna().all()
    assert tables.run_table(table)["task"].tolist() == ["label"]
    assert tables.table2(table).empty and tables.table3(table).empty


def test_a_file_is_predicted_in_the_names(finished: Experiment, tmp_path: Path) -> None:
    curve = predict_curve(tiny.tone(tmp_path / "new.wav", 5.0), finished.folder.path)
    np.testing.assert_allclose(curve[list(finished.classes)].sum(axis=1), 1, atol=1e-5)
    text = describe(curve)
    assert all(f"{name} " in text for name in finished.classes)
    assert set(curve.attrs["decisions"].values()) <= set(finished.classes)


def test_three_classes_are_learned_by_pitch(tmp_path: Path) -> None:
    root = collection(tmp_path / "mine", 3, songs=8)
    result = Experiment(
        config(epochs=30, warmup_epochs=1, learning_rate=0.01),
        data_root=root, runs_dir=tmp_path / "runs",
    ).run()  # fmt: skip
    assert result.summary["pooled"]["mean"]["accuracy"] >= 0.75


def test_theta_that_is_given_is_kept(tmp_path: Path) -> None:
    corpus, _, _ = open_corpus(config(), collection(tmp_path, 5))
    assert with_classes(config(theta=0.5), corpus).theta == 0.5
    assert with_classes(config(), corpus).theta == 0.2
    with pytest.raises(MerKitError, match="theta"):
        config(theta=1.5)


def test_other_tasks_name_the_task_label(tmp_path: Path) -> None:
    root = collection(tmp_path, 3)
    with pytest.raises(
        MerKitError,
        match="table has no clip with a quadrant label, expected some: choose the task label",
    ):
        Experiment(config(task="quadrant"), data_root=root, runs_dir=tmp_path / "runs")
    with pytest.raises(MerKitError, match="demo has no clip with a label label"):
        open_corpus(resolve(corpus="demo", task="label", corpus_options={"clips": 4, "seconds": 8}))


def test_too_few_songs_are_said_before_features_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = collection(tmp_path, 3, songs=2)
    monkeypatch.setattr(
        "mer_kit.runs.data.open_features", lambda *_, **__: pytest.fail("computed first")
    )
    with pytest.raises(MerKitError) as error:
        open_corpus(config(folds=5), root)
    assert str(error.value) == (
        "table cannot be divided, label: tense has 2 groups (artists), fewer than the 5 folds: "
        "choose --folds 2"
    )


def test_classes_cannot_be_set_by_hand() -> None:
    with pytest.raises(MerKitError, match="classes"):
        config(classes=("a", "b"))
    assert NAMES[0] == "tense"
