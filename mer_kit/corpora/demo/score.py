"""The demo corpus' composer: a section in one quadrant's style becomes a list of notes and drum strokes.

Key, voices, melody and mixture are drawn per clip, chords and rhythms per section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from mer_kit.corpora.demo.styles import STYLES, Style

_T = TypeVar("_T")


class Note(NamedTuple):
    """One tone or drum stroke: seconds from the clip's start, MIDI pitch, linear level, and how it is played.

    The tone rises for `attack_s`, then falls by 60 dB in `decay_s` (0: it stays), and slides by `glide` semitones into
    its pitch. `timbre` is a name that `demo_synth` knows.
    """

    start_s: float
    seconds: float
    pitch: float
    level: float
    timbre: str
    attack_s: float = 0.005
    decay_s: float = 0.0
    glide: float = 0.0
    vibrato: float = 0.0


@dataclass(frozen=True)
class Character:
    """What stays the same through a clip, whatever its sections feel: each `u_` is a place (0–1) in a style's range."""

    key: int
    u_tempo: float
    u_register: float
    u_gate: float
    u_loudness: float
    comp_timbre: int
    lead_timbre: int
    levels: tuple[float, float, float, float]
    u_drums: float
    looseness_s: float

    @classmethod
    def draw(cls, rng: np.random.Generator, favourite: int) -> Character:
        """Draw a clip's character; in a fifth of the clips the artist's `favourite` decides a timbre."""
        u = [float(value) for value in rng.random(5)]
        comp = favourite if rng.random() < 0.2 else int(rng.choice(4, p=(0.6, 0.2, 0.1, 0.1)))
        lead = favourite if rng.random() < 0.2 else int(rng.integers(0, 12))
        gains = [float(gain) for gain in 10 ** (rng.uniform(-5, 5, size=4) / 20)]
        return cls(
            key=int(rng.integers(-6, 6)), u_tempo=u[0], u_register=u[1], u_gate=u[2], u_loudness=u[3],
            comp_timbre=comp, lead_timbre=lead, levels=(gains[0], gains[1], gains[2], gains[3]), u_drums=u[4],
            looseness_s=float(rng.uniform(0.001, 0.012)),
        )  # fmt: skip


@dataclass(frozen=True)
class _Section:
    """The choices that hold for one section; `step` is a sixteenth in seconds."""

    style: Style
    character: Character
    step: float
    gain: float
    scale: tuple[int, ...]
    progression: tuple[int, ...]
    added: tuple[int, ...]
    comp: str
    lead: str
    bass: str
    drums: dict[str, str]

    def pitch(self, degree: int, centre: float) -> float:
        """Return the MIDI pitch of a scale degree (0 the key note, 7 an octave above it) near `centre`."""
        octave, step = divmod(degree, 7)
        tonic = centre + (self.character.key - centre) % 12 - 6
        return tonic + 12 * octave + self.scale[step]


def compose(
    quadrant: str, start_s: float, end_s: float, character: Character, rng: np.random.Generator
) -> list[Note]:
    """Return the notes of one section: its bars start at `start_s`, and every tone is over 40 ms after `end_s`."""
    style = STYLES[quadrant]
    section = _Section(
        style, character, step=15.0 / _between(style.bpm, character.u_tempo),
        gain=10 ** (_between(style.loudness_db, character.u_loudness) / 20),
        scale=_pick(style.scales, rng), progression=_pick(style.progressions, rng), added=_pick(style.added, rng),
        comp=_pick(style.comp, rng), lead=_pick(style.lead, rng), bass=_pick(style.bass, rng),
        drums=_pick(style.drums, rng) if character.u_drums < style.drum_share else {},
    )  # fmt: skip
    bar_s = len(section.comp) * section.step
    notes = []
    for bar in range(int(np.ceil((end_s - start_s) / bar_s))):
        degree = section.progression[bar % len(section.progression)]
        for note in (
            *_comp(section, degree, rng),
            *_lead(section, degree, rng),
            *_low(section, degree),
        ):
            at = start_s + bar * bar_s + note.start_s + float(rng.uniform(0, character.looseness_s))
            if at < end_s:
                seconds = min(note.seconds, end_s - at + 0.04)
                notes.append(
                    note._replace(start_s=at, seconds=seconds, level=note.level * section.gain)
                )
    return notes


def _comp(section: _Section, degree: int, rng: np.random.Generator) -> list[Note]:
    """The accompaniment of one bar: chords, or the chord broken into single tones."""
    style, character = section.style, section.character
    centre = _between(style.register, character.u_register) - 9
    chord = [section.pitch(degree + place, centre) for place in (0, 2, 4, *section.added)]
    seconds = section.step * 2 * _between(style.gate, character.u_gate)
    if style.attack_s[0] > 0.1:  # swells fill the bar
        seconds = section.step * len(section.comp) / section.comp.count("x")
    timbre = style.comp_timbres[character.comp_timbre % len(style.comp_timbres)]
    attack_s, decay_s = (
        _between(style.attack_s, character.u_gate),
        _between(style.decay_s, character.u_gate),
    )
    broken = rng.random() < style.broken
    notes = []
    for number, (step, level) in enumerate(_strokes(section.comp)):
        tones = [chord[number % len(chord)] + 12 * (number // len(chord) % 2)] if broken else chord
        for tone in tones:
            notes.append(
                Note(
                    step * section.step, seconds, tone, 0.8 * level * character.levels[0] / len(tones) ** 0.5, timbre,
                    attack_s=attack_s, decay_s=decay_s,
                )
            )  # fmt: skip
    return notes


def _lead(section: _Section, degree: int, rng: np.random.Generator) -> list[Note]:
    """The melody of one bar: a walk from a tone of the chord, rising or sinking as the style drifts."""
    style, character = section.style, section.character
    centre = _between(style.register, character.u_register)
    timbre = style.lead_timbres[character.lead_timbre % len(style.lead_timbres)]
    strokes = _strokes(section.lead)
    ends = [step for step, _ in strokes[1:]] + [len(section.lead)]
    held = style.attack_s[0] > 0.1 or style.broken == 1.0 or len(strokes) < 3
    place = degree + int(rng.choice((0, 2, 4)))
    notes = []
    for (step, level), end in zip(strokes, ends, strict=True):
        seconds = (
            (end - step if held else min(end - step, 2)) * section.step * (1.0 if held else 0.7)
        )
        notes.append(
            Note(
                step * section.step, seconds, section.pitch(place, centre), 0.6 * level * character.levels[1], timbre,
                attack_s=min(_between(style.attack_s, character.u_gate), 0.15), glide=style.glide,
                decay_s=0.0 if held else 0.8, vibrato=0.25 if held else 0.0,
            )
        )  # fmt: skip
        place += int(np.clip(np.rint(rng.normal(style.lead_drift, 1.2)), -3, 3))
    return notes


def _low(section: _Section, degree: int) -> list[Note]:
    """The bass and the drums of one bar."""
    step, levels = section.step, section.character.levels
    root = section.pitch(degree, 36.0)
    seconds = section.step * (
        len(section.bass) / section.bass.count("x") if len(section.bass) == 8 else 1.6
    )
    attack_s = 0.15 if section.style.attack_s[0] > 0.1 else 0.008
    notes = [
        Note(at * step, seconds, root, 0.7 * level * levels[2], "bass", attack_s, decay_s=2.0)
        for at, level in _strokes(section.bass)
    ]
    for drum, rhythm in section.drums.items():
        notes += [
            Note(at * step, 0.4, 0.0, 0.7 * level * levels[3], drum)
            for at, level in _strokes(rhythm)
        ]
    return notes


def _strokes(rhythm: str) -> list[tuple[int, float]]:
    """Return (step, level) of every stroke of a rhythm."""
    return [
        (step, 1.0 if stroke == "x" else 0.55)
        for step, stroke in enumerate(rhythm)
        if stroke != "."
    ]


def _between(pair: tuple[float, float], u: float) -> float:
    return pair[0] + (pair[1] - pair[0]) * u


def _pick(choices: Sequence[_T], rng: np.random.Generator) -> _T:
    return choices[int(rng.integers(len(choices)))]
