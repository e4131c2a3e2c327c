"""Settings records as dictionaries: flat for config.json, and hashed so that old runs are found.

A run's fingerprint hashes the names that the first version hashed. Later settings are left out at
the one value that reproduces earlier runs, whatever their default is or becomes.
"""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

_ABSENT, _PART = "absent_means", "part"


def later(*, absent_means: Any, **default: Any) -> Any:
    """Return a dataclass field for a setting that was added after runs were made.

    Parameters
    ----------
    absent_means : the value that runs without this setting had
    default : as for `dataclasses.field`: default=… or default_factory=…

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Settings:
    ...     momentum: float = later(default=0.9, absent_means=0.0)
    >>> Settings().momentum, hashed(Settings(momentum=0.0))
    (0.9, {})
    """
    return dataclasses.field(**default, metadata={_ABSENT: absent_means})


def part(kind: type) -> Any:
    """Return a dataclass field for a nested record, whose settings are flat in dictionaries."""
    return dataclasses.field(default_factory=kind, metadata={_PART: kind})


def flat(settings: Any) -> dict[str, Any]:
    """Return a settings record as one dictionary, with the settings of its parts.

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
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if _PART in field.metadata:
            values |= flat(value)
        else:
            values[field.name] = value
            if dataclasses.is_dataclass(value):
                values[field.name] = flat(value)
    return values


def nested(kind: type, values: Mapping[str, Any]) -> Any:
    """Return the record of `flat` values; missing settings keep their defaults.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Partition:
    ...     tau: float = 0.5
    >>> @dataclasses.dataclass(frozen=True)
    ... class Settings:
    ...     rate: float = 0.1
    ...     partition: Partition = part(Partition)
    >>> nested(Settings, {"tau": 0.3})
    Settings(rate=0.1, partition=Partition(tau=0.3))
    """
    parts = {f.name: f.metadata[_PART] for f in dataclasses.fields(kind) if _PART in f.metadata}
    rest, made = dict(values), {}
    for name, of_part in parts.items():
        own = [field.name for field in dataclasses.fields(of_part)]
        made[name] = of_part(**{key: rest.pop(key) for key in own if key in rest})
    return kind(**rest, **made)


def kinds(settings: type) -> dict[str, str]:
    """Return the names of `flat` and the declared type of each.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Settings:
    ...     rate: float = 0.1
    >>> kinds(Settings)
    {'rate': 'float'}
    """
    types: dict[str, str] = {}
    for field in dataclasses.fields(settings):
        if _PART in field.metadata:
            types |= kinds(field.metadata[_PART])
        else:
            types[field.name] = inspect.formatannotation(field.type).strip("'")
    return types


def hashed(settings: Any) -> dict[str, Any]:
    """Return the dictionary that fingerprints and checkpoints hash: later fields only if changed.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Settings:
    ...     rate: float = 0.1
    ...     momentum: float = later(default=0.9, absent_means=0.0)
    >>> hashed(Settings()), hashed(Settings(momentum=0.0))
    ({'rate': 0.1, 'momentum': 0.9}, {'rate': 0.1})
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if _PART in field.metadata:
            values |= hashed(value)
        else:
            values[field.name] = value
            if dataclasses.is_dataclass(value):
                values[field.name] = hashed(value)
    return without_absent(values, type(settings))


def without_absent(values: Mapping[str, Any], settings: type) -> dict[str, Any]:
    """Return settings by name, without later ones at the value that their absence means."""
    absent = _absent(settings)
    return {
        name: value for name, value in values.items() if name not in absent or value != absent[name]
    }


def _absent(settings: type) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        if _PART in field.metadata:
            values |= _absent(field.metadata[_PART])
        elif _ABSENT in field.metadata:
            values[field.name] = field.metadata[_ABSENT]
    return values
