"""Short sounds with known properties, and a small corpus of them on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mer_kit.records import Clip


def tone(
    seconds: float, *, rate: int = 22050, hertz: float = 440.0, amplitude: float = 0.25
) -> np.ndarray:
    """One sine, float64 [n]."""
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def make_clips(tmp_path: Path) -> Callable[..., list[Clip]]:
    """Write `n` noisy tones of different pitch and length as WAV and return their clips."""

    def make(n: int = 3, *, folder: str = "audio", seconds: float = 4.0) -> list[Clip]:
        (tmp_path / folder).mkdir(exist_ok=True)
        clips = []
        for number in range(n):
            y = tone(seconds + 0.3 * number, hertz=300.0 + 150 * number)
            y = y + np.random.default_rng(number).normal(scale=0.01, size=len(y))
            path = tmp_path / folder / f"{number}.wav"
            soundfile.write(path, y, 22050)
            clips.append(Clip(str(number), path, {"quadrant": number % 4}))
        return clips

    return make
