"""Wrong labels on purpose, so that the split can be tested on any corpus."""

from __future__ import annotations

import numpy as np

from mer_kit.checks import MerKitError, check_choice, check_labels, check_range

#: Kind → which label a spoiled segment gets.
KINDS: dict[str, str] = {
    "symmetric": "any other class, equally likely, segment by segment",
    "neighbour": "a quadrant beside its own (one of valence and arousal is wrong), segment by segment",
    "song": "any other class, the same for all segments of a song",
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
    """Return labels [S] with a share `rate` made wrong, and the realised rate.

    The number of spoiled segments is round(rate · S) for "symmetric" and "neighbour"; for "song", songs are spoiled in
    random order while that brings the share of spoiled segments closer to `rate`, so the realised rate differs.

    Raises
    ------
    MerKitError
        If rate is outside 0–1, or "song" is asked for without `songs`.

    Examples
    --------
    >>> noisy, realised = inject(np.zeros(100, dtype=int), 0.2, n_classes=4, generator=np.random.default_rng(0))
    >>> realised, int((noisy != 0).sum())
    (0.2, 20)

    Source: D, the standard noise models of learning with noisy labels. Notebook: 02_noisy_labels
    """
    check_choice("kind", kind, KINDS)
    check_range("rate", rate, 0, 1)
    check_range("n_classes", n_classes, 2, whole=True)
    labels = check_labels("labels", labels, n_classes)
    noisy = labels.copy()
    if kind == "song":
        if songs is None or len(songs) != len(labels):
            raise MerKitError(
                "noise of kind 'song' needs the song of every segment: pass songs, int [S]"
            )
        for song in _spoiled_songs(np.asarray(songs), rate, generator):
            rows = np.flatnonzero(songs == song)
            noisy[rows] = (labels[rows] + int(generator.integers(1, n_classes))) % n_classes
    else:
        rows = generator.permutation(len(labels))[: round(rate * len(labels))]
        if kind == "symmetric" or n_classes == 2:
            shift = generator.integers(1, n_classes, len(rows))
        else:
            shift = generator.choice([1, n_classes - 1], len(rows))  # Q1–Q4 stand in a circle
        noisy[rows] = (labels[rows] + shift) % n_classes
    return noisy, float((noisy != labels).mean()) if len(labels) else 0.0


def _spoiled_songs(songs: np.ndarray, rate: float, generator: np.random.Generator) -> list[int]:
    """Return songs in random order as long as each brings the spoiled share closer to the rate."""
    names, counts = np.unique(songs, return_counts=True)
    chosen, spoiled = [], 0
    for at in generator.permutation(len(names)):
        with_it = spoiled + counts[at]
        if abs(with_it / len(songs) - rate) < abs(spoiled / len(songs) - rate):
            chosen.append(int(names[at]))
            spoiled = int(with_it)
    return chosen
