"""A short training to watch live: few songs, few epochs, a folder of its own.

Notebook: 03_sssl_training
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.analysis.ablation import alike
from mer_kit.checks import check_choice, check_range
from mer_kit.runs.config import changed
from mer_kit.runs.experiment import Experiment
from mer_kit.training import networks

#: D: at most this width and this many segments: an epoch takes seconds on one core.
WIDTH, SEGMENTS = 8, 240
#: D: number of songs predicted at the end.
TEST_SONGS = 4


def rehearse(
    experiment: Experiment, number: int, runs_dir: str | Path, *, epochs: int = 8
) -> Experiment:
    """Return an experiment whose fold `number` is a small subset of the real one, in `runs_dir`.

    Its songs are the first of each class in turn, up to 240 segments; half of the epochs are
    warm-up. Corpus and store are shared; no file of the real run is read or written. Its scores are
    meaningless.

    Raises
    ------
    MerKitError
        If there is no such fold, or `epochs` is below 2.

    Notebook: 03_sssl_training
    """
    check_choice("fold", number, range(len(experiment.folds)))
    check_range("epochs", epochs, 2, whole=True)
    config, fold = experiment.config, experiment.folds[number]
    model = config.training.model
    if config.network == networks.DEFAULT and model.width > WIDTH:
        config = changed(config, width=WIDTH, head_pool=min(2, model.head_pool), batch_norm=True)
    config = changed(
        config,
        epochs=epochs,
        warmup_epochs=epochs // 2,
        ramp_epochs=epochs / 4,
        batch_size=min(32, config.training.batch_size),
        warmup_accuracy=None,
        song_features="in_sample",
    )
    short = alike(experiment, config, runs_dir=runs_dir)
    short.folds = list(experiment.folds)
    short.folds[number] = dataclasses.replace(
        fold,
        train=some_songs(experiment, fold.train, segments=SEGMENTS),
        test=fold.test[:TEST_SONGS],
    )
    return short


def some_songs(experiment: Experiment, clips: np.ndarray, *, segments: int) -> np.ndarray:
    """Return the first of these clips, from each class in turn, up to `segments` training segments.

    Every class keeps at least one clip. int64, sorted.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> experiment = SimpleNamespace(
    ...     labels=np.array([0, 0, 0, 1, 1]),
    ...     train_index=SimpleNamespace(clip=np.repeat(np.arange(5), 10)),  # 10 segments each
    ... )
    >>> some_songs(experiment, np.arange(5), segments=40).tolist()
    [0, 1, 3, 4]
    """
    labels = experiment.labels[clips]
    turn = pd.Series(labels).groupby(labels).cumcount()
    order = np.lexsort((labels, turn))
    per_clip = np.bincount(experiment.train_index.clip, minlength=len(experiment.labels))
    total = np.cumsum(per_clip[clips[order]])
    enough = max(int((total <= segments).sum()), int((turn == 0).sum()))
    return np.sort(clips[order[:enough]])
