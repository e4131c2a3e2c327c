"""scores.json of a fold: what was fitted once is read, and what does not belong to the fold is computed again."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mer_kit.analysis import feature_space
from mer_kit.runs import scores_file
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.songs import classifiers
from mer_kit.songs.classifier import Rule
from mer_kit.songs.classifiers.svm import SVM

SMALL = {"corpus_options": {"clips": 24, "seconds": 8.0}}


def make(runs_dir: Path, **more: Any) -> Experiment:
    config = resolve(corpus="demo", preset="smoke", folds=2, **SMALL, **more)
    return Experiment(config, runs_dir=runs_dir, precision="float32", device="cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    experiment = make(tmp_path_factory.mktemp("runs"))
    experiment.train(0)
    return experiment


@pytest.fixture
def copy(trained: Experiment, tmp_path: Path) -> Experiment:
    shutil.copytree(trained.runs_dir, tmp_path / "runs")
    return Experiment(
        trained.config,
        runs_dir=tmp_path / "runs",
        opened=(trained.corpus, trained.store, trained.skipped),
    )


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often an SVM is fitted."""
    counted: list[int] = []
    original = SVM.fit
    monkeypatch.setattr(SVM, "fit", lambda self, *data: counted.append(1) or original(self, *data))
    return counted


def scores(experiment: Experiment) -> Path:
    return experiment.folder.fold(0) / scores_file.SCORES_FILE


def files_of(experiment: Experiment) -> dict[str, int]:
    found = [path for path in experiment.folder.path.rglob("*") if path.is_file()]
    return {str(path): path.stat().st_mtime_ns for path in found}


def same(one: tuple[Any, pd.DataFrame], other: tuple[Any, pd.DataFrame]) -> None:
    assert one[0] == other[0] and list(one[0].songs) == list(other[0].songs)
    pd.testing.assert_frame_equal(one[1], other[1])


def test_training_leaves_scores_and_answers(trained: Experiment) -> None:
    content = json.loads(scores(trained).read_text())
    result, songs = trained.decide(0)
    assert (
        content["fold"]["songs"] == result.songs
        and content["fold"]["seconds"] == result.seconds > 0
    )
    assert content["clip_id"] == [trained.clip_ids[i] for i in trained.folds[0].test]
    assert content["answers"]["svm"] == songs["svm"].tolist()
    assert (trained.folder.fold(0) / "svm.safetensors").exists()


def test_what_is_read_equals_what_is_computed(copy: Experiment, fits: list[int]) -> None:
    stored = copy.decide(0)
    assert not fits
    scores(copy).unlink()
    same(stored, copy.decide(0))
    assert len(fits) == 1
    assert stored[1].dtypes.tolist() == copy.decide(0)[1].dtypes.tolist()


def test_no_classifier_is_fitted_twice(copy: Experiment, fits: list[int]) -> None:
    copy.summarise()
    copy.decide(0)
    feature_space.song_space(copy, 0)
    copy.run([0])
    assert not fits


def test_a_question_writes_nothing(copy: Experiment, fits: list[int]) -> None:
    scores(copy).unlink()
    (copy.folder.fold(0) / "svm.safetensors").unlink()
    before = files_of(copy)
    copy.decide(0)
    feature_space.song_space(copy, 0)
    assert files_of(copy) == before and fits


def test_a_run_without_the_file_gets_it_when_it_is_summarised(
    copy: Experiment, fits: list[int]
) -> None:
    text = scores(copy).read_text()
    scores(copy).unlink()
    copy.summarise()
    copy.summarise()
    assert len(fits) == 1 and scores(copy).read_text() == text


def test_a_read_only_folder_is_decided_all_the_same(
    copy: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = copy.decide(0)
    scores(copy).unlink()

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(scores_file, "write_json", refuse)
    monkeypatch.setattr(SVM, "save", refuse)
    same(stored, copy.decide(0, write=True))
    assert not scores(copy).exists()


class Third(Rule):
    """Answers class 2 for every song."""

    def answer(self, p: np.ndarray) -> int:
        return 2


def test_an_added_classifier_is_fitted_alone_and_added(
    copy: Experiment, fits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = copy.decide(0)
    monkeypatch.setitem(
        classifiers.MODULES, "third", SimpleNamespace(Classifier=Third, __file__=__file__)
    )
    monkeypatch.setattr(classifiers, "NAMES", (*classifiers.NAMES, "third"))
    result, songs = copy.decide(0)
    assert "third" not in json.loads(scores(copy).read_text())["answers"], "a question wrote"
    copy.decide(0, write=True)
    content = json.loads(scores(copy).read_text())
    assert not fits and set(songs["third"]) == {2} and set(content["answers"]["third"]) == {2}
    assert {name: result.songs[name] for name in before.songs} == before.songs
    same(copy.decide(0), (result, songs))
    monkeypatch.undo()  # without the classifier, its answers are in the file and not in the result
    assert "third" not in copy.decide(0)[0].songs


def test_a_persons_own_classifier_that_has_changed_is_fitted_again(
    copy: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        scores_file.extensions,
        "source_mark",
        lambda module: "0a" if "svm" in module.__name__ else "",
    )
    scores(copy).unlink()
    copy.decide(0, write=True)
    assert json.loads(scores(copy).read_text())["sources"] == {"svm": "0a"}
    monkeypatch.setattr(
        scores_file.extensions,
        "source_mark",
        lambda module: "0b" if "svm" in module.__name__ else "",
    )
    fitted: list[str] = []
    original = SVM.fit
    monkeypatch.setattr(
        SVM, "fit", lambda self, *data: fitted.append("svm") or original(self, *data)
    )
    copy.decide(0)
    assert fitted == ["svm"]


def test_other_segments_are_decided_again(copy: Experiment, fits: list[int]) -> None:
    """Without a seal, as in older runs: with one, changed segments are refused before."""
    status = copy.folder.fold(0) / "status.json"
    status.write_text(json.dumps({"state": "done", "seconds": 1.0}))
    table = copy.folder.segments(0)
    classes = list(copy.classes)
    table[classes] = table[classes].to_numpy()[:, ::-1]
    table.to_csv(copy.folder.fold(0) / "segments.csv", index=False)
    result, _ = copy.decide(0)
    assert fits and result.songs != json.loads(scores(copy).read_text())["fold"]["songs"]
    copy.decide(0, write=True)
    fits.clear()
    same(copy.decide(0), (copy.decide(0)[0], copy.decide(0)[1]))
    assert not fits and copy.decide(0)[0].songs == result.songs


def change(content: dict[str, Any], *path: str, value: Any) -> None:
    for name in path[:-1]:
        content = content[name]
    content[path[-1]] = value


def changed(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: change(content, *path, value=value)


def shifted(content: dict[str, Any]) -> None:
    content["answers"]["svm"] = [(k + 1) % 4 for k in content["answers"]["svm"]]


WRONG: list[Callable[[dict[str, Any]], None]] = [
    changed("theta", value=0.4), changed("seed", value=7), changed("theta", value="half"),
    changed("segments_blake2b", value="0" * 32), changed("segments_blake2b", value=[1]),
    changed("answers", "svm", value=[9] * 12), changed("answers", "svm", value=[0]),
    changed("answers", "svm", value=[True] * 12), changed("answers", "svm", value="0123"), changed("answers", value=[]),
    changed("answers", "more", value=[0] * 12), changed("clip_id", value=["a"] * 12), changed("clip_id", value=7),
    changed("label", value=[0] * 12), changed("fold", value=None), changed("fold", "n_test", value=3),
    changed("fold", "n_train", value=3), changed("fold", "fold", value=1), changed("fold", "songs", value=[1]),
    changed("fold", "songs", "svm", "accuracy", value=7), changed("fold", "songs", "svm", "accuracy", value=0.123),
    changed("fold", "majority", "accuracy", value=0.123), changed("fold", "segments", value={"accuracy": -1}),
    changed("sources", value=[1]), changed("sources", value={"svm": [1]}), shifted, lambda content: content.clear(),
]  # fmt: skip


@pytest.mark.parametrize("spoil", WRONG)
def test_a_file_that_does_not_fit_is_not_used(
    copy: Experiment, caplog: pytest.LogCaptureFixture, spoil: Callable[[dict[str, Any]], None]
) -> None:
    stored = copy.decide(0)
    content = json.loads(scores(copy).read_text())
    assert len(content["label"]) == 12
    spoil(content)
    scores(copy).write_text(json.dumps(content))
    with caplog.at_level(logging.WARNING, "mer_kit"):
        same(stored, copy.decide(0))
    (line,) = caplog.messages
    assert line.startswith(
        f"scores.json of fold 0 in {copy.folder.path.name} is not used, its songs are decided again"
    )
    assert len(line) < 400 and line.isprintable()
    copy.decide(0, write=True)
    assert json.loads(scores(copy).read_text())["fold"]["songs"] == stored[0].songs


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX has pipes and links")
@pytest.mark.parametrize("kind", ["torn", "pipe", "zero", "out", "folder", "large", "deep"])
def test_a_file_that_is_none_is_not_read(copy: Experiment, tmp_path: Path, kind: str) -> None:
    stored, file = copy.decide(0), scores(copy)
    text = file.read_text()
    (tmp_path / "outside.json").write_text(text)
    file.unlink()
    if kind in ("torn", "deep"):
        file.write_text({"torn": text[:100], "deep": "[" * 100_000}[kind])
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "large":
        with open(file, "wb") as hole:
            hole.truncate(3 << 30)
    else:
        file.symlink_to({"zero": "/dev/zero", "out": tmp_path / "outside.json"}[kind])
    same(stored, copy.decide(0))
    same(stored, copy.decide(0, write=True))
    assert (tmp_path / "outside.json").read_text() == text
