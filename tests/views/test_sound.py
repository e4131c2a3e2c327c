"""Sounds in notebooks: what is heard is what was given, it says what it is, and it stays small."""

from __future__ import annotations

import base64
import html
import io
import os
import re

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.records import Clip
from mer_kit.views import sound


def _heard(element: str) -> tuple[np.ndarray, int]:
    """Decode the sound inside an audio element."""
    data = re.search(r'src="data:audio/wav;base64,([^"]+)"', element)[1]
    return soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float64")


@given(st.integers(1, 400), st.sampled_from([8000, 22050, 44100]), st.integers(0, 2**32 - 1))
def test_what_is_heard_is_what_was_given(n, rate, seed):
    y = np.random.default_rng(seed).uniform(-0.99, 0.99, n)
    heard, heard_rate = _heard(sound.listen(y, rate, label="noise").data)
    assert heard_rate == rate
    assert heard.shape == (n,)
    np.testing.assert_allclose(heard, y, atol=1.01 / 2**15)


def test_loudness_is_kept_and_overflow_clipped():
    quiet, _ = _heard(sound.listen(np.full(10, 0.01), label="quiet").data)
    np.testing.assert_allclose(quiet, 0.01, atol=1 / 2**15)
    loud, _ = _heard(sound.listen(np.array([-3.0, 3.0]), label="loud").data)
    np.testing.assert_allclose(loud, [-1, 1], atol=1.01 / 2**15)


def test_the_label_is_seen_and_read_aloud():
    label = 'clip "A" & <B>'
    element = sound.listen(np.zeros(10), label=label).data
    assert re.search(r'aria-label="([^"]*)"', element)[1] == html.escape(label, quote=True)
    assert f"<figcaption>{html.escape(label, quote=True)}</figcaption>" in element
    assert "<audio controls" in element


def test_three_seconds_stay_small():
    assert len(sound.listen(np.zeros(3 * 22050), label="three seconds").data) < 200_000


@pytest.mark.parametrize(
    ("y", "label", "sentence"),
    [
        (
            np.zeros(10 * 22050 + 1),
            "x",
            "lasts 10.0 s, expected at most 10 s in a notebook: cut it with",
        ),
        (np.zeros((2, 5)), "x", r"y has shape \(2, 5\), expected one row of finite samples"),
        (np.zeros(0), "x", r"y has shape \(0,\)"),
        (np.array([0.0, np.nan]), "x", "finite samples"),
        (np.zeros(5), "  ", "label is empty"),
    ],
)
def test_bad_sounds_get_a_sentence(y, label, sentence):
    with pytest.raises(MerKitError, match=sentence):
        sound.listen(y, label=label)


def test_ten_seconds_are_allowed():
    assert len(sound.wav_bytes(np.zeros(10 * 22050))) == 44 + 2 * 10 * 22050


@pytest.fixture
def ramp(tmp_path) -> Clip:
    """Two seconds whose sample number n has the value n / 100000."""
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.arange(1, 44101) / 1e5, 22050, subtype="FLOAT")
    return Clip("ramp", path, {"quadrant": 0})


def test_a_segment_is_cut_at_the_right_sample(ramp):
    y = sound.segment_audio(ramp, 0.5, 1.0)
    assert len(y) == 22050
    np.testing.assert_allclose(y[[0, -1]], [(11025 + 1) / 1e5, (11025 + 22050) / 1e5], rtol=1e-6)
    assert len(sound.segment_audio(ramp, 1.5, 1.0)) == 11025, "the clip ends half a second on"


def test_an_excerpt_is_one_of_browsers_kinds_and_sounds_like_its_samples():
    t = np.arange(3 * 22050) / 22050
    made = sound.excerpt((1.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32))
    heard, rate = soundfile.read(io.BytesIO(made.data))
    assert (
        made.mime in sound.PLAYABLE.values() and rate == 22050 and abs(len(heard) / rate - 3) < 0.06
    )
    middle = heard[22050:44100]
    assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(440, abs=1)
    assert np.abs(middle).max() < 1.2, "what goes beyond ±1 is clipped"
    for bad in (np.zeros(0), np.zeros((2, 5)), np.array([0.0, np.nan])):
        with pytest.raises(MerKitError, match="expected one row of finite samples"):
            sound.excerpt(bad)


def test_a_changed_file_is_decoded_anew(ramp):
    before = sound.segment_audio(ramp, 0.0, 0.1)
    soundfile.write(ramp.path, np.full(44100, 0.25), 22050, subtype="FLOAT")
    stamp = ramp.path.stat().st_mtime_ns + 10**9
    os.utime(ramp.path, ns=(stamp, stamp))
    np.testing.assert_allclose(sound.segment_audio(ramp, 0.0, 0.1), 0.25)
    assert before[0] < 0.01
    with pytest.raises(ValueError):
        before[0] = 1.0  # shared with the next caller, so read-only


def test_bad_segments_get_a_sentence(ramp, tmp_path):
    with pytest.raises(
        MerKitError,
        match="clip 'ramp' lasts 2.0 s but the segment begins at 2 s: choose an earlier",
    ):
        sound.segment_audio(ramp, 2.0, 1.0)
    with pytest.raises(MerKitError, match="start_s is -1"):
        sound.segment_audio(ramp, -1, 1.0)
    with pytest.raises(MerKitError, match="missing"):
        sound.segment_audio(Clip("gone", tmp_path / "gone.wav", {}), 0.0, 1.0)
