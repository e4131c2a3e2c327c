"""Which parameters a notebook has: read from its code, without running it."""

from __future__ import annotations

import ast

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
