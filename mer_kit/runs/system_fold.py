"""A fold of a system: features of whole songs, one fit, and the probabilities of every song.

Notebook: 04_song_decisions
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mer_kit import files, systems
from mer_kit.checks import MerKitError, check_probabilities
from mer_kit.seeding import derive

if TYPE_CHECKING:
    from mer_kit.runs.experiment import Experiment


def train(experiment: Experiment, number: int) -> float:
    """Fit the run's system on a fold's training songs; return the seconds taken.

    Writes segments.csv with one row per song.
    """
    began = time.perf_counter()
    config, fold = experiment.config, experiment.folds[number]
    clips = np.concatenate([fold.train, fold.test])
    features = np.stack([song_features(experiment, int(clip)) for clip in clips])
    n_train, n_classes = len(fold.train), len(experiment.classes)
    system = systems.make(
        config.system,
        config.system_settings,
        n_classes=n_classes,
        seed=derive(config.seed, f"fold {number}") % 2**31,
    )
    system.fit(features[:n_train], experiment.labels[fold.train])
    p = check_probabilities(f"output of system {config.system}", system.predict_proba(features))
    if p.shape != (len(clips), n_classes):
        raise MerKitError(
            f"system {config.system} returned {p.shape[0]} rows of {p.shape[1]} probabilities, "
            f"expected {len(clips)} of {n_classes}: correct its predict_proba"
        )
    table = pd.DataFrame({"clip_id": np.array(experiment.clip_ids)[clips], "start_s": 0.0})
    table["end_s"] = experiment.store.durations_s[clips]
    table["part"] = np.repeat(["train", "test"], [n_train, len(fold.test)])
    table["label"] = np.array(experiment.classes)[experiment.labels[clips]]
    for k, name in enumerate(experiment.classes):
        table[name] = p[:, k]
    files.write_table(experiment.folder.fold(number) / "segments.csv", table, float_format="%.6g")
    return time.perf_counter() - began


def song_features(experiment: Experiment, clip: int) -> np.ndarray:
    """Return float64 [2·d], mean and standard deviation of a song's features over time."""
    store, config = experiment.store, experiment.config
    values = store.values(clip)
    if config.max_seconds is not None:
        per_second = store.frontend.frames_per_second
        if store.frontend.pool is not None:
            per_second = 1 / store.recipe.every_seconds
        values = values[: max(1, round(config.max_seconds * per_second))]
    return systems.song_features(values)
