"""Decoding: every format, rate and channel count becomes the same mono sound; every bad file has its own sentence."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mer_kit.checks import MerKitError
from mer_kit.signal import audio


def _tone(seconds: float, rate: int, hertz: float, amplitude: float = 0.25) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def _strongest_hertz(y: np.ndarray, rate: int) -> float:
    """The peak of the spectrum; exact to rate / n = 0.5 Hz for two seconds."""
    return float(np.argmax(np.abs(np.fft.rfft(y * np.hanning(len(y))))) * rate / len(y))


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 22050, 1, "PCM_16"),
        ("b.wav", 8000, 1, "PCM_U8"),
        ("c.wav", 48000, 2, "FLOAT"),
        ("d.wav", 96000, 6, "PCM_24"),
        ("e.flac", 44100, 2, None),
        ("f.ogg", 32000, 2, None),
        ("g.mp3", 44100, 2, None),
        ("h.mp3", 16000, 1, None),
        ("i.aiff", 44100, 3, None),
        ("j ümlaut & space.wav", 11025, 1, None),
    ],
)
def test_every_format_becomes_the_same_mono_tone(
    tmp_path: Path, name: str, rate: int, channels: int, subtype: str
):
    y = np.tile(_tone(2.0, rate, 1000.0)[:, None], channels)
    soundfile.write(tmp_path / name, y, rate, subtype=subtype)
    loaded = audio.load(tmp_path / name)
    assert loaded.dtype == np.float32 and loaded.ndim == 1 and loaded.flags.c_contiguous
    assert len(loaded) == pytest.approx(2 * 22050, abs=22050 * 0.06)  # MP3 may pad a frame or two
    assert _strongest_hertz(loaded[:44100], 22050) == pytest.approx(1000.0, abs=1.0)
    middle = loaded[11025:33075]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(
        0.25 / np.sqrt(2), rel=0.05
    )  # loudness survives
    assert audio.duration(tmp_path / name) == pytest.approx(2.0, abs=0.06)


def test_channels_are_averaged(tmp_path: Path):
    left, right = _tone(1, 22050, 200), _tone(1, 22050, 900, amplitude=0.1)
    soundfile.write(tmp_path / "s.wav", np.stack([left, right], axis=1), 22050, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(tmp_path / "s.wav"), (left + right) / 2, atol=1e-7)


def test_resampling_removes_what_would_alias(tmp_path: Path):
    y = _tone(2, 44100, 3000) + _tone(2, 44100, 15000)  # 15 kHz would alias to 7,050 Hz
    soundfile.write(tmp_path / "s.wav", y, 44100, subtype="FLOAT")
    loaded = audio.load(tmp_path / "s.wav")
    spectrum = np.abs(np.fft.rfft(loaded[:44100] * np.hanning(44100)))
    bins_per_hertz = 44100 / 22050
    alias, kept = spectrum[int(7050 * bins_per_hertz)], spectrum[int(3000 * bins_per_hertz)]
    assert alias < 1e-4 * kept
    np.testing.assert_allclose(loaded[2000:-2000], _tone(2, 22050, 3000)[2000:-2000], atol=1e-3)


def test_another_target_rate(tmp_path: Path):
    soundfile.write(tmp_path / "s.wav", _tone(1, 22050, 500), 22050)
    loaded = audio.load(tmp_path / "s.wav", sample_rate=16000)
    assert len(loaded) == 16000 and _strongest_hertz(loaded, 16000) == pytest.approx(500, abs=1)


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _cut(path: Path, rate: int = 44100) -> Path:
    """A file whose second half is lost."""
    y = np.random.default_rng(0).normal(scale=0.1, size=(rate * 6, 2))
    soundfile.write(path, y, rate)
    return _write(path, path.read_bytes()[: path.stat().st_size // 2])


def _with_value(path: Path, value: float) -> Path:
    y = _tone(1, 22050, 440)
    y[7000] = value
    soundfile.write(path, y, 22050, subtype="FLOAT")
    return path


def _silent(path: Path) -> Path:
    soundfile.write(path, np.zeros((44100, 2)), 44100)
    return path


BAD = {
    "missing": (lambda d: d / "none.mp3", "the audio file is missing"),
    "folder": (lambda d: d, "is a folder"),
    "empty": (lambda d: _write(d / "empty.mp3", b""), "has zero bytes"),
    "text": (lambda d: _write(d / "page.mp3", b"<html>404 not found</html>" * 100), "is not audio"),
    "noise bytes": (
        lambda d: _write(d / "n.wav", np.random.default_rng(1).bytes(5000)),
        "is not audio",
    ),
    "header alone": (lambda d: _write(d / "h.flac", b"fLaC"), "is not audio"),
    "cut wav": (lambda d: _cut(d / "cut.wav"), "is truncated (3.0 of 6.0 s are there"),
    "cut flac": (lambda d: _cut(d / "cut.flac"), "is truncated"),
    "cut mp3": (lambda d: _cut(d / "cut.mp3"), "is truncated (3.0 of 6.0 s are there"),
    "silence": (lambda d: _silent(d / "quiet.wav"), "is silent"),
    "nan": (lambda d: _with_value(d / "nan.wav", np.nan), "NaN or infinite"),
    "infinity": (lambda d: _with_value(d / "inf.wav", -np.inf), "NaN or infinite"),
    "undecodable name": (lambda d: d / os.fsdecode(b"caf\xe9.wav"), "has a name that"),
    "zero in the name": (lambda d: d / "a\0b.wav", "has a name that"),
    "endless name": (lambda d: d / ("x" * 5000 + ".wav"), "cannot be opened"),
}


@pytest.mark.parametrize("case", BAD)
def test_every_bad_file_has_its_sentence(tmp_path: Path, case: str):
    make, expected = BAD[case]
    path = make(tmp_path)
    with pytest.raises(MerKitError) as caught:
        audio.load(path)
    sentence = str(caught.value)
    assert expected in sentence
    assert sentence.count(": ") >= 2, "where: what: next step"
    assert sentence.encode("utf-8").decode().isprintable()
    if expected.startswith(
        ("the audio", "is a folder", "has zero", "is not", "has a name", "cannot")
    ):
        with pytest.raises(MerKitError) as caught:
            audio.duration(path)
        assert expected in str(caught.value)


def test_every_problem_has_its_own_sentence():
    texts = [what for what, _ in audio.SENTENCES.values()]
    assert len(set(texts)) == len(texts)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file"
)
def test_a_file_without_permission(tmp_path: Path):
    path = _write(tmp_path / "locked.wav", b"x")
    path.chmod(0)
    with pytest.raises(MerKitError, match="cannot be opened"):
        audio.load(path)


def test_opposite_channels_cancel_to_silence(tmp_path: Path):
    y = _tone(1, 22050, 440)
    soundfile.write(tmp_path / "s.wav", np.stack([y, -y], axis=1), 22050, subtype="FLOAT")
    with pytest.raises(MerKitError, match="is silent"):
        audio.load(tmp_path / "s.wav")


def test_very_quiet_music_is_not_silence(tmp_path: Path):
    y = _tone(1, 22050, 440, amplitude=2e-6)
    soundfile.write(tmp_path / "s.wav", y, 22050, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(tmp_path / "s.wav"), y, atol=1e-9)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_streamed_wav_that_states_no_size_is_not_called_truncated(tmp_path: Path, size: int):
    soundfile.write(tmp_path / "s.wav", _tone(1, 22050, 440), 22050)
    data = bytearray((tmp_path / "s.wav").read_bytes())
    data[4:8] = size.to_bytes(4, "little")
    _write(tmp_path / "s.wav", bytes(data))
    assert len(audio.load(tmp_path / "s.wav")) == 22050


def test_audioread_decodes_what_soundfile_cannot_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import audioread

    class Reader:
        samplerate, channels = 22050, 2

        def __iter__(self):
            pcm = (
                (np.stack([_tone(1, 22050, 440), np.zeros(22050)], axis=1) * 32768)
                .round()
                .astype("<i2")
                .tobytes()
            )
            return iter([pcm[:1001], pcm[1001:]])

    monkeypatch.setattr(
        audioread, "audio_open", lambda path, backends: contextlib.nullcontext(Reader())
    )
    path = _write(tmp_path / "song.m4a", b"not known to soundfile")
    np.testing.assert_allclose(audio.load(path), _tone(1, 22050, 440) / 2, atol=1e-4)
    assert audio.duration(path) == pytest.approx(1.0)


def test_a_wrong_rate_is_rejected(tmp_path: Path):
    with pytest.raises(MerKitError, match="sample_rate is 0, expected"):
        audio.load(tmp_path, sample_rate=0)
