"""The experiments' files: every grid is valid, and the division of 4Q is the one of its seed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from mer_kit.batch import grid
from mer_kit.training import METHODS

FOLDER = Path(__file__).parents[1] / "experiments"
FILES = sorted(FOLDER.glob("*.yaml"))


def cells_of(file: Path) -> list[grid.Cell]:
    return grid.cells(grid.Grid.of(yaml.safe_load(file.read_text("utf-8"))))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_is_a_grid_on_the_folds_of_the_protocol(file: Path) -> None:
    cells = cells_of(file)
    assert {cell.config.divides_by for cell in cells} == {0}
    assert {cell.config.folds for cell in cells} == {10}
    assert file.name in (FOLDER / "README.md").read_text("utf-8")


def test_the_main_table_has_every_method_five_times() -> None:
    cells = cells_of(FOLDER / "methods.yaml")
    assert {cell.config.method for cell in cells} == {*METHODS, "embedding_svm"}
    assert len(cells) == 5 * (len(METHODS) + 1)


def test_the_noise_maps_have_one_run_without_noise_for_each_method_and_seed() -> None:
    for file in (file for file in FILES if file.stem.startswith("noise")):
        configs = [cell.config for cell in cells_of(file)]
        clean = [one for one in configs if one.noise_kind == "none"]
        assert len(clean) == len({(one.method, one.seed) for one in configs})
        assert len(configs) == 7 * len(clean), file.name


def test_the_division_keeps_artists_together_and_folds_alike() -> None:
    table = pd.read_csv(FOLDER / "folds_4q.csv", dtype=str)
    assert len(table) == table["clip_id"].nunique() == 900
    assert set(table["fold"].value_counts()) == {90}
    assert table.groupby("group")["fold"].nunique().max() == 1
