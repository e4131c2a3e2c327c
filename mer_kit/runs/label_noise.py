"""The labels that a fold is trained on: the corpus' own, or with noise injected on purpose.

Noise affects training songs only; test songs keep their labels, by which every answer is scored. It
is drawn from the run's seed and the fold, so that all methods of one seed see the same wrong
labels. Where segments are drawn one by one ("symmetric", "neighbour"), a higher rate contains the
wrong labels of a lower one; with "song" and "drift" it need not. Systems see the labels of songs,
which only "song" changes: for them all other kinds are ignored (`runs.idle`).

Notebook: 02_noisy_labels
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mer_kit.checks import MerKitError, check_choice, check_range
from mer_kit.seeding import numpy_generator
from mer_kit.training import noise

if TYPE_CHECKING:
    from mer_kit.runs.experiment import Experiment

#: The value of `noise_kind` without noise.
NONE = "none"
_SETTINGS = ("noise_kind", "noise_rate")


def checked_settings(given: Mapping[str, Any], *, task: str) -> dict[str, Any]:
    """Return a run's settings with `noise_kind` and `noise_rate` checked; either may mean none.

    Raises
    ------
    MerKitError
        If one is given without the other, or a value is wrong.

    Examples
    --------
    >>> checked_settings({"noise_kind": "song", "noise_rate": 0.0}, task="quadrant")
    {'noise_kind': 'none', 'noise_rate': 0.0}
    """
    kind, rate = (given.get(name, none) for name, none in zip(_SETTINGS, (NONE, 0.0), strict=True))
    kinds = [one for one in noise.KINDS if task == "quadrant" or one != "neighbour"]
    check_choice(f"noise_kind for task {task}", kind, (NONE, *kinds))
    check_range("noise_rate", rate, 0, 1)
    if kind != NONE and rate > 0:
        return dict(given)
    missing = [name for name in _SETTINGS if name not in given]
    if len(missing) == 1 and (kind != NONE or rate > 0):
        raise MerKitError(
            f"noise_kind is {kind!r} and noise_rate {rate:g}, expected both a kind and a rate "
            f"above 0: set {missing[0]} too"
        )
    # Either of them at "none" or 0 means no noise, as the corners of a grid.
    return {**given, **{name: none for name, none in zip(_SETTINGS, (NONE, 0.0), strict=True)}}


def segment_labels(experiment: Experiment, number: int) -> np.ndarray:
    """Return int64 [S], the label of each segment of `experiment.train_index` in this fold."""
    config, index = experiment.config, experiment.train_index
    labels: np.ndarray = experiment.labels[index.clip]
    if config.noise_kind == NONE:
        return labels
    rows = index.rows_of(experiment.folds[number].train)
    labels[rows], _ = noise.inject(
        labels[rows],
        config.noise_rate,
        kind=config.noise_kind,
        n_classes=len(experiment.classes),
        generator=numpy_generator(config.seed, f"noise {config.noise_kind} fold {number}"),
        songs=index.clip[rows],
    )
    return labels


def song_labels(experiment: Experiment, number: int) -> np.ndarray:
    """Return int64 [clips], the labels that song-level classifiers and systems learn from.

    Noise of kind "song" changes those of the training songs; every other kind changes none.
    """
    labels: np.ndarray = experiment.labels.copy()
    if experiment.config.noise_kind == "song":
        labels[experiment.train_index.clip] = segment_labels(experiment, number)
    return labels
