"""Settings that are younger than runs on disk: hashed only where they do not reproduce what earlier runs did."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

_ABSENT = "absent_means"


def later(*, absent_means: Any, **default: Any) -> Any:
    """Return a dataclass field for a setting that is younger than runs on disk.

    Fingerprints leave it out at the value that reproduces those runs, whatever the default is or becomes.

    Parameters
    ----------
    absent_means : the value at which a run without this setting was made
    default : as for `dataclasses.field`: default=… or default_factory=…
    """
    return dataclasses.field(**default, metadata={_ABSENT: absent_means})


def hashed(settings: Any) -> dict[str, Any]:
    """Return a settings record as the dictionary that fingerprints and checkpoints hash: later fields only if they differ.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Settings:
    ...     rate: float = 0.1
    ...     momentum: float = later(default=0.9, absent_means=0.0)
    >>> hashed(Settings()), hashed(Settings(momentum=0.0))
    ({'rate': 0.1, 'momentum': 0.9}, {'rate': 0.1})
    """
    return without_absent(dataclasses.asdict(settings), type(settings))


def without_absent(values: Mapping[str, Any], settings: type) -> dict[str, Any]:
    """Return settings by name, without the later ones that are at the value that their absence means."""
    absent = {f.name: f.metadata[_ABSENT] for f in dataclasses.fields(settings) if _ABSENT in f.metadata}
    return {name: value for name, value in values.items() if name not in absent or value != absent[name]}
