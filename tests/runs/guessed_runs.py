"""Run folders as finished runs leave them, whose answers are guessed from a seed: for pages and tables of many runs."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from mer_kit.records import TASKS, FoldResult
from mer_kit.runs import run_folder
from mer_kit.runs.config import RunConfig, as_dictionary
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import RunFolder
from mer_kit.songs import classifiers, scores

#: Songs that each fold tests and trains on.
SONGS = {"n_test": 20, "n_train": 180}


def configs(count: int) -> list[RunConfig]:
    """Return so many configurations that differ: tasks × methods × durations, then seeds."""
    varied = list(itertools.product((1.0, 2.0, 3.0, 4.0, 5.0), ("ce", "sssl_no_kl", "sssl"), TASKS))
    return [
        resolve(
            corpus="4q",
            task=task,
            segment_seconds=seconds,
            method=method,
            preset="cpu",
            seed=k // len(varied),
        )
        for k, (seconds, method, task) in zip(range(count), itertools.cycle(varied))
    ]


def finished(runs: Path, config: RunConfig) -> RunFolder:
    """Write config.json, metrics.json and status.json of a run whose deciders guess; return its folder."""
    mark = run_folder.fingerprint(config, corpus_checksum="guessed", code_version="guessed")
    run = RunFolder.of(runs, config, mark)
    rng = np.random.default_rng(int(mark, 16))
    classes = len(TASKS[config.task])

    def guessed() -> dict[str, float]:
        truth, answers = rng.integers(classes, size=(2, SONGS["n_test"]))
        return scores.score(truth, answers, classes)

    folds = [
        FoldResult(k, **SONGS, segments=guessed(), songs={name: guessed() for name in classifiers.NAMES},
                   majority=guessed(), seconds=float(rng.uniform(60, 900)))
        for k in range(config.folds)
    ]  # fmt: skip
    summary = {
        "n_songs": SONGS["n_test"] * config.folds,
        "seconds": sum(fold.seconds for fold in folds),
        "pooled": {name: guessed() for name in classifiers.NAMES},
    }
    about = {"fingerprint": mark, "corpus_checksum": "guessed", "skipped": []}
    run_folder.write_json(run.path / "config.json", {**as_dictionary(config), **about})
    run_folder.write_json(run.path / "metrics.json", {"folds": folds, "summary": summary})
    run.set_status("done", folds=list(range(config.folds)), of=config.folds)
    return run
