"""Front-ends turn sound into features: one file each, found by listing the folder.

A file `<name>.py` sets TITLE (its name in tables), SAYS (one sentence) and SOURCE, and defines
`Frontend`, a subclass of `signal.frontend.BaseFrontend`. Without `pool` the store keeps its frames,
and segments are views of them; with `pool` the store keeps one vector for each segment.

Notebook: 01_segmentation
"""

import functools
from typing import Any

from mer_kit.checks import MerKitError
from mer_kit.extensions import Members, settings_of, source_mark
from mer_kit.signal.frontend import BaseFrontend
from mer_kit.signal.joined import JoinedFrontend, join

#: The front-end of the paper, used by every run that names none.
DEFAULT = "logmel"
_MEMBERS = Members[BaseFrontend](__name__, "front-end", "Frontend")
#: Name → module of each front-end.
MODULES = _MEMBERS.modules
#: Name → one sentence on what the front-end computes.
FRONTENDS = _MEMBERS.texts("SAYS")


def of(name: str) -> type[BaseFrontend]:
    """Return the class of a front-end, or of several that pool, joined: `musicnn+descriptors`.

    Raises
    ------
    MerKitError
        If there is no front-end of that name, or if one that is to be joined does not pool.

    Examples
    --------
    >>> of("logmel").unit
    'dB'
    """
    if "+" not in str(name):
        return _MEMBERS.of(name)
    return _joined(str(name))


@functools.cache
def _joined(names: str) -> type[BaseFrontend]:
    """Return the class of several front-ends side by side, always the same one."""
    members = {name: _MEMBERS.of(name) for name in names.split("+")}
    if len(members) <= names.count("+"):
        raise MerKitError(
            f"front-end is {names!r}, expected each part once: remove the repeated one"
        )
    return join(members)


def make(name: str = DEFAULT, **settings: Any) -> BaseFrontend:
    """Return a front-end with these settings; the others have their defaults.

    Raises
    ------
    MerKitError
        If there is no front-end of that name, or a setting is unknown or out of range.

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
    """Return the name under which `make` finds a front-end.

    Examples
    --------
    >>> name_of(make())
    'logmel'
    """
    if isinstance(frontend, JoinedFrontend):
        return "+".join(frontend.members)
    return type(frontend).__module__.rpartition(".")[2]


def note(name: str) -> str:
    """Return what is said wherever results of a front-end are shown, "" if there is nothing.

    Examples
    --------
    >>> note("logmel"), note("descriptors+musicnn")[:17]
    ('', "musicnn's weights")
    """
    modules = (MODULES.get(part) for part in name.split("+"))
    return "; ".join(text for one in modules if (text := getattr(one, "NOTE", "")))


def identity(frontend: BaseFrontend) -> dict[str, Any]:
    """Return what, together with the audio, determines the hash of a front-end's features.

    For log-mels these are the settings alone, so that existing stores stay valid; joined front-ends
    have those of their parts.

    Examples
    --------
    >>> identity(make())
    {'sample_rate': 22050, 'n_fft': 1024, 'hop_length': 512, 'n_mels': 128}
    """
    name = name_of(frontend)
    if isinstance(frontend, JoinedFrontend):
        return {"frontend": name, "parts": [identity(part) for part in frontend.parts]}
    own = frontend.identity()
    if name == DEFAULT:
        return own
    return {"frontend": name, "source": source_mark(MODULES[name]), **own}
