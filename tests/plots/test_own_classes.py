"""Colours, line styles and names of a corpus' own classes, from two to twenty."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mer_kit import plots
from mer_kit.plots import style
from mer_kit.plots.axes import end_labels
from mer_kit.views.view import class_entries


@pytest.mark.parametrize("k", [2, 3, 5, 9, 10, 11, 20])
def test_no_two_classes_look_alike(k: int) -> None:
    classes = [f"genre {number}" for number in range(k)]
    looks = style.looks(classes)
    assert list(looks) == classes and len(set(looks.values())) == k
    if k <= 10:
        assert len({colour for colour, _ in looks.values()}) == k
    entries = class_entries(classes)
    assert len({(entry["colour"], entry["dash"]) for entry in entries}) == k
    assert all(entry["word"] == "" for entry in entries)
    assert style.class_colour("another", classes) == style.NEUTRAL


def test_the_planes_classes_keep_their_look() -> None:
    for classes in (("Q1", "Q2", "Q3", "Q4"), ("V-", "V+"), ("A-", "A+")):
        assert style.looks(classes) == {name: style.LOOK[name] for name in classes}


@pytest.mark.parametrize("k", [2, 9, 20])
def test_a_curve_shows_every_class(k: int) -> None:
    classes = [f"a genre {number}" for number in range(k)]
    times = np.arange(8.0)
    p = np.random.default_rng(0).dirichlet(np.ones(k), 8)
    curve = pd.DataFrame({"start_s": times, "end_s": times + 3, "centre_s": times + 1.5})
    curve = curve.assign(**dict(zip(classes, p.T, strict=True)))
    figure = plots.curve.curve_figure(curve, label=classes[1], title="a song")
    ax = figure.axes[0]
    assert {text.get_text() for text in ax.texts} == set(classes)
    assert ax.get_title(loc="left") == f"a song, label {classes[1]}"
    style.render(figure, io.BytesIO(), format="png")
    low, high = ax.get_ylim()
    assert all(low <= text.xy[1] <= high for text in ax.texts)  # type: ignore[attr-defined]
    assert "Probabilities of a genre 0, a genre 1" in plots.curve.alt_text(curve)
    plt.close(figure)


def test_many_names_stay_on_their_axis() -> None:
    _, ax = plt.subplots()
    end_labels(ax, 1.0, [(0.5, f"{k}", "black") for k in range(20)], gap=0.1)
    places = [text.xy[1] for text in ax.texts]  # type: ignore[attr-defined]
    assert min(places) >= 0 and max(places) <= 1 and len(set(places)) == 20
    plt.close("all")


def test_truth_and_steps_are_drawn_in_the_classes_colours() -> None:
    classes = ["folk", "rock", "ska"]
    start = np.arange(3.0)
    ax = plots.segments.staircase(
        start, 2.0, "rock", truth=["rock", "ska", "rock"], classes=classes
    )
    assert [text.get_text() for text in ax.texts] == ["rock: inherited", "ska: true, labelled rock"]
    assert ax.texts[1].get_color() == style.looks(classes)["ska"][0]
    truth = pd.DataFrame({"start_s": [0.0], "end_s": [5.0], "leader": ["ska"]})
    ax = plots.labels.song_strip(
        start, start + 3, np.ones(3), label="folk", tau=0.5, truth=truth, classes=classes
    )
    assert {"folk", "ska"} <= {text.get_text() for text in ax.texts}
    plt.close("all")
