"""The short training is a small subset of the real fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mer_kit.analysis.preview import rehearse, some_songs
from mer_kit.checks import MerKitError
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    config = resolve(
        corpus="demo", preset="paper", folds=2, corpus_options={"clips": 16, "seconds": 8.0}
    )
    return Experiment(config, runs_dir=tmp_path_factory.mktemp("runs"))


def test_songs_come_from_each_class_in_turn_until_there_are_enough(experiment: Experiment) -> None:
    clips = np.arange(16)
    per_song = int((experiment.train_index.clip == 0).sum())
    some = some_songs(experiment, clips, segments=8 * per_song)
    assert len(some) == 8 and sorted(some) == some.tolist()
    counts = np.bincount(experiment.labels[some], minlength=4)
    assert counts.max() - counts.min() <= 1
    assert len(some_songs(experiment, clips, segments=1)) == 4, "one of each class at least"
    assert some_songs(experiment, clips, segments=10_000).tolist() == clips.tolist()


def test_a_rehearsal_is_short_slim_and_elsewhere(experiment: Experiment, tmp_path: Path) -> None:
    short = rehearse(experiment, 1, tmp_path, epochs=4)
    assert short.config.model.width == 8 and experiment.config.model.width == 64
    assert (short.config.training.epochs, short.config.training.warmup_epochs) == (4, 2)
    assert experiment.config.training.epochs == 60
    assert short.folder.path.parent == tmp_path and short.fingerprint != experiment.fingerprint
    assert set(short.folds[1].train) <= set(experiment.folds[1].train)
    assert not set(short.folds[1].train) & set(short.folds[1].test)
    assert len(short.folds[1].test) == 4 and short.folds[0] is experiment.folds[0]
    assert short.store is experiment.store and not experiment.folder.path.exists()


def test_what_cannot_be_rehearsed_gets_a_sentence(experiment: Experiment, tmp_path: Path) -> None:
    with pytest.raises(MerKitError, match="fold is 2"):
        rehearse(experiment, 2, tmp_path)
    with pytest.raises(MerKitError, match="epochs is 1"):
        rehearse(experiment, 0, tmp_path, epochs=1)
