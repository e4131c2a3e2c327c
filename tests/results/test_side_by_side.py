"""All systems on the same songs: which runs count, under which names, at which noise, and their costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer_kit.results import answers, compare, runs_table, side_by_side
from mer_kit.runs.presets import resolve
from tests.results.stored_runs import CLIPS, rightness, write_run

CONFIG = resolve(
    corpus="4q", preset="smoke", folds=3, method="sssl", noise_kind="song", noise_rate=0.4
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Two methods with and without noise, a variant, a system of its own front-end, and runs that do not belong."""
    home = tmp_path_factory.mktemp("runs")
    noisy = {"noise_kind": "song", "noise_rate": 0.4}
    settings = {
        "ce": {"method": "ce"},
        "ce1": {"method": "ce", "seed": 1},
        "ce noisy": {"method": "ce", **noisy},
        "sssl": {"method": "sssl"},
        "sssl noisy": {"method": "sssl", **noisy},
        "paper": {"method": "sssl", "variant": "paper"},
        "paper noisy": {"method": "sssl", "variant": "paper", **noisy},
        "system": {"method": "embedding_svm", "frontend": "descriptors"},
        "long": {"method": "mixup", "segment_seconds": 5.0},
        "longer": {"method": "sssl", "segment_seconds": 5.0},
        "other folds": {"method": "mixup", "folds": 4},
        "other task": {"method": "mixup", "task": "valence"},
    }
    for number, (name, own) in enumerate(settings.items()):
        kind = "system" if name == "system" else "mean"
        write_run(home / name, {kind: rightness(number)}, **own)
    # The checksum covers the features, which are the system's own.
    file = home / "system" / "config.json"
    file.write_text(
        file.read_text("utf-8").replace('"corpus_checksum": "0"', '"corpus_checksum": "1"'), "utf-8"
    )
    return runs_table.collect(home)


def test_only_runs_on_the_same_songs_and_folds_count(results: pd.DataFrame) -> None:
    table = side_by_side.answers_alike(results, CONFIG, CLIPS)
    folders = table.groupby("name")["folder"].unique().map(sorted).to_dict()
    assert folders == {
        "ce": ["ce", "ce noisy", "ce1"],
        "sssl": ["sssl", "sssl noisy"],
        "sssl, paper's form": ["paper", "paper noisy"],
        "embedding_svm": ["system"],
        "mixup": ["long"],  # no run with the notebook's own duration
    }
    assert side_by_side.answers_alike(results, CONFIG, CLIPS[1:]).empty


def test_systems_with_features_of_their_own_are_compared(results: pd.DataFrame) -> None:
    by_folder = results.set_index("folder")["division"]
    assert by_folder["system"] == by_folder["ce"] != by_folder["ce noisy"]
    table = compare.comparisons(answers.song_answers(results))
    assert any(name.startswith("embedding_svm, ") for name in table["second"])


def test_the_noise_map_holds_each_kind_from_no_noise_on(results: pd.DataFrame) -> None:
    told = side_by_side.answers_alike(results, CONFIG, CLIPS)
    table = side_by_side.noise_map(told)
    song = table[table["kind"] == "song"].set_index(["name", "rate"]).sort_index()
    assert [*song.index] == [
        ("sssl", 0.0), ("sssl", 0.4), ("sssl, paper's form", 0.0), ("sssl, paper's form", 0.4)
    ]  # fmt: skip
    row = song.loc[("sssl", 0.4)]
    assert row["accuracy"] == pytest.approx(rightness(4).mean())
    assert row["baseline"] == pytest.approx(rightness(2).mean())
    assert song["low"].dtype == float and (song["low"] <= song["difference"]).all()
    clean = compare.comparisons(told[told["noise_rate"] == 0]).set_index("second")
    assert set(table["name"][table["kind"] == "none"]) == set(clean.index)
    same = clean.loc["sssl", "difference"]
    assert song.loc[("sssl", 0.0), "difference"] == same and clean.loc["sssl", "seeds"] == 1


def test_costs_are_means_over_the_runs_of_a_system_at_each_noise(results: pd.DataFrame) -> None:
    told = results.assign(
        parameters=100.0, split=results["folder"].map({"sssl": 0.0, "sssl noisy": 0.5})
    )
    told.loc[told["folder"] == "ce1", "parameters"] = 300.0
    table = side_by_side.costs_alike(told, side_by_side.answers_alike(told, CONFIG, CLIPS))
    table = table.set_index(["name", "kind", "rate"])
    assert table.loc[("ce", "none", 0.0), "parameters"] == 200
    assert table.loc[("ce", "song", 0.4), "seconds_per_fold"] == 60
    assert [table.loc[("sssl", *noise), "split"] for noise in (("none", 0.0), ("song", 0.4))] == [
        0,
        0.5,
    ]
    assert np.isnan(table.loc[("ce", "none", 0.0), "split"])


def test_an_unreadable_run_stops_nothing(results: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "odd" / "folds").mkdir(parents=True)
    (tmp_path / "odd" / "config.json").write_text("{", "utf-8")
    both = pd.concat([results, runs_table.collect(tmp_path)], ignore_index=True)
    assert not side_by_side.answers_alike(both, CONFIG, CLIPS).empty
