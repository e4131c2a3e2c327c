"""Pictures of song decisions, and the inspector of test songs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.show import plots_songs, style
from mer_kit.show.widgets_songs import SongInspector, inspect_songs, named_songs

CLASSES = ["V-", "V+"]


@pytest.fixture(autouse=True)
def no_figure_is_left_open() -> Iterator[None]:
    style.use()
    yield
    plt.close("all")


P = np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.3, 0.7]])


def test_the_feature_table_holds_hand_computed_numbers() -> None:
    table = plots_songs.feature_table(P, CLASSES, theta=0.5)
    # sorted V-: .3 .5 .6 .9, quartiles by linear interpolation
    assert table.loc["V-"].tolist() == pytest.approx([0.9, 0.3, 0.45, 0.55, 0.675, 0.575, 0.5])
    assert table.loc["V+"].tolist() == pytest.approx([0.7, 0.1, 0.325, 0.45, 0.55, 0.425, 0.25])


def test_whiskers_boxes_median_mean_and_share_are_drawn_where_they_belong() -> None:
    ax = plots_songs.seven_numbers(P, CLASSES, theta=0.5)
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


def test_a_confusion_matrix_shows_counts_and_row_shares() -> None:
    ax = plots_songs.confusion(np.array([[3, 1], [0, 0]]), CLASSES)
    assert [text.get_text() for text in ax.texts] == ["3\n75%", "1\n25%", "0", "0"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("answer", "label")


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
    songs = plots_songs.own_class(SEGMENTS, CLASSES)
    assert dict(zip(songs["clip_id"], songs["mean"], strict=True)) == pytest.approx({"a": 0.8, "b": 0.6, "c": 0.2})


def test_the_gap_figure_shows_both_groups_with_their_means() -> None:
    ax = plots_songs.in_sample_gap(plots_songs.own_class(SEGMENTS, CLASSES))
    assert [text.get_text() for text in ax.texts] == [
        "songs the SVM learns from: mean 80%, n = 1",
        "test songs: mean 40%, n = 2",
    ]
    outlines = [patch.get_data().values for patch in ax.patches]  # type: ignore[attr-defined]
    assert [values.sum() for values in outlines] == pytest.approx([1, 1, 1, 1])
    assert ax.get_xlim() == (0, 1)


# ---- the inspector -------------------------------------------------------------------------------------------------


@pytest.fixture
def experiment(tmp_path: Path) -> Any:
    """What the inspector reads of an Experiment with one finished fold whose test songs are b and c."""
    songs = pd.DataFrame({"clip_id": ["b", "c", "z"], "fold": [0, 0, 1], "label": ["V+", "V-", "V+"]})
    for name, answers in {"svm": "V+ V+ V-", "mean": "V+ V+ V+", "vote": "V- V+ V+", "run_length": "V- V+ V+"}.items():
        songs[name] = answers.split()
    songs.to_csv(tmp_path / "songs.csv", index=False)
    folder = SimpleNamespace(path=tmp_path, segments=lambda fold: SEGMENTS)
    decided = pd.DataFrame(
        {"clip_id": ["b"], "fold": 2, "label": [1], "svm": [0], "mean": [1], "vote": [1], "run_length": [1]}
    )
    return SimpleNamespace(
        folder=folder,
        classes=tuple(CLASSES),
        config=SimpleNamespace(theta=0.5),
        decide=lambda fold: (None, decided.copy()),
    )


def test_songs_come_from_the_runs_table_or_are_decided(experiment: Any) -> None:
    assert named_songs(experiment, 0)["clip_id"].tolist() == ["b", "c"]
    fresh = named_songs(experiment, 2)
    assert fresh[["label", "svm"]].to_numpy().tolist() == [["V+", "V-"]]


def test_a_songs_curve_numbers_and_answers_are_shown(experiment: Any) -> None:
    view = SongInspector(experiment, 0)
    assert view.shown["clip_id"] == "b"
    shown = view.update("c")
    left, right = view.figure.axes
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [0.3, 0.1])
    assert left.get_title(loc="left") == "c" or left.get_title() == "c"
    assert len(right.patches) == 2
    assert shown["answers"] == {"svm": "V+", "mean": "V+", "vote": "V+", "run_length": "V+"} and shown["label"] == "V-"
    assert shown["features"].loc["V-", "mean"] == pytest.approx(0.2)
    assert view.sentence().count("✘") == 4 and "V- unpleasant" in view.sentence()
    view.update("b")
    assert view.sentence().count("✔") == 2
    assert plt.get_fignums() == []
    with pytest.raises(MerKitError, match="did you mean|choose one"):
        view.update("a")  # a training song


def test_the_list_can_be_limited_to_wrong_answers(experiment: Any) -> None:
    view = SongInspector(experiment, 0)
    assert [clip for _, clip in view.choices()] == ["b", "c"]
    assert view.choices(wrong_only=True) == [("c  V-, SVM ✘ V+", "c")]


def test_the_inspectors_widget_follows_its_choices(experiment: Any) -> None:
    row, picture, words = inspect_songs(experiment, 0).children
    song, wrong = row.children
    before = (picture.value, words.value)
    song.value = "c"
    assert picture.value != before[0] and words.value != before[1] and picture.value[:4] == b"\x89PNG"
    song.value = "b"
    wrong.value = True
    assert song.value == "c" and "c, label" in words.value
