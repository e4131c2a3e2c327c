"""Decode any audio file to mono samples, or say in one sentence why it cannot be used; MIDI is rendered first.

Notebook: 01_segmentation
"""

from __future__ import annotations

import contextlib
import math
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mer_kit.checks import MerKitError, check_range
from mer_kit.records import Problem
from mer_kit.signal import midi, sound
from mer_kit.signal.wording import printable, problem

__all__ = [
    "LOUDEST",
    "SAMPLE_RATE",
    "SILENCE",
    "blocks",
    "decode",
    "duration",
    "examine",
    "load",
    "printable",
    "problem",
]

#: D: librosa's default rate; 4Q's authors used 22 kHz too.
SAMPLE_RATE = 22050
#: Loudest sample below which a clip counts as silent (−120 dBFS, thirty times under one step of 16-bit audio).
SILENCE = 1e-6
#: Largest sample that a loud file may have (18 dB over full scale); beyond it the samples are on another scale.
LOUDEST = 8.0
#: Samples that memory is reserved for because a header states them; more are given room as they come.
MOST_RESERVED = 1 << 28


def load(
    path: str | Path, *, sample_rate: int = SAMPLE_RATE, max_seconds: float | None = None
) -> np.ndarray:
    """Return the file's samples as float32 [n], mixed to mono and resampled to `sample_rate` Hz.

    Channels are averaged; the resampler is soxr at high quality, librosa's default. Decoding stops after `max_seconds`
    where that is given. Memory holds the result and one block of the file.

    Raises
    ------
    MerKitError
        If the file is missing, empty, truncated, not audio or silent, if its samples are NaN, infinite or far over full
        scale, or if its name cannot be read on this system; each case has its own sentence.
    """
    samples = decode(path, sample_rate=sample_rate, max_seconds=max_seconds)
    if isinstance(samples, Problem):
        raise MerKitError(str(samples))
    return samples


def duration(path: str | Path) -> float:
    """Return the seconds of sound that a file holds, from its header and, for MP3, by counting its frames.

    Only a file that states no length is decoded.

    Raises
    ------
    MerKitError
        If the file is missing, empty, truncated, not audio, or has a name that this system cannot read.
    """
    path = Path(path)
    try:
        _check_file(path)
        if midi.is_midi(path):
            return midi.duration(path)
        with sound.opened(path) as pieces:
            return sum(piece.count() / piece.rate for piece in pieces)
    except sound.Unusable as error:
        raise MerKitError(str(problem(error, path))) from error


def decode(
    path: str | Path, *, sample_rate: int = SAMPLE_RATE, max_seconds: float | None = None
) -> np.ndarray | Problem:
    """Return what `load` returns, or as a Problem what `load` would raise."""
    try:
        with blocks(path, sample_rate=sample_rate, max_seconds=max_seconds) as (n_expected, stream):
            samples, filled = np.empty(min(n_expected or 0, MOST_RESERVED), dtype=np.float32), 0
            for block in stream:
                if filled + len(block) > len(samples):
                    samples.resize(max(2 * filled, filled + len(block)), refcheck=False)
                samples[filled : filled + len(block)] = block
                filled += len(block)
            return samples[:filled]
    except sound.Unusable as error:
        return problem(error, path)


@contextlib.contextmanager
def blocks(
    path: str | Path, *, sample_rate: int = SAMPLE_RATE, max_seconds: float | None = None
) -> Iterator[tuple[int | None, Iterator[np.ndarray]]]:
    """Yield an upper bound of the samples (None if unknown) and an iterator over them in blocks, float32 [n] each.

    Joined, the blocks are what `decode` returns; memory holds one of them at a time.

    Raises
    ------
    sound.Unusable
        If the file cannot be used: at once, or while iterating.
    """
    check_range("sample_rate", sample_rate, 1, whole=True)
    path, limit = Path(path), None if max_seconds is None else math.ceil(max_seconds * sample_rate)
    _check_file(path)
    if midi.is_midi(path):
        channels = _render(path, sample_rate)
        pieces = [
            sound.Piece(
                sample_rate, len(channels), stream=lambda: iter([channels] if len(channels) else [])
            )
        ]
        yield len(channels), _mixed(pieces, sample_rate, limit)
        return
    with sound.opened(path) as pieces:
        known = all(piece.frames < sound.UNKNOWN_FRAMES for piece in pieces)
        expected = (
            sum(math.ceil(piece.frames * sample_rate / piece.rate) + 1 for piece in pieces)
            if known
            else limit
        )
        yield (
            expected if limit is None or expected is None else min(expected, limit),
            _mixed(pieces, sample_rate, limit),
        )


def _mixed(pieces: list[sound.Piece], sample_rate: int, limit: int | None) -> Iterator[np.ndarray]:
    """Yield mono blocks at the wanted rate, `limit` samples at most; raise Unusable where they are no usable music."""
    done, loudest = 0, 0.0
    for piece in pieces:
        for block in _resampled(piece, sample_rate):
            kept = block if limit is None else block[: limit - done]
            done += len(kept)
            if loudest < SILENCE:
                loudest = max(float(kept.max(initial=0.0)), -float(kept.min(initial=0.0)))
            yield kept
            if limit is not None and done >= limit:
                break
        if limit is not None and done >= limit:
            break
    if done == 0:
        raise sound.Unusable("no_samples")
    if loudest < SILENCE:
        where = (
            "from beginning to end"
            if limit is None or done < limit
            else f"for its first {done / sample_rate:g} s"
        )
        raise sound.Unusable("silence", where)


def _resampled(piece: sound.Piece, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield a piece's mono blocks at the wanted rate; the same numbers, bit for bit, as resampling it in one go."""
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


def _mono(piece: sound.Piece) -> Iterator[np.ndarray]:
    """Yield the mean of a piece's channels, float32 [n], in blocks whose samples were checked."""
    for channels in piece.blocks():
        peak = max(float(channels.max()), -float(channels.min()))
        if not np.isfinite(peak):
            raise sound.Unusable("not_finite")
        if peak > LOUDEST:
            raise sound.Unusable("too_loud", f"{peak:.5g}")
        first, *others = channels.T  # added one by one: 15 times faster than channels.mean(axis=1)
        mono: np.ndarray = first + (others.pop(0) if others else 0)
        for channel in others:
            mono += channel
        mono /= channels.shape[1]
        yield mono


def examine(path: str | Path) -> Problem | None:
    """Return what is wrong with a file as far as name and size tell, or None; needs no audio library."""
    try:
        _check_file(Path(path))
    except sound.Unusable as error:
        return problem(error, path)
    return None


def _check_file(path: Path) -> None:
    """Raise Unusable unless the path names a readable, regular file with some bytes in it."""
    try:
        str(path).encode("utf-8")
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise sound.Unusable("not_a_file", "folder")
        if not stat.S_ISREG(about.st_mode):
            raise sound.Unusable("not_a_file", "device, pipe or socket")
        with open(path, "rb"):
            pass
    except (UnicodeEncodeError, ValueError) as error:
        raise sound.Unusable("unreadable_name") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise sound.Unusable("missing_file") from error
    except OSError as error:
        raise sound.Unusable("unreadable_file", error.strerror or type(error).__name__) from error
    if about.st_size == 0:
        raise sound.Unusable("empty_file")


def _render(path: Path, sample_rate: int) -> np.ndarray:
    """Return float32 [n, 2] of a MIDI file at the rate that is wanted."""
    try:
        return midi.render(path, sample_rate=sample_rate)
    except midi.NoSynthesiser as error:
        raise sound.Unusable("no_synthesiser") from error
    except midi.NotMidi as error:
        raise sound.Unusable(
            "not_midi", str(error).removeprefix(f"{path}: ").partition(":")[0]
        ) from error
