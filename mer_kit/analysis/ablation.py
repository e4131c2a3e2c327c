"""The same fold trained with other methods: the contribution of each part of SSSL.

One fold only: differences between methods carry the standard error of one test set.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice
from mer_kit.corpora.truth import segment_truth
from mer_kit.runs import decisions, run_folder
from mer_kit.runs.config import RunConfig, changed
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.run_folder import RunFolder
from mer_kit.training import METHOD_VERSION, METHODS, methods


def with_method(experiment: Experiment, method: str) -> Experiment:
    """Return an experiment that differs only in its method; corpus, store and folds are shared.

    Notebook: 03_sssl_training
    """
    check_choice("method", method, METHODS)
    return alike(experiment, changed(experiment.config, method=method))


def alike(
    experiment: Experiment, config: RunConfig, *, runs_dir: str | Path | None = None
) -> Experiment:
    """Return an experiment with another configuration; corpus, store and folds are shared."""
    other = Experiment(
        config,
        runs_dir=runs_dir or experiment.runs_dir,
        on_epoch=experiment.on_epoch,
        device=experiment.device,
        precision=experiment.precision,
        opened=(experiment.corpus, experiment.store, experiment.skipped),
    )
    other.folds = experiment.folds  # the same songs, whatever an earlier version has stored
    return other


def counterpart(experiment: Experiment) -> Experiment:
    """Return the experiment to compare with: SSSL for a plain method, else the plain method.

    That is mixup for a method whose warm-up mixes, otherwise ce. Where SSSL has one schedule for
    all epochs, the two share the warm-up, and only the epochs after it are left to train.

    Notebook: 03_sssl_training
    """
    if experiment.config.method in ("ce", "mixup"):
        return with_method(experiment, "sssl")
    training = experiment.config.training
    mixes = methods.of(training.method).mixes(training, "warmup")
    return with_method(experiment, "mixup" if mixes else "ce")


def on_disk(experiment: Experiment, number: int) -> list[str]:
    """Return the methods with this fold finished at these settings, in the order of `METHODS`."""
    configs = {method: changed(experiment.config, method=method) for method in METHODS}
    return [
        method
        for method, config in configs.items()
        if RunFolder.of(
            experiment.runs_dir,
            config,
            run_folder.fingerprint(
                config, corpus_checksum=experiment.checksum, code_version=METHOD_VERSION
            ),
        ).fold_done(number)
    ]


def compare(experiment: Experiment, number: int) -> pd.DataFrame:
    """Return one row for each method with this fold finished.

    Columns: method, says (what it does), segments (accuracy of single test segments against
    inherited labels), segments_truth (against segment-level ground truth, if known), songs
    (accuracy of the SVM), songs_error (its standard error √(p(1−p)/n)), n_songs, majority (accuracy
    of the majority class), share_unlabelled (|U|/S in the last epoch).

    Notebook: 03_sssl_training
    """
    rows = []
    for method in on_disk(experiment, number):
        other = with_method(experiment, method)
        result, _ = other.decide(number)
        last = other.folder.history(number)[-1]
        songs = float(result.songs["svm"]["accuracy"])
        rows.append({
            "method": method,
            "says": METHODS[method],
            "segments": float(result.segments["accuracy"]),
            "segments_truth": truth_accuracy(other, number),
            "songs": songs,
            "songs_error": float(np.sqrt(songs * (1 - songs) / result.n_test)),
            "n_songs": result.n_test,
            "majority": float(result.majority["accuracy"]),
            "share_unlabelled": last.n_unlabelled / (last.n_labelled + last.n_unlabelled),
        })  # fmt: skip
    return pd.DataFrame(rows)


def truth_accuracy(experiment: Experiment, number: int) -> float:
    """Return the accuracy of a finished fold's test segments against the truth; NaN if unknown."""
    table = experiment.folder.segments(number).query("part == 'test'")
    clip = decisions.positions(table["clip_id"], experiment.clip_ids)
    truth = segment_truth(
        experiment.corpus,
        clip,
        table["start_s"].to_numpy(),
        table["end_s"].to_numpy(),
        task=experiment.config.task,
    )
    if truth is None or not (truth >= 0).any():
        return float("nan")
    predicted = table[list(experiment.classes)].to_numpy().argmax(axis=1)
    return float((predicted == truth)[truth >= 0].mean())
