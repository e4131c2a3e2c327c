"""Stated and actual length of containers: joined, prefixed, streamed and numbered files."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mer_kit.checks import MerKitError
from mer_kit.records import Problem
from mer_kit.signal import audio, containers, sound, streams

RATE = 16000
KINDS = {
    "wav": ("WAV", "PCM_16"), "rf64": ("RF64", "PCM_16"), "w64": ("W64", "PCM_16"), "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"), "caf": ("CAF", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
}  # fmt: skip


def _sound(kind: str, seconds: float, *, seed: int = 0, rate: int = RATE) -> bytes:
    form, subtype = KINDS[kind]
    buffer = io.BytesIO()
    y = np.random.default_rng(seed).normal(scale=0.1, size=(round(seconds * rate), 2))
    soundfile.write(buffer, y, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def _id3(size: int) -> bytes:
    return (
        b"ID3\x04\0\0"
        + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
        + b"\xff\xfb\x90\x64" * (size // 4)
    )


def _seconds(path: Path, data: bytes) -> float:
    """The decoded duration in seconds, which `audio.duration` must match."""
    path.write_bytes(data)
    seconds = len(audio.load(path)) / 22050
    assert audio.duration(path) == pytest.approx(seconds, abs=0.05)
    return seconds


@pytest.mark.parametrize("kind", KINDS)
def test_joined_files_are_decoded_one_after_the_other(tmp_path: Path, kind: str):
    first, second = _sound(kind, 2, seed=1), _sound(kind, 3, seed=2, rate=RATE // 2)
    parts = []
    for number, data in enumerate((first, second)):
        (tmp_path / f"{number}.bin").write_bytes(data)
        parts.append(audio.load(tmp_path / f"{number}.bin"))
    (tmp_path / "both.bin").write_bytes(first + second)
    np.testing.assert_array_equal(audio.load(tmp_path / "both.bin"), np.concatenate(parts))
    assert audio.duration(tmp_path / "both.bin") == pytest.approx(5, abs=0.05)


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_streams_with_the_same_number_are_two(tmp_path: Path, kind: str):
    data = _sound(kind, 3)
    assert _seconds(tmp_path / "a.ogg", data + data) == pytest.approx(6, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_of_two_may_be_the_one_that_is_cut(tmp_path: Path, kind: str):
    first, second = _sound(kind, 2), _sound(kind, 4)
    (tmp_path / "a.bin").write_bytes(first + second[: len(second) // 2])
    found = audio.decode(tmp_path / "a.bin", max_seconds=0.5)
    assert isinstance(found, Problem) and found.kind == "truncated_file"


@pytest.mark.parametrize("kind", ["wav", "aiff", "flac", "ogg"])
def test_a_tag_in_front_hides_nothing(tmp_path: Path, kind: str):
    data = _sound(kind, 4)
    assert _seconds(tmp_path / f"a.{kind}", _id3(3000) + _id3(400) + data) == pytest.approx(
        4, abs=0.01
    )
    (tmp_path / "b.mp3").write_bytes(_id3(3000) + data[: len(data) // 2])
    assert isinstance(audio.decode(tmp_path / "b.mp3", max_seconds=0.5), Problem)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [b"TAG".ljust(128, b"x"), bytes(500_000)])
def test_other_bytes_may_follow_the_sound(tmp_path: Path, kind: str, after: bytes):
    assert _seconds(tmp_path / "a.bin", _sound(kind, 3) + after) == pytest.approx(3, abs=0.01)


def _put(data: bytes, at: int, right: bytes) -> bytes:
    return data[:at] + right + data[at + len(right) :]


def _after(data: bytes, name: bytes, right: bytes, *, skip: int = 0) -> bytes:
    """The data with `right` written after a chunk's name."""
    return _put(data, data.index(name) + len(name) + skip, right)


W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
UNKNOWN: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "aiff, SoX to a pipe": (
        "aiff",
        lambda d: _after(_put(d, 4, b"\x7f\0\0\x36"), b"SSND", b"\x7f\0\0\x08"),
    ),
    "aiff, zeros": ("aiff", lambda d: _after(_put(d, 4, bytes(4)), b"SSND", bytes(4))),
    "aiff, ones": ("aiff", lambda d: _after(_put(d, 4, b"\xff" * 4), b"SSND", b"\xff" * 4)),
    "caf, -1": ("caf", lambda d: _after(d, b"data", b"\xff" * 8)),
    "caf, 0": ("caf", lambda d: _after(d, b"data", bytes(8))),
    "w64, 0": ("w64", lambda d: _after(d, W64_DATA, bytes(8))),
    "w64, most": ("w64", lambda d: _after(d, W64_DATA, b"\xff" * 7 + b"\x7f")),
    "rf64, ds64 of zeros": ("rf64", lambda d: _after(d, b"ds64", bytes(24), skip=4)),
    "rf64, ds64 of ones": ("rf64", lambda d: _after(d, b"ds64", b"\xff" * 24, skip=4)),
    "wav, data 0, RIFF right": ("wav", lambda d: _put(d, 40, bytes(4))),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_sizes_that_state_no_length(tmp_path: Path, case: str):
    kind, change = UNKNOWN[case]
    assert _seconds(tmp_path / "a.bin", change(_sound(kind, 3))) == pytest.approx(3, abs=0.01)


def test_a_header_without_sound_is_truncated(tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(_sound("wav", 3)[:44])
    with pytest.raises(MerKitError, match="is truncated .none of its sound is there"):
        audio.load(tmp_path / "a.wav")


@pytest.mark.parametrize("kind", ["wav", "au"])
def test_more_sound_than_is_stated_is_not_lost_silently(tmp_path: Path, kind: str):
    data, at, order = _sound(kind, 6), {"wav": 40, "au": 8}[kind], {"wav": "<I", "au": ">I"}[kind]
    (tmp_path / "a.bin").write_bytes(_put(data, at, struct.pack(order, 2 * RATE * 4)))
    with pytest.raises(
        MerKitError, match=r"states 2\.0 s of sound, but bytes for another 4\.0 s follow"
    ):
        audio.load(tmp_path / "a.bin")


@pytest.mark.parametrize("pad", [b"\0", b""])
def test_an_odd_number_of_bytes_may_lack_its_padding(tmp_path: Path, pad: bytes):
    y = np.random.default_rng(0).normal(scale=0.1, size=8001)
    buffer = io.BytesIO()
    soundfile.write(buffer, y, 8000, format="WAV", subtype="PCM_U8")
    data = buffer.getvalue()
    assert int.from_bytes(data[40:44], "little") == 8001
    chunk = b"LIST" + struct.pack("<I", 90_000) + b"INFO" + b"\x81" * 89_996
    assert _seconds(tmp_path / "a.wav", data[: 44 + 8001] + pad + chunk) == pytest.approx(
        1, abs=0.01
    )


# ---- FLAC ------------------------------------------------------------------------------------------------------------


def _states(data: bytes, samples: int) -> bytes:
    """A FLAC whose header states `samples`: the last 36 of 64 bits after the block and frame sizes."""
    packed = int.from_bytes(data[18:26], "big") >> 36 << 36 | samples
    return _put(data, 18, packed.to_bytes(8, "big"))


@pytest.mark.parametrize("samples", [0, RATE])
def test_a_flac_that_states_nothing_or_too_little_is_read_to_its_end(tmp_path: Path, samples: int):
    data = _sound("flac", 4)
    assert _seconds(tmp_path / "a.flac", _states(data, samples)) == 4


@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.9])
def test_the_last_frame_of_a_flac_shows_how_much_is_there(fraction: float):
    data = _sound("flac", 8)
    (one,) = containers.located(data[: round(len(data) * fraction)])
    assert one.stated == 8 * RATE and one.rate == RATE
    assert one.there == pytest.approx(
        fraction * 8 * RATE, abs=4608 + 500
    )  # noise: bytes grow evenly; one block


@pytest.mark.parametrize("silence", [0.5, 0.512, 0.6, 1.0, 2.0])
def test_a_flac_that_ends_in_silence_is_whole(silence: float, tmp_path: Path):
    """The frames of silence are shorter than sixteen bytes, the last one too."""
    rate = 8000
    y = np.zeros(round((3 + silence) * rate))
    y[: 3 * rate] = np.random.default_rng(0).normal(scale=0.1, size=3 * rate)
    soundfile.write(tmp_path / "a.flac", y, rate)
    assert audio.duration(tmp_path / "a.flac") == pytest.approx(3 + silence)
    assert len(audio.decode(tmp_path / "a.flac", sample_rate=rate)) == len(y)


def test_crc8_is_the_one_of_flac():
    """The catalogue's check value of CRC-8 (polynomial 7) over the digits 1 to 9."""
    assert streams._crc8(b"123456789") == 0xF4


def test_a_flac_of_absurd_length_reserves_no_memory(tmp_path: Path):
    (tmp_path / "a.flac").write_bytes(_states(_sound("flac", 2), (1 << 36) - 1))
    with pytest.raises(MerKitError, match=r"is truncated \(2\.0 of "):
        audio.load(tmp_path / "a.flac")


# ---- MPEG-4 and others that need ffmpeg ------------------------------------------------------------------------------


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


MP4 = (
    _box(b"ftyp", b"M4A \0\0\0\0")
    + _box(b"moov", bytes(100))
    + _box(b"mdat", np.random.default_rng(0).bytes(90_000))
)


def test_a_whole_m4a_asks_for_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import audioread

    (tmp_path / "a.m4a").write_bytes(MP4)
    monkeypatch.setattr(audioread, "available_backends", lambda: [])
    with pytest.raises(
        MerKitError, match=r"is MPEG-4 audio \(M4A\), which needs ffmpeg.*install ffmpeg"
    ):
        audio.load(tmp_path / "a.m4a")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (MP4[:45_000], "50% of its sound is there"),
        (MP4[:20] + MP4[128:], "needed to read its sound are missing"),  # no moov
        (MP4[:60], "needed to read its sound are missing"),  # cut within it
    ],
)
def test_a_cut_m4a_is_truncated(tmp_path: Path, data: bytes, message: str):
    for name in ("a.m4a", "a.mp3"):
        (tmp_path / name).write_bytes(data)
        found = audio.decode(tmp_path / name)
        assert (
            isinstance(found, Problem) and found.kind == "truncated_file" and message in str(found)
        )


# ---- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0, 1, 999, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_impossible_sample_rate_is_rejected_before_resampling(tmp_path: Path, rate: int):
    (tmp_path / "a.wav").write_bytes(_put(_sound("wav", 2), 24, struct.pack("<I", rate)))
    found = audio.decode(tmp_path / "a.wav")
    assert isinstance(found, Problem) and found.kind == "not_audio"


def test_blocks_of_many_channels_hold_fewer_samples(tmp_path: Path):
    soundfile.write(
        tmp_path / "a.wav", np.full((40_000, 500), 0.1, dtype=np.float32), RATE, subtype="PCM_U8"
    )
    with sound.opened(tmp_path / "a.wav") as (piece,):
        assert max(block.size for block in piece.blocks()) <= 1 << 21
    assert _seconds(tmp_path / "a.wav", (tmp_path / "a.wav").read_bytes()) == pytest.approx(
        2.5, abs=0.01
    )
