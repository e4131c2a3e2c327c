"""musicnn against an independent convolution in torch, and its weights' file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as functional

from mer_kit.checks import MerKitError
from mer_kit.signal import frontends, tensorflow_checkpoint, wheels
from mer_kit.signal.frontends import musicnn
from mer_kit.signal.musicnn_network import N_MAPS, Musicnn, pooled
from tests.small_musicnn import checkpoint, installed, random_tensors


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    return random_tensors()


class Published:
    """The published layers one by one, as two-dimensional convolutions in torch."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.t = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}

    def normalise(self, x: torch.Tensor, number: int) -> torch.Tensor:
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        mean, variance = self.t[f"{name}/moving_mean"], self.t[f"{name}/moving_variance"]
        gamma, beta = self.t[f"{name}/gamma"], self.t[f"{name}/beta"]
        return functional.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)

    def layer(self, x: torch.Tensor, name: str, number: int) -> torch.Tensor:
        kernel = self.t[f"{name}/kernel"].permute(3, 2, 0, 1)
        convolved = functional.conv2d(x, kernel, self.t[f"{name}/bias"])
        return self.normalise(torch.relu(convolved), number)

    def middle(self, x: torch.Tensor, name: str, number: int) -> torch.Tensor:
        padded = functional.pad(x.transpose(1, 2)[:, None], (0, 0, 3, 3))  # [1, 1, n + 6, C]
        return self.layer(padded, name, number)[..., 0]

    def __call__(self, mel: np.ndarray) -> tuple[np.ndarray, ...]:
        x = self.normalise(torch.from_numpy(mel)[None, None], 0)
        timbral = functional.pad(x, (0, 0, 3, 3))
        front = [
            self.layer(timbral, "conv2d", 1).amax(3),
            self.layer(timbral, "conv2d_1", 2).amax(3),
        ]
        for name, number, taps in (("conv2d_2", 3, 128), ("conv2d_3", 4, 64), ("conv2d_4", 5, 32)):
            same = functional.pad(x, (0, 0, (taps - 1) // 2, taps // 2))
            front.append(self.layer(same, name, number).amax(3))
        first = self.middle(torch.cat(front, 1), "conv2d_5", 6)
        second = self.middle(first, "conv2d_6", 7) + first
        third = self.middle(second, "conv2d_7", 8) + second
        maps = torch.cat([*front, first, second, third], 1)
        both = torch.stack([maps.amax(2), maps.mean(2)], 2).flatten(1)
        hidden = self.normalise(both, 9) @ self.t["dense/kernel"] + self.t["dense/bias"]
        penultimate = self.normalise(torch.relu(hidden), 10)
        logits = penultimate @ self.t["dense_1/kernel"] + self.t["dense_1/bias"]
        return tuple(x[0].numpy() for x in (maps.mT, both, penultimate, torch.sigmoid(logits)))


@pytest.mark.parametrize("n_frames", [187, 62, 8, 1, 300])
def test_every_layer_equals_the_published_network(
    tensors: dict[str, np.ndarray], n_frames: int
) -> None:
    """A segment alone, from one frame to more than a block of the computation."""
    mel = np.random.default_rng(n_frames).uniform(0, 4, (n_frames, 96)).astype(np.float32)
    network = Musicnn(tensors)
    maps, both, penultimate, tags = Published(tensors)(mel)
    found = network.maps(mel)
    assert found.shape == (n_frames, N_MAPS)
    assert np.abs(found - maps).max() < 1e-4 * np.abs(maps).max()
    vector = pooled(found)
    assert np.abs(vector - both).max() < 1e-4 * np.abs(both).max()
    assert np.abs(network.penultimate(vector) - penultimate).max() < 1e-4
    assert np.abs(network.tags(vector) - tags).max() < 1e-4


def test_a_frame_hears_what_its_kernels_reach(tensors: dict[str, np.ndarray]) -> None:
    """A changed frame changes maps from 63 + 9 frames before to 64 + 9 after, and no others."""
    mel = np.random.default_rng(1).uniform(0, 4, (400, 96)).astype(np.float32)
    changed = mel.copy()
    changed[200] += 4.0
    network = Musicnn(tensors)
    moved = np.flatnonzero(np.abs(network.maps(mel) - network.maps(changed)).max(axis=1) > 1e-5)
    # A kernel of 128 taps reaches 63 frames back and 64 ahead.
    assert 200 - 64 - 9 <= moved.min() <= 200 - 60 and 200 + 60 <= moved.max() <= 200 + 63 + 9


def test_overlapping_batches_and_other_clips_change_nothing(
    tensors: dict[str, np.ndarray],
) -> None:
    """Maps of a clip do not depend on the block that a frame falls into."""
    mel = np.random.default_rng(2).uniform(0, 4, (500, 96)).astype(np.float32)
    network = Musicnn(tensors)
    whole, part = network.maps(mel), network.maps(mel[100:])
    assert np.allclose(whole[100 + 80 :], part[80:], atol=1e-4 * np.abs(whole).max())


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    rng = np.random.default_rng(3)
    given = {
        "a/kernel": rng.normal(size=(7, 3, 1, 2)).astype(np.float32),
        "a/kernel2": rng.normal(size=(300,)).astype(np.float32),
        "b/bias": np.array([], dtype=np.float32),
    }
    found = tensorflow_checkpoint.tensors(*checkpoint(given))
    assert sorted(found) == sorted(given)
    assert all(np.array_equal(found[name], given[name]) for name in given)


@pytest.mark.parametrize("damage", ["cut index", "cut data", "other file"])
def test_a_damaged_checkpoint_is_one_sentence(damage: str) -> None:
    index, data = checkpoint({"a": np.ones((4, 4), dtype=np.float32)})
    if damage == "cut index":
        index = index[:-20]
    elif damage == "cut data":
        data = data[:-4]
    else:
        index = b"something else" * 9
    with pytest.raises(MerKitError, match="get the weights again"):
        tensorflow_checkpoint.tensors(index, data)


@pytest.fixture
def package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tensors: dict[str, np.ndarray]
) -> Iterator[wheels.Wheel]:
    """A file like musicnn's, with random weights, in a cache of its own."""
    with installed(tmp_path, monkeypatch, tensors) as wheel:
        yield wheel


TONE = 0.1 * np.sin(2 * np.pi * 440 * np.arange(3 * 16000) / 16000).astype(np.float32)


@pytest.mark.parametrize("context", musicnn.CONTEXTS)
def test_layers_of_a_segment(package: wheels.Wheel, context: str) -> None:
    """All layers follow from what the store keeps, and each has a name for every column."""
    made = {
        layer: frontends.make("musicnn", layer=layer, context=context) for layer in musicnn.LAYERS
    }
    frames = made["tags"].frames(TONE)
    assert len(frames) == 1 + 3 * 62.5 // 1
    vector = made["tags"].pool(frames[:187])
    assert vector.shape == (1506,)
    for frontend in made.values():
        rows = frontend.from_stored(vector[None].astype(np.float16))
        assert rows.shape == (1, len(frontend.columns))
        assert frontends.identity(frontend) == frontends.identity(made["pooled"])
    tags = made["tags"].from_stored(vector[None])
    assert 0 <= tags.min() <= tags.max() <= 1 and "sad" in made["tags"].columns


def test_contexts_differ_only_by_what_is_around_a_segment(package: wheels.Wheel) -> None:
    """Alone, a clip of one segment has the same vector either way."""
    whole = frontends.make("musicnn", context="clip")
    alone = frontends.make("musicnn", context="segment")
    assert np.allclose(
        whole.pool(whole.frames(TONE)), alone.pool(alone.frames(TONE)), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("context", ["clip", "segment"])
def test_both_taggers_are_their_columns_side_by_side(package: wheels.Wheel, context: str) -> None:
    for layer in ("pooled", "penultimate", "tags"):
        made = [
            frontends.make("musicnn", layer=layer, context=context, tagger=tagger)
            for tagger in ("MSD", "MTT", "MSD+MTT")
        ]
        stored = [one.pool(one.frames(TONE))[None] for one in made]
        rows = [one.from_stored(row) for one, row in zip(made, stored, strict=True)]
        np.testing.assert_array_equal(rows[2], np.concatenate(rows[:2], axis=1))
        assert len(made[2].columns) == rows[2].shape[1] == len(set(made[2].columns))
        assert made[2].n_stored == stored[2].shape[1] == 2 * made[0].n_stored
        scores = [one.named_scores(row) for one, row in zip(made, stored, strict=True)]
        assert scores[2] == {**scores[1], **scores[0]}
    assert made[2].columns[0] == "MSD: rock" and made[2].columns[-1] == "MTT: choral"


def test_loud_sound_does_not_overflow(package: wheels.Wheel) -> None:
    """The published code rounds the mel to float16 before its factor, where loud cells overflow."""
    frontend = frontends.make("musicnn", layer="tags")
    vector = frontend.pool(frontend.frames(np.sign(TONE)))
    assert np.isfinite(frontend.from_stored(vector[None].astype(np.float16))).all()


def test_missing_and_wrong_weights_are_one_sentence(
    package: wheels.Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = package.path.read_bytes()
    package.path.write_bytes(content[:1000])
    with pytest.raises(MerKitError, match=r"1,000 bytes.*mer-kit frontends get musicnn"):
        frontends.make("musicnn").frames(TONE)
    package.path.unlink()
    with pytest.raises(MerKitError, match=r"not on this machine.*mer-kit frontends get musicnn"):
        frontends.make("musicnn").frames(TONE)


@pytest.mark.parametrize(
    ("setting", "value"), [("tagger", "MSD_vgg"), ("layer", "last"), ("context", "song")]
)
def test_settings_are_checked(setting: str, value: str) -> None:
    with pytest.raises(MerKitError, match=f"{setting} is '{value}', expected one of"):
        frontends.make("musicnn", **{setting: value})
