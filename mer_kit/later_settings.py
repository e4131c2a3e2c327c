"""Settings records as dictionaries: flat for config.json, and hashed so that old runs are found.

A run's fingerprint hashes the names that the first version hashed. Later settings are left out at
the one value that reproduces earlier runs, whatever their default is or becomes.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
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
    return _values(settings, flat)


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
    rest = dict(values)
    made = {
        name: of_part(**{key: rest.pop(key) for key in kinds(of_part) if key in rest})
        for name, of_part in parts.items()
    }
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
    return {
        field.name: inspect.formatannotation(field.type).strip("'")
        for field, _ in _fields(settings)
    }


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
    return without_absent(_values(settings, hashed), type(settings))


def without_absent(values: Mapping[str, Any], settings: type) -> dict[str, Any]:
    """Return settings by name, without later ones at the value that their absence means."""
    absent = {
        field.name: field.metadata[_ABSENT]
        for field, _ in _fields(settings)
        if _ABSENT in field.metadata
    }
    return {
        name: value for name, value in values.items() if name not in absent or value != absent[name]
    }


def _fields(owner: Any) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """Yield each field of a record or its class, and its owner; a part is replaced by its own."""
    for field in dataclasses.fields(owner):
        if _PART not in field.metadata:
            yield field, owner
        elif isinstance(owner, type):
            yield from _fields(field.metadata[_PART])
        else:
            yield from _fields(getattr(owner, field.name))


def _values(settings: Any, of_record: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Return a record's values by name; a record among them becomes `of_record` of it."""
    values = {field.name: getattr(owner, field.name) for field, owner in _fields(settings)}
    return {
        name: of_record(value) if dataclasses.is_dataclass(value) else value
        for name, value in values.items()
    }
