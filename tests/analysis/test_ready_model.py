"""The model that comes with mer-kit: its card and file agree, and it answers for any recording."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from click.testing import CliRunner

from mer_kit.analysis import predict, ready_model
from mer_kit.checks import MerKitError
from mer_kit.cli import main
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.signal import wheels
from mer_kit.signal.frontends import musicnn
from mer_kit.training import SegmentClassifier, checkpoint
from mer_kit.views.curve_player import CurvePlayer
from tests.small_musicnn import installed, random_tensors
from tools import ready_model as tool

CLASSES = ["Q1", "Q2", "Q3", "Q4"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[wheels.Wheel]:
    (tmp_path / "cache").mkdir()
    with installed(tmp_path / "cache", monkeypatch, random_tensors()) as wheel:
        yield wheel


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network with random weights in the place of the one that comes with mer-kit."""
    real = ready_model.card()
    rng = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=rng).half()  # noqa: E731
    network = {
        "hidden.weight": draw(8, 200), "hidden.bias": draw(8), "classifier.1.weight": draw(4, 8),
        "classifier.1.bias": draw(4),
    }  # fmt: skip
    path = tmp_path / "small.safetensors"
    checkpoint.save(path, {
        "n_classes": 4, "model": {"hidden": 8}, "kind": "mlp", "network": network,
        "bands": [torch.zeros(200), torch.ones(200)],
    })  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(real), encoding="utf-8")
    monkeypatch.setattr(ready_model, "MODEL", path)
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    t = np.arange(7 * 22050) / 22050
    tones = 0.2 * np.sin(2 * np.pi * np.where(t < 3.5, 220, 660) * t)
    soundfile.write(tmp_path / "my song.wav", tones, 22050)
    return tmp_path / "my song.wav"


def test_card_and_file_agree() -> None:
    about, content = ready_model.card(), ready_model.MODEL.read_bytes()
    assert hashlib.sha256(content).hexdigest() == about["sha256"]
    assert len(content) == about["bytes"] <= tool.MOST_BYTES == 300_000
    assert about["file"] == ready_model.MODEL.name and about["clips"] == 900
    resolved = resolve(**tool.SETTINGS)
    settings = {
        name: getattr(resolved.frontend_settings, name) for name in ("tagger", "layer", "context")
    }
    assert (
        about["frontend_settings"]
        == settings
        == {"tagger": "MSD", "layer": "penultimate", "context": "clip"}
    )
    assert (about["method"], about["network"], about["song_rule"]) == ("ce", "mlp", "mean")
    right = about["accuracy"]
    assert 0.25 < right["low"] < right["songs"] < right["high"] < 1 and right["folds"] == 10
    assert right["grouped_by"] == "artist" and about["not_for"]
    assert "ISC" in about["frontend_note"] and "words for moods" in about["frontend_note"]
    page = ready_model.MODEL.with_name("README.md").read_text("utf-8")
    assert page == tool.page(about)
    network = SegmentClassifier(ready_model.MODEL, device="cpu", precision="float32")
    assert network.n_classes == len(about["classes"]) == 4


def test_a_song_gets_a_curve_with_tags(package: wheels.Wheel, small: Path, song: Path) -> None:
    curve = ready_model.predict_curve(song)
    assert len(curve) == 5 and curve["end_s"].iloc[-1] == 7.0
    np.testing.assert_allclose(curve[CLASSES].sum(axis=1), 1, atol=1e-5)
    assert curve.attrs["decisions"] == {"mean": curve[CLASSES].mean().idxmax()}
    frontend = musicnn.Frontend(musicnn.Settings(layer="tags"))
    view = predict.segments_of(
        song, {"frontend": "musicnn", "frontend_settings": {"layer": "tags"}, "segment_seconds": 3}
    )
    scores = view.gather(np.arange(5))
    for row, text in zip(scores, curve["tags"], strict=True):
        best = [frontend.columns[k] for k in np.argsort(-row, kind="stable")[:5]]
        assert [tag.rpartition(" ")[0] for tag in text.split(", ")] == best
    said = predict.describe(curve)
    assert f"{ready_model.card()['accuracy']['songs']:.1%}" in said and musicnn.NOTE in said
    assert "strongest tags: " in said and "decided: mean Q" in said
    player = CurvePlayer(curve, song)
    assert player.data()["tags"] == curve["tags"].tolist() and musicnn.NOTE in player.data()["note"]
    assert player.sentence().endswith(f" Tags: {curve['tags'][0]}.")
    assert musicnn.NOTE.replace("'", "&#x27;") in player.fragment()


def test_predict_needs_no_run(
    package: wheels.Wheel, small: Path, song: Path, tmp_path: Path
) -> None:
    options = [
        "predict",
        str(song),
        "--runs",
        str(tmp_path / "runs"),
        "--out",
        str(tmp_path / "out"),
    ]
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 0, result.output
    assert "of the songs right in 10 folds of 4Q that share no artist" in result.output
    made = sorted(path.suffix for path in (tmp_path / "out").iterdir())
    assert made == [".csv", ".html", ".png", ".svg"]
    table = pd.read_csv(tmp_path / "out" / "my song_emotions.csv")
    assert table["tags"].str.count(", ").eq(4).all()
    page = (tmp_path / "out" / "my song_emotions.html").read_text("utf-8")
    assert "words for moods" in page and "(mean)" in page
    result = CliRunner().invoke(main, [*options, "--fold", "1"])
    assert result.exit_code == 1 and "name a run folder with --run" in result.output


def test_without_weights_one_sentence_names_the_command(
    package: wheels.Wheel, small: Path, song: Path, tmp_path: Path
) -> None:
    package.path.unlink()
    result = CliRunner().invoke(main, ["predict", str(song), "--runs", str(tmp_path / "runs")])
    assert result.exit_code == 1 and result.output.count("\n") == 1
    assert "run mer-kit frontends get musicnn" in result.output


def test_weights_of_half_precision_are_read_and_others_refused(small: Path) -> None:
    stored = checkpoint.load(small)
    half = SegmentClassifier(small, device="cpu").networks[0].state_dict()
    assert {value.dtype for value in half.values()} == {torch.float32}
    for name, value in stored["network"].items():
        assert torch.equal(half[name].half(), value)
    stored["network"]["hidden.bias"] = stored["network"]["hidden.bias"].double()
    checkpoint.save(small, stored)
    with pytest.raises(MerKitError, match=r"not those of its network \('hidden.bias', 1 in all\)"):
        SegmentClassifier(small, device="cpu")


@pytest.fixture
def experiment(package: wheels.Wheel, tmp_path: Path) -> Experiment:
    """The tool's run on a small corpus."""
    settings = tool.SETTINGS | {
        "corpus": "demo", "corpus_options": {"clips": 16, "seconds": 8}, "folds": 2, "epochs": 2, "warmup_epochs": 1,
    }  # fmt: skip
    return Experiment(
        resolve(**settings), runs_dir=tmp_path / "runs", device="cpu", precision="float32"
    )


def test_the_tool_makes_the_same_network_again(experiment: Experiment, tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for path in (first, second):
        tool.train(experiment, path)
    assert first.read_bytes() == second.read_bytes()
    assert tool.largest_difference(experiment, first, second) == 0
    about = tool.card(experiment, first)
    right = about["accuracy"]
    songs = pd.read_csv(experiment.folder.path / "songs.csv")
    assert right["songs"] == round(float((songs["mean"] == songs["label"]).mean()), 4)
    assert right["low"] <= right["songs"] <= right["high"] and right["n_songs"] == 16
    assert set(about) == set(ready_model.card()) and set(right) == set(
        ready_model.card()["accuracy"]
    )
    assert about["sha256"] in tool.page(about)
