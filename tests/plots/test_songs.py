"""Plots of song decisions."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mer_kit import plots
from mer_kit.plots import style

CLASSES = ["V-", "V+"]


@pytest.fixture(autouse=True)
def no_figure_is_left_open() -> Iterator[None]:
    style.use()
    yield
    plt.close("all")


P = np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.3, 0.7]])


def test_the_feature_table_holds_hand_computed_numbers() -> None:
    table = plots.songs.feature_table(P, CLASSES, theta=0.5)
    # sorted V-: .3 .5 .6 .9, quartiles by linear interpolation
    assert table.loc["V-"].tolist() == pytest.approx([0.9, 0.3, 0.45, 0.55, 0.675, 0.575, 0.5])
    assert table.loc["V+"].tolist() == pytest.approx([0.7, 0.1, 0.325, 0.45, 0.55, 0.425, 0.25])


def test_whiskers_boxes_median_mean_and_fraction_have_their_values() -> None:
    ax = plots.songs.seven_numbers(P, CLASSES, theta=0.5)
    boxes = ax.patches
    assert [(b.get_y(), b.get_y() + b.get_height()) for b in boxes] == [
        pytest.approx((0.45, 0.675)),
        pytest.approx((0.325, 0.55)),
    ]
    segments = [segment for lines in ax.collections for segment in lines.get_segments()]  # type: ignore[attr-defined]
    whiskers = [sorted(s[:, 1]) for s in segments if s[0, 0] == s[1, 0]]
    assert whiskers == [pytest.approx([0.3, 0.9]), pytest.approx([0.1, 0.7])]
    medians = [s[0, 1] for s in segments if abs(s[0, 0] - s[1, 0]) == pytest.approx(0.36)]
    assert medians == pytest.approx([0.55, 0.45])
    means = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "D"]
    assert means == pytest.approx([0.575, 0.425])
    assert {"50% > θ", "25% > θ", "θ = 0.5"} == {text.get_text() for text in ax.texts}


def test_a_confusion_matrix_shows_counts_and_row_fractions() -> None:
    ax = plots.songs.confusion(np.array([[3, 1], [0, 0]]), CLASSES)
    assert [text.get_text() for text in ax.texts] == ["3\n75%", "1\n25%", "0", "0"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("prediction", "label")


SEGMENTS = pd.DataFrame(
    {
        "clip_id": ["a", "a", "b", "b", "c", "c"],
        "start_s": [0.0, 1.0] * 3,
        "end_s": [3.0, 4.0] * 3,
        "part": ["train"] * 2 + ["test"] * 4,
        "label": ["V-"] * 2 + ["V+"] * 2 + ["V-"] * 2,
        "V-": [0.9, 0.7, 0.6, 0.2, 0.3, 0.1],
        "V+": [0.1, 0.3, 0.4, 0.8, 0.7, 0.9],
    }
)


def test_certainty_is_the_mean_probability_of_the_songs_own_label() -> None:
    songs = plots.songs.own_class(SEGMENTS, CLASSES)
    assert dict(zip(songs["clip_id"], songs["mean"], strict=True)) == pytest.approx(
        {"a": 0.8, "b": 0.6, "c": 0.2}
    )


def test_the_gap_figure_shows_both_groups_with_their_means() -> None:
    ax = plots.songs.in_sample_gap(plots.songs.own_class(SEGMENTS, CLASSES))
    assert [text.get_text() for text in ax.texts] == [
        "songs the SVM is fitted on: mean 80%, n = 1",
        "test songs: mean 40%, n = 2",
    ]
    outlines = [patch.get_data().values for patch in ax.patches]  # type: ignore[attr-defined]
    assert [values.sum() for values in outlines] == pytest.approx([1, 1, 1, 1])
    assert ax.get_xlim() == (0, 1)
