"""Pictures of segments: what is drawn equals the data, labels say what is meant, and the widget works without a browser."""

from __future__ import annotations

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
from matplotlib.colors import to_hex
from PIL import Image

from mer_kit.checks import MerKitError
from mer_kit.records import TASKS, Clip, Corpus, labels_from_quadrant
from mer_kit.runs import segment_study
from mer_kit.runs.presets import resolve
from mer_kit.show import plots_flow, plots_segments, style
from mer_kit.show.widgets_segments import SegmentBrowser, browse
from mer_kit.signal import segments
from mer_kit.signal.store import open_store


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    style.use()
    yield
    plt.close("all")


# ---- pictures ------------------------------------------------------------------------------------------------------


def test_a_mel_picture_shows_the_values_at_their_seconds():
    mel = np.linspace(-50, 20, 43 * 128).reshape(43, 128).astype(np.float16)
    ax = plots_segments.mel_picture(mel, start_s=2.0, title="x")
    (picture,) = ax.images
    np.testing.assert_array_equal(picture.get_array(), mel.T.astype(np.float32))
    assert picture.get_extent() == pytest.approx([2.0, 2.0 + 43 * 512 / 22050, 0, 128])
    assert picture.get_clim() == plots_segments.MEL_RANGE_DB
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["128 Hz", "512 Hz", "2048 Hz", "8192 Hz"]


def test_the_frequency_marks_stand_on_their_bands():
    from mer_kit.signal.mel import log_mel

    ax = plots_segments.mel_picture(np.zeros((4, 128)))
    for hertz, y in zip(plots_segments.FREQUENCIES, ax.get_yticks(), strict=True):
        tone = np.sin(2 * np.pi * hertz * np.arange(22050) / 22050)
        loudest = log_mel(tone.astype(np.float32))[20].argmax()
        assert abs(loudest + 0.5 - y) <= 1.0, f"{hertz} Hz sounds in band {loudest} and is marked at {y:.1f}"


def test_a_waveform_reaches_as_far_as_the_samples():
    y = np.zeros(22050, np.float32)
    y[5000], y[15000] = 0.8, -0.6
    ax = plots_segments.waveform(y, segment=(0.25, 0.5))
    low, high = ax.dataLim.y0, ax.collections[0].get_paths()[0].vertices[:, 1].max()
    assert (low, high) == (pytest.approx(-0.6), pytest.approx(0.8))
    assert ax.get_xlim() == (0, 1)
    marks = ax.patches[0].get_path().get_extents(ax.patches[0].get_patch_transform())
    assert (marks.x0, marks.x1) == (0.25, 0.5)


def test_the_staircase_has_a_bar_a_segment_and_hatches_the_wrong_ones():
    start_s = np.arange(6.0)
    ax = plots_segments.staircase(start_s, 3.0, "Q1", truth=["Q1", "Q1", "Q2", "Q2", "Q1", "Q1"])
    bars = ax.patches
    assert [bar.get_x() for bar in bars] == start_s.tolist()
    assert {bar.get_width() for bar in bars} == {3.0}
    assert [bool(bar.get_hatch()) for bar in bars] == [False, False, True, True, False, False]
    assert [to_hex(bar.get_facecolor()) for bar in bars[1:3]] == [style.LOOK["Q1"][0], style.LOOK["Q2"][0]]
    says = {text.get_text() for text in ax.texts}
    assert says == {"Q1 happy: inherited", "Q2 angry: true, labelled Q1"}


def test_without_truth_all_bars_look_alike():
    ax = plots_segments.staircase(np.arange(3.0), 2.0, "A-")
    assert not any(bar.get_hatch() for bar in ax.patches)
    assert [text.get_text() for text in ax.texts] == ["A- quiet: inherited"]


def test_noise_by_duration_draws_both_columns():
    table = pd.DataFrame({"segment_seconds": [1.0, 2.0], "wrong_percent": [15.0, 14.0], "mixed_percent": [0.0, 6.0]})
    ax = plots_segments.noise_by_duration(table)
    drawn = {text.get_text(): line.get_ydata().tolist() for text, line in zip(ax.texts, ax.lines, strict=True)}
    assert drawn == {"label is wrong": [15.0, 14.0], "emotion changes inside": [0.0, 6.0]}


def test_transform_difference_draws_both_columns():
    y = np.random.default_rng(0).normal(size=4 * 22050).astype(np.float32)
    table = segment_study.transform_difference(y, start_s=1.0, segment_seconds=2.0)
    ax = plots_segments.transform_difference(table)
    exact, same = ax.lines
    np.testing.assert_allclose(exact.get_ydata(), table["exact_start_db"])
    np.testing.assert_allclose(same.get_ydata(), np.maximum(table["same_start_db"], 1e-4))
    assert ax.get_yscale() == "log"


# ---- the flow ------------------------------------------------------------------------------------------------------


def test_the_flow_names_every_step_and_its_arrows_join_steps():
    ax = plots_flow.flow()
    says = {text.get_text() for text in ax.texts}
    table = plots_flow.steps_table()
    assert set(table["step"]) <= says
    assert set(table["notebook"]) == {"00", "01", "02", "03", "04", "05", "06"}
    names = set(table["step"])
    assert all(start in names and end in names for start, end in plots_flow.ARROWS)
    assert {end for _, end in plots_flow.ARROWS} == names - {"Clip"}, "a step that no arrow leads to"


def test_the_flows_words_stay_inside_their_boxes():
    ax = plots_flow.flow()
    ax.figure.canvas.draw()
    boxes = [patch.get_window_extent() for patch in ax.patches if hasattr(patch, "get_boxstyle")]
    steps = {step.name for step in plots_flow.STEPS} | {step.text for step in plots_flow.STEPS}
    words = [text.get_window_extent() for text in ax.texts if text.get_text() in steps]
    assert len(words) == 2 * len(plots_flow.STEPS)
    for word in words:
        assert any(b.x0 <= word.x0 and word.x1 <= b.x1 and b.y0 <= word.y0 and word.y1 <= b.y1 for b in boxes), word


# ---- the widget ----------------------------------------------------------------------------------------------------


class Stand:
    """What the browser asks of an Experiment: two clips of rising loudness, the second with a truth of its own."""

    def __init__(self, folder, *, truth=True):
        rng, clips = np.random.default_rng(0), []
        for number, (seconds, quadrant) in enumerate([(4.0, 0), (6.0, 2)]):
            y = rng.normal(size=round(seconds * 22050)) * np.linspace(0.001, 0.2, round(seconds * 22050))
            soundfile.write(folder / f"c{number}.wav", y, 22050, subtype="FLOAT")
            clips.append(Clip(f"c{number}", folder / f"c{number}.wav", labels_from_quadrant(quadrant), artist="<A>"))
        rows = [("c1", 0, 3, "Q3"), ("c1", 3, 6, "Q2")]
        table = pd.DataFrame(rows, columns=["clip_id", "start_s", "end_s", "label"]) if truth else None
        self.config = resolve(segment_seconds=2.0)
        self.corpus = Corpus("made-up", folder, tuple(clips), truth=table)
        self.classes, self.labels = TASKS["quadrant"], self.corpus.labels("quadrant")
        self.store = open_store(clips, folder / "mel")
        self.index = segments.index(self.store.durations_s, 2.0)


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    return Stand(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def browser(stand):
    return SegmentBrowser(stand)


def _images(browser):
    return [ax.images[0].get_array() for ax in browser.figure.axes]


def test_update_shows_the_segment_asked_for(browser):
    shown = browser.update(1, 3)
    assert {name: shown[name] for name in ("clip_id", "start_s", "end_s", "label", "truth")} == {
        "clip_id": "c1", "start_s": 3.0, "end_s": 5.0, "label": "Q3", "truth": "Q2",
    }  # fmt: skip
    first = round(3 * 22050 / 512)
    expected = browser.store.mel(1)[first : first + 86]
    np.testing.assert_array_equal(shown["mel"], expected)
    whole, part = _images(browser)
    np.testing.assert_array_equal(whole, browser.store.mel(1).T.astype(np.float32))
    np.testing.assert_array_equal(part, expected.T.astype(np.float32))
    assert browser.sentence() == "c1, 3 to 5 s, inherits <b>Q3 sad</b>, but is Q2 angry."
    browser.update(1, 0)
    assert browser.sentence() == "c1, 0 to 2 s, inherits <b>Q3 sad</b>, which is true of it."
    browser.update(0, 1)
    assert browser.sentence() == "c0, 1 to 3 s, inherits <b>Q1 happy</b>."


def test_the_mark_moves_and_the_picture_changes(browser):
    browser.update(0, 0)
    before = browser.png()
    browser.update(0, 2)
    assert (browser._mark.get_x(), browser._mark.get_width()) == (2.0, 2.0)
    after = browser.png()
    assert np.any(np.asarray(Image.open(io.BytesIO(before))) != np.asarray(Image.open(io.BytesIO(after))))


def test_the_player_plays_the_segment(browser):
    browser.update(1, 2)
    assert re.search(r'aria-label="c1, 2 to 4 s"', browser.player())


def test_there_is_no_such_segment(browser):
    assert (browser.segments_of(0), browser.segments_of(1)) == (3, 5)
    with pytest.raises(MerKitError, match="segment is 3, expected one of 0, 1, 2"):
        browser.update(0, 3)
    with pytest.raises(MerKitError, match="clip is 2"):
        browser.update(2, 0)


def test_the_browser_leaves_no_figure_to_pyplot(stand):
    plt.close("all")
    SegmentBrowser(stand).update(0, 1)
    assert plt.get_fignums() == []


def test_the_widget_follows_its_controls(tmp_path):
    clip, number, picture, words, player = browse(Stand(tmp_path, truth=False)).children
    assert [name for name, _ in clip.options] == ["c0 (Q1) <A>", "c1 (Q3) <A>"]
    before = picture.value
    clip.value = 1
    number.value = 4
    assert words.value == "c1, 4 to 6 s, inherits <b>Q3 sad</b>." and "c1, 4 to 6 s" in player.value
    assert picture.value != before
    assert 'alt="Log-mel of clip c1 with 4 to 6 s marked' in picture.value
    clip.value = 0
    assert number.max == number.value == 2, "the slider went beyond the shorter clip's last segment"
    assert words.value.startswith("c0, 2 to 4 s")
