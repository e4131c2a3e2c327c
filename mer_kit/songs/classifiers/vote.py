"""Majority vote: the class that most of a song's segments choose.

Source: Sarkar et al. 2020 (the paper's [7]). Notebook: 04_song_decisions
"""

import numpy as np

from mer_kit.songs.classifier import Rule, most_frequent

TITLE = "vote"
SAYS = "the class that most segments choose; a tie goes to the higher mean probability"
SOURCE = "majority vote, Sarkar et al. 2020 (the paper's [7])"
LEARNS = False
ORDER = 2


class Classifier(Rule):
    """Majority vote over the segments; a tie goes to the higher mean probability (D).

    Examples
    --------
    >>> Classifier().answer(np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]))
    1
    """

    def answer(self, p: np.ndarray) -> int:
        """Return the class that most segments [n, K] choose."""
        # [K], the number of segments that choose each class.
        return most_frequent(np.bincount(p.argmax(axis=1), minlength=p.shape[1]), p)
