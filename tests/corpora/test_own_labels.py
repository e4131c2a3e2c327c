"""Classes of a table's own: which labels make them, how they are spelled, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mer_kit.checks import MerKitError
from mer_kit.checkup import datasets
from mer_kit.corpora import labels, table
from mer_kit.corpora.truth import segment_truth
from mer_kit.records import Corpus
from mer_kit.runs import plausible
from tests.corpora import tiny


def load(root: Path, names: list[str], truth: str = "") -> Corpus:
    rows = [f"s{k:02}.wav,{name}" for k, name in enumerate(names)]
    tiny.write(root / "clips.csv", "\n".join(["path,label", *rows, ""]))
    for k in range(len(names)):
        tiny.write(root / f"s{k:02}.wav", tiny.SOUND)
    if truth:
        tiny.write(root / "segment_truth.csv", f"clip_id,start_s,end_s,label\n{truth}")
    return table.load(root)


def test_other_words_are_classes_in_alphabetical_order(tmp_path: Path) -> None:
    corpus = load(tmp_path, ["tense", "happy", "Sad", "sad ", "Tense"])
    assert corpus.label_names == ("Sad", "happy", "tense") == corpus.classes("label")
    assert corpus.labels("label").tolist() == [2, 1, 0, 0, 2]
    assert [dict(clip.labels) for clip in corpus.clips][:2] == [{"label": 2}, {"label": 1}]
    assert [(note.kind, note.what) for note in corpus.notes] == [
        ("label_spelling", "2 labels are spelled differently, first 'sad', which is read as 'Sad'")
    ]
    assert not corpus.problems and len(corpus.with_task("label").clips) == 5


@pytest.mark.parametrize(
    "names", [["Q1", "q2", "Happy"], ["V-", "V+"], ["a−", "A+"], ["happy", "sad", "calm"]]
)
def test_labels_of_the_plane_keep_their_meaning(names: list[str], tmp_path: Path) -> None:
    corpus = load(tmp_path, names)
    assert corpus.label_names == () and not corpus.problems
    assert all("label" not in clip.labels for clip in corpus.clips)


def test_a_strange_word_beside_quadrants_stays_a_problem(tmp_path: Path) -> None:
    corpus = load(tmp_path, ["Q1", "Q2", "tense"])
    assert [problem.kind for problem in corpus.problems] == ["unknown_label"]


def test_an_empty_label_is_one_sentence(tmp_path: Path) -> None:
    corpus = load(tmp_path, ["rock", "", "folk"])
    assert [str(problem) for problem in corpus.problems] == [
        "clips.csv, id 's01': no label, expected the name of its class: fill in or delete the row"
    ]
    assert corpus.label_names == ("folk", "rock")


def test_one_class_and_more_than_twenty_are_one_sentence_each(tmp_path: Path) -> None:
    problems, _ = plausible.hindrances(load(tmp_path / "one", ["rock"] * 3))
    assert [str(problem) for problem in problems] == [
        "label: all 3 clips are rock, expected two classes or more: check the labels, or the scale "
        "of the ratings"
    ]
    many = [f"genre {k}" for k in range(21)]
    assert len(load(tmp_path / "twenty", many[:20]).label_names) == 20
    with pytest.raises(MerKitError) as error:
        load(tmp_path / "many", many)
    assert str(error.value) == (
        "clips.csv has 21 different labels, first 'genre 0', 'genre 1', 'genre 2', expected 2 to "
        "20 classes: join some, or leave clips out"
    )


@pytest.mark.parametrize("name", ["clip_id", "Part", "=1+1", "x" * 41, "a\u202eb"])
def test_names_that_tables_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(MerKitError, match="rename this class"):
        labels.own_names(["rock", name], "clips.csv")


def test_ground_truth_is_in_the_same_names(tmp_path: Path) -> None:
    corpus = load(tmp_path, ["rock", "folk"], "s00,0,2,Folk\ns00,2,4,rock\n")
    start = np.array([0.0, 2.0])
    truth = segment_truth(corpus, np.zeros(2, int), start, start + 2, task="label")
    assert truth is not None and truth.tolist() == [0, 1]
    with pytest.raises(MerKitError, match="a label of folk, rock: correct the row"):
        load(tmp_path, ["rock", "folk"], "s00,0,2,Q1\n")


def test_a_class_without_clips_is_said(tmp_path: Path) -> None:
    corpus = load(tmp_path, ["rock", "folk", "ska"])
    left = corpus.select([0, 1])
    with pytest.raises(
        MerKitError, match="label: no clip of ska is left, expected some of each class"
    ):
        plausible.check_classes(left, "label")


def test_the_overview_counts_own_classes(tmp_path: Path) -> None:
    load(tmp_path, ["rock", "folk", "rock"])
    row = datasets.overview(tmp_path, only="table").iloc[0].to_dict()
    assert row["label"] == "folk 1 · rock 2" and row["majority_label"] == pytest.approx(2 / 3)
    text = datasets.as_text(row)
    assert "label: folk 1 · rock 2 (majority 66.7%)" in text and "quadrant" not in text
