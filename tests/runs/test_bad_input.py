"""Whatever is wrong with a clip: a run stops and says so, or skips it, and then every other number is as without it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.runs.experiment import Experiment, open_corpus
from mer_kit.runs.presets import resolve
from tests.corpora import tiny

LABELS = ("Q1", "Q2", "Q3", "Q4")
SETTINGS = {"preset": "smoke", "folds": 2, "epochs": 2, "train_every_seconds": 3.0}


def collection(root: Path) -> Path:
    """Write twelve clips of real audio, three a quadrant."""
    rows = ["path,label"]
    for k in range(12):
        tiny.tone(
            root / f"c{k:02d}.wav", 8.0, hertz=150 + 40 * (k % 4) + 3 * k, loud=0.1 + 0.2 * (k % 4)
        )
        rows.append(f"c{k:02d}.wav,{LABELS[k % 4]}")
    tiny.write(root / "clips.csv", "\n".join([*rows, ""]))
    return root


def trained(root: Path, runs: Path, **more: object) -> pd.DataFrame:
    experiment = Experiment(
        resolve(corpus="table", **SETTINGS, **more),
        data_root=root,
        runs_dir=runs,
        device="cpu",
        precision="float32",
    )
    experiment.run([0])
    return experiment.folder.segments(0)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """The collection without its clip c12, and what a run makes of it."""
    root = collection(tmp_path_factory.mktemp("clean"))
    return root, trained(root, tmp_path_factory.mktemp("runs"))


def noise(path: Path, seconds: float = 8.0) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * 22050)).astype(np.float32)


def _truncated(path: Path) -> None:
    soundfile.write(path, noise(path), 22050)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "zero bytes": (lambda p: p.write_bytes(b""), "0 bytes, expected audio: copy the file again"),
    "truncated": (_truncated, "is truncated (4.0 of 8.0 s are there): copy or download it again"),
    "not audio": (lambda p: p.write_bytes(b"hello" * 99), "is not audio that can be decoded"),
    "silence": (
        lambda p: soundfile.write(p, np.zeros(8 * 22050), 22050),
        "is silent from beginning to end",
    ),
    "NaN": (
        lambda p: soundfile.write(p, noise(p) * np.nan, 22050, subtype="FLOAT"),
        "holds NaN or infinite samples",
    ),
    "too short": (
        lambda p: soundfile.write(p, noise(p, 2.4), 22050),
        "lasts 2.4 s, shorter than one 3 s segment",
    ),
    "absent": (lambda p: None, "listed in clips.csv, but there is no such audio file"),
}
ROWS = {
    "unknown label": ("c12.wav,Q9", "label 'Q9', expected one of Q1, Q2, Q3, Q4"),
    "leaves the root": ("../c12.wav,Q1", "points outside the dataset"),
    "duplicate id": ("c12.wav,Q1\nc12.wav,Q2", "2 rows, expected one"),
}


@pytest.mark.parametrize("name", [*BAD, *ROWS])
def test_a_bad_clip_stops_a_run_or_is_skipped_without_a_trace(
    name: str, clean: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    root, wanted = clean
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    make, sentence = BAD.get(name, (lambda p: soundfile.write(p, noise(p), 22050), ""))
    row, sentence = ROWS.get(name, ("c12.wav,Q1", sentence))
    make(copy / "c12.wav")
    with (copy / "clips.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(MerKitError) as told:
        open_corpus(resolve(corpus="table", **SETTINGS), copy)
    assert sentence in str(told.value) and "c12" in str(told.value)
    got = trained(copy, tmp_path / "runs", on_bad_clip="skip")
    pd.testing.assert_frame_equal(got, wanted)
    _, _, skipped = open_corpus(resolve(corpus="table", on_bad_clip="skip", **SETTINGS), copy)
    assert len(skipped) == 1 and sentence in str(skipped[0])


def test_a_file_that_no_row_lists_changes_nothing(
    clean: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    root, wanted = clean
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    soundfile.write(copy / "c12.wav", noise(copy / "c12.wav"), 22050)
    pd.testing.assert_frame_equal(trained(copy, tmp_path / "runs"), wanted)


def test_dropped_ties_leave_their_task_alone(tmp_path: Path) -> None:
    rows = ["path,valence,arousal"]
    for k in range(12):
        tiny.tone(tmp_path / "m" / f"c{k:02d}.wav", 4.0, hertz=150 + 30 * k)
        rows.append(f"c{k:02d}.wav,{0.2 if k % 2 else 0.8},{0.5 if k < 2 else 0.9 * (k % 4 > 1)}")
    tiny.write(tmp_path / "m" / "clips.csv", "\n".join([*rows, ""]))
    counts = {}
    for task in ("valence", "arousal", "quadrant"):
        config = resolve(corpus="table", task=task, **SETTINGS, corpus_options={"ties": "drop"})
        corpus, store, skipped = open_corpus(config, tmp_path / "m")
        counts[task] = len(corpus.clips)
        assert len(store) == len(corpus.clips) and skipped == ()
    assert counts == {"valence": 12, "arousal": 10, "quadrant": 10}


def test_the_official_division_is_used_instead_of_folds(tmp_path: Path) -> None:
    root = tiny.eim(tmp_path / "eim")
    for k, clip in enumerate(corpora.load("eim", root).clips):
        tiny.tone(clip.path, 6.0, hertz=150 + 30 * k)
    config = resolve(corpus="eim", task="valence", **SETTINGS, divide_by="official")
    experiment = Experiment(
        config, data_root=root, runs_dir=tmp_path / "runs", device="cpu", precision="float32"
    )
    (fold,) = experiment.folds
    clips = experiment.corpus.clips
    assert {clips[i].split for i in fold.train} == {"development"} and {
        clips[i].split for i in fold.test
    } == {"evaluation"}
    result = experiment.run()
    assert len(result.folds) == 1 and result.folds[0].n_test == 2 and result.config.folds == 1
    with pytest.raises(
        MerKitError, match="0 development and 0 evaluation songs, expected some of both"
    ):
        Experiment(
            resolve(corpus="table", **SETTINGS, divide_by="official"),
            data_root=collection(tmp_path / "t"),
        )
