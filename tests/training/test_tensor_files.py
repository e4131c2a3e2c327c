"""Unfit models and checkpoints get an error message before memory is used or anything changes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from mer_kit.checks import MerKitError
from mer_kit.training import SegmentClassifier, checkpoint, tensor_files
from mer_kit.training.networks.vgg16 import VGG16

Nest = dict[str, Any]


@pytest.fixture(scope="module")
def model(tmp_path_factory: Any, trained: Any) -> Path:
    file = tmp_path_factory.mktemp("model") / "model.safetensors"
    trained.save_model(file)
    return Path(file)


def first(nest: Nest) -> str:
    return next(name for name, tensor in nest["network"].items() if tensor.ndim == 4)


def put(part: str, change: Callable[[Any], Any]) -> Callable[[Nest], None]:
    """Return a change of one tensor of the network, or of the bands."""

    def apply(nest: Nest) -> None:
        if part == "bands":
            nest["bands"] = [change(band) for band in nest["bands"]]
        else:
            nest["network"][first(nest)] = change(nest["network"][first(nest)])

    return apply


def settings(**changes: Any) -> Callable[[Nest], None]:
    return lambda nest: nest["model"].update(changes)


DAMAGED: dict[str, tuple[Callable[[Nest], Any], str]] = {
    "width 200000": (settings(width=200_000), "weights that are not those of its network"),
    "width 10^12": (settings(width=10**12), "no network vgg16 with|not those of its network"),
    "width as text": (settings(width="1"), "width is '1', expected a whole number"),
    "width null": (settings(width=None), "width is None, expected a whole number"),
    "width infinite": (settings(width=float("inf")), "width is inf, expected a whole number"),
    "another setting": (settings(depth=3), "setting of network vgg16 is 'depth'"),
    "a list of settings": (lambda nest: nest.update(model=[1]), "does not describe a network"),
    "a billion classes": (
        lambda nest: nest.update(n_classes=10**9),
        "n_classes is 1000000000, expected",
    ),
    "other classes": (
        lambda nest: nest.update(n_classes=4),
        "weights that are not those of its network",
    ),
    "classes as text": (lambda nest: nest.update(n_classes="2"), "n_classes is '2', expected"),
    "a tensor less": (
        lambda nest: nest["network"].pop(first(nest)),
        "weights that are not those of its network",
    ),
    "a tensor more": (
        lambda nest: nest["network"].update(x=torch.ones(2)),
        "not those of its network",
    ),
    "a number for a tensor": (
        put("network", lambda tensor: 3),
        "weights that are not those of its network",
    ),
    "another shape": (
        put("network", lambda tensor: tensor[..., None]),
        "weights that are not those of its network",
    ),
    "whole numbers": (
        put("network", lambda tensor: tensor.to(torch.int8)),
        "weights that are not those of its network",
    ),
    "half precision": (
        put("network", lambda tensor: tensor.half()),
        "weights that are not those of its network",
    ),
    "NaN": (
        put("network", lambda tensor: tensor * float("nan")),
        "numbers that no training leaves",
    ),
    "infinite": (
        put("network", lambda tensor: tensor + float("inf")),
        "numbers that no training leaves",
    ),
    "bands NaN": (
        put("bands", lambda band: band * float("nan")),
        "numbers that no training leaves",
    ),
    "no spread": (put("bands", lambda band: band * 0), "numbers that no training leaves"),
    "bands flat": (
        put("bands", lambda band: band[None]),
        "lacks the mean and standard deviation of each feature",
    ),
    "one band list": (
        lambda nest: nest.update(bands=nest["bands"][:1]),
        "lacks the mean and standard deviation",
    ),
    "bands of two lengths": (
        lambda nest: nest["bands"].append(nest["bands"].pop()[:-1]),
        "lacks the mean and standard deviation",
    ),
    "something else": (lambda nest: [nest.pop(name) for name in list(nest)], "is no model file"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_model_is_named_before_a_network_is_built(tmp_path, model, case, monkeypatch):
    damage, words = DAMAGED[case]
    nest = checkpoint.load(model)
    damage(nest)
    checkpoint.save(tmp_path / "model.safetensors", nest)
    built: list[Any] = []
    monkeypatch.setattr(SegmentClassifier, "_network", lambda *a, **k: built.append(a))
    with pytest.raises(MerKitError, match=f"({words})"):
        SegmentClassifier(tmp_path / "model.safetensors", device="cpu")
    assert not built


def test_no_tensor_is_read_of_a_file_that_does_not_fit(tmp_path, model):
    """A tensor of 3 GB that nobody asked for is a hole in the file: reading it would take 3 GB."""
    data = model.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    end, size = max(e["data_offsets"][1] for n, e in header.items() if n != "__metadata__"), 3 << 30
    header["/network/hole"] = {
        "dtype": "F32",
        "shape": [size // 4],
        "data_offsets": [end, end + size],
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file = tmp_path / "model.safetensors"
    with open(file, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data[8 + length :])
        out.truncate(8 + len(text) + end + size)
    read: list[Any] = []
    nest = checkpoint.load(
        file, check=read.append
    )  # unreferenced tensors are in the file, not in its nest
    assert all(tensor.device.type == "meta" for tensor in read[0]["network"].values())
    assert set(nest["network"]) == set(checkpoint.load(model)["network"])


@pytest.mark.parametrize("length", [0, 2**60, 17 << 20])
def test_headers_longer_than_a_trainings_are_not_read(tmp_path, length):
    with open(tmp_path / "a", "wb") as file:
        file.write(struct.pack("<Q", length) + b"{}")
        file.truncate(64 << 20)
    with pytest.raises(MerKitError, match="cannot be read"):
        checkpoint.load(tmp_path / "a")


@pytest.mark.parametrize(
    "tree", ['{"list":[' * 50_000, '{"list": [' * 5000 + "]}" * 5000,
             '{"dict": [[[1], {"value": 2}]]}',
             '{"dict": [], "list": []}', '{"tensor": "x"}', '{"tensor": []}', "[]", "null", "",
             '{"dict": [1]}', '{"list": 3}'],
)  # fmt: skip
def test_trees_that_no_training_wrote_are_refused(tmp_path, tree):
    from safetensors.torch import save_file

    save_file({"w": torch.ones(2)}, tmp_path / "a", metadata={"tree": tree})
    with pytest.raises(
        MerKitError, match="cannot be read .* expected a file that a training wrote"
    ):
        checkpoint.load(tmp_path / "a")
    with pytest.raises(
        MerKitError, match="cannot be read .* expected a file that a training wrote"
    ):
        checkpoint.load(tmp_path / "a", check=lambda nest: None)


def test_segments_of_other_bands_get_a_sentence(model, toy_maker):
    from mer_kit.training.evaluation import ArraySegments

    network = SegmentClassifier(model, device="cpu", precision="float32")
    with pytest.raises(
        MerKitError, match="segments have 64 features, expected 32 as in this network's training"
    ):
        network.predict_proba(ArraySegments(np.zeros((3, 1, 64, 32), np.float32)))


def test_the_outline_of_a_network_is_its_state(model):
    for options in ({"width": 2, "head_pool": 1}, {"width": 3, "head_pool": 2, "batch_norm": True}):
        real = VGG16(3, **options).state_dict()
        found = tensor_files.outline(3, options)
        assert tensor_files.misfits(real, found) == [] and list(found) == list(real)
        assert all(tensor.device.type == "meta" for tensor in found.values())


# ---- checkpoints ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def begun(tmp_path_factory: Any, toy: Any, trainer: Any) -> Path:
    """A checkpoint after the first epoch."""
    file = Path(tmp_path_factory.mktemp("begun")) / "checkpoint.safetensors"

    def stop(record: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(checkpoint_file=file, on_epoch=stop).fit(toy.segments, toy.labels, toy.songs)
    return file


def moment(nest: Nest) -> dict[str, Any]:
    return next(iter(nest["optimizer"]["state"].values()))


def moments_flat(nest: Nest) -> None:
    for name, value in moment(nest).items():
        moment(nest)[name] = (
            value.reshape(-1) if isinstance(value, torch.Tensor) and value.ndim else value
        )


CHECKPOINTS: dict[str, Callable[[Nest], Any]] = {
    "no network": lambda nest: nest.pop("network"),
    "weights of another shape": lambda nest: put("network", lambda tensor: tensor[:, :1, :1])(nest),
    "passes of other segments": lambda nest: nest.update(epochs=nest["epochs"][:, :-1]),
    "a pass too many": lambda nest: nest.update(epochs=torch.cat([nest["epochs"]] * 2)),
    "passes of another kind": lambda nest: nest.update(epochs=nest["epochs"].float()),
    "history is text": lambda nest: nest.update(history="all"),
    "a record of numbers": lambda nest: nest.update(history=[1]),
    "a record that lacks all": lambda nest: nest.update(history=[{}]),
    "moments of another shape": moments_flat,
    "no moments": lambda nest: nest.update(optimizer={"state": {}}),
    "other groups": lambda nest: nest["optimizer"].update(param_groups=[]),
    "a rate as text": lambda nest: nest["optimizer"]["param_groups"][0].update(lr="fast"),
    "no schedule": lambda nest: nest.update(scheduler={}),
    "no generators": lambda nest: nest.update(generators={}),
    "a generator of another kind": lambda nest: nest["generators"]["order"].update(
        bit_generator="MT19937"
    ),
    "a generator as text": lambda nest: nest["generators"].update(order="x"),
    "dropout of another length": lambda nest: nest.update(dropout=nest["dropout"][:-8]),
    "dropout of floats": lambda nest: nest.update(dropout=nest["dropout"].float()),
    "no bands": lambda nest: nest.update(bands=[]),
    "a split as text": lambda nest: nest.update(split_epoch="2"),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_damaged_checkpoint_gets_an_error_message(tmp_path, begun, toy, trainer, case):
    nest = checkpoint.load(begun)
    CHECKPOINTS[case](nest)
    checkpoint.save(tmp_path / "checkpoint.safetensors", nest)
    with pytest.raises(
        MerKitError,
        match=r"checkpoint checkpoint.safetensors (does not fit|cannot be resumed).*: delete it",
    ):
        trainer(checkpoint_file=tmp_path / "checkpoint.safetensors").fit(
            toy.segments, toy.labels, toy.songs
        )


@pytest.mark.parametrize("key", [None, 3, "", "[]", "{" * 9, "[" * 100_000])
def test_a_checkpoint_with_odd_settings_gets_a_sentence(tmp_path, begun, toy, trainer, key):
    checkpoint.save(tmp_path / "c", {**checkpoint.load(begun), "key": key})
    with pytest.raises(
        MerKitError, match=r"belongs to another training \(its settings cannot be read\)"
    ):
        trainer(checkpoint_file=tmp_path / "c").fit(toy.segments, toy.labels, toy.songs)


@pytest.mark.parametrize(
    "case", ["moments of another shape", "weights of another shape", "no bands"]
)
def test_a_damaged_warm_up_is_removed_and_the_training_is_as_without_it(
    tmp_path, toy, trainer, trained, case
):
    file = tmp_path / "warmup.safetensors"
    trainer(warmup_file=file).fit(toy.segments, toy.labels, toy.songs)
    nest = checkpoint.load(file)
    CHECKPOINTS[case](nest)
    checkpoint.save(file, nest)
    again = trainer(warmup_file=file).fit(toy.segments, toy.labels, toy.songs)
    assert again.eval_probabilities_.tobytes() == trained.eval_probabilities_.tobytes()
    assert len(checkpoint.load(file)["epochs"]) == len(nest["epochs"])  # a good one was left
    with safe_open(file, framework="pt") as whole:
        assert whole.metadata()


def test_the_warm_up_of_another_training_stays(tmp_path, toy, trainer):
    file = tmp_path / "warmup.safetensors"
    trainer(warmup_file=file).fit(toy.segments, toy.labels, toy.songs)
    before = file.read_bytes()
    trainer(warmup_file=file, seed=9).fit(toy.segments, toy.labels, toy.songs)
    assert file.read_bytes() == before
