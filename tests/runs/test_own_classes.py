"""Runs on classes of a table's own: names from the corpus to the prediction, for 2 to 9 of them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mer_kit import plots
from mer_kit.analysis import passes
from mer_kit.analysis.curve import classes_of
from mer_kit.analysis.feature_space import answered, song_space
from mer_kit.analysis.predict import describe, predict_curve
from mer_kit.checks import MerKitError
from mer_kit.pages import report
from mer_kit.plots import style
from mer_kit.results import runs_table, tables
from mer_kit.results.table3 import table3
from mer_kit.runs.config import class_names, with_classes
from mer_kit.runs.data import open_corpus
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.songs import scores
from mer_kit.songs.classifiers.svm import SVM
from mer_kit.views import curve_files
from mer_kit.views.noise_lab import NoiseLab
from mer_kit.views.segment_explorer import SegmentExplorer
from mer_kit.views.song_inspector import SongInspector
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
        config(method="sssl"),
        data_root=root,
        runs_dir=tmp_path_factory.mktemp("runs"),
        device="cpu",
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
    again = Experiment(
        config(method="sssl"), data_root=finished.corpus.root, runs_dir=finished.runs_dir
    )
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
    assert tables.table2(table).empty and table3(table).empty


def test_a_file_is_predicted_in_the_names(finished: Experiment, tmp_path: Path) -> None:
    curve = predict_curve(tiny.tone(tmp_path / "new.wav", 5.0), finished.folder.path)
    np.testing.assert_allclose(curve[list(finished.classes)].sum(axis=1), 1, atol=1e-5)
    text = describe(curve)
    assert all(f"{name} " in text for name in finished.classes)
    assert set(curve.attrs["decisions"].values()) <= set(finished.classes)


def test_pages_and_views_show_the_names(finished: Experiment, tmp_path: Path) -> None:
    song = tiny.tone(tmp_path / "new.wav", 5.0)
    curve = predict_curve(song, finished.folder.path)
    written = curve_files.write(curve, tmp_path, song, label=finished.classes[0], page=True)
    assert [path.suffix for path in written] == [".png", ".svg", ".csv", ".html"]
    read = pd.read_csv(written[2])
    assert classes_of(read) == list(finished.classes)
    page = report.write(finished.runs_dir).read_text("utf-8")
    assert "label" in page
    for view in (
        SegmentExplorer(finished, clip=0),
        SongInspector(finished, 0),
        NoiseLab(finished, passes.read_passes(finished, 0)),
    ):
        data = view.data()
        assert [entry["name"] for entry in data["classes"]] == list(finished.classes)
        looks = {(entry["colour"], entry["dash"]) for entry in data["classes"]}
        assert len(looks) == len(finished.classes)
        assert all(name in view.to_html() for name in finished.classes)


def test_pictures_of_a_run_have_its_colours(finished: Experiment) -> None:
    style.use()
    classes, history = finished.classes, finished.folder.history(0)
    base = np.bincount(finished.labels, minlength=len(classes)) / len(finished.labels)
    ax = plots.history.class_shares(history, base.tolist(), classes)
    assert {text.get_text() for text in ax.texts} >= set(classes)
    ax = plots.history.agreement_curve(history, n_classes=len(classes))
    space = song_space(finished, 0)
    counts = scores.confusion(space.test.label, answered(space, "svm"), len(classes))
    ax = plots.songs.confusion(counts, classes)
    assert [text.get_text() for text in ax.get_xticklabels()] == list(classes)
    p = space.test.segments[0][list(classes)].to_numpy()
    ax = plots.songs.seven_numbers(p, classes, theta=finished.config.theta)
    ax = plots.objectives.target_bars(p[0], classes)
    colours = [bar.get_facecolor() for bar in ax.patches]
    assert len(set(colours)) == len(classes)
    for figure in map(plt.figure, plt.get_fignums()):
        style.render(figure, io.BytesIO(), format="png")
    plt.close("all")


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
