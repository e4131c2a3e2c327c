"""Out-of-fold song features: which songs an inner network is trained on, and how much of each clip there is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mer_kit.runs import fold_training
from mer_kit.runs.experiment import Experiment
from mer_kit.runs.presets import resolve


def _experiment(tmp_path: Path, **more: object) -> Experiment:
    small = {"corpus_options": {"clips": 40, "seconds": 8.0}}
    return Experiment(
        resolve(corpus="demo", preset="smoke", folds=2, **small, **more), runs_dir=tmp_path
    )


class _Guess:
    """Stands for a trained network: every class is as likely as the others."""

    def __init__(self) -> None:
        self.history_ = [SimpleNamespace(seconds=1.0)]

    def predict_proba(self, segments: object) -> np.ndarray:
        return np.full((len(segments), 4), 0.25, dtype=np.float32)  # type: ignore[arg-type]


def test_inner_networks_never_train_on_a_song_or_an_artist_that_they_answer_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = _experiment(tmp_path, song_features="oof")
    groups = experiment.corpus.groups()
    assert groups is not None and len(set(groups)) < len(groups), "some artists have several songs"
    trained: list[np.ndarray] = []
    answered: list[np.ndarray] = []
    original = fold_training.predict
    monkeypatch.setattr(
        fold_training, "fit", lambda _, clips, *__: trained.append(clips) or (_Guess(), None)
    )
    monkeypatch.setattr(
        fold_training,
        "predict",
        lambda e, t, clips, *rest: answered.append(clips) or original(e, t, clips, *rest),
    )
    fold = experiment.folds[0]
    table, seconds = fold_training.out_of_fold(experiment, fold, 0)
    assert len(trained) == len(answered) > 1 and seconds == len(trained)
    for inside, outside in zip(trained, answered, strict=True):
        assert not set(inside) & set(outside) and not set(groups[inside]) & set(groups[outside])
        assert set(inside) | set(outside) == set(fold.train)
    assert sorted(np.concatenate(answered)) == fold.train.tolist(), (
        "each training song is answered for once"
    )
    assert set(table["part"]) == {"train"}


@pytest.mark.parametrize(("max_seconds", "last"), [(5.0, 5.0), (8.0, 8.0), (None, 8.0)])
def test_segments_end_where_the_runs_setting_says(
    tmp_path: Path, max_seconds: float | None, last: float
) -> None:
    experiment = _experiment(tmp_path, max_seconds=max_seconds)
    assert experiment.index.end_s.max() == last and experiment.train_index.end_s.max() <= last
