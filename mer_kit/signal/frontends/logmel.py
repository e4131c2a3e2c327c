"""The log-mel spectrogram: one short-time Fourier transform per clip, in absolute decibels.

Notebook: 01_segmentation
"""

import dataclasses
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mer_kit.checks import MerKitError, check_range
from mer_kit.signal.frontend import BaseFrontend

TITLE = "log-mel spectrogram"
SAYS = "the paper's: a log-mel power spectrogram in decibels, 128 bands, one frame every 23 ms"
SOURCE = "paper, section on the input features; its sample rate is our decision"
ORDER = 0

#: Lowest power on the decibel scale (−100 dB). D: librosa's own floor, with no relative cut.
FLOOR_POWER = 1e-10
#: Frames transformed at once if samples are given in blocks.
BLOCK_FRAMES = 256


@dataclass(frozen=True)
class MelSettings:
    """Every setting that changes a value of the log-mel; part of the store's content hash.

    P: Hann window of 1024 samples, hop 512, 128 mel bands. D: 22,050 Hz (the paper gives no rate).
    """

    sample_rate: int = 22050
    n_fft: int = 1024
    hop_length: int = 512
    n_mels: int = 128

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_range(field.name, getattr(self, field.name), 1, whole=True)


def log_mel(
    y: np.ndarray,
    *,
    sample_rate: int = 22050,
    n_fft: int = 1024,
    hop_length: int = 512,
    n_mels: int = 128,
) -> np.ndarray:
    """Return the log-mel power spectrogram of samples `y` [n], float32 [frames, n_mels] in dB.

    The frame axis comes first, so that a segment is contiguous in memory. There are
    `1 + n // hop_length` frames, centred on multiples of `hop_length`. The reference is power 1.0
    and nothing is normalised: loudness, which carries arousal, is kept (D: method, stage 2). Equal
    to librosa's `power_to_db(melspectrogram(…), top_db=None)`.

    Raises
    ------
    MerKitError
        If `y` is not a 1-D array with at least one sample.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    >>> quiet, loud = log_mel(0.01 * tone), log_mel(0.1 * tone)
    >>> loud.shape, round(float(loud.max() - quiet.max()), 2)  # ten times the amplitude is 20 dB
    ((44, 128), 20.0)
    """
    y = np.asarray(y, dtype=np.float32)
    if y.ndim != 1 or y.size == 0:
        raise MerKitError(
            f"y has shape {y.shape}, expected mono samples of shape [n]: decode with audio.load"
        )
    return _decibels(mel_power(y, MelSettings(sample_rate, n_fft, hop_length, n_mels)))


def mel_power(y: np.ndarray, settings: MelSettings) -> np.ndarray:
    """Return the mel power spectrogram of samples [n], float32 [frames, n_mels].

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype(np.float32)
    >>> mel_power(tone, MelSettings(n_mels=96)).shape
    (44, 96)
    """
    import librosa

    n_fft, hop, frames = settings.n_fft, settings.hop_length, 1 + len(y) // settings.hop_length
    if len(y) < n_fft:  # librosa would pad with zeros too, but warn
        y = np.pad(y, (0, n_fft))
    spectrum = librosa.stft(
        y, n_fft=n_fft, hop_length=hop, window="hann", center=True, pad_mode="constant"
    )
    return _mel(spectrum[:, :frames], settings)


def log_mel_of_blocks(
    blocks: Iterable[np.ndarray], settings: MelSettings
) -> tuple[np.ndarray, int]:
    """Return the log-mel of samples given in blocks, float16 [frames, n_mels] dB, and their number.

    The frames equal those of `log_mel`, rounded as in the store; memory holds the result and one
    block.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=9000).astype(np.float32)
    >>> frames, n = log_mel_of_blocks([y[:100], y[100:5000], y[5000:]], MelSettings())
    >>> n, np.array_equal(frames, log_mel(y).astype(np.float16))
    (9000, True)
    """
    n_fft, hop = settings.n_fft, settings.hop_length
    padding = np.zeros(n_fft // 2, dtype=np.float32)  # frame 0 is centred on sample 0
    rest, n_samples = padding, 0
    rows: list[np.ndarray] = []
    for block in blocks:
        n_samples += len(block)
        rest = np.concatenate([rest, block])
        n_frames = 1 + (len(rest) - n_fft) // hop
        if n_frames >= BLOCK_FRAMES:
            rows.append(_whole_frames(rest, settings))
            rest = rest[n_frames * hop :]
    rest = np.concatenate([rest, padding])
    if len(rest) >= n_fft:
        rows.append(_whole_frames(rest, settings))
    return np.concatenate(rows), n_samples


def _whole_frames(y: np.ndarray, settings: MelSettings) -> np.ndarray:
    """Return float16 [1 + (n − n_fft) // hop_length, n_mels]: only frames that lie within `y`."""
    import librosa

    spectrum = librosa.stft(
        y, n_fft=settings.n_fft, hop_length=settings.hop_length, window="hann", center=False
    )
    return _decibels(_mel(spectrum, settings)).astype(np.float16)


def _mel(spectrum: np.ndarray, settings: MelSettings) -> np.ndarray:
    """Return the mel power, float32 [frames, n_mels], of a spectrum [1 + n_fft // 2, frames]."""
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray((filter_bank(settings) @ power).T)


def _decibels(mel: np.ndarray) -> np.ndarray:
    """Return a mel power spectrogram in dB, float32 [frames, n_mels]."""
    return np.ascontiguousarray(10.0 * np.log10(np.maximum(mel, FLOOR_POWER)), dtype=np.float32)


@functools.lru_cache(maxsize=8)
def filter_bank(settings: MelSettings) -> Any:
    """Return the mel filters as a scipy.sparse.csr_array, float32 [n_mels, 1 + n_fft // 2].

    librosa builds them at every call. 98 % of the entries are zero, and a sparse product starts no
    BLAS threads, which would compete with the decoding threads.

    Examples
    --------
    >>> bank = filter_bank(MelSettings(n_mels=40))
    >>> bank.shape, bank.dtype, bool((bank.sum(axis=1) > 0).all())
    ((40, 513), dtype('float32'), True)
    """
    import librosa
    from scipy.sparse import csr_array  # type: ignore[import-untyped, unused-ignore]

    return csr_array(
        librosa.filters.mel(
            sr=settings.sample_rate, n_fft=settings.n_fft, n_mels=settings.n_mels, dtype=np.float32
        )
    )


class Frontend(BaseFrontend):
    """The log-mel spectrogram as a front-end."""

    settings = MelSettings
    picture_range = (-60.0, 30.0)
    unit = "dB"

    def __init__(self, settings: MelSettings | None = None) -> None:
        super().__init__(settings)
        self.sample_rate = self.s.sample_rate
        self.frames_per_second = self.s.sample_rate / self.s.hop_length
        self.columns = tuple(f"mel {band}" for band in range(self.s.n_mels))

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Return the log-mel of samples [n], float32 [frames, n_mels] in dB."""
        return log_mel(samples, **dataclasses.asdict(self.s))

    def frames_of_blocks(self, blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
        """Return the log-mel of samples given in blocks; memory holds the result and one block."""
        return log_mel_of_blocks(blocks, self.s)
