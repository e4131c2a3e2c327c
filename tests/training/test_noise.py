"""Injected noise has the rate, the neighbours and the whole songs that it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.training import noise

KINDS = st.sampled_from(["symmetric", "neighbour"])


@given(KINDS, st.integers(0, 120), st.floats(0, 1), st.integers(2, 5), st.integers(0, 2**31))
@settings(deadline=None, max_examples=100)
def test_exactly_the_rounded_number_of_labels_is_wrong(kind, n, rate, n_classes, seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, n_classes, n)
    kept = labels.copy()
    noisy, realised = noise.inject(
        labels, rate, kind=kind, n_classes=n_classes, generator=generator
    )
    assert (noisy != labels).sum() == round(rate * n)
    assert realised == ((noisy != labels).mean() if n else 0.0)
    assert ((noisy >= 0) & (noisy < n_classes)).all() and noisy.dtype == np.int64
    np.testing.assert_array_equal(labels, kept)


@given(st.integers(0, 2**31))
@settings(deadline=None, max_examples=20)
def test_neighbours_have_one_of_valence_and_arousal_right(seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, 60)
    noisy, _ = noise.inject(labels, 1.0, kind="neighbour", n_classes=4, generator=generator)
    valence, arousal = (
        np.array([1, 0, 0, 1]),
        np.array([1, 1, 0, 0]),
    )  # Q1 V+A+, Q2 V−A+, Q3 V−A−, Q4 V+A−
    same = (valence[noisy] == valence[labels]).astype(int) + (arousal[noisy] == arousal[labels])
    assert (same == 1).all()


def test_every_wrong_class_is_equally_likely():
    labels = np.zeros(6000, dtype=int)
    noisy, _ = noise.inject(labels, 1.0, n_classes=4, generator=np.random.default_rng(0))
    np.testing.assert_allclose(
        np.bincount(noisy, minlength=4) / 6000, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.03
    )
    near, _ = noise.inject(
        labels, 1.0, kind="neighbour", n_classes=4, generator=np.random.default_rng(0)
    )
    np.testing.assert_allclose(
        np.bincount(near, minlength=4) / 6000, [0, 1 / 2, 0, 1 / 2], atol=0.03
    )


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=15), st.floats(0, 1), st.integers(0, 2**31)
)
@settings(deadline=None, max_examples=100)
def test_songs_are_corrupted_whole_and_the_rate_is_as_near_as_the_last_song_allows(
    lengths, rate, seed
):
    generator = np.random.default_rng(seed)
    songs = generator.permutation(np.repeat(np.arange(len(lengths)) * 7, lengths))
    labels = (songs // 7) % 4  # a song has one label
    noisy, realised = noise.inject(
        labels, rate, kind="song", n_classes=4, generator=generator, songs=songs
    )
    for song in np.unique(songs):
        rows = songs == song
        assert len(np.unique(noisy[rows])) == 1 and len(np.unique((noisy != labels)[rows])) == 1
    assert realised == (noisy != labels).mean()
    assert abs(realised - rate) <= max(lengths) / 2 / len(songs) + 1e-9


def test_same_generator_same_noise():
    labels = np.arange(50) % 4
    draws = [
        noise.inject(labels, 0.4, n_classes=4, generator=np.random.default_rng(s))[0]
        for s in (1, 1, 2)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_bad_input_gets_a_sentence():
    generator = np.random.default_rng(0)
    labels = np.zeros(4, dtype=int)
    for arguments, message in [
        ({"rate": 1.2, "n_classes": 4}, "rate is 1.2"),
        ({"rate": 0.2, "n_classes": 1}, "n_classes is 1"),
        ({"rate": 0.2, "n_classes": 4, "kind": "songs"}, "kind is 'songs', .*did you mean 'song'"),
        ({"rate": 0.2, "n_classes": 4, "kind": "song"}, "needs the song of every segment"),
        (
            {"rate": 0.2, "n_classes": 4, "kind": "song", "songs": np.zeros(3)},
            "needs the song of every segment",
        ),
    ]:
        with pytest.raises(MerKitError, match=message):
            noise.inject(labels, generator=generator, **arguments)


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=15), st.floats(0, 1), st.integers(0, 2**31)
)
@settings(deadline=None, max_examples=100)
def test_drift_is_one_unbroken_stretch_of_one_class_in_each_song(lengths, rate, seed):
    generator = np.random.default_rng(seed)
    songs = np.repeat(generator.permutation(len(lengths)), lengths)
    labels = songs % 3
    noisy, realised = noise.inject(
        labels, rate, kind="drift", n_classes=3, generator=generator, songs=songs
    )
    wrong = noisy != labels
    assert wrong.sum() == np.floor(rate * len(songs) + 0.5) and realised == wrong.mean()
    for song, length in zip(songs[np.r_[0, np.cumsum(lengths)[:-1]]], lengths, strict=True):
        of_song = songs == song
        assert abs(wrong[of_song].sum() - rate * length) <= 1
        edges = np.diff(np.r_[0, wrong[of_song].astype(int), 0])
        assert (edges == 1).sum() <= 1 and len(set(noisy[of_song & wrong])) <= 1


def test_a_stretch_may_begin_anywhere_that_it_fits():
    songs = np.repeat(np.arange(4000), 4)
    noisy, _ = noise.inject(
        songs % 2, 0.25, kind="drift", n_classes=2, generator=np.random.default_rng(0), songs=songs
    )
    wrong = (noisy != songs % 2).reshape(4000, 4)
    np.testing.assert_allclose(wrong.mean(axis=0), 0.25, atol=0.03)


@given(KINDS, st.integers(1, 80), st.floats(0, 1), st.floats(0, 1), st.integers(2, 5))
@settings(deadline=None, max_examples=50)
def test_a_higher_rate_contains_the_wrong_labels_of_a_lower_one(kind, n, one, other, n_classes):
    labels = np.arange(n) % n_classes
    less, more = (
        noise.inject(
            labels, rate, kind=kind, n_classes=n_classes, generator=np.random.default_rng(3)
        )[0]
        for rate in sorted((one, other))
    )
    wrong = less != labels
    np.testing.assert_array_equal(more[wrong], less[wrong])
