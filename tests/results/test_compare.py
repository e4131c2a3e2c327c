"""Song by song against plain training: the answers that runs stored, paired, tested and put into words."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.pages import report
from mer_kit.results import answers, compare, findings, runs_table, statistics
from mer_kit.results.comparison_table import comparison_table
from tests.results.stored_runs import rightness, write_run


@pytest.fixture
def grid(tmp_path: Path) -> pd.DataFrame:
    """Runs of ce, mixup, and a system, with seeds 0 and 1; `mean` and the SVM answer differently."""
    for seed in (0, 1):
        for number, method in enumerate(("ce", "mixup")):
            told = {
                name: rightness(10 * seed + number + k)
                for k, name in ((0, "mean"), (50, "svm"), (90, "vote"))
            }
            write_run(tmp_path / f"{method}{seed}", told, method=method, seed=seed)
        told = {"system": rightness(seed + 100)}
        write_run(
            tmp_path / f"s{seed}", told, method="embedding_svm", frontend="logmel_stats", seed=seed
        )
    return runs_table.collect(tmp_path)


def test_the_difference_is_that_of_the_stored_answers_by_mean(grid: pd.DataFrame) -> None:
    table = compare.comparisons(answers.song_answers(grid)).set_index("second")
    assert sorted(table.index) == ["embedding_svm", "inherit_vote", "mixup"]
    for name, first in (("mixup", 1), ("inherit_vote", 90), ("embedding_svm", 100)):
        seeds = [
            (rightness(k * 10), rightness(k * (1 if name == "embedding_svm" else 10) + first))
            for k in (0, 1)
        ]
        d = np.mean([b.astype(int) - a for a, b in seeds], axis=0)
        row = table.loc[name]
        assert row["difference"] == pytest.approx(d.mean(), abs=1e-12)
        assert row["second_accuracy"] - row["first_accuracy"] == pytest.approx(d.mean(), abs=1e-12)
        assert row["only_first"] == sum((a & ~b).sum() for a, b in seeds)
        assert row["only_second"] == sum((b & ~a).sum() for a, b in seeds)
        assert row["low"] < d.mean() < row["high"] and np.isnan(row["p_mcnemar"])
    assert set(
        table[["seeds", "folds", "songs", "artists", "comparisons"]].itertuples(
            index=False, name=None
        )
    ) == {(2, 3, 60, 30, 3)}  # both seeds have the same folds
    assert (table["p_holm"] >= table["p"]).all() and table["p_holm"].min() == pytest.approx(
        min(1, 3 * table["p"].min())
    )


def test_other_answers_on_request_and_of_equal_runs_the_last(grid: pd.DataFrame) -> None:
    told = answers.song_answers(grid, classifier="svm")
    assert set(told["name"]) == {"ce", "mixup"} and set(told["classifier"]) == {"svm"}
    again = pd.concat([grid, grid[grid["folder"] == "ce0"].assign(folder="zz")])
    again = answers.song_answers(again)
    assert "zz" in set(again["folder"]) and "ce0" not in set(again["folder"])


def test_one_seed_has_mcnemar_and_only_shared_songs_count(tmp_path: Path) -> None:
    write_run(tmp_path / "a", {"mean": rightness(0)}, method="ce")
    write_run(
        tmp_path / "b",
        {"mean": rightness(1)},
        method="mixup",
        fold=np.where(np.arange(60) % 3 == 2, 1, np.arange(60) % 3),
    )
    write_run(tmp_path / "c", {"mean": rightness(1)}, method="sssl", seed=3)
    write_run(tmp_path / "d", {"mean": rightness(1)}, method="sssl", folds=4)
    (row,) = compare.comparisons(answers.song_answers(runs_table.collect(tmp_path))).to_dict(
        "records"
    )
    d = rightness(1).astype(int) - rightness(0)
    shared = np.arange(60) % 3 != 2  # in the others, b's fold is another one
    assert (row["second"], row["songs"]) == ("mixup", 40)
    assert row["difference"] == pytest.approx(d[shared].mean(), abs=1e-12)
    assert 0 < row["p_mcnemar"] <= 1 and row["variance_seed"] == 0
    with pytest.raises(MerKitError, match="share no tested song, fold, seed and label"):
        a = answers.song_answers(runs_table.collect(tmp_path))
        compare.difference(a[a["name"] == "ce"], a[a["seed"] == 3])


def test_each_system_is_compared_with_the_nearest_plain_training(tmp_path: Path) -> None:
    for name, settings in {
        "ce3": {"method": "ce"}, "ce5": {"method": "ce", "segment_seconds": 5.0},
        "m5": {"method": "mixup", "segment_seconds": 5.0}, "t": {"method": "sssl", "tau": 0.3},
    }.items():  # fmt: skip
        write_run(tmp_path / name, {"mean": rightness(len(name))}, **settings)
    table = compare.comparisons(answers.song_answers(runs_table.collect(tmp_path)))
    assert dict(zip(table["second"], table["first"], strict=True)) == {
        "mixup, 5 s": "ce, 5 s", "sssl, 3 s": "ce, 3 s"
    }  # fmt: skip


def test_runs_without_answers_or_artists(tmp_path: Path) -> None:
    write_run(tmp_path / "a", {"mean": rightness(0)}, method="ce")
    (tmp_path / "a/folds.json").unlink()
    (write_run(tmp_path / "b", {"mean": rightness(1)}, method="mixup") / "songs.csv").unlink()
    found = answers.song_answers(runs_table.collect(tmp_path))
    assert set(found["folder"]) == {"a"} and found["group"].nunique() == 60


def test_words_say_whether_a_difference_is_separable() -> None:
    row = {
        "difference": 0.05, "low": 0.01, "high": 0.09, "songs": 60, "artists": 30, "seeds": 1, "seeds_per_song": 1.0, "p": 0.01,
        "p_holm": 0.03, "comparisons": 3, "variance_songs": 4e-4, "variance_seed": 0.0,
    }  # fmt: skip
    said = findings.words(row)
    assert said == (
        "+5.0 points [1.0, 9.0] over 60 songs of 30 artists, 1 seed: better, p = 0.01, 0.03 corrected for 3 comparisons"
    )
    assert "worse" in findings.words(row | {"difference": -0.05, "low": -0.09, "high": -0.01})
    assert ": better, but not after the correction, p" in findings.words(row | {"p_holm": 0.06})
    for bounds in ((-0.01, 0.1), (0.0, 0.1), (float("nan"), float("nan"))):
        said = findings.words(row | dict(zip(("low", "high"), bounds, strict=True)))
        assert (
            ": not separable (a true difference of 2 points would be seen with probability 0.17)"
            in said
        )


def test_the_table_has_what_was_compared_with_majority_and_cost(
    grid: pd.DataFrame, tmp_path: Path
) -> None:
    found = compare.comparisons(answers.song_answers(grid))
    cells = comparison_table(found, grid.assign(parameters=1234.0))
    row, text = found.iloc[0], cells.iloc[0]
    assert text["system"] == row["second"] and text["finding"] == findings.finding(row)
    assert text["difference"] == (
        f"{100 * row['difference']:+.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    )
    assert text[["majority", "parameters", "s per fold", "seeds", "McNemar"]].tolist() == [
        "25.0", "1,234", "60.0", "2", "–"
    ]  # fmt: skip
    page = report.write(tmp_path).read_text("utf-8")
    assert "<h2>Compared with plain training</h2>" in page and "Nadeau and Bengio" in page
    assert (tmp_path / "comparisons.md").read_text("utf-8").count("| 4q ") == 3
    assert (tmp_path / "table3.tex").is_file() and (tmp_path / "comparisons.tex").is_file()


def test_equal_answers_promise_nothing(tmp_path: Path) -> None:
    for method in ("ce", "mixup"):
        write_run(tmp_path / method, {"mean": rightness(0)}, method=method)
    found = compare.comparisons(answers.song_answers(runs_table.collect(tmp_path)))
    (row,) = found.to_dict("records")
    numbers = [row[name] for name in ("difference", "low", "high", "p", "p_mcnemar", "p_t")]
    assert numbers == [0, 0, 0, 1, 1, 1]
    assert findings.words(row).endswith(
        "not separable (too little differs to tell what would be seen)"
    )
    assert comparison_table(found, runs_table.collect(tmp_path))["2 points seen"].item() == "–"


def test_a_large_comparison_takes_seconds() -> None:
    """A third of what 15 methods need, with 5 seeds and 900 songs."""
    rng = np.random.default_rng(0)
    songs = pd.DataFrame({"clip_id": np.arange(900).astype(str), "fold": np.arange(900) % 10})
    songs["group"] = "a" + (np.arange(900) * 2 // 3).astype(str)
    about = dict.fromkeys(answers.SYSTEM, "x") | {"folds": 10}
    parts = [
        songs.assign(
            **about,
            seed=seed,
            folder=f"{name}{seed}",
            name=name,
            label="Q1",
            right=rng.random(900) < 0.75,
        )
        for name in ["ce", *(f"m{k}" for k in range(5))]
        for seed in range(5)
    ]
    table = pd.concat(parts, ignore_index=True)
    began = time.process_time()
    found = compare.comparisons(table)
    assert len(found) == 5 and time.process_time() - began < 5
    assert found["variance_seed"].mean() == pytest.approx(2 * 0.75 * 0.25 / 900, rel=0.1)


def test_sentences_tell_of_every_run_and_every_failure(grid: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "zz").mkdir()
    (tmp_path / "zz/config.json").write_text("{")
    results = runs_table.collect(tmp_path)
    lines = findings.sentences(results, runs_table.fold_scores(results))
    assert lines[0] == "7 runs: 6 done, 1 unreadable." and lines[1].startswith("zz is unreadable: ")
    right = rightness(0)
    by_fold = [right[k::3].mean() for k in range(3)]
    spread = f"{100 * np.mean(by_fold):.1f} ± {100 * np.std(by_fold, ddof=1):.1f} % of the songs right over 3 of 3"
    assert any("ce, smoke, seed 0 (ce0)" in line and spread in line for line in lines)
    assert (
        len(lines) == 2 + 6 + 3
        and lines[-1].startswith("4q, quadrant: ")
        and " against ce: " in lines[-1]
    )


def test_a_seed_with_few_folds_counts_with_what_it_tested(tmp_path: Path) -> None:
    """Seed 1 tested only fold 0 with both systems: 20 of 60 songs have two seeds."""
    for seed in (0, 1):
        for k, method in enumerate(("ce", "mixup")):
            folder = write_run(
                tmp_path / f"{method}{seed}", {"mean": rightness(seed + 10 * k)},
                method=method, seed=seed,
            )  # fmt: skip
            if seed:
                songs = pd.read_csv(folder / "songs.csv")
                songs[songs["fold"] == 0].to_csv(folder / "songs.csv", index=False)
    (row,) = compare.comparisons(answers.song_answers(runs_table.collect(tmp_path))).to_dict(
        "records"
    )
    assert [row[name] for name in ("seeds", "folds", "fold_numbers", "songs")] == [2, 3, 3, 60]
    assert row["seeds_per_song"] == pytest.approx(60 / (20 / 2 + 40))


def test_the_next_baseline_is_taken_and_systems_without_one_are_named(tmp_path: Path) -> None:
    write_run(tmp_path / "near", {"mean": rightness(0)}, method="ce", seed=5)
    write_run(tmp_path / "far", {"mean": rightness(1)}, method="ce", segment_seconds=5.0)
    write_run(tmp_path / "m", {"mean": rightness(2)}, method="mixup")
    write_run(tmp_path / "s", {"mean": rightness(3)}, method="sssl", seed=7)
    results = runs_table.collect(tmp_path)
    table = answers.song_answers(results)
    (row,) = compare.comparisons(table).to_dict("records")
    assert (row["second"], row["first"]) == ("mixup, 3 s", "ce, 5 s")
    (line,) = compare.without_partner(table)
    assert line.startswith("4q, quadrant: sssl, 3 s shares no tested song with ce, expected")
    said = findings.sentences(results, runs_table.fold_scores(results))
    assert said[-1] == f"{line}."
    assert line in report.write(tmp_path).read_text("utf-8")


def test_one_run_of_each_system_counts_whatever_else_is_in_its_folder(tmp_path: Path) -> None:
    """Of two equal runs of ce the last counts, for every system that a ce run is."""
    for name in ("a", "b"):
        told = {"mean": rightness(0), "vote": rightness(1)}
        write_run(tmp_path / name, told, method="ce")
    songs = pd.read_csv(tmp_path / "b/songs.csv").drop(columns="vote")
    songs.to_csv(tmp_path / "b/songs.csv", index=False)
    table = answers.song_answers(runs_table.collect(tmp_path))
    sizes = table.groupby("name")["clip_id"].size()
    assert sizes.to_dict() == {"ce": 60, "inherit_vote": 60}


def test_a_song_whose_label_was_corrected_between_two_runs_is_not_compared(tmp_path: Path) -> None:
    for name, method in (("a", "ce"), ("b", "mixup")):
        write_run(tmp_path / name, {"mean": rightness(len(name))}, method=method)
    songs = pd.read_csv(tmp_path / "b/songs.csv")
    songs.loc[:4, "label"] = "Q1"
    songs.to_csv(tmp_path / "b/songs.csv", index=False)
    (row,) = compare.comparisons(answers.song_answers(runs_table.collect(tmp_path))).to_dict(
        "records"
    )
    assert row["songs"] == 60 - (np.arange(5) % 4 > 0).sum()


def test_folds_that_seeds_share_are_one_fold_each_for_the_t_test(tmp_path: Path) -> None:
    own = np.arange(60) % 3
    for name, other in (("shared", own), ("apart", (own + np.arange(60) // 30) % 3)):
        for k, method in enumerate(("ce", "mixup")):
            for seed, fold in ((0, own), (1, other)):
                told = {"mean": rightness(10 * k + seed)}
                write_run(tmp_path / name / f"{k}{seed}", told, method=method, seed=seed, fold=fold)
    rows = {}
    for name in ("shared", "apart"):
        table = answers.song_answers(runs_table.collect(tmp_path / name))
        (rows[name],) = compare.comparisons(table).to_dict("records")
    assert (rows["shared"]["folds"], rows["apart"]["folds"]) == (3, 6)
    d = np.mean([rightness(10 + s).astype(float) - rightness(s) for s in (0, 1)], axis=0)
    by_fold = np.array([d[own == k].mean() for k in range(3)])
    tested = statistics.corrected_t(by_fold, test_to_train=1 / 2)
    assert (rows["shared"]["t_low"], rows["shared"]["t_high"]) == pytest.approx(tested[:2])
