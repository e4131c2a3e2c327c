"""Plots of the emotion curve, and its files: what is drawn equals the data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
from matplotlib.colors import to_hex

from mer_kit import plots
from mer_kit.analysis.curve import leaders
from mer_kit.plots import style
from mer_kit.views import curve_files

CLASSES = ["Q1", "Q2", "Q3", "Q4"]


@pytest.fixture(autouse=True)
def no_figure_is_left_open() -> Iterator[None]:
    style.use()
    yield
    plt.close("all")


@pytest.fixture
def curve() -> pd.DataFrame:
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=8)
    p[2:5] = [0.05, 0.05, 0.1, 0.8]
    start = np.arange(8.0)
    table = pd.DataFrame({"start_s": start, "end_s": start + 3, "centre_s": start + 1.5})
    for k, name in enumerate(CLASSES):
        table[name] = p[:, k]
    table.attrs = {
        "song": "my <song>.wav", "clip_id": None, "task": "quadrant", "segment_seconds": 3.0, "note": "Two <folds> answer.",
        "decisions": {"svm": "Q4", "mean": "Q4", "vote": "Q1", "run_length": "Q4"},
    }  # fmt: skip
    return table


TRUTH = pd.DataFrame({"start_s": [0.0, 4.0], "end_s": [4.0, 10.0], "leader": ["Q4", "Q1"]})


def test_each_class_is_drawn_raw_at_the_centres_in_its_own_look(curve: pd.DataFrame) -> None:
    ax = plots.curve.emotion_curve(curve)
    for line, name in zip(ax.lines, CLASSES, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), curve["centre_s"])
        np.testing.assert_array_equal(line.get_ydata(), curve[name])
        assert (to_hex(line.get_color()), line.get_linestyle()) == style.LOOK[name]
    assert {text.get_text() for text in ax.texts} == {"Q1 happy", "Q2 angry", "Q3 sad", "Q4 calm"}
    assert ax.get_legend() is None


def test_names_at_the_line_ends_keep_apart_and_in_order(curve: pd.DataFrame) -> None:
    curve.loc[7, CLASSES] = [0.25, 0.26, 0.24, 0.25]
    ax = plots.curve.emotion_curve(curve)
    places = sorted(text.xy[1] for text in ax.texts)
    assert min(np.diff(places)) > 0.05
    by_name = {text.get_text()[:2]: text.xy[1] for text in ax.texts}
    assert by_name["Q3"] < by_name["Q1"] < by_name["Q2"]


def test_the_strip_has_one_bar_per_span(curve: pd.DataFrame) -> None:
    spans = leaders(curve)
    ax = plots.curve.leader_strip(spans)
    drawn = [
        (bar.get_x(), bar.get_x() + bar.get_width(), to_hex(bar.get_facecolor()))
        for bar in ax.patches
    ]
    assert drawn == [(s.start_s, s.end_s, style.LOOK[s.leader][0]) for s in spans.itertuples()]
    assert [text.get_text() for text in ax.texts] == spans["leader"].tolist()


def test_spans_too_narrow_for_their_name_go_without() -> None:
    spans = pd.DataFrame({"start_s": [0.0, 99.0], "end_s": [99.0, 100.0], "leader": ["Q1", "Q2"]})
    assert [text.get_text() for text in plots.curve.leader_strip(spans).texts] == ["Q1"]


def test_the_whole_figure_has_a_band_of_truth_only_where_it_is_known(curve: pd.DataFrame) -> None:
    bare = plots.curve.curve_figure(curve, title="x")
    assert len(bare.axes) == 2 and bare.axes[0].get_title(loc="left") == "x"
    full = plots.curve.curve_figure(curve, truth=TRUTH, label="Q4", title="x")
    assert len(full.axes) == 3 and full.axes[0].get_title(loc="left") == "x, label Q4 calm"
    assert [bar.get_width() for bar in full.axes[2].patches] == [4.0, 6.0]
    assert full.axes[0].get_xlim() == full.axes[2].get_xlim()


def test_two_classes_are_drawn_too() -> None:
    start = np.arange(3.0)
    two = pd.DataFrame(
        {"start_s": start, "end_s": start + 1, "centre_s": start + 0.5, "A-": [0.2, 0.6, 0.7]}
    )
    two["A+"] = 1 - two["A-"]
    figure = plots.curve.curve_figure(two)
    assert len(figure.axes[0].lines) == 2
    assert "A+ from 0 to 1 s (80%); A- from 1 to 3 s (65%)" in plots.curve.alt_text(two)


def test_bars_show_the_probabilities_of_one_segment(curve: pd.DataFrame) -> None:
    ax = plots.curve.probability_bars(curve, 3, name="surest")
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.05, 0.05, 0.1, 0.8])
    assert [text.get_text() for text in ax.texts] == ["5%", "5%", "10%", "80%"]
    assert ax.get_title(loc="left") == "surest: 3 to 6 s"


def test_alt_text_gives_the_leading_classes_and_the_truth(curve: pd.DataFrame) -> None:
    text = plots.curve.alt_text(curve, truth=TRUTH)
    assert re.search(r"Q4 from [\d.]+ to [\d.]+ s \(80%\)", text)
    assert text.endswith("Truth: Q4 from 0 to 4 s; Q1 from 4 to 10 s.")
    many = pd.concat([curve.iloc[[2, 7]]] * 20, ignore_index=True)
    many[CLASSES] = [[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]] * 20
    many["start_s"] = np.arange(40.0)
    many["end_s"], many["centre_s"] = many["start_s"] + 3, many["start_s"] + 1.5
    assert "28 further spans" in plots.curve.alt_text(many)


# ---- files ---------------------------------------------------------------------------------------------------------


def test_predict_leaves_four_files_and_a_page_that_needs_nothing_else(
    curve: pd.DataFrame, tmp_path: Path
) -> None:
    song = tmp_path / "in" / "my <song>.wav"
    song.parent.mkdir()
    soundfile.write(song, np.zeros(2205), 22050)
    written = curve_files.write(curve, tmp_path / "out", song)
    assert sorted(path.name for path in written) == [
        f"my <song>_emotions.{kind}" for kind in ("csv", "html", "png", "svg")
    ]
    assert plt.get_fignums() == []
    table = pd.read_csv(tmp_path / "out" / "my <song>_emotions.csv")
    np.testing.assert_allclose(table[CLASSES], curve[CLASSES], rtol=1e-5)
    page = (tmp_path / "out" / "my <song>_emotions.html").read_text("utf-8")
    assert (
        page.count("<img ") == 1
        and page.count("<audio ") == 1
        and 'src="data:audio/wav;base64,' in page
    )
    assert (
        "my <song>" not in page
        and "my &lt;song&gt;" in page
        and "Two &lt;folds&gt; answer." in page
    )
    assert "The whole song: Q4 calm (SVM)." in page and str(tmp_path) not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


def test_predict_leaves_no_page_where_none_is_wanted(curve: pd.DataFrame, tmp_path: Path) -> None:
    written = curve_files.write(curve, tmp_path, tmp_path / "a.wav", page=False)
    assert sorted(path.suffix for path in written) == [".csv", ".png", ".svg"] and not list(
        tmp_path.glob("*.html")
    )


def test_a_title_with_dollars_is_no_formula(curve: pd.DataFrame, tmp_path: Path) -> None:
    curve_files.write(curve, tmp_path, tmp_path / "5$ x_{1}$.wav")
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("kind", ["long", "strange", "gone"])
def test_without_playable_sound_the_page_is_silent_and_says_so(
    curve: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    song = tmp_path / ("a.xyz" if kind == "strange" else "a.wav")
    if kind == "long":
        monkeypatch.setattr(curve_files, "MAX_AUDIO_BYTES", 10_000)
        soundfile.write(song, np.random.default_rng(0).normal(0, 0.1, 15 * 22050), 22050)
    elif kind == "strange":
        song.write_bytes(b"\0" * 10)
    page = curve_files.write(curve, tmp_path, song)[-1].read_text("utf-8")
    sentence = {"long": "lasts 15 s and takes", "strange": "a.xyz", "gone": "missing"}[kind]
    said = re.search(r"<p>(No sound here: [^<]+)</p>", page)
    assert "<audio " not in page and said is not None and sentence in said[1], said


@pytest.mark.parametrize("stem", ["x" * 250, "é" * 125, "日" * 83, "x" * 240])
def test_a_name_that_fills_its_file_system_still_leaves_room_for_the_endings(curve, stem, tmp_path):
    written = curve_files.write(curve, tmp_path, tmp_path / f"{stem}.mp3", page=False)
    assert all(path.is_file() and len(path.name.encode()) < 255 for path in written)
    other = curve_files.write(curve, tmp_path, tmp_path / f"{stem[:-1]}y.mp3", page=False)
    assert set(written).isdisjoint(other), "names that differ at their end only have the same files"
