"""Which parameters a notebook has: read from its code, without running it."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mer_kit.checks import MerKitError, shortened

if TYPE_CHECKING:  # each kernel imports this module, and nbformat costs two seconds
    from nbformat import NotebookNode


def declared_parameters(notebook: NotebookNode) -> tuple[str, ...]:
    """Return the names that the cell tagged `parameters` assigns."""
    names: list[str] = []
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            names += assigned(cell.source)
    return tuple(names)


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
            found = json.loads(value) if value.strip() else {}
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
