"""A small run of a system on the demo corpus, and what one of its folds has learned from a changed test set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mer_kit.runs import fold_training
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve


def experiment(runs_dir: Path, method: str, **more: object) -> Experiment:
    """Two folds of 24 demo songs of 8 s, whose log-mels the tests' cache keeps."""
    config = resolve(
        **{
            "corpus": "demo",
            "preset": "smoke",
            "folds": 2,
            "max_seconds": 8.0,
            "corpus_options": {"clips": 24, "seconds": 8.0},
            "method": method,
            **more,
        }  # type: ignore[arg-type]
    )
    return Experiment(config, runs_dir=runs_dir, precision="float32", device="cpu")


def probabilities(one: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Fit the system on fold 0; return what it says of the training songs and of the test songs."""
    system, features = fold_training.fit_system(one, 0)
    p = system.predict_proba(features)
    n_train = len(one.folds[0].train)
    return p[:n_train], p[n_train:]


def shuffle_test_labels(one: Experiment) -> None:
    """Give the test songs of fold 0 each other's labels; the folds stay as they are."""
    test = one.folds[0].test
    one.labels[test] = np.random.default_rng(0).permutation(one.labels[test])
