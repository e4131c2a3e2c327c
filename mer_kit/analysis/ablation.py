"""The same fold with another method: what SSSL's parts are worth, as far as one fold can tell."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice
from mer_kit.corpora.truth import segment_truth
from mer_kit.runs import decisions, run_folder
from mer_kit.runs.config import changed
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.run_folder import RunFolder
from mer_kit.training import METHOD_VERSION, METHODS


def with_method(experiment: Experiment, method: str) -> Experiment:
    """Return the experiment that differs in its method alone; the opened corpus and store are shared.

    Notebook: 03_sssl_training
    """
    check_choice("method", method, METHODS)
    other = copy.copy(experiment)
    other.config = changed(experiment.config, method=method)
    other.fingerprint = run_folder.fingerprint(
        other.config, corpus_checksum=other.checksum, code_version=METHOD_VERSION
    )
    other.folder = RunFolder.of(other.runs_dir, other.config, other.fingerprint)
    return other


def counterpart(experiment: Experiment) -> Experiment:
    """Return the experiment to compare with: SSSL beside a plain method, else the plainest one with the same warm-up.

    Where the warm-up mixes, that is mixup, else ce: then only the epochs after the warm-up are left to train.

    Notebook: 03_sssl_training
    """
    if experiment.config.method in ("ce", "mixup"):
        return with_method(experiment, "sssl")
    return with_method(experiment, "mixup" if experiment.config.training.warmup_mixup else "ce")


def on_disk(experiment: Experiment, number: int) -> list[str]:
    """Return the methods for which this fold is finished with the same settings, in the order of `METHODS`."""
    return [
        method for method in METHODS if with_method(experiment, method).folder.fold_done(number)
    ]


def compare(experiment: Experiment, number: int) -> pd.DataFrame:
    """Return one row for each method that is on disk for this fold.

    Columns: method, says (what it does), segments (accuracy of single test segments against inherited labels),
    segments_truth (against the truth, where the corpus knows it), songs (accuracy of the SVM), songs_error (its
    standard error √(p(1−p)/n)), n_songs, majority, share_unlabelled (|U|/S in the last epoch).

    Notebook: 03_sssl_training
    """
    rows = []
    for method in on_disk(experiment, number):
        other = with_method(experiment, method)
        result, _ = other.decide(number)
        last = other.folder.history(number)[-1]
        songs = float(result.songs["svm"]["accuracy"])
        row = {
            "method": method,
            "says": METHODS[method],
            "segments": float(result.segments["accuracy"]),
            "segments_truth": truth_accuracy(other, number),
            "songs": songs,
            "songs_error": float(np.sqrt(songs * (1 - songs) / result.n_test)),
            "n_songs": result.n_test,
            "majority": float(result.majority["accuracy"]),
            "share_unlabelled": last.n_unlabelled / (last.n_labelled + last.n_unlabelled),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def truth_accuracy(experiment: Experiment, number: int) -> float:
    """Return how many of a finished fold's test segments are predicted as the truth says; NaN where none is known."""
    table = experiment.folder.segments(number)
    table = table[table["part"] == "test"]
    clip = decisions.positions(table["clip_id"], [clip.clip_id for clip in experiment.corpus.clips])
    start_s, end_s = table["start_s"].to_numpy(), table["end_s"].to_numpy()
    truth = segment_truth(experiment.corpus, clip, start_s, end_s, task=experiment.config.task)
    if truth is None or not (truth >= 0).any():
        return float("nan")
    guess = table[list(experiment.classes)].to_numpy().argmax(axis=1)
    return float((guess == truth)[truth >= 0].mean())
