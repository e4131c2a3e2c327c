"""The 7·K features against numbers worked out by hand, and their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.songs import features


def _random(seed: int, n_segments: int, n_classes: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), n_segments)


def test_hand_computed_song():
    """Class 0, sorted: .1 .2 .4 .5 .8. Of five values the quartiles are the 2nd to 4th; mean 2/5;
    one in five > .5.
    """
    p = np.array([0.5, 0.1, 0.8, 0.2, 0.4])
    row = features.pool(np.stack([p, 1 - p], axis=1), np.zeros(5, dtype=int), n_songs=1)
    np.testing.assert_allclose(row[0, :7], [0.8, 0.1, 0.2, 0.4, 0.5, 0.4, 0.2], rtol=0, atol=1e-12)
    np.testing.assert_allclose(row[0, 7:], [0.9, 0.2, 0.5, 0.6, 0.8, 0.6, 0.6], rtol=0, atol=1e-12)


def test_quartiles_interpolate_linearly():
    """Four values .0 .1 .4 .8: positions 0.75, 1.5, 2.25 give .075, .25, .5."""
    p = np.array([0.8, 0.0, 0.4, 0.1])
    row = features.pool(np.stack([p, 1 - p], axis=1), np.zeros(4, dtype=int), n_songs=1)
    np.testing.assert_allclose(row[0, 2:5], [0.075, 0.25, 0.5], rtol=0, atol=1e-12)


def test_share_is_strictly_above_theta():
    p = np.array([[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]])
    song = np.zeros(3, dtype=int)
    assert features.pool(p, song, n_songs=1)[0, 6] == pytest.approx(1 / 3)
    assert features.pool(p, song, n_songs=1, theta=0.25)[0, 6] == pytest.approx(2 / 3)
    assert features.pool(p, song, n_songs=1, theta=0.2)[0, 6] == 1
    assert features.pool(p, song, n_songs=1, theta=0.75)[0, 6] == 0


def test_single_segment_song_repeats_its_probability():
    row = features.pool(np.array([[0.7, 0.2, 0.1]]), np.array([0]), n_songs=1).reshape(3, 7)
    np.testing.assert_allclose(row[:, :6], np.repeat([[0.7], [0.2], [0.1]], 6, axis=1))
    np.testing.assert_array_equal(row[:, 6], [1, 0, 0])


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(2, 5), st.integers(1, 6))
@settings(deadline=None, max_examples=60)
def test_order_of_segments_changes_no_bit(seed, extra, n_classes, n_songs):
    generator = np.random.default_rng(seed)
    song = np.r_[np.arange(n_songs), generator.integers(0, n_songs, extra)]
    p = _random(seed, len(song), n_classes)
    shuffled = generator.permutation(len(song))
    np.testing.assert_array_equal(
        features.pool(p, song, n_songs=n_songs),
        features.pool(p[shuffled], song[shuffled], n_songs=n_songs),
    )


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(2, 5))
@settings(deadline=None, max_examples=60)
def test_statistics_agree_with_their_definitions(seed, n_segments, n_classes):
    """Against the plain formulae, with the quartiles worked out from sorted lists instead of
    numpy's quantile.
    """
    p = _random(seed, n_segments, n_classes)
    table = features.pool(p, np.zeros(n_segments, dtype=int), n_songs=1, theta=0.3).reshape(
        n_classes, 7
    )
    for k in range(n_classes):
        values = sorted(p[:, k].tolist())
        quartiles = []
        for q in (0.25, 0.5, 0.75):
            below, rest = divmod(q * (n_segments - 1), 1)
            above = min(int(below) + 1, n_segments - 1)
            quartiles.append(values[int(below)] * (1 - rest) + values[above] * rest)
        share = sum(value > 0.3 for value in values) / n_segments
        expected = [values[-1], values[0], *quartiles, sum(values) / n_segments, share]
        np.testing.assert_allclose(table[k], expected, rtol=0, atol=1e-12)
    assert table[:, 5].sum() == pytest.approx(1)  # means of distributions sum to one


def test_songs_are_kept_apart_even_when_interleaved():
    p = _random(1, 6, 3)
    song = np.array([0, 1, 0, 1, 1, 0])
    both = features.pool(p, song, n_songs=2)
    for s in (0, 1):
        alone = features.pool(p[song == s], np.zeros(3, dtype=int), n_songs=1)
        np.testing.assert_array_equal(both[s], alone[0])


def test_rows_stay_in_time_order_in_a_long_interleaved_list():
    song = np.random.default_rng(4).integers(0, 3, 5000)
    for s, rows in enumerate(features.rows_by_song(song, 3, n_segments=5000)):
        assert rows.tolist() == [row for row in range(5000) if song[row] == s]


def test_half_precision_archives_are_accepted():
    p = _random(2, 50, 4).astype(np.float16)
    exact = features.pool(_random(2, 50, 4), np.zeros(50, dtype=int), n_songs=1)
    np.testing.assert_allclose(
        features.pool(p, np.zeros(50, dtype=int), n_songs=1)[:, :6], exact[:, :6], atol=1e-3
    )


def test_names_tell_what_stands_in_each_column():
    """A planted song: one class is certain in one segment of four, so every column can be
    identified by its name.
    """
    p = np.array([[1.0, 0.0]] + [[0.2, 0.8]] * 3)
    column = dict(
        zip(
            features.names(["A-", "A+"]),
            features.pool(p, np.zeros(4, int), n_songs=1)[0],
            strict=True,
        )
    )
    assert len(column) == 14
    assert column["A- max"] == 1 and column["A- min"] == 0.2 and column["A- median"] == 0.2
    assert column["A- lower quartile"] == 0.2 and column["A- upper quartile"] == pytest.approx(0.4)
    assert column["A- mean"] == pytest.approx(0.4) and column["A- share above θ"] == 0.25
    assert column["A+ max"] == 0.8 and column["A+ min"] == 0 and column["A+ share above θ"] == 0.75


@pytest.mark.parametrize(
    ("song", "n_songs", "options", "sentence"),
    [
        (
            [0, 0, 2],
            3,
            {},
            r"song 1 of 0…2 has no segment, expected at least one: lower segment_seconds",
        ),
        ([0, 0, 0], 3, {}, r"song 1 of 0…2 has no segment \(nor have 1 others\)"),
        ([0, 1, 2], 2, {}, r"song\[2\] is 2, expected 0 to 1: count songs from 0"),
        ([0, -1, 0], 1, {}, r"song\[1\] is -1, expected 0 to 0"),
        (
            [0, 0],
            1,
            {},
            r"song is a int64 array of shape \(2,\), expected whole numbers of shape \[3\]",
        ),
        ([0.0, 0.0, 0.0], 1, {}, "song is a float64 array"),
        ([0, 0, 0], 0, {}, "n_songs is 0, expected a whole number of at least 1"),
        ([0, 0, 0], 1, {"theta": 1.5}, "theta is 1.5, expected a number from 0 to 1"),
    ],
)
def test_bad_input_gets_a_sentence(song, n_songs, options, sentence):
    with pytest.raises(MerKitError, match=sentence):
        features.pool(np.full((3, 2), 0.5), np.array(song), n_songs=n_songs, **options)


def test_logits_are_refused():
    with pytest.raises(MerKitError, match="apply softmax first"):
        features.pool(np.array([[2.0, -1.0]]), np.array([0]), n_songs=1)
