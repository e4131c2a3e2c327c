"""Synthesise the demo corpus: turn notes into samples, with numpy only.

Tones are read from band-limited wavetables, drums are shaped noise; room, tone control and
resampling are applied in the frequency domain.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mer_kit.corpora.demo.score import Note

#: The rate at which everything is synthesised, Hz.
SYNTH_RATE = 22050
_TABLE = 4096
#: Raises the sum of all voices to a usual recording level, dB.
_HEADROOM_DB = 7.0
#: timbre → (slope, odd partials only, detuned copies, breath noise); partial h has the level
#: 1/h^slope
_TIMBRES = {
    "pluck": (1.5, False, 1, 0.0), "bell": (1.6, True, 1, 0.0), "harp": (1.8, False, 1, 0.0),
    "piano": (1.7, False, 2, 0.0), "organ": (1.5, True, 1, 0.0), "brass": (1.0, False, 2, 0.0),
    "fuzz": (0.9, False, 2, 0.02), "strings": (1.7, False, 3, 0.0), "pad": (2.0, False, 3, 0.0),
    "flute": (2.4, False, 1, 0.03), "bass": (1.6, False, 1, 0.0),
}  # fmt: skip


@dataclass(frozen=True)
class Production:
    """The recording of an artist: tone control, room, noise floor and level; drawn per artist."""

    tilt_db: float
    bump_hz: float
    bump_db: float
    room_s: float
    wet: float
    noise_db: float
    fader_db: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Production:
        """Draw a production; `tilt_db` is the slope per octave around 1 kHz."""
        return cls(
            tilt_db=float(rng.uniform(-2, 2)), bump_hz=float(2 ** rng.uniform(7.5, 12.5)),
            bump_db=float(rng.uniform(-6, 6)), room_s=float(rng.uniform(0.15, 0.9)),
            wet=float(rng.uniform(0.02, 0.3)),
            noise_db=float(rng.uniform(-76, -54)), fader_db=float(rng.uniform(-4, 4)),
        )  # fmt: skip

    def varied(self, rng: np.random.Generator) -> Production:
        """Return this production with a small random change of every setting."""
        return Production(
            self.tilt_db + float(rng.normal(0, 0.7)), self.bump_hz * float(2 ** rng.normal(0, 0.4)),
            self.bump_db + float(rng.normal(0, 2)), self.room_s * float(rng.uniform(0.8, 1.25)),
            self.wet * float(rng.uniform(0.7, 1.4)), self.noise_db + float(rng.normal(0, 3)),
            self.fader_db + float(rng.normal(0, 1.5)),
        )  # fmt: skip


def play(notes: Iterable[Note], seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Return all notes without effects, float64 [round(seconds · SYNTH_RATE)].

    Examples
    --------
    >>> a3 = Note(start_s=0.5, seconds=0.4, pitch=57.0, level=0.5, timbre="harp")
    >>> samples = play([a3], 1.0, np.random.default_rng(0))
    >>> len(samples), bool(samples[: SYNTH_RATE // 2].any()), bool(samples.any())
    (22050, False, True)
    """
    length = round(seconds * SYNTH_RATE)
    clean, driven = np.zeros(length), np.zeros(length)
    for note in notes:
        sound = _tone(note, rng) if note.timbre in _TIMBRES else _drum(note, rng)
        bus = driven if note.timbre in ("brass", "fuzz") else clean  # overdrive
        start = round(note.start_s * SYNTH_RATE)
        stop = min(start + len(sound), length)
        bus[start:stop] += sound[: stop - start]
    return np.asarray(clean + 0.25 * np.tanh(6 * driven))


def master(
    dry: np.ndarray,
    production: Production,
    rng: np.random.Generator,
    *,
    sample_rate: int,
    channels: int,
) -> np.ndarray:
    """Return the recording, int16 [samples, channels].

    Tone control, room, noise floor, resampling and a soft limiter are applied to `dry`, float64
    [samples] at SYNTH_RATE.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> recording = master(
    ...     np.zeros(SYNTH_RATE), Production.draw(rng), rng, sample_rate=44100, channels=2
    ... )
    >>> recording.shape, recording.dtype
    ((44100, 2), dtype('int16'))
    """
    size = 2 ** int(np.ceil(np.log2(len(dry) + SYNTH_RATE)))
    dry_spectrum = np.fft.rfft(dry, size) * _tone_control(production, size)
    length = round(len(dry) * sample_rate / SYNTH_RATE)
    tracks = []
    for _ in range(channels):
        spectrum = dry_spectrum * np.fft.rfft(_room(production, rng), size)
        wet = np.fft.irfft(spectrum, size)[: len(dry)]
        wet += 10 ** (production.noise_db / 20) * rng.standard_normal(len(dry))
        tracks.append(_resample(wet, length))
    mix = 10 ** ((production.fader_db + _HEADROOM_DB) / 20) * np.stack(tracks, axis=1)
    # The limiter should round peaks off, not flatten them.
    mix = 0.95 * np.tanh(mix * min(1.0, 1.2 / float(np.abs(mix).max())) / 0.95)
    to_edge = np.minimum(np.arange(length), np.arange(length)[::-1])
    fade = np.minimum(1.0, to_edge / (0.01 * sample_rate))
    return np.rint(mix * fade[:, None] * 32767).astype(np.int16)


def _tone(note: Note, rng: np.random.Generator) -> np.ndarray:
    """Return one pitched note."""
    slope, odd, copies, breath = _TIMBRES[note.timbre]
    n = max(int(note.seconds * SYNTH_RATE), 64)
    t = np.arange(n) / SYNTH_RATE
    frequency = 440.0 * 2 ** ((note.pitch - 69) / 12)
    bend = note.glide * np.exp(-t / 0.2)
    if note.vibrato:
        bend += (
            note.vibrato
            * np.minimum(1, t / 0.6)
            * np.sin(2 * np.pi * 5.2 * t + rng.uniform(0, 6.28))
        )
    cycles = t * frequency
    if bend.any():
        cycles = np.cumsum(2 ** (bend / 12)) * (frequency / SYNTH_RATE)
    table = _wavetable(slope, odd, max(1, min(40, int(0.42 * SYNTH_RATE / frequency))))
    sound = np.zeros(n)
    for copy in range(copies):
        detune = 1 + 0.0035 * (copy - (copies - 1) / 2)
        sound += table[((cycles * detune + rng.random()) * _TABLE).astype(np.int64) & (_TABLE - 1)]
    if breath:
        sound += breath * copies * rng.standard_normal(n)
    return np.asarray(note.level / copies**0.5 * sound * _envelope(note, t))


def _envelope(note: Note, t: np.ndarray) -> np.ndarray:
    """Return the level over time: a smooth rise, a decay by 60 dB in `decay_s`, a short fade-out.

    The fade-out takes 30 ms, or half of a shorter note.
    """
    envelope = np.exp(t * (-6.9078 / (note.decay_s or np.inf)))
    rise = max(int(min(note.attack_s, 0.7 * note.seconds) * SYNTH_RATE), 44)
    envelope[:rise] *= 0.5 - 0.5 * np.cos(np.pi / rise * np.arange(rise))[: len(t)]
    fall = max(2, min(int(0.03 * SYNTH_RATE), len(t) // 2))
    envelope[-fall:] *= 0.5 + 0.5 * np.cos(np.pi / fall * np.arange(1, fall + 1))
    return envelope


@functools.lru_cache(maxsize=512)
def _wavetable(slope: float, odd: bool, partials: int) -> np.ndarray:
    """Return one period with an RMS of 0.25, float64 [_TABLE]; phases are spread to avoid peaks."""
    h = np.arange(1, partials + 1)
    level = np.where((h % 2 == 0) & odd, 0.0, 1.0 / h**slope)
    phase = np.pi * h * (h - 1) / partials  # Schroeder's phases
    table = np.fft.irfft([0, *(level * np.exp(1j * phase))], _TABLE)
    return np.asarray(0.25 * table / np.sqrt(np.mean(table**2)))


def _noise(seconds: float, decay_s: float, rng: np.random.Generator) -> np.ndarray:
    n = int(seconds * SYNTH_RATE)
    return rng.standard_normal(n) * np.exp(-np.arange(n) / (decay_s * SYNTH_RATE))


def _sweep(seconds: float, high_hz: float, low_hz: float, decay_s: float) -> np.ndarray:
    t = np.arange(int(seconds * SYNTH_RATE)) / SYNTH_RATE
    hertz = low_hz + (high_hz - low_hz) * np.exp(-t / 0.03)
    return np.asarray(np.sin(2 * np.pi * np.cumsum(hertz) / SYNTH_RATE) * np.exp(-t / decay_s))


def _drum(note: Note, rng: np.random.Generator) -> np.ndarray:
    match note.timbre:
        case "kick":
            sound = 0.9 * _sweep(0.3, 160, 48, 0.09)
        case "snare":
            sound = 0.35 * _noise(0.25, 0.06, rng) + 0.4 * _sweep(0.25, 260, 180, 0.06)
        case "clap":
            sound = 0.3 * _noise(0.22, 0.05, rng)
            for delay in (0.011, 0.023):
                shift = int(delay * SYNTH_RATE)
                sound[shift:] += 0.3 * _noise(0.22, 0.03, rng)[: len(sound) - shift]
            sound = np.diff(sound, prepend=0.0)
        case "hat":
            sound = 0.22 * np.diff(_noise(0.08, 0.018, rng), n=2, prepend=[0.0, 0.0])
        case "crash":
            sound = 0.22 * np.diff(_noise(0.9, 0.3, rng), prepend=0.0)
        case "brush":
            sound = 0.12 * _noise(0.25, 0.08, rng)
            sound = sound * np.minimum(1, np.arange(len(sound)) / (0.05 * SYNTH_RATE))
    sound = note.level * sound
    sound[-64:] *= np.linspace(1, 0, 64)  # every drum is longer
    return np.asarray(sound)


def _tone_control(production: Production, size: int) -> np.ndarray:
    """Return the real gain per frequency: a tilt, one broad bump, and a cut below 35 Hz."""
    hertz = np.maximum(np.fft.rfftfreq(size, 1 / SYNTH_RATE), 1.0)
    decibel = production.tilt_db * np.clip(np.log2(hertz / 1000), -4, 4)
    decibel += production.bump_db * np.exp(-0.5 * (np.log2(hertz / production.bump_hz) / 0.8) ** 2)
    return np.asarray(10 ** (decibel / 20) / (1 + (35 / hertz) ** 4))


def _room(production: Production, rng: np.random.Generator) -> np.ndarray:
    """Return an impulse response: the direct sound, then noise that decays by 60 dB in `room_s`."""
    n = int(production.room_s * SYNTH_RATE)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    tail *= production.wet / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail


def _resample(signal: np.ndarray, length: int) -> np.ndarray:
    """Return the signal resampled to `length` samples via its spectrum."""
    if length == len(signal):
        return signal
    return np.asarray(np.fft.irfft(np.fft.rfft(signal), length) * (length / len(signal)))
