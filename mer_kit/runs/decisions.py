"""From a fold's segment probabilities to one answer per song: fitted, scored, summarised.

Notebook: 04_song_decisions
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, plain
from mer_kit.records import Fold, FoldResult
from mer_kit.runs.config import RunConfig, class_names
from mer_kit.seeding import derive
from mer_kit.songs import classifiers, scores
from mer_kit.songs.classifier import SongClassifier

#: Name of a system's own answer, where song-level classifiers have theirs.
SYSTEM = "system"


def decide_fold(
    table: pd.DataFrame,
    fold: Fold,
    labels: np.ndarray,
    *,
    clip_ids: Sequence[str],
    config: RunConfig,
    seconds: float,
    folder: Path | None = None,
    known: Mapping[str, np.ndarray] = MappingProxyType({}),
    groups: np.ndarray | None = None,
) -> tuple[FoldResult, pd.DataFrame]:
    """Return a fold's scores and its song table.

    The table has the columns clip_id, fold, label, and one of class indices per song-level
    classifier. Nothing is written unless `folder` is given.

    Parameters
    ----------
    table : the fold's segments.csv: clip_id, part ("train" or "test"), one column per class
    labels, clip_ids : of all clips, in the order that `fold` refers to
    seconds : training time of the fold, for the result
    folder : where to save each classifier that is fitted here, as <name>.safetensors
    known : answers for the test songs by classifier; these classifiers are not fitted again
    groups : of all clips, which inner folds keep together; None if each song is on its own
    """
    test_p, test_song = _arrays(table, "test", fold.test, clip_ids, config)
    answers: dict[str, np.ndarray] = {}
    for name in names_for(config):
        if name in known:
            answers[name] = known[name]
        elif name == SYSTEM:  # its probabilities of the whole song are its answer
            answers[name] = test_p[np.argsort(test_song)].argmax(axis=1)
        else:
            classifier: Any = fitted(
                name, table, fold, labels, clip_ids=clip_ids, config=config, groups=groups
            )
            answers[name] = classifier.predict(test_p, test_song, len(fold.test))
            if folder is not None and classifiers.is_saved(name):
                with contextlib.suppress(OSError):  # read-only: fitted again when it is needed
                    classifier.save(folder / f"{name}.safetensors")
    segments = scores.score(
        labels[fold.test][test_song], test_p.argmax(axis=1), len(class_names(config))
    )
    return scored(
        fold, labels, answers, segments, clip_ids=clip_ids, config=config, seconds=seconds
    )


def scored(
    fold: Fold,
    labels: np.ndarray,
    answers: Mapping[str, np.ndarray],
    segments: Mapping[str, float],
    *,
    clip_ids: Sequence[str],
    config: RunConfig,
    seconds: float,
) -> tuple[FoldResult, pd.DataFrame]:
    """Return the scores and the song table of a fold's answers; see `decide_fold`."""
    truth, n_classes = labels[fold.test], len(class_names(config))
    songs = pd.DataFrame(
        {
            "clip_id": [clip_ids[i] for i in fold.test],
            "fold": fold.number,
            "label": truth,
            **answers,
        }
    )
    result = FoldResult(
        fold=fold.number,
        n_train=len(fold.train),
        n_test=len(fold.test),
        segments=segments,
        songs={name: scores.score(truth, answer, n_classes) for name, answer in answers.items()},
        majority=scores.majority(labels[fold.train], truth, n_classes),
        seconds=seconds,
    )
    return result, songs


def names_for(config: RunConfig) -> tuple[str, ...]:
    """Return the names of what answers for songs: every song-level classifier, or the system.

    Examples
    --------
    >>> names_for(RunConfig())[0]
    'svm'
    """
    return (SYSTEM,) if config.system else classifiers.NAMES


def fitted(
    name: str,
    table: pd.DataFrame,
    fold: Fold,
    labels: np.ndarray,
    *,
    clip_ids: Sequence[str],
    config: RunConfig,
    groups: np.ndarray | None = None,
) -> SongClassifier:
    """Return a song-level classifier fitted on a fold's training songs; see `decide_fold`."""
    train_p, train_song = _arrays(table, "train", fold.train, clip_ids, config)
    of_songs = None
    if groups is not None and config.svm_folds == "artists":
        of_songs = groups[fold.train]
    return fresh(name, theta=config.theta, seed=config.seed, groups=of_songs).fit(
        train_p, train_song, labels[fold.train]
    )


def fresh(
    name: str, *, theta: float, seed: int, groups: np.ndarray | None = None
) -> SongClassifier:
    """Return an unfitted song-level classifier with the seed derived from the run's seed.

    Examples
    --------
    >>> fresh("svm", theta=0.4, seed=0).theta
    0.4
    """
    return classifiers.make(name, theta=theta, seed=derive(seed, "svm") % 2**31, groups=groups)


def _arrays(
    table: pd.DataFrame, part: str, clips: np.ndarray, clip_ids: Sequence[str], config: RunConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities [S, K] of a part and the song of each, its place among `clips`."""
    rows = table[table["part"] == part]
    songs = positions(rows["clip_id"], [clip_ids[i] for i in clips])
    return rows[list(class_names(config))].to_numpy(), songs


def positions(ids: pd.Series, clip_ids: Sequence[str]) -> np.ndarray:
    """Return int64 [n], the position of each id in `clip_ids`.

    Raises
    ------
    MerKitError
        If one of them is not there.

    Examples
    --------
    >>> positions(pd.Series(["b", "a", "b"]), ["a", "b"])
    array([1, 0, 1])
    """
    places = ids.map({clip_id: i for i, clip_id in enumerate(clip_ids)})
    if places.isna().any():
        strange = plain(str(ids[places.isna()].iloc[0]), 80)
        raise MerKitError(
            f"segments.csv names the song {strange!r}, expected only songs of this fold: "
            "train the fold again, or ask the sender for the file"
        )
    return places.to_numpy(dtype=np.int64)


def summary(results: Sequence[FoldResult], songs: pd.DataFrame, n_classes: int) -> dict[str, Any]:
    """Return the summary of metrics.json: mean and sd over folds, and scores over all songs."""
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
    """Return a song table with class names in place of class indices.

    Examples
    --------
    >>> songs = pd.DataFrame({"clip_id": ["a"], "fold": 0, "label": 1, "svm": 0})
    >>> with_names(songs, ("V-", "V+"))[["label", "svm"]].values.tolist()
    [['V+', 'V-']]
    """
    columns = songs.columns.difference(["clip_id", "fold"])
    return songs.assign(**{name: np.array(classes)[songs[name].to_numpy()] for name in columns})
