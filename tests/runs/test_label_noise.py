"""Noise as a setting of a run: who sees the wrong labels, and that the scores do not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer_kit.analysis.passes import read_passes
from mer_kit.batch import grid
from mer_kit.checks import MerKitError
from mer_kit.results import runs_table, tables
from mer_kit.runs import decisions, fold_training, label_noise
from mer_kit.runs.config import RunConfig, hashed_config
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.systems import embedding_svm
from mer_kit.training import Trainer

SMALL = {"corpus_options": {"clips": 24, "seconds": 8.0}, "frontend": "logmel_stats"}


def make(runs_dir: Path, kind: str = "none", rate: float = 0.0, **more: object) -> Experiment:
    settings = {"method": "ce", **SMALL, **more, "noise_kind": kind, "noise_rate": rate}
    config = resolve(preset="smoke", folds=2, **settings)  # type: ignore[arg-type]
    return Experiment(config, runs_dir=runs_dir, precision="float32", device="cpu")


def test_absent_means_none_and_either_corner_of_a_grid_is_none() -> None:
    plain = hashed_config(resolve(preset="smoke"))
    assert "noise_kind" not in plain and "noise_rate" not in plain
    for kind, rate in (("none", 0.4), ("song", 0.0), ("none", 0.0)):
        assert hashed_config(resolve(preset="smoke", noise_kind=kind, noise_rate=rate)) == plain
    assert (
        hashed_config(resolve(preset="smoke", noise_kind="song", noise_rate=0.4))["noise_rate"]
        == 0.4
    )
    overrides = {"noise_kind": ["none", "symmetric", "song"], "noise_rate": [0.0, 0.2, 0.4]}
    cells = grid.cells(grid.Grid.of({"method": ["ce", "sssl"], "overrides": overrides}))
    assert len(cells) == 2 * (1 + 2 + 2) == len({cell.title for cell in cells})
    assert cells[0].title.endswith("noise_kind none, noise_rate 0.0, seed 0")
    assert cells[-1].title.endswith("noise_kind song, noise_rate 0.4, seed 0")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"noise_kind": "songs", "noise_rate": 0.1}, "noise_kind for .* did you mean 'song'"),
        ({"noise_kind": "song", "noise_rate": 2}, "noise_rate is 2.*from 0 to 1"),
        ({"noise_kind": "song"}, "expected both .*: set noise_rate too"),
        ({"noise_rate": 0.2}, "expected both .*: set noise_kind too"),
        ({"noise_kind": "neighbour", "noise_rate": 0.2, "task": "valence"}, "for task valence is"),
    ],
)
def test_wrong_values_get_one_sentence(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(MerKitError, match=sentence):
        resolve(preset="smoke", **given)  # type: ignore[arg-type]


def test_training_songs_alone_are_corrupted_and_all_methods_see_the_same(tmp_path: Path) -> None:
    for kind in ("symmetric", "neighbour", "song", "drift"):
        ours, theirs = (make(tmp_path, kind, 0.4, method=method) for method in ("ce", "sssl"))
        labels = label_noise.segment_labels(ours, 1)
        np.testing.assert_array_equal(labels, label_noise.segment_labels(theirs, 1))
        assert (labels != label_noise.segment_labels(ours, 0)).any()
        wrong = labels != ours.labels[ours.train_index.clip]
        of_test = np.isin(ours.train_index.clip, ours.folds[1].test)
        assert not wrong[of_test].any() and wrong[~of_test].mean() == pytest.approx(0.4, abs=0.05)
        songs = label_noise.song_labels(ours, 1)
        np.testing.assert_array_equal(songs[ours.folds[1].test], ours.labels[ours.folds[1].test])
        flipped = (songs != ours.labels).any()
        assert flipped == (kind == "song"), "the songs' own labels"


@pytest.fixture(scope="module")
def corrupted(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    experiment = make(tmp_path_factory.mktemp("runs"), "song", 0.3)
    experiment.run()
    return experiment


def test_the_run_stores_what_was_corrupted_and_is_scored_on_clean_labels(
    corrupted: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = np.array(corrupted.classes)[corrupted.labels]
    songs = pd.read_csv(corrupted.folder.path / "songs.csv").set_index("clip_id")["label"]
    assert songs[corrupted.clip_ids].tolist() == clean.tolist()
    passes = read_passes(corrupted, 0)
    assert passes.corrupted is not None and 0.2 < passes.corrupted.mean() < 0.4
    np.testing.assert_array_equal(passes.corrupted, passes.labels != corrupted.labels[passes.clip])
    # What song-level classifiers learn from is what segments.csv says of the training songs.
    table = corrupted.folder.segments(0).drop_duplicates("clip_id").set_index("clip_id")
    seen = np.array(corrupted.classes)[label_noise.song_labels(corrupted, 0)]
    assert table["label"][corrupted.clip_ids].tolist() == seen.tolist() != clean.tolist()
    _, decided = corrupted.decide(0)
    (corrupted.folder.fold(0) / "scores.json").unlink()
    seen_by: list[np.ndarray] = []
    decide_fold = decisions.decide_fold
    monkeypatch.setattr(
        decisions,
        "decide_fold",
        lambda table, fold, labels, **more: (
            seen_by.append(labels) or decide_fold(table, fold, labels, **more)
        ),
    )
    pd.testing.assert_frame_equal(corrupted.decide(0)[1], decided)
    np.testing.assert_array_equal(seen_by[0], label_noise.song_labels(corrupted, 0))


def test_tables_say_which_noise(corrupted: Experiment) -> None:
    found = runs_table.collect(corrupted.runs_dir)
    row = found.set_index("folder").loc[corrupted.folder.path.name]
    assert (row["noise_kind"], row["noise_rate"]) == ("song", 0.3)
    assert tables.run_table(found)["method"].tolist() == ["ce, 30 % song noise"]


def test_without_truth_of_the_corpus_the_label_before_is_the_truth(corrupted: Experiment) -> None:
    blind = dataclasses.replace(corrupted.corpus, truth=None)
    known, corrupted.corpus = corrupted.corpus, blind
    try:
        passes = read_passes(corrupted, 0)
    finally:
        corrupted.corpus = known
    assert passes.wrong is not None
    np.testing.assert_array_equal(passes.wrong, passes.corrupted)


def test_the_labels_in_training_and_the_inner_folds_are_the_corrupted_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {"corpus_options": {"clips": 40, "seconds": 8.0}}
    experiment = make(tmp_path, "symmetric", 0.5, song_features="oof", **many)
    given: list[tuple[np.ndarray, np.ndarray]] = []
    fit = Trainer.fit
    monkeypatch.setattr(
        Trainer,
        "fit",
        lambda self, view, labels, songs: (
            given.append((labels, songs)) or fit(self, view, labels, songs)
        ),
    )
    experiment.train(0)
    of_fold = label_noise.segment_labels(experiment, 0)
    assert len(given) == 1 + fold_training.INNER_FOLDS
    for labels, songs in given:
        rows = experiment.train_index.rows_of(np.unique(songs))
        np.testing.assert_array_equal(labels, of_fold[rows])


def test_a_system_sees_song_noise_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    fit = embedding_svm.System.fit
    monkeypatch.setattr(
        embedding_svm.System, "fit", lambda self, x, y: seen.append(y) or fit(self, x, y)
    )
    for kind in ("symmetric", "song"):
        experiment = make(tmp_path, kind, 0.4, method="embedding_svm")
        experiment.train(0)
        own = experiment.labels[experiment.folds[0].train]
        assert (seen[-1] != own).any() == (kind == "song")
    assert RunConfig().noise_kind == "none"
