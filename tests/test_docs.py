"""The documents name what exists: commands, options, files and settings."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import pkgutil
import re
from pathlib import Path

import pytest
import yaml

import mer_kit
from mer_kit.batch import grid
from mer_kit.batch.cluster import SLURM_NAMES
from mer_kit.cli import main
from mer_kit.pages import export

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_there_are_pages() -> None:
    assert len(PAGES) >= 3 and all(page.is_file() for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_exist(page: Path) -> None:
    text = page.read_text("utf-8").replace("\\\n", " ")
    found = re.findall(r"^\s*mer-kit ([a-z]+)([^\n`#]*)", text, re.MULTILINE)
    for command, rest in found:
        known = {option for parameter in main.commands[command].params for option in parameter.opts}
        assert {word for word in re.findall(r"--[a-z-]+", rest)} <= known, (command, rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_yaml_examples_are_read_by_what_reads_them() -> None:
    blocks = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "batch.md").read_text("utf-8"), re.DOTALL
    )
    plan, variants, cluster = (yaml.safe_load(block) for block in blocks)
    assert len(grid.cells(grid.Grid.of(plan))) == 5 * 2 * 3 * 3
    assert len(grid.cells(grid.Grid.of(variants))) == len(variants["variants"]) == 3
    assert set(cluster) <= set(SLURM_NAMES)


# ---- what teaching relies on ---------------------------------------------------------------------------------------

DOCS = ROOT / "docs"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _cells(path: Path) -> list[dict[str, object]]:
    return list(json.loads(path.read_text("utf-8"))["cells"])


@pytest.mark.parametrize("name", ["glossary", "formulae", "teaching"])
def test_functions_that_a_document_names_exist(name: str) -> None:
    rooms = "|".join(sorted(entry.name for entry in pkgutil.iter_modules(mer_kit.__path__)))
    found = set(re.findall(rf"`((?:{rooms})(?:\.\w+)+)`", (DOCS / f"{name}.md").read_text("utf-8")))
    assert len(found) >= {"glossary": 40, "formulae": 15, "teaching": 1}[name]
    for dotted in found:
        module, names = "mer_kit", dotted.split(".")
        while names and importlib.util.find_spec(f"{module}.{names[0]}") is not None:
            module = f"{module}.{names.pop(0)}"
            if not hasattr(importlib.import_module(module), "__path__"):
                break
        thing: object = importlib.import_module(module)
        for name_ in names:
            assert hasattr(thing, name_), dotted
            thing = getattr(thing, name_)


def test_every_term_has_a_sentence_and_leads_to_a_notebook() -> None:
    text = (DOCS / "glossary.md").read_text("utf-8")
    terms = re.findall(r"^### (.+)\n(.+)\n\n(.+)$", text, re.MULTILINE)
    assert len(terms) == text.count("\n### ") >= 60
    for term, sentence, links in terms:
        assert sentence.rstrip().endswith("."), term
        assert re.match(r"\[0\d\]\(\.\./notebooks/0\d_\w+\.ipynb\)", links), term
    assert len({term.lower() for term, _, _ in terms}) == len(terms)


def test_every_equation_of_the_paper_is_there_once_and_in_order() -> None:
    numbers = re.findall(r"\\tag\{(\d+)\}", (DOCS / "formulae.md").read_text("utf-8"))
    assert numbers == [str(n) for n in range(1, 16)]


def test_every_formula_can_be_drawn() -> None:
    for page in sorted(DOCS.glob("*.md")):
        made = export.mathml(re.sub(r"\\tag\{\d+\}", "", page.read_text("utf-8")))
        assert "$$" not in re.sub(r"`[^`]*`", "", made), page.name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_has_three_exercises_with_hints_and_solutions(path: Path) -> None:
    solutions = path.parent / "solutions" / f"{path.stem}_solutions.ipynb"
    for home, answered in ((path, False), (solutions, True)):
        checks = [
            "".join(cell["source"])
            for cell in _cells(home)
            if "check(\n" in "".join(cell["source"])
        ]  # type: ignore[arg-type]
        titles = [found for check in checks for found in re.findall(r'"(Exercise \d)"', check)]
        assert (
            titles == [f"Exercise {n}" for n in range(1, len(titles) + 1)] and len(titles) >= 3
        ), home.name
        assert all("hint=" in check and (" = ...\n" in check) != answered for check in checks), (
            home.name
        )


# ---- Binder and dev container --------------------------------------------------------------------------------------


def test_binder_and_dev_container_install_from_this_pyproject() -> None:
    lines = (ROOT / ".binder" / "requirements.txt").read_text("utf-8").splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    assert (
        wanted == ["-c ../constraints.txt", "-e ."]
        and (ROOT / ".binder" / "../constraints.txt").is_file()
    )
    assert (ROOT / ".binder" / "runtime.txt").read_text("utf-8").strip() == "python-3.11"
    assert os.access(ROOT / ".binder" / "postBuild", os.X_OK)
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert container["postCreateCommand"].endswith("make setup")
