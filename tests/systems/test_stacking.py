"""Stacking: weights by hand, parts of the columns, no leak between inner folds, few classes or songs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mer_kit import systems
from mer_kit.checks import MerKitError
from mer_kit.systems import stacking


def songs(n: int = 15, *, classes: int = 4, apart: float = 2.0, seed: int = 0) -> tuple:
    """Segments of n songs of each class, [6, 8]; the class moves one of the first columns, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), n)
    made = [rng.normal(size=(6, 8)) + apart * np.eye(8)[label] for label in labels]
    return made, labels


def make(n_classes: int = 4, *, seed: int = 0, **settings: object) -> stacking.System:
    system = systems.make("stacking", settings, n_classes=n_classes, seed=seed)
    assert isinstance(system, stacking.System)
    return system


@pytest.mark.parametrize("n_classes", [2, 4])
def test_learns_songs_that_differ_and_is_repeatable(n_classes: int) -> None:
    train, test = songs(classes=n_classes), songs(classes=n_classes, seed=1)
    p = make(n_classes).fit(*train).predict_proba(test[0])
    assert p.shape == (len(test[1]), n_classes) and p.min() >= 0
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p.argmax(axis=1) == test[1]).mean() > 0.9
    np.testing.assert_array_equal(make(n_classes).fit(*train).predict_proba(test[0]), p)


def test_the_part_that_knows_nothing_gets_little_weight() -> None:
    system = make()
    system.parts = {"good": np.arange(4), "noise": np.arange(4, 8)}
    weights = system.fit(*songs(30)).weights_
    assert len(weights) == 6 and sum(weights.values()) == pytest.approx(1)
    assert sum(weight for (part, _), weight in weights.items() if part == "noise") < 0.1


def test_weights_minimise_the_log_loss_step_by_step() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 50)
    p = rng.dirichlet(np.ones(3), (4, 50))
    p[2] = 0.5 * p[2] + 0.5 * np.eye(3)[labels]
    chosen: list[int] = []
    for _ in range(7):
        means = [p[[*chosen, m]].mean(axis=0)[np.arange(50), labels] for m in range(4)]
        chosen.append(int(np.argmin([-np.log(one).mean() for one in means])))
    expected = np.bincount(chosen, minlength=4) / 7
    np.testing.assert_allclose(stacking.ensemble_weights(p, labels, rounds=7), expected)


def test_a_model_is_judged_on_artists_that_it_has_not_heard() -> None:
    """Artists have features of their own and random labels: nothing can be learned about others."""
    rng = np.random.default_rng(0)
    artist = np.repeat(np.arange(24), 4)
    labels = np.repeat(rng.permutation(np.arange(24) % 4), 4)
    own = rng.normal(size=(24, 8))
    made = [own[a] + 0.01 * rng.normal(size=(6, 8)) for a in artist]
    right = []
    for groups in (artist, None):
        system = make()
        system.groups = groups
        fit = partial(stacking._svm, columns=np.arange(8), n_classes=4)
        p = system._unheard(fit, made, labels, system._inner_folds(labels))
        right.append((p.argmax(axis=1) == labels).mean())
    assert right[0] < 0.5 < 0.7 < right[1]


def test_segments_do_not_overlap_and_columns_make_parts() -> None:
    values = np.arange(60.0).reshape(30, 2)
    about = {"clip_ids": ["a"], "values": lambda _: values, "columns": ("x: one", "y: one")}
    for per_second, most, expected in ((1.0, None, 10), (1.0, 12.0, 4), (1 / 3, None, 30)):
        seconds = {"per_second": per_second, "segment_seconds": 3.0, "max_seconds": most}
        of = systems.Songs(**about, **seconds, pooled=True, folder=Path())  # type: ignore[arg-type]
        system = make()
        (song,) = system.read(of)
        assert song.shape == (expected, 2) and song[0].tolist() == [0, 1]
        assert system.parts is not None and list(system.parts) == ["x", "y"]


def test_frames_are_averaged_over_segments() -> None:
    values = np.arange(14.0)[:, None]
    of = systems.Songs(["a"], lambda _: values, ("mel 0",), False, 2.0, 3.0, None, Path())
    (song,) = make().read(of)
    assert song[:, 0].tolist() == [np.arange(6).mean(), np.arange(6, 12).mean()]
    whole = systems.Songs(["a"], lambda _: values, ("mel 0",), False, 2.0, np.inf, None, Path())
    assert make().read(whole)[0].tolist() == [[6.5]]


def test_inner_folds_that_lack_a_class_are_not_used() -> None:
    made, _ = songs(7, classes=2)
    labels = np.array([0] * 7 + [1, 0, 1, 0, 1, 0, 1])
    system = make(2)
    system.groups = np.array([0] * 6 + [1, 2] + [3] * 6)
    weights = system.fit(made, labels).weights_
    assert system._inner_folds(labels) == [] and len(set(weights.values())) == 1


def test_few_songs_weigh_all_models_the_same_and_one_class_is_refused() -> None:
    made, labels = songs(1, classes=2)
    weights = make(2).fit(made, labels).weights_
    assert set(weights.values()) == {1 / 3}
    p = make(3).fit(*songs(5, classes=2)).predict_proba(made)
    assert p.shape == (2, 3) and not p[:, 2].any()
    with pytest.raises(MerKitError, match="class"):
        make(2).fit(made, np.zeros(2, int))
