"""Which parameters a notebook has: read from its code, without running it."""

from __future__ import annotations

import ast
import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mer_kit.checks import MerKitError, check_range, shortened

#: Parameters that are texts, and those that count; papermill's -p makes a number of all that looks like one.
TEXTS = ("data_root", "only_folds", "runs_dir", "song")
COUNTS = ("fold", "folds", "seed")

if TYPE_CHECKING:  # each kernel imports this module, and nbformat costs two seconds
    from nbformat import NotebookNode


def declared_parameters(notebook: NotebookNode) -> tuple[str, ...]:
    """Return the names that the cell tagged `parameters` assigns."""
    names: list[str] = []
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            names += assigned(cell.source)
    return tuple(names)


def parameters_of(source: Path) -> tuple[str, ...]:
    """Return the names that a notebook file's cell tagged `parameters` assigns; all runs of a grid read it once.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    return _parameters_of(source, source.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _parameters_of(source: Path, _changed: int) -> tuple[str, ...]:
    import nbformat

    return declared_parameters(nbformat.read(source, as_version=4))


def assigned(cell: str) -> list[str]:
    """Return the names that a cell assigns at its top level, in order; [] where it is no Python.

    Examples
    --------
    >>> assigned("task: str = 'valence'  # or arousal")
    ['task']
    """
    try:
        body = ast.parse(cell).body
    except SyntaxError:
        return []
    names: list[str] = []
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names


def as_mapping(name: str, value: Any) -> dict[str, Any]:
    """Return a parameter that holds names and values as a dict; text is read as JSON, as papermill's -p passes it.

    Raises
    ------
    MerKitError
        If it is neither a mapping nor the JSON text of one.

    Examples
    --------
    >>> as_mapping("overrides", '{"tau": 0.3}'), as_mapping("overrides", None), as_mapping("overrides", "")
    ({'tau': 0.3}, {}, {})
    """
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value, object_pairs_hook=_each_once) if value.strip() else {}
        except MerKitError as error:
            raise MerKitError(f"{name} {error}") from None
        except (ValueError, RecursionError):
            found = value
    if found is None:
        return {}
    if isinstance(found, Mapping) and all(isinstance(key, str) for key in found):
        return dict(found)
    raise MerKitError(
        f'{name} is {shortened(value)}, expected names and values like {{"tau": 0.3}}: write them as JSON, '
        f"for example -p {name} '{{\"tau\": 0.3}}'"
    )


def as_declared(name: str, value: Any) -> Any:
    """Return a parameter's value as the kind that its notebook declares, whether typed for papermill, in YAML or in a cell.

    Raises
    ------
    MerKitError
        If it cannot be one of that kind; the sentence names the parameter.

    Examples
    --------
    >>> as_declared("song", 2058), as_declared("only_folds", [0, 2]), as_declared("seed", "05"), as_declared("folds", 3.0)
    ('2058', '0,2', 5, 3)
    """
    if name == "overrides":
        return _with_options(as_mapping(name, value))
    if name in TEXTS:
        return _as_text(name, value)
    if name not in COUNTS and name != "segment_seconds":
        return value
    number = check_range(name, _as_number(value), whole=name in COUNTS)
    return int(number) if name in COUNTS else float(number)


def _with_options(overrides: dict[str, Any]) -> dict[str, Any]:
    """Return overrides whose corpus_options, where given as JSON text, are a dict too."""
    if isinstance(overrides.get("corpus_options"), str):
        overrides["corpus_options"] = as_mapping("corpus_options", overrides["corpus_options"])
    return overrides


def _as_text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "only_folds" and isinstance(value, (list, tuple)):
        return ",".join(str(as_declared("fold", number)) for number in value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float, os.PathLike)):
        raise MerKitError(
            f"{name} is {shortened(value)}, expected text: papermill takes it as it is after -r {name}"
        )
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _as_number(value: Any) -> Any:
    """Return text that is a number as one; `check_range` judges what is left."""
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MerKitError(
            f"has {shortened(twice)} twice, expected each name once: delete one of them"
        )
    return found
