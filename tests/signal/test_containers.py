"""WAV and its variants, AIFF, AU, CAF and Ogg: truncated, streamed, padded; what libsndfile does not report."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mer_kit.checks import MerKitError
from mer_kit.records import Problem
from mer_kit.signal import audio, containers, sound

SECONDS, RATE = 6.0, 16000
KINDS = {
    "wav": ("WAV", "PCM_16"), "wav24": ("WAV", "PCM_24"), "wavfloat": ("WAV", "FLOAT"), "ulaw": ("WAV", "ULAW"),
    "ima": ("WAV", "IMA_ADPCM"), "ms": ("WAV", "MS_ADPCM"), "wavex": ("WAVEX", "PCM_16"), "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"), "w64float": ("W64", "FLOAT"), "aiff": ("AIFF", "PCM_16"), "aifffloat": ("AIFF", "FLOAT"),
    "au": ("AU", "PCM_16"), "auulaw": ("AU", "ULAW"), "caf": ("CAF", "PCM_16"), "cafalac": ("CAF", "ALAC_16"),
    "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"),
}  # fmt: skip


def _noise(channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(scale=0.1, size=(round(SECONDS * RATE), channels))


def _write(path: Path, kind: str, *, endian: str = "FILE") -> bytes:
    form, subtype = KINDS[kind]
    soundfile.write(path, _noise(), RATE, format=form, subtype=subtype, endian=endian)
    return path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_whole(tmp_path: Path, kind: str):
    path = tmp_path / "a.bin"
    _write(path, kind)
    assert len(audio.load(path)) / 22050 == pytest.approx(SECONDS, abs=0.1)
    assert audio.duration(path) == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_file_is_truncated(tmp_path: Path, kind: str, part: float):
    path = tmp_path / "a.bin"
    data = _write(path, kind)
    path.write_bytes(data[: round(len(data) * part)])
    found = audio.decode(path)
    assert isinstance(found, Problem) and found.kind == "truncated_file", found
    if KINDS[kind][0] not in ("OGG", "CAF"):
        there, stated = (
            float(word) for word in found.what.split("(")[1].split(" s ")[0].split(" of ")
        )
        assert stated == pytest.approx(SECONDS, abs=0.25) and there == pytest.approx(
            SECONDS * part, abs=0.3
        )


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_is_detected_even_if_decoding_stops_early(tmp_path: Path, kind: str):
    path = tmp_path / "a.bin"
    data = _write(path, kind)
    path.write_bytes(data[: len(data) // 2])
    assert isinstance(audio.decode(path, max_seconds=0.5), Problem)


def _sized(data: bytes, riff: int, sound: int) -> bytes:
    """A plain WAV (44 bytes of header) whose two size fields read as given."""
    return data[:4] + struct.pack("<I", riff) + data[8:40] + struct.pack("<I", sound) + data[44:]


@pytest.mark.parametrize(
    ("riff", "sound"),
    [
        (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000), (0x80000024, 0x80000000), (0xFFFFFFFF, 0xFFFFFFF7), (36, 0), (0, 0),
        (0x7FFFFFFF, 0x7FFFFFDB), (0xFFFFFFFF, 0), (44, 0), (0xFFFFFF00, 0xFFFFFEDC),
    ],
)  # fmt: skip
def test_a_header_from_a_pipe_states_no_length(tmp_path: Path, riff: int, sound: int):
    path = tmp_path / "a.wav"
    data = _write(path, "wav")
    expected = audio.load(path)
    path.write_bytes(_sized(data, riff, sound))
    np.testing.assert_array_equal(audio.load(path), expected)
    assert audio.duration(path) == SECONDS


def test_the_data_chunk_decides_not_what_follows_it(tmp_path: Path):
    path = tmp_path / "a.wav"
    data = _write(path, "wav")
    expected = audio.load(path)
    lost = struct.pack("<I", len(data) - 8 + 200_000)  # a LIST chunk that a copy left out
    path.write_bytes(data[:4] + lost + data[8:])
    np.testing.assert_array_equal(audio.load(path), expected)
    chunk = b"LIST" + struct.pack("<I", 5) + b"INFOx\0"
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8 + len(chunk)) + data[8:] + chunk)
    np.testing.assert_array_equal(audio.load(path), expected)
    path.write_bytes(data[:12] + chunk + data[12:])  # and one before, of an odd length
    np.testing.assert_array_equal(audio.load(path), expected)


def test_an_empty_data_chunk_is_empty_whatever_follows(tmp_path: Path):
    path = tmp_path / "a.wav"
    data = _write(path, "wav")[:44]
    chunk = b"LIST" + struct.pack("<I", 4000) + bytes(4000)
    path.write_bytes(_sized(data, 36 + len(chunk), 0) + chunk)
    with pytest.raises(MerKitError, match="holds no samples"):
        audio.load(path)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0])
def test_an_au_file_of_unknown_length_is_read_to_its_end(tmp_path: Path, size: int):
    path = tmp_path / "a.au"
    data = _write(path, "au")
    path.write_bytes(data[:8] + struct.pack(">I", size) + data[12:])
    assert len(audio.load(path)) / 22050 == pytest.approx(SECONDS, abs=0.01)


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_both_byte_orders(tmp_path: Path, endian: str):
    path = tmp_path / "a.wav"
    data = _write(path, "wav", endian=endian)
    assert data[:4] == (b"RIFF" if endian == "LITTLE" else b"RIFX")
    assert len(audio.load(path)) == round(SECONDS * 22050)
    path.write_bytes(data[: len(data) // 2])
    assert isinstance(audio.decode(path), Problem)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32"])
def test_codecs_without_seeking_are_decoded(tmp_path: Path, subtype: str):
    path = tmp_path / "a.wav"
    form = "WAV" if subtype == "GSM610" else "AU"
    soundfile.write(path, _noise(1), RATE, format=form, subtype=subtype)
    assert len(audio.load(path)) / 22050 == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize(
    ("scale", "kind"),
    [
        (1.0, None),
        (7.9 / 0.5, None),
        (8.1 / 0.5, "too_loud"),
        (32767, "too_loud"),
        (1e39, "not_finite"),
    ],
)
def test_samples_far_over_full_scale_are_a_problem(tmp_path: Path, scale: float, kind: str | None):
    path = tmp_path / "a.wav"
    y = 0.5 * np.sin(np.arange(22050) / 9.0)
    y[100] = -0.5
    soundfile.write(path, scale * y, 22050, subtype="DOUBLE")
    found = audio.decode(path)
    assert (found.kind if isinstance(found, Problem) else None) == kind
    if kind == "too_loud":
        assert f"has samples up to {0.5 * scale:.5g}, expected −1 to 1" in str(found)


_HOSTILE: list[Callable[[bytes], bytes]] = [
    lambda d: d[:16] + b"\xff\xff\xff\x7f" + d[20:],  # the fmt chunk is 2 GB
    lambda d: d[:22] + b"\0\0" + d[24:],  # no channels
    lambda d: d[:22] + b"\xff\xff" + d[24:],  # 65,535 channels
    lambda d: d[:24] + bytes(4) + d[28:],  # 0 Hz
    lambda d: d[:24] + b"\xff\xff\xff\xff" + d[28:],  # 4 GHz
    lambda d: d[:34] + b"\xff\xff" + d[36:],  # 65,535 bits
    lambda d: d[:20] + b"\x99\x99" + d[22:],  # an unknown coding
    lambda d: b"".join([d[:12], *([b"junk\0\0\0\0"] * 20_000), d[12:]]),  # empty chunks without end
    lambda d: d[:12] + b"junk\xff\xff\xff\xff" + d[12:],
    lambda d: d[:13],
    lambda d: b"RIFF",
    lambda d: b"OggS" + bytes(100),
    lambda d: b"FORM\0\0\0\0AIFFSSND",
    lambda d: b"caff\0\1\0\0data" + b"\x7f" * 8,
    lambda d: b".snd\xff\xff\xff\xff\0\0\0\5" + bytes(20),
    lambda d: b"fLaC" + bytes(60),
]


@pytest.mark.parametrize("number", range(len(_HOSTILE)))
def test_the_decoder_raises_only_its_own_errors(tmp_path: Path, number: int):
    path = tmp_path / "a.wav"
    data = _HOSTILE[number](_write(path, "wav"))
    path.write_bytes(data)
    assert isinstance(audio.decode(path), (Problem, np.ndarray))
    try:
        assert audio.duration(path) >= 0
    except MerKitError as error:
        assert "a.wav: " in str(error)


def test_other_bytes_have_no_extent():
    assert containers.located(b"abcd" * 100) == [] == containers.located(b"")


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
def test_blocks_give_the_same_samples_as_one_call(
    tmp_path: Path, rate: int, monkeypatch: pytest.MonkeyPatch
):
    import librosa

    path = tmp_path / "a.wav"
    y = np.random.default_rng(1).normal(scale=0.1, size=(rate * 3 + 17, 3)).astype(np.float32)
    soundfile.write(path, y, rate, subtype="FLOAT")
    mono = (y[:, 0] + y[:, 1] + y[:, 2]) / np.float32(3)
    expected = (
        librosa.resample(mono, orig_sr=rate, target_sr=22050, res_type="soxr_hq")
        if rate != 22050
        else mono
    )
    monkeypatch.setattr(sound, "BLOCK", 5000)
    np.testing.assert_array_equal(audio.load(path), expected)
    np.testing.assert_array_equal(audio.load(path, max_seconds=1.5), expected[:33075])


@pytest.mark.parametrize(
    ("form", "subtype"), [("NIST", "PCM_16"), ("VOC", "PCM_16"), ("AVR", "PCM_16"), ("WVE", "ALAW")]
)
def test_formats_that_are_shortened_silently_are_refused(tmp_path: Path, form: str, subtype: str):
    path = tmp_path / "a.bin"
    soundfile.write(path, _noise(1), 8000, format=form, subtype=subtype)
    with pytest.raises(MerKitError, match=f"is a {form} file, .*convert it to WAV or FLAC"):
        audio.load(path)
