"""The SVM on song features: what it learns, whose songs the inner search keeps together, and few classes or songs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from mer_kit import systems
from mer_kit.checks import MerKitError
from mer_kit.systems import embedding_svm


def songs(sizes: list[int], *, apart: float = 3.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features [songs, 8] whose class moves one feature, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.normal(size=(len(labels), 8))
    x[np.arange(len(labels)), labels] += apart
    return x * np.logspace(-3, 3, 8), labels


def make(n_classes: int, *, seed: int = 0, **settings: object) -> embedding_svm.System:
    system = systems.make("embedding_svm", settings, n_classes=n_classes, seed=seed)
    assert isinstance(system, embedding_svm.System)
    return system


@pytest.mark.parametrize("n_classes", [2, 3, 4, 8])
def test_learns_songs_that_differ(n_classes: int) -> None:
    system = make(n_classes).fit(*songs([25] * n_classes, apart=5.0))
    x, labels = songs([20] * n_classes, apart=5.0, seed=1)
    p = system.predict_proba(x)
    assert p.shape == (len(labels), n_classes) and p.dtype == np.float64
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    assert p.min() >= 0 and (p.argmax(axis=1) == labels).mean() > 0.9


def test_the_largest_probability_is_the_classifiers_own_answer() -> None:
    for n_classes in (2, 4):
        system = make(n_classes).fit(*songs([15] * n_classes, apart=1.0))
        x, _ = songs([30] * n_classes, apart=1.0, seed=2)
        np.testing.assert_array_equal(
            system.predict_proba(x).argmax(axis=1), system.model_.predict(x)
        )


@pytest.fixture
def inner(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and validation songs of each inner fold that a search has used."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    class Watched(GridSearchCV):
        def fit(self, x, y, *, groups):
            seen.extend(self.cv.split(x, y, groups))
            return super().fit(x, y, groups=groups)

    monkeypatch.setattr(embedding_svm, "GridSearchCV", Watched)
    return seen


def test_inner_folds_keep_artists_together(inner: list[tuple[np.ndarray, np.ndarray]]) -> None:
    x, labels = songs([24, 24, 24])
    system = make(3)
    system.groups = np.tile(np.repeat(np.arange(8), 3), 3) + 100 * labels
    system.fit(x, labels)
    assert len(inner) == 5
    for train, validation in inner:
        assert not set(system.groups[train]) & set(system.groups[validation])
        assert set(labels[train]) == set(labels[validation]) == {0, 1, 2}


def test_features_that_know_the_artist_do_not_choose_the_settings() -> None:
    """Kept together, an artist's songs are no evidence: the search finds chance, apart it finds all."""
    rng = np.random.default_rng(0)
    artists = np.repeat(np.arange(12), 5)
    labels = np.tile([0, 1], 6)[artists]
    x = rng.normal(size=(12, 20))[artists] + 0.01 * rng.normal(size=(60, 20))
    found = []
    for groups in (artists, None):
        searched: list[GridSearchCV] = []

        class Kept(GridSearchCV):
            def fit(self, *given, kept=searched, **more):
                kept.append(self)
                return super().fit(*given, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(embedding_svm, "GridSearchCV", Kept)
            system = make(2)
            system.groups = groups
            system.fit(x, labels)
        found.append(searched[0].best_score_)
    assert found[0] < 0.8 and found[1] > 0.95


@pytest.mark.parametrize("sizes", [[12, 1], [12, 12, 1], [1, 1]])
def test_a_class_with_one_song(
    sizes: list[int], inner: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Nothing can be held out of it: settings are the given ones, and it is still an answer."""
    x, labels = songs(sizes, apart=6.0)
    system = make(len(sizes)).fit(x, labels)
    assert not inner
    svc = system.model_[-1]
    assert svc.C == 10 and svc.kernel.keywords == {"gamma": 1 / 8}
    p = system.predict_proba(x)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p.argmax(axis=1) == labels).all()


def test_a_class_by_one_artist_is_not_searched(inner: list[tuple[np.ndarray, np.ndarray]]) -> None:
    x, labels = songs([12, 12])
    system = make(2)
    system.groups = np.where(labels == 0, 0, np.arange(24))
    system.fit(x, labels)
    assert not inner and system.predict_proba(x).shape == (24, 2)


def test_a_class_without_training_songs_has_no_probability() -> None:
    x, labels = songs([12, 12, 12])
    system = make(3).fit(x[labels != 1], labels[labels != 1])
    p = system.predict_proba(x)
    assert (p[:, 1] == 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_one_class_is_one_sentence() -> None:
    x, _ = songs([12])
    with pytest.raises(MerKitError, match="the 12 training songs are all of class 0, expected"):
        make(2).fit(x, np.zeros(12, dtype=int))


def test_a_rare_class_is_not_given_up() -> None:
    system = make(2).fit(*songs([60, 8], apart=1.5))
    x, labels = songs([40, 40], apart=1.5, seed=3)
    answers = system.predict_proba(x).argmax(axis=1)
    assert (answers[labels == 1] == 1).mean() > 0.5


def test_a_seed_repeats_and_scales_do_not_matter() -> None:
    given = songs([20, 20, 20], apart=1.0)
    x, _ = songs([10, 10, 10], apart=1.0, seed=4)
    first, again = (make(3, seed=7).fit(*given).predict_proba(x) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    scaled = make(3, seed=7).fit(given[0] * 16, given[1]).predict_proba(x * 16)
    np.testing.assert_allclose(scaled, first, atol=1e-6)


@pytest.mark.parametrize("value", [1, 21, 2.5])
def test_settings_are_checked(value: float) -> None:
    with pytest.raises(MerKitError, match=f"inner_folds is {value}"):
        make(2, inner_folds=value)


def test_song_features_are_mean_and_deviation() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float16)
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(
        systems.song_features(rows), [*exact.mean(axis=0), *exact.std(axis=0)], rtol=1e-12
    )
