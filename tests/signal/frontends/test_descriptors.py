"""Descriptors of sounds whose descriptors are known: sines, noise, clicks, chords, silence."""

from __future__ import annotations

import numpy as np
import pytest

from mer_kit.signal import frontends
from mer_kit.signal.frontends import descriptors as module

RATE = module.SAMPLE_RATE
T = np.arange(10 * RATE) / RATE
#: The windows of a clip's first and last frames reach beyond its edges.
INSIDE = slice(3, -3)


def frames_of(samples: np.ndarray) -> dict[str, np.ndarray]:
    """Return each column's values over the inner frames."""
    frames = frontends.make("descriptors").frames(np.asarray(samples, dtype=np.float32))
    names = (*module.OF_FRAME, *module.OF_CLIP)
    assert frames.shape == (1 + len(samples) // module.HOP, len(names))
    return dict(zip(names, frames[INSIDE].T, strict=True))


def sine(hertz: float, amplitude: float = 0.3) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * T)


def clicks(per_minute: float) -> np.ndarray:
    """Short bursts of noise."""
    y = np.random.default_rng(0).normal(scale=0.3, size=len(T))
    since = T % (60 / per_minute)
    return y * np.exp(-since / 0.01) + 1e-4 * y


@pytest.mark.parametrize("hertz", [220.0, 440.0, 1000.0, 3520.0])
def test_a_sine_has_its_frequency_as_centroid_and_no_flatness(hertz: float) -> None:
    found = frames_of(sine(hertz))
    assert np.abs(found["centroid"] - hertz).max() < 0.01 * hertz + 2
    assert found["bandwidth"].max() < 0.1 * hertz + 20 and found["flatness"].max() < 1e-3
    assert np.abs(found["roll-off 85 %"] - hertz).max() < 2 * RATE / module.N_FFT
    crossings = found["zero crossings"] * RATE / 2
    assert np.abs(crossings - hertz).max() < 0.05 * hertz
    assert found["loudness"] == pytest.approx(10 * np.log10(0.3**2 / 2), abs=0.05)
    assert found["crest"] == pytest.approx(10 * np.log10(2), abs=0.1)
    assert found["percussive share"].max() < 0.01 and found["flux"].max() < 0.01


@pytest.mark.parametrize(("pitch", "hertz"), [("A", 440.0), ("C", 523.25), ("F♯", 369.99)])
def test_a_sine_has_one_chroma_bin(pitch: str, hertz: float) -> None:
    found = frames_of(sine(hertz))
    shares = {name: found[f"chroma {name}"].mean() for name in module.PITCHES}
    # Next to it lies what leaks through the window, whose bins are half a semitone wide here.
    at = module.PITCHES.index(pitch)
    near = sum(shares[module.PITCHES[(at + step) % 12]] for step in (-1, 1))
    assert shares[pitch] > 0.6 and shares[pitch] + near > 0.95
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert found["chroma entropy"].mean() < 0.4


@pytest.mark.parametrize(
    ("register", "hertz"),
    [("bass", 80), ("low", 200), ("middle", 400), ("high", 800), ("very high", 3000)],
)
def test_a_sine_is_in_one_register(register: str, hertz: float) -> None:
    assert frames_of(sine(hertz))[register].min() > 0.95


def test_white_noise_has_the_flatness_of_its_distribution() -> None:
    """The mean of the logarithm of an exponential variable is −γ below that of its mean."""
    found = frames_of(np.random.default_rng(0).normal(scale=0.1, size=len(T)))
    assert found["flatness"].mean() == pytest.approx(np.exp(-np.euler_gamma), abs=0.02)
    assert found["centroid"].mean() == pytest.approx(RATE / 4, rel=0.02)
    assert found["chroma entropy"].mean() > 0.95 and found["loudness"].mean() == pytest.approx(
        -20, abs=0.1
    )


@pytest.mark.parametrize("per_minute", [60, 90, 120, 150])
def test_clicks_have_their_tempo_or_its_octave(per_minute: int) -> None:
    found = frames_of(clicks(per_minute))
    ratio = np.log2(found["tempo"][0] / per_minute)
    assert abs(ratio - round(ratio)) < 0.06, found["tempo"][0]
    assert found["pulse clarity"][0] > 0.4
    assert found["onsets per second"][0] == pytest.approx(per_minute / 60, rel=0.15)
    assert found["percussive share"].max() > 0.8


def test_clicks_have_more_pulse_than_noise_and_a_sine_has_no_tempo() -> None:
    noise = frames_of(np.random.default_rng(1).normal(scale=0.1, size=len(T)))
    assert noise["pulse clarity"][0] < 0.5 * frames_of(clicks(120))["pulse clarity"][0]
    steady = frames_of(sine(440.0))
    assert steady["tempo"][0] == steady["onsets per second"][0] == 0


def chord(*notes: int) -> np.ndarray:
    return sum(sine(440 * 2 ** ((note - 69) / 12), 0.1) for note in notes)


@pytest.mark.parametrize("tonic", [53, 60, 65])
def test_cadences_have_their_mode(tonic: int) -> None:
    """I IV V I. A single triad decides less: E minor has two notes of C major."""
    quarter = len(T) // 4
    found = []
    for third in (4, 3):
        home = (tonic, tonic + third, tonic + 7)
        fourth = tuple(note + 5 for note in home)
        chords = (home, fourth, (tonic + 7, tonic + 11, tonic + 14), home)
        played = [chord(*notes)[k * quarter : (k + 1) * quarter] for k, notes in enumerate(chords)]
        found.append(frames_of(np.concatenate(played)))
    major, minor = found
    assert major["major − minor"][0] > 0.05 and minor["major − minor"][0] < -0.05
    assert major["major key"][0] > 0.7 and minor["minor key"][0] > 0.7


def test_twice_the_amplitude_moves_the_loudness_alone() -> None:
    """+6.02 dB, and no other change of chroma, tempo, key or timbre's shape."""
    y = 0.1 * clicks(120) + chord(60, 64, 67) * (0.5 + 0.3 * np.sin(2 * np.pi * 0.7 * T))
    quiet, loud = frames_of(y), frames_of(2 * y)
    assert loud["loudness"] - quiet["loudness"] == pytest.approx(20 * np.log10(2), abs=1e-3)
    for name in (*module.OF_CLIP, *(f"chroma {pitch}" for pitch in module.PITCHES), "centroid",
                 "crest", "flatness", "zero crossings", "percussive share", "middle"):  # fmt: skip
        np.testing.assert_allclose(loud[name], quiet[name], rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("samples", [1, 100, 1024, 3 * RATE])
def test_silence_and_short_sounds_are_finite(samples: int) -> None:
    frontend = frontends.make("descriptors")
    for y in (np.zeros(samples), np.random.default_rng(0).normal(scale=0.1, size=samples)):
        frames = frontend.frames(y)
        vector = frontend.pool(frames)
        assert np.isfinite(frames).all() and np.isfinite(vector).all()
        assert np.isfinite(frames.astype(np.float16)).all()
        assert vector.shape == (len(frontend.columns),)


def test_columns_say_what_they_hold() -> None:
    """All means, all deviations, two percentiles, then what belongs to the clip."""
    frontend = frontends.make("descriptors")
    frames = frontend.frames(clicks(120).astype(np.float32))[10:70]
    found = dict(zip(frontend.columns, frontend.pool(frames).tolist(), strict=True))
    at = module.OF_FRAME.index("loudness")
    loudness = frames[:, at]
    assert found["loudness mean"] == pytest.approx(loudness.mean(), rel=1e-5)
    assert found["loudness sd"] == pytest.approx(loudness.std(), rel=1e-5)
    assert found["loudness p10"] == pytest.approx(np.percentile(loudness, 10), rel=1e-5)
    assert found["loudness p90"] == pytest.approx(np.percentile(loudness, 90), rel=1e-5)
    assert found["tempo"] == frames[0, len(module.OF_FRAME)]
    assert len(set(frontend.columns)) == len(frontend.columns)


def test_a_clip_does_not_depend_on_other_clips() -> None:
    """The same values before and after another clip, and from another object."""
    first, other = clicks(100).astype(np.float32), chord(60, 63, 67).astype(np.float32)
    frontend = frontends.make("descriptors")
    before = frontend.frames(first)
    frontend.frames(other)
    np.testing.assert_array_equal(frontend.frames(first), before)
    np.testing.assert_array_equal(frontends.make("descriptors").frames(first), before)


def test_tempo_and_key_are_the_clips_in_every_segment() -> None:
    frontend = frontends.make("descriptors")
    y = np.concatenate([clicks(120), chord(60, 64, 67)]).astype(np.float32)
    frames = frontend.frames(y)
    vectors = np.stack([frontend.pool(frames[start : start + 64]) for start in (0, 100, 300)])
    n = len(module.OF_CLIP)
    assert (vectors[:, -n:] == vectors[0, -n:]).all()
    assert not np.allclose(vectors[0, :-n], vectors[2, :-n])
