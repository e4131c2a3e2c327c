"""mer-kit: a research kit for music emotion recognition with noisy segment labels.

Audio flows one way, clip → segment → loss → song → table → picture, through rooms that bear the
names of the notebooks that teach them: `corpora`, `signal`, `sssl`, `songs`, `runs`, `show`.
"""

__version__ = "0.1.0"
