"""The musical styles of the demo corpus: one `Style` per quadrant.

Tempo, mode, harmony, register, articulation, timbre, percussion and loudness depend on the emotion;
the ranges of neighbouring quadrants overlap. Rhythms are written in sixteenth notes for one bar
(half a bar in slow styles): "x" is a stroke, "o" a soft stroke, "." a rest.

Source: D: our decision, based on findings of music psychology about expressed emotion (Gabrielsson
and Lindström, 2010: fast and detached for high arousal, major and consonant for positive valence).
"""

from dataclasses import dataclass

_IONIAN = (0, 2, 4, 5, 7, 9, 11)
_LYDIAN = (0, 2, 4, 6, 7, 9, 11)
_MIXOLYDIAN = (0, 2, 4, 5, 7, 9, 10)
_AEOLIAN = (0, 2, 3, 5, 7, 8, 10)
_HARMONIC_MINOR = (0, 2, 3, 5, 7, 8, 11)
_PHRYGIAN = (0, 1, 3, 5, 7, 8, 10)
_LOCRIAN = (0, 1, 3, 5, 6, 8, 10)


@dataclass(frozen=True)
class Style:
    """The style of one quadrant: pairs of numbers are ranges, other tuples are choices.

    Attributes
    ----------
    bpm : beats per minute
    scales, progressions : semitones of the mode; scale degrees of the chords
    added : scale steps added to each chord
    register : MIDI pitch around which the melody moves
    comp, lead, bass, drums : rhythms of the accompaniment, melody, bass and each drum kit
    comp_timbres, lead_timbres : names from `synth`, the typical one first
    broken : fraction of bars with a broken chord
    gate : length of a chord in eighth notes
    attack_s, decay_s : its rise and its decay by 60 dB in seconds (0: no decay)
    lead_drift : scale steps that the melody moves per tone
    glide : semitones that a tone slides down into its pitch
    drum_share : fraction of clips with drums
    loudness_db : level before recording
    """

    bpm: tuple[float, float]
    scales: tuple[tuple[int, ...], ...]
    progressions: tuple[tuple[int, ...], ...]
    added: tuple[tuple[int, ...], ...]
    register: tuple[float, float]
    comp: tuple[str, ...]
    comp_timbres: tuple[str, ...]
    broken: float
    gate: tuple[float, float]
    attack_s: tuple[float, float]
    decay_s: tuple[float, float]
    lead: tuple[str, ...]
    lead_timbres: tuple[str, ...]
    lead_drift: float
    glide: float
    bass: tuple[str, ...]
    drums: tuple[dict[str, str], ...]
    drum_share: float
    loudness_db: tuple[float, float]


STYLES: dict[str, Style] = {
    "Q1": Style(
        bpm=(116, 150), scales=(_IONIAN, _MIXOLYDIAN), added=((), (), (5,)),
        progressions=((0, 4, 5, 3), (0, 3, 4, 3), (0, 5, 3, 4), (0, 3, 0, 4)),
        register=(67, 79), comp=("..x...x...x...x.", "x..x..x...x.x...", "..x..x....x..x.."),
        comp_timbres=("pluck", "organ", "brass", "piano"), broken=0.2,
        gate=(0.3, 0.5), attack_s=(0.003, 0.012), decay_s=(0.25, 0.6),
        lead=("x.o.x..x..x.x...", "x..x..x.x.x.....", "....x.x.x..x..x."),
        lead_timbres=("bell", "pluck", "brass", "piano"), lead_drift=0.5, glide=0.0,
        bass=("x.....x.x.....x.", "x...x...x...x.x."),
        drums=(
            {"kick": "x.......x.x.....", "clap": "....x.......x...", "hat": "..x...x...x...x."},
            {"kick": "x...x...x...x...", "clap": "....x.......x..o", "hat": "o.x.o.x.o.x.o.x."},
        ),
        drum_share=0.85, loudness_db=(-21, -15),
    ),
    "Q2": Style(
        bpm=(122, 160), scales=(_PHRYGIAN, _LOCRIAN), added=((1,), (1, 3), (1, 8)),
        progressions=((0, 1, 0, 4), (0, 1, 5, 1), (0, 0, 1, 1), (0, 4, 1, 0)),
        register=(60, 76), comp=("xoxoxoxoxoxoxoxo", "x.xxx.xxx.xxx.xx", "x.x.x.x.x.x.x.x."),
        comp_timbres=("fuzz", "brass", "piano", "organ"), broken=0.0,
        gate=(0.6, 0.9), attack_s=(0.002, 0.008), decay_s=(0.0, 1.0),
        lead=("xxxxxxxxxxxxxxxx", "x.x.x.x.xxxxxxxx", "x...............", "x.xxx.xxx.xxx.xx"),
        lead_timbres=("fuzz", "brass", "organ", "piano"), lead_drift=0.0, glide=-1.0,
        bass=("x.x.x.x.x.x.x.x.", "x.xxx.xxx.xxx.xx"),
        drums=(
            {"kick": "x.xox.xox.xox.xo", "snare": "....x.......x..x", "crash": "x......."},
            {"kick": "x...x...x...x...", "snare": "..x...x...x...xo", "hat": "x.x.x.x.x.x.x.x."},
        ),
        drum_share=0.85, loudness_db=(-20, -14),
    ),
    "Q3": Style(
        bpm=(52, 76), scales=(_AEOLIAN, _HARMONIC_MINOR), added=((), (), (6,), (8,)),
        progressions=((0, 5, 3, 4), (0, 3, 0, 4), (0, 6, 5, 3), (0, 3, 5, 0)),
        register=(57, 72), comp=("x.......", "x...x..."),
        comp_timbres=("pad", "strings", "organ", "flute"), broken=0.0,
        gate=(0.95, 1.0), attack_s=(0.35, 0.9), decay_s=(0.0, 0.0),
        lead=("x...x...", "x.......", "..x....."), lead_timbres=("strings", "flute", "organ"),
        lead_drift=-0.7, glide=2.5, bass=("x.......",),
        drums=({"kick": "o......."},), drum_share=0.15, loudness_db=(-25, -18),
    ),
    "Q4": Style(
        bpm=(62, 92), scales=(_IONIAN, _LYDIAN), added=((6,), (8,), (1, 5)),
        progressions=((0, 3, 0, 3), (0, 2, 3, 0), (0, 5, 3, 0), (0, 3, 4, 0)),
        register=(62, 76), comp=("x.o.x.o.", "x.ooo.o.", "x...o.o."),
        comp_timbres=("harp", "piano", "bell", "pad"), broken=1.0,
        gate=(2.0, 3.5), attack_s=(0.008, 0.03), decay_s=(1.2, 2.4),
        lead=("x.....x.", "x...x...", "..x.x..."), lead_timbres=("flute", "strings", "piano"),
        lead_drift=0.1, glide=0.0, bass=("x.......", "x...o..."),
        drums=({"brush": "o...x..."}, {"brush": "..o...o."}), drum_share=0.4,
        loudness_db=(-25, -18),
    ),
}  # fmt: skip
