"""The SVM on hand-made features: its formula, how a table finds its songs, and which run a table makes."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.svm import SVC

from mer_kit import systems
from mer_kit.checks import MerKitError
from mer_kit.corpora import feature_table
from mer_kit.runs.presets import resolve
from tests.systems import runs

IDS = ["MT1", "007", "Ärger"]


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def table_of(path: Path, one: runs.Experiment, *, seed: int = 0) -> pd.DataFrame:
    """Write features that know the quadrant, with the quadrant itself in the last column as in 4Q's own table."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(len(one.labels), 5)) + 3 * np.eye(5)[one.labels]
    table = pd.DataFrame(x, columns=[f"F{i:04}" for i in range(5)])
    table.insert(0, "SongID", [f"audio/{clip_id}.mp3" for clip_id in one.clip_ids])
    table["Quadrant"] = [one.classes[label] for label in one.labels]
    table.sample(frac=1, random_state=0).to_csv(path, index=False)
    return table


def test_it_is_the_published_machine_on_scaled_features() -> None:
    """C = 8, γ = 2⁻⁹, no class weights: with the kernel written out, on features scaled by hand."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), [30, 10, 20, 25])
    x = (rng.normal(size=(85, 12)) + 0.8 * np.eye(12)[labels]) * np.logspace(-3, 3, 12)
    system = systems.make("handcrafted_svm", {}, n_classes=4).fit(x[:60], labels[:60])
    mean, sd = x[:60].mean(axis=0), x[:60].std(axis=0)
    z = (x - mean) / sd
    kernel = np.exp(-cdist(z, z[:60], "sqeuclidean") / 512)
    oracle = SVC(C=8, kernel="precomputed", break_ties=True).fit(kernel[:60], labels[:60])
    p = system.predict_proba(x)
    np.testing.assert_array_equal(p.argmax(axis=1), oracle.predict(kernel))
    decision = np.exp(oracle.decision_function(kernel))
    np.testing.assert_allclose(p[:, :3], decision / decision.sum(axis=1, keepdims=True), atol=1e-6)


def test_search_chooses_on_inner_folds_as_the_embedding_svm_does() -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(60) % 3
    x = rng.normal(size=(60, 8)) + np.eye(8)[labels]
    artists = np.arange(60) // 2
    answers = []
    for name in ("handcrafted_svm", "embedding_svm"):
        settings = {"search": True} if name == "handcrafted_svm" else {}
        system = systems.make(name, settings, n_classes=3)
        system.groups = artists
        answers.append(system.fit(x, labels).predict_proba(x))
    np.testing.assert_array_equal(*answers)


def test_songs_are_found_however_their_ids_are_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(
        tmp_path / "t.csv",
        "file;start;a;Quadrant;b\nother.wav;0;9;Q1;9\n/data/music/Ärger.WAV;0;1,5;Q2;2\n7.0;0;3;Q3;4\nmt1.mp3;0;5;Q4;6\n",
    )
    with caplog.at_level(logging.WARNING):
        values, names = feature_table.read(path, IDS, exclude=["start"])
    assert values.tolist() == [[5, 6], [3, 4], [1.5, 2]] and names == ["a", "b"]
    assert "'Quadrant' is left out" in caplog.text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id,a\nMT1,1\n007,2\n", r"no row for 1 of 3 songs, first 'Ärger', expected one row"),
        ("id,a\nMT1,1\n7,2\n007,2\nÄrger,3\n", "two rows of song '007' .'7' and '007'."),
        ("id,a\nMT1,1\n007,\nÄrger,3\n", "has '' in column 'a' of song '007' .1 such cells."),
        ("id,a,b\nMT1,1,2\n007,inf,2\nÄrger,x,3\n", "has 'inf' in column 'a' of song '007' .2 "),
        ("id,Quadrant\nMT1,1\n007,2\nÄrger,3\n", "has no column of features beside 'id'"),
        ("id,a\nx,1\ny,2\n", "none of its 2 ids matches a clip"),
        ("id,b\nMT1,1\n007,2\nÄrger,3\n", "lacks the column 'a'"),
    ],
)
def test_a_table_that_does_not_fit_gets_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    exclude = ["a"] * sentence.startswith("lacks")
    with pytest.raises(MerKitError, match=sentence):
        feature_table.read(write(tmp_path / "t.csv", text), IDS, exclude=exclude)


def test_the_table_decides_the_front_end() -> None:
    for settings, frontend in (
        ({}, "descriptors"),
        ({"table": "t.csv"}, "logmel"),
        ({"frontend": "logmel_stats"}, "logmel_stats"),
    ):
        for preset in ("cpu", "embedding"):
            config = resolve(method="handcrafted_svm", preset=preset, **settings)
            assert config.frontend == frontend


def test_a_missing_table_and_wrong_settings(tmp_path: Path) -> None:
    with pytest.raises(MerKitError, match="nowhere.csv is no file here or in the corpus' folder"):
        runs.experiment(tmp_path, "handcrafted_svm", table="nowhere.csv")
    with pytest.raises(MerKitError, match="cost is 0"):
        resolve(method="handcrafted_svm", cost=0)


def test_a_table_makes_a_run_by_its_content_alone(tmp_path: Path) -> None:
    """Moved or found in the corpus' folder it is the same run, with another number it is another."""
    plain = runs.experiment(tmp_path, "handcrafted_svm", frontend="logmel")
    table_of(tmp_path / "a.csv", plain)
    first = runs.experiment(tmp_path, "handcrafted_svm", table=str(tmp_path / "a.csv"))
    assert first.fingerprint != plain.fingerprint
    (tmp_path / "other").mkdir()
    moved = (tmp_path / "a.csv").rename(tmp_path / "other" / "b.csv")
    again = runs.experiment(tmp_path, "handcrafted_svm", table=str(moved))
    assert again.fingerprint == first.fingerprint
    assert systems.file_of("b.csv", tmp_path / "other") == moved
    table_of(moved, plain, seed=1)
    with pytest.raises(MerKitError, match="has changed since the run was opened"):
        runs.probabilities(again)
    edited = runs.experiment(tmp_path, "handcrafted_svm", table=str(moved))
    assert edited.fingerprint != first.fingerprint


def test_it_learns_from_training_songs_only_and_beats_the_majority(tmp_path: Path) -> None:
    plain = runs.experiment(tmp_path, "handcrafted_svm", frontend="logmel")
    table = table_of(tmp_path / "t.csv", plain)

    def one() -> runs.Experiment:
        return runs.experiment(
            tmp_path, "handcrafted_svm", table=str(tmp_path / "t.csv"), gamma=0.1
        )

    known, tested = runs.probabilities(one())
    test = plain.folds[0].test
    assert (tested.argmax(axis=1) == plain.labels[test]).mean() > 0.8
    other = one()
    runs.shuffle_test_labels(other)
    np.testing.assert_array_equal(runs.probabilities(other)[0], known)
    table.loc[test, "F0000":"F0004"] = 7.0
    table.to_csv(tmp_path / "t.csv", index=False)
    again, changed = runs.probabilities(one())
    np.testing.assert_array_equal(again, known)
    assert (changed != tested).any()
