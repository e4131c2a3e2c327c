"""The demo corpus' composer and instruments, against music theory and closed forms."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from mer_kit.corpora.demo.score import Character, Note, compose
from mer_kit.corpora.demo.styles import STYLES
from mer_kit.corpora.demo.synth import _TIMBRES, SYNTH_RATE, Production, master, play

PLAIN = Production(
    tilt_db=0.0, bump_hz=1000.0, bump_db=0.0, room_s=0.2, wet=0.0, noise_db=-200.0, fader_db=0.0
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sections(quadrant: str, n: int = 30) -> list[tuple[Character, list[Note]]]:
    """Return `n` sections of 5 s with the characters that played them."""
    made = []
    for seed in range(n):
        character = Character.draw(rng(seed), favourite=seed % 26)
        made.append((character, compose(quadrant, 10.0, 15.0, character, rng(100 + seed))))
    return made


def pitch_classes(character: Character, notes: list[Note]) -> set[int]:
    """Return the semitones above the key note that sound; the key note is six semitones from `key`."""
    return {round(note.pitch - character.key - 6) % 12 for note in notes if note.timbre in _TIMBRES}


@pytest.mark.parametrize(
    ("quadrant", "third", "not_third"), [("Q1", 4, 3), ("Q2", 3, 4), ("Q3", 3, 4), ("Q4", 4, 3)]
)
def test_positive_valence_is_major_and_negative_is_minor(
    quadrant: str, third: int, not_third: int
) -> None:
    heard: set[int] = set()
    for character, notes in sections(quadrant):
        assert not_third not in pitch_classes(character, notes)
        heard |= pitch_classes(character, notes)
    assert {0, third, 7} <= heard


@pytest.mark.parametrize(("quadrant", "triad"), [("Q1", {0, 4, 7}), ("Q3", {0, 3, 7})])
def test_every_piece_begins_with_the_tonic_triad(quadrant: str, triad: set[int]) -> None:
    for character, notes in sections(quadrant, 10):
        chord = [
            note
            for note in notes
            if note.timbre == notes[0].timbre and note.attack_s == notes[0].attack_s
        ][:3]
        assert pitch_classes(character, chord) == triad


def test_anger_has_the_flat_second_that_joy_never_has() -> None:
    with_flat_second = {
        quadrant: sum(1 in pitch_classes(*section) for section in sections(quadrant))
        for quadrant in STYLES
    }
    assert with_flat_second["Q2"] > 25
    assert with_flat_second["Q1"] == with_flat_second["Q3"] == with_flat_second["Q4"] == 0


def test_high_arousal_has_more_strokes_and_more_drums() -> None:
    onsets, drums = {}, {}
    for quadrant in STYLES:
        made = [notes for _, notes in sections(quadrant)]
        onsets[quadrant] = np.mean(
            [len({round(note.start_s, 1) for note in notes}) / 5 for notes in made]
        )
        drums[quadrant] = np.mean(
            [any(note.timbre not in _TIMBRES for note in notes) for notes in made]
        )
    assert min(onsets["Q1"], onsets["Q2"]) > 2 * max(onsets["Q3"], onsets["Q4"])
    assert min(drums["Q1"], drums["Q2"]) > max(drums["Q3"], drums["Q4"])


def test_neighbouring_tempi_overlap_and_arousal_separates_them() -> None:
    low, high = ({q: STYLES[q].bpm[end] for q in STYLES} for end in (0, 1))
    assert low["Q2"] < high["Q1"] and low["Q4"] < high["Q3"]
    assert max(high["Q3"], high["Q4"]) < min(low["Q1"], low["Q2"])


@pytest.mark.parametrize("quadrant", list(STYLES))
def test_a_section_stays_within_its_time(quadrant: str) -> None:
    for _, notes in sections(quadrant, 10):
        assert min(note.start_s for note in notes) < 10.6
        assert all(10.0 <= note.start_s < 15.0 and note.level > 0 for note in notes)
        assert all(
            note.start_s + note.seconds <= 15.0401 for note in notes if note.timbre in _TIMBRES
        )


def test_every_rhythm_fits_its_bar_and_every_timbre_exists() -> None:
    for style in STYLES.values():
        bar = len(style.comp[0])
        rhythms = [*style.comp, *style.lead, *style.bass]
        assert {len(rhythm) for rhythm in rhythms} == {bar}
        assert all(len(rhythm) <= bar for kit in style.drums for rhythm in kit.values())
        assert {*style.comp_timbres, *style.lead_timbres} <= set(_TIMBRES)


@pytest.mark.parametrize("timbre", sorted(_TIMBRES))
def test_a_tone_has_its_pitch_and_no_click(timbre: str) -> None:
    sound = play([Note(0.0, 1.0, 57.0, 0.1, timbre)], 1.2, rng())  # MIDI 57 is A3, 220 Hz
    spectrum = np.abs(np.fft.rfft(sound[: SYNTH_RATE // 2] * np.hanning(SYNTH_RATE // 2)))
    peaks = np.flatnonzero(spectrum > 0.3 * spectrum.max()) * 2.0  # bins of 2 Hz
    assert np.all(np.abs(peaks / 220 - np.rint(peaks / 220)) < 0.03)
    assert np.abs(peaks - 220).min() <= 2
    loudest = np.abs(sound).max()
    assert abs(sound[0]) < 1e-3 * loudest and np.abs(sound[SYNTH_RATE:]).max() < 1e-3 * loudest
    assert np.abs(sound[SYNTH_RATE - 20 : SYNTH_RATE]).max() < 0.05 * loudest


def test_a_tone_falls_by_sixty_decibel_in_its_decay_time() -> None:
    sound = play([Note(0.0, 1.5, 69.0, 0.5, "harp", decay_s=1.0)], 1.5, rng())
    level = [np.std(sound[int(at * SYNTH_RATE) :][:2205]) for at in (0.1, 0.6)]
    assert 20 * np.log10(level[0] / level[1]) == pytest.approx(30.0, abs=0.5)


@pytest.mark.parametrize(
    "drum", sorted({drum for style in STYLES.values() for kit in style.drums for drum in kit})
)
def test_a_drum_ends_in_silence(drum: str) -> None:
    sound = play([Note(0.1, 0.4, 0.0, 1.0, drum)], 1.5, rng())
    assert np.abs(sound).max() > 0.05
    assert sound[: int(0.1 * SYNTH_RATE)].max() == 0
    last = np.flatnonzero(sound)[-1]
    assert (
        last < len(sound) - 10 and abs(sound[last]) < 0.004 * np.abs(sound).max()
    )  # faded out, not cut off


@pytest.mark.parametrize(
    ("sample_rate", "channels"), [(22050, 1), (44100, 2), (32000, 1), (16000, 1)]
)
def test_recording_keeps_a_sine_a_sine(sample_rate: int, channels: int) -> None:
    t = np.arange(2 * SYNTH_RATE) / SYNTH_RATE
    made = master(
        0.05 * np.sin(2 * np.pi * 1000 * t),
        PLAIN,
        rng(),
        sample_rate=sample_rate,
        channels=channels,
    )
    assert made.dtype == np.int16 and made.shape == (2 * sample_rate, channels)
    at = np.arange(len(made)) / sample_rate
    middle = slice(sample_rate // 2, -sample_rate // 2)
    loudness = 10 ** (7 / 20)  # the headroom that master adds
    expected = 0.95 * np.tanh(loudness * 0.05 * np.sin(2 * np.pi * 1000 * at) / 0.95)
    for channel in range(channels):
        np.testing.assert_allclose(made[middle, channel] / 32767, expected[middle], atol=2e-3)


def test_nothing_is_loud_enough_to_clip() -> None:
    made = master(
        100 * rng().standard_normal(SYNTH_RATE), PLAIN, rng(), sample_rate=SYNTH_RATE, channels=1
    )
    assert 0.7 < np.abs(made).max() / 32767 < 0.95


def test_tone_control_and_noise_floor_do_what_they_say() -> None:
    t = np.arange(SYNTH_RATE) / SYNTH_RATE
    levels = defaultdict(list)
    for tilt in (0.0, 3.0):
        for hertz in (500, 2000):
            dry = 0.001 * np.sin(2 * np.pi * hertz * t)
            desk = Production(tilt, 1000.0, 0.0, 0.2, 0.0, -200.0, 0.0)
            wet = master(dry, desk, rng(), sample_rate=SYNTH_RATE, channels=1)[5000:15000]
            levels[tilt].append(20 * np.log10(wet.astype(float).std()))
    assert levels[3.0][1] - levels[3.0][0] - (levels[0.0][1] - levels[0.0][0]) == pytest.approx(
        6.0, abs=0.2
    )
    hiss = Production(0.0, 1000.0, 0.0, 0.2, 0.0, -30.0, 0.0)
    quiet = master(np.zeros(SYNTH_RATE), hiss, rng(), sample_rate=SYNTH_RATE, channels=1)[
        1000:-1000
    ]
    assert 20 * np.log10(quiet.std() / 32767) == pytest.approx(-30 + 7, abs=0.2)
