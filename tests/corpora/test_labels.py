"""Labels as people write them, and the table of segment-level ground truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mer_kit.checks import MerKitError
from mer_kit.corpora import labels


def test_read_truth_gives_numbers(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("label,clip_id,start_s,end_s\nQ1,007,0,4\nQ3,007,4,9.5\n")
    truth = labels.read_truth(path)
    assert list(truth.columns) == list(labels.TRUTH_COLUMNS)
    assert truth["clip_id"].tolist() == ["007", "007"]
    np.testing.assert_array_equal(truth[["start_s", "end_s"]].to_numpy(), [[0.0, 4.0], [4.0, 9.5]])


@pytest.mark.parametrize("row", ["x,zero,4,Q1", "x,4,4,Q1", "x,-1,4,Q1", "x,0,,Q1", "x,0,4,merry"])
def test_wrong_truth_row_is_named_by_its_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(f"clip_id,start_s,end_s,label\nx,0,4,Q1\n{row}\n")
    with pytest.raises(MerKitError, match="truth.csv line 3 has clip_id x"):
        labels.read_truth(path)


def test_labels_in_any_case_words_and_signs_of_minus() -> None:
    for text, name in {
        "q3": "Q3",
        " Q 4": "Q4",
        "v−": "V-",
        "A–": "A-",
        "Sad": "Q3",
        "unpleasant": "V-",
    }.items():
        assert labels.label_named(text) == name
    assert [labels.label_named(text) for text in ("", "1", "Q5", "relaxed", "NA")] == [None] * 5


def test_truth_with_decimal_commas_and_overlapping_spans(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(
        "clip_id;start_s;end_s;label\nb;1,5;3;q1\na;0;2;Q2\na;1,5;4;Q3\na;4;5;Q1\nb;0;1,5;Q1\n"
    )
    truth = labels.read_truth(path)
    assert truth["start_s"].tolist() == [1.5, 0, 1.5, 4, 0] and truth["label"].tolist()[0] == "Q1"
    (problem,) = labels.overlaps("truth.csv", truth)
    assert "1 of 5 spans begin before the previous one ends, first 1.5 to 4 s of clip 'a'" in str(
        problem
    )
    assert labels.overlaps("truth.csv", truth.drop(index=2)) == []
