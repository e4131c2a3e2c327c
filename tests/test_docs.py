"""The documents name what exists: commands, options, files and settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mer_kit.cli import main
from mer_kit.runs import engine, grid

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
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "batch.md").read_text("utf-8"), re.DOTALL)
    plan, cluster = (yaml.safe_load(block) for block in blocks)
    assert len(grid.cells(grid.Grid.of(plan))) == 5 * 2 * 3 * 3
    assert set(cluster) <= set(engine.SLURM_NAMES)
