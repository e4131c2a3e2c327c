"""Decode any audio file to mono samples, or say in one sentence why it cannot be used.

MIDI files are rendered first.

Notebook: 01_segmentation
"""

import contextlib
import itertools
import math
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mer_kit.checks import MerKitError, check_range, plain
from mer_kit.records import Problem
from mer_kit.signal import midi, sound
from mer_kit.signal.sound import Piece, Unusable

#: D: librosa's default rate; the authors of 4Q used 22 kHz too.
SAMPLE_RATE = 22050
#: A clip whose largest absolute sample is below this is silent (−120 dBFS; one 16-bit step is
#: thirty times larger).
SILENCE = 1e-6
#: Largest absolute sample of a loud file (18 dB above full scale); beyond it the scale is wrong.
LOUDEST = 8.0
#: Kind → what is wrong, and the next step.
SENTENCES: dict[str, tuple[str, str]] = {
    "missing_file": (
        "the audio file is missing, expected it at this path",
        "restore it or remove the clip from the list",
    ),
    "not_a_file": ("is a {detail}, expected an audio file", "correct the clip's path"),
    "unreadable_name": (
        "has a name that is not valid text on this system",
        "rename it with plain letters",
    ),
    "unreadable_file": ("cannot be opened ({detail})", "check its path and permissions"),
    "empty_file": ("has zero bytes, expected audio", "copy or download it again"),
    "no_samples": ("holds no samples, expected music", "export it again or drop the clip"),
    "truncated_file": ("is truncated ({detail})", "copy or download it again"),
    "more_sound": (
        "states {detail}",
        "export it again, so that its header states how long it is",
    ),
    "many_formats": (
        "changes its sample rate, channels or bit rate {detail}, expected one format",
        "convert it to WAV or FLAC",
    ),
    "no_decoder": (
        "is {detail}, which needs ffmpeg, and ffmpeg was not found here",
        "install ffmpeg, or convert it to WAV or FLAC",
    ),
    "not_audio": (
        "is not audio that can be decoded ({detail})",
        "check what the file is, or convert it to WAV or MP3",
    ),
    "length_unknown": (
        "is a {detail} file, a truncated one of which cannot be told from a whole one, expected a "
        "format that states its length",
        "convert it to WAV or FLAC",
    ),
    "silence": ("is silent {detail}, expected music", "replace the file or drop the clip"),
    "not_midi": (
        "is not MIDI that can be rendered ({detail})",
        "check what the file is, or export it again",
    ),
    "no_synthesiser": (
        "is MIDI, and fluidsynth or a sound font was not found here",
        midi.NEXT_STEP,
    ),
    "not_finite": (
        "holds NaN or infinite samples, expected finite ones",
        "export it again as 16-bit WAV",
    ),
    "too_loud": (
        "has samples up to {detail}, expected −1 to 1",
        "divide them by 32768 if they are scaled as integers, or export it again as 16-bit WAV",
    ),
}


def load(
    path: str | Path, *, sample_rate: int = SAMPLE_RATE, max_seconds: float | None = None
) -> np.ndarray:
    """Return the file's samples as float32 [n], mixed to mono and resampled to `sample_rate` Hz.

    Channels are averaged; the resampler is soxr at high quality, librosa's default. If
    `max_seconds` is given, decoding stops there. Memory holds the result and one block of the file.

    Raises
    ------
    MerKitError
        If the file is missing, empty, truncated, not audio or silent, if its samples are NaN,
        infinite or far above full scale, or if its name cannot be read on this system; each case
        has its own sentence.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/stereo.wav", np.tile([0.5, 0.25], (44100, 1)), 44100)
    ...     samples = load(f"{folder}/stereo.wav")
    >>> samples.shape, samples.dtype, round(float(samples[11025]), 3)  # one second, averaged
    ((22050,), dtype('float32'), 0.375)
    """
    samples = decode(path, sample_rate=sample_rate, max_seconds=max_seconds)
    if isinstance(samples, Problem):
        raise MerKitError(str(samples))
    return samples


def duration(path: str | Path) -> float:
    """Return the duration of a file's sound in seconds, from its header or its MP3 frames.

    Only a file that states no length is decoded.

    Raises
    ------
    MerKitError
        If the file is missing, empty, truncated or not audio, or has a name that this system
        cannot read.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/a.wav", np.full(12000, 0.5), 8000)
    ...     duration(f"{folder}/a.wav")
    1.5
    """
    path = Path(path)
    try:
        check_file(path)
        if midi.is_midi(path):
            return midi.duration(path)
        with sound.opened(path) as pieces:
            return sum(piece.count() / piece.rate for piece in pieces)
    except Unusable as error:
        raise MerKitError(str(problem(error, path))) from error


def decode(
    path: str | Path, *, sample_rate: int = SAMPLE_RATE, max_seconds: float | None = None
) -> np.ndarray | Problem:
    """Return the samples that `load` returns, or the error that it would raise as a Problem.

    Examples
    --------
    >>> print(decode("no such file.wav").what)
    the audio file is missing, expected it at this path
    """
    samples = np.empty(0, dtype=np.float32)
    try:
        with blocks(path, sample_rate=sample_rate, max_seconds=max_seconds) as stream:
            for block in stream:
                filled = len(samples)
                samples.resize(filled + len(block), refcheck=False)
                samples[filled:] = block
    except Unusable as error:
        return problem(error, path)
    return samples


@contextlib.contextmanager
def blocks(
    path: str | Path, *, sample_rate: int = SAMPLE_RATE, max_seconds: float | None = None
) -> Iterator[Iterator[np.ndarray]]:
    """Yield the samples in blocks, float32 [n] each.

    Joined, the blocks are what `decode` returns; memory holds one of them at a time.

    Raises
    ------
    Unusable
        If the file cannot be used: at once, or while iterating.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/a.wav", np.full(22050, 0.5), 22050)
    ...     with blocks(f"{folder}/a.wav", max_seconds=0.5) as stream:
    ...         sum(len(block) for block in stream)
    11025
    """
    check_range("sample_rate", sample_rate, 1, whole=True)
    limit = sys.maxsize if max_seconds is None else math.ceil(max_seconds * sample_rate)
    path = Path(path)
    check_file(path)
    with contextlib.ExitStack() as stack:
        if midi.is_midi(path):
            channels = midi.render(path, sample_rate=sample_rate)
            pieces = [Piece(sample_rate, len(channels), stream=lambda: filter(len, [channels]))]
        else:
            pieces = stack.enter_context(sound.opened(path))
        yield _mixed(pieces, sample_rate, limit)


def _mixed(pieces: list[Piece], sample_rate: int, limit: int) -> Iterator[np.ndarray]:
    """Yield mono blocks at the target rate, at most `limit` samples; raise Unusable if unusable."""
    done, loudest = 0, 0.0
    for block in itertools.chain.from_iterable(_resampled(piece, sample_rate) for piece in pieces):
        kept = block[: limit - done]
        done += len(kept)
        if loudest < SILENCE:
            loudest = max(float(kept.max(initial=0.0)), -float(kept.min(initial=0.0)))
        yield kept
        if done >= limit:
            break
    if done == 0:
        raise Unusable("no_samples")
    if loudest < SILENCE:
        first = f"for its first {done / sample_rate:g} s"
        raise Unusable("silence", "from beginning to end" if done < limit else first)


def _resampled(piece: Piece, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield mono blocks at the target rate, bit-identical to resampling the piece in one call."""
    if piece.rate == sample_rate:
        yield from _mono(piece)
        return
    import soxr

    resampler = soxr.ResampleStream(piece.rate, sample_rate, 1, dtype="float32", quality="HQ")
    n_in, n_out = 0, 0
    for mono in _mono(piece):
        n_in += len(mono)
        block = resampler.resample_chunk(mono)
        n_out += len(block)
        yield block
    rest = resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True)
    missing = math.ceil(n_in * sample_rate / piece.rate) - n_out  # librosa's length
    yield np.pad(rest[: max(missing, 0)], (0, max(missing - len(rest), 0)))


def _mono(piece: Piece) -> Iterator[np.ndarray]:
    """Yield the mean of a piece's channels, float32 [n], in blocks, after checking the samples."""
    for channels in piece.blocks():
        peak = max(float(channels.max()), -float(channels.min()))
        if not np.isfinite(peak):
            raise Unusable("not_finite")
        if peak > LOUDEST:
            raise Unusable("too_loud", f"{peak:.5g}")
        first, *others = channels.T  # added one by one: 15 times faster than channels.mean(axis=1)
        mono: np.ndarray = first.copy()
        for channel in others:
            mono += channel
        mono /= channels.shape[1]
        yield mono


def check_file(path: Path) -> None:
    """Raise Unusable unless the path names a readable, regular file that is not empty.

    Examples
    --------
    >>> check_file(Path(__file__))
    >>> check_file(Path("no such file.wav"))
    Traceback (most recent call last):
    mer_kit.signal.sound.Unusable: ('missing_file', '')
    """
    try:
        str(path).encode("utf-8")
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            if stat.S_ISDIR(about.st_mode):
                raise Unusable("not_a_file", "folder")
            raise Unusable("not_a_file", "device, pipe or socket")
        with open(path, "rb"):
            pass
    except (UnicodeEncodeError, ValueError) as error:
        raise Unusable("unreadable_name") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Unusable("missing_file") from error
    except OSError as error:
        raise Unusable("unreadable_file", error.strerror or type(error).__name__) from error
    if about.st_size == 0:
        raise Unusable("empty_file")


def problem(error: Unusable, path: str | Path) -> Problem:
    """Return the Problem that describes why a file cannot be used.

    Examples
    --------
    >>> print(problem(Unusable("not_a_file", "folder"), "songs"))
    songs: is a folder, expected an audio file: correct the clip's path
    """
    what, next_step = SENTENCES[error.kind]
    return Problem(error.kind, plain(str(Path(path))), what.format(detail=error.detail), next_step)
