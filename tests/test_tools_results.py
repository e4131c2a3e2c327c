"""docs/results.md is what code makes of the archived answers, and of nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.results import archive, compare, runs_table
from tests.results.stored_runs import rightness, write_run
from tools import results_page, results_places

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return archives of made-up answers to 60 songs: methods, whole clips, two noise maps, durations."""
    root = tmp_path_factory.mktemp("experiments")
    shared = {"fold_seed": 0, "frontend": "logmel_stats"}

    def add(name: str, key: str, chance: float, number: int, **more: object) -> None:
        told = {"mean": rightness(number, chance), "svm": rightness(number + 500, chance)}
        write_run(root / name / key, told, **{**shared, **more})

    for seed in (0, 1):
        for k, (method, chance) in enumerate((("ce", 0.6), ("mixup", 0.95))):
            add("methods", f"{method}{seed}", chance, 10 * k + seed, method=method, seed=seed)
        add("whole_clips", f"w{seed}", 0.4, 30 + seed, method="whole_clip", seed=seed)
    for name, methods, more in (
        ("noise", ("ce", "elr"), {}),
        ("noise_sssl_paper", ("sssl",), {"variant": "paper"}),
    ):
        for rate in (0.0, 0.3, 0.6):
            kind = {"noise_kind": "song", "noise_rate": rate} if rate else {}
            for k, method in enumerate(methods):
                chance = 0.9 - 0.8 * rate if method == "ce" else 0.7
                add(name, f"{method}{rate}", chance, 40 + 10 * k, method=method, **kind, **more)
    for seconds in (1.0, 3.0):
        for task in ("quadrant", "valence", "arousal"):
            about = {"method": "ce", "task": task, "segment_seconds": seconds}
            add("durations", f"{task}{seconds}", 0.5 + seconds / 10, int(seconds), **about)
    titles = {"sssl0.0": "paper's form", "sssl0.3": "paper's form", "sssl0.6": "paper's form"}
    for kind, rate in (("none", 0.0), ("song", 0.4)):
        for k, (variant, its) in enumerate((("repaired", {}), ("one pass", {"loss_window": 1}))):
            noise = {"noise_kind": kind, "noise_rate": rate} if rate else {}
            titles[f"{kind}{k}"] = variant
            add("repairs", f"{kind}{k}", 0.9 - 0.5 * k, 70 + k, method="sssl", **its, **noise)
    for k, (variant, parts) in enumerate(
        (("all parts", "+descriptors"), ("without descriptors", ""))
    ):
        told = {"system": rightness(80 + k, 0.9 - 0.4 * k)}
        titles[f"joined{k}"] = variant
        settings = {"fold_seed": 0, "method": "stacking", "frontend": f"logmel_stats{parts}"}
        write_run(root / "joined" / f"joined{k}", told, **settings)
    for folder in sorted(root.iterdir()):
        runs = runs_table.collect(folder)
        variants = {name: titles.get(name, "") for name in runs["folder"]}
        archive.write(runs, root / "answers", folder.name, variants=variants)
    return root / "answers"


def cells(table: str, first: str, column: str) -> str:
    """Return one cell of a Markdown table: the row that begins with a text, the column of this title."""
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in table.splitlines()
        if "|" in line
    ]
    (row,) = [row for row in rows if row[0] == first]
    return row[rows[0].index(column)]


def test_the_systems_are_measured_from_the_answers(answers: Path) -> None:
    table = results_places.systems(answers)
    plain = np.mean([rightness(seed, 0.6) for seed in (0, 1)], axis=0)
    mixup = np.mean([rightness(10 + seed, 0.95) for seed in (0, 1)], axis=0)
    assert cells(table, "`ce`", "songs").startswith(f"{100 * plain.mean():.1f} [")
    found = cells(table, "`mixup`", "against `ce`")
    assert found.startswith(f"{100 * (mixup - plain).mean():+.1f} [")
    assert cells(table, "`mixup`", "finding") == "better"
    assert cells(table, "`whole_clip`", "finding") == "worse"
    assert cells(table, "`mixup`", "segments") == "100.0", (
        "segments of the made-up runs are all right"
    )
    assert "60 songs of 30 artists, 2 seeds" in table and "2 comparisons with `ce`" in table


def test_whole_clips_are_one_sentence(answers: Path) -> None:
    said = results_places.whole_clips(answers)
    d = [rightness(30 + s, 0.4).astype(float) - rightness(s, 0.6) for s in (0, 1)]
    assert f"{100 * np.mean(d):+.1f} points [" in said and "worse" in said


def test_the_noise_map_tells_variants_apart_and_finds_the_crossing(
    answers: Path, tmp_path: Path
) -> None:
    text = results_places.the_noise_map(answers, tmp_path)
    assert "`elr`" in text and "`sssl, paper's form`" in text
    assert "song noise: elr overtakes ce at" in text
    plain, elr = (rightness(40, 0.9 - 0.8 * 0.6), rightness(50, 0.7))
    difference = 100 * (elr.mean() - plain.mean())
    row = next(line for line in text.splitlines() if "`elr`" in line and "|" in line)
    assert f"{100 * elr.mean():.1f} ({difference:+.1f} [" in row.split(" | ")[-1]
    assert (tmp_path / "noise_map_4q.png").stat().st_size > 10_000


def test_repairs_are_compared_with_the_repaired_form_at_each_noise(answers: Path) -> None:
    text = results_places.repairs(answers)
    d = rightness(71, 0.4).astype(float) - rightness(70, 0.9)
    for title in ("as labelled", "40 % of songs wrong"):
        assert (
            cells(text, "repaired", f"songs, {title}") == f"{100 * rightness(70, 0.9).mean():.1f}"
        )
        assert cells(text, "repaired", f"against repaired, {title}") == ""
        found = cells(text, "one pass", f"against repaired, {title}")
        assert found.startswith(f"**{100 * d.mean():+.1f} [") and found.endswith("]**")


def test_the_dip_test_is_judged_at_each_noise_that_has_both_forms(tmp_path: Path) -> None:
    shared = {"fold_seed": 0, "frontend": "logmel_stats", "method": "sssl"}
    for name, variant, settings in (
        ("noise", "", {}),
        ("noise_sssl", "no dip test", {"dip_test": False}),
    ):
        for rate, chance in ((0.0, 0.9), (0.4, 0.5)):
            noise = {"noise_kind": "song", "noise_rate": rate} if rate else {}
            chance -= 0.3 * bool(variant)
            told = {"mean": rightness(int(10 * rate), chance)}
            write_run(tmp_path / name / f"{name}{rate}", told, **shared, **settings, **noise)
        runs = runs_table.collect(tmp_path / name)
        variants = dict.fromkeys(runs["folder"], variant)
        archive.write(runs, tmp_path / "answers", name, variants=variants)
    text = results_places._dip_test(tmp_path / "answers")
    d = rightness(4, 0.2).astype(float) - rightness(4, 0.5)
    assert f"40 % song {100 * d.mean():+.1f} [" in text and "symmetric" not in text


def test_the_joined_front_ends_say_what_each_part_brings(answers: Path) -> None:
    text = results_places.joined(answers)
    every, fewer = rightness(80, 0.9).astype(float), rightness(81, 0.5)
    assert cells(text, "all parts", "songs").startswith(f"{100 * every.mean():.1f} [")
    found = cells(text, "without descriptors", "against all parts")
    assert found.startswith(f"{100 * (fewer - every).mean():+.1f} [")
    assert "All parts against `ce`: +" in text and "better" in text


def test_durations_are_compared_with_three_seconds(answers: Path) -> None:
    text = results_places.durations(answers)
    d = rightness(1, 0.6).astype(float) - rightness(3, 0.8)
    assert f"valence 1 s {100 * d.mean():+.1f} [" in text
    assert cells(text, "3 s", "arousal").startswith(f"{100 * rightness(3, 0.8).mean():.1f} [")


def test_a_page_is_filled_at_its_places_only(answers: Path) -> None:
    begin, end = "<!-- made of durations -->", "<!-- end of durations -->"
    page = f"Before.\n{begin}\nold\n{end}\nAfter.\n"
    text = results_page.filled(page, answers)
    assert text.startswith(f"Before.\n{begin}\n\n| duration") and text.endswith(f"{end}\nAfter.\n")
    assert results_page.filled(text, answers) == text
    with pytest.raises(MerKitError, match="'speed' is unknown, expected one of systems"):
        results_page.filled(page.replace("durations", "speed"), answers)
    with pytest.raises(MerKitError, match="not closed exactly once"):
        results_page.filled(page.replace(end, ""), answers)
    with pytest.raises(MerKitError, match="none of durations is in nowhere/: run `make results`"):
        results_page.filled(page, answers.parent / "nowhere")


def test_only_the_runs_of_an_experiment_are_archived(tmp_path: Path) -> None:
    experiments, runs = tmp_path / "experiments", tmp_path / "runs"
    experiments.mkdir()
    (experiments / "small.yaml").write_text(
        "corpus: 4q\npreset: smoke\nmethod: [ce, mixup, whole_clip]\nfolds: 3\noverrides: {fold_seed: 5}\n"
    )
    write_run(runs / "own", {"mean": rightness(0)}, method="ce", fold_seed=5)
    write_run(runs / "whole", {"mean": rightness(2)}, method="whole_clip", fold_seed=5)
    write_run(runs / "other", {"mean": rightness(1)}, method="ce")
    assert results_page.archive_runs(experiments, [runs]) == ["small: 2 of 3 runs finished"]
    found = archive.read(experiments / "answers", "small")
    assert set(found.runs["folder"]) == {"own", "whole"}
    about = json.loads((experiments / "answers/about.json").read_text("utf-8"))["small"]
    assert about["hours"] == 0.1 and about["finished"].startswith("20")
    (experiments / "small.yaml").write_text(
        "corpus: 4q\npreset: smoke\nmethod: sssl\nfolds: 3\noverrides: {fold_seed: 5}\n"
        "variants: {usual: {}, one pass: {loss_window: 1}}\n"
    )
    write_run(runs / "usual", {"mean": rightness(0)}, method="sssl", fold_seed=5)
    write_run(runs / "one", {"mean": rightness(1)}, method="sssl", fold_seed=5, loss_window=1)
    assert results_page.archive_runs(experiments, [runs]) == ["small: 2 of 2 runs finished"]
    found = archive.read(experiments / "answers", "small").runs.set_index("folder")["name"]
    assert found.to_dict() == {"usual": "sssl, usual", "one": "sssl, one pass"}
    assert "| `small` |" in results_places.origin(experiments / "answers")


def test_the_short_table_has_the_same_numbers(answers: Path) -> None:
    text = results_places.in_short(answers)
    plain, under_noise = (np.mean([rightness(seed, 0.6) for seed in (0, 1)]), rightness(40, 0.42))
    row = next(line for line in text.splitlines() if "(`ce`)" in line).split(" | ")
    assert row[1].startswith(f"{100 * plain:.1f} [")
    assert row[2].startswith(f"{100 * under_noise.mean():.1f} [")
    assert f"| {results_places.SHORT['sssl']} | – | – |" in text, "was not archived here"


def test_fig_2_stands_beside_the_papers_four_statements() -> None:
    text = results_places.fig2(ROOT / "experiments/answers")
    assert len(text.splitlines()) == 2 + 4
    curve = pd.read_csv(ROOT / "figures/fig2_4q.csv")
    later = curve[(curve["start_s"] >= 7) & (curve["start_s"] < 20)][["Q1", "Q2", "Q3", "Q4"]]
    share = (later.idxmax(axis=1) == "Q1").mean()
    assert f"| 7–20 | Q1 | {later.mean().idxmax()} | {100 * share:.0f} % |" in text


def test_what_the_first_paragraph_says_is_what_the_tables_have() -> None:
    """People write the answer; its numbers must follow when the archives change."""
    text = " ".join((ROOT / "docs/results.md").read_text("utf-8").split())
    answer, _, rest = text.partition("## Every method on the same songs")
    found = results_places._read(ROOT / "experiments/answers", results_places.NOISE).answers
    gains = {}
    for name in ("elr", "sssl, no dip test"):
        for rate in (0.4, 0.6):
            here = found[found["noise_kind"].eq("song") & found["noise_rate"].eq(rate)]
            pair = [here[here["name"] == one] for one in ("ce", name)]
            pair = [one[one["classifier"].isin(runs_table.COMPARED)] for one in pair]
            gains[name, rate] = f"{100 * compare.difference(*pair)['difference']:.1f}"
    assert f"ELR gains {gains['elr', 0.4]} points at 40 % and {gains['elr', 0.6]} at 60 %" in answer
    without = gains["sssl, no dip test", 0.4], gains["sssl, no dip test", 0.6]
    assert f"SSSL without its dip test {without[0]} and {without[1]}" in answer
    vgmidi = rest[rest.index("**VGMIDI**") : rest.index("**The demo corpus**")]
    highest = max(re.findall(r"\| (0\.\d\d) \[", vgmidi))
    assert f"with an AUC above {highest.removeprefix('0')}" in answer
    main = rest[rest.index("<!-- made of systems") : rest.index("<!-- end of systems")]
    assert not [word for word in ("better", "worse") if f"| {word} |" in main], (
        "none can be told apart"
    )


@pytest.mark.parametrize("page", results_page.PAGES)
def test_the_pages_are_current(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert results_page.filled(text, ROOT / "experiments/answers") == text
