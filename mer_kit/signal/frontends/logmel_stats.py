"""Mean and standard deviation of each mel band over a segment: the smallest front-end that pools.

Notebook: 01_segmentation
"""

import numpy as np

from mer_kit.signal.frontends import logmel

TITLE = "log-mel statistics"
SAYS = "mean and standard deviation of each mel band over a segment, in decibels"
SOURCE = "D: the smallest baseline; what a spectrogram says without its course in time"
ORDER = 1


class Frontend(logmel.Frontend):
    """The log-mel spectrogram, pooled over each segment."""

    def __init__(self, settings: logmel.MelSettings | None = None) -> None:
        super().__init__(settings)
        self.columns = tuple(
            f"{band} {statistic}" for statistic in ("mean", "sd") for band in self.columns
        )

    def pool(self, frames: np.ndarray) -> np.ndarray:
        """Return a segment's vector, float32 [2 · n_mels]: all means, then all deviations.

        Examples
        --------
        >>> loud = np.array([[0.0, -10.0], [0.0, -30.0]])
        >>> Frontend(logmel.MelSettings(n_mels=2)).pool(loud).tolist()
        [0.0, -20.0, 0.0, 10.0]
        """
        rows = np.asarray(frames, dtype=np.float32)
        return np.concatenate([rows.mean(axis=0), rows.std(axis=0)])
