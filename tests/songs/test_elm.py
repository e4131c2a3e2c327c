"""The extreme learning machine against closed forms: normal equations, kernel ridge, interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from mer_kit.checks import MerKitError
from mer_kit.songs import features
from mer_kit.songs.classifiers.elm import ELM

N, K = 40, 3
RNG = np.random.default_rng(0)
SONG = np.repeat(np.arange(N), 6)
LABELS = np.arange(N) % K
P = RNG.dirichlet(np.ones(K), len(SONG)) * 0.5 + 0.5 * np.eye(K)[LABELS[SONG]]


def _hidden(elm: ELM) -> np.ndarray:
    """Return the hidden units of the training songs, written out."""
    x = (elm.pool(P, SONG, N) - elm.mean_) / elm.sd_
    return 1 / (1 + np.exp(-x @ elm.weights_))


def test_without_a_ridge_the_weights_solve_the_normal_equations() -> None:
    elm = ELM(hidden=15, ridge=0).fit(P, SONG, LABELS)
    h = _hidden(elm)
    expected = np.linalg.solve(h.T @ h, h.T @ np.eye(K)[LABELS])
    np.testing.assert_allclose(elm.output_, expected, atol=1e-6)


def test_with_as_many_units_as_songs_it_interpolates_the_labels() -> None:
    elm = ELM(hidden=4 * N, ridge=0).fit(P, SONG, LABELS)
    np.testing.assert_allclose(elm.outputs(P, SONG, N), np.eye(K)[LABELS], atol=1e-9)


@pytest.mark.parametrize("ridge", [0.1, 1.0, 30.0])
def test_the_ridge_is_that_of_kernel_ridge_regression(ridge: float) -> None:
    elm = ELM(ridge=ridge).fit(P, SONG, LABELS)
    h = _hidden(elm)
    oracle = KernelRidge(alpha=ridge, kernel="precomputed").fit(h @ h.T, np.eye(K)[LABELS])
    np.testing.assert_allclose(elm.outputs(P, SONG, N), oracle.predict(h @ h.T), atol=1e-10)


def test_its_statistics_are_columns_of_the_seven() -> None:
    seven = features.pool(P, SONG, n_songs=N, theta=0.2)
    elm = ELM(threshold=0.2)
    names = features.names(["a", "b", "c"])
    kept = [
        i for i, name in enumerate(names) if name[2:] in ("max", "min", "mean", "share above θ")
    ]
    np.testing.assert_array_equal(elm.pool(P, SONG, N), seven[:, kept])
    np.testing.assert_array_equal(ELM(threshold=0.2, statistics="seven").pool(P, SONG, N), seven)
    own = features.pool(P, SONG, n_songs=N, theta=1 / K)
    np.testing.assert_array_equal(ELM().pool(P, SONG, N), own[:, kept])


def test_equal_songs_and_shuffled_segments() -> None:
    alike = np.full_like(P, 1 / K)
    assert np.ptp(ELM().pool(alike, SONG, N), axis=0).max() == 0
    assert np.isfinite(ELM().fit(alike, SONG, LABELS).outputs(P, SONG, N)).all()
    elm, order = ELM().fit(P, SONG, LABELS), RNG.permutation(len(SONG))
    np.testing.assert_array_equal(elm.outputs(P[order], SONG[order], N), elm.outputs(P, SONG, N))


def test_a_seed_decides_the_hidden_weights_alone() -> None:
    first, again, other = (ELM(seed=seed).fit(P, SONG, LABELS) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.output_, again.output_)
    assert (first.weights_ != other.weights_).all() and np.abs(first.weights_).max() <= 1
    assert np.abs(first.weights_).max() > 0.99 and abs(first.weights_.mean()) < 0.05


def test_what_does_not_fit_gets_a_sentence() -> None:
    with pytest.raises(MerKitError, match="^this ELM is not fitted: call fit first$"):
        ELM().predict(P, SONG, N)
    with pytest.raises(MerKitError, match="has 2 classes, expected 3 as in training: use the"):
        ELM().fit(P, SONG, LABELS).predict(np.full((len(P), 2), 0.5), SONG, N)
    with pytest.raises(MerKitError, match="statistics is 'five', expected one of four, seven"):
        ELM(statistics="five")
    with pytest.raises(MerKitError, match="ridge is -1"):
        ELM(ridge=-1)
