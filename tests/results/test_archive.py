"""Answers in two small files: what comes back, equal bytes, and what cannot be archived."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.results import answers, archive, compare, runs_table
from tests.results.stored_runs import rightness, write_run


@pytest.fixture
def results(tmp_path: Path) -> pd.DataFrame:
    """Return runs of ce and sssl with two seeds, of a system, and of ce on whole clips with noise."""
    for seed in (0, 1):
        for k, method in enumerate(("ce", "sssl")):
            told = {name: rightness(10 * k + seed + c) for c, name in enumerate(("mean", "vote"))}
            write_run(
                tmp_path / f"runs/{method}{seed}", told, method=method, seed=seed, fold_seed=0
            )
    told = {"system": rightness(50)}
    more = {"frontend": "logmel_stats", "fold_seed": 0}
    write_run(tmp_path / "runs/svm", told, method="embedding_svm", **more)
    noisy = {"method": "whole_clip", "noise_kind": "song", "noise_rate": 0.2, "fold_seed": 0}
    write_run(tmp_path / "runs/whole", {"mean": rightness(60)}, **noisy)
    return runs_table.collect(tmp_path / "runs")


def test_the_answers_come_back_and_give_the_same_comparisons(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    archive.write(results, tmp_path, "methods")
    found = archive.read(tmp_path, "methods")
    expected = answers.song_answers(results)
    order = ["folder", "name", "clip_id"]
    pd.testing.assert_frame_equal(
        found.answers.sort_values(order, ignore_index=True)[list(expected.columns)],
        expected.sort_values(order, ignore_index=True),
        check_dtype=False,
    )
    compared = [compare.comparisons(table) for table in (found.answers, expected)]
    order = ["noise_kind", "second"]
    one, other = (table.sort_values(order, ignore_index=True) for table in compared)
    assert len(one) >= 2
    pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=1e-9)
    assert np.isinf(found.runs.set_index("name").loc["whole_clip", "segment_seconds"])
    assert found.runs["segment_accuracy_mean"].eq(1.0).all() and found.runs["seconds"].eq(180).all()


def test_equal_runs_give_equal_bytes_and_no_path_or_name_of_the_machine(
    results: pd.DataFrame, tmp_path: Path
) -> None:
    first, again = (archive.write(results, tmp_path / name, "methods") for name in ("a", "b"))
    shuffled = results.sample(frac=1, random_state=0)
    third = archive.write(shuffled, tmp_path / "c", "methods")
    for one, two, three in zip(first, again, third, strict=True):
        assert one.read_bytes() == two.read_bytes() == three.read_bytes()
    assert str(tmp_path) not in first[1].read_text("utf-8")


def test_several_archives_are_one(results: pd.DataFrame, tmp_path: Path) -> None:
    noisy = results["noise_rate"].gt(0)
    for name, some in (("plain", ~noisy), ("noise", noisy)):
        archive.write(results[some], tmp_path, name)
    both = archive.combine([archive.read(tmp_path, name) for name in ("plain", "noise")])
    assert len(both.answers) == len(answers.song_answers(results))
    assert set(both.runs["folder"]) == set(results["folder"])


def test_runs_of_two_divisions_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "runs/a", {"mean": rightness(0)}, method="ce")
    write_run(
        tmp_path / "runs/b",
        {"mean": rightness(0)},
        method="ce",
        seed=1,
        fold=(np.arange(60) + 1) % 3,
    )
    with pytest.raises(MerKitError, match=r"c000 has several labels.*same fold_seed"):
        archive.write(runs_table.collect(tmp_path / "runs"), tmp_path, "x")
    with pytest.raises(MerKitError, match="none of 0 runs has stored answers"):
        archive.write(runs_table.collect([]), tmp_path, "x")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("how", ["cut", "text", "columns"])
def test_a_damaged_archive_is_one_sentence(
    which: int, how: str, results: pd.DataFrame, tmp_path: Path
) -> None:
    file = archive.write(results, tmp_path, "methods")[which]
    content = file.read_bytes()
    spoilt = {"cut": content[: len(content) // 3], "text": b"nothing", "columns": b"a,b\n1,2\n"}
    file.write_bytes(spoilt[how])
    with pytest.raises(MerKitError, match=f"archive methods in {tmp_path.name} cannot be read"):
        archive.read(tmp_path, "methods")
