"""Sound that libsndfile does not read (M4A, WMA, …), by audioread, which uses ffmpeg where it is installed.

Notebook: 01_segmentation
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.signal.pieces import UNKNOWN_FRAMES, Piece, Unusable, check_rate

#: How files begin that need ffmpeg, and what they are.
_KINDS = (
    (4, b"ftyp", "MPEG-4 audio (M4A)"), (0, b"\xff\xf1", "AAC"), (0, b"\xff\xf9", "AAC"), (0, b"ADIF", "AAC"),
    (0, b"\x30\x26\xb2\x75", "Windows Media audio"), (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"wvpk", "WavPack"), (0, b"MAC ", "Monkey's Audio"), (0, b"MPCK", "Musepack"), (0, b"MP+", "Musepack"),
    (0, b"#!AMR", "AMR"), (0, b"TTA", "True Audio"), (0, b"DSD ", "DSD"), (0, b"FRM8", "DSD"),
)  # fmt: skip


def by_audioread(path: Path, head: bytes) -> Piece:
    """Return what audioread decodes; `head` are the file's first bytes.

    Raises
    ------
    Unusable
        If it decodes nothing, or needs ffmpeg, which is not there.
    """
    import audioread  # type: ignore[import-untyped, unused-ignore]

    try:
        with _opened(path) as file:
            rate, n_channels = int(file.samplerate), int(file.channels)
            first = next(iter(file), b"")
    except audioread.NoBackendError:
        kind = next(
            (name for at, magic, name in _KINDS if head[at : at + len(magic)] == magic), None
        )
        if kind is None or _backends():
            raise Unusable("not_audio", "no decoder knows it") from None
        raise Unusable("no_decoder", kind) from None
    except Exception as error:  # its backends raise anything: the file is no audio to us
        raise Unusable("not_audio", type(error).__name__) from error
    if not first:
        raise Unusable("not_audio", "no samples")
    return Piece(
        check_rate(rate), UNKNOWN_FRAMES, stream=functools.partial(_blocks, path, n_channels)
    )


def _backends() -> list[Any]:
    """Return audioread's backends but for the one that reads with Python's own modules what libsndfile refused."""
    import audioread

    return [
        backend for backend in audioread.available_backends() if backend.__name__ != "RawAudioFile"
    ]


def _opened(path: Path) -> Any:
    import audioread

    return audioread.audio_open(str(path), backends=_backends())


def _blocks(path: Path, n_channels: int) -> Iterator[np.ndarray]:
    """Yield float32 [n, channels] as audioread's buffers come, which need not end where a sample ends."""
    rest = b""
    with _opened(path) as file:
        for buffer in file:
            data = rest + bytes(buffer)
            whole = len(data) // (2 * n_channels) * 2 * n_channels
            rest = data[whole:]
            if whole:
                samples = np.frombuffer(data[:whole], dtype="<i2").reshape(-1, n_channels)
                yield (samples / np.float32(1 << 15)).astype(np.float32)
