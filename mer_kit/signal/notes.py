"""What the notes of a segment say: how many, how many at once, how high and how long.

Notebook: 01_segmentation
"""

import numpy as np

#: Keys of the piano that a transcription covers; the first is the lowest A, MIDI note 21.
N_KEYS, LOWEST_NOTE = 88, 21
#: Thresholds of the transcription's authors for a note that sounds and for one that begins.
SOUNDS, BEGINS = 0.3, 0.5
#: Frames of their shortest note, 128 ms.
SHORTEST = 11
#: Lowest notes of four of the five registers: C3, C4, C5 and C6.
REGISTERS = (48, 60, 72, 84)
COLUMNS = (
    "onsets per second", "polyphony mean", "polyphony sd", "pitch centroid", "pitch spread",
    "bass", "low", "middle", "high", "very high", "note length",
)  # fmt: skip
_NOTES = np.arange(LOWEST_NOTE, LOWEST_NOTE + N_KEYS)
_REGISTER = np.digitize(_NOTES, REGISTERS)
#: So that silence has a centroid (the middle of the keyboard).
_TRACE = 1e-6


def events(transcription: np.ndarray) -> np.ndarray:
    """Return probabilities of sounding notes, and which begin: [n, 176] → float32 [n, 176].

    The first 88 columns are the probability that a note sounds, zero below the threshold. The
    others are 1 where a note begins, else 0: the probability of an onset has a peak above its
    threshold, and the note then sounds for most of the shortest note's length, unlike a drum.

    Examples
    --------
    >>> frames = np.zeros((30, 176))
    >>> frames[10:25, 0], frames[10, 88] = 0.75, 0.9
    >>> events(frames)[[9, 10, 11]][:, [0, 88]].tolist()
    [[0.0, 0.0], [0.75, 1.0], [0.75, 0.0]]
    """
    sounding, onsets = np.split(np.asarray(transcription, dtype=np.float32), 2, axis=1)
    sounding = sounding * (sounding >= SOUNDS)
    before = np.pad(onsets, ((1, 0), (0, 0)))[:-1]
    after = np.pad(onsets, ((0, 1), (0, 0)))[1:]
    peaks = (onsets >= BEGINS) & (onsets > before) & (onsets >= after)
    so_far = np.cumsum(np.pad(sounding > 0, ((1, SHORTEST), (0, 0))), axis=0)
    lasts = so_far[1 + SHORTEST :] - so_far[1:-SHORTEST] > SHORTEST / 2
    return np.concatenate([sounding, peaks & lasts], axis=1, dtype=np.float32)


def summary(frames: np.ndarray, frames_per_second: float) -> np.ndarray:
    """Return a segment's features, float32 [11] in the order of COLUMNS, of its events [n, 176].

    Pitch is in MIDI notes; centroid, spread (standard deviation) and the shares of the registers
    weigh notes by their probability. Note length is seconds of sounding notes for each onset.

    Examples
    --------
    >>> frames = np.zeros((4, 176))
    >>> frames[:2, 48] = frames[0, 88 + 48] = 1  # A4 for half a second
    >>> dict(zip(COLUMNS, summary(frames, 4.0).round(1).tolist(), strict=True))["note length"]
    0.5
    """
    sounding, onsets = frames[:, :N_KEYS].astype(np.float64), frames[:, N_KEYS:].sum(dtype=float)
    polyphony = (sounding > 0).sum(axis=1)
    weights = sounding.sum(axis=0) + _TRACE
    weights /= weights.sum()
    centroid = weights @ _NOTES
    spread = np.sqrt(weights @ (_NOTES - centroid) ** 2)
    shares = np.bincount(_REGISTER, weights)
    length = polyphony.sum() / frames_per_second / max(onsets, 1.0)
    density = onsets * frames_per_second / len(frames)
    of_notes = [density, polyphony.mean(), polyphony.std(), centroid, spread]
    return np.array([*of_notes, *shares, length], dtype=np.float32)
