"""Synthetic music whose every note is drawn: two songs share nothing, and a copy of a song is known to be one."""

from __future__ import annotations

import numpy as np

RATE = 22050


def song(seed: int, seconds: float = 20.0) -> np.ndarray:
    """Return float32 [n]: some five notes a second, each of a few partials that die away, over a little noise."""
    rng = np.random.default_rng([seed, 77])
    y = rng.normal(0, 0.002, round(seconds * RATE))
    for start in np.sort(rng.uniform(0, seconds - 0.5, round(5 * seconds))):
        length = round(rng.uniform(0.2, 0.5) * RATE)
        t = np.arange(length) / RATE
        pitch = 110 * 2 ** (rng.integers(0, 40) / 12)
        partials = sum(
            rng.uniform(0.1, 1) / k * np.sin(2 * np.pi * pitch * k * t) for k in range(1, 7)
        )
        at = round(start * RATE)
        y[at : at + length] += (
            0.1 * rng.uniform(0.3, 1) * partials * np.exp(-t * rng.uniform(3, 10))
        )
    return y.astype(np.float32)
