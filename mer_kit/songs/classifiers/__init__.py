"""Song-level classifiers: from a song's segment probabilities to its class. One file each.

A file `<name>.py`, found by listing the folder, sets TITLE (its name in tables and figures), SAYS
(one sentence), SOURCE and LEARNS (whether `fit` learns anything) and defines `Classifier`, which is
made without arguments or with any of the keywords `theta`, `seed` and `groups`. Every classifier is
computed for every method. One that learns and has `save` and `load` is saved as
`<name>.safetensors` in the fold; without them it is fitted again whenever its answer is needed.

Notebook: 04_song_decisions
"""

import inspect
from pathlib import Path
from typing import Any, cast

import numpy as np

from mer_kit.extensions import Members
from mer_kit.songs.classifier import SongClassifier

_MEMBERS = Members[Any](
    __name__,
    "song-level classifier",
    "Classifier",
    needed=("LEARNS",),
    # Columns and rows of the tables of scores have these names already.
    reserved=("clip_id", "fold", "label", "segments", "majority", "system"),
)
#: Every classifier's module by name, the paper's first.
MODULES = _MEMBERS.modules
NAMES: tuple[str, ...] = tuple(MODULES)
TITLES = _MEMBERS.texts("TITLE")
#: Those that learn from training songs.
LEARNING: tuple[str, ...] = tuple(name for name, module in MODULES.items() if module.LEARNS)


def make(
    name: str, *, theta: float = 0.5, seed: int = 0, groups: np.ndarray | None = None
) -> SongClassifier:
    """Return a classifier that is not fitted yet.

    `theta` (of feature f7), `seed` (of inner folds) and `groups` (int [songs], the artists that
    inner folds keep together) are passed to classifiers that have these parameters.

    Raises
    ------
    MerKitError
        If there is no classifier of that name.

    Examples
    --------
    >>> import numpy as np
    >>> p, song = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]), np.array([0, 0, 0])
    >>> {name: int(make(name).predict(p, song, 1)[0]) for name in ("mean", "vote", "run_length")}
    {'mean': 0, 'vote': 1, 'run_length': 1}

    Notebook: 04_song_decisions
    """
    kind, given = _MEMBERS.of(name), {"theta": theta, "seed": seed, "groups": groups}
    accepted = inspect.signature(kind).parameters
    return cast(SongClassifier, kind(**{key: given[key] for key in given if key in accepted}))


def load(name: str, path: str | Path, *, inside: Path | None = None) -> SongClassifier:
    """Return the fitted classifier that `save` wrote.

    With `inside`, a link that leads out of that folder is not followed.

    Raises
    ------
    MerKitError
        If the file is missing or damaged, or contains something else.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> p, y = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]]), np.array([0, 0, 1, 1])
    >>> songs, file = np.arange(4), Path(tempfile.mkdtemp()) / "svm.safetensors"
    >>> make("svm").fit(p, songs, y).save(file)
    >>> load("svm", file).predict(p, songs, 4).tolist()
    [0, 0, 1, 1]
    """
    return cast(SongClassifier, _MEMBERS.of(name).load(path, inside=inside))


def is_saved(name: str) -> bool:
    """Tell whether a fitted classifier can be saved and loaded.

    Examples
    --------
    >>> is_saved("svm"), is_saved("vote")
    (True, False)
    """
    return all(hasattr(_MEMBERS.of(name), verb) for verb in ("save", "load"))
