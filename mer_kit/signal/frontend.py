"""The interface of every front-end: samples to feature frames, optionally pooled per segment.

Notebook: 01_segmentation
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mer_kit.checks import MerKitError


@dataclass(frozen=True)
class NoSettings:
    """The settings of a front-end without settings."""


class BaseFrontend:
    """A front-end: subclasses define `frames`, and `pool` to reduce a segment to one vector.

    Attributes
    ----------
    settings : a frozen dataclass of everything that changes the values of the features
    sample_rate : sample rate in Hz that `frames` expects
    frames_per_second : frame rate in Hz; the first frame is at 0 s
    columns : names of the features: d of a frame, or d′ of a pooled segment
    picture_range : lowest and highest value of the colour scale; None for those of the data
    unit : the unit of the values, for a colour bar
    stored_as : type of pooled values in the store; frames are always float16
    pool : None, or a function from a segment's frames [n, d] to its vector, float32 [d′]
    """

    settings: ClassVar[type] = NoSettings
    sample_rate: int
    frames_per_second: float
    columns: tuple[str, ...]
    picture_range: ClassVar[tuple[float, float] | None] = None
    unit: ClassVar[str] = ""
    stored_as: ClassVar[type[np.floating]] = np.float32
    pool: Callable[[np.ndarray], np.ndarray] | None = None

    def __init__(self, settings: Any = None) -> None:
        self.s: Any = settings or self.settings()

    @property
    def n_stored(self) -> int:
        """Number of features that `pool` returns and the store keeps."""
        return len(self.columns)

    @property
    def parts(self) -> Sequence["BaseFrontend"]:
        """The front-ends that this one joins: itself, unless it is a joined one."""
        return (self,)

    def from_stored(self, rows: np.ndarray) -> np.ndarray:
        """Return the vectors [segments, d′] of what `pool` returned for them, as a rule the same.

        A front-end that offers several layers of one network can so keep the one that the others
        follow from; `identity` is then the same for all of them.
        """
        return rows

    def named_scores(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return scores whose names people understand: name → [segments], of stored rows.

        There are none as a rule; a music tagger has those of its tags, whatever its chosen layer.
        """
        return {}

    @functools.cached_property
    def silence(self) -> np.ndarray:
        """A frame of silence, [d]: the middle one of two seconds."""
        frames = self.frames(np.zeros(2 * self.sample_rate, dtype=np.float32))
        return np.asarray(frames[len(frames) // 2])

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Return the features of mono samples float32 [n].

        The result is float32 [1 + ⌊n · frames_per_second / sample_rate⌋, d].
        """
        raise NotImplementedError

    def frames_of_blocks(self, blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
        """Return the features of samples given in blocks, float16 [frames, d], and their number."""
        samples = np.concatenate([np.zeros(0, dtype=np.float32), *blocks])
        return self.frames(samples).astype(np.float16), len(samples)

    def identity(self) -> dict[str, Any]:
        """Return what, together with the audio, determines the hash of the features."""
        return dataclasses.asdict(self.s)


def checked(frames: np.ndarray, n_samples: int, frontend: BaseFrontend, name: str) -> np.ndarray:
    """Return a front-end's frames [n, d].

    Raises
    ------
    MerKitError
        If there are too few, if their shape is not [n, d], or if a value is not finite in float16.

    Examples
    --------
    >>> from mer_kit.signal import frontends
    >>> frames = np.zeros((44, 128), dtype=np.float16)
    >>> checked(frames, 22050, frontends.make("logmel"), "logmel").shape
    (44, 128)
    """
    wanted = 1 + int(n_samples * frontend.frames_per_second / frontend.sample_rate + 1e-9)
    width = len(frontend.columns)
    too_few = frames.ndim != 2 or len(frames) < wanted
    if too_few or (frontend.pool is None and frames.shape[1] != width):
        raise MerKitError(
            f"front-end {name} returned frames of shape {frames.shape} for {n_samples} samples, "
            f"expected at least {wanted} rows of {width} features: correct its frames or columns"
        )
    if not np.isfinite(frames).all():
        raise MerKitError(
            f"front-end {name} returned a feature that is not finite in float16, "
            "expected values below 65504: scale the features"
        )
    return frames
