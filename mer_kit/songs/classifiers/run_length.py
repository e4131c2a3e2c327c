"""Maximum run length: the class that the longest unbroken run of segments chooses.

Source: Sarkar et al. 2020 (the paper's [7]). Notebook: 04_song_decisions
"""

import numpy as np

from mer_kit.songs.classifier import Rule, most_frequent

TITLE = "run length"
SAYS = "the class with the longest unbroken run of segments that choose it; ties as in the vote"
SOURCE = "maximum run length, Sarkar et al. 2020 (the paper's [7])"
LEARNS = False
ORDER = 3


class Classifier(Rule):
    """The class of the longest run; a tie goes to the higher mean probability (D).

    Examples
    --------
    >>> a, b = [0.6, 0.4], [0.4, 0.6]
    >>> Classifier().answer(np.array([a, a, b, b, b, a, a]))
    1
    """

    def answer(self, p: np.ndarray) -> int:
        """Return the class with the longest unbroken run of segments [n, K] choosing it."""
        chosen = p.argmax(axis=1)  # [n], each segment's class
        # A run starts at the first segment and wherever the class changes.
        starts = np.flatnonzero(np.r_[True, chosen[1:] != chosen[:-1]])
        # [K]; `maximum.at`, since a class may have several runs.
        longest = np.zeros(p.shape[1], dtype=np.int64)
        np.maximum.at(longest, chosen[starts], np.diff(np.r_[starts, len(chosen)]))
        return most_frequent(longest, p)
