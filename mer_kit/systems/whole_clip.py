"""The same network on the clip as one piece: is cutting a song into segments worth it?

Notebook: 04_song_decisions
"""

from mer_kit.systems import Alias

TITLE = "whole clip"
SAYS = "a ce run whose network is given each clip as one piece"
SOURCE = "D: the counterpart of every segment network, which the paper does not try"
COLOUR, LINE = "#717581", "-"
System = Alias("ce", settings={"segment_seconds": "clip", "padding": "repeat"})
