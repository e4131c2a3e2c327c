"""The curve of any file equals what the run stored, and uses no network trained on the song."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from mer_kit.analysis import answering, predict
from mer_kit.checks import MerKitError
from mer_kit.results import runs_table
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import FOLD_FILES, RunFolder
from mer_kit.songs import features

SMALL = {"corpus_options": {"clips": 24, "seconds": 8.0}}
CLASSES = ["Q1", "Q2", "Q3", "Q4"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    config = resolve(corpus="demo", preset="smoke", folds=2, epochs=2, seed=3, **SMALL)
    experiment = Experiment(
        config, runs_dir=tmp_path_factory.mktemp("runs"), precision="float32", device="cpu"
    )
    experiment.run()
    return experiment


def curve_of(path: Path, experiment: Experiment, **more: object) -> pd.DataFrame:
    return predict.predict_curve(
        path, experiment.folder.path, precision="float32", device="cpu", **more
    )  # type: ignore[arg-type]


def fold_testing(experiment: Experiment, position: int) -> int:
    return next(fold.number for fold in experiment.folds if position in fold.test)


@pytest.fixture
def stranger(run: Experiment, tmp_path: Path) -> Path:
    """A file that is no clip: eleven seconds made of two clips, at another rate, in stereo."""
    parts = [soundfile.read(clip.path, always_2d=True)[0][:, :1] for clip in run.corpus.clips[:2]]
    joined = np.concatenate(parts)[: 11 * 22050]
    soundfile.write(tmp_path / "two moods.flac", np.repeat(joined, 2, axis=1), 22050)
    return tmp_path / "two moods.flac"


@pytest.mark.parametrize("position", [0, 23])
def test_a_corpus_clip_gets_the_numbers_that_its_test_fold_stored(
    run: Experiment, position: int
) -> None:
    clip, fold = run.corpus.clips[position], fold_testing(run, position)
    curve = curve_of(clip.path, run)
    stored = run.folder.segments(fold).query("clip_id == @clip.clip_id and part == 'test'")
    assert curve.attrs["folds"] == [fold] and curve.attrs["held_out"] is True
    np.testing.assert_allclose(curve[CLASSES].to_numpy(), stored[CLASSES].to_numpy(), atol=2e-6)
    np.testing.assert_allclose(curve["start_s"], stored["start_s"])
    np.testing.assert_allclose(curve["centre_s"], stored["start_s"] + 1.5)


def test_decisions_of_a_clip_equal_those_of_the_run(run: Experiment) -> None:
    songs = pd.read_csv(run.folder.path / "songs.csv").set_index("clip_id")
    for position in (0, 7, 12, 20):
        clip = run.corpus.clips[position]
        decided = curve_of(clip.path, run).attrs["decisions"]
        names = ("svm", "mean", "vote", "run_length", "elm")
        assert decided == {name: songs.loc[clip.clip_id, name] for name in names}


def test_a_renamed_copy_is_known_by_its_bytes(run: Experiment, tmp_path: Path) -> None:
    copy = tmp_path / "my favourite.wav"
    shutil.copyfile(run.corpus.clips[5].path, copy)
    curve = curve_of(copy, run)
    assert curve.attrs["clip_id"] == run.corpus.clips[5].clip_id
    assert curve.attrs["folds"] == [fold_testing(run, 5)]


def test_another_encoding_under_the_clips_own_name_is_taken_for_the_clip(
    run: Experiment, tmp_path: Path
) -> None:
    clip = run.corpus.clips[5]
    samples, rate = soundfile.read(clip.path)
    soundfile.write(tmp_path / f"{clip.clip_id}.flac", samples, rate)
    curve = curve_of(tmp_path / f"{clip.clip_id}.flac", run)
    assert (curve.attrs["clip_id"], curve.attrs["folds"]) == (clip.clip_id, [fold_testing(run, 5)])


def test_a_file_of_the_same_size_with_other_bytes_is_a_stranger(
    run: Experiment, tmp_path: Path
) -> None:
    content = bytearray(run.corpus.clips[5].path.read_bytes())
    content[-2] ^= 1
    (tmp_path / "nearly.wav").write_bytes(bytes(content))
    assert curve_of(tmp_path / "nearly.wav", run).attrs["clip_id"] is None


def test_a_stranger_gets_the_mean_of_all_folds_over_its_whole_length(
    run: Experiment, stranger: Path
) -> None:
    curve = curve_of(stranger, run)
    singles = [curve_of(stranger, run, fold=k)[CLASSES].to_numpy() for k in (0, 1)]
    assert curve.attrs["folds"] == [0, 1] and curve.attrs["clip_id"] is None
    assert curve["start_s"].tolist() == list(range(9)) and curve["end_s"].iloc[-1] == 11.0
    np.testing.assert_allclose(curve[CLASSES].to_numpy(), (singles[0] + singles[1]) / 2)
    assert np.abs(singles[0] - singles[1]).max() > 1e-4
    assert set(curve.attrs["svm_by_fold"]) == {0, 1}


def test_without_the_corpus_at_hand_nobody_can_tell(
    run: Experiment, stranger: Path, tmp_path: Path
) -> None:
    away = shutil.copytree(run.folder.path, tmp_path / "run")
    config = json.loads((away / "config.json").read_text())
    (away / "config.json").write_text(json.dumps({**config, "corpus": "4q", "corpus_options": {}}))
    curve = predict.predict_curve(
        stranger, away, data_root=tmp_path / "nothing", precision="float32", device="cpu"
    )
    assert curve.attrs["held_out"] is None
    assert "whose audio is not available for comparison" in curve.attrs["note"]


def test_a_network_that_learned_the_clip_says_so(run: Experiment) -> None:
    clip, fold = run.corpus.clips[0], fold_testing(run, 0)
    curve = curve_of(clip.path, run, fold=1 - fold)
    assert curve.attrs["held_out"] is False
    assert curve.attrs["note"].startswith("Beware") and f"fold {1 - fold}" in curve.attrs["note"]
    stored = run.folder.segments(1 - fold).query("clip_id == @clip.clip_id and part == 'train'")
    np.testing.assert_allclose(curve[CLASSES].to_numpy(), stored[CLASSES].to_numpy(), atol=2e-6)


def test_where_the_clips_own_fold_is_missing_the_others_answer_with_a_warning(
    run: Experiment, tmp_path: Path
) -> None:
    fold = fold_testing(run, 0)
    part = tmp_path / "part"
    shutil.copytree(run.folder.path, part)
    shutil.rmtree(part / "folds" / str(fold))
    curve = predict.predict_curve(run.corpus.clips[0].path, part, device="cpu", precision="float32")
    assert curve.attrs["folds"] == [1 - fold] and curve.attrs["held_out"] is False


def test_without_a_saved_svm_the_same_one_is_fitted(
    run: Experiment, tmp_path: Path, stranger: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(run.folder.path, bare)
    for k in (0, 1):
        (bare / "folds" / str(k) / "svm.safetensors").unlink()
        saved, fitted = (
            predict.fitted_classifier(one, k, "svm") for one in (run.folder, RunFolder(bare))
        )
        p, song = (
            np.random.default_rng(k).dirichlet(np.ones(4), size=300),
            np.repeat(np.arange(30), 10),
        )
        assert saved.best_ == fitted.best_
        x = features.pool(p, song, n_songs=30)
        np.testing.assert_allclose(
            saved.pipeline_.decision_function(x), fitted.pipeline_.decision_function(x)
        )


def older(run: Experiment, folder: Path) -> Path:
    """Copy a run as versions before this one left it: an SVM by skops, no checksums, files for one's own eyes only."""
    copy = Path(shutil.copytree(run.folder.path, folder))
    for fold in (copy / "folds").iterdir():
        (fold / "svm.safetensors").unlink()
        (fold / "svm.skops").write_bytes(b"PK\x03\x04 never to be opened" + bytes(range(256)))
        status = json.loads((fold / "status.json").read_text())
        del status["files"]
        (fold / "status.json").write_text(json.dumps(status))
    return copy


def test_an_older_run_stays_finished_and_its_skops_file_is_never_opened(
    run: Experiment, tmp_path: Path, stranger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = older(run, tmp_path / "older")
    assert RunFolder(copy).folds_done() == [0, 1]
    opened: list[str] = []
    original = open
    monkeypatch.setattr(
        "builtins.open", lambda file, *a, **k: opened.append(str(file)) or original(file, *a, **k)
    )
    was = curve_of(stranger, run)
    now = predict.predict_curve(stranger, copy, precision="float32", device="cpu")
    np.testing.assert_array_equal(now[CLASSES], was[CLASSES])
    assert now.attrs["svm_by_fold"] == was.attrs["svm_by_fold"] and not [
        name for name in opened if "skops" in name
    ]
    (row,) = runs_table.collect(tmp_path).to_dict("records")
    assert (row["status"], row["reason"]) == ("done", "")


@pytest.mark.parametrize("name", ["model.safetensors", "segments.csv"])
def test_a_file_that_changed_since_the_training_is_not_used(
    run: Experiment, tmp_path: Path, stranger: Path, name: str
) -> None:
    copy = Path(shutil.copytree(run.folder.path, tmp_path / "copy"))
    file = copy / "folds/1" / name
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(MerKitError, match=f"fold 1 of copy: {name} has changed since the training"):
        predict.predict_curve(stranger, copy, device="cpu")
    assert predict.predict_curve(stranger, copy, fold=0, device="cpu").attrs["folds"] == [0]


def test_deciding_again_keeps_a_fold_as_it_was_sealed(run: Experiment) -> None:
    run.summarise()
    for number in (0, 1):
        run.folder.check_seal(number)
        assert set(run.folder.fold_status(number)["files"]) == set(FOLD_FILES)


def spoil_svm(fold: Path) -> None:
    (fold / "svm.safetensors").write_bytes(b"x" * 100)


def link_svm(fold: Path) -> None:
    outside = fold.parents[2] / "outside.safetensors"
    shutil.move(fold / "svm.safetensors", outside)
    (fold / "svm.safetensors").symlink_to(outside)


def clashing_options(fold: Path) -> None:
    config = json.loads((fold.parents[1] / "config.json").read_text())
    config["corpus_options"] = {"data_root": 1, "name": "x"}
    (fold.parents[1] / "config.json").write_text(json.dumps(config))


def other_task(fold: Path) -> None:
    config = json.loads((fold.parents[1] / "config.json").read_text())
    (fold.parents[1] / "config.json").write_text(json.dumps({**config, "task": "valence"}))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoil_svm, "svm.safetensors of 0 cannot be read as a saved SVM"),
        (link_svm, "svm.safetensors' is missing or no regular file"),
        (other_task, "segments.csv in 0 lacks the column 'V-'"),
        (clashing_options, ""),
    ],
)
def test_a_strangers_folder_gets_a_sentence_or_an_answer(
    run: Experiment, tmp_path: Path, stranger: Path, spoil: Any, sentence: str
) -> None:
    copy = Path(shutil.copytree(run.folder.path, tmp_path / "copy"))
    spoil(copy / "folds/0")
    if sentence:
        with pytest.raises(MerKitError, match=sentence):
            predict.predict_curve(stranger, copy, device="cpu")
    else:
        assert predict.predict_curve(stranger, copy, device="cpu").attrs["folds"] == [0, 1]


def test_a_backup_among_the_folds_does_not_answer(
    run: Experiment, tmp_path: Path, stranger: Path
) -> None:
    copy = Path(shutil.copytree(run.folder.path, tmp_path / "copy"))
    for name in ("0.bak", "0 (copy)", "01", "7"):
        shutil.copytree(copy / "folds/0", copy / "folds" / name)
    assert predict.predict_curve(stranger, copy, device="cpu").attrs["folds"] == [0, 1]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_runs_files_have_the_mode_of_their_neighbours(run: Experiment) -> None:
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in run.folder.fold(0).iterdir()
        if path.is_file()
    }
    neighbour = run.folder.path / "neighbour"
    neighbour.write_text("x")
    expected = neighbour.stat().st_mode & 0o777
    neighbour.unlink()
    assert {
        name: mode for name, mode in modes.items() if mode != expected and name != ".lock"
    } == {}
    assert {"model.safetensors", "svm.safetensors", "epochs.npz"} <= set(modes)


def test_votes_of_the_folds_decide_and_a_tie_goes_to_the_higher_mean() -> None:
    p = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]])  # means 0.3, 0.45, 0.25
    assert predict.decide(p, {"svm": {0: "a", 1: "c", 2: "c"}}, ["a", "b", "c"])["svm"] == "c"
    assert predict.decide(p, {"svm": {0: "a", 1: "b"}}, ["a", "b", "c"])["svm"] == "b"


def test_the_description_names_length_answer_and_share(run: Experiment) -> None:
    curve = curve_of(run.corpus.clips[0].path, run)
    text = predict.describe(curve)
    assert f"{len(curve)} segments of 3 s up to 8 s" in text
    assert f"Q1 happy {curve['Q1'].mean():.0%}" in text
    assert f"svm {curve.attrs['decisions']['svm']}" in text


def test_the_newest_run_is_the_one_whose_fold_ended_last(run: Experiment, tmp_path: Path) -> None:
    import os

    for age, name in ((100, "old"), (0, "new"), (50, "between")):
        shutil.copytree(run.folder.path, tmp_path / name)
        for file in (tmp_path / name).glob("folds/*/status.json"):
            os.utime(file, (2e9 - age, 2e9 - age))
    (tmp_path / "unfinished").mkdir()
    shutil.copy(run.folder.path / "config.json", tmp_path / "unfinished")
    assert answering.newest_run(tmp_path) is None, "a network of the demo corpus has heard no music"
    for config in tmp_path.glob("*/config.json"):
        config.write_text(json.dumps({**json.loads(config.read_text()), "corpus": "4q"}))
    assert answering.newest_run(tmp_path) == tmp_path / "new"
    assert answering.newest_run(tmp_path / "nowhere") is None


def test_bad_input_gets_a_sentence(run: Experiment, tmp_path: Path, stranger: Path) -> None:
    with pytest.raises(MerKitError, match="missing"):
        curve_of(tmp_path / "nothing.mp3", run)
    soundfile.write(tmp_path / "short.wav", np.full(22050, 0.1), 22050)
    with pytest.raises(MerKitError, match=r"short\.wav.*shorter than one 3 s segment"):
        curve_of(tmp_path / "short.wav", run)
    with pytest.raises(MerKitError, match="expected one of 0, 1"):
        curve_of(stranger, run, fold=2)
    (tmp_path / "new").mkdir()
    shutil.copy(run.folder.path / "config.json", tmp_path / "new")
    with pytest.raises(MerKitError, match="no finished fold"):
        predict.predict_curve(stranger, tmp_path / "new")
