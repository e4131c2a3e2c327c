"""Find recordings that occur under two names: fingerprints of log-mels, compared in pairs.

A fingerprint records, about ten times per second, how far each of 32 bands is above or below its
own recent level. Gain, equalisers, codecs and a narrower bandwidth change it little, and a cut at a
different time only shifts it. Two fingerprints are therefore correlated at all lags, and the
correlation at the best lag decides.

Notebook: 00_start_here
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft  # type: ignore[import-untyped, unused-ignore]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from mer_kit.signal.segments import LOGMEL_FRAMES_PER_SECOND

#: Increase it when fingerprints or the comparison change, so that stored pairs are recomputed.
VERSION = 1
#: Log-mel frames averaged into one frame of a fingerprint (93 ms at the store's settings).
POOLED_FRAMES = 4
#: Bands of a fingerprint.
BANDS = 32
#: Levels below this are silence (dB).
SILENCE_DB = -80.0
#: The moving mean of a band is taken over this many fingerprint frames (2 s).
CONTEXT_FRAMES = 21
#: The changes of a band are divided by their RMS, but by at least this (dB): a steady band is not
#: informative.
LEAST_CHANGE_DB = 1.0
#: Normalised changes are clipped here, so that a click does not dominate.
LARGEST_CHANGE = 2.5
#: Added to the energy of each value of a fingerprint, so that steady sounds resemble no other.
STEADY = 0.1
#: Only the first seconds of a clip are compared.
COMPARED_SECONDS = 120.0
#: Two clips must overlap by this many seconds, or by this fraction of the shorter one.
SHARED_SECONDS = 8.0
SHARED_PART = 0.75
#: Pairs whose largest normalised correlation is below this are not compared closely.
CANDIDATE = 0.1
#: Overlaps of at least this length count fully; shorter ones are more likely alike by chance.
FULL_SECONDS = 12.0
#: Lags this close to the best one belong to the same peak.
PEAK_SECONDS = 0.5
#: Smallest score of a pair. The score is the correlation at the best lag minus half of that at the
#: best other lag, because music in loops matches itself at many lags.
SAME = 0.3
#: Clips per block when all pairs are compared.
BLOCK = 64


@dataclass(frozen=True, order=True)
class Pair:
    """Two clips by position: the correlation at the best lag, the lag, and the score.

    `lag_s` is how many seconds later the first begins: its sound at time t is that of the second at
    t + lag_s.
    """

    first: int
    second: int
    similarity: float
    lag_s: float
    score: float


def fingerprint(
    mel: np.ndarray, *, frames_per_second: float = LOGMEL_FRAMES_PER_SECOND
) -> np.ndarray:
    """Return the fingerprint of a log-mel [frames, n_mels] in dB: float32 [frames // 4, 32].

    From each band its moving mean over two seconds is subtracted, and from each frame its mean over
    the bands; this removes gain, equalisers and loudness. The fingerprint of a steady sound is near
    zero.

    Examples
    --------
    >>> mel = np.random.default_rng(0).normal(-30, 8, (430, 128))
    >>> print_ = fingerprint(mel)
    >>> print_.shape, np.allclose(fingerprint(mel + 6.0), print_, atol=1e-3)  # twice as loud
    ((107, 32), True)
    """
    frames = min(len(mel), int(COMPARED_SECONDS * frames_per_second)) // POOLED_FRAMES
    if not frames:
        return np.zeros((0, min(BANDS, mel.shape[1])), dtype=np.float32)
    levels = np.maximum(np.asarray(mel[: frames * POOLED_FRAMES], dtype=np.float32), SILENCE_DB)
    n_mels = mel.shape[1]
    edges = np.linspace(0, n_mels, min(BANDS, n_mels), endpoint=False).astype(np.int64)
    pooled = levels.reshape(frames, POOLED_FRAMES, -1).mean(axis=1)
    bands = np.add.reduceat(pooled, edges, axis=1) / np.diff(np.append(edges, n_mels))
    changes = bands - _moving_mean(bands)
    changes -= changes.mean(axis=1, keepdims=True)
    size = np.sqrt((changes**2).mean(axis=0) + LEAST_CHANGE_DB**2)
    return np.asarray(np.clip(changes / size, -LARGEST_CHANGE, LARGEST_CHANGE), dtype=np.float32)


def _moving_mean(bands: np.ndarray) -> np.ndarray:
    """Return the mean of each band over CONTEXT_FRAMES around each frame, edges repeated."""
    half = CONTEXT_FRAMES // 2
    padded = np.pad(bands, ((half + 1, half), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0, dtype=np.float64)
    return np.asarray((sums[CONTEXT_FRAMES:] - sums[:-CONTEXT_FRAMES]) / CONTEXT_FRAMES)


def same_pairs(
    prints: Sequence[np.ndarray], *, frames_per_second: float = LOGMEL_FRAMES_PER_SECOND
) -> list[Pair]:
    """Return the pairs of fingerprints that belong to one recording, ordered by position.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> song, other = rng.normal(0, 1, (300, 32)), rng.normal(0, 1, (300, 32))
    >>> [(pair.first, pair.second) for pair in same_pairs([song, other, song[40:]])]
    [(0, 2)]
    """
    rate = frames_per_second / POOLED_FRAMES
    pairs = (_closely(prints[i], prints[j], i, j, rate) for i, j in _candidates(prints))
    return sorted(pair for pair in pairs if pair.score >= SAME)


def _candidates(prints: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Yield every pair of similar fingerprints, from the spectra of blocks of clips."""
    size = fft.next_fast_len(max(1, 2 * max(map(len, prints), default=0) - 1), real=True)
    blocks = [range(len(prints))[start : start + BLOCK] for start in range(0, len(prints), BLOCK)]
    with threadpool_limits(1, user_api="blas"):  # in small products, threads wait for each other
        for number, rows in enumerate(blocks):
            mine = _spectra([prints[i] for i in rows], size).conj()
            for columns in blocks[number:]:
                theirs = _spectra([prints[j] for j in columns], size)
                products = np.matmul(mine, np.ascontiguousarray(theirs.transpose(0, 2, 1)))
                peaks = fft.irfft(products.reshape(len(products), -1).T, size, axis=1).max(axis=1)
                for pair in np.flatnonzero(peaks >= CANDIDATE).tolist():
                    i, j = rows[pair // len(columns)], columns[pair % len(columns)]
                    if i < j:
                        yield i, j


def _spectra(prints: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Return spectra of fingerprints scaled to energy 1, complex64 [frequencies, clips, bands]."""
    stacked = np.zeros((len(prints), max(map(len, prints)), prints[0].shape[1]), dtype=np.float32)
    for row, one in zip(stacked, prints, strict=True):
        row[: len(one)] = one / np.sqrt(np.square(one).sum() + max(1, one.size) * STEADY)
    return np.ascontiguousarray(fft.rfft(stacked, size, axis=1).transpose(1, 0, 2))


def _closely(a: np.ndarray, b: np.ndarray, first: int, second: int, rate: float) -> Pair:
    """Compare two fingerprints at all lags, normalised by the energy of their overlap."""
    shared = min(SHARED_SECONDS * rate, SHARED_PART * min(len(a), len(b)))
    lags = np.arange(-len(a) + 1, len(b))
    size = fft.next_fast_len(len(a) + len(b) - 1, real=True)
    products = (fft.rfft(a, size, axis=0).conj() * fft.rfft(b, size, axis=0)).sum(axis=1)
    matched = fft.irfft(products, size)[lags]  # Σ a[t] · b[t + lag]
    begin, end = np.maximum(0, -lags), np.minimum(len(a), len(b) - lags)
    steady = STEADY * a.shape[1] * (end - begin)
    energy_a, energy_b = _running_energy(a), _running_energy(b)
    overlap_a = energy_a[end] - energy_a[begin]
    overlap_b = energy_b[end + lags] - energy_b[begin + lags]
    norm = np.sqrt((overlap_a + steady) * (overlap_b + steady))
    correlation = np.where(end - begin >= shared, matched / norm, 0.0)
    best = int(correlation.argmax())
    elsewhere = np.abs(lags - lags[best]) > PEAK_SECONDS * rate
    score = float(correlation[best]) - float(correlation[elsewhere].max(initial=0.0)) / 2
    energy = overlap_a[best] * overlap_b[best]
    similarity = min(1.0, float(matched[best] / np.sqrt(energy))) if energy > 0 else 0.0
    weight = min(1.0, float(np.sqrt((end - begin)[best] / (FULL_SECONDS * rate))))
    return Pair(first, second, similarity, float(lags[best]) / rate, weight * score)


def _running_energy(one: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(np.square(one, dtype=np.float64).sum(axis=1))])
