"""A fold's songs as its SVM sees them: 7·K numbers each, scaled; what it says of them and which songs lie nearest.

Notebook: 04_song_decisions
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.runs import schema
from mer_kit.runs.cells import restored
from mer_kit.runs.decisions import with_names
from mer_kit.runs.experiment import Experiment
from mer_kit.songs import features
from mer_kit.songs.classifiers import NAMES as CLASSIFIERS
from mer_kit.songs.classifiers.svm import SVM


@dataclass(frozen=True)
class Songs:
    """Some of a fold's songs with their segments and features, in one order.

    Attributes
    ----------
    clip : int64 [n], positions in the corpus
    label : int64 [n]
    segments : one table a song: start_s, end_s, centre_s, one column a class
    x : float64 [n, 7·K], the features f1…f7 of every class (`songs.features.pool`)
    z : float64 [n, 7·K], the same as the SVM's scaler gives them: 0 is the training songs' mean, 1 their deviation
    """

    clip: np.ndarray
    label: np.ndarray
    segments: tuple[pd.DataFrame, ...]
    x: np.ndarray
    z: np.ndarray

    def __len__(self) -> int:
        return len(self.clip)


@dataclass(frozen=True)
class SongSpace:
    """The training and the test songs of a finished fold, and the SVM that learned from the first.

    Attributes
    ----------
    classes : K names
    train, test : Songs
    svm : the fold's own, as stored
    answers : the test songs' answers, one column a classifier (class names), and label, in the order of `test`
    decisions : float64 [test, K], the SVM's decision value for each class
    """

    classes: tuple[str, ...]
    train: Songs
    test: Songs
    svm: SVM
    answers: pd.DataFrame
    decisions: np.ndarray

    def duels(self, song: int) -> list[tuple[int, int, float]]:
        """Return the SVM's one-against-one values of a test song: (i, j, value), class i wins where the value is above 0.

        With two classes there is one duel, and class 0 wins it where the SVM's decision value is negative.

        Raises
        ------
        MerKitError
            If there is no such song.
        """
        check_range("song", song, 0, len(self.test) - 1, whole=True)
        svc = copy.copy(self.svm.pipeline_[-1])
        svc.decision_function_shape = "ovo"
        values = np.atleast_1d(svc.decision_function(self.test.z[[song]])[0])
        known = [int(k) for k in svc.classes_]
        sign = (
            -1.0 if len(known) == 2 else 1.0
        )  # scikit-learn turns the only duel of two classes round
        pairs = itertools.combinations(known, 2)
        return [(i, j, sign * float(value)) for (i, j), value in zip(pairs, values, strict=True)]

    def nearest(self, song: int, n: int = 5) -> list[tuple[int, float]]:
        """Return the training songs nearest to a test song in the SVM's scaled features: (place in `train`, distance).

        The distance is Euclidean; of songs equally near the first in the corpus comes first.

        Raises
        ------
        MerKitError
            If there is no such song, or `n` is no number of songs.
        """
        check_range("song", song, 0, len(self.test) - 1, whole=True)
        check_range("n", n, 1, whole=True)
        distance = np.linalg.norm(self.train.z - self.test.z[song], axis=1)
        order = np.argsort(distance, kind="stable")[: int(n)]
        return [(int(at), float(distance[at])) for at in order]

    def usual_distance(self) -> float:
        """Return the median distance from a training song to the nearest other one: what "near" means in this space.

        Where the SVM learns from songs that the network knows by heart (`song_features="in_sample"`) they lie close
        together, and test songs further off.
        """
        z = self.train.z
        others = (np.delete(np.linalg.norm(z - one, axis=1), at) for at, one in enumerate(z))
        return float(np.median([distance.min() for distance in others]))


def song_space(experiment: Experiment, fold: int) -> SongSpace:
    """Return the songs of a finished fold as its SVM sees them; decides the songs first if no SVM is stored yet.

    Raises
    ------
    MerKitError
        If the fold is not finished, or its files do not belong together.

    Notebook: 04_song_decisions
    """
    check_choice("fold", fold, range(len(experiment.folds)))
    answers = named_songs(experiment, fold)
    file = experiment.folder.fold(fold) / "svm.safetensors"
    if not file.exists():
        experiment.decide(fold)
    svm, division = SVM.load(file, inside=experiment.folder.path), experiment.folds[fold]
    if svm.n_classes_ != len(experiment.classes):
        raise MerKitError(
            f"svm.safetensors in fold {fold} is of {svm.n_classes_} classes, expected {len(experiment.classes)}: delete it, "
            "and it is made again from segments.csv"
        )
    table = experiment.folder.segments(fold)
    table["centre_s"] = (table["start_s"] + table["end_s"]) / 2
    tables = {
        str(name): part.reset_index(drop=True)
        for name, part in table.groupby("clip_id", sort=False)
    }
    train, test = (
        _songs(experiment, svm, tables, clips) for clips in (division.train, division.test)
    )
    ids = [experiment.corpus.clips[int(at)].clip_id for at in test.clip]
    answers = answers.set_index("clip_id").reindex(ids).reset_index()
    if answers["label"].isna().any():
        raise MerKitError(
            f"songs.csv lacks test songs of fold {fold}, expected them all: run the fold again"
        )
    return SongSpace(
        experiment.classes,
        train,
        test,
        svm,
        answers,
        _decisions(svm, test.z, len(experiment.classes)),
    )


def named_songs(experiment: Experiment, fold: int) -> pd.DataFrame:
    """Return a finished fold's song table with class names: clip_id, fold, label, one column a classifier.

    The songs are decided if songs.csv lacks them.

    Notebook: 04_song_decisions
    """
    file = experiment.folder.path / "songs.csv"
    if file.exists():
        columns = ("clip_id", "fold", "label", *CLASSIFIERS)
        table = schema.read_table(
            file, dict.fromkeys(columns, str), inside=experiment.folder.path, optional=CLASSIFIERS
        )
        if not set(CLASSIFIERS) <= set(table):  # one was added since: all are computed anew
            return with_names(experiment.decide(fold)[1], experiment.classes)
        table["clip_id"] = table["clip_id"].map(restored)
        table = table[table["fold"] == str(fold)].reset_index(drop=True)
        if not table[["label", *CLASSIFIERS]].isin(experiment.classes).all(axis=None):
            raise MerKitError(
                f"songs.csv has an answer in fold {fold} that is none of {', '.join(experiment.classes)}: run notebook "
                "04_song_decisions again"
            )
        if len(table):
            return table
    return with_names(experiment.decide(fold)[1], experiment.classes)


def answered(space: SongSpace, classifier: str) -> np.ndarray:
    """Return int64 [test], a classifier's answers as class indices."""
    check_choice("classifier", classifier, CLASSIFIERS)
    codes = {name: number for number, name in enumerate(space.classes)}
    return space.answers[classifier].map(codes).to_numpy(dtype=np.int64)


def _songs(
    experiment: Experiment, svm: SVM, tables: dict[str, pd.DataFrame], clips: np.ndarray
) -> Songs:
    """Return these clips with their segments, features and scaled features."""
    ids, classes = (
        [experiment.corpus.clips[int(at)].clip_id for at in clips],
        list(experiment.classes),
    )
    missing = [clip_id for clip_id in ids if clip_id not in tables]
    if missing:
        raise MerKitError(
            f"segments.csv lacks song {missing[0]!r}, expected every song of the fold: run the fold again"
        )
    parts = tuple(tables[clip_id] for clip_id in ids)
    song = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    p = np.concatenate([part[classes].to_numpy() for part in parts])
    x = features.pool(p, song, n_songs=len(parts), theta=svm.theta)
    z = np.asarray(svm.pipeline_[:-1].transform(x))
    return Songs(np.asarray(clips), experiment.labels[clips], parts, x, z)


def _decisions(svm: SVM, z: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the decision values [n, K] of scaled features; −∞ stands for a class that no training song had.

    scikit-learn's number for a class is how many of its duels it wins, and a remainder within ±1/3 for how clearly.
    With two classes there is one value, whose sign decides; class 0 gets it with the other sign.
    """
    svc = svm.pipeline_[-1]
    values = np.asarray(svc.decision_function(z), dtype=np.float64)
    out = np.full((len(z), n_classes), -np.inf)
    out[:, svc.classes_] = np.stack([-values, values], axis=1) if values.ndim == 1 else values
    return out
