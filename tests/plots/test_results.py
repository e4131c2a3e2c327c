"""Plots of results: each fold is a dot, each mean in its place, the paper's numbers as printed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_kit import plots
from mer_kit.plots import style
from mer_kit.results.runs_table import COLUMNS


@pytest.fixture(autouse=True)
def no_figure_is_left_open() -> Iterator[None]:
    style.use()
    yield
    plt.close("all")


def folds(values: dict[str, list[float]], **more: str) -> pd.DataFrame:
    rows = [
        {"method": "sssl", "classifier": name, **more, "fold": k, "accuracy": value}
        for name, accuracies in values.items()
        for k, value in enumerate(accuracies)
    ]
    return pd.DataFrame(rows)


def dots(ax: Any) -> list[list[float]]:
    return [list(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"]


def bars(ax: Any) -> list[float]:
    return [lines.get_segments()[0][0, 0] for lines in ax.collections]


RUN = {
    "vote": [0.5, 0.6],
    "svm": [0.7, 0.9],
    "segments": [0.4, 0.5],
    "majority": [0.2, 0.3],
    "mean": [0.5, 0.5],
}


def test_classifiers_are_in_the_papers_order_with_every_fold() -> None:
    ax = plots.results.fold_dots(folds(RUN), by="classifier")
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "SVM (paper)",
        "mean",
        "vote",
        "single segments",
    ]
    assert dots(ax) == [[0.7, 0.9], [0.5, 0.5], [0.5, 0.6], [0.4, 0.5]]
    assert bars(ax) == pytest.approx([0.8, 0.5, 0.55, 0.45])
    texts = {text.get_text() for text in ax.texts}
    assert {"80.0 ± 14.1 %", "majority 25%"} <= texts
    guess = next(line for line in ax.lines if line.get_linestyle() == "--")
    assert guess.get_xdata()[0] == pytest.approx(0.25)


def test_methods_are_compared_by_the_mean_alone() -> None:
    both = pd.concat([folds({**RUN, "mean": [0.3]}, method="ce"), folds(RUN)])
    ax = plots.results.fold_dots(both, by="method")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ce", "sssl"]
    assert dots(ax) == [[0.3], [0.5, 0.5]]
    assert "30.0 %" in {text.get_text() for text in ax.texts}  # one fold, no spread


def test_paired_differences_are_in_points_around_zero() -> None:
    pairs = pd.DataFrame(
        {
            "first": ["ce"] * 3,
            "second": ["sssl"] * 3,
            "fold": [0, 1, 2],
            "difference": [0.02, -0.04, 0.05],
        }
    )
    ax = plots.results.paired_folds(pairs)
    assert dots(ax) == [pytest.approx([2, -4, 5])]
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"] == pytest.approx(
        [1.0]
    )
    low, high = ax.get_xlim()
    assert low == -high and high > 5
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sssl\nagainst ce"]


def runs(rows: list[dict[str, Any]]) -> pd.DataFrame:
    base = {
        "corpus": "4q",
        "task": "valence",
        "method": "sssl",
        "preset": "cpu",
        "song_features": "in_sample",
    }
    base |= {
        "seed": 0,
        "recipe": "r",
        "majority_accuracy_mean": 0.5,
        "song_accuracy_sd": 0.02,
        "folds_done": 10,
        "folds": 10,
    }
    return pd.DataFrame([{**base, **row} for row in rows], columns=list(COLUMNS))


def series(ax: Any, marker: str) -> list[tuple[list[float], list[float]]]:
    found = [line for line in ax.lines if line.get_marker() == marker]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in found]


def test_our_durations_are_joined_in_order_next_to_the_papers() -> None:
    table = runs(
        [
            {"segment_seconds": s, "song_accuracy_mean": a}
            for s, a in ((5.0, 0.7), (1.0, 0.6), (3.0, 0.65))
        ]
    )
    ax = plots.results.accuracy_by_duration(table, corpus="4q", task="valence")
    assert series(ax, "o") == [([1, 3, 5], [0.6, 0.65, 0.7])]
    ((x, y),) = series(ax, "s")
    assert x == [1, 2, 3, 4, 5] and y == pytest.approx([0.6911, 0.7132, 0.752, 0.7432, 0.7459])
    texts = {text.get_text() for text in ax.texts}
    assert {"sssl, cpu", "paper, table 2", "majority 50%"} == texts


def test_one_duration_is_a_point_and_four_classes_have_table_3_as_a_level() -> None:
    table = runs(
        [
            {
                "segment_seconds": 3.0,
                "song_accuracy_mean": 0.6,
                "task": "quadrant",
                "song_accuracy_sd": float("nan"),
            }
        ]
    )
    ax = plots.results.accuracy_by_duration(table, corpus="4q", task="quadrant")
    assert series(ax, "o") == [([3], [0.6])] and series(ax, "s") == []
    assert any(np.allclose(line.get_ydata(), 0.7649) for line in ax.lines)


def test_seeds_of_one_duration_are_one_point_over_all_folds() -> None:
    seeds = [
        {"segment_seconds": 3.0, "song_accuracy_mean": a, "seed": k, "folds_done": 1}
        for k, a in enumerate((0.5, 0.8))
    ]
    x, y, sd = plots.results.seeds_combined(runs(seeds))
    assert (x.tolist(), y.tolist()) == ([3.0], [0.65]) and sd[0] == pytest.approx(
        np.std([0.5, 0.8], ddof=1)
    )
    ax = plots.results.accuracy_by_duration(runs(seeds), corpus="4q", task="valence")
    assert "sssl, cpu, seeds 0, 1, 1 of 10 folds" in {text.get_text() for text in ax.texts}


def test_a_corpus_without_a_counterpart_gets_no_reference() -> None:
    table = runs([{"corpus": "demo", "segment_seconds": 3.0, "song_accuracy_mean": 0.6}])
    ax = plots.results.accuracy_by_duration(table, corpus="demo", task="valence")
    assert not any("paper" in text.get_text() for text in ax.texts)


def test_several_methods_do_not_cover_each_other() -> None:
    table = runs(
        [
            {"segment_seconds": 3.0, "song_accuracy_mean": 0.6, "method": m}
            for m in ("ce", "mixup", "sssl")
        ]
    )
    ax = plots.results.accuracy_by_duration(table, corpus="4q", task="valence")
    assert len({x[0] for x, _ in series(ax, "o")}) == 3
    ours = [text for text in ax.texts if text.get_text().endswith(", cpu")]
    assert len(ours) == 3 and np.diff(sorted(text.xy[1] for text in ours)).min() > 0.05


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_spread_labels_keep_order_distance_and_centre(values: list[float]) -> None:
    moved = plots.results.spread([(y, str(k), "") for k, y in enumerate(values)], 0.05)
    places = [y for y, _, _ in moved]
    assert all(b - a >= 0.05 - 1e-9 for a, b in itertools.pairwise(places))
    assert [values[int(text)] for _, text, _ in moved] == sorted(values)
    assert np.mean(places) == pytest.approx(np.mean(values))
