"""Han et al. 2014: a network on inherited labels, and an extreme learning machine on its answers.

Notebook: 04_song_decisions
"""

from mer_kit.systems import Alias

TITLE = "ELM on segment statistics"
SAYS = "a ce run whose songs are classified by an extreme learning machine on four statistics"
SOURCE = (
    "Han, Yu and Tashev 2014; D: the run's own network and all its segments, while the source "
    "describes speech with the tenth of its frames that is loudest"
)
COLOUR, LINE = "#717581", "--"
System = Alias("ce", classifier="elm")
