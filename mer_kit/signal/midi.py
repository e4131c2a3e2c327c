"""MIDI as audio: one file rendered by fluidsynth with a General MIDI sound font, its silent tail cut off.

Both come from Debian's packages `fluidsynth` and `timgm6mb-soundfont`; MER_SOUNDFONT names another .sf2 file. Another
sound font is other audio: the store's hash of a MIDI clip covers it.

Notebook: 02_noisy_labels
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from mer_kit.checks import MerKitError

#: File endings taken for MIDI, lower case.
ENDINGS = (".mid", ".midi")
#: Where systems keep sound fonts, and the one that is preferred (D: small, and packaged everywhere).
FONT_FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/soundfonts", "/opt/homebrew/share/soundfonts")
FONT = "TimGM6mb.sf2"
#: D: one gain for all, so that loudness stays comparable; fluidsynth's own 0.2 is very quiet.
GAIN = 0.4
#: No piece of a few minutes takes longer than this to render.
TIMEOUT_SECONDS = 300.0
NEXT_STEP = "install the Debian packages fluidsynth and timgm6mb-soundfont, or set MER_SOUNDFONT to an .sf2 file"


class NoSynthesiser(MerKitError):
    """fluidsynth or a sound font is missing."""


class NotMidi(MerKitError):
    """A file cannot be read as MIDI."""


def is_midi(path: str | Path) -> bool:
    """Tell whether a file is taken for MIDI, by its ending.

    Examples
    --------
    >>> is_midi("a/Song.MID"), is_midi("a/song.mp3")
    (True, False)
    """
    return Path(path).suffix.lower() in ENDINGS


def sound_font() -> Path | None:
    """Return MER_SOUNDFONT, else TimGM6mb, else the first .sf2 file of this system's folders, or None."""
    chosen = os.environ.get("MER_SOUNDFONT")
    if chosen:
        return Path(chosen).expanduser() if Path(chosen).expanduser().is_file() else None
    folders = [Path(name) for name in FONT_FOLDERS if Path(name).is_dir()]
    preferred = [folder / FONT for folder in folders if (folder / FONT).is_file()]
    return next(
        iter([*preferred, *(font for folder in folders for font in sorted(folder.glob("*.sf2")))]),
        None,
    )


def identity() -> str:
    """Return what tells this machine's synthesiser from another: the sound font's content and the gain.

    Raises
    ------
    NoSynthesiser
        If there is no sound font or no fluidsynth.
    """
    _, font = _tools()
    return f"{_digest(str(font), font.stat().st_mtime_ns)} gain {GAIN}"


def duration(path: str | Path) -> float:
    """Return the seconds until the last event of a MIDI file, tempo changes included.

    Raises
    ------
    NotMidi
        If the file cannot be read.
    """
    import mido

    try:
        # clip: a few files of games hold data bytes above 127, which players limit too
        return float(mido.MidiFile(str(path), clip=True).length)
    except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError) as error:
        raise NotMidi(
            f"{path}: is not MIDI that can be read ({type(error).__name__}): export it again"
        ) from error


def render(path: str | Path, *, sample_rate: int) -> np.ndarray:
    """Return a MIDI file as float32 [n, 2] at `sample_rate` Hz, cut where its last event ends.

    Raises
    ------
    NoSynthesiser
        If fluidsynth or a sound font is missing.
    NotMidi
        If the file cannot be read or rendered.
    """
    program, font = _tools()
    seconds = duration(path)
    stat = Path(path).stat()
    samples = _render(str(path), stat.st_size, stat.st_mtime_ns, program, str(font), sample_rate)
    return samples[: round(seconds * sample_rate)]


def _tools() -> tuple[str, Path]:
    program, font = shutil.which("fluidsynth"), sound_font()
    if program is None or font is None:
        missing = (
            "fluidsynth"
            if program is None
            else f"a sound font ({os.environ.get('MER_SOUNDFONT') or FONT})"
        )
        raise NoSynthesiser(f"MIDI needs {missing}, which was not found here: {NEXT_STEP}")
    return program, font


@lru_cache(maxsize=1)
def _digest(font: str, _mtime_ns: int) -> str:
    return hashlib.blake2b(Path(font).read_bytes(), digest_size=8).hexdigest()


@lru_cache(maxsize=2)  # a listener asks for one piece many times
def _render(
    path: str, _size: int, _mtime_ns: int, program: str, font: str, sample_rate: int
) -> np.ndarray:
    import soundfile

    with tempfile.TemporaryDirectory(prefix="mer-kit-midi-") as scratch:
        target = os.path.join(scratch, "rendered.wav")
        command = [
            program,
            "-n",
            "-i",
            "-q",
            "-g",
            str(GAIN),
            "-r",
            str(sample_rate),
            "-F",
            target,
            "-T",
            "wav",
            font,
        ]
        try:
            done = subprocess.run(
                [*command, os.path.abspath(path)], capture_output=True, timeout=TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise NotMidi(
                f"{path}: took fluidsynth more than {TIMEOUT_SECONDS:g} s: check the file"
            ) from error
        if done.returncode or not os.path.exists(target):
            told = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise NotMidi(
                f"{path}: fluidsynth failed ({told[-1] if told else 'no message'}): check the file"
            )
        samples, _ = soundfile.read(target, dtype="float32", always_2d=True)
    samples.flags.writeable = False
    return np.asarray(samples)
