"""The song-level classifiers: planted songs, ties, one interface."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.songs import classifiers
from mer_kit.songs.classifiers.svm import SVM

A, B, C = [0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]


def _answer(name: str, segments: list) -> int:
    return int(
        classifiers.make(name).predict(np.array(segments), np.zeros(len(segments), dtype=int), 1)[0]
    )


def test_rules_differ_where_they_should():
    """A is chosen most often, B in the longest run, C (nearly sure, once) has the highest mean."""
    a, b, c = [0.4, 0.31, 0.29], [0.31, 0.4, 0.29], [0.0, 0.0, 1.0]
    song = [a, a, b, b, b, a, c, a]
    assert _answer("mean", song) == 2
    assert _answer("vote", song) == 0
    assert _answer("run_length", song) == 1


def test_ties_go_to_the_higher_mean():
    surer_b = [0.1, 0.8, 0.1]
    for name in ("vote", "run_length"):
        assert _answer(name, [A, surer_b]) == _answer(name, [surer_b, A]) == 1
        assert _answer(name, [B, B, A, A]) == 0  # equal means too: the smaller index
    assert (
        _answer(
            "vote", [[0.36, 0.34, 0.3], [0.3, 0.4, 0.3], [0.0, 0.1, 0.9], [0.3, 0.4, 0.3], C, A]
        )
        == 2
    )


def test_a_class_without_a_vote_cannot_win_a_tie():
    """B has the highest mean but no segment chooses it."""
    song = [[0.5, 0.49, 0.01], [0.01, 0.49, 0.5]]
    assert _answer("mean", song) == 1
    assert _answer("vote", song) == _answer("run_length", song) == 0


def test_run_needs_row_order_and_does_not_cross_songs():
    """Interleaved songs: each song's rows keep their order, and a run ends where the song does."""
    p = np.array([B, A, B, A, A, A, A, B, A, B])
    song = np.array([0, 1, 0, 1, 0, 0, 1, 0, 0, 1])  # song 0: B B A A B A; song 1: A A A B
    p[[4]] = [0.1, 0.8, 0.1]  # song 0 becomes B B B A B A
    np.testing.assert_array_equal(classifiers.make("run_length").predict(p, song, 2), [1, 0])


@given(st.lists(st.integers(0, 2), min_size=1, max_size=25))
@settings(deadline=None, max_examples=100)
def test_run_length_and_vote_against_plain_python(chosen):
    """The oracle groups the chosen classes with itertools; segments are equally sure, so means
    follow the votes.
    """
    song = [[A, B, C][k] for k in chosen]
    runs = [(k, len(list(run))) for k, run in itertools.groupby(chosen)]
    longest = {k: max((n for c, n in runs if c == k), default=0) for k in range(3)}
    assert _answer("run_length", song) == min(
        range(3), key=lambda k: (-longest[k], -chosen.count(k), k)
    )
    assert _answer("vote", song) == min(range(3), key=lambda k: (-chosen.count(k), k))


@pytest.mark.parametrize("name", classifiers.NAMES)
def test_one_interface(name):
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 10)
    song = np.repeat(np.arange(20), 6)
    p1 = np.clip(0.3 + 0.4 * labels[song] + generator.normal(0, 0.1, len(song)), 0, 1)
    p = np.stack([1 - p1, p1], axis=1)
    classifier = classifiers.make(name, theta=0.4, seed=3)
    assert classifier.fit(p, song, labels) is classifier
    answer = classifier.predict(p, song, 20)
    assert answer.dtype == np.int64 and answer.shape == (20,)
    np.testing.assert_array_equal(answer, labels)


@pytest.mark.parametrize("name", classifiers.NAMES)
@pytest.mark.parametrize(
    ("p", "song", "labels", "sentence"),
    [
        ([[0.5, 0.5]] * 2, [0, 0], [0, 1], "song 1 of 0…1 has no segment"),
        (
            [[0.5, 0.5]] * 2,
            [0, 1],
            [0],
            r"song\[1\] is 1, expected 0 to 0: count songs from 0 and pass one label",
        ),
        ([[0.5, 0.5]] * 2, [0, 1], [0, 2], r"labels\[1\] is 2, expected 0 to 1"),
        ([[5.0, 0.5]] * 2, [0, 1], [0, 1], "apply softmax first"),
    ],
)
def test_bad_training_input_gets_the_same_sentence_everywhere(name, p, song, labels, sentence):
    with pytest.raises(MerKitError, match=sentence):
        classifiers.make(name).fit(np.array(p), np.array(song), np.array(labels))


def test_knobs_reach_the_svm():
    svm = classifiers.make("svm", theta=0.4, seed=3)
    assert isinstance(svm, SVM) and (svm.theta, svm.seed) == (0.4, 3)


def test_unknown_name():
    with pytest.raises(
        MerKitError, match="song-level classifier is 'run-length'.*did you mean 'run_length'"
    ):
        classifiers.make("run-length")
