"""The composer: one fold from audio to scores on a tiny demo corpus, resumed, skipped, compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, f1_score

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.records import EpochRecord
from mer_kit.results import recipes, runs_table
from mer_kit.runs.config import RunConfig, as_dictionary
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve

SMALL = {"corpus_options": {"clips": 24, "seconds": 8.0}}


def config(**more: object) -> RunConfig:
    return resolve(**{"corpus": "demo", "preset": "smoke", "folds": 2, **SMALL, **more})  # type: ignore[arg-type]


def make(runs_dir: Path, **more: object) -> Experiment:
    return Experiment(config(**more), runs_dir=runs_dir, precision="float32", device="cpu")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    experiment = make(tmp_path_factory.mktemp("runs"))
    experiment.run()
    return experiment


def test_a_fold_keeps_what_it_cost(finished: Experiment) -> None:
    folder = finished.folder
    costs = [fold["cost"] for fold in folder.metrics()["folds"]]
    weights = load_file(folder.fold(0) / "model.safetensors")
    trained = sum(w.numel() for name, w in weights.items() if name.endswith(("weight", "bias")))
    assert [one["parameters"] for one in costs] == [trained] * len(costs) and trained > 1000
    for number, one in enumerate(costs):
        history = pd.read_csv(folder.fold(number) / "history.csv")
        assert one["split"] == pytest.approx(history[history["phase"] == "ssl"]["separated"].mean())
        # Measured anew for every fold, of the whole process: libraries, features and training.
        assert 100 < one["peak_mb"] < 2e4
    (row,) = runs_table.collect(folder.path.parent).to_dict("records")
    assert row["peak_mb"] == max(one["peak_mb"] for one in costs) and row["parameters"] == trained
    assert row["seconds_per_fold"] == pytest.approx(row["seconds"] / len(costs))


def test_scores_equal_those_of_scikit_learn_on_the_song_table(finished: Experiment) -> None:
    songs = pd.read_csv(finished.folder.path / "songs.csv")
    pooled = finished.folder.metrics()["summary"]["pooled"]
    assert sorted(songs["clip_id"]) == [clip.clip_id for clip in finished.corpus.clips]
    for classifier in ("svm", "mean", "vote", "run_length"):
        assert pooled[classifier]["accuracy"] == pytest.approx(
            accuracy_score(songs["label"], songs[classifier])
        )
        labels = ["Q1", "Q2", "Q3", "Q4"]
        expected = f1_score(
            songs["label"], songs[classifier], average="macro", labels=labels, zero_division=0
        )
        assert pooled[classifier]["macro_f1"] == pytest.approx(expected)


def test_no_test_song_and_no_group_is_trained_on(finished: Experiment) -> None:
    groups = finished.corpus.groups()
    assert groups is not None
    for fold in finished.folds:
        trained = np.unique(finished.folder.epochs(fold.number)["clip"])
        assert not set(trained) & set(fold.test)
        assert not set(groups[trained]) & set(groups[fold.test])


def test_a_finished_fold_is_not_trained_again(
    finished: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mer_kit.training.trainer.Trainer.fit", lambda *_: pytest.fail("trained again")
    )
    Experiment(finished.config, runs_dir=finished.runs_dir).train(0)


def test_a_finished_fold_says_on_what_it_was_trained(finished: Experiment) -> None:
    status = json.loads((finished.folder.fold(0) / "status.json").read_text())
    assert status["device"] == "cpu" and status["precision"] == "float32" and status["seconds"] > 0
    assert status["threads"] == torch.get_num_threads()


def test_segment_table_has_every_second_of_every_song(finished: Experiment) -> None:
    table = finished.folder.segments(0)
    assert len(table) == len(finished.index)
    assert table[["Q1", "Q2", "Q3", "Q4"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-4)
    assert set(table.loc[table["part"] == "test", "clip_id"]) == {
        finished.corpus.clips[i].clip_id for i in finished.folds[0].test
    }


def test_an_interrupted_fold_goes_on_to_the_same_result(
    finished: Experiment, tmp_path: Path
) -> None:
    def stop(fold: int, record: EpochRecord) -> None:
        if record.epoch == 2:
            raise KeyboardInterrupt

    first = Experiment(
        finished.config, runs_dir=tmp_path, precision="float32", device="cpu", on_epoch=stop
    )
    with pytest.raises(KeyboardInterrupt):
        first.train(0)
    assert json.loads((first.folder.fold(0) / "status.json").read_text())["state"] == "paused"
    (row,) = runs_table.collect(tmp_path).to_dict("records")
    assert (row["status"], row["reason"]) == (
        "paused",
        "fold 0 is paused: the same command or notebook resumes it",
    )
    again = Experiment(finished.config, runs_dir=tmp_path, precision="float32", device="cpu")
    seen: list[int] = []
    again.on_epoch = lambda fold, record: seen.append(record.epoch)
    again.train(0)
    assert seen == [3], "finished epochs were trained again"
    pd.testing.assert_frame_equal(again.folder.segments(0), finished.folder.segments(0))
    assert (again.folder.fold(0) / "model.safetensors").read_bytes() == (
        finished.folder.fold(0) / "model.safetensors"
    ).read_bytes()


def test_methods_share_their_warm_up_without_changing_a_number(
    finished: Experiment, tmp_path: Path
) -> None:
    alone = make(tmp_path / "alone", method="sssl_no_kl")
    alone.train(0)
    shared = make(finished.runs_dir, method="sssl_no_kl")
    epochs: list[int] = []
    shared.on_epoch = lambda fold, record: epochs.append(record.epoch)
    shared.train(0)
    assert epochs == [2, 3], "the warm-up was trained again"
    pd.testing.assert_frame_equal(shared.folder.segments(0), alone.folder.segments(0))


def test_out_of_fold_features_come_from_networks_not_trained_on_the_song(tmp_path: Path) -> None:
    inside = make(tmp_path, group_by="song")
    inside.train(0)
    oof = make(tmp_path, song_features="oof", group_by="song")
    oof.train(0)
    assert oof.fingerprint != inside.fingerprint
    mine, theirs = oof.folder.segments(0), inside.folder.segments(0)
    assert sorted(mine["clip_id"].unique()) == sorted(theirs["clip_id"].unique())
    test = mine["part"] == "test"
    pd.testing.assert_frame_equal(
        mine[test].reset_index(drop=True), theirs[theirs["part"] == "test"].reset_index(drop=True)
    )
    train = theirs[theirs["part"] == "train"].sort_values(["clip_id", "start_s"])
    assert len(mine[~test]) == len(train)
    assert not np.allclose(mine[~test]["Q1"].to_numpy(), train["Q1"].to_numpy())
    oof.decide(0)
    assert not list(oof.folder.path.rglob("*checkpoint*")), (
        "a finished fold keeps no checkpoint, inner ones included"
    )


def test_a_skipped_clip_leaves_the_others_as_if_it_were_not_there(tmp_path: Path) -> None:
    source = Path(corpora.load("demo", **SMALL["corpus_options"]).root)
    experiments: list[Experiment] = []
    for name, spoil in (("bad", lambda p: p.write_bytes(b"")), ("gone", lambda p: p.unlink())):
        root = tmp_path / name
        shutil.copytree(source, root)
        clip = sorted(root.glob("Q*/*"))[0]
        spoil(clip)
        if name == "gone":
            for table in root.glob("panda*.csv"):
                lines = table.read_text("utf-8").splitlines(keepends=True)
                table.write_text("".join(line for line in lines if clip.stem not in line), "utf-8")
        options = {"corpus": "4q", "preset": "smoke", "folds": 2}
        skipping = resolve(**options, on_bad_clip="skip")  # type: ignore[arg-type]
        if name == "bad":
            with pytest.raises(MerKitError, match=clip.stem):
                Experiment(resolve(**options), data_root=root, runs_dir=tmp_path / "runs")  # type: ignore[arg-type]
        experiment = Experiment(
            skipping, data_root=root, runs_dir=tmp_path / name / "runs", precision="float32"
        )
        experiment.train(0)
        experiments.append(experiment)
    bad, gone = experiments
    assert any(clip.stem in str(problem) for problem in bad.skipped) and not gone.skipped
    assert bad.fingerprint == gone.fingerprint
    pd.testing.assert_frame_equal(bad.folder.segments(0), gone.folder.segments(0))
    assert clip.stem in json.dumps(bad.folder.config["skipped"])


def test_two_classes_work_too(tmp_path: Path) -> None:
    experiment = make(tmp_path, task="valence", segment_seconds=1)
    result = experiment.run([0])
    assert "positive_f1" in result.summary["pooled"]["svm"]


def test_an_unknown_fold_is_refused(finished: Experiment) -> None:
    with pytest.raises(MerKitError, match="fold is 2"):
        finished.train(2)


def test_seeds_of_training_may_share_the_folds_of_one_seed(tmp_path: Path) -> None:
    more = {"frontend": "logmel_stats", "method": "ce"}
    own, shared, other = (
        make(tmp_path, seed=seed, fold_seed=fold, **more)
        for seed, fold in ((0, 0), (1, 0), (1, None))
    )
    tests = [[fold.test.tolist() for fold in one.folds] for one in (own, shared, other)]
    assert tests[0] == tests[1] != tests[2]
    assert recipes.division(as_dictionary(own.config)) == recipes.division(
        as_dictionary(shared.config)
    )
    weights = [load_file(one.train(0).fold(0) / "model.safetensors") for one in (own, shared)]
    name = next(name for name in weights[0] if name.endswith("weight"))
    assert not torch.equal(weights[0][name], weights[1][name]), "training has its own seed"
