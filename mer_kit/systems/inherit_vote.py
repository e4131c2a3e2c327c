"""Sarkar et al. 2020: a network on inherited labels, and a majority vote over a song's segments.

Notebook: 04_song_decisions
"""

from mer_kit.systems import Alias

TITLE = "inherited labels, vote"
SAYS = "a ce run whose songs get the class that most of their segments choose"
SOURCE = (
    "Sarkar et al. 2020 (the paper's [7]), whose text could not be had; D: the run's own network "
    "and segments, which overlap, while the source has separate ones of 5 s"
)
COLOUR, LINE = "#717581", ":"
System = Alias("ce", classifier="vote")
