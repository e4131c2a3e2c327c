"""One fold's decisions, worked out by hand: who is fitted on what, and what is scored on what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.records import Fold
from mer_kit.runs import decisions
from mer_kit.runs.presets import resolve
from mer_kit.songs import features
from mer_kit.songs.classifiers.svm import SVM

#: Eight training songs, six of them V+; four test songs, three of them V−. Three segments a song.
LABELS = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1])
FOLD = Fold(3, np.arange(8), np.arange(8, 12))
IDS = [f"song {number}" for number in range(12)]
#: Probability of V+ of each song's segments: training songs are all recognised, of the test songs the segments below.
P = np.array(
    [[0.9, 0.8, 0.7]] * 6
    + [[0.1, 0.2, 0.3]] * 2
    + [[0.1, 0.2, 0.6], [0.6, 0.7, 0.1], [0.2, 0.2, 0.2], [0.9, 0.4, 0.3]]
)


def _table() -> pd.DataFrame:
    rows = [
        {"clip_id": IDS[song], "start_s": float(at), "end_s": at + 3.0, "part": "train" if song < 8 else "test",
         "label": ("V-", "V+")[LABELS[song]], "V-": 1 - P[song, at], "V+": P[song, at]}
        for song in range(12) for at in range(3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def decided(tmp_path: Path):
    config = resolve(task="valence", preset="smoke", theta=0.65)
    file = tmp_path / "svm.safetensors"
    result, songs = decisions.decide_fold(
        _table(), FOLD, LABELS, clip_ids=IDS, config=config, seconds=7.0, folder=file.parent
    )
    return result, songs, SVM.load(file)


def test_segments_are_scored_on_the_test_songs(decided):
    result, _, _ = decided
    # right: two of song 8's, one of song 9's, three of song 10's, one of song 11's
    assert result.segments["accuracy"] == pytest.approx(7 / 12)


def test_the_majority_is_that_of_the_training_songs(decided):
    result, _, _ = decided
    assert result.majority["accuracy"] == pytest.approx(1 / 4), (
        "V+ leads in training, one test song is V+"
    )


def test_the_rules_answer_for_the_test_songs_in_their_order(decided):
    result, songs, _ = decided
    assert songs["clip_id"].tolist() == IDS[8:] and songs["label"].tolist() == [0, 0, 0, 1]
    assert songs["mean"].tolist() == [0, 0, 0, 1] and songs["vote"].tolist() == [0, 1, 0, 0]
    assert result.songs["mean"]["accuracy"] == 1.0 and result.songs["vote"]["accuracy"] == 0.5
    assert (result.fold, result.n_train, result.n_test, result.seconds) == (3, 8, 4, 7.0)


def test_the_svm_is_fitted_on_the_training_songs_with_the_runs_theta(decided):
    _, _, svm = decided
    p, song = np.stack([1 - P[:8].ravel(), P[:8].ravel()], axis=1), np.repeat(np.arange(8), 3)
    expected = features.pool(p, song, n_songs=8, theta=0.65)
    assert svm.theta == 0.65
    np.testing.assert_allclose(svm.pipeline_[0].mean_, expected.mean(axis=0))


def test_songs_that_the_corpus_does_not_have_get_a_sentence(tmp_path: Path):
    table = _table().replace({"clip_id": {"song 3": "song \x1b[2J"}})
    with pytest.raises(
        MerKitError,
        match=r"segments.csv names the song 'song \\\\x1b\[2J', expected only songs of this fold",
    ):
        decisions.decide_fold(
            table,
            FOLD,
            LABELS,
            clip_ids=IDS,
            config=resolve(task="valence"),
            seconds=1.0,
            folder=tmp_path,
        )


def test_a_song_without_a_segment_gets_a_sentence(tmp_path: Path):
    table = _table().query("clip_id != 'song 3'")
    with pytest.raises(MerKitError, match="song"):
        decisions.decide_fold(
            table,
            FOLD,
            LABELS,
            clip_ids=IDS,
            config=resolve(task="valence"),
            seconds=1.0,
            folder=tmp_path,
        )
