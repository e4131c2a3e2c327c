"""The parameters that a notebook declares, read from its code without running it."""

from __future__ import annotations

import ast
import functools
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mer_kit.checks import MerKitError, check_range, shortened

#: Parameters that are text, and those that are whole numbers: papermill's -p converts by looks.
TEXTS = ("data_root", "only_folds", "runs_dir", "song")
COUNTS = ("fold", "folds", "seed")

if TYPE_CHECKING:  # every kernel imports this module, and importing nbformat takes two seconds
    from nbformat import NotebookNode


def declared_parameters(notebook: NotebookNode) -> tuple[str, ...]:
    """Return the names that the cell tagged `parameters` assigns.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> cell = new_code_cell("seed = 0\\nfold = 1", metadata={"tags": ["parameters"]})
    >>> declared_parameters(new_notebook(cells=[cell, new_code_cell("x = 2")]))
    ('seed', 'fold')
    """
    names: list[str] = []
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            names += assigned(cell.source)
    return tuple(names)


def parameters_of(source: Path) -> tuple[str, ...]:
    """Return the parameters that a notebook file declares; a file is read again only if it changed.

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
    """Return the names that a cell assigns at its top level; [] if it is not valid Python.

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
    """Return a mapping parameter as a dict; text is parsed as JSON, as from papermill's -p.

    Raises
    ------
    MerKitError
        If it is neither a mapping nor the JSON text of one.

    Examples
    --------
    >>> as_mapping("overrides", '{"tau": 0.3}'), as_mapping("overrides", None)
    ({'tau': 0.3}, {})
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return {}
    content = value
    if isinstance(value, str):
        try:
            content = json.loads(value, object_pairs_hook=_each_once)
        except MerKitError as error:
            raise MerKitError(f"{name} {error}") from None
        except (ValueError, RecursionError):
            content = value
        if content is None:
            return {}
    if isinstance(content, Mapping) and all(isinstance(key, str) for key in content):
        return dict(content)
    raise MerKitError(
        f'{name} is {shortened(value)}, expected names and values like {{"tau": 0.3}}: '
        f"write them as JSON, for example -p {name} '{{\"tau\": 0.3}}'"
    )


def as_declared(name: str, value: Any) -> Any:
    """Return a parameter's value in its declared type, from papermill, YAML or a cell.

    Raises
    ------
    MerKitError
        If it cannot be converted; the message names the parameter.

    Examples
    --------
    >>> as_declared("song", 2058), as_declared("only_folds", [0, 2]), as_declared("seed", "05")
    ('2058', '0,2', 5)
    """
    if name == "overrides":
        return _with_options(as_mapping(name, value))
    if name in TEXTS:
        return _as_text(name, value)
    if name not in COUNTS and name != "segment_seconds":
        return value
    number = check_range(name, _as_number(value), whole=name in COUNTS)
    if name in COUNTS:
        return int(number)
    return float(number)


def _with_options(overrides: dict[str, Any]) -> dict[str, Any]:
    """Return overrides with corpus_options as a dict, if they were given as JSON text."""
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
            f"{name} is {shortened(value)}, expected text: papermill passes it unchanged after "
            f"-r {name}"
        )
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    return str(value)


def _as_number(value: Any) -> Any:
    """Return text as a number if it is one; `check_range` rejects anything else."""
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(name for name, _ in pairs)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise MerKitError(
            f"has {shortened(repeated[0])} twice, expected each name once: delete one of them"
        )
    return dict(pairs)
