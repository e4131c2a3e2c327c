"""Sarkar et al. 2020: a network on inherited labels, and the longest run of a song's segments.

Notebook: 04_song_decisions
"""

from mer_kit.systems import Alias

TITLE = "inherited labels, run length"
SAYS = "a ce run whose songs get the class with the longest unbroken run of their segments"
SOURCE = (
    "Sarkar et al. 2020 (the paper's [7]), whose text could not be had; D: the run's own network "
    "and segments, which overlap, so runs are longer than with the source's separate ones of 5 s"
)
COLOUR, LINE = "#717581", "-."
System = Alias("ce", classifier="run_length")
