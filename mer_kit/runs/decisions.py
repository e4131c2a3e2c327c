"""From the segments of a fold to one answer for each song: every song-level classifier fitted, applied, scored and summarised.

Notebook: 04_song_decisions
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, plain
from mer_kit.records import TASKS, Fold, FoldResult
from mer_kit.runs.config import RunConfig
from mer_kit.seeding import derive
from mer_kit.songs import classifiers, scores
from mer_kit.songs.classifier import SongClassifier

#: What a system's own answer is called where song-level classifiers have their names.
SYSTEM = "system"


def decide_fold(
    table: pd.DataFrame,
    fold: Fold,
    labels: np.ndarray,
    *,
    clip_ids: Sequence[str],
    config: RunConfig,
    seconds: float,
    folder: Path,
) -> tuple[FoldResult, pd.DataFrame]:
    """Return a fold's scores and its song table (clip_id, fold, label, one column per song-level classifier: class indices).

    Parameters
    ----------
    table : the fold's segments.csv: clip_id, part ("train" or "test"), one column a class
    labels, clip_ids : of all clips, in the order that `fold` refers to
    seconds : what the fold's training took, for the result
    folder : the fold's; fitted classifiers that can be saved are written there, as <name>.safetensors
    """
    classes = TASKS[config.task]
    train_p, train_song = _arrays(table, "train", [clip_ids[i] for i in fold.train], classes)
    test_p, test_song = _arrays(table, "test", [clip_ids[i] for i in fold.test], classes)
    truth, n_classes = labels[fold.test], len(classes)
    songs = pd.DataFrame({"clip_id": [clip_ids[i] for i in fold.test], "fold": fold.number})
    songs["label"] = truth
    results: dict[str, dict[str, float]] = {}
    if config.system:  # it has decided already: its probabilities of the whole song
        songs[SYSTEM] = test_p[np.argsort(test_song)].argmax(axis=1)
        results[SYSTEM] = scores.score(truth, songs[SYSTEM].to_numpy(), n_classes)
    for name in () if config.system else classifiers.NAMES:
        classifier: Any = fresh(name, theta=config.theta, seed=config.seed)
        classifier.fit(train_p, train_song, labels[fold.train])
        songs[name] = classifier.predict(test_p, test_song, len(fold.test))
        results[name] = scores.score(truth, songs[name].to_numpy(), n_classes)
        if classifiers.is_saved(name):
            with contextlib.suppress(
                OSError
            ):  # a folder that takes no files: it is fitted again where it is needed
                classifier.save(folder / f"{name}.safetensors")
    return FoldResult(
        fold=fold.number,
        n_train=len(fold.train),
        n_test=len(fold.test),
        segments=scores.score(truth[test_song], test_p.argmax(axis=1), n_classes),
        songs=results,
        majority=scores.majority(labels[fold.train], truth, n_classes),
        seconds=seconds,
    ), songs


def fresh(name: str, *, theta: float, seed: int) -> SongClassifier:
    """Return a song-level classifier that is not fitted yet, with the seed that a run's seed gives it."""
    return classifiers.make(name, theta=theta, seed=derive(seed, "svm") % 2**31)


def _arrays(
    table: pd.DataFrame, part: str, clip_ids: Sequence[str], classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities [S, K] and the song of each, 0…len(clip_ids)−1 in their order."""
    rows = table[table["part"] == part]
    return rows[list(classes)].to_numpy(), positions(rows["clip_id"], clip_ids)


def positions(ids: pd.Series, clip_ids: Sequence[str]) -> np.ndarray:
    """Return int64 [n], where each of these ids stands in `clip_ids`.

    Raises
    ------
    MerKitError
        If one of them is not there.
    """
    order = {clip_id: at for at, clip_id in enumerate(clip_ids)}
    found = ids.map(order)
    if found.isna().any():
        strange = plain(str(ids[found.isna()].iloc[0]), 80)
        raise MerKitError(
            f"segments.csv names the song {strange!r}, expected only songs of this fold: train the fold again, or ask the "
            "sender for the file"
        )
    return found.to_numpy(dtype=np.int64)


def summary(results: Sequence[FoldResult], songs: pd.DataFrame, n_classes: int) -> dict[str, Any]:
    """Return the summary of metrics.json: mean and spread over folds, and every classifier's scores over all songs."""
    truth = songs["label"].to_numpy()
    names = list(results[0].songs)
    return {
        "segments": scores.summarise([result.segments for result in results]),
        "songs": {n: scores.summarise([result.songs[n] for result in results]) for n in names},
        "pooled": {n: scores.score(truth, songs[n].to_numpy(), n_classes) for n in names},
        "majority": scores.summarise([result.majority for result in results]),
        "seconds": sum(result.seconds for result in results),
        "n_folds": len(results),
        "n_songs": len(songs),
    }


def with_names(songs: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return a song table with the classes' names in place of their indices."""
    named = songs.copy()
    for column in named.columns.difference(["clip_id", "fold"]):
        named[column] = np.array(classes)[songs[column].to_numpy()]
    return named
