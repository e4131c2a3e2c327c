"""The parameters that a notebook declares, read from its code without running it."""

import ast
import contextlib
import functools
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mer_kit.checks import MerKitError, check_range, shortened
from mer_kit.signal.segments import CLIP, WHOLE

#: Parameters that are text, and those that are whole numbers: papermill's -p converts by looks.
TEXTS = ("data_root", "only_folds", "runs_dir", "song", "methods", "noise_kinds", "noise_rates")
COUNTS = ("fold", "folds", "seed", "seeds")
#: Texts that may be given as lists.
LISTS = ("only_folds", "methods", "noise_kinds", "noise_rates")


def declared_parameters(notebook: Any) -> tuple[str, ...]:
    """Return the names that the cell tagged `parameters` assigns.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> cell = new_code_cell("seed = 0\\nfold = 1", metadata={"tags": ["parameters"]})
    >>> declared_parameters(new_notebook(cells=[cell, new_code_cell("x = 2")]))
    ('seed', 'fold')
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return tuple(name for cell in cells for name in assigned(cell.source))


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
    assignments = [node for node in body if isinstance(node, (ast.Assign, ast.AnnAssign))]
    targets = [
        target
        for node in assignments
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    return [target.id for target in targets if isinstance(target, ast.Name)]


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
    content = value
    if isinstance(value, str):
        try:
            content = json.loads(value.strip() or "null", object_pairs_hook=_each_once)
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
        overrides = as_mapping(name, value)
        if isinstance(overrides.get("corpus_options"), str):
            overrides["corpus_options"] = as_mapping("corpus_options", overrides["corpus_options"])
        return overrides
    if name in TEXTS:
        return _as_text(name, value)
    if name in COUNTS:
        return int(check_range(name, _as_number(value), whole=True))
    if name == "segment_seconds":
        if value in (CLIP, WHOLE):
            return WHOLE
        return float(check_range(name, _as_number(value)))
    return value


def _as_text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in LISTS and isinstance(value, (list, tuple)):
        kind = {"only_folds": "fold"}.get(name, name)
        return ",".join(str(as_declared(kind, one)) for one in value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Path)):
        raise MerKitError(
            f"{name} is {shortened(value)}, expected text: papermill passes it unchanged after "
            f"-r {name}"
        )
    return str(value)


def _as_number(value: Any) -> Any:
    """Return text as a number if it is one; `check_range` rejects anything else."""
    if isinstance(value, str):
        for kind in (int, float):
            with contextlib.suppress(ValueError):
                return kind(value)
    return value


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [name for name, n in Counter(name for name, _ in pairs).items() if n > 1]
    if repeated:
        raise MerKitError(
            f"has {shortened(repeated[0])} twice, expected each name once: delete one of them"
        )
    return dict(pairs)
