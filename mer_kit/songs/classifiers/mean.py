"""The class with the highest mean probability over a song's segments.

Notebook: 04_song_decisions
"""

import numpy as np

from mer_kit.songs.classifier import Rule, mean_probabilities

TITLE = "mean"
SAYS = "the class with the highest mean probability over the segments"
SOURCE = "averaging of segment probabilities; the simplest rule"
LEARNS = False
ORDER = 1


class Classifier(Rule):
    """The mean rule; a tie goes to the smallest class index.

    Examples
    --------
    >>> Classifier().answer(np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]))
    0
    """

    def answer(self, p: np.ndarray) -> int:
        """Return the class with the highest mean probability over the segments [n, K]."""
        # Unlike a vote, sure segments count more than unsure ones.
        # `argmax` returns the first of several maxima, that is the smallest class index.
        return int(mean_probabilities(p).argmax())
