"""Front-ends: from sound to features. One file each, found by listing the folder.

A file `<name>.py` says TITLE (its name in tables), SAYS (one sentence) and SOURCE, and defines `Frontend`, which derives from
`signal.frontend.BaseFrontend`. Without `pool` the store keeps its frames and segments are views of them; with `pool` it keeps one
vector for each segment.

Notebook: 01_segmentation
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from mer_kit import extensions
from mer_kit.checks import check_choice
from mer_kit.extensions import settings_of
from mer_kit.signal.frontend import BaseFrontend

#: The front-end of the paper, and of every run that names none.
DEFAULT = "logmel"
#: Every front-end's module by name.
MODULES: dict[str, ModuleType] = extensions.modules(
    __name__, needed=("TITLE", "SAYS", "SOURCE", "Frontend")
)
#: Front-end → what it does, in one sentence.
FRONTENDS: dict[str, str] = {name: str(module.SAYS) for name, module in MODULES.items()}
TITLES: dict[str, str] = {name: str(module.TITLE) for name, module in MODULES.items()}


def of(name: str) -> type[BaseFrontend]:
    """Return the class of a front-end.

    Raises
    ------
    MerKitError
        If there is no front-end of that name.
    """
    frontend: type[BaseFrontend] = MODULES[check_choice("front-end", name, MODULES)].Frontend
    return frontend


def make(name: str = DEFAULT, **settings: Any) -> BaseFrontend:
    """Return a front-end with these settings, the others at their defaults.

    Raises
    ------
    MerKitError
        If there is no front-end of that name, or a setting is unknown or wrong.

    Examples
    --------
    >>> import numpy as np
    >>> frontend = make("logmel", n_mels=64)
    >>> frontend.frames(np.zeros(22050)).shape, round(frontend.frames_per_second, 2)
    ((44, 64), 43.07)
    """
    kind = of(name)
    return kind(settings_of(f"front-end {name}", kind.settings, settings))


def name_of(frontend: BaseFrontend) -> str:
    """Return the name under which a front-end is found.

    Examples
    --------
    >>> name_of(make())
    'logmel'
    """
    return type(frontend).__module__.rpartition(".")[2]


def identity(frontend: BaseFrontend) -> dict[str, Any]:
    """Return what features are hashed with beside the audio: log-mels by their settings alone, as they always were."""
    name = name_of(frontend)
    if name == DEFAULT:
        return frontend.identity()
    return {
        "frontend": name,
        "source": extensions.source_mark(MODULES[name]),
        **frontend.identity(),
    }
