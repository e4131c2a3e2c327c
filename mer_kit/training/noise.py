"""Wrong labels made on purpose, so that the partition can be tested on any corpus."""

import numpy as np

from mer_kit.checks import MerKitError, check_choice, check_labels, check_range

#: Kind → which label a corrupted segment gets.
KINDS: dict[str, str] = {
    "symmetric": "any other class, equally likely, segment by segment",
    "neighbour": "a quadrant next to its own (valence or arousal is wrong), segment by segment",
    "song": "any other class, the same for all segments of a song",
    "drift": "any other class, the same for one unbroken stretch of each song",
}


def inject(
    labels: np.ndarray,
    rate: float,
    *,
    kind: str = "symmetric",
    n_classes: int,
    generator: np.random.Generator,
    songs: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """Return labels int64 [S] with a fraction `rate` corrupted, and the realised rate.

    round(rate · S) segments are corrupted for all kinds but "song": there, whole songs are
    corrupted in random order while that brings the rate closer to `rate`, so that the realised rate
    differs from it. For "drift", each song has one stretch of about `rate` times its length, at a
    random place; the rows of a song are in time order.

    Raises
    ------
    MerKitError
        If rate is outside 0–1, or kind is "song" or "drift" and `songs` is missing.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noisy, realised = inject(np.zeros(100, dtype=int), 0.2, n_classes=4, generator=rng)
    >>> realised, int((noisy != 0).sum())
    (0.2, 20)

    Source: D, the standard noise models of learning with noisy labels. Notebook: 02_noisy_labels
    """
    check_choice("kind", kind, KINDS)
    check_range("rate", rate, 0, 1)
    check_range("n_classes", n_classes, 2, whole=True)
    labels = check_labels("labels", labels, n_classes)
    noisy = labels.copy()  # the caller's labels are the ground truth and stay
    if kind in ("song", "drift"):
        if songs is None or len(songs) != len(labels):
            raise MerKitError(
                f"noise of kind {kind!r} needs the song of every segment: pass songs, int [S]"
            )
        choose = {"song": _corrupted_songs, "drift": _stretches}[kind]
        for rows in choose(np.asarray(songs), rate, generator):
            # A shift of 1…K−1 modulo K gives every other class the same chance.
            noisy[rows] = (labels[rows] + int(generator.integers(1, n_classes))) % n_classes
    else:
        rows = generator.permutation(len(labels))[: round(rate * len(labels))]
        if kind == "symmetric" or n_classes == 2:
            shift = generator.integers(1, n_classes, len(rows))
        else:
            # Q1–Q4 are arranged in a circle: the neighbours are one step forward or back.
            shift = generator.choice([1, n_classes - 1], len(rows))
        noisy[rows] = (labels[rows] + shift) % n_classes
    return noisy, int((noisy != labels).sum()) / max(1, len(labels))


def _corrupted_songs(
    songs: np.ndarray, rate: float, generator: np.random.Generator
) -> list[np.ndarray]:
    """Return the rows of random songs, each bringing the corrupted fraction closer to `rate`."""
    # Songs differ in length: a song is skipped if the rate would be further off with it.
    names, counts = np.unique(songs, return_counts=True)
    chosen, corrupted = [], 0
    for i in generator.permutation(len(names)):
        with_it = corrupted + int(counts[i])
        if abs(with_it / len(songs) - rate) < abs(corrupted / len(songs) - rate):
            chosen.append(np.flatnonzero(songs == names[i]))
            corrupted = with_it
    return chosen


def _stretches(songs: np.ndarray, rate: float, generator: np.random.Generator) -> list[np.ndarray]:
    """Return the rows of one stretch of each song, in all round(rate · S)."""
    names, counts = np.unique(songs, return_counts=True)
    order = generator.permutation(len(names))
    # What rounding takes from one song, the next one gets: the sum is right.
    ends = np.floor(rate * np.cumsum(counts[order]) + 0.5).astype(int)
    lengths = np.diff(ends, prepend=0)
    starts = generator.random(len(names)) * (counts[order] - lengths + 1)
    return [
        np.flatnonzero(songs == names[i])[int(start) : int(start) + length]
        for i, start, length in zip(order, starts, lengths, strict=True)
    ]
