"""Seven statistics per class describe a song's segment probabilities (paper, Eq. 11–15).

Notebook: 04_song_decisions
"""

from collections.abc import Sequence

import numpy as np

from mer_kit.checks import MerKitError, check_probabilities, check_range

#: f1…f7 in the paper's order. Its text calls f3 the average, which is a slip: by Eq. 14 it is f6.
STATISTICS: tuple[str, ...] = (
    "max",  # f1, Eq. 11
    "min",  # f2, Eq. 12
    "lower quartile",  # f3, Eq. 13
    "median",  # f4, Eq. 13
    "upper quartile",  # f5, Eq. 13
    "mean",  # f6, Eq. 14
    "share above θ",  # f7, Eq. 15
)


def pool(
    probabilities: np.ndarray, song: np.ndarray, *, n_songs: int, theta: float = 0.5
) -> np.ndarray:
    """Return float64 [songs, 7·K], the statistics f1…f7 of every class over each song's segments.

    The columns are ordered class by class, f1…f7 within each, as in `names`;
    `.reshape(n_songs, K, 7)` separates them. The order of a song's segments does not matter.
    Quartiles interpolate linearly between neighbours.

    Source: paper, Eq. 11–15; the interpolation and θ = 0.5 are D (the paper leaves both open).

    Parameters
    ----------
    probabilities : [segments, classes], rows that sum to 1
    song : int [segments], the song of each segment, 0…n_songs−1
    n_songs : number of songs
    theta : f7 counts the segments with p > θ, strictly

    Raises
    ------
    MerKitError
        If `probabilities` is not a valid probability array, a song has no segment, or θ is outside
        0–1.

    Examples
    --------
    >>> pool(np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([0, 0]), n_songs=1).reshape(2, 7)
    array([[0.9, 0.5, 0.6, 0.7, 0.8, 0.7, 0.5],
           [0.5, 0.1, 0.2, 0.3, 0.4, 0.3, 0. ]])

    Notebook: 04_song_decisions
    """
    p = check_probabilities("probabilities", probabilities)
    check_range("theta", theta, 0, 1)
    return np.stack(
        [_statistics(p[rows], theta) for rows in rows_by_song(song, n_songs, n_segments=len(p))]
    )


def names(classes: Sequence[str]) -> list[str]:
    """Return the names of `pool`'s columns.

    Examples
    --------
    >>> names(["V-", "V+"])[5:9]
    ['V- mean', 'V- share above θ', 'V+ max', 'V+ min']
    """
    return [f"{name} {statistic}" for name in classes for statistic in STATISTICS]


def rows_by_song(song: np.ndarray, n_songs: int, *, n_segments: int) -> list[np.ndarray]:
    """Return the rows of each song's segments, in row order, which is time order.

    Raises
    ------
    MerKitError
        If `song` is not one of the songs for each of the `n_segments` segments, or a song has no
        segment.

    Examples
    --------
    >>> rows_by_song(np.array([1, 0, 1]), 2, n_segments=3)
    [array([1]), array([0, 2])]
    """
    check_range("n_songs", n_songs, 1, whole=True)
    of_segment = np.asarray(song)
    if of_segment.shape != (n_segments,) or of_segment.dtype.kind not in "iu":
        raise MerKitError(
            f"song is a {of_segment.dtype} array of shape {of_segment.shape}, expected whole "
            f"numbers of shape [{n_segments}]: pass the song of every segment"
        )
    outside = np.flatnonzero((of_segment < 0) | (of_segment >= n_songs))
    if len(outside):
        raise MerKitError(
            f"song[{outside[0]}] is {of_segment[outside[0]]}, expected 0 to {int(n_songs) - 1}: "
            "count songs from 0 and pass one label per song"
        )
    counts = np.bincount(of_segment, minlength=int(n_songs))  # [songs], segments of each
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        others = f" (nor have {len(empty) - 1} others)" if len(empty) > 1 else ""
        raise MerKitError(
            f"song {empty[0]} of 0…{int(n_songs) - 1} has no segment{others}, "
            "expected at least one: lower segment_seconds or leave that song out"
        )
    # A stable sort keeps the segments of a song in time order.
    return np.split(np.argsort(of_segment, kind="stable"), np.cumsum(counts)[:-1])


def _statistics(p: np.ndarray, theta: float) -> np.ndarray:
    """Return the statistics [7·K] of one song's probabilities [n, K]."""
    # Sorted first: the order of the segments then cannot change even the last bit of a sum.
    p = np.sort(p, axis=0)
    # [3, K]: where a quarter, half and three quarters of the segments lie below.
    quartiles = np.quantile(p, [0.25, 0.5, 0.75], axis=0)
    # Seven arrays [K] become [K, 7], then [7·K] class by class.
    columns = [p[-1], p[0], *quartiles, p.mean(axis=0), (p > theta).mean(axis=0)]
    return np.stack(columns, axis=1).ravel()
