"""A recording is recognised after a change of gain, codec, rate, cut or bandwidth; similar music is not."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal

from mer_kit.records import Clip
from mer_kit.signal import fingerprint, same_music
from mer_kit.signal.fingerprint import same_pairs
from mer_kit.signal.frontends.logmel import log_mel
from mer_kit.signal.store import FeatureStore, open_store
from tests.music import RATE, song

FRAMES_PER_SECOND = RATE / 512 / fingerprint.POOLED_FRAMES


def print_of(y: np.ndarray) -> np.ndarray:
    return fingerprint.fingerprint(log_mel(y).astype(np.float16))


def mp3(y: np.ndarray, level: float, channels: int = 1) -> np.ndarray:
    """Return the sound after MP3 encoding at a constant bit rate."""
    file = io.BytesIO()
    both = np.stack([y, 0.6 * y][:channels], axis=1)
    soundfile.write(file, both, RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=level,
                    bitrate_mode="CONSTANT")  # fmt: skip
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32", always_2d=True)[0].mean(axis=1))


def later(y: np.ndarray, seconds: float) -> np.ndarray:
    return y[round(seconds * RATE) :]


def low_passed(y: np.ndarray) -> np.ndarray:
    return np.asarray(
        signal.sosfilt(signal.butter(8, 4000, "low", fs=RATE, output="sos"), y), dtype=np.float32
    )


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "quieter": lambda y: 0.2 * y,
    "clipped": lambda y: np.clip(4 * y, -0.5, 0.5),
    "mp3": lambda y: mp3(y, 0.8),
    "mp3 in stereo": lambda y: mp3(y, 0.7, 2),
    "16 kHz": lambda y: signal.resample_poly(signal.resample_poly(y, 320, 441), 441, 320).astype(
        np.float32
    ),
    "narrow": low_passed,
    "in noise": lambda y: (
        y + np.random.default_rng(0).normal(0, 1.4 * y.std(), len(y)).astype(np.float32)
    ),
    "half a frame later": lambda y: later(y, 0.046),
    "1 s later": lambda y: later(y, 1.013),
    "9 s later": lambda y: later(y, 9.03),
    "middle": lambda y: y[4 * RATE : 14 * RATE],
    "all at once": lambda y: mp3(0.4 * low_passed(later(y, 5.02)), 0.8),
}


@pytest.fixture(scope="module")
def songs() -> list[np.ndarray]:
    return [song(seed) for seed in range(8)]


@pytest.fixture(scope="module")
def prints(songs: list[np.ndarray]) -> list[np.ndarray]:
    return [print_of(y) for y in songs]


def test_different_songs_are_not_a_pair(prints: list[np.ndarray]) -> None:
    assert same_pairs(prints) == []


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_and_nothing_else(
    how: str, songs: list[np.ndarray], prints: list[np.ndarray]
) -> None:
    copies = [print_of(COPIES[how](y)) for y in songs[:3]]
    assert [(pair.first, pair.second) for pair in same_pairs([*prints, *copies])] == [
        (0, 8),
        (1, 9),
        (2, 10),
    ]


@pytest.mark.parametrize("shift_s", [-6.0, 0.0, 2.5])
def test_the_lag_is_the_delay_of_the_second_clip(shift_s: float, songs: list[np.ndarray]) -> None:
    first, second = later(songs[0], max(0.0, shift_s)), later(songs[0], max(0.0, -shift_s))
    (pair,) = same_pairs([print_of(first), print_of(second)])
    assert pair.lag_s == pytest.approx(shift_s, abs=1 / FRAMES_PER_SECOND)


def test_similarity_is_the_correlation_of_the_overlap(songs: list[np.ndarray]) -> None:
    """Compared with numpy on the two overlapping excerpts."""
    a, b = print_of(songs[1]), print_of(mp3(later(songs[1], 4.0), 0.9))
    (pair,) = same_pairs([a, b])
    lag = -round(pair.lag_s * FRAMES_PER_SECOND)
    x, y = a[lag : lag + len(b)].ravel(), b[: len(a) - lag].ravel()
    assert pair.similarity == pytest.approx(float(x @ y / np.sqrt((x @ x) * (y @ y))), abs=1e-4)


def test_a_shared_loop_is_not_the_same_song(songs: list[np.ndarray]) -> None:
    """Two pieces with one beat and different notes match at every bar, so no lag stands out."""
    bar = song(50, 1.0)[:RATE]
    loops = [np.tile(bar, 20) + 0.5 * other for other in songs[:2]]
    assert same_pairs([print_of(y) for y in loops]) == []


def test_steady_sounds_are_not_similar() -> None:
    t = np.arange(12 * RATE) / RATE
    rng = np.random.default_rng(0)
    steady = [
        0.3 * np.sin(2 * np.pi * hertz * t) + rng.normal(0, 0.01, len(t))
        for hertz in (220, 220.5, 330, 440)
    ]
    silent = [np.zeros(12 * RATE), 1e-6 * rng.normal(size=12 * RATE)]
    assert same_pairs([print_of(y) for y in [*steady, *silent]]) == []


@pytest.mark.parametrize("seconds", [0.01, 0.3, 2.0])
def test_clips_too_short_to_compare_are_not_pairs(
    seconds: float, songs: list[np.ndarray], prints: list[np.ndarray]
) -> None:
    short = [print_of(y[: round(seconds * RATE)]) for y in songs[:4]]
    assert same_pairs([*prints, *short]) == [] and same_pairs(short) == [] and same_pairs([]) == []


def test_no_pair_is_lost_between_blocks(
    prints: list[np.ndarray], songs: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = [print_of(later(y, 3.0)) for y in songs]
    monkeypatch.setattr(fingerprint, "BLOCK", 3)
    found = same_pairs([*prints, *copies])
    assert [(pair.first, pair.second) for pair in found] == [(k, k + 8) for k in range(8)]


# ---- in a store --------------------------------------------------------------------------------------------------------


@pytest.fixture
def clips(tmp_path: Path, songs: list[np.ndarray]) -> list[Clip]:
    sounds = {"a": songs[0], "b": songs[1], "c": later(songs[0], 2.0), "d": songs[2]}
    for name, y in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", y, RATE)
    shutil.copy(tmp_path / "b.wav", tmp_path / "e.wav")
    shutil.copy(tmp_path / "a.wav", tmp_path / "f.wav")
    return [Clip(name, tmp_path / f"{name}.wav", {"quadrant": 0}) for name in "abcdef"]


def pairs(store: FeatureStore) -> list[tuple[str, str]]:
    ids = [clip.clip_id for clip in store.clips]
    return [(ids[pair.first], ids[pair.second]) for pair in same_music.same_music(store)]


def test_equal_files_and_copies_are_pairs_and_are_remembered(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(clips, tmp_path / "store")
    found = pairs(store)
    assert ("a", "f") in found and ("b", "e") in found and ("a", "c") in found
    assert all(set(pair) <= {"a", "c", "f"} or set(pair) == {"b", "e"} for pair in found)
    monkeypatch.setattr(same_music, "fingerprint", lambda *_, **__: pytest.fail("computed again"))
    assert pairs(store) == found
    monkeypatch.undo()
    lags = [
        same_music.same_music(open_store(order, tmp_path / "store"))[0].lag_s
        for order in (clips[:3:2], clips[2::-2])
    ]
    assert lags[0] == -lags[1] == pytest.approx(-2.0, abs=1 / FRAMES_PER_SECOND), (
        "the lag belongs to the order of the pair"
    )


def test_equal_files_are_a_pair_even_if_their_sound_is_steady(tmp_path: Path) -> None:
    t = np.arange(3 * RATE) / RATE
    for name in "xy":
        soundfile.write(tmp_path / f"{name}.wav", 0.2 * np.sin(2 * np.pi * 440 * t), RATE)
    store = open_store(
        [Clip(name, tmp_path / f"{name}.wav", {}) for name in "xy"], tmp_path / "store"
    )
    assert pairs(store) == [("x", "y")]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"pairs": 3}', '{"pairs": [["a", "b", 1, 1, 1]]}', '{"pairs": [[1]]}', "[" * 100_000,
     '{"pairs": [["DIGEST", "DIGEST", 1, 1, 1]]}', '{"pairs": [["DIGEST", "OTHER", NaN, 1, 1]]}'],
)  # fmt: skip
def test_a_corrupted_file_of_pairs_is_computed_again(
    content: str, clips: list[Clip], tmp_path: Path
) -> None:
    store = open_store(clips, tmp_path / "store")
    found = pairs(store)
    (file,) = (tmp_path / "store").glob("same-music-*.json")
    whole = json.loads(file.read_text())
    digests = sorted(set(store.digests))
    file.write_text(content.replace("DIGEST", digests[0]).replace("OTHER", digests[1]))
    assert pairs(store) == found and json.loads(file.read_text()) == whole


def test_a_read_only_store_still_gives_pairs(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    store = open_store(clips, tmp_path / "store")
    monkeypatch.setattr(same_music, "write_atomically", refuse)
    assert ("a", "c") in pairs(store) and not list((tmp_path / "store").glob("same-music-*"))
