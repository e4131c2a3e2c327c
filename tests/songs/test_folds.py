"""Folds: a partition, stratified, groups whole, deterministic, and one sentence for what cannot be
divided.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.songs import folds


def _artists(seed: int, n_songs: int, n_artists: int) -> np.ndarray:
    """Uneven careers: a few artists with many songs, most with one or two."""
    weights = 1 / np.arange(1, n_artists + 1)
    generator = np.random.default_rng(seed)
    return np.array(
        [f"artist {a}" for a in generator.choice(n_artists, n_songs, p=weights / weights.sum())]
    )


def _check_partition(result: list, n_songs: int) -> None:
    np.testing.assert_array_equal(
        np.sort(np.concatenate([fold.test for fold in result])), np.arange(n_songs)
    )
    for fold in result:
        np.testing.assert_array_equal(np.sort(np.r_[fold.train, fold.test]), np.arange(n_songs))
        assert (np.diff(fold.train) > 0).all() and (np.diff(fold.test) > 0).all()


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 4), st.integers(0, 40))
@settings(deadline=None, max_examples=40)
def test_ungrouped_folds_partition_and_differ_by_at_most_one_song_per_class(
    seed, n_folds, n_classes, extra
):
    labels = np.r_[
        np.tile(np.arange(n_classes), n_folds),
        np.random.default_rng(seed).integers(0, n_classes, extra),
    ]
    result = folds.make(labels, n_folds=n_folds, seed=seed)
    assert [fold.number for fold in result] == list(range(n_folds))
    _check_partition(result, len(labels))
    counts = np.array([np.bincount(labels[fold.test], minlength=n_classes) for fold in result])
    assert (np.ptp(counts, axis=0) <= 1).all()


@given(st.integers(0, 10_000), st.integers(2, 5))
@settings(deadline=None, max_examples=40)
def test_no_group_straddles(seed, n_folds):
    groups = _artists(seed, 200, 60)
    labels = np.random.default_rng(seed).integers(0, 2, 200)
    result = folds.make(labels, groups=groups, n_folds=n_folds, seed=seed)
    _check_partition(result, 200)
    for fold in result:
        assert not set(groups[fold.train]) & set(groups[fold.test])


def test_grouped_folds_keep_class_shares_and_sizes_close():
    """900 songs, 225 per class, 662 artists, as 4Q has them: each fold's shares within 2 points,
    sizes within 5 %.
    """
    labels = np.repeat(np.arange(4), 225)
    generator = np.random.default_rng(3)
    groups = np.r_[np.arange(662), generator.integers(0, 662, 238)][generator.permutation(900)]
    for fold in folds.make(labels, groups=groups, seed=1):
        shares = np.bincount(labels[fold.test], minlength=4) / len(fold.test)
        assert np.abs(shares - 0.25).max() < 0.02
        assert 85 <= len(fold.test) <= 95


def test_skewed_classes_keep_their_shares_under_groups():
    """PMEmo's quadrants (491/76/138/62) over about 400 artists."""
    labels = np.repeat(np.arange(4), [491, 76, 138, 62])
    groups = np.random.default_rng(5).integers(0, 400, len(labels))
    whole = np.bincount(labels) / len(labels)
    for fold in folds.make(labels, groups=groups, seed=2):
        assert (
            np.abs(np.bincount(labels[fold.test], minlength=4) / len(fold.test) - whole).max()
            < 0.04
        )


@pytest.mark.parametrize("grouped", [False, True])
def test_seed_decides_and_nothing_else(grouped):
    labels = np.tile([0, 1, 2], 30)
    groups = np.arange(90) // 2 if grouped else None
    first, again, other = (
        folds.make(labels, groups=groups, n_folds=3, seed=seed) for seed in (7, 7, 8)
    )
    np.random.seed(0)  # noqa: NPY002  the global state must not matter
    assert all((a.test == b.test).all() for a, b in zip(first, again, strict=True))
    assert any(a.test.tolist() != b.test.tolist() for a, b in zip(first, other, strict=True))


def test_group_names_do_not_matter_only_who_shares_them():
    labels = np.tile([0, 1], 20)
    groups = np.arange(40) // 2
    named = [f"artist {g}" for g in groups]
    by_number, by_name = (
        folds.make(labels, groups=groups, n_folds=4),
        folds.make(labels, groups=named, n_folds=4),
    )
    assert [fold.test.tolist() for fold in by_number] == [fold.test.tolist() for fold in by_name]


@pytest.mark.parametrize(
    ("labels", "options", "sentence"),
    [
        (
            [0] * 5 + [1] * 3,
            {"n_folds": 4},
            "class 1 has 3 songs, expected at least 4 for 4 folds: lower the number",
        ),
        (
            [0, 0, 1, 1],
            {"n_folds": 2, "groups": list("aabc")},
            r"class 0 has 1 group \(artist\), expected at least 2",
        ),
        (
            [0] * 4 + [1],
            {"n_folds": 2, "class_names": ("V-", "V+")},
            r"^V\+ has 1 song, expected at least 2 for 2 folds",
        ),
        (
            [0, 0, 1, 1],
            {"n_folds": 2, "groups": list("aabc"), "class_names": ("A-", "A+")},
            r"^A- has 1 group \(artist\)",
        ),
        ([0, 0, 1, 1], {"n_folds": 2, "groups": list("abc")}, "groups has 3 entries, expected 4"),
        (
            [0, 0, 1, 1],
            {"n_folds": 2, "groups": ["a", None, "b", "c"]},
            r"groups\[1\] is None, expected a name",
        ),
        (
            [0, 0, 1, 1],
            {"n_folds": 2, "groups": ["a", float("nan"), "b", "c"]},
            r"groups\[1\] is nan, expected a name",
        ),
        ([0, 0, 1, 1], {"n_folds": 1}, "n_folds is 1, expected a whole number of at least 2"),
        ([0, 0, -1, 1], {"n_folds": 2}, r"labels\[2\] is -1"),
        ([-1, -1], {"n_folds": 2}, r"labels\[0\] is -1"),
        ([0.0, 1.0], {"n_folds": 2}, "labels is a float64 array"),
        ([], {"n_folds": 2}, "labels is empty"),
    ],
)
def test_what_cannot_be_divided_gets_a_sentence(labels, options, sentence):
    with pytest.raises(MerKitError, match=sentence):
        folds.make(labels, **options)


def test_one_group_that_swallows_a_class_is_refused():
    """Class 1 has songs of two artists, but one of them also owns everything else there is to
    balance.
    """
    with pytest.raises(MerKitError, match="would train without class|would test no song"):
        folds._check_usable(
            [folds.Fold(0, np.array([0, 1]), np.array([2, 3]))], np.array([0, 0, 1, 1])
        )
    with pytest.raises(MerKitError, match="fold 0 would test no song"):
        folds._check_usable(
            [folds.Fold(0, np.array([0, 1]), np.array([], dtype=int))], np.array([0, 1])
        )


def test_errors_about_folds_name_the_classes():
    uneven = [folds.Fold(0, np.array([0, 1]), np.array([2, 3]))]
    with pytest.raises(MerKitError, match="would train without Q2"):
        folds._check_usable(uneven, np.array([0, 0, 1, 1]), ("Q1", "Q2"))
    with pytest.raises(MerKitError, match=r"no development song is of V\+, which is tested"):
        folds.official(["development", "evaluation"], [0, 1], class_names=("V-", "V+"))
