"""Batches, standardisation, the evaluation pass and the losses made of it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from mer_kit.checks import MerKitError
from mer_kit.training import evaluation
from mer_kit.training.evaluation import ArraySegments, Standardise
from mer_kit.training.networks.vgg16 import VGG16


def _source(n: int = 11, *, seed: int = 0) -> ArraySegments:
    return ArraySegments(np.random.default_rng(seed).normal(-40, 10, (n, 1, 32, 33)))


@given(st.integers(0, 40), st.integers(1, 12), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_batches_give_every_row_once_in_order(n, batch_size, seed):
    source = ArraySegments(np.arange(50.0).reshape(50, 1, 1, 1))
    rows = np.random.default_rng(seed).permutation(50)[:n]
    parts = list(evaluation.batches(source, evaluation.cut(rows, batch_size)))
    np.testing.assert_array_equal(np.concatenate([p for p, _ in parts]) if parts else [], rows)
    np.testing.assert_array_equal(
        np.concatenate([x[:, 0, 0, 0] for _, x in parts]) if parts else [], rows
    )
    assert all(len(part) == batch_size for part, _ in parts[:-1])


def test_batches_hold_at_most_two_and_pass_errors_on():
    """One batch in use, one fetched ahead: memory does not grow with the data."""

    class Counting(ArraySegments):
        asked = 0
        threads: set[str]

        def gather(self, rows: np.ndarray) -> np.ndarray:
            self.asked += 1
            self.threads.add(threading.current_thread().name)
            if 30 in rows:
                raise OSError("the disk is gone")
            return super().gather(rows)

    source = Counting(np.zeros((40, 1, 1, 1)))
    source.threads = set()
    walk = evaluation.batches(source, evaluation.cut(np.arange(40), 10))
    next(walk)
    time.sleep(0.1)  # more than enough for the thread to fetch all that it was asked for
    assert source.asked == 2 and threading.current_thread().name not in source.threads
    next(walk), next(walk)
    with pytest.raises(OSError, match="the disk is gone"):
        next(walk)


def test_band_statistics_against_numpy_in_one_go():
    source = _source(25)
    mean, sd = evaluation.band_statistics(source, batch_size=4)
    np.testing.assert_allclose(
        mean, source.values[:, 0].mean(axis=(0, 2), dtype=np.float64), rtol=1e-5
    )
    np.testing.assert_allclose(
        sd, source.values[:, 0].std(axis=(0, 2), dtype=np.float64), rtol=1e-5
    )
    assert mean.dtype == sd.dtype == np.float32 and mean.shape == (32,)
    z = Standardise(mean, sd)(source.values)
    np.testing.assert_allclose(z.mean(axis=(0, 1, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(z.std(axis=(0, 1, 3)), 1, atol=1e-4)
    assert z.dtype == np.float32 and z.flags.c_contiguous


def test_silent_bands_are_shifted_but_not_blown_up():
    values = _source().values
    values[:, 0, 5] = -100.0
    mean, sd = evaluation.band_statistics(ArraySegments(values))
    assert sd[5] == 1.0
    assert np.abs(Standardise(mean, sd)(values)[:, 0, 5]).max() < 1e-3


def test_evaluation_pass_is_softmax_without_dropout():
    network = VGG16(
        4, width=1, head_pool=1, batch_norm=True, generator=torch.Generator().manual_seed(0)
    ).train()
    source, where = _source(), evaluation.place("cpu", "float32")
    standardise = Standardise(*evaluation.band_statistics(source))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    p = evaluation.probabilities(network, source, standardise, where, batch_size=4)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    with torch.no_grad():
        logits = network.eval()(torch.from_numpy(standardise(source.values))).numpy()
    np.testing.assert_allclose(p, softmax(logits.astype(np.float64), axis=1), atol=1e-5)
    assert p.dtype == np.float32 and p.shape == (11, 4)


# ---- losses --------------------------------------------------------------------------------------


@given(st.integers(0, 2**31), st.integers(2, 5))
@settings(deadline=None, max_examples=30)
def test_losses_are_minus_log_p_of_the_label(seed, k):
    generator = np.random.default_rng(seed)
    p, labels = generator.dirichlet(np.ones(k), 20), generator.integers(0, k, 20)
    out = evaluation.losses(p, labels)
    np.testing.assert_allclose(out, -np.log(p[np.arange(20), labels]), rtol=2e-3, atol=1e-3)
    assert out.dtype == np.float64
    for archived in (p.astype(np.float16), p.astype(np.float16).astype(np.float32)):
        assert (
            evaluation.losses(archived, labels).tobytes() == out.tobytes()
        )  # float16 is what is archived


def test_losses_of_impossible_and_certain_labels_are_finite():
    p = np.array([[0.0, 1.0], [1e-9, 1.0]])
    np.testing.assert_allclose(evaluation.losses(p, np.array([0, 0])), 24 * np.log(2))
    assert (evaluation.losses(p, np.array([1, 1])) == 0).all()


# ---- placement -----------------------------------------------------------------------------------


def test_place_takes_what_it_is_told():
    where = evaluation.place("cpu", "bfloat16")
    assert (where.device.type, where.precision) == ("cpu", "bfloat16")
    linear, x = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with where.autocast():
        assert linear(x).dtype == torch.bfloat16
    with evaluation.place("cpu", "float32").autocast():
        assert linear(x).dtype == torch.float32


def test_auto_takes_the_gpu_and_bfloat16_where_they_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert str(evaluation.place().device) == "cuda" and evaluation.place().precision == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for capable, precision in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda capable=capable: capable, raising=False
        )
        assert (str(evaluation.place().device), evaluation.place().precision) == ("cpu", precision)


def test_absent_devices_and_unknown_precisions_get_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        MerKitError,
        match=r"device \(as found on this machine\) is 'cuda', expected one of auto, cpu",
    ):
        evaluation.place("cuda")
    with pytest.raises(
        MerKitError, match="precision is 'float16', expected .*did you mean 'bfloat16'|'float32'"
    ):
        evaluation.place("cpu", "float16")


def test_put_keeps_the_values_channels_last():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    tensor = evaluation.place("cpu", "float32").put(x)
    np.testing.assert_array_equal(tensor.numpy(), x)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
