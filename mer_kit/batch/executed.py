"""Executed copies of notebooks: complete or not, the last they said, and no place of this machine left in them."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mer_kit.paths import project_root
from mer_kit.runs.schema import LOG_LINES, LOG_WIDTH

if TYPE_CHECKING:
    from nbformat import NotebookNode

#: Parameters that say where things lie: they change no number, and no copy should tell them.
PLACES = ("runs_dir", "data_root")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: Shorter paths ("/", "/tmp") stand in too many sentences that mean no place of this machine.
_SHORTEST = 5


def unfinished(notebook: NotebookNode) -> str:
    """Return why an executed notebook is not complete, or "": papermill calls cells of a dead kernel completed."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for at, cell in enumerate(code, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"code cell {at} raised {output.ename}: {output.evalue}"
        if cell.get("execution_count") is None:
            return f"code cell {at} of {len(code)} never ran: the kernel died or was left before it"
    return ""


def last_lines(notebook: NotebookNode, more: str = "") -> list[str]:
    """Return the last lines that the last executed cell printed or raised, without colours; `more` comes after them.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook, new_output
    >>> cell = new_code_cell("x", execution_count=1, outputs=[new_output("stream", text="epoch 1\\nepoch 2\\n")])
    >>> last_lines(new_notebook(cells=[cell]), "Killed")
    ['epoch 1', 'epoch 2', 'Killed']
    """
    ran = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.get("outputs")]
    text: list[str] = []
    for output in ran[-1].outputs if ran else []:
        if output.output_type == "stream":
            text.append(output.text)
        elif output.output_type == "error":
            text.append("\n".join(output.traceback))
    lines = [_ANSI.sub("", line).rstrip() for line in "\n".join([*text, more]).splitlines()]
    return [line[:LOG_WIDTH] for line in lines if line.strip()][-LOG_LINES:]


def places(parameters: Mapping[str, Any], cwd: str | Path) -> dict[str, str]:
    """Return the folders of this machine that a copy may name, each with what is written instead, longest first.

    They are the parameters `runs_dir` and `data_root`, the places that environment variables name, the checkout, this
    Python, the folders for temporary files and the home folder.
    """
    named: list[tuple[Any, str]] = [
        (parameters.get("runs_dir"), "[runs]"), (parameters.get("data_root"), "[data]"),
        (os.environ.get("MER_RUNS"), "[runs]"), (os.environ.get("MER_DATA"), "[data]"),
        (os.environ.get("MER_CACHE"), "[cache]"), (os.environ.get("MER_EXTENSIONS"), "[extensions]"),
        (project_root(), "[mer-kit]"), (cwd, "[notebooks]"),
        (sys.prefix, "[python]"), (sys.base_prefix, "[python]"), (tempfile.gettempdir(), "[temporary]"), (Path.home(), "~"),
    ]  # fmt: skip
    found: dict[str, str] = {}
    for place, name in named:
        for path in {str(place), str(Path(place).expanduser().resolve())} if place else ():
            if len(path.rstrip("/\\")) >= _SHORTEST or path == tempfile.gettempdir():
                found.setdefault(path.rstrip("/\\"), name)
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def without_places(text: str, known: Mapping[str, str]) -> str:
    """Return text with every folder of `known` replaced where it stands as a whole path.

    Examples
    --------
    >>> without_places("wrote /home/ada/runs/a.csv, not /home/adam", {"/home/ada/runs": "[runs]", "/home/ada": "~"})
    'wrote [runs]/a.csv, not /home/adam'
    """
    for path, name in known.items():
        text = re.sub(rf"(?<![\w.-]){re.escape(path)}(?![\w.-]*\w)", name, text)
    return text


def strip_places(notebook: NotebookNode, known: Mapping[str, str]) -> NotebookNode:
    """Remove the places on this machine from papermill's notes, from the cell of parameters and from all outputs."""
    noted = notebook.metadata.get("papermill", {})
    for key in ("input_path", "output_path", "environment_variables", "parameters"):
        noted.pop(key, None)
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = re.sub(
                rf"^({'|'.join(PLACES)}) = .*$", r'\1 = ""', cell.source, flags=re.MULTILINE
            )
        for output in cell.get("outputs", []):
            for key in ("text", "evalue"):
                if key in output:
                    output[key] = without_places(output[key], known)
            if "traceback" in output:
                output["traceback"] = [without_places(line, known) for line in output["traceback"]]
            for kind, content in output.get("data", {}).items():
                if isinstance(content, str) and (
                    kind.startswith("text/") or kind == "image/svg+xml"
                ):
                    output["data"][kind] = without_places(content, known)
    return notebook
