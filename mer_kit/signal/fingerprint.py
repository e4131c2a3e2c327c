"""Find the same recording under two names: cheap fingerprints of the log-mel, and all pairs of them compared.

A fingerprint keeps how each of 32 bands rises above and falls below its own last seconds, ten times a second. Gain, an
equaliser, a codec and a narrower band change little of that, and a cut at another second only shifts it. Two
fingerprints are therefore slid past each other, and the correlation at the best lag is read off.

Notebook: 00_start_here
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft  # type: ignore[import-untyped, unused-ignore]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

from mer_kit.signal.segments import LOGMEL_FRAMES_PER_SECOND

#: Raise it when fingerprints or the comparison change, so that remembered pairs are found anew.
VERSION = 1
#: Log-mel frames that one frame of a fingerprint averages (93 ms at the store's settings), and bands.
POOLED_FRAMES = 4
BANDS = 32
#: Levels below this are silence (dB); a band's level is told from its mean over this long (fingerprint frames, 2 s).
SILENCE_DB = -80.0
CONTEXT_FRAMES = 21
#: Changes of a band are divided by their size, but by no less than this (dB): what hardly moves says nothing.
LEAST_CHANGE_DB = 1.0
#: Divided changes are cut here, so that a click does not decide.
LARGEST_CHANGE = 2.5
#: Added to the energy of each number of a fingerprint: sounds that hardly change are like no other.
STEADY = 0.1
#: Only this much of a clip is compared.
COMPARED_SECONDS = 120.0
#: Two clips must share this much; of shorter clips three quarters.
SHARED_SECONDS = 8.0
SHARED_PART = 0.75
#: Pairs under this product of likeness and shared part are not looked at closely.
CANDIDATE = 0.1
#: What two clips share counts in full from this long on; what is shorter is more easily alike by chance.
FULL_SECONDS = 12.0
#: Lags this close to the best one belong to the same peak.
PEAK_SECONDS = 0.5
#: What the best lag must reach, above half of what the best other lag reaches: music in loops fits itself at many lags.
SAME = 0.3
#: Clips that are compared with each other at a time.
BLOCK = 64


@dataclass(frozen=True)
class Pair:
    """Two clips by their positions: the correlation at the best lag, that lag, and how far it stands out.

    `lag_s` is how many seconds later the first one begins: what it plays at t, the second plays at t + lag_s.
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

    Every band is told from its moving mean over two seconds and every frame from its mean over the bands, which takes
    gain, equalisers and loudness away. What is steady has a fingerprint near zero.

    Examples
    --------
    >>> mel = np.random.default_rng(0).normal(-30, 8, (430, 128))
    >>> print_ = fingerprint(mel)
    >>> print_.shape, bool(np.allclose(fingerprint(mel + 6.0), print_, atol=1e-3))  # twice as loud
    ((107, 32), True)
    """
    most = int(COMPARED_SECONDS * frames_per_second)
    frames = len(mel[:most]) // POOLED_FRAMES
    if not frames:
        return np.zeros((0, min(BANDS, mel.shape[1])), dtype=np.float32)
    levels = np.maximum(np.asarray(mel[: frames * POOLED_FRAMES], dtype=np.float32), SILENCE_DB)
    edges = np.linspace(0, levels.shape[1], min(BANDS, levels.shape[1]), endpoint=False).astype(
        np.int64
    )
    widths = np.diff(np.append(edges, levels.shape[1]))
    pooled = levels.reshape(frames, POOLED_FRAMES, -1).mean(axis=1)
    bands = np.add.reduceat(pooled, edges, axis=1) / widths
    changes = bands - _moving_mean(bands)
    changes -= changes.mean(axis=1, keepdims=True)
    size = np.sqrt((changes**2).mean(axis=0) + LEAST_CHANGE_DB**2)
    shown: np.ndarray = np.clip(changes / size, -LARGEST_CHANGE, LARGEST_CHANGE).astype(np.float32)
    return shown


def _moving_mean(bands: np.ndarray) -> np.ndarray:
    """Return the mean of every band over CONTEXT_FRAMES around each frame, the ends repeated."""
    half = CONTEXT_FRAMES // 2
    sums = np.cumsum(
        np.pad(bands, ((half + 1, half), (0, 0)), mode="edge"), axis=0, dtype=np.float64
    )
    mean: np.ndarray = (sums[CONTEXT_FRAMES:] - sums[:-CONTEXT_FRAMES]) / CONTEXT_FRAMES
    return mean


def same_pairs(
    prints: Sequence[np.ndarray], *, frames_per_second: float = LOGMEL_FRAMES_PER_SECOND
) -> list[Pair]:
    """Return the pairs of fingerprints that are one recording, by position.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> song, other = rng.normal(0, 1, (300, 32)), rng.normal(0, 1, (300, 32))
    >>> [(pair.first, pair.second) for pair in same_pairs([song, other, song[40:]])]
    [(0, 2)]
    """
    rate = frames_per_second / POOLED_FRAMES
    found = (_closely(prints[i], prints[j], i, j, rate) for i, j in _candidates(prints))
    return sorted(
        (pair for pair in found if pair.score >= SAME), key=lambda pair: (pair.first, pair.second)
    )


def _candidates(prints: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Yield every pair whose fingerprints have anything in common, from spectra of blocks of clips."""
    longest = max((len(one) for one in prints), default=0)
    size = fft.next_fast_len(max(1, 2 * longest - 1), real=True)
    blocks = [
        range(start, min(start + BLOCK, len(prints))) for start in range(0, len(prints), BLOCK)
    ]
    with threadpool_limits(
        1, user_api="blas"
    ):  # these products are small: more threads only wait for each other
        for at, rows in enumerate(blocks):
            mine = _spectra([prints[i] for i in rows], size).conj()
            for columns in blocks[at:]:
                theirs = _spectra([prints[j] for j in columns], size)
                products = np.matmul(mine, np.ascontiguousarray(theirs.transpose(0, 2, 1)))
                peaks = fft.irfft(products.reshape(len(products), -1).T, size, axis=1).max(axis=1)
                for pair in np.flatnonzero(peaks >= CANDIDATE).tolist():
                    i, j = rows[pair // len(columns)], columns[pair % len(columns)]
                    if i < j:
                        yield i, j


def _spectra(prints: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Return the spectra over time of fingerprints scaled to energy 1: complex64 [frequencies, clips, bands]."""
    longest = max(len(one) for one in prints)
    stacked = np.zeros((len(prints), longest, prints[0].shape[1]), dtype=np.float32)
    for row, one in zip(stacked, prints, strict=True):
        row[: len(one)] = one / np.sqrt(np.square(one).sum() + max(1, one.size) * STEADY)
    spectra: np.ndarray = fft.rfft(stacked, size, axis=1)
    return np.ascontiguousarray(spectra.transpose(1, 0, 2))


def _closely(a: np.ndarray, b: np.ndarray, first: int, second: int, rate: float) -> Pair:
    """Return how alike two fingerprints are at their best lag, by what they share at each lag."""
    if not len(a) or not len(b):
        return Pair(first, second, 0.0, 0.0, 0.0)
    shared = min(SHARED_SECONDS * rate, SHARED_PART * min(len(a), len(b)))
    lags = np.arange(-len(a) + 1, len(b))
    size = fft.next_fast_len(len(a) + len(b) - 1, real=True)
    products = (fft.rfft(a, size, axis=0).conj() * fft.rfft(b, size, axis=0)).sum(axis=1)
    matched = fft.irfft(products, size)[lags]  # Σ a[t] · b[t + lag]
    begin, end = np.maximum(0, -lags), np.minimum(len(a), len(b) - lags)
    steady = STEADY * a.shape[1] * (end - begin)
    energy_a, energy_b = _running_energy(a), _running_energy(b)
    own = (energy_a[end] - energy_a[begin] + steady) * (
        energy_b[end + lags] - energy_b[begin + lags] + steady
    )
    likeness = np.where(end - begin >= shared, matched / np.sqrt(own), 0.0)
    best = int(likeness.argmax())
    elsewhere = np.abs(lags - lags[best]) > PEAK_SECONDS * rate
    other = float(likeness[elsewhere].max(initial=0.0))
    score = float(likeness[best]) - other / 2
    energy = (energy_a[end] - energy_a[begin])[best] * (
        energy_b[end + lags] - energy_b[begin + lags]
    )[best]
    similarity = min(1.0, float(matched[best] / np.sqrt(energy))) if energy > 0 else 0.0
    counts = min(1.0, float(np.sqrt((end - begin)[best] / (FULL_SECONDS * rate))))
    return Pair(first, second, similarity, float(lags[best]) / rate, counts * score)


def _running_energy(one: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(np.square(one, dtype=np.float64).sum(axis=1))])
