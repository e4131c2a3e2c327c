"""Plots of segments: what is drawn equals the data, and labels say what is meant."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from mer_kit import plots
from mer_kit.analysis import segmentation
from mer_kit.plots import style


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    style.use()
    yield
    plt.close("all")


# ---- plots ---------------------------------------------------------------------------------------------------------


def test_a_mel_picture_shows_the_values_at_their_seconds():
    mel = np.linspace(-50, 20, 43 * 128).reshape(43, 128).astype(np.float16)
    ax = plots.segments.mel_picture(mel, start_s=2.0, title="x")
    (picture,) = ax.images
    np.testing.assert_array_equal(picture.get_array(), mel.T.astype(np.float32))
    assert picture.get_extent() == pytest.approx([2.0, 2.0 + 43 * 512 / 22050, 0, 128])
    assert picture.get_clim() == plots.segments.MEL_RANGE_DB
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [
        "128 Hz",
        "512 Hz",
        "2048 Hz",
        "8192 Hz",
    ]


def test_the_frequency_ticks_are_on_their_bands():
    from mer_kit.signal.frontends.logmel import log_mel

    ax = plots.segments.mel_picture(np.zeros((4, 128)))
    for hertz, y in zip(plots.segments.FREQUENCIES, ax.get_yticks(), strict=True):
        tone = np.sin(2 * np.pi * hertz * np.arange(22050) / 22050)
        loudest = log_mel(tone.astype(np.float32))[20].argmax()
        assert abs(loudest + 0.5 - y) <= 1.0, (
            f"{hertz} Hz sounds in band {loudest} and is marked at {y:.1f}"
        )


def test_a_waveform_reaches_as_far_as_the_samples():
    y = np.zeros(22050, np.float32)
    y[5000], y[15000] = 0.8, -0.6
    ax = plots.segments.waveform(y, segment=(0.25, 0.5))
    low, high = ax.dataLim.y0, ax.collections[0].get_paths()[0].vertices[:, 1].max()
    assert (low, high) == (pytest.approx(-0.6), pytest.approx(0.8))
    assert ax.get_xlim() == (0, 1)
    marks = ax.patches[0].get_path().get_extents(ax.patches[0].get_patch_transform())
    assert (marks.x0, marks.x1) == (0.25, 0.5)


def test_the_staircase_has_one_bar_per_segment_and_hatches_the_wrong_ones():
    start_s = np.arange(6.0)
    ax = plots.segments.staircase(start_s, 3.0, "Q1", truth=["Q1", "Q1", "Q2", "Q2", "Q1", "Q1"])
    bars = ax.patches
    assert [bar.get_x() for bar in bars] == start_s.tolist()
    assert {bar.get_width() for bar in bars} == {3.0}
    assert [bool(bar.get_hatch()) for bar in bars] == [False, False, True, True, False, False]
    assert [to_hex(bar.get_facecolor()) for bar in bars[1:3]] == [
        style.LOOK["Q1"][0],
        style.LOOK["Q2"][0],
    ]
    says = {text.get_text() for text in ax.texts}
    assert says == {"Q1 happy: inherited", "Q2 angry: true, labelled Q1"}


def test_without_truth_all_bars_look_alike():
    ax = plots.segments.staircase(np.arange(3.0), 2.0, "A-")
    assert not any(bar.get_hatch() for bar in ax.patches)
    assert [text.get_text() for text in ax.texts] == ["A- quiet: inherited"]


def test_noise_by_duration_draws_both_columns():
    table = pd.DataFrame(
        {"segment_seconds": [1.0, 2.0], "wrong_percent": [15.0, 14.0], "mixed_percent": [0.0, 6.0]}
    )
    ax = plots.segments.noise_by_duration(table)
    drawn = {
        text.get_text(): line.get_ydata().tolist()
        for text, line in zip(ax.texts, ax.lines, strict=True)
    }
    assert drawn == {"label is wrong": [15.0, 14.0], "emotion changes inside": [0.0, 6.0]}


def test_transform_difference_draws_both_columns():
    y = np.random.default_rng(0).normal(size=4 * 22050).astype(np.float32)
    table = segmentation.transform_difference(y, start_s=1.0, segment_seconds=2.0)
    ax = plots.segments.transform_difference(table)
    exact, same = ax.lines
    np.testing.assert_allclose(exact.get_ydata(), table["exact_start_db"])
    np.testing.assert_allclose(same.get_ydata(), np.maximum(table["same_start_db"], 1e-4))
    assert ax.get_yscale() == "log"


# ---- the flow ------------------------------------------------------------------------------------------------------


def test_the_flow_names_every_step_and_its_arrows_join_steps():
    ax = plots.flow.flow()
    says = {text.get_text() for text in ax.texts}
    table = plots.flow.steps_table()
    assert set(table["step"]) <= says
    assert set(table["notebook"]) == {"00", "01", "02", "03", "04", "05", "06"}
    names = set(table["step"])
    assert all(start in names and end in names for start, end in plots.flow.ARROWS)
    assert {end for _, end in plots.flow.ARROWS} == names - {"Clip"}, (
        "a step that no arrow leads to"
    )


def test_the_flows_words_stay_inside_their_boxes():
    ax = plots.flow.flow()
    ax.figure.canvas.draw()
    boxes = [patch.get_window_extent() for patch in ax.patches if hasattr(patch, "get_boxstyle")]
    steps = {text for name, (_, _, what, _) in plots.flow.STEPS.items() for text in (name, what)}
    words = [text.get_window_extent() for text in ax.texts if text.get_text() in steps]
    assert len(words) == 2 * len(plots.flow.STEPS)
    for word in words:
        assert any(
            b.x0 <= word.x0 and word.x1 <= b.x1 and b.y0 <= word.y0 and word.y1 <= b.y1
            for b in boxes
        ), word
