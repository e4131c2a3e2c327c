"""Grids of quick runs, trained in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from mer_kit.batch import in_process
from mer_kit.batch.grid import CorpusCache, Grid
from mer_kit.checks import MerKitError
from mer_kit.results import compare, runs_table, side_by_side

SMALL = {"corpus_options": {"clips": 16, "seconds": 8.0}, "frontend": "logmel_stats"}


def plan(**more: object) -> Grid:
    given = {"preset": "smoke", "folds": 2, "method": ["ce", "embedding_svm"], "overrides": SMALL}
    return Grid.of({**given, **more})


def test_what_is_missing_is_trained_once_and_can_be_compared(tmp_path: Path) -> None:
    cache, said = CorpusCache(tmp_path), []
    noisy = plan(overrides={**SMALL, "noise_kind": ["song"], "noise_rate": [0, 0.4]})
    first = plan(only_folds="0", method="ce")
    assert in_process.train_missing([first], cache, say=said.append) == 1
    assert in_process.train_missing([plan(), noisy], cache, say=said.append) == 4
    assert in_process.train_missing([plan(), noisy], cache, say=said.append) == 0
    assert len(said) == 5 and said[1].startswith("1 of 6: demo, quadrant, 3 s, logmel_stats, ce, ")
    results = runs_table.collect(tmp_path)
    assert results["folds_done"].tolist() == [2] * 4 and set(results["status"]) == {"done"}
    (_, cell) = in_process.cells(plan())
    answers = side_by_side.answers_alike(results, cell.config, cache.experiment(cell).clip_ids)
    assert compare.comparisons(answers[answers["noise_rate"] == 0])["songs"].max() == 16
    table = side_by_side.noise_map(answers)
    assert table[table["kind"] == "song"].groupby("name")["rate"].nunique()["embedding_svm"] == 2


def test_all_grids_are_checked_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(MerKitError, match="noise_rate"):
        in_process.train_missing(
            [plan(), plan(overrides={**SMALL, "noise_kind": "song", "noise_rate": [0.4, 2.0]})],
            CorpusCache(tmp_path),
        )
    assert not [*tmp_path.iterdir()]
