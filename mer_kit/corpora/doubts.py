"""Check whether ratings fit the scale they are read on."""

import numpy as np

from mer_kit.corpora import audio_files
from mer_kit.records import Problem

#: If at least this many rows, and this fraction of them, are off, then the scale is wrong.
FEWEST, FRACTION_OFF = 3, 0.2
#: With fewer ratings it means nothing that all are on one side of the middle.
ENOUGH = 4


def scale_doubts(
    table: str, ratings: np.ndarray, *, low: float, high: float, next_step: str
) -> tuple[list[Problem], list[Problem]]:
    """Return problems and notes on ratings float64 [clips, 2] that do not fit their scale.

    The columns are valence and arousal. It is a problem if many ratings are outside the scale, or
    if both columns stay in one half of it, which leaves a single quadrant; it is a note if only one
    column does. A rating at the middle counts for both halves.

    Examples
    --------
    >>> ratings = np.array([[1.0, 9], [2, 8], [7, 3], [6, 2]])
    >>> (doubt,), _ = scale_doubts("clips.csv", ratings, low=0, high=100, next_step="change it")
    >>> print(doubt.what)  # doctest: +NORMALIZE_WHITESPACE
    valence ranges from 1 to 7 and arousal from 2 to 9, all in one quarter of the scale
    of 0 to 100, so this scale is probably wrong
    """
    if len(ratings) < FEWEST:
        return [], []
    lowest, highest, middle = ratings.min(axis=0), ratings.max(axis=0), (low + high) / 2
    names = ("valence", "arousal")
    ranges = [f"from {first:g} to {last:g}" for first, last in zip(lowest, highest, strict=True)]
    both = f"valence ranges {ranges[0]} and arousal {ranges[1]}"
    scale = f"the scale of {low:g} to {high:g}"
    off = int(((ratings < low) | (ratings > high)).any(axis=1).sum())
    if off >= max(FEWEST, FRACTION_OFF * len(ratings)):
        what = (
            f"{both}, {off} of {len(ratings)} rows are outside {scale}, "
            "so this scale is probably wrong"
        )
        return [audio_files.problem("scale", table, what, next_step)], []
    one_sided = ((highest <= middle) & (lowest < middle)) | (
        (lowest >= middle) & (highest > middle)
    )
    if len(ratings) < ENOUGH or not one_sided.any():
        return [], []
    if one_sided.all():
        what = f"{both}, all in one quarter of {scale}, so this scale is probably wrong"
        return [audio_files.problem("scale", table, what, next_step)], []
    i = int(np.flatnonzero(one_sided)[0])
    what = f"{names[i]} ranges {ranges[i]}, all in one half of {scale}, so this scale may be wrong"
    return [], [audio_files.problem("scale", table, what, next_step)]
