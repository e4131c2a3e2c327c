"""Sound in notebooks and pages: short clips as audio elements, songs as embeddable bytes.

Notebook: 00_start_here, 05_emotion_curve
"""

import base64
import dataclasses
import functools
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError, check_range, plain
from mer_kit.plots.names import escaped
from mer_kit.records import Clip, Problem
from mer_kit.signal import audio

#: D: ten seconds at 22,050 Hz are 0.6 MB of text in the notebook; more belongs in the player.
MAX_SECONDS = 10.0
#: D: a song of up to this many bytes goes into a page, 2 MB as text: three minutes at 64 kbit/s,
#: eight at 24.
MAX_SONG_BYTES = 1_500_000
#: D: a file of at most this many bytes is embedded as it is, if browsers play its kind.
KEEP_BYTES = 500_000
#: File ending → MIME type of what browsers play.
PLAYABLE = {
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
}
#: libsndfile's compression level → kbit/s that MP3 then takes at 22,050 Hz (OGG a little more or
#: less), best first.
LEVELS: dict[float | None, float] = {0.6: 64, 0.8: 40, 0.9: 24}
#: What a song is encoded as, best first: format, its subtype, MIME type, levels.
ENCODINGS = (
    ("MP3", "MPEG_LAYER_III", "audio/mpeg", LEVELS),
    ("OGG", "VORBIS", "audio/ogg", LEVELS),
    ("WAV", "PCM_16", "audio/wav", {None: 16 * audio.SAMPLE_RATE / 1000}),
)


@dataclass(frozen=True)
class SongSound:
    """A whole song as the bytes of an audio file, and their MIME type."""

    data: bytes
    mime: str

    @property
    def address(self) -> str:
        """The sound as a data: address, which an audio element plays."""
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode('ascii')}"


def listen(y: np.ndarray, sample_rate: int = audio.SAMPLE_RATE, *, label: str) -> Any:
    """Return an IPython HTML object that plays mono samples `y` [n] and says what they are.

    The loudness stays as it is, since it carries arousal; what goes beyond ±1 is clipped.

    Parameters
    ----------
    label : shown above the player and read by screen readers, for example "clip MT01, 3 to 6 s"

    Raises
    ------
    MerKitError
        If `y` is not one row of finite samples, is longer than 10 s, or the label is empty.

    Examples
    --------
    >>> element = listen(np.zeros(2205), label="a tenth of a second of nothing").data
    >>> "<audio controls" in element, 'aria-label="a tenth of a second of nothing"' in element
    (True, True)

    Notebook: 00_start_here
    """
    from IPython.display import HTML

    if not label.strip():
        raise MerKitError(
            "label is empty, expected a description of the sound: "
            "pass for example label='clip MT01, 3 to 6 s'"
        )
    name, wav = escaped(label), SongSound(wav_bytes(y, sample_rate), "audio/wav")
    return HTML(
        f'<figure style="margin:0.4em 0"><figcaption>{name}</figcaption>'
        f'<audio controls preload="metadata" aria-label="{name}" src="{wav.address}">'
        "This browser plays no audio.</audio></figure>"
    )


def wav_bytes(y: np.ndarray, sample_rate: int = audio.SAMPLE_RATE) -> bytes:
    """Return mono samples `y` [n] as a 16-bit WAV file in memory.

    Raises
    ------
    MerKitError
        If `y` is not one row of finite samples or longer than 10 s.
    """
    check_range("sample_rate", sample_rate, 1, whole=True)
    y = _row(y)
    if len(y) > MAX_SECONDS * sample_rate:
        raise MerKitError(
            f"the sound lasts {len(y) / sample_rate:.1f} s, "
            f"expected at most {MAX_SECONDS:g} s in a notebook: "
            "cut it with views.sound.segment_audio"
        )
    return _encoded(y, "WAV", "PCM_16", None, rate=int(sample_rate))


def _row(y: np.ndarray) -> np.ndarray:
    """Return samples as an array, if they are one row of finite numbers."""
    y = np.asarray(y)
    if y.ndim != 1 or y.size == 0 or not np.isfinite(y).all():
        raise MerKitError(
            f"y has shape {y.shape}, expected one row of finite samples: "
            "decode with signal.audio.load"
        )
    return y


def song_bytes(path: str | Path, *, max_bytes: int = MAX_SONG_BYTES) -> SongSound:
    """Return a song small enough for a page: its file if small and playable, else 22,050 Hz mono.

    What is encoded is what the network hears, as MP3 where libsndfile writes it, else OGG, else
    WAV; a longer song gets fewer kbit/s. MP3 and OGG give every sample back at its own time.

    Parameters
    ----------
    path : any file that `signal.audio.load` reads
    max_bytes : the largest result; as base64 text in a page it is a third larger

    Raises
    ------
    MerKitError
        If the file cannot be decoded, or is longer than `max_bytes` can hold; the sentence has the
        file's name only, since pages show it.

    Notebook: 05_emotion_curve
    """
    check_range("max_bytes", max_bytes, 1, whole=True)
    path = Path(path)
    kind = PLAYABLE.get(path.suffix.lower())
    if kind and path.is_file() and 0 < path.stat().st_size <= min(KEEP_BYTES, max_bytes):
        return SongSound(path.read_bytes(), kind)
    least_bytes_a_second = min(kbits for *_, kbits in _ways()) * 125
    longest = max_bytes / least_bytes_a_second
    y = audio.decode(path, max_seconds=longest + 1)  # what does not fit is not decoded
    if isinstance(y, Problem):
        raise MerKitError(str(dataclasses.replace(y, where=plain(path.name))))
    seconds = len(y) / audio.SAMPLE_RATE
    for kind, subtype, mime, level, kbits in _ways():
        if seconds * kbits * 125 <= max_bytes:
            data = _encoded(y, kind, subtype, level)
            if len(data) <= max_bytes:
                return SongSound(data, mime)
    if seconds > longest:
        seconds = audio.duration(path)
    raise MerKitError(
        f"{path.name} lasts {seconds:.0f} s and takes "
        f"{least_bytes_a_second * seconds / 1e6:.2g} MB at least, "
        f"expected at most {max_bytes / 1e6:.2g} MB of sound in a page: cut an excerpt"
    )


def song_or_reason(path: str | Path, *, max_bytes: int = MAX_SONG_BYTES) -> tuple[SongSound, str]:
    """Return `song_bytes` and "", or no bytes and a sentence that says why there is no sound."""
    try:
        return song_bytes(path, max_bytes=max_bytes), ""
    except MerKitError as error:
        return SongSound(b"", ""), f"No sound here: {error}."


def excerpt(y: np.ndarray) -> SongSound:
    """Return mono samples `y` [n] at 22,050 Hz as a sound file, MP3 if libsndfile can write it.

    Raises
    ------
    MerKitError
        If `y` is not one row of finite samples.

    Examples
    --------
    >>> excerpt(np.zeros(22050)).mime in {mime for _, _, mime, _ in ENCODINGS}
    True
    """
    kind, subtype, mime, level, _ = _ways()[0]
    return SongSound(_encoded(_row(y), kind, subtype, level), mime)


def _ways() -> list[tuple[str, str, str, float | None, float]]:
    """Return the available encodings, best first: format, subtype, MIME type, level, kbit/s."""
    import soundfile

    return [
        (kind, subtype, mime, level, kbits)
        for kind, subtype, mime, levels in ENCODINGS
        if subtype in soundfile.available_subtypes(kind)
        for level, kbits in levels.items()
    ]


def _encoded(
    y: np.ndarray, kind: str, subtype: str, level: float | None, *, rate: int = audio.SAMPLE_RATE
) -> bytes:
    """Return samples as a file, written in blocks: long ones crash soundfile 0.14."""
    import soundfile

    buffer = io.BytesIO()
    how: dict[str, Any] = {} if level is None else {"compression_level": level}
    if kind == "MP3":  # the size is known beforehand, and every player finds every second
        how["bitrate_mode"] = "CONSTANT"
    with soundfile.SoundFile(buffer, "w", rate, 1, format=kind, subtype=subtype, **how) as file:
        for first in range(0, len(y), rate):
            file.write(np.clip(y[first : first + rate], -1.0, 1.0))
    return buffer.getvalue()


def segment_audio(clip: Clip, start_s: float, seconds: float) -> np.ndarray:
    """Return float32 [seconds · 22,050], a clip's samples from `start_s` (fewer at its end).

    Raises
    ------
    MerKitError
        If the file cannot be decoded, or the segment begins at or beyond the clip's end.

    Notebook: 01_segmentation
    """
    check_range("start_s", start_s, 0)
    check_range("seconds", seconds, 0, low_open=True)
    y = clip_audio(clip)
    first = round(start_s * audio.SAMPLE_RATE)
    if first >= len(y):
        raise MerKitError(
            f"clip {clip.clip_id!r} lasts {len(y) / audio.SAMPLE_RATE:.1f} s "
            f"but the segment begins at {start_s:g} s: "
            "choose an earlier start"
        )
    return y[first : first + round(seconds * audio.SAMPLE_RATE)]


def clip_audio(clip: Clip) -> np.ndarray:
    """Return a clip's samples, float32 [n] at 22,050 Hz, read-only; recent clips are cached."""
    path = Path(clip.path)
    return _decoded(path, path.stat().st_mtime_ns if path.exists() else 0)


@functools.lru_cache(maxsize=8)
def _decoded(path: Path, stamp: int) -> np.ndarray:
    y = audio.load(path)
    y.setflags(write=False)
    return y
