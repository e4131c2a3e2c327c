"""Keep the notebooks in order: `python tools/notebooks.py check`, `clean` or `nav`, with files or for all of them.

check  say in one sentence each what is out of order, exit 1 if anything is
clean  strip outputs and whatever else a working session leaves behind; cell ids stay
nav    write previous · contents · glossary · next into the cells nav-top and nav-bottom

Only the standard library is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SOLUTIONS = "solutions"
GLOSSARY = "../docs/glossary.md"  # seen from the notebooks' folder
MAX_LINES = 15
NAV_CELLS = ("nav-top", "nav-bottom")
#: All that a notebook's metadata say; anything else belongs to one person's session.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_CLEAN = "run `python tools/notebooks.py clean`"
_NAV = "run `python tools/notebooks.py nav`"


def files(folder: Path = FOLDER) -> list[Path]:
    """Return the notebooks and their solutions, each sorted by name."""
    return sorted(folder.glob("*.ipynb")) + sorted((folder / SOLUTIONS).glob("*.ipynb"))


def read(path: Path) -> dict[str, Any]:
    """Return a notebook as it stands in its file."""
    return dict(json.loads(path.read_text("utf-8")))


def dumps(notebook: dict[str, Any]) -> str:
    """Return the text that JupyterLab itself would save: sorted keys, indent 1, letters as they are."""
    return (
        json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False, separators=(",", ": "))
        + "\n"
    )


def write(path: Path, notebook: dict[str, Any]) -> bool:
    """Write a notebook if that changes the file; tell whether it did."""
    text = dumps(notebook)
    if path.exists() and path.read_text("utf-8") == text:
        return False
    partial = path.with_name(f".{os.getpid()}.partial.{path.name}")
    partial.write_text(text, "utf-8")
    os.replace(partial, path)
    return True


def source(cell: dict[str, Any]) -> str:
    """Return a cell's text, which a file may hold as one string or as a list of lines."""
    return "".join(cell.get("source", []))


def title(path: Path) -> str:
    """Return the text of the first heading, or the file's name where there is none."""
    try:
        cells = read(path)["cells"]
    except (ValueError, KeyError):  # `check` tells of it
        cells = []
    for cell in cells:
        found = (
            re.search(r"^# +(.+)$", source(cell), re.MULTILINE)
            if cell["cell_type"] == "markdown"
            else None
        )
        if found:
            return found[1].strip()
    return path.stem


# ---- clean -------------------------------------------------------------------------------------------------------


def clean(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook without outputs, counters and session metadata; ids, tags and texts stay."""
    cells = []
    for old in notebook["cells"]:
        cell: dict[str, Any] = {
            "cell_type": old["cell_type"],
            "metadata": _kept(old.get("metadata", {})),
        }
        cell |= {key: old[key] for key in ("id", "attachments") if key in old}
        cell["source"] = source(old).rstrip("\n").splitlines(keepends=True)
        if old["cell_type"] == "code":
            cell |= {"execution_count": None, "outputs": []}
        cells.append(cell)
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def _kept(metadata: dict[str, Any]) -> dict[str, Any]:
    return {"tags": list(metadata["tags"])} if metadata.get("tags") else {}


# ---- navigation --------------------------------------------------------------------------------------------------


def navigation(path: Path, everything: Sequence[Path]) -> str:
    """Return the line that leads from one notebook to its neighbours; `everything` is what `files` returns."""
    row = [other for other in everything if other.parent == path.parent]
    at = row.index(path)
    before = f"[← {title(row[at - 1])}]({row[at - 1].name})" if at else ""
    after = f"[{title(row[at + 1])} →]({row[at + 1].name})" if at + 1 < len(row) else ""
    if path.parent.name == SOLUTIONS:
        home = path.parents[1] / f"{path.stem.removesuffix('_solutions')}.ipynb"
        middle = [f"[back to {title(home)}](../{home.name})"] if home in everything else []
        middle += [f"[glossary](../{GLOSSARY})"]
    else:
        answers = path.parent / SOLUTIONS / f"{path.stem}_solutions.ipynb"
        middle = [f"[contents]({row[0].name})" if at else "**contents**"]
        middle += [f"[solutions]({SOLUTIONS}/{answers.name})"] if answers in everything else []
        middle += [f"[glossary]({GLOSSARY})"]
    return " · ".join(part for part in (before, *middle, after) if part)


def navigate(notebook: dict[str, Any], line: str) -> dict[str, Any]:
    """Return the notebook with `line` in its two navigation cells."""
    cells = [
        cell | {"source": [line]} if cell.get("id") in NAV_CELLS else cell
        for cell in notebook["cells"]
    ]
    return notebook | {"cells": cells}


# ---- check -------------------------------------------------------------------------------------------------------


def check(path: Path, everything: Sequence[Path]) -> list[str]:
    """Return one sentence for each thing that is out of order in a notebook; [] if nothing is."""
    try:
        notebook = read(path)
        cells = list(notebook["cells"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [
            f"{path.name} is no notebook ({type(error).__name__}), expected JSON with cells: restore it"
        ]
    found = [
        sentence
        for number, cell in enumerate(cells, start=1)
        for sentence in _check_cell(number, cell)
    ]
    ids = [cell.get("id", "") for cell in cells]
    found += [
        f"cell id {name!r} occurs twice: rename one"
        for name in sorted({i for i in ids if i and ids.count(i) > 1})
    ]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    tagged = ["parameters" in cell.get("metadata", {}).get("tags", []) for cell in code]
    if sum(tagged) != 1 or not tagged[0]:
        found.append(
            "the first code cell, and only that one, must be tagged 'parameters': papermill looks for the tag"
        )
    if notebook.get("metadata") != METADATA:
        found.append(
            f"the notebook's metadata hold more or less than kernel and language: {_CLEAN}"
        )
    found += _check_navigation(path, cells, everything)
    if not found and path.read_text("utf-8") != dumps(clean(notebook)):
        found.append(f"the file is not laid out as JupyterLab saves it: {_CLEAN}")
    return [f"{path.name}: {sentence}" for sentence in found]


def _check_cell(number: int, cell: dict[str, Any]) -> list[str]:
    name = f"cell {number} ({cell.get('id', 'no id')})"
    found = []
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(cell.get("id", ""))):
        found.append(f"{name} lacks a readable id: give it one, for example '02-loss-histogram'")
    if cell.get("outputs") or cell.get("execution_count") is not None:
        found.append(f"{name} holds outputs or a counter, expected none: {_CLEAN}")
    unexpected = sorted(set(cell.get("metadata", {})) - {"tags"})
    if unexpected:
        found.append(
            f"{name} has the metadata {', '.join(unexpected)}, expected tags at most: {_CLEAN}"
        )
    lines = len(source(cell).splitlines())
    if cell["cell_type"] == "code" and lines > MAX_LINES:
        found.append(
            f"{name} has {lines} lines, expected {MAX_LINES} at most: move logic into mer_kit"
        )
    return found


def _check_navigation(
    path: Path, cells: Sequence[dict[str, Any]], everything: Sequence[Path]
) -> list[str]:
    texts = {cell["id"]: source(cell) for cell in cells if cell.get("id") in NAV_CELLS}
    missing = [name for name in NAV_CELLS if name not in texts]
    if missing:
        return [
            f"the navigation cell {' and '.join(missing)} is missing: add a markdown cell with that id"
        ]
    line = navigation(path, everything)
    return (
        []
        if all(text == line for text in texts.values())
        else [f"the navigation is not current: {_NAV}"]
    )


# ---- the command line --------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(description="Keep the notebooks in order.")
    parser.add_argument("command", choices=("check", "clean", "nav"))
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks (default: all of them)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the notebooks lie")
    given = parser.parse_intermixed_args(arguments)
    everything = [path.absolute() for path in files(given.folder)]
    chosen = [path.absolute() for path in given.paths] or everything
    strangers = [path for path in chosen if path not in everything]
    if strangers or not chosen:
        what = f"{strangers[0].name} is none of them" if strangers else "none was found"
        print(
            f"expected notebooks in {given.folder} or its {SOLUTIONS} folder: {what}",
            file=sys.stderr,
        )
        return 2
    if given.command == "check":
        sentences = [sentence for path in chosen for sentence in check(path, everything)]
        print("\n".join(sentences) or f"{len(chosen)} notebooks are in order")
        return 1 if sentences else 0
    for path in chosen:
        notebook = read(path)
        change = (
            clean(notebook)
            if given.command == "clean"
            else navigate(notebook, navigation(path, everything))
        )
        if write(path, change):
            print(f"{given.command}: {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
