"""Short sounds in a notebook: one labelled audio element that needs no file beside it.

Notebook: 00_start_here
"""

from __future__ import annotations

import base64
import functools
import html
import io
from pathlib import Path
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError, check_range
from mer_kit.records import Clip
from mer_kit.signal import audio

#: D: ten seconds at 22,050 Hz are 0.6 MB of text in the notebook; more belongs in the player.
MAX_SECONDS = 10.0


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

    Notebook: 00_start_here
    """
    from IPython.display import HTML

    return HTML(audio_element(y, sample_rate, label=label))


def audio_element(y: np.ndarray, sample_rate: int = audio.SAMPLE_RATE, *, label: str) -> str:
    """Return the HTML text of what `listen` shows; widgets put it into place themselves.

    Examples
    --------
    >>> element = audio_element(np.zeros(2205), label="a tenth of a second of nothing")
    >>> "<audio controls" in element, 'aria-label="a tenth of a second of nothing"' in element
    (True, True)
    """
    if not label.strip():
        raise MerKitError("label is empty, expected what the sound is: pass for example label='clip MT01, 3 to 6 s'")
    data = base64.b64encode(wav_bytes(y, sample_rate)).decode("ascii")
    name = html.escape(label, quote=True)
    return (
        f'<figure style="margin:0.4em 0"><figcaption>{name}</figcaption>'
        f'<audio controls preload="metadata" aria-label="{name}" src="data:audio/wav;base64,{data}">'
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
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != 1 or y.size == 0 or not np.isfinite(y).all():
        raise MerKitError(f"y has shape {y.shape}, expected one row of finite samples: decode with signal.audio.load")
    if len(y) > MAX_SECONDS * sample_rate:
        raise MerKitError(
            f"the sound lasts {len(y) / sample_rate:.1f} s, expected at most {MAX_SECONDS:g} s in a notebook: "
            "cut it with show.sound.segment_audio"
        )
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(y, -1.0, 1.0), int(sample_rate), format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def segment_audio(clip: Clip, start_s: float, seconds: float) -> np.ndarray:
    """Return float32 [round(seconds · 22,050)], the samples of a clip from `start_s` on (fewer at the clip's end).

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
            f"clip {clip.clip_id!r} lasts {len(y) / audio.SAMPLE_RATE:.1f} s but the segment begins at {start_s:g} s: "
            "choose an earlier start"
        )
    return y[first : first + round(seconds * audio.SAMPLE_RATE)]


def clip_audio(clip: Clip) -> np.ndarray:
    """Return a clip's samples, float32 [n] at 22,050 Hz, read-only; the last few clips stay in memory."""
    path = Path(clip.path)
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return _decoded(path, stamp)


@functools.lru_cache(maxsize=8)
def _decoded(path: Path, stamp: int) -> np.ndarray:
    y = audio.load(path)
    y.setflags(write=False)
    return y
