"""Ratings become classes at the middle, ties follow the option, bad rows are reported alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.corpora import labels
from mer_kit.corpora.ratings import TIES, Rating, Scale, classes, read_ratings, side
from mer_kit.records import Problem, labels_from_quadrant
from tests.corpora.tiny import write

NUMBERS = st.floats(0, 1, allow_nan=False).map(lambda x: round(x, 3))
COLUMNS = ("id", "v", "a")


@given(NUMBERS, NUMBERS, st.sampled_from(TIES))
def test_quadrant_valence_and_arousal_agree(valence: float, arousal: float, ties: str) -> None:
    labels = classes(Rating(valence, arousal), 0.5, ties)
    if "quadrant" in labels:
        assert labels == labels_from_quadrant(labels["quadrant"])
    else:
        assert ties == "drop" and 0.5 in (valence, arousal) and len(labels) < 2


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1), st.sampled_from(TIES))
def test_truth_of_a_span_is_the_class_of_the_same_rating(
    pairs: list[tuple[float, float]], ties: str
) -> None:
    start = np.arange(len(pairs), dtype=float)
    spans = pd.DataFrame({"clip_id": "a", "start_s": start, "end_s": start + 1})
    spans["valence"], spans["arousal"] = [v for v, _ in pairs], [a for _, a in pairs]
    truth = labels.truth(spans, middle=0.5, ties=ties)
    wanted = [classes(Rating(v, a), 0.5, ties) for v, a in pairs]
    kept = [k for k, labels in enumerate(wanted) if "quadrant" in labels]
    assert truth["start_s"].tolist() == [float(k) for k in kept]
    assert truth["label"].tolist() == [f"Q{wanted[k]['quadrant'] + 1}" for k in kept]


def test_an_unknown_rule_for_ties_names_the_nearest() -> None:
    with pytest.raises(MerKitError, match="ties is 'hihg'.*did you mean 'high'"):
        side(0.5, 0.5, "hihg")


@pytest.mark.parametrize(
    ("row", "kind", "sentence"),
    [
        (
            "x,1.2,0.5",
            "off_scale",
            "t.csv, id 'x': valence 1.2, outside the scale of 0 to 1: correct the value",
        ),
        (
            "x,0.2,-0.5",
            "off_scale",
            "t.csv, id 'x': arousal -0.5, outside the scale of 0 to 1: correct the value",
        ),
        (
            "x,high,0.5",
            "unknown_label",
            "t.csv, id 'x': valence 'high', expected a number from 0 to 1: correct the table",
        ),
        (
            "x,0.5,",
            "unknown_label",
            "t.csv, id 'x': arousal '', expected a number from 0 to 1: correct the table",
        ),
        (
            "x,nan,0.5",
            "unknown_label",
            "t.csv, id 'x': valence 'nan', expected a number from 0 to 1: correct the table",
        ),
        (
            "x,0.1,0.5\nx,0.1,0.5",
            "duplicate_id",
            "t.csv, id 'x': 2 rows, expected one; the clip is left out: delete the wrong rows",
        ),
        (
            "../x,0.1,0.5",
            "leaves_root",
            "t.csv, id '../x': the id points outside the dataset, expected a file name: correct the id",
        ),
        (
            ",0.1,0.5",
            "empty_id",
            "t.csv: 1 rows without an id, expected one each: fill in or delete",
        ),
    ],
)
def test_a_bad_row_is_reported_and_the_others_stay(
    row: str, kind: str, sentence: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.csv", f" id , v,a\n1, 0.25 ,0.75\n{row}\n2,1,0\n")
    problems: list[Problem] = []
    ratings = read_ratings(path, COLUMNS, Scale(0, 1), problems)
    assert ratings == {"1": Rating(0.25, 0.75), "2": Rating(1.0, 0.0)}
    assert [(problem.kind, str(problem)) for problem in problems] == [(kind, sentence)]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(MerKitError, match=r"t.csv lacks the column 'a' \(it has id, v\)"):
        read_ratings(write(tmp_path / "t.csv", "id,v\n1,0.5\n"), COLUMNS, Scale(0, 1), [])


def test_frames_are_read_by_their_column_names(tmp_path: Path) -> None:
    path = write(
        tmp_path / "f.csv", "song_id,sample_15000ms,sample_15500ms\n3,0.5,\n2,-0.25,0.125\n"
    )
    frames = labels.read_frames(path, "song_id", "valence", 0.5)
    assert frames.to_numpy().tolist() == [
        ["2", 15.0, 15.5, -0.25],
        ["2", 15.5, 16.0, 0.125],
        ["3", 15.0, 15.5, 0.5],
    ]
