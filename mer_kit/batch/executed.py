"""Executed notebooks: whether they finished, their last output, and removal of local paths."""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mer_kit.paths import project_root
from mer_kit.runs.schema import LOG_LINES, LOG_WIDTH

#: Parameters that are local paths: they change no number, and are removed from copies.
PLACES = ("runs_dir", "data_root")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: Shorter paths ("/", "/tmp") also occur in texts that do not mean a local path.
_SHORTEST = 5


def unfinished(notebook: Any) -> str:
    """Return why an executed notebook is incomplete, or "" if it is complete.

    Needed because papermill marks cells as completed whose kernel died.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> cells = [new_code_cell("1", execution_count=1), new_code_cell("2")]
    >>> unfinished(new_notebook(cells=cells))
    'code cell 2 of 2 never ran: the kernel died or exited before it'
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for number, cell in enumerate(code, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"code cell {number} raised {output.ename}: {output.evalue}"
        if cell.get("execution_count") is None:
            return (
                f"code cell {number} of {len(code)} never ran: the kernel died or exited before it"
            )
    return ""


def last_lines(notebook: Any, more: str = "") -> list[str]:
    """Return the last lines that the last executed cell printed or raised, then `more`.

    Colours are removed.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook, new_output
    >>> output = new_output("stream", text="epoch 1\\nepoch 2\\n")
    >>> cell = new_code_cell("x", execution_count=1, outputs=[output])
    >>> last_lines(new_notebook(cells=[cell]), "Killed")
    ['epoch 1', 'epoch 2', 'Killed']
    """
    ran = [cell.outputs for cell in notebook.cells if cell.get("outputs")]
    text = [
        output.get("text") or "\n".join(output.get("traceback", []))
        for output in (ran[-1] if ran else [])
    ]
    lines = [_ANSI.sub("", line).rstrip() for line in "\n".join([*text, more]).splitlines()]
    return [line[:LOG_WIDTH] for line in lines if line.strip()][-LOG_LINES:]


def places(parameters: Mapping[str, Any], cwd: str | Path) -> dict[str, str]:
    """Return {local folder: its replacement} for folders that a copy may name, longest first.

    They are the parameters `runs_dir` and `data_root`, the folders in environment variables, the
    checkout, this Python, the folder for temporary files and the home folder.

    Examples
    --------
    >>> places({"runs_dir": "/data/ada/runs"}, "/data/ada/kit/notebooks")["/data/ada/runs"]
    '[runs]'
    """
    named = (
        (parameters.get("runs_dir"), "[runs]"),
        (parameters.get("data_root"), "[data]"),
        (os.environ.get("MER_RUNS"), "[runs]"),
        (os.environ.get("MER_DATA"), "[data]"),
        (os.environ.get("MER_CACHE"), "[cache]"),
        (os.environ.get("MER_EXTENSIONS"), "[extensions]"),
        (project_root(), "[mer-kit]"),
        (cwd, "[notebooks]"),
        (sys.prefix, "[python]"),
        (sys.base_prefix, "[python]"),
        (tempfile.gettempdir(), "[temporary]"),
        (Path.home(), "~"),
    )
    replacements: dict[str, str] = {}
    for place, name in named:
        for path in {str(place), str(Path(place).expanduser().resolve())} if place else ():
            if len(path.rstrip("/\\")) >= _SHORTEST or path == tempfile.gettempdir():
                replacements.setdefault(path.rstrip("/\\"), name)
    return dict(sorted(replacements.items(), key=lambda item: -len(item[0])))


def without_places(text: str, known: Mapping[str, str]) -> str:
    """Return text with every folder of `known` replaced, where it is a whole path.

    Examples
    --------
    >>> known = {"/home/ada/runs": "[runs]", "/home/ada": "~"}
    >>> without_places("wrote /home/ada/runs/a.csv, not /home/adam", known)
    'wrote [runs]/a.csv, not /home/adam'
    """
    for path, name in known.items():
        text = re.sub(rf"(?<![\w.-]){re.escape(path)}(?![\w.-]*\w)", name, text)
    return text


def strip_places(notebook: Any, known: Mapping[str, str]) -> Any:
    """Remove local paths from papermill's metadata, the injected parameters and all outputs.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook, new_output
    >>> output = new_output("stream", text="wrote /data/ada/runs/a.csv")
    >>> notebook = new_notebook(cells=[new_code_cell("x", outputs=[output])])
    >>> strip_places(notebook, {"/data/ada/runs": "[runs]"}).cells[0].outputs[0].text
    'wrote [runs]/a.csv'
    """
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
                if kind.startswith(("text/", "image/svg")) and isinstance(content, str):
                    output["data"][kind] = without_places(content, known)
    return notebook
