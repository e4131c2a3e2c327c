"""Segment-level ground truth against overlaps worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.corpora.truth import class_of, segment_truth
from mer_kit.records import TASKS, Clip, Corpus, labels_from_quadrant


def _corpus(
    spans: list[tuple[str, float, float, str]] | None, clips: tuple[str, ...] = ("a", "b")
) -> Corpus:
    table = (
        None
        if spans is None
        else pd.DataFrame(spans, columns=["clip_id", "start_s", "end_s", "label"])
    )
    return Corpus(
        "made up",
        Path(),
        tuple(Clip(name, Path(name), {"quadrant": 0}) for name in clips),
        truth=table,
    )


def _truth(
    corpus: Corpus, rows: list[tuple[int, float, float]], task: str = "quadrant"
) -> list[int]:
    clip, start_s, end_s = (np.array(column) for column in zip(*rows, strict=True))
    result = segment_truth(corpus, clip, start_s, end_s, task=task)
    assert result is not None and result.dtype == np.int64
    return result.tolist()


def test_the_longest_overlap_wins_clip_by_clip():
    corpus = _corpus(
        [("a", 0, 10, "Q1"), ("a", 10, 20, "Q3"), ("b", 0, 4, "Q4"), ("b", 4, 30, "Q2")]
    )
    # a: 8–11 is 2 s of Q1 and 1 s of Q3; 9–12 the other way round. b: 2–5 is 2 s of Q4; 3–6 is 2 s of Q2.
    rows = [(0, 0, 3), (0, 8, 11), (0, 9, 12), (1, 2, 5), (1, 3, 6), (0, 17, 20)]
    assert _truth(corpus, rows) == [0, 0, 2, 3, 1, 2]


def test_pieces_of_one_class_are_added_up():
    """2–6 holds Q2 for 1 s + 1.2 s and Q1 for 1.8 s."""
    corpus = _corpus([("a", 0, 3, "Q2"), ("a", 3, 4.8, "Q1"), ("a", 4.8, 9, "Q2")])
    assert _truth(corpus, [(0, 2, 6)]) == [1]
    # For valence, Q2 and Q3 are both low: 1 s + 1 s against 1.5 s.
    mixed = _corpus([("a", 0, 1, "Q2"), ("a", 1, 2.5, "Q1"), ("a", 2.5, 3.5, "Q3")])
    assert _truth(mixed, [(0, 0, 3.5)]) == [0] and _truth(mixed, [(0, 0, 3.5)], "valence") == [0]
    assert _truth(mixed, [(0, 0, 3.5)], "arousal") == [1]


def test_in_a_tie_the_earlier_label_wins():
    corpus = _corpus([("a", 0, 1, "Q4"), ("a", 1, 2, "Q1"), ("b", 0, 1, "Q1"), ("b", 1, 2, "Q4")])
    assert _truth(corpus, [(0, 0, 2), (1, 0, 2)]) == [3, 0]
    # Thirds of seconds add up to a tie only but for rounding.
    thirds = _corpus([("a", 0, 1 / 3, "Q3"), ("a", 1 / 3, 1, "Q2"), ("a", 1, 4 / 3, "Q3")])
    assert _truth(thirds, [(0, 0, 4 / 3)]) == [2]


def test_rows_in_any_order_and_spans_in_any_order():
    corpus = _corpus(
        [("b", 5, 9, "Q2"), ("a", 10, 20, "Q3"), ("b", 0, 5, "Q4"), ("a", 0, 10, "Q1")]
    )
    assert _truth(corpus, [(1, 5, 8), (0, 12, 15), (1, 0, 3), (0, 0, 3)]) == [1, 2, 3, 0]


def test_seconds_and_clips_without_truth_are_minus_1():
    corpus = _corpus([("a", 15, 20, "Q2")])
    assert _truth(corpus, [(0, 0, 3), (0, 12, 15), (0, 13, 16), (1, 0, 3)]) == [-1, -1, 1, -1]


def test_no_truth_at_all_is_none():
    assert (
        segment_truth(
            _corpus(None), np.array([0]), np.array([0.0]), np.array([3.0]), task="quadrant"
        )
        is None
    )


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.sampled_from(TASKS["quadrant"])), min_size=1, max_size=6
    ),
    st.integers(0, 100),
    st.integers(1, 50),
)
@settings(deadline=None, max_examples=80)
def test_against_counting_tenths_of_seconds(spans, start, length):
    edges = np.cumsum([0] + [n for n, _ in spans])
    corpus = _corpus(
        [("a", edges[i] / 10, edges[i + 1] / 10, label) for i, (_, label) in enumerate(spans)]
    )
    tenths = [label for n, label in spans for _ in range(n)][start : start + length]
    counts = {
        label: tenths.count(label) for label in dict.fromkeys(tenths)
    }  # in order of appearance
    expected = -1 if not counts else TASKS["quadrant"].index(max(counts, key=counts.__getitem__))
    assert _truth(corpus, [(0, start / 10, (start + length) / 10)]) == [expected]


def test_classes_of_labels():
    for task in TASKS:
        for position, name in enumerate(TASKS["quadrant"]):
            assert class_of(name, task) == labels_from_quadrant(position)[task]
        assert [class_of(name, task) for name in TASKS[task]] == list(range(len(TASKS[task])))


def test_unknown_labels_and_tasks_get_a_sentence():
    with pytest.raises(MerKitError, match="truth label is 'Q5', expected one of V-, V\\+"):
        class_of("Q5", "valence")
    with pytest.raises(MerKitError, match="truth label is 'V\\+', expected one of Q1, Q2, Q3, Q4"):
        _truth(_corpus([("a", 0, 5, "V+")]), [(0, 0, 3)])
    with pytest.raises(MerKitError, match="task is 'quadrants'.*did you mean 'quadrant'"):
        _truth(_corpus([("a", 0, 5, "Q1")]), [(0, 0, 3)], "quadrants")
