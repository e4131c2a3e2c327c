"""A fold's songs in the SVM's space of 7·K scaled features: decision values and nearest songs.

Notebook: 04_song_decisions
"""

import copy
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mer_kit.analysis.predict import fitted_classifier
from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.runs import label_noise
from mer_kit.runs.decisions import with_names
from mer_kit.runs.experiment import Experiment
from mer_kit.songs import classifiers, features
from mer_kit.songs.classifiers.svm import SVM


@dataclass(frozen=True)
class Songs:
    """Some of a fold's songs with their segments and features, all in the same order.

    Attributes
    ----------
    clip : int64 [n], positions in the corpus
    label : int64 [n]
    segments : one table per song: start_s, end_s, centre_s, and one column per class
    x : float64 [n, 7·K], the features f1…f7 of every class (`songs.features.pool`)
    z : float64 [n, 7·K], the features after the SVM's scaler, in standard deviations from the mean
        of the training songs
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
    """The training and test songs of a finished fold, and the SVM fitted on the training songs.

    Attributes
    ----------
    classes : K names
    train, test : Songs
    svm : the fold's own, as stored
    answers : the predicted classes of the test songs, in the order of `test`: one column of class
        names per classifier, and label
    decisions : float64 [test, K], the SVM's decision value of each class
    """

    classes: tuple[str, ...]
    train: Songs
    test: Songs
    svm: SVM
    answers: pd.DataFrame
    decisions: np.ndarray

    def duels(self, song: int) -> list[tuple[int, int, float]]:
        """Return a test song's one-vs-one decisions as (i, j, value); class i wins if value > 0.

        With two classes there is one pair, and class 0 wins if the SVM's own value is negative.

        Raises
        ------
        MerKitError
            If there is no such song.
        """
        check_range("song", song, 0, len(self.test) - 1, whole=True)
        svc = copy.copy(self.svm.pipeline_[-1])
        svc.decision_function_shape = "ovo"
        values = np.atleast_1d(svc.decision_function(self.test.z[[song]])[0])
        if len(svc.classes_) == 2:  # here a positive value of scikit-learn means the second class
            values = -values
        pairs = itertools.combinations(svc.classes_.tolist(), 2)
        return [(i, j, value) for (i, j), value in zip(pairs, values.tolist(), strict=True)]

    def nearest(self, song: int, n: int = 5) -> list[tuple[int, float]]:
        """Return the n training songs nearest to a test song as (position in `train`, distance).

        The distance is Euclidean in the scaled features; ties go to the earlier song in the corpus.

        Raises
        ------
        MerKitError
            If there is no such song, or `n` is not a positive whole number.
        """
        check_range("song", song, 0, len(self.test) - 1, whole=True)
        check_range("n", n, 1, whole=True)
        distance = np.linalg.norm(self.train.z - self.test.z[song], axis=1)
        order = np.argsort(distance, kind="stable")[: int(n)]
        return list(zip(order.tolist(), distance[order].tolist(), strict=True))

    def usual_distance(self) -> float:
        """Return the median distance from a training song to its nearest neighbour, as a yardstick.

        If the SVM is fitted on songs that the network has memorised
        (`song_features="in_sample"`), these are close together and test songs are further away.
        """
        z = self.train.z
        return float(np.median([np.sort(np.linalg.norm(z - song, axis=1))[1] for song in z]))


def song_space(experiment: Experiment, fold: int) -> SongSpace:
    """Return the songs of a finished fold as its SVM sees them; write nothing.

    If no SVM is stored, the same one is fitted from segments.csv.

    Raises
    ------
    MerKitError
        If the fold is not finished, or its files do not belong together.

    Notebook: 04_song_decisions
    """
    check_choice("fold", fold, range(len(experiment.folds)))
    svm, n_classes = fitted_classifier(experiment.folder, fold, "svm"), len(experiment.classes)
    assert isinstance(svm, SVM)
    if svm.n_classes_ != n_classes:
        raise MerKitError(
            f"svm.safetensors in fold {fold} is of {svm.n_classes_} classes, expected {n_classes}: "
            "delete it, and it is fitted again from segments.csv"
        )
    table = experiment.folder.segments(fold)
    table["centre_s"] = (table["start_s"] + table["end_s"]) / 2
    tables = {
        str(name): rows.reset_index(drop=True)
        for name, rows in table.groupby("clip_id", sort=False)
    }
    labels = label_noise.song_labels(experiment, fold)
    train = _songs(experiment, svm, tables, experiment.folds[fold].train, labels)
    test = _songs(experiment, svm, tables, experiment.folds[fold].test, labels)
    return SongSpace(
        experiment.classes, train, test, svm,
        answers=named_songs(experiment, fold),
        decisions=_decisions(svm, test.z, n_classes),
    )  # fmt: skip


def named_songs(experiment: Experiment, fold: int) -> pd.DataFrame:
    """Return a finished fold's song table with class names: clip_id, fold, label, classifiers.

    Answers that the fold's scores.json lacks are computed anew; nothing is written.

    Notebook: 04_song_decisions
    """
    return with_names(experiment.decide(fold)[1], experiment.classes)


def answered(space: SongSpace, classifier: str) -> np.ndarray:
    """Return a classifier's predictions for the test songs as class indices, int64 [test].

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> answers = pd.DataFrame({"mean": ["V+", "V-", "V+"]})
    >>> answered(SimpleNamespace(classes=("V-", "V+"), answers=answers), "mean").tolist()
    [1, 0, 1]
    """
    check_choice("classifier", classifier, classifiers.NAMES)
    return pd.Categorical(space.answers[classifier], space.classes).codes.astype(np.int64)


def _songs(
    experiment: Experiment,
    svm: SVM,
    tables: dict[str, pd.DataFrame],
    clips: np.ndarray,
    labels: np.ndarray,
) -> Songs:
    """Return these clips with their segments, features and scaled features."""
    classes = list(experiment.classes)
    ids = [experiment.clip_ids[i] for i in clips]
    missing = [clip_id for clip_id in ids if clip_id not in tables]
    if missing:
        raise MerKitError(
            f"segments.csv lacks song {missing[0]!r}, expected every song of the fold: "
            "run the fold again"
        )
    segments = tuple(tables[clip_id] for clip_id in ids)
    song = np.repeat(np.arange(len(segments)), [len(table) for table in segments])
    p = np.concatenate([table[classes].to_numpy() for table in segments])
    x = features.pool(p, song, n_songs=len(segments), theta=svm.theta)
    z = np.asarray(svm.pipeline_[:-1].transform(x))
    return Songs(np.asarray(clips), labels[clips], segments, x, z)


def _decisions(svm: SVM, z: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the decision values [n, K] of scaled features; −∞ for a class without a training song.

    scikit-learn's value of a class is the number of one-vs-one comparisons it wins, plus a
    remainder within ±1/3 for the margin. With two classes there is a single value; class 0 gets it
    with the opposite sign.
    """
    svc = svm.pipeline_[-1]
    values = np.asarray(svc.decision_function(z), dtype=np.float64)
    if values.ndim == 1:
        values = np.stack([-values, values], axis=1)
    decisions = np.full((len(z), n_classes), -np.inf)
    decisions[:, svc.classes_] = values
    return decisions
