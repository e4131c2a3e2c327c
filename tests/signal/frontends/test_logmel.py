"""The transform against hand-written DFT, against librosa, and a segment as a view against its own transform."""

from __future__ import annotations

import dataclasses

import hypothesis
import librosa
import numpy as np
import pytest
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.signal import segments
from mer_kit.signal.frontends import logmel as mel


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    """Ten seconds of gliding tones over noise, with a loud beat every half second."""
    t = np.arange(10 * 22050) / 22050
    rng = np.random.default_rng(5)
    glide = sum(np.sin(2 * np.pi * (220 * k * t + 30 * k * np.sin(t))) / k for k in range(1, 6))
    beat = 0.5 * (t % 0.5 < 0.05) * rng.normal(size=len(t))
    return (0.1 * glide + beat + 0.003 * rng.normal(size=len(t))).astype(np.float32)


def test_equals_librosa_with_an_absolute_reference(music: np.ndarray):
    power = librosa.feature.melspectrogram(
        y=music, sr=22050, n_fft=1024, hop_length=512, n_mels=128, window="hann"
    )
    expected = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None).T
    result = mel.log_mel(music)
    assert (
        result.dtype == np.float32
        and result.shape == (1 + len(music) // 512, 128)
        and result.flags.c_contiguous
    )
    np.testing.assert_allclose(result, expected, atol=1e-3)


@pytest.mark.parametrize("frame", [1, 100, 300])
def test_equals_a_transform_written_out_by_hand(music: np.ndarray, frame: int):
    n = np.arange(1024)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / 1024)  # the periodic Hann window
    piece = music[frame * 512 - 512 : frame * 512 + 512].astype(np.float64) * window
    k = np.arange(513)
    power = np.abs(np.exp(-2j * np.pi * np.outer(k, n) / 1024) @ piece) ** 2
    bank = mel.filter_bank(mel.MelSettings()).toarray().astype(np.float64)
    np.testing.assert_allclose(
        mel.log_mel(music)[frame], 10 * np.log10(np.maximum(bank @ power, 1e-10)), atol=5e-3
    )


def test_ten_times_louder_is_twenty_decibels_and_silence_is_the_floor(music: np.ndarray):
    loud = mel.log_mel(10 * music)
    np.testing.assert_allclose(loud - mel.log_mel(music), 20.0, atol=1e-3)
    np.testing.assert_allclose(mel.log_mel(np.zeros(5000, dtype=np.float32)), -100.0, atol=1e-4)


@pytest.mark.parametrize("length", [1, 300, 511, 512, 700, 1023, 1024])
def test_a_clip_shorter_than_a_window(music: np.ndarray, length: int):
    y = music[22050 : 22050 + length]
    with pytest.warns(UserWarning) if length < 1024 else pytest.MonkeyPatch.context():
        power = librosa.feature.melspectrogram(y=y, sr=22050, n_fft=1024, hop_length=512)
    result = mel.log_mel(y)
    assert result.shape == (1 + length // 512, 128)
    np.testing.assert_allclose(result, librosa.power_to_db(power, top_db=None).T, atol=1e-3)


def test_other_settings(music: np.ndarray):
    settings = mel.MelSettings(sample_rate=16000, n_fft=512, hop_length=200, n_mels=40)
    power = librosa.feature.melspectrogram(y=music, sr=16000, n_fft=512, hop_length=200, n_mels=40)
    result = mel.log_mel(music, **dataclasses.asdict(settings))
    np.testing.assert_allclose(result, librosa.power_to_db(power, top_db=None).T, atol=1e-3)


@pytest.mark.parametrize("segment_seconds", [1, 2, 3, 5])
def test_a_segment_as_view_is_its_own_transform_inside(music: np.ndarray, segment_seconds: int):
    whole = mel.log_mel(music)
    n_frames = round(segment_seconds * 22050 / 512)
    for start_frame in (0, 43, 100, 201):
        first = start_frame * 512
        alone = mel.log_mel(music[first : first + segment_seconds * 22050])
        view = whole[start_frame : start_frame + n_frames]
        inside = slice(
            1, segment_seconds * 22050 // 512 - 1
        )  # windows that do not cross the segment's edges
        np.testing.assert_allclose(view[inside], alone[inside], atol=1e-3)
        assert inside.stop >= n_frames - 2, "at most the frames at the two edges are left out"
        assert start_frame == 0 or np.abs(view[0] - alone[0]).max() > 0.1, (
            "the edge is where they differ"
        )


def test_a_segment_as_view_is_shifted_by_at_most_half_a_hop():
    for segment_seconds in (1, 2, 3, 4, 5):
        index = segments.index([30.0], segment_seconds)
        shift_s = index.start_frame * 512 / 22050 - index.start_s
        assert 0.005 < np.abs(shift_s).max() <= 256 / 22050 + 1e-12  # 11.6 ms


@hypothesis.settings(deadline=None)
@hypothesis.given(st.floats(-100, 60))
def test_float16_rounds_by_less_than_a_tenth_of_a_decibel(decibels: float):
    assert abs(float(np.float16(decibels)) - decibels) < 0.1


@pytest.mark.parametrize("y", [np.zeros((2, 100)), np.zeros(0), np.float32(3)])
def test_only_mono_samples(y: np.ndarray):
    with pytest.raises(MerKitError, match="expected mono samples of shape"):
        mel.log_mel(y)


@pytest.mark.parametrize("name", ["sample_rate", "n_fft", "hop_length", "n_mels"])
def test_settings_out_of_range(name: str):
    with pytest.raises(MerKitError, match=f"{name} is 0, expected a whole number of at least 1"):
        mel.MelSettings(**{name: 0})


@pytest.mark.parametrize("size", [1, 333, 5000, 40_000, 200_000])
def test_blocks_of_any_size_give_the_frames_of_the_whole(size: int):
    settings = mel.MelSettings()
    y = (
        np.random.default_rng(size)
        .normal(size=150_000 + 3 * mel.BLOCK_FRAMES * settings.hop_length)
        .astype(np.float32)
    )
    if size == 1:
        y = y[: 2 * settings.n_fft]
    frames, n_samples = mel.log_mel_of_blocks(
        [y[at : at + size] for at in range(0, len(y), size)], settings
    )
    assert n_samples == len(y)
    np.testing.assert_array_equal(frames, mel.log_mel(y).astype(np.float16))
