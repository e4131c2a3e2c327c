"""Systems that are a method's run under another name: the run is that method's, tables have their row."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from mer_kit import systems
from mer_kit.batch import grid
from mer_kit.checks import MerKitError
from mer_kit.results import answers, runs_table
from mer_kit.results.paper import systems_table
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from mer_kit.songs import classifiers
from mer_kit.training import methods

NAMES = ("inherit_vote", "inherit_run_length", "elm")


def test_they_are_found_by_name_and_are_a_run_of_their_method() -> None:
    assert set(NAMES) <= set(systems.ALIASES) and set(NAMES) <= set(systems.CHAINS)
    assert not set(systems.ALIASES) & {*systems.SYSTEMS, *methods.METHODS}
    plain = resolve(method="ce")
    for name in NAMES:
        assert resolve(method=name) == plain
        assert systems.TITLES[name] and systems.LOOK[name] and "ce run" in systems.note(name)
    cells = grid.cells(grid.Grid.of({"method": ["ce", *NAMES], "seeds": 2}))
    assert [cell.config.seed for cell in cells] == [0, 1], "one run for each seed"
    with pytest.raises(MerKitError, match="system is 'elm', expected one of"):
        systems.of("elm")


def test_every_alias_names_a_method_and_a_classifier() -> None:
    assert not set(systems_table()["system"]) & set(systems.ALIASES), (
        "the paper prints none of them"
    )
    for alias in systems.ALIASES.values():
        assert alias.method in methods.METHODS
        assert alias.classifier in ("", *classifiers.NAMES)


def test_a_run_of_ce_has_their_rows(tmp_path: Path) -> None:
    small = {"corpus_options": {"clips": 24, "seconds": 8.0}, "frontend": "logmel_stats"}
    config = resolve(method="inherit_vote", preset="smoke", folds=2, **small)  # type: ignore[arg-type]
    Experiment(config, runs_dir=tmp_path, precision="float32", device="cpu").run([0])
    table = answers.song_answers(runs_table.collect(tmp_path))
    assert set(table["name"]) == {"ce", *NAMES}
    (run,) = tmp_path.glob("demo-*-ce-*")
    songs = pd.read_csv(run / "songs.csv").set_index("clip_id")
    for name in NAMES:
        own = table[table["name"] == name].set_index("clip_id")["right"]
        wanted = songs[systems.ALIASES[name].classifier] == songs["label"]
        assert own.to_dict() == wanted.to_dict()
