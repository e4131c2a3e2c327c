"""The two-stage model: the nine oracles of its description, resuming, and what it learns, all at tiny sizes."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mer_kit import systems
from mer_kit.checks import MerKitError
from mer_kit.runs.presets import resolve
from mer_kit.systems import _two_stage_parts as parts
from mer_kit.systems import two_stage
from tests.systems import runs

FRAMES, BANDS, STEPS = 16, 16, 3


def features(n: int, *, seed: int = 0, last: float = 3.0) -> tuple[two_stage.Segments, np.ndarray]:
    """Songs of three segments of 16 frames × 16 bands in dB, whose class is the loud part of the spectrum."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    values = rng.normal(-10, 4, size=(n, round(last * (FRAMES - 1)) + 1, BANDS))
    for song, label in enumerate(labels):
        values[song, :, 8 * label : 8 * label + 8] += 20
    songs = systems.Songs(
        [str(i) for i in range(n)], lambda song: values[song].astype(np.float16), (), False, FRAMES - 1.0,
        1.0, 3.0, Path(),
    )  # fmt: skip
    return two_stage.Segments(songs, np.arange(n)), labels


@pytest.fixture(autouse=True)
def watched_songs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size for tests, but with songs that are watched alone, as in the others."""
    small = replace(two_stage.SIZES["smoke"], watched=0.1)
    monkeypatch.setitem(two_stage.SIZES, "smoke", small)


def make(**settings: object) -> two_stage.System:
    system = systems.make("two_stage", {"size": "smoke", "epochs": 2, **settings}, n_classes=2)
    assert isinstance(system, two_stage.System)
    return system


def weights(network: nn.Module) -> np.ndarray:
    return torch.cat([value.flatten() for value in network.state_dict().values()]).numpy()


def fitted(**settings: object) -> two_stage.System:
    return make(**settings).fit(*features(20))


# ---- the nine oracles ----------------------------------------------------------------------------


def test_without_spans_it_is_the_plain_autoencoder(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = {"frequency_span": 0, "time_span": 0, "song_epochs": 1}
    without, usual = fitted(**spans), fitted(song_epochs=1)
    monkeypatch.setattr(two_stage, "masked", lambda x, **_: (x, None))
    plain = fitted(song_epochs=1)
    np.testing.assert_array_equal(weights(without.autoencoder_), weights(plain.autoencoder_))
    assert (weights(usual.autoencoder_) != weights(plain.autoencoder_)).any()


def huber(error: np.ndarray) -> float:
    """½·e² up to 1, |e| − ½ beyond."""
    e = np.abs(error.astype(np.float64))
    return float(np.where(e <= 1, e**2 / 2, e - 0.5).mean())


def test_the_loss_is_huber_and_a_penalty_on_the_first_convolution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first epoch is one batch: its loss is that of the initial weights, computed by hand."""
    monkeypatch.setattr(two_stage, "masked", lambda x, **_: (x / 2, None))
    one = make(epochs=1, song_epochs=1)
    x, labels = features(20)
    learned, watched = one._inner_songs(20)
    assert len(learned) == 18 and set(learned) | set(watched) == set(range(20))
    segments = torch.from_numpy(x[learned].gather(np.arange(54)))
    assert (segments > 1).any() and (segments < 1).any()  # both branches
    one.fit(x, labels)
    fresh = parts.Autoencoder((4, 4, 4), two_stage.torch_generator(0, "autoencoder"))
    with torch.no_grad():
        guess, first = fresh(segments / 2)  # what is masked is not what is to be reconstructed
        first_by_hand = torch.relu(
            nn.functional.conv2d(segments / 2, *fresh.encoder[0].parameters(), padding=1)
        )
    torch.testing.assert_close(first, first_by_hand)
    expected = huber((guess - segments).numpy()) + 0.001 * float(first.square().sum()) / 54
    assert one.history_["autoencoder"][0][0] == pytest.approx(expected, rel=1e-5)
    # the score of the watched songs, after the epoch: the same loss without the penalty
    unmasked = torch.from_numpy(x[watched].gather(np.arange(6)))
    with torch.no_grad():
        guess, _ = one.autoencoder_(unmasked)
    score = one.history_["autoencoder"][0][1]
    assert -score == pytest.approx(huber((guess - unmasked).numpy()), rel=1e-5)


def test_shapes_and_numbers_of_weights_are_the_published_ones() -> None:
    network = parts.Autoencoder((128, 64, 32), torch.Generator())
    shapes: list[tuple[int, ...]] = []
    for layer in (*network.encoder, *network.decoder):
        if not isinstance(layer, nn.ReLU):
            layer.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    with torch.no_grad():
        network(torch.zeros(1, 1, 216, 128))
    assert shapes == [
        (128, 216, 128), (128, 108, 64), (64, 108, 64), (64, 54, 32), (32, 54, 32), (32, 27, 16),
        (32, 27, 16), (32, 54, 32), (64, 54, 32), (64, 108, 64), (128, 108, 64), (128, 216, 128),
        (1, 216, 128),
    ]  # fmt: skip
    assert sum(p.numel() for p in network.encoder.parameters()) == 93_536
    assert sum(p.numel() for p in network.parameters()) == 196_289
    with torch.device("meta"):
        lstm = nn.LSTM(27 * 16 * 32, 512, batch_first=True, bidirectional=True)
    size = two_stage.SIZES["full"]
    assert (size.widths, size.units, size.bands, size.pools) == ((128, 64, 32), 512, 128, False)
    assert 58.6e6 < sum(p.numel() for p in lstm.parameters()) < 58.8e6


def test_stage_2_leaves_the_encoder_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    before: list[np.ndarray] = []
    learn = two_stage.System._fit_classifier

    def watched(self, *given):
        before.append(weights(self._stages["autoencoder"].network))
        learn(self, *given)

    monkeypatch.setattr(two_stage.System, "_fit_classifier", watched)
    system = fitted(song_epochs=3)
    np.testing.assert_array_equal(weights(system.autoencoder_), before[0])


def lstm_pair() -> tuple[parts.SongClassifier, parts.SongClassifier]:
    """Return a classifier, and one whose two directions have each other's weights."""
    one, other = (parts.SongClassifier(6, 4, 2, torch.Generator()) for _ in range(2))
    state = one.state_dict()
    swapped = {
        name: state[name.removesuffix("_reverse") + "_reverse" * (not name.endswith("_reverse"))]
        for name in state
        if name.startswith("lstm")
    }
    other.load_state_dict(state | swapped)
    return one, other


def test_in_a_sequence_of_one_both_directions_are_given_the_same() -> None:
    one, other = lstm_pair()
    x = torch.randn(5, 1, 6, generator=torch.Generator())
    torch.testing.assert_close(one.states(x), other.states(x).flip(0))
    longer = torch.randn(5, 3, 6, generator=torch.Generator())
    assert not torch.allclose(one.states(longer), other.states(longer).flip(0))
    torch.testing.assert_close(
        one.eval()(longer), one.output(one.lstm(longer)[1][0].transpose(0, 1).flatten(1))
    )


def test_a_reversed_sequence_swaps_the_directions() -> None:
    one, other = lstm_pair()
    x = torch.randn(5, 7, 6, generator=torch.Generator())
    torch.testing.assert_close(one.states(x), other.states(x.flip(1)).flip(0))


def test_of_equal_songs_the_majority_class_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(self, given):
        return torch.ones(len(given), STEPS, 4 * FRAMES // 8)

    monkeypatch.setattr(two_stage.System, "_encode", encode)
    x, _ = features(20)
    system = make(epochs=1).fit(x, np.array([1] * 13 + [0] * 7))
    assert (system.predict_proba(x).argmax(axis=1) == 1).all()


def test_spans_are_as_long_and_lie_as_published() -> None:
    for length, longest, mean in ((128, 30, 14.5), (216, 32, 15.5)):
        spans = parts._spans(20_000, length, longest, torch.Generator())
        sizes = spans.sum(dim=1)
        assert sizes.min() == 0 and sizes.max() == longest - 1
        assert float(sizes.double().mean()) == pytest.approx(mean, abs=0.25)
        assert (spans.int().diff(dim=1) == 1).sum(dim=1).max() <= 1  # each is one piece
        centre = (spans * torch.arange(length)).sum() / spans.sum()
        assert float(centre) == pytest.approx((length - 1) / 2, rel=0.02)
    x = torch.randn(64, 1, 216, 128, generator=torch.Generator())
    y, hidden = parts.masked(x, frequency_span=30, time_span=32, generator=torch.Generator())
    assert torch.equal(y[~hidden], x[~hidden])
    means = x.mean(dim=(1, 2, 3), keepdim=True).expand_as(x)
    torch.testing.assert_close(y[hidden], means[hidden])


def test_nothing_is_fitted_to_test_songs(tmp_path: Path) -> None:
    """Folds as they are: test songs get each other's labels and other music."""
    few = {"epochs": 1, "song_epochs": 2}
    one = runs.experiment(tmp_path / "a", "two_stage", **few)
    assert (
        one.store.recipe.frontend.s.n_mels == 32 and one.store.recipe.frontend.s.hop_length == 307
    )
    known, tested = runs.probabilities(one)
    other = runs.experiment(tmp_path / "b", "two_stage", **few)
    runs.shuffle_test_labels(other)
    values, test = other.store.values, set(other.folds[0].test.tolist())
    other.store.values = lambda clip: values(clip) * (clip not in test)  # type: ignore[method-assign]
    again, changed = runs.probabilities(other)
    np.testing.assert_array_equal(again, known)
    assert (changed != tested).all()


# ---- what goes in --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "seconds", "n_fft", "hop"),
    [
        (44100, 1, 1024, 205), (44100, 3, 1024, 615), (44100, 5, 2048, 1024),
        (44100, 10, 2048, 2048), (22050, 3, 1024, 307), (22050, 5, 1024, 512),
        (22050, 10, 2048, 1024),
    ],
)  # fmt: skip
def test_the_seven_published_hops(rate: int, seconds: int, n_fft: int, hop: int) -> None:
    found = two_stage.mel_settings(seconds, rate=rate)
    assert found == {"sample_rate": rate, "n_fft": n_fft, "hop_length": hop}
    assert 1 + rate * seconds // hop == 216


def test_durations_without_a_hop() -> None:
    assert two_stage.mel_settings(1.0)["sample_rate"] == 44100
    for seconds in (0.5, 30.0):
        with pytest.raises(MerKitError, match=f"segment_seconds is {seconds:g}, for which"):
            two_stage.mel_settings(seconds)


def test_a_run_has_the_log_mels_that_the_size_and_the_corpus_ask_for() -> None:
    cases = [
        ("paper", "4q", 128, 22050),
        ("embedding", "4q", 64, 22050),
        ("cpu", "pmemo", 64, 44100),
    ]
    for preset, corpus, bands, rate in cases:
        mel = resolve(method="two_stage", corpus=corpus, preset=preset).frontend_settings
        assert (mel.n_mels, mel.sample_rate) == (bands, rate)
    assert resolve(method="two_stage", preset="cpu", size="full").frontend_settings.n_mels == 128
    with pytest.raises(MerKitError, match="front-end of system two_stage is 'musicnn', expected"):
        resolve(method="two_stage", frontend="musicnn")
    with pytest.raises(MerKitError, match="size is 'tiny'"):
        resolve(method="two_stage", size="tiny")


def test_segments_are_contiguous_and_short_songs_repeat() -> None:
    x, _ = features(4, last=2.0)
    assert x.n_steps == STEPS and len(x) == 4 and x.n_frames == FRAMES
    values = x.songs.values(2).astype(np.float64)
    expected = np.log10(1 + 10 ** (values / 10))
    third = np.concatenate([expected[30:], expected[:15]])  # 31 frames, then from the start
    got = x[2:].gather(np.arange(3))
    assert got.shape == (3, 1, FRAMES, BANDS) and got.dtype == np.float32
    for step, frames in enumerate((expected[:16], expected[15:31], third)):
        np.testing.assert_allclose(got[step, 0], frames, rtol=1e-5)


# ---- what comes out ------------------------------------------------------------------------------


def test_it_learns_and_a_seed_repeats() -> None:
    first, again = (fitted(epochs=3) for _ in range(2))
    x, labels = features(40, seed=1)
    p = first.predict_proba(x)
    assert p.dtype == np.float64 and (p.argmax(axis=1) == labels).mean() > 0.9
    np.testing.assert_array_equal(again.predict_proba(x), p)
    learned, _ = first._inner_songs(20)
    codes = (first._encode(features(20)[0]) - first._scale[0]) / first._scale[1]
    sd, mean = torch.std_mean(codes[learned].flatten(0, 1), dim=0)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-4, rtol=0)
    torch.testing.assert_close(sd[sd > 0], torch.ones_like(sd[sd > 0]))


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_a_killed_training_resumes_bit_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    """Killed within the first stage, at its end, and within the second."""
    whole = fitted(song_epochs=4)
    with monkeypatch.context() as patch:
        save, calls = two_stage.System._save, []

        def killed(self):
            save(self)
            calls.append(1)
            if len(calls) == epochs:
                raise KeyboardInterrupt

        patch.setattr(two_stage.System, "_save", killed)
        system = make(song_epochs=4)
        system.checkpoint_file = tmp_path / "checkpoint.safetensors"
        with pytest.raises(KeyboardInterrupt):
            system.fit(*features(20))
    system = make(song_epochs=4)
    system.checkpoint_file = tmp_path / "checkpoint.safetensors"
    trained: list[int] = []
    monkeypatch.setattr(two_stage.System, "_save", lambda self: trained.append(1))
    system.fit(*features(20))
    assert whole.seconds_before == 0 < system.seconds_before < 100
    assert len(trained) == 2 + 4 - epochs and system.history_ == whole.history_
    np.testing.assert_array_equal(weights(system.classifier_), weights(whole.classifier_))
    np.testing.assert_array_equal(weights(system.autoencoder_), weights(whole.autoencoder_))


def test_a_checkpoint_of_another_training_gets_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.safetensors"
    system = make(song_epochs=1)
    system.checkpoint_file = file
    system.fit(*features(20))
    other = make(song_epochs=2)
    other.checkpoint_file = file
    with pytest.raises(MerKitError, match="belongs to another training, expected this one's"):
        other.fit(*features(20))
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(MerKitError, match="cannot be read"):
        system.fit(*features(20))


def test_early_stopping_takes_the_best_epoch() -> None:
    """Scores rise until the third epoch, then accuracy stays and the loss grows: patience 2 ends it."""
    network = nn.Linear(1, 1)
    stage = parts.Stage(network, rate=0.1, epochs=10, patience=2)
    scores = iter([[0.2, -1.0], [0.5, -0.9], [0.5, -0.8], [0.5, -0.85], [0.5, -0.9], [0.9, 0.0]])
    seen: list[np.ndarray] = []

    def losses(epoch):
        yield network(torch.ones(1, 1)).square().sum()

    states: list[dict[str, object]] = []

    def save():
        seen.append(weights(network))
        states.append(copy.deepcopy(stage.state()))

    stage.run(losses, lambda: next(scores), save)
    assert len(stage.history) == 5
    np.testing.assert_array_equal(weights(network), seen[2])
    resumed = parts.Stage(nn.Linear(1, 1), rate=0.1, epochs=10, patience=2)
    resumed.restore(states[-1])
    resumed.run(losses, lambda: pytest.fail("trained again"), save)
    np.testing.assert_array_equal(weights(resumed.network), seen[2])


def test_the_watched_songs_are_a_tenth_and_whole_artists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system = make()
    system.groups = np.repeat(np.arange(30), 2)
    learned, watched = system._inner_songs(60)
    assert len(watched) == 6 and len(learned) == 54
    assert not set(system.groups[learned]) & set(system.groups[watched])
    system.groups = np.zeros(60)
    assert all(len(songs) == 60 for songs in system._inner_songs(60))
    monkeypatch.undo()
    assert all(len(songs) == 40 for songs in make()._inner_songs(40))
    assert len(make(size="cpu")._inner_songs(40)[1]) == 4


def test_segments_that_cannot_be_halved_get_one_sentence() -> None:
    x, labels = features(20)
    x.songs = replace(x.songs, segment_seconds=0.9)
    x = two_stage.Segments(x.songs, np.arange(20))
    with pytest.raises(MerKitError, match="segments have 14 frames and 16 bands, expected multip"):
        make().fit(x, labels)
