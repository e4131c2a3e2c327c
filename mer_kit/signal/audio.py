"""Decode any audio file to mono samples, or say in one sentence why it cannot be used; MIDI is rendered first.

Notebook: 01_segmentation
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError, check_range
from mer_kit.records import Problem
from mer_kit.signal import midi

#: D: librosa's default rate; 4Q's authors used 22 kHz too.
SAMPLE_RATE = 22050
#: Loudest sample below which a clip counts as silent (−120 dBFS, thirty times under one step of 16-bit audio).
SILENCE = 1e-6
#: A file that ends this many seconds before its own header says so was cut off.
MISSING_SECONDS = 0.5


def load(path: str | Path, *, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Return the file's samples as float32 [n], mixed to mono and resampled to `sample_rate` Hz.

    Channels are averaged; the resampler is soxr at high quality, librosa's default.

    Raises
    ------
    MerKitError
        If the file is missing, empty, truncated, not audio, silent, holds NaN or infinite samples, or has a name
        that this system cannot read; each case has its own sentence.
    """
    samples = decode(path, sample_rate=sample_rate)
    if isinstance(samples, Problem):
        raise MerKitError(str(samples))
    return samples


def duration(path: str | Path) -> float:
    """Return the length in seconds that the file's header states, without decoding it.

    Raises
    ------
    MerKitError
        If the file is missing, empty, not audio, or has a name that this system cannot read.
    """
    path = Path(path)
    problem = examine(path)
    if problem is not None:
        raise MerKitError(str(problem))
    if midi.is_midi(path):
        return midi.duration(path)
    import soundfile

    try:
        info = soundfile.info(str(path))
        return float(info.frames / info.samplerate)
    except soundfile.LibsndfileError:
        samples = _decode_by_audioread(path)
    if isinstance(samples, Problem):
        raise MerKitError(str(samples))
    return len(samples[0]) / samples[1]


def decode(path: str | Path, *, sample_rate: int = SAMPLE_RATE) -> np.ndarray | Problem:
    """Return what `load` returns, or as a Problem what `load` would raise."""
    check_range("sample_rate", sample_rate, 1, whole=True)
    path = Path(path)
    problem = examine(path)
    if problem is not None:
        return problem
    decoded = _render(path, sample_rate) if midi.is_midi(path) else _decode_by_soundfile(path)
    if isinstance(decoded, Problem):
        return decoded
    channels, native_rate = decoded
    if not np.isfinite(channels).all():
        return _problem("not_finite", path)
    mono: np.ndarray = sum(channels.T) / channels.shape[1]  # 15 times faster than channels.mean(axis=1)
    if len(mono) == 0 or float(np.abs(mono).max()) < SILENCE:
        return _problem("silence", path)
    if native_rate == sample_rate:
        return mono
    import librosa

    resampled = librosa.resample(mono, orig_sr=native_rate, target_sr=sample_rate, res_type="soxr_hq")
    return np.ascontiguousarray(resampled, dtype=np.float32)


def examine(path: str | Path) -> Problem | None:
    """Return what is wrong with a file as far as name and size tell, or None; needs no audio library."""
    path = Path(path)
    try:
        str(path).encode("utf-8")
        size = path.stat().st_size
        if path.is_dir():
            return _problem("not_a_file", path)
        with open(path, "rb"):
            pass
    except (UnicodeEncodeError, ValueError):
        return _problem("unreadable_name", path)
    except (FileNotFoundError, NotADirectoryError):
        return _problem("missing_file", path)
    except OSError as error:
        return _problem("unreadable_file", path, detail=error.strerror or type(error).__name__)
    return _problem("empty_file", path) if size == 0 else None


_SENTENCES: dict[str, tuple[str, str]] = {
    "missing_file": ("the audio file is missing, expected it there", "restore it or take the clip off the list"),
    "not_a_file": ("is a folder, expected an audio file", "correct the clip's path"),
    "unreadable_name": ("has a name that is not valid text on this system", "rename it with plain letters"),
    "unreadable_file": ("cannot be opened ({detail})", "check its path and permissions"),
    "empty_file": ("has zero bytes, expected audio", "copy or download it again"),
    "truncated_file": ("is truncated ({detail})", "copy or download it again"),
    "not_audio": ("is not audio that can be decoded ({detail})", "check what the file is, or convert it to WAV or MP3"),
    "silence": ("is silent from beginning to end, expected music", "replace the file or drop the clip"),
    "not_midi": ("is not MIDI that can be rendered ({detail})", "check what the file is, or export it again"),
    "no_synthesiser": ("is MIDI, and fluidsynth or a sound font was not found here", midi.NEXT_STEP),
    "not_finite": ("holds NaN or infinite samples, expected finite ones", "export it again as 16-bit WAV"),
}


def _problem(kind: str, path: Path, *, detail: str = "") -> Problem:
    """Word the Problem of this kind for one file."""
    what, next_step = _SENTENCES[kind]
    return Problem(kind, printable(path), what.format(detail=detail), next_step)


def printable(path: str | Path) -> str:
    r"""Return a path as text that can be printed and stored, whatever bytes its name holds.

    Examples
    --------
    >>> printable("caf\udce9.wav")
    'caf\\udce9.wav'
    """
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")


def _render(path: Path, sample_rate: int) -> tuple[np.ndarray, int] | Problem:
    """Return float32 [n, 2] of a MIDI file at the rate that is wanted."""
    try:
        return midi.render(path, sample_rate=sample_rate), sample_rate
    except midi.NoSynthesiser:
        return _problem("no_synthesiser", path)
    except midi.NotMidi as error:
        return _problem("not_midi", path, detail=str(error).removeprefix(f"{path}: ").partition(":")[0])


def _decode_by_soundfile(path: Path) -> tuple[np.ndarray, int] | Problem:
    """Return float32 [n, channels] and the file's own rate; what soundfile cannot open goes to audioread."""
    import soundfile

    try:
        file = soundfile.SoundFile(str(path))
    except soundfile.LibsndfileError:
        return _decode_by_audioread(path)
    with file:
        try:
            samples: np.ndarray = file.read(dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            return _problem("truncated_file", path, detail="its data break off or are damaged")
        missing = _missing_seconds(path, file, len(samples))
        rate = int(file.samplerate)
    if missing > MISSING_SECONDS:
        detail = f"it lacks {missing:.1f} s that its header promises"
        return _problem("truncated_file", path, detail=detail)
    return samples, rate


def _missing_seconds(path: Path, file: Any, n_decoded: int) -> float:
    """Return how many seconds fewer than the header promises were decoded.

    An MP3 without a Xing/Info table promises nothing (its length is guessed from the size); libsndfile shortens a cut
    WAV without a word, so its RIFF header is read here.
    """
    with open(path, "rb") as raw:
        head = raw.read(1 << 16)
    promised = int(file.frames)
    if file.format in ("MPEG", "MP3") and not (b"Xing" in head or b"Info" in head):
        promised = n_decoded
    if head[:4] == b"RIFF" and len(head) >= 8:
        riff_size = struct.unpack("<I", head[4:8])[0]
        lost_bytes = riff_size + 8 - path.stat().st_size
        if riff_size != 0xFFFFFFFF and lost_bytes > 1 and n_decoded:
            bytes_per_frame = max(path.stat().st_size // n_decoded, 1)
            promised = n_decoded + lost_bytes // bytes_per_frame
    return float((promised - n_decoded) / file.samplerate)


def _decode_by_audioread(path: Path) -> tuple[np.ndarray, int] | Problem:
    """Return what `_decode_by_soundfile` returns, by audioread (which uses ffmpeg if it is there)."""
    try:
        import audioread  # type: ignore[import-untyped, unused-ignore]

        with audioread.audio_open(str(path)) as file:
            rate, n_channels = int(file.samplerate), int(file.channels)
            data = b"".join(file)
    except Exception as error:  # its backends raise anything from EOFError to wave.Error: the file is no audio to us
        return _problem("not_audio", path, detail=type(error).__name__)
    samples = np.frombuffer(data[: len(data) // (2 * n_channels) * 2 * n_channels], dtype="<i2")
    if len(samples) == 0:
        return _problem("not_audio", path, detail="no samples")
    return (samples.reshape(-1, n_channels) / np.float32(1 << 15)).astype(np.float32), rate
