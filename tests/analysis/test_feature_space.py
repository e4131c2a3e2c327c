"""Songs in the SVM's feature space: every number against scikit-learn used directly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_kit.analysis import feature_space
from mer_kit.checks import MerKitError
from mer_kit.songs import features
from mer_kit.songs.classifiers.svm import SVM
from tests.views import fold_stub


@pytest.fixture(scope="module", params=["quadrant", "valence"])
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fold_stub.songs(tmp_path_factory.mktemp("songs"), task=request.param, spread=1.0)


@pytest.fixture(scope="module")
def space(stand: Any) -> feature_space.SongSpace:
    return feature_space.song_space(stand, 0)


def by_sklearn(stand: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training and test features, scaled, and the training labels, straight from segments.csv."""
    table = pd.read_csv(stand.folder.fold(0) / "segments.csv", dtype={"clip_id": str})
    p = table[list(stand.classes)].to_numpy().reshape(-1, 6, len(stand.classes))
    x = np.stack([features.pool(one, np.zeros(6, int), n_songs=1)[0] for one in p])
    half = len(x) // 2
    scaler = StandardScaler().fit(x[:half])
    return scaler.transform(x[:half]), scaler.transform(x[half:]), stand.labels[:half]


def test_features_are_scaled_by_the_training_songs(
    stand: Any, space: feature_space.SongSpace
) -> None:
    train, test, _ = by_sklearn(stand)
    np.testing.assert_allclose(space.train.z, train, atol=1e-9)
    np.testing.assert_allclose(space.test.z, test, atol=1e-9)
    assert np.abs(space.train.z.mean(axis=0)).max() < 1e-9 < np.abs(space.test.z.mean(axis=0)).max()


def test_neighbours_are_those_of_scikit_learn(stand: Any, space: feature_space.SongSpace) -> None:
    train, test, _ = by_sklearn(stand)
    distance, rows = NearestNeighbors(n_neighbors=5).fit(train).kneighbors(test)
    for song in range(len(test)):
        neighbours = space.nearest(song, 5)
        assert [position for position, _ in neighbours] == rows[song].tolist()
        np.testing.assert_allclose([distance for _, distance in neighbours], distance[song])
    own, _ = NearestNeighbors(n_neighbors=2).fit(train).kneighbors(train)
    assert space.usual_distance() == pytest.approx(np.median(own[:, 1]))


def test_decision_values_are_the_stored_svms(stand: Any, space: feature_space.SongSpace) -> None:
    _, test, _ = by_sklearn(stand)
    values = (
        SVM.load(stand.folder.fold(0) / "svm.safetensors").pipeline_[-1].decision_function(test)
    )
    expected = values if values.ndim == 2 else np.stack([-values, values], axis=1)
    np.testing.assert_allclose(space.decisions, expected, atol=1e-9)


def test_the_duels_are_one_against_one_and_their_winners_give_the_answer(
    stand: Any, space: feature_space.SongSpace
) -> None:
    train, test, labels = by_sklearn(stand)
    svc = SVC(**space.svm.best_, class_weight="balanced", decision_function_shape="ovo").fit(
        train, labels
    )
    values = np.atleast_2d(svc.decision_function(test).reshape(len(test), -1))
    answers = feature_space.answered(space, "svm")
    for song, expected in enumerate(values):
        duels = space.duels(song)
        sign = -1 if len(stand.classes) == 2 else 1
        np.testing.assert_allclose([value for _, _, value in duels], sign * expected, atol=1e-6)
        wins = Counter(i if value > 0 else j for i, j, value in duels)
        assert wins[int(answers[song])] == max(wins.values())
    assert space.svm.pipeline_[-1].decision_function_shape == "ovr", (
        "asking for duels changed the stored SVM"
    )


def test_answers_are_those_of_the_classifiers_in_the_order_of_the_test_songs(
    stand: Any, space: feature_space.SongSpace
) -> None:
    np.testing.assert_array_equal(
        feature_space.answered(space, "svm"), space.svm.pipeline_.predict(space.test.x)
    )
    means = [
        table[list(stand.classes)].to_numpy().mean(axis=0).argmax() for table in space.test.segments
    ]
    np.testing.assert_array_equal(feature_space.answered(space, "mean"), means)
    assert space.answers["clip_id"].tolist() == [f"s{position:02d}" for position in space.test.clip]


def test_an_svm_that_is_not_stored_is_fitted_and_not_written(tmp_path: Path) -> None:
    stand = fold_stub.songs(tmp_path)
    decided, stored = stand.decide(0), feature_space.song_space(stand, 0)
    (stand.folder.fold(0) / "svm.safetensors").unlink()
    stand.decide = lambda number: decided
    fitted = feature_space.song_space(stand, 0)
    np.testing.assert_allclose(fitted.decisions, stored.decisions)
    assert not (stand.folder.fold(0) / "svm.safetensors").exists(), "a question wrote a file"


def test_what_is_not_there_is_named(space: feature_space.SongSpace, stand: Any) -> None:
    with pytest.raises(MerKitError, match="song is 16, expected a whole number from 0 to 15"):
        space.nearest(16)
    with pytest.raises(MerKitError, match="song is -1"):
        space.duels(-1)
    with pytest.raises(MerKitError, match="fold is 1, expected one of 0"):
        feature_space.song_space(stand, 1)


def test_an_svm_of_another_task_gets_a_sentence(tmp_path: Path) -> None:
    stand = fold_stub.songs(tmp_path)
    (tmp_path / "two").mkdir()
    other = fold_stub.songs(tmp_path / "two", task="valence")
    other.decide(0)
    (other.folder.fold(0) / "svm.safetensors").rename(stand.folder.fold(0) / "svm.safetensors")
    with pytest.raises(
        MerKitError, match=r"svm.safetensors in fold 0 is of 2 classes, expected 4: delete it"
    ):
        feature_space.song_space(stand, 0)
