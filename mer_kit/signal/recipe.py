"""What a store computes for one file: a front-end's features, pooled per segment if it pools.

Notebook: 01_segmentation
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mer_kit.checks import MerKitError
from mer_kit.records import Problem
from mer_kit.signal import audio, frontends, segments
from mer_kit.signal.frontend import BaseFrontend, checked
from mer_kit.signal.manifest import pooled_key
from mer_kit.signal.pieces import Unusable


@dataclass(frozen=True)
class Recipe:
    """A front-end and, if it pools, how segments are cut (in seconds)."""

    frontend: BaseFrontend
    segment_seconds: float = 0.0
    every_seconds: float = 1.0

    @property
    def pools(self) -> bool:
        """Whether the store keeps one vector per segment."""
        return self.frontend.pool is not None

    def key(self, digest: str) -> str:
        """Return the name of a clip's features, from the hash of its audio and the front-end."""
        if self.pools:
            return pooled_key(digest, self.segment_seconds, self.every_seconds)
        return digest


def file_features(
    path: Path, recipe: Recipe, *, max_seconds: float | None = None
) -> tuple[np.ndarray, float] | Problem:
    """Return a file's features and its duration in seconds, or why it has none.

    Features are float16 [frames, d], or float32 [segments, d′] if the front-end pools. The file is
    decoded in blocks, up to `max_seconds`: for a front-end that accepts blocks, memory holds the
    result and one block, however long the file is.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.wav")
    ...     soundfile.write(path, np.sin(np.arange(22050) / 10), 22050)
    ...     features, seconds = file_features(path, Recipe(frontends.make()))
    >>> features.shape, features.dtype, seconds
    ((44, 128), dtype('float16'), 1.0)
    """
    frontend = recipe.frontend
    rate, name = frontend.sample_rate, frontends.name_of(frontend)
    try:
        with audio.blocks(path, sample_rate=rate, max_seconds=max_seconds) as (_, stream):
            frames, n_samples = frontend.frames_of_blocks(stream)
    except Unusable as error:
        return audio.problem(error, path)
    seconds = n_samples / rate
    if recipe.pools:
        return _pooled(checked(frames, n_samples, frontend, name), seconds, recipe), seconds
    return checked(frames.astype(np.float16, copy=False), n_samples, frontend, name), seconds


def _pooled(frames: np.ndarray, seconds: float, recipe: Recipe) -> np.ndarray:
    """Return one vector for each segment of a clip's frames, float32 [segments, d′]."""
    frontend = recipe.frontend
    index = segments.index(
        [seconds],
        recipe.segment_seconds,
        every_seconds=recipe.every_seconds,
        max_seconds=None,
        frames_per_second=frontend.frames_per_second,
        on_bad_clip="skip",
    )
    assert frontend.pool is not None  # because recipe.pools
    rows = np.zeros((len(index), len(frontend.columns)), dtype=np.float32)
    for row, start in zip(rows, index.start_frame.tolist(), strict=True):
        row[:] = frontend.pool(frames[start : start + index.n_frames])
    if not np.isfinite(rows).all():
        raise MerKitError(
            f"front-end {frontends.name_of(frontend)} returned a pooled feature that is not "
            "finite, expected finite numbers: correct its pool"
        )
    return rows
