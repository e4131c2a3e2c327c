"""The archives of scores for wrong labels, and the sentences that docs/results.md has about them."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from mer_kit.batch import grid, grid_file
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve
from tools import wrong_labels

ROOT = Path(__file__).parents[1]
RNG = np.random.default_rng(0)
SONG = np.repeat([f"s{k:02d}" for k in range(30)], 12)


def names() -> list[str]:
    kept = [
        f"{variant}|{score}|{when}"
        for variant, scores in wrong_labels.KEPT.items()
        for score in scores
        for when in (wrong_labels.WARMUP, wrong_labels.END)
    ]
    return [*kept, *(f"|{name}|" for name in wrong_labels.ONCE)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    tables = []
    for corpus, sharp in (("vgmidi", 0.3), ("demo", 5.0)):
        wrong = RNG.random(len(SONG)) < 0.15
        scores = {name: sharp * wrong + RNG.normal(size=len(SONG)) for name in names()}
        agreement = RNG.random(len(SONG)) if corpus == "vgmidi" else np.nan
        about = {"clip_id": SONG, "start_s": 0.0, "wrong": wrong.astype(int)}
        tables.append(pd.DataFrame({**about, "agreement": agreement, **scores, "corpus": corpus}))
    text = pd.concat(tables).to_csv(index=False)
    (folder / wrong_labels.SUSPICIONS).write_bytes(gzip.compress(text.encode()))
    pd.DataFrame(
        {"clip_id": ["007"], "start_s": [3.0], "end_s": [6.0], "label": ["Q1"], "answer": ["Q3"],
         "agree": [0.75], "p_label": [0.004], "p_answer": [0.9], "runs": [28]}
    ).to_csv(folder / wrong_labels.REJECTED, index=False)  # fmt: skip
    agreement = np.r_[RNG.random(59), np.nan]
    doubts = {"clip_id": range(60), "group": np.arange(60) // 2, "agreement": agreement}
    pd.DataFrame({**doubts, "doubted": 1 - agreement}).fillna({"doubted": 0.5}).to_csv(
        folder / wrong_labels.DOUBTS, index=False
    )
    return folder


def test_every_score_has_its_aucs_and_the_page_says_which_ones_work(answers: Path) -> None:
    vgmidi, demo = wrong_labels.human_truth(answers).split("**The demo corpus**")
    assert "above 0.70 after the last epoch: none" in vgmidi and "epoch: all" in demo
    table = pd.read_csv(answers / wrong_labels.SUSPICIONS)
    table = table[table["corpus"] == "vgmidi"]
    for training, score in (("plain training", "mean loss"), ("SSSL, paper's form", "1 − ω")):
        row = next(line for line in vgmidi.splitlines() if f"| {training} | {score} |" in line)
        for when in (wrong_labels.WARMUP, wrong_labels.END):
            auc = roc_auc_score(table["wrong"], table[f"{training}|{score}|{when}"])
            assert f"{auc:.2f} [" in row
    assert "at least half of the listeners agree" in vgmidi and "listeners agree" not in demo
    assert re.search(r"Intraclass correlation within songs: -?0\.0\d for being wrong", vgmidi)


def test_the_archived_scores_are_those_of_the_trainings_in_the_files() -> None:
    for corpus in wrong_labels.CORPORA:
        cells = grid.cells(grid_file.read(ROOT / f"experiments/wrong_labels_{corpus}.yaml"))
        methods = {cell.variant: cell.config.method for cell in cells}
        assert methods == dict.fromkeys(wrong_labels.KEPT, "sssl") | {wrong_labels.PLAIN: "ce"}


def test_mistakes_and_annotators_are_told(answers: Path) -> None:
    text = wrong_labels.mistakes(answers)
    assert (
        "| `007` | 3–6 | Q1 | Q3 (75.0 %) | 0.004 | 0.90 |" in text
        and "All of 28 runs with different predictions reject 1 segment of 1 song" in text
    )
    assert "Spearman's ρ -1.00 [-1.00, -1.00] over 59 songs" in text


def test_scores_are_those_of_a_fold_that_was_trained_on_the_song(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        wrong_labels, "ONCE", {"out-of-fold loss": wrong_labels.suspicion.without_the_song}
    )
    options = {"clips": 16, "seconds": 8.0}
    config = resolve(
        preset="smoke", method="ce", folds=2, frontend="logmel_stats", corpus_options=options
    )
    experiment = Experiment(config, runs_dir=tmp_path)
    for number in range(2):
        experiment.train(number)
    table = wrong_labels.suspicions(dict.fromkeys(wrong_labels.KEPT, experiment))
    assert set(table["clip_id"]) == set(experiment.clip_ids)
    assert not table.duplicated(["clip_id", "start_s"]).any()
    assert table[[name for name in table if "|" in name]].notna().all(axis=None)
    clip = table["clip_id"].iloc[0]
    heard = next(f.number for f in experiment.folds if experiment.clip_ids.index(clip) in f.train)
    passes = wrong_labels.read_passes(experiment, heard)
    own = np.asarray(experiment.clip_ids)[passes.clip] == clip
    found = table.loc[table["clip_id"] == clip, "plain training|loss|after the last epoch"]
    np.testing.assert_allclose(found, passes.losses[-1, own])
    doubts = wrong_labels.doubts(experiment)
    assert len(doubts) == 16 and doubts["doubted"].between(0, 1).all()
    assert stats.rankdata(doubts["clip_id"]).tolist() == list(range(1, 17))
