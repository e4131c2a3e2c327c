"""MIDI as audio: a file is rendered by fluidsynth with a General MIDI sound font, its tail cut.

Install the Debian packages `fluidsynth` and `timgm6mb-soundfont`, or let MER_SOUNDFONT name another
.sf2 file. A different sound font gives different audio, so the store's hash of a MIDI clip
includes it.

Notebook: 02_noisy_labels
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from mer_kit.signal.sound import Unusable

#: Suffixes of MIDI files, lower case.
ENDINGS = (".mid", ".midi")
#: Folders of sound fonts, and the preferred one (D: small, and packaged everywhere).
FONT_FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/soundfonts", "/opt/homebrew/share/soundfonts")
FONT = "TimGM6mb.sf2"
#: D: one gain for all, so that loudness is comparable; fluidsynth's default, 0.2, is very quiet.
GAIN = 0.4
#: A piece of a few minutes never takes longer than this to render.
TIMEOUT_SECONDS = 300.0
NEXT_STEP = (
    "install the Debian packages fluidsynth and timgm6mb-soundfont, "
    "or set MER_SOUNDFONT to an .sf2 file"
)


def is_midi(path: str | Path) -> bool:
    """Return whether a file is MIDI, judged by its suffix.

    Examples
    --------
    >>> is_midi("a/Song.MID"), is_midi("a/song.mp3")
    (True, False)
    """
    return Path(path).suffix.lower() in ENDINGS


def sound_font() -> Path | None:
    """Return MER_SOUNDFONT, else TimGM6mb, else the first .sf2 file of the system, or None.

    Examples
    --------
    >>> font = sound_font()
    >>> font is None or font.is_file()
    True
    """
    chosen = os.environ.get("MER_SOUNDFONT")
    fonts = [Path(folder, FONT) for folder in FONT_FOLDERS]
    fonts += [font for folder in FONT_FOLDERS for font in sorted(Path(folder).glob("*.sf2"))]
    if chosen:
        fonts = [Path(chosen).expanduser()]
    return next((font for font in fonts if font.is_file()), None)


def identity() -> str:
    """Return what distinguishes this machine's synthesiser: hash of the sound font, and gain.

    Raises
    ------
    Unusable
        If there is no sound font or no fluidsynth.

    Examples
    --------
    >>> try:
    ...     print(identity().endswith("gain 0.4"))
    ... except Unusable as error:  # on a machine without fluidsynth
    ...     print(error.kind == "no_synthesiser")
    True
    """
    _, font = _tools()
    return f"{_digest(str(font), font.stat().st_mtime_ns)} gain {GAIN}"


def duration(path: str | Path) -> float:
    """Return the time of a MIDI file's last event in seconds, tempo changes included.

    Raises
    ------
    Unusable
        If the file cannot be read.

    Examples
    --------
    >>> import mido, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     notes = mido.MidiTrack([mido.Message("note_off", note=60, time=960)])
    ...     mido.MidiFile(ticks_per_beat=480, tracks=[notes]).save(f"{folder}/a.mid")
    ...     duration(f"{folder}/a.mid")  # two beats at 120 beats per minute
    1.0
    """
    import mido

    try:
        # clip: some files of games contain data bytes above 127, which players limit too
        return float(mido.MidiFile(str(path), clip=True).length)
    except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError) as error:
        raise Unusable("not_midi", type(error).__name__) from error


def render(path: str | Path, *, sample_rate: int) -> np.ndarray:
    """Return a MIDI file as float32 [n, 2] at `sample_rate` Hz, cut at its last event.

    Raises
    ------
    Unusable
        If fluidsynth or a sound font is missing, or the file cannot be read or rendered.

    Examples
    --------
    >>> import mido, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     notes = mido.MidiTrack([mido.Message("note_off", note=60, time=960)])
    ...     mido.MidiFile(ticks_per_beat=480, tracks=[notes]).save(f"{folder}/a.mid")
    ...     try:
    ...         shape = render(f"{folder}/a.mid", sample_rate=8000).shape
    ...     except Unusable:  # on a machine without fluidsynth
    ...         shape = (8000, 2)
    >>> shape
    (8000, 2)
    """
    program, font = _tools()
    seconds = duration(path)
    stat = Path(path).stat()
    samples = _render(str(path), stat.st_size, stat.st_mtime_ns, program, str(font), sample_rate)
    return samples[: round(seconds * sample_rate)]


def _tools() -> tuple[str, Path]:
    program, font = shutil.which("fluidsynth"), sound_font()
    if program is None or font is None:
        raise Unusable("no_synthesiser")
    return program, font


@lru_cache(maxsize=1)
def _digest(font: str, _mtime_ns: int) -> str:
    return hashlib.blake2b(Path(font).read_bytes(), digest_size=8).hexdigest()


@lru_cache(maxsize=2)  # interactive views read one piece many times
def _render(
    path: str, _size: int, _mtime_ns: int, program: str, font: str, sample_rate: int
) -> np.ndarray:
    import soundfile

    with tempfile.TemporaryDirectory(prefix="mer-kit-midi-") as scratch:
        target = os.path.join(scratch, "rendered.wav")
        options = f"-n -i -q -g {GAIN} -r {sample_rate} -T wav -F".split()
        command = [program, *options, target, font, os.path.abspath(path)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Unusable(
                "not_midi", f"took fluidsynth more than {TIMEOUT_SECONDS:g} s"
            ) from error
        if done.returncode or not os.path.exists(target):
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise Unusable("not_midi", f"fluidsynth failed ({(lines or ['no message'])[-1]})")
        samples, _ = soundfile.read(target, dtype="float32", always_2d=True)
    samples.flags.writeable = False
    return np.asarray(samples)
