"""Whether ratings can be on the scale that they are read on."""

from __future__ import annotations

import numpy as np

from mer_kit.corpora import audio_files
from mer_kit.records import Problem

#: From so many rows, and this fraction of them, on is it the scale that is wrong, and not the rows.
FEWEST, FRACTION_OFF = 3, 0.2
#: With so few ratings it says nothing that they lie on one side.
ENOUGH = 4


def scale_doubts(
    table: str, ratings: np.ndarray, *, low: float, high: float, next_step: str
) -> tuple[list[Problem], list[Problem]]:
    """Return problems and notes on ratings float64 [clips, 2] (valence, arousal) that do not look like their scale.

    A problem if many lie outside it, or if both valence and arousal keep to one half of it, so that one quadrant is
    left; a note if only one of the two does. A rating on the middle is on either side.

    Examples
    --------
    >>> ratings = np.array([[1.0, 9], [2, 8], [7, 3], [6, 2]])
    >>> (doubt,), _ = scale_doubts("clips.csv", ratings, low=0, high=100, next_step="pass the right one")
    >>> print(doubt)
    clips.csv: valence lies from 1 to 7 and arousal from 2 to 9, all in one quarter of the scale of 0 to 100, so that is hardly \
the scale: pass the right one
    """
    if len(ratings) < FEWEST:
        return [], []
    lowest, highest, middle = ratings.min(axis=0), ratings.max(axis=0), (low + high) / 2
    names = ("valence", "arousal")
    ranges = [f"from {first:g} to {last:g}" for first, last in zip(lowest, highest, strict=True)]
    both, scale = (
        f"valence lies {ranges[0]} and arousal {ranges[1]}",
        f"the scale of {low:g} to {high:g}",
    )
    off = int(((ratings < low) | (ratings > high)).any(axis=1).sum())
    if off >= max(FEWEST, FRACTION_OFF * len(ratings)):
        what = f"{both}, {off} of {len(ratings)} rows off {scale}, so that is hardly the scale"
        return [audio_files.problem("scale", table, what, next_step)], []
    one_sided = ((highest <= middle) & (lowest < middle)) | (
        (lowest >= middle) & (highest > middle)
    )
    if len(ratings) < ENOUGH or not one_sided.any():
        return [], []
    if one_sided.all():
        what = f"{both}, all in one quarter of {scale}, so that is hardly the scale"
        return [audio_files.problem("scale", table, what, next_step)], []
    at = int(np.flatnonzero(one_sided)[0])
    what = (
        f"{names[at]} lies {ranges[at]}, all in one half of {scale}, so that may not be the scale"
    )
    return [], [audio_files.problem("scale", table, what, next_step)]
