"""A nest goes to disk and comes back equal; what is torn or foreign gets a sentence; nothing is
half written.
"""

from __future__ import annotations

import math
import os
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mer_kit.checks import MerKitError
from mer_kit.seeding import numpy_generator
from mer_kit.training import checkpoint

TENSORS = st.sampled_from(
    [
        torch.arange(6).reshape(2, 3),
        torch.tensor(2.5),
        torch.tensor([float("nan"), -0.0]),
        torch.ones(3, dtype=torch.bfloat16),
        torch.zeros(0, 4, dtype=torch.float16),
        torch.tensor([True, False]),
        torch.arange(12.0).reshape(1, 2, 2, 3).contiguous(memory_format=torch.channels_last),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text(max_size=5)
    | TENSORS
)  # PCG64's state holds integers of 128 bits
KEYS = st.integers(-3, 3) | st.sampled_from(["a", "b", "a/b", "1", "", "value", "tensor"])
NESTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        bits = (one.to(torch.float32), other.to(torch.float32))
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and torch.equal(*(b.nan_to_num(7.0) for b in bits))
        )
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


@given(NESTS)
@settings(deadline=None, max_examples=150)
def test_any_nest_comes_back(tmp_path_factory, nest):
    file = tmp_path_factory.mktemp("nest") / "state.safetensors"
    checkpoint.save(file, nest)
    assert _same(nest, checkpoint.load(file))


@pytest.mark.parametrize(
    "nest",
    [{1: 2.0, "1": 3.0}, {"a/b": 2.0, "a": {"b": 3.0}}, {"": 2.0, "x": {"": 3.0}, "x/": 4.0}],
)
def test_tensors_under_names_that_read_alike_are_kept_apart(tmp_path, nest):
    def with_tensors(value: Any) -> Any:
        return (
            {k: with_tensors(v) for k, v in value.items()}
            if isinstance(value, dict)
            else torch.tensor([value])
        )

    checkpoint.save(tmp_path / "a", with_tensors(nest))
    assert _same(checkpoint.load(tmp_path / "a"), with_tensors(nest))


def test_an_optimizer_and_a_generator_go_on_where_they_were(tmp_path):
    """Integer keys, tuples (betas), None and 128-bit integers, as the trainer stores them."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    weight.grad = torch.tensor([1.0, 2.0, 3.0])
    optimizer.step()
    generator = numpy_generator(0, "order")
    generator.random(5)
    checkpoint.save(
        tmp_path / "a", {"o": optimizer.state_dict(), "g": generator.bit_generator.state}
    )
    stored = checkpoint.load(tmp_path / "a")
    copy = torch.nn.Parameter(weight.detach().clone())
    again = torch.optim.AdamW([copy], lr=0.5)
    again.load_state_dict(stored["o"])
    copy.grad = weight.grad.clone()
    optimizer.step(), again.step()
    assert torch.equal(copy, weight)
    fresh = np.random.Generator(np.random.PCG64(9))
    fresh.bit_generator.state = stored["g"]
    assert fresh.random() == generator.random()


def test_saved_tensors_are_copies_of_views_and_gradients(tmp_path):
    whole = torch.arange(4.0, requires_grad=True)
    checkpoint.save(
        tmp_path / "deep" / "er" / "a", {"whole": whole, "part": whole[1:3], "again": whole}
    )
    stored = checkpoint.load(tmp_path / "deep" / "er" / "a")
    assert stored["part"].tolist() == [1.0, 2.0] and stored["again"].tolist() == [0, 1, 2, 3]
    assert not stored["whole"].requires_grad


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "state.safetensors"
    checkpoint.save(file, {"epoch": 1})
    with pytest.raises(TypeError):
        checkpoint.save(file, {"epoch": object()})

    def full(tensors: Any, path: Any, **_: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.save(file, {"epoch": 2})
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.safetensors"]
    assert checkpoint.load(file) == {"epoch": 1}


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_torn_files_get_a_sentence(tmp_path, keep):
    file = tmp_path / "state.safetensors"
    checkpoint.save(file, {"weights": torch.ones(100), "epoch": 1})
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(
        MerKitError, match="state.safetensors' cannot be read .*: delete it to train again"
    ):
        checkpoint.load(file)


def test_foreign_and_missing_files_get_a_sentence(tmp_path):
    save_file({"weights": torch.ones(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(
        MerKitError,
        match="foreign.safetensors' cannot be read .* expected a file that a training wrote",
    ):
        checkpoint.load(tmp_path / "foreign.safetensors")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing.safetensors", "folder", "pipe"):
        with pytest.raises(
            MerKitError, match=f"{name}' is missing or no regular file, expected one"
        ):
            checkpoint.load(tmp_path / name)


def test_no_pickle_is_written(tmp_path):
    checkpoint.save(tmp_path / "a", {"w": torch.ones(2), "n": None})
    data = (tmp_path / "a").read_bytes()
    header = int.from_bytes(
        data[:8], "little"
    )  # safetensors: eight bytes of length, JSON, raw numbers
    assert data[8:9] == b"{" and len(data) == 8 + header + 8
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(data)
