"""mer-kit: a research kit for music emotion recognition with noisy segment labels.

Audio flows one way, clip → segment → loss → song → table → picture, through rooms that bear the
names of the notebooks that teach them: `corpora`, `signal`, `sssl`, `songs`, `runs`, `show`.
"""

import os as _os

__version__ = "0.1.0"

# Threads that wait for each other sleep instead of spinning: beside other work a training then takes its share of the
# processor and no more. libgomp reads this when torch is loaded, so it has to stand here; whoever has set it, decides.
_os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
