"""The playground without a browser: what its parts compute and what they hand to the page."""

from __future__ import annotations

import base64
import io
import itertools
import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile

from mer_kit.checks import MerKitError
from mer_kit.plots.objectives import sharpen
from mer_kit.views.objectives import DropoutPairs, MixupDeck, SharpeningTriangle, mixed_sound

CLASSES = ("Q1", "Q2", "Q3", "Q4")
P = np.array([[0.5, 0.3, 0.05, 0.15], [0.1, 0.2, 0.3, 0.4]])


@pytest.fixture
def triangle() -> SharpeningTriangle:
    return SharpeningTriangle(P, ["one", "two"], CLASSES, labels=np.array([2, 3]), temperature=0.25)


def deck(**more: Any) -> MixupDeck:
    mels = (np.full((30, 128), -60.0, np.float32), np.full((30, 128), 30.0, np.float32))
    sounds = (np.full(2205, 0.5), np.full(2300, -0.5))
    given = {"sounds": sounds, "targets": np.array([[1, 0, 0, 0], [0, 0, 0.8, 0.2]]), **more}
    return MixupDeck(mels, given["sounds"], given["targets"], ("A", "B"), CLASSES, delta=0.25)


@pytest.fixture
def pairs() -> DropoutPairs:
    passes = np.array([[[0.8, 0.2], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]])
    return DropoutPairs(passes, ["segment"], ("V-", "V+"))


# ---- sharpening ------------------------------------------------------------------------------------------------------


def test_the_likeliest_three_classes_are_sharpened_as_if_they_were_all(
    triangle: SharpeningTriangle,
) -> None:
    assert triangle.among(0) == (0, 1, 3) and triangle.among(1) == (1, 2, 3)
    told = triangle.sharpened(0, 0.5)
    assert told["before"] == pytest.approx(np.array([0.5, 0.3, 0.15]) / 0.95)
    assert told["after"] == pytest.approx(np.array([0.25, 0.09, 0.0225]) / 0.3625, abs=1e-6)


def test_renormalising_and_sharpening_may_be_done_in_either_order(
    triangle: SharpeningTriangle,
) -> None:
    for row, temperature, among in itertools.product(
        (0, 1), (0.1, 0.5, 1.7), itertools.combinations(range(4), 3)
    ):
        whole = P[row] ** (1 / temperature)
        expected = whole[list(among)] / whole[list(among)].sum()
        assert triangle.sharpened(row, temperature, among=among)["after"] == pytest.approx(
            expected, abs=1e-6
        )


def test_the_triangle_takes_segments_labels_and_temperature_along(
    triangle: SharpeningTriangle,
) -> None:
    data = triangle.data()
    assert [segment["p"] for segment in data["segments"]] == P.tolist()
    assert [segment["label"] for segment in data["segments"]] == [2, 3]
    assert (
        data["among"] == [0, 1, 3]
        and data["temperature"] == 0.25
        and len(data["temperatures"]) == 40
    )
    assert [entry["word"] for entry in data["classes"]] == ["happy", "angry", "sad", "calm"]


def test_the_page_gets_every_sharpened_value_it_can_show(triangle: SharpeningTriangle) -> None:
    data = triangle.data()
    points, at = np.array(data["lattice"]["points"]), data["temperatures"].index(0.25)
    table = np.frombuffer(data["lattice"]["sharpened"], "<u2").reshape(40, len(points), 3) / 65535
    for i in (0, 100, len(points) - 1):
        assert table[at, i] == pytest.approx(sharpen(points[i] / 99, 0.25), abs=1e-5)
    for key, subset in data["subsets"].items():
        among = [int(k) for k in key.split(",")]
        found = np.frombuffer(subset["sharpened"], "<f4").reshape(40, 2, 3)
        for row in (0, 1):
            expected = triangle.sharpened(row, 0.25, among=among)
            assert subset["p"][row] == pytest.approx(expected["before"])
            assert found[at, row] == pytest.approx(expected["after"], abs=1e-6)
            assert subset["mass"][row] == pytest.approx(P[row, among].sum())
    own = SharpeningTriangle(P, ["a", "b"], CLASSES, labels=np.array([0, 1]), temperature=0.333)
    assert len(own.data()["temperatures"]) == 41, "its own temperature is no step of the slider"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": np.array([0, 4])}, "labels"),
        ({"labels": np.array([0])}, "labels"),
        ({"names": ["one"]}, "2 segments and 1 names"),
        ({"probabilities": np.ones((2, 4))}, "expected probabilities that sum to 1"),
        ({"temperature": 0.0}, "temperature is 0"),
    ],
)
def test_a_triangle_that_cannot_be_drawn_gets_a_sentence(
    change: dict[str, Any], words: str
) -> None:
    given: dict[str, Any] = {
        "probabilities": P,
        "names": ["one", "two"],
        "labels": np.array([2, 3]),
    } | change
    with pytest.raises(MerKitError, match=words):
        SharpeningTriangle(given.pop("probabilities"), given.pop("names"), CLASSES, **given)


# ---- mixup -----------------------------------------------------------------------------------------------------------


def test_delta_mixes_picture_target_and_sound() -> None:
    mixed = deck().mixed(0.25)
    assert mixed["target"] == pytest.approx([0.25, 0, 0.6, 0.15])
    assert mixed["mel"] == pytest.approx(7.5)  # a quarter of −60 dB and three quarters of 30 dB
    assert mixed["sound"] == pytest.approx(np.full(2205, -0.25))


def test_the_page_gets_levels_over_the_decibels_of_all_pictures_and_sounds_to_decode() -> None:
    data = deck().data()
    assert [set(mel) for mel in data["mels"]] == [{0}, {255}]
    assert (data["frames"], data["bands"], data["seconds"]) == (
        30,
        128,
        pytest.approx(30 * 512 / 22050),
    )
    for wav, level in zip(data["sounds"], (0.5, -0.5), strict=True):
        y, rate = soundfile.read(io.BytesIO(wav))
        assert rate == 22050 and y == pytest.approx(level, abs=1e-4)
    colours = np.frombuffer(data["colours"], np.uint8).reshape(256, 3)
    expected = np.array([plt.get_cmap("magma")(level) for level in range(256)])[:, :3]
    assert np.abs(colours / 255 - expected).max() < 1 / 255


def test_without_sound_the_deck_is_silent() -> None:
    quiet = deck(sounds=None)
    assert quiet.data()["sounds"] is None and "sound" not in quiet.mixed(0.5)


def test_mixed_sounds_keep_their_common_length() -> None:
    assert mixed_sound(np.ones(5), -np.ones(3), 0.5).tolist() == [0, 0, 0]
    with pytest.raises(MerKitError, match=r"delta is 1\.5"):
        mixed_sound(np.ones(5), np.ones(5), 1.5)


def test_pictures_of_two_lengths_cannot_be_mixed() -> None:
    mels = (np.zeros((30, 128)), np.zeros((31, 128)))
    with pytest.raises(MerKitError, match=r"\(30, 128\) and \(31, 128\)"):
        MixupDeck(mels, None, np.eye(4)[:2], ("A", "B"), CLASSES)


# ---- R-Drop ----------------------------------------------------------------------------------------------------------


def test_dropout_pairs_come_with_their_divergence(pairs: DropoutPairs) -> None:
    assert pairs.kl(0, 0) == pytest.approx(
        0.15 * math.log(4), abs=1e-6
    )  # ½ · 0.3 · (log 1.6 − log 0.4)
    assert pairs.kl(0, 1) == pytest.approx(0, abs=1e-9)
    assert pairs.data()["segments"][0]["kl"] == [pairs.kl(0, 0), pairs.kl(0, 1)]
    with pytest.raises(MerKitError, match="pair is 2"):
        pairs.kl(0, 2)


@pytest.mark.parametrize(
    "passes", [np.full((2, 4), 0.25), np.full((1, 1, 2), 0.5), np.full((2, 2, 2), 0.5)]
)
def test_passes_of_another_shape_get_a_sentence(passes: np.ndarray) -> None:
    with pytest.raises(
        MerKitError, match=r"2 or more passes, classes\] and a name for each segment"
    ):
        DropoutPairs(passes, ["segment"], ("V-", "V+"))


# ---- all three -------------------------------------------------------------------------------------------------------


def test_fragments_hold_a_picture_their_data_and_no_address(
    triangle: SharpeningTriangle, pairs: DropoutPairs
) -> None:
    for part in (triangle, deck(), pairs):
        text = part.fragment()
        picture = text.partition('<img src="data:image/png;base64,')[2].partition('"')[0]
        assert base64.b64decode(picture).startswith(b"\x89PNG")
        assert f'alt="{part.page_title}"' in text and f'"part": "{part.part}"' in text
        assert "https://" not in text.replace("http://www.w3.org", "")
    assert plt.get_fignums() == [], "pyplot knows none of the pictures"


def test_widgets_carry_bytes_as_bytes(triangle: SharpeningTriangle, pairs: DropoutPairs) -> None:
    for part in (triangle, deck(), pairs):
        assert part.widget().data == part.data()
    assert isinstance(deck().widget().data["sounds"][0], bytes)
