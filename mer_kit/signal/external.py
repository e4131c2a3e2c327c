"""Formats that libsndfile does not read (M4A, WMA, …): audioread decodes them, using ffmpeg.

Notebook: 01_segmentation
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.signal.pieces import UNKNOWN_FRAMES, Piece, Unusable, check_rate

#: Formats that need ffmpeg: offset and first bytes, and the format's name.
_KINDS = (
    (4, b"ftyp", "MPEG-4 audio (M4A)"),
    (0, b"\xff\xf1", "AAC"), (0, b"\xff\xf9", "AAC"), (0, b"ADIF", "AAC"),
    (0, b"\x30\x26\xb2\x75", "Windows Media audio"), (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"wvpk", "WavPack"), (0, b"MAC ", "Monkey's Audio"),
    (0, b"MPCK", "Musepack"), (0, b"MP+", "Musepack"),
    (0, b"#!AMR", "AMR"), (0, b"TTA", "True Audio"), (0, b"DSD ", "DSD"), (0, b"FRM8", "DSD"),
)  # fmt: skip


def by_audioread(path: Path, head: bytes) -> Piece:
    """Return a file as audioread decodes it; `head` is the file's first bytes.

    Raises
    ------
    Unusable
        If nothing can be decoded, or if ffmpeg is needed but not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "notes.txt")
    ...     _ = path.write_text("not a sound")
    ...     by_audioread(path, b"not a sound")
    Traceback (most recent call last):
    mer_kit.signal.pieces.Unusable: ('not_audio', 'no decoder recognises it')
    """
    import audioread  # type: ignore[import-untyped, unused-ignore]

    try:
        with _opened(path) as file:
            rate, n_channels = int(file.samplerate), int(file.channels)
            first = next(iter(file), b"")
    except audioread.NoBackendError:
        names = [name for offset, magic, name in _KINDS if head[offset:].startswith(magic)]
        if not names or _backends():
            raise Unusable("not_audio", "no decoder recognises it") from None
        raise Unusable("no_decoder", names[0]) from None
    except Exception as error:  # its backends raise anything: the file is not audio to us
        raise Unusable("not_audio", type(error).__name__) from error
    if not first:
        raise Unusable("not_audio", "no samples")
    stream = functools.partial(_blocks, path, n_channels)
    return Piece(check_rate(rate), UNKNOWN_FRAMES, stream=stream)


def _backends() -> list[Any]:
    """Return audioread's backends, without the one for formats that libsndfile reads itself."""
    import audioread

    backends = audioread.available_backends()
    return [backend for backend in backends if backend.__name__ != "RawAudioFile"]


def _opened(path: Path) -> Any:
    import audioread

    return audioread.audio_open(str(path), backends=_backends())


def _blocks(path: Path, n_channels: int) -> Iterator[np.ndarray]:
    """Yield float32 [n, channels] from audioread's buffers, which may end within a sample."""
    rest, width = b"", 2 * n_channels
    with _opened(path) as file:
        for buffer in file:
            data = rest + bytes(buffer)
            whole = len(data) // width * width
            rest = data[whole:]
            if whole:
                samples = np.frombuffer(data[:whole], dtype="<i2").reshape(-1, n_channels)
                yield (samples / np.float32(1 << 15)).astype(np.float32)
