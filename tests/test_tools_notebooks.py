"""tools/notebooks.py: what it lets pass, what it complains of, and that its three commands agree with one another."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

_spec = importlib.util.spec_from_file_location(
    "notebooks_tool", Path(__file__).parents[1] / "tools" / "notebooks.py"
)
tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tool)


def _cell(kind: str, name: str, text: str, **more: Any) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": name, "metadata": {}, "source": text.splitlines(keepends=True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}) | more


def _notebook(heading: str) -> dict[str, Any]:
    cells = [
        _cell("markdown", "nav-top", "(navigation)"),
        _cell("markdown", "title", f"# {heading}\n\nWhat you will learn."),
        _cell("code", "parameters", "seed: int = 0", metadata={"tags": ["parameters"]}),
        _cell("code", "work", "print(seed)\nprint('Märchen')"),
        _cell("markdown", "nav-bottom", "(navigation)"),
    ]
    return {
        "cells": cells,
        "metadata": copy.deepcopy(tool.METADATA),
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three notebooks and the solutions of the second, in order after `nav`."""
    (tmp_path / "solutions").mkdir()
    for stem, heading in (
        ("00_start", "00 · Start"),
        ("01_cut", "01 · Cut"),
        ("02_noise", "02 · Noise?"),
    ):
        tool.write(tmp_path / f"{stem}.ipynb", _notebook(heading))
    tool.write(tmp_path / "solutions" / "01_cut_solutions.ipynb", _notebook("01 · Cut: solutions"))
    assert tool.main(["nav", "--folder", str(tmp_path)]) == 0
    return tmp_path


def _text(path: Path, cell_id: str) -> str:
    return next(tool.source(cell) for cell in tool.read(path)["cells"] if cell["id"] == cell_id)


def test_navigation_names_its_neighbours_by_their_titles(folder):
    first, middle, last = (
        _text(folder / f"{stem}.ipynb", "nav-top") for stem in ("00_start", "01_cut", "02_noise")
    )
    glossary = "[glossary](../docs/glossary.md)"
    assert first == f"**contents** · {glossary} · [01 · Cut →](01_cut.ipynb)"
    assert middle == (
        "[← 00 · Start](00_start.ipynb) · [contents](00_start.ipynb) · [solutions](solutions/01_cut_solutions.ipynb) · "
        f"{glossary} · [02 · Noise? →](02_noise.ipynb)"
    )
    assert last == f"[← 01 · Cut](01_cut.ipynb) · [contents](00_start.ipynb) · {glossary}"
    assert _text(folder / "01_cut.ipynb", "nav-bottom") == middle
    answers = folder / "solutions" / "01_cut_solutions.ipynb"
    assert (
        _text(answers, "nav-top")
        == "[back to 01 · Cut](../01_cut.ipynb) · [glossary](../../docs/glossary.md)"
    )


def test_the_glossary_that_navigation_leads_to_is_there():
    assert (tool.FOLDER / tool.GLOSSARY).is_file()


def test_what_nav_and_clean_leave_passes_the_check(folder, capsys):
    for command in ("clean", "nav", "check"):
        assert tool.main([command, "--folder", str(folder)]) == 0
    assert capsys.readouterr().out.strip().endswith("4 notebooks are in order")
    before = {path: path.stat().st_mtime_ns for path in tool.files(folder)}
    tool.main(["clean", "--folder", str(folder)])
    assert {path: path.stat().st_mtime_ns for path in tool.files(folder)} == before, (
        "a clean file was written again"
    )


def test_the_layout_is_nbformats_own(folder):
    path = folder / "01_cut.ipynb"
    text = path.read_text("utf-8")
    assert nbformat.writes(nbformat.reads(text, as_version=4)) + "\n" == text
    nbformat.validate(nbformat.reads(text, as_version=4))
    assert "Märchen" in text


def test_a_title_without_heading_is_the_file_name(folder):
    notebook = _notebook("x")
    notebook["cells"][1]["source"] = ["no heading"]
    tool.write(folder / "03_bare.ipynb", notebook)
    assert tool.title(folder / "03_bare.ipynb") == "03_bare"


def test_clean_takes_outputs_and_session_metadata_and_leaves_the_rest(folder):
    path = folder / "01_cut.ipynb"
    dirty = tool.read(path)
    clean_text = path.read_text("utf-8")
    work = dirty["cells"][3]
    work |= {
        "execution_count": 7,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": ["0\n"]}],
    }
    work["metadata"] = {"execution": {"iopub.execute_input": "now"}, "scrolled": True}
    dirty["metadata"]["language_info"]["version"] = "3.99"
    dirty["metadata"]["widgets"] = {"state": {}}
    path.write_text(json.dumps(dirty), "utf-8")
    assert tool.main(["clean", "--folder", str(folder), str(path)]) == 0
    assert path.read_text("utf-8") == clean_text


def _spoil(notebook: dict[str, Any], what: str) -> None:
    cells = notebook["cells"]
    if what == "output":
        cells[3]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["0\n"]}]
    elif what == "counter":
        cells[3]["execution_count"] = 1
    elif what == "no id":
        del cells[3]["id"]
    elif what == "odd id":
        cells[3]["id"] = "two words"
    elif what == "twin":
        cells[3]["id"] = "title"
    elif what == "no tag":
        cells[2]["metadata"] = {}
    elif what == "late tag":
        cells[2], cells[3] = cells[3], cells[2]
    elif what == "long":
        cells[3]["source"] = [f"x = {n}\n" for n in range(15)] + ["x"]
    elif what == "cell metadata":
        cells[1]["metadata"] = {"collapsed": True}
    elif what == "metadata":
        notebook["metadata"]["widgets"] = {}
    elif what == "no nav":
        cells[4]["id"] = "end"
    elif what == "old nav":
        cells[4]["source"] = ["[elsewhere](elsewhere.ipynb)"]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("output", r"cell 4 \(work\) holds outputs"),
        ("counter", r"cell 4 \(work\) holds outputs or a counter"),
        ("no id", r"cell 4 \(no id\) lacks a readable id"),
        ("odd id", r"cell 4 \(two words\) lacks a readable id"),
        ("twin", "cell id 'title' occurs twice"),
        ("no tag", "tagged 'parameters'"),
        ("late tag", "the first code cell, and only that one, must be tagged 'parameters'"),
        ("long", r"cell 4 \(work\) has 16 lines, expected 15 at most"),
        ("cell metadata", r"cell 2 \(title\) has the metadata collapsed"),
        ("metadata", "the notebook's metadata hold more"),
        ("no nav", "the navigation cell nav-bottom is missing"),
        ("old nav", "the navigation is not current"),
    ],
)
def test_each_kind_of_disorder_has_its_sentence(folder, capsys, what, sentence):
    path = folder / "01_cut.ipynb"
    notebook = tool.read(path)
    _spoil(notebook, what)
    tool.write(path, notebook)
    capsys.readouterr()
    assert tool.main(["check", "--folder", str(folder)]) == 1
    said = capsys.readouterr().out.strip().splitlines()
    assert len(said) == 1, said
    assert said[0].startswith("01_cut.ipynb: ")
    assert re.search(sentence, said[0]), said[0]


def test_fifteen_lines_are_not_too_many(folder):
    path = folder / "01_cut.ipynb"
    notebook = tool.read(path)
    notebook["cells"][3]["source"] = [f"x = {n}\n" for n in range(14)] + ["x"]
    tool.write(path, notebook)
    assert tool.main(["check", "--folder", str(folder)]) == 0


def test_a_changed_title_makes_the_neighbours_navigation_old(folder, capsys):
    path = folder / "02_noise.ipynb"
    notebook = tool.read(path)
    notebook["cells"][1]["source"] = ["# 02 · Another title"]
    tool.write(path, notebook)
    capsys.readouterr()
    assert tool.main(["check", "--folder", str(folder)]) == 1
    assert capsys.readouterr().out.startswith("01_cut.ipynb: the navigation is not current")


def test_a_layout_that_is_not_jupyters_is_told(folder, capsys):
    path = folder / "01_cut.ipynb"
    path.write_text(json.dumps(tool.read(path)), "utf-8")
    assert tool.main(["check", "--folder", str(folder)]) == 1
    assert "not laid out as JupyterLab saves it" in capsys.readouterr().out


def test_a_file_that_is_no_notebook(folder, capsys):
    capsys.readouterr()
    (folder / "01_cut.ipynb").write_text("{", "utf-8")
    with pytest.raises(ValueError):
        tool.read(folder / "01_cut.ipynb")
    assert tool.main(["check", "--folder", str(folder)]) == 1
    said = capsys.readouterr().out.strip().splitlines()
    assert (
        "01_cut.ipynb is no notebook (JSONDecodeError), expected JSON with cells: restore it"
        in said
    )


def test_wrong_usage(tmp_path, folder, capsys):
    (tmp_path / "empty").mkdir()
    assert tool.main(["check", "--folder", str(tmp_path / "empty")]) == 2
    assert tool.main(["check", "--folder", str(folder), str(folder / "elsewhere.ipynb")]) == 2
    assert "elsewhere.ipynb is none of them" in capsys.readouterr().err
