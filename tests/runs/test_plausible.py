"""What would stop a training is said before it: one class, too few songs, a truth in other units, an unlikely scale."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.checkup import datasets
from mer_kit.records import Clip, Corpus, labels_from_quadrant
from mer_kit.runs import plausible
from mer_kit.runs.experiment import Experiment, open_corpus
from mer_kit.runs.presets import resolve
from tests.corpora import tiny

SETTINGS = {"preset": "smoke", "folds": 2, "epochs": 2}


def made(quadrants: str, groups: str = "", truth: pd.DataFrame | None = None) -> Corpus:
    names = groups or "." * len(quadrants)
    clips = [
        Clip(
            f"c{n}",
            Path(f"c{n}"),
            labels_from_quadrant(int(q) - 1),
            group=None if group == "." else group,
        )
        for n, (q, group) in enumerate(zip(quadrants, names, strict=True))
    ]
    return Corpus("made-up", Path(), tuple(clips), truth=truth)


def collection(root: Path, rows: list[str], header: str = "path,label") -> Path:
    tiny.write(root / "clips.csv", "\n".join([header, *rows, ""]))
    for k, row in enumerate(rows):
        tiny.tone(root / row.split(",")[0], 4.0, hertz=200 + 30 * k)
    return root


def test_one_class_is_a_problem_where_no_task_is_left_and_else_a_note() -> None:
    problems, notes = plausible.hindrances(made("3" * 12))
    assert [str(problem) for problem in problems] == [
        "quadrant: all 12 clips are Q3 (sad), expected two classes or more: check the labels, or the scale of the ratings"
    ]
    assert notes == []
    problems, notes = plausible.hindrances(made("12" * 10))  # arousal is high in both
    assert problems == [] and [note.where for note in notes] == ["arousal"]
    assert plausible.hindrances(made("1234" * 10)) == ([], []) == plausible.hindrances(made(""))


@pytest.mark.parametrize(
    ("quadrants", "groups", "sentence"),
    [
        ("1234" * 10 + "123", "", None),
        (
            "123" * 12 + "4",
            "",
            "quadrant: Q4 has 1 song, fewer than the usual 10 folds: add songs of this class",
        ),
        (
            "1234" * 7,
            "",
            "quadrant: Q1 has 7 songs, fewer than the usual 10 folds: choose --folds 7",
        ),
        (
            "1234" * 10,
            "ab.." * 10,
            "quadrant: Q1 has 1 group (artist), fewer than the usual 10 folds",
        ),
    ],
)
def test_a_class_that_is_too_small_is_named(
    quadrants: str, groups: str, sentence: str | None
) -> None:
    found = plausible.few_songs(made(quadrants, groups), "quadrant")
    assert found is None if sentence is None else sentence in str(found)


def test_truth_that_ends_long_after_its_clip() -> None:
    truth = pd.DataFrame(
        {
            "clip_id": ["c0", "c0", "c1"],
            "start_s": 0.0,
            "end_s": [10.0, 4000.0, 41.0],
            "label": "Q1",
        }
    )
    (problem,) = plausible.truth_beyond(made("12", truth=truth), {"c0": 4.0, "c1": 30.0})
    assert (
        "that of 1 of 2 clips ends long after the clip, first c0: at 4000 s, but the clip has 4 s"
        in str(problem)
    )
    assert plausible.truth_beyond(made("12", truth=truth), {"c1": 30.0}) == []
    assert plausible.truth_beyond(made("12"), {"c0": 4.0}) == []


def test_one_class_ends_a_run_before_any_audio_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, rows = "path,valence,arousal", [f"c{k}.wav,{k + 1},{9 - k}" for k in range(8)]
    root = collection(tmp_path, rows, header)
    monkeypatch.setattr(
        "mer_kit.runs.data.open_store", lambda *a, **k: pytest.fail("audio was decoded")
    )
    config = resolve(corpus="table", **SETTINGS, corpus_options={"scale": [0, 100]})
    with pytest.raises(
        MerKitError, match="valence ranges from 1 to 8 and arousal from 2 to 9, all in one quarter"
    ):
        open_corpus(config, root)
    config = resolve(
        corpus="table", **SETTINGS, corpus_options={"scale": [0, 100]}, on_bad_clip="skip"
    )
    with pytest.raises(
        MerKitError, match=r"table cannot be learned from, quadrant: all 8 clips are Q3 \(sad\)"
    ):
        Experiment(config, data_root=root, runs_dir=tmp_path / "runs")


def test_a_class_under_its_minimum_is_named_before_training(tmp_path: Path) -> None:
    root = collection(
        tmp_path, [f"c{k}.wav,{q}" for k, q in enumerate(["Q1", "Q1", "Q2", "Q2", "Q4"])]
    )
    with pytest.raises(MerKitError, match="Q4 has 1 song, fewer than the 2 folds"):
        Experiment(resolve(corpus="table", **SETTINGS), data_root=root, runs_dir=tmp_path / "runs")
    row = datasets.row_of("table", root)
    assert row["problems"] == 0 and "Q1 has 2 songs" not in row["next_step"]
    assert "valence: V- has 2 songs" in row["next_step"]


def test_a_truth_in_milliseconds_is_said_by_data_and_by_a_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = collection(tmp_path, [f"c{k}.wav,Q{k % 4 + 1}" for k in range(8)])
    tiny.write(root / "segment_truth.csv", "clip_id,start_s,end_s,label\nc0,0,4000,Q1\n")
    assert (
        "ends long after the clip, first c0: at 4000 s"
        in datasets.row_of("table", root)["next_step"]
    )
    with caplog.at_level(logging.WARNING, "mer_kit"):
        open_corpus(resolve(corpus="table", **SETTINGS), root)
    assert "ends long after the clip" in caplog.text
