"""How settings records become dictionaries: flat where a record is part of another, and hashed so that runs on disk stay found.

A run's fingerprint hashes the names that the first version hashed. Settings that are younger are left out at the one value
that reproduces earlier runs, whatever their default is or becomes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

_ABSENT, _PART = "absent_means", "part"


def later(*, absent_means: Any, **default: Any) -> Any:
    """Return a dataclass field for a setting that is younger than runs on disk.

    Parameters
    ----------
    absent_means : the value at which a run without this setting was made
    default : as for `dataclasses.field`: default=… or default_factory=…
    """
    return dataclasses.field(**default, metadata={_ABSENT: absent_means})


def part(kind: type) -> Any:
    """Return a dataclass field that holds another record, whose settings count as the outer one's own in dictionaries."""
    return dataclasses.field(default_factory=kind, metadata={_PART: kind})


def flat(settings: Any) -> dict[str, Any]:
    """Return a settings record as one dictionary, its parts' settings among its own.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Partition:
    ...     tau: float = 0.5
    >>> @dataclasses.dataclass(frozen=True)
    ... class Settings:
    ...     rate: float = 0.1
    ...     partition: Partition = part(Partition)
    >>> flat(Settings())
    {'rate': 0.1, 'tau': 0.5}
    """
    found: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if _PART in field.metadata:
            found |= flat(value)
        else:
            found[field.name] = flat(value) if dataclasses.is_dataclass(value) else value
    return found


def nested(kind: type, values: Mapping[str, Any]) -> Any:
    """Return the record that `flat` made these values of; what is not given keeps its default."""
    parts = {f.name: f.metadata[_PART] for f in dataclasses.fields(kind) if _PART in f.metadata}
    rest, made = dict(values), {}
    for name, of_part in parts.items():
        own = [field.name for field in dataclasses.fields(of_part)]
        made[name] = of_part(**{key: rest.pop(key) for key in own if key in rest})
    return kind(**rest, **made)


def kinds(settings: type) -> dict[str, str]:
    """Return the names that `flat` gives and what each is declared as.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Settings:
    ...     rate: float = 0.1
    >>> kinds(Settings)
    {'rate': 'float'}
    """
    found: dict[str, str] = {}
    for field in dataclasses.fields(settings):
        if _PART in field.metadata:
            found |= kinds(field.metadata[_PART])
        else:
            found[field.name] = field.type if isinstance(field.type, str) else field.type.__name__
    return found


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
    found: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if _PART in field.metadata:
            found |= hashed(value)
        else:
            found[field.name] = hashed(value) if dataclasses.is_dataclass(value) else value
    return without_absent(found, type(settings))


def without_absent(values: Mapping[str, Any], settings: type) -> dict[str, Any]:
    """Return settings by name, without the later ones that are at the value that their absence means."""
    absent = _absent(settings)
    return {
        name: value for name, value in values.items() if name not in absent or value != absent[name]
    }


def _absent(settings: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        if _PART in field.metadata:
            found |= _absent(field.metadata[_PART])
        elif _ABSENT in field.metadata:
            found[field.name] = field.metadata[_ABSENT]
    return found
