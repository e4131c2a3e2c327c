"""A plan of many runs: what varies, what is fixed, and the YAML file that says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mer_kit import files
from mer_kit.batch.parameters import as_mapping
from mer_kit.checks import MerKitError, check_choice, check_range, shortened

#: Limits on the entries of one list and on the runs of a grid; anything larger is a typing error.
MOST_ENTRIES, MOST_RUNS = 1000, 10_000
#: Types of entries that are not just plain, and their name in messages.
KINDS = {"seeds": (int, "whole numbers")}
#: Limit on the size of a YAML file.
MOST_BYTES = 1 << 20
VARIED = ("corpus", "task", "seconds", "frontend", "method", "seeds")


@dataclass(frozen=True)
class Grid:
    """What varies and what is fixed. Lists multiply: every corpus with every task, and so on.

    A list among the `overrides` multiplies too, such as `noise_kind: [none, song]`. What should
    vary together or one by one is a variant: a name and the settings that it adds or replaces, the
    method included. `seeds` lists the seeds; an empty `frontend` means the preset's, an empty
    `method` and `preset` None the defaults of `runs.defaults`. A system that cannot learn from a
    front-end keeps its own.
    """

    corpus: tuple[str, ...] = ("demo",)
    task: tuple[str, ...] = ("quadrant",)
    seconds: tuple[float, ...] = (3.0,)
    frontend: tuple[str, ...] = ("",)
    method: tuple[str, ...] = ("",)
    seeds: tuple[int, ...] = (0,)
    folds: int = 10
    only_folds: str = ""
    preset: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, Any], base: Grid | None = None) -> Grid:
        """Return a grid from plain names and values: a value or a list; `seeds: 3` means 0, 1, 2.

        What is not given is taken from `base`, or is the default.

        Raises
        ------
        MerKitError
            If a name is unknown; values are checked by `cells`.

        Examples
        --------
        >>> Grid.of({"corpus": ["demo", "4q"], "seeds": 2}).seeds
        (0, 1)
        """
        for name in given:
            check_choice("name in the grid", name, [f.name for f in dataclasses.fields(cls)])
        values = {name: _field(name, value) for name, value in given.items()}
        return dataclasses.replace(base or cls(), **values)


def _field(name: str, value: Any) -> Any:
    """Return one field of a grid from a plain value; its size is checked before it is expanded."""
    if name == "overrides":
        overrides = as_mapping("overrides", value)
        for setting, values in overrides.items():
            if isinstance(values, list) and not 1 <= len(values) <= MOST_ENTRIES:
                raise MerKitError(
                    f"{setting} in the grid has {len(values)} values, expected 1 to "
                    f"{MOST_ENTRIES}: correct it"
                )
        return overrides
    if name == "variants":
        named = as_mapping("variants", value)
        return {one: as_mapping(f"variant {one!r}", its) for one, its in named.items()}
    if name == "seeds" and not isinstance(value, (list, tuple)):
        value = range(int(check_range("seeds", value, 1, MOST_ENTRIES, whole=True)))
    several = isinstance(value, (list, tuple, range))
    entries = list(value[: MOST_ENTRIES + 1]) if several else [value]
    kinds, expected = KINDS.get(name, (str | int | float | None, "plain names or numbers"))
    plain = all(isinstance(one, kinds) and not isinstance(one, bool) for one in entries)
    if not 1 <= len(entries) <= MOST_ENTRIES or not plain:
        raise MerKitError(
            f"{name} in the grid is {shortened(value)}, expected one or more {expected} "
            f"({MOST_ENTRIES} at most): correct it"
        )
    if name == "only_folds":
        return ",".join(map(str, entries))
    if name in VARIED:
        return tuple(dict.fromkeys(entries))
    return entries[0] if len(entries) == 1 else value


def read(path: str | Path) -> Grid:
    """Return the grid that a YAML file describes, with the names of `Grid`.

    Raises
    ------
    MerKitError
        If the file cannot be read, is not a mapping, or has an unknown name.

    Examples
    --------
    >>> with files.scratch() as folder:
    ...     file = Path(folder) / "grid.yaml"
    ...     _ = file.write_text("corpus: [demo, 4q]\\nseeds: 2\\n")
    ...     read(file).corpus
    ('demo', '4q')
    """
    return Grid.of(read_mapping(path, example="corpus: [demo, 4q]"))


def read_mapping(path: str | Path, *, example: str) -> dict[str, Any]:
    """Return the names and values of a YAML file; `example` is a valid line, for error messages.

    Raises
    ------
    MerKitError
        If the file cannot be read or is not a mapping of names.
    """
    try:
        content = yaml.safe_load(files.read_bytes(Path(path), most=MOST_BYTES).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, MerKitError):
            raise
        raise MerKitError(
            f"{Path(path).name} cannot be read as YAML ({type(error).__name__}), expected lines "
            f"like '{example}': correct the file"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise MerKitError(
            f"{Path(path).name} must be a mapping of names that are text, but holds "
            f"{shortened(content)}, expected lines like '{example}': correct the file"
        )
    return content
