"""mer-kit: a research kit for music emotion recognition with noisy segment labels.

Data flows one way, clip → segment → loss → song → table → picture, through the rooms `corpora`,
`signal`, `training`, `songs`, `runs`, `analysis`, `results`, `plots` and `views`.
"""

import os as _os

__version__ = "0.1.0"

# Waiting threads sleep instead of spinning, so that a training leaves the processor to other work.
# libgomp reads this when torch is loaded, so it is set here, unless it is set already.
_os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
