"""What every front-end answers: from samples to feature frames, and optionally from a segment's frames to one vector.

Notebook: 01_segmentation
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mer_kit.checks import MerKitError


@dataclass(frozen=True)
class NoSettings:
    """The settings of a front-end that has none."""


class BaseFrontend:
    """A front-end: subclasses define `frames`, and `pool` where a segment becomes one vector.

    Attributes
    ----------
    settings : a frozen dataclass, what can change a number of the features
    sample_rate : Hz of the samples that `frames` is given
    frames_per_second : frames lie this densely, the first one at 0 s
    columns : names of the features: d of a frame, or d′ of a pooled segment
    picture_range : lowest and highest value of a picture; None for those of the picture
    unit : what the values are measured in, for a colour bar
    pool : None, or a function of a segment's frames [n, d] that returns its vector float32 [d′]
    """

    settings: ClassVar[type] = NoSettings
    sample_rate: int
    frames_per_second: float
    columns: tuple[str, ...]
    picture_range: ClassVar[tuple[float, float] | None] = None
    unit: ClassVar[str] = ""
    pool: Callable[[np.ndarray], np.ndarray] | None = None

    def __init__(self, settings: Any = None) -> None:
        self.s: Any = self.settings() if settings is None else settings

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Return the features of mono samples float32 [n]: float32 [1 + ⌊n · frames_per_second / sample_rate⌋, d]."""
        raise NotImplementedError

    def frames_of_blocks(self, blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
        """Return the features of samples that arrive in blocks, float16 [frames, d], and how many samples there were."""
        samples = np.concatenate([np.zeros(0, dtype=np.float32), *blocks])
        return self.frames(samples).astype(np.float16), len(samples)

    def identity(self) -> dict[str, Any]:
        """Return what the content hash of this front-end's features is made of, beside the audio."""
        return dataclasses.asdict(self.s)


def checked(frames: np.ndarray, n_samples: int, frontend: BaseFrontend, name: str) -> np.ndarray:
    """Return a front-end's frames [n, d].

    Raises
    ------
    MerKitError
        If they are fewer than it promises, of another shape than [n, d], or not all finite in float16.

    Examples
    --------
    >>> from mer_kit.signal import frontends
    >>> checked(np.zeros((44, 128), dtype=np.float16), 22050, frontends.make("logmel"), "logmel").shape
    (44, 128)
    """
    wanted = 1 + int(n_samples * frontend.frames_per_second / frontend.sample_rate + 1e-9)
    width = None if frontend.pool is not None else len(frontend.columns)
    if frames.ndim != 2 or len(frames) < wanted or (width is not None and frames.shape[1] != width):
        raise MerKitError(
            f"front-end {name} gave frames of shape {frames.shape} for {n_samples} samples, expected at least {wanted} "
            f"rows of {len(frontend.columns) if width is None else width} features: correct its frames or columns"
        )
    if not np.isfinite(frames).all():
        raise MerKitError(
            f"front-end {name} gave a feature that is no finite number in float16, expected values under 65504: scale it"
        )
    return frames
