"""Compose the demo corpus: turn a section in one quadrant's style into notes and drum strokes.

Key, timbres, tempo and mix are drawn per clip, chords and rhythms per section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from mer_kit.corpora.demo.styles import STYLES, Style

_T = TypeVar("_T")
#: Character of a rhythm → level of the stroke.
_LEVELS = {"x": 1.0, "o": 0.55}


class Note(NamedTuple):
    """One tone or drum stroke; `start_s` from the clip's start, MIDI `pitch`, linear `level`.

    The tone rises for `attack_s`, then decays by 60 dB in `decay_s` (0: it does not decay), and
    slides by `glide` semitones into its pitch. `timbre` is a name from `synth`.
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
    """What is constant throughout a clip; each `u_` is a position (0–1) in a style's range."""

    key: int
    u_tempo: float
    u_register: float
    u_gate: float
    u_loudness: float
    comp_timbre: int
    lead_timbre: int
    levels: tuple[float, ...]
    u_drums: float
    looseness_s: float

    @classmethod
    def draw(cls, rng: np.random.Generator, favourite: int) -> Character:
        """Draw a clip's character; a timbre is the artist's `favourite` with probability 0.2."""
        u = [float(value) for value in rng.random(5)]
        comp = favourite if rng.random() < 0.2 else int(rng.choice(4, p=(0.6, 0.2, 0.1, 0.1)))
        lead = favourite if rng.random() < 0.2 else int(rng.integers(0, 12))
        return cls(
            levels=tuple(float(gain) for gain in 10 ** (rng.uniform(-5, 5, size=4) / 20)),
            key=int(rng.integers(-6, 6)), u_tempo=u[0], u_register=u[1], u_gate=u[2],
            u_loudness=u[3], comp_timbre=comp, lead_timbre=lead, u_drums=u[4],
            looseness_s=float(rng.uniform(0.001, 0.012)),
        )  # fmt: skip


@dataclass(frozen=True)
class _Section:
    """The choices for one section; `step` is a sixteenth note in seconds."""

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
        """Return the MIDI pitch near `centre` of a scale degree (0: tonic, 7: an octave above)."""
        octave, step = divmod(degree, 7)
        tonic = centre + (self.character.key - centre) % 12 - 6
        return tonic + 12 * octave + self.scale[step]


def compose(
    quadrant: str, start_s: float, end_s: float, character: Character, rng: np.random.Generator
) -> list[Note]:
    """Return the notes of one section; bars start at `start_s`, tones end by 40 ms after `end_s`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> character = Character.draw(rng, favourite=0)
    >>> {q: len(compose(q, 0.0, 5.0, character, rng)) for q in STYLES}  # high arousal is dense
    {'Q1': 90, 'Q2': 279, 'Q3': 18, 'Q4': 25}
    """
    style = STYLES[quadrant]
    section = _Section(
        style, character, step=15.0 / _between(style.bpm, character.u_tempo),
        gain=10 ** (_between(style.loudness_db, character.u_loudness) / 20),
        scale=_pick(style.scales, rng), progression=_pick(style.progressions, rng),
        added=_pick(style.added, rng), comp=_pick(style.comp, rng), lead=_pick(style.lead, rng),
        bass=_pick(style.bass, rng),
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
            late_s = float(rng.uniform(0, character.looseness_s))
            onset_s = start_s + bar * bar_s + note.start_s + late_s
            if onset_s < end_s:
                notes.append(
                    note._replace(
                        start_s=onset_s, seconds=min(note.seconds, end_s - onset_s + 0.04),
                        level=note.level * section.gain,
                    )
                )  # fmt: skip
    return notes


def _comp(section: _Section, degree: int, rng: np.random.Generator) -> list[Note]:
    """Return the accompaniment of one bar: chords, or broken chords."""
    style, character = section.style, section.character
    centre = _between(style.register, character.u_register) - 9
    chord = [section.pitch(degree + place, centre) for place in (0, 2, 4, *section.added)]
    seconds = section.step * 2 * _between(style.gate, character.u_gate)
    if style.attack_s[0] > 0.1:  # slow attacks: the chords fill the bar
        seconds = section.step * len(section.comp) / section.comp.count("x")
    timbre = style.comp_timbres[character.comp_timbre % len(style.comp_timbres)]
    attack_s = _between(style.attack_s, character.u_gate)
    decay_s = _between(style.decay_s, character.u_gate)
    broken = rng.random() < style.broken
    notes = []
    for number, (step, level) in enumerate(_strokes(section.comp)):
        octave = 12 * (number // len(chord) % 2)
        tones = [chord[number % len(chord)] + octave] if broken else chord
        loudness = 0.8 * level * character.levels[0] / len(tones) ** 0.5
        notes += [
            Note(step * section.step, seconds, tone, loudness, timbre, attack_s, decay_s)
            for tone in tones
        ]
    return notes


def _lead(section: _Section, degree: int, rng: np.random.Generator) -> list[Note]:
    """Return the melody of one bar: a random walk from a chord tone with the style's drift."""
    style, character = section.style, section.character
    centre = _between(style.register, character.u_register)
    timbre = style.lead_timbres[character.lead_timbre % len(style.lead_timbres)]
    strokes = _strokes(section.lead)
    ends = [step for step, _ in strokes[1:]] + [len(section.lead)]
    attack_s = min(_between(style.attack_s, character.u_gate), 0.15)
    held = style.attack_s[0] > 0.1 or style.broken == 1.0 or len(strokes) < 3
    decay_s, vibrato = (0.0, 0.25) if held else (0.8, 0.0)
    place = degree + int(rng.choice((0, 2, 4)))
    notes = []
    for (step, level), end in zip(strokes, ends, strict=True):
        steps = end - step
        seconds = steps * section.step if held else min(steps, 2) * section.step * 0.7
        notes.append(
            Note(
                step * section.step, seconds, section.pitch(place, centre),
                0.6 * level * character.levels[1], timbre,
                attack_s=attack_s, decay_s=decay_s, glide=style.glide, vibrato=vibrato,
            )
        )  # fmt: skip
        place += int(np.clip(np.rint(rng.normal(style.lead_drift, 1.2)), -3, 3))
    return notes


def _low(section: _Section, degree: int) -> list[Note]:
    """Return the bass and the drums of one bar."""
    step, levels = section.step, section.character.levels
    root = section.pitch(degree, 36.0)
    # a rhythm of half a bar is a slow style's: the bass is held
    n_steps = len(section.bass) / section.bass.count("x") if len(section.bass) == 8 else 1.6
    attack_s = 0.15 if section.style.attack_s[0] > 0.1 else 0.008
    bass = [
        Note(i * step, step * n_steps, root, 0.7 * level * levels[2], "bass", attack_s, 2.0)
        for i, level in _strokes(section.bass)
    ]
    return bass + [
        Note(i * step, 0.4, 0.0, 0.7 * level * levels[3], drum)
        for drum, rhythm in section.drums.items()
        for i, level in _strokes(rhythm)
    ]


def _strokes(rhythm: str) -> list[tuple[int, float]]:
    """Return (step, level) of every stroke of a rhythm."""
    return [(step, _LEVELS[stroke]) for step, stroke in enumerate(rhythm) if stroke != "."]


def _between(pair: tuple[float, float], u: float) -> float:
    return pair[0] + (pair[1] - pair[0]) * u


def _pick(choices: Sequence[_T], rng: np.random.Generator) -> _T:
    return choices[int(rng.integers(len(choices)))]
