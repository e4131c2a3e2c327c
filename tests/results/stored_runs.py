"""Runs as folders with stored answers and artists, for tests of comparisons and of table 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.records import TASKS
from mer_kit.runs.config import as_dictionary
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import write_json
from mer_kit.songs import scores

CLIPS = [f"c{i:03d}" for i in range(60)]
ARTISTS = [f"a{i // 2}" for i in range(60)]


def write_run(
    folder: Path, right: dict[str, np.ndarray], *, fold: np.ndarray | None = None, **settings: Any
) -> Path:
    """Write a run whose classifiers have these of the 60 songs right; fold k has every third song."""
    config = resolve(**{"corpus": "4q", "preset": "smoke", "folds": 3, **settings})
    names = np.array(TASKS[config.task])
    n = len(names)
    truth = np.arange(60) % n
    fold = np.arange(60) % 3 if fold is None else fold
    told = {name: np.where(one, truth, (truth + 1) % n) for name, one in right.items()}
    folds = []
    for k in np.unique(fold):
        its = fold == k
        songs = {name: scores.score(truth[its], one[its], n) for name, one in told.items()}
        one = scores.score(truth[its], truth[its], n)
        folds.append({"fold": k, "n_train": 40, "n_test": its.sum(), "songs": songs, "segments": one,
                      "majority": scores.majority(truth, truth[its], n), "seconds": 60.0})  # fmt: skip
    folder.mkdir(parents=True)
    content = {**as_dictionary(config), "fingerprint": folder.name, "corpus_checksum": "0"}
    write_json(folder / "config.json", content)
    summary = {"pooled": {}, "seconds": 180.0, "n_songs": 60}
    write_json(folder / "metrics.json", {"folds": folds, "summary": summary})
    write_json(folder / "folds.json", {"clips": CLIPS[::-1], "groups": ARTISTS[::-1], "folds": []})
    table = pd.DataFrame({"clip_id": CLIPS, "fold": fold, "label": names[truth]})
    table.assign(**{name: names[one] for name, one in told.items()}).to_csv(
        folder / "songs.csv", index=False
    )
    return folder


def rightness(seed: int, chance: float = 0.7) -> np.ndarray:
    return np.random.default_rng(seed).random(60) < chance
