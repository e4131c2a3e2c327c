"""MP3 frame by frame: headers computed by hand, and files as found in practice."""

from __future__ import annotations

import io
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mer_kit.checks import MerKitError
from mer_kit.signal import audio, mpeg, sound

Maker = Callable[[], bytes]


@pytest.mark.parametrize(
    ("header", "rate", "samples", "length"),
    [  # lengths by the standard's formula: 144 · bits per second / rate, 72 · … for half-rate Layer III, 4-byte slots in I
        ("fffb9064", 44100, 1152, 417),  # MPEG-1 III, 128 kbit/s
        ("fffb9264", 44100, 1152, 418),  # the same, padded
        ("fff380c4", 22050, 576, 208),  # MPEG-2 III, 64 kbit/s, mono
        ("ffe318c4", 8000, 576, 72),  # MPEG-2.5 III, 8 kbit/s
        ("fffda404", 48000, 1152, 576),  # MPEG-1 II, 192 kbit/s
        ("ffff4004", 44100, 384, 136),  # MPEG-1 I, 128 kbit/s
    ],
)
def test_frames_are_as_long_as_the_standard_says(header: str, rate: int, samples: int, length: int):
    frame = bytes.fromhex(header).ljust(length, b"\0")
    (part,) = mpeg.walk(frame * 10)
    assert (part.frames, part.format.rate, part.format.samples) == (10, rate, samples)
    assert part.ranges == [[0, 10 * length]]
    assert part.seconds == pytest.approx(10 * samples / rate)


@pytest.mark.parametrize("header", ["00000000", "fffbf064", "fffb9c64", "ffeb9064", "fff99064"])
def test_an_invalid_header_is_not_a_frame(header: str):
    """No sync, bad bit rate, bad sample rate, reserved version, reserved layer."""
    assert mpeg.walk(bytes.fromhex(header).ljust(417, b"\0") * 10) == []


def test_a_last_frame_that_is_cut_does_not_count():
    frame = bytes.fromhex("fffb9064").ljust(417, b"\0")
    (part,) = mpeg.walk((frame * 10)[:-1])
    assert part.frames == 9


def _mp3(
    seconds: float,
    rate: int = 44100,
    *,
    channels: int = 1,
    hertz: float = 440.0,
    vary: bool = False,
) -> bytes:
    """An MP3 as LAME writes it, its first frame an info frame."""
    t = np.arange(round(seconds * rate)) / rate
    y = 0.2 * np.sin(2 * np.pi * hertz * t)
    if vary:  # quiet, then loud noise: bit rates far apart
        y = np.where(
            t < seconds / 2, 1e-4 * y, 0.2 * np.random.default_rng(0).standard_normal(len(t))
        )
    buffer = io.BytesIO()
    mode = "VARIABLE" if vary else "CONSTANT"
    with soundfile.SoundFile(
        buffer, "w", rate, channels, format="MP3", compression_level=0.4, bitrate_mode=mode
    ) as file:
        file.write(np.tile(y[:, None], channels))
    return buffer.getvalue()


def _bare(data: bytes) -> bytes:
    """The same without its info frame, whose length is worked out from its header (Layer III)."""
    start = data.index(b"\xff")
    version_1 = data[start + 1] & 0x08
    kbit = ((0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320) if version_1
            else (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160))[data[start + 2] >> 4]  # fmt: skip
    rate = (44100, 48000, 32000)[data[start + 2] >> 2 & 3] // (1 if version_1 else 2)
    assert b"Xing" in data[:200] or b"Info" in data[:200]
    return data[
        start + (144 if version_1 else 72) * kbit * 1000 // rate + (data[start + 2] >> 1 & 1) :
    ]


def _id3(size: int, filler: bytes = b"\xff\xfb\x90\x64") -> bytes:
    """An ID3v2 tag of `size` bytes, full of what looks like frames."""
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00\x00" + digits + (filler * (size // len(filler) + 1))[:size]


def _ape(size: int) -> bytes:
    body = b"\xff\xfb\x90\x64" * (size // 4)
    flags = {"header": 0xA0000000, "footer": 0x80000000}
    ends = {
        name: b"APETAGEX" + (2000).to_bytes(4, "little") + (len(body) + 32).to_bytes(4, "little")
        + (1).to_bytes(4, "little") + flag.to_bytes(4, "little") + bytes(8)
        for name, flag in flags.items()
    }  # fmt: skip
    return ends["header"] + body + ends["footer"]


WHOLE: dict[str, tuple[Maker, float]] = {
    "plain": (lambda: _mp3(4), 4),
    "stereo": (lambda: _mp3(4, channels=2), 4),
    "16 kHz": (lambda: _mp3(4, 16000), 4),
    "no info frame": (lambda: _bare(_mp3(4)), 4),
    "variable": (lambda: _mp3(8, vary=True), 8),
    "variable, no info frame": (lambda: _bare(_mp3(8, vary=True)), 8),
    "no info frame, one in the title": (
        lambda: _id3(400, b"Xing Info ") + _bare(_mp3(8, vary=True)),
        8,
    ),
    "cover of 1 MB": (lambda: _id3(1 << 20) + _mp3(4), 4),
    "cover of 1 MB, no info frame": (lambda: _id3(1 << 20) + _bare(_mp3(8, vary=True)), 8),
    "two tags": (lambda: _id3(500) + _id3(3000) + _mp3(4), 4),
    "tags after": (lambda: _mp3(4) + _ape(4000) + b"TAG".ljust(128, b"\0"), 4),
    "zeros before and after": (lambda: bytes(5000) + _mp3(4) + bytes(50000), 4),
    "joined": (lambda: _mp3(3) + _mp3(4), 7),
    "joined, no info frames": (lambda: _bare(_mp3(3)) + _bare(_mp3(4)), 7),
    "joined, the second with a tag": (lambda: _mp3(3) + _id3(20000) + _mp3(4), 7),
    "joined, noise between": (
        lambda: _bare(_mp3(3)) + np.random.default_rng(3).bytes(3000) + _bare(_mp3(4)),
        7,
    ),
    "three joined": (lambda: _mp3(2) + _mp3(3) + _mp3(2), 7),
    "joined, another rate": (lambda: _mp3(3) + _mp3(4, 48000), 7),
    "joined, half the rate, no info frames": (lambda: _bare(_mp3(3)) + _bare(_mp3(4, 22050)), 7),
    "joined, mono and stereo": (lambda: _mp3(3) + _mp3(4, channels=2), 7),
    "joined, the first without a name": (lambda: _bare(_mp3(3)) + _mp3(4), 7),
}


@pytest.mark.parametrize("case", WHOLE)
def test_all_sound_is_decoded(tmp_path: Path, case: str):
    make, seconds = WHOLE[case]
    path = tmp_path / "a.mp3"
    path.write_bytes(make())
    y = audio.load(path)
    assert len(y) / 22050 == pytest.approx(
        seconds, abs=0.12
    )  # encoders pad a frame or two for each file
    assert audio.duration(path) == pytest.approx(len(y) / 22050, abs=0.03)
    if "variable" not in case and "title" not in case and "info frame" not in case:
        quarters = np.sqrt([np.mean(part**2) for part in np.array_split(y, 4)])
        np.testing.assert_allclose(
            quarters, 0.2 / np.sqrt(2), rtol=0.06
        )  # the tone, to the last second


def test_the_pitch_survives_a_change_of_rate(tmp_path: Path):
    path = tmp_path / "a.mp3"
    path.write_bytes(_bare(_mp3(2, 44100, hertz=1000)) + _bare(_mp3(2, 22050, hertz=1000)))
    y = audio.load(path)
    for part in (y[5000:35000], y[-35000:-5000]):
        assert np.argmax(
            np.abs(np.fft.rfft(part * np.hanning(30000)))
        ) * 22050 / 30000 == pytest.approx(1000, abs=2)


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


CUT: dict[str, tuple[Maker, float, float]] = {
    "half": (lambda: _half(_mp3(8)), 4, 8),
    "half, a cover before": (lambda: _id3(200_000) + _half(_mp3(8)), 4, 8),
    "half the bytes, all but the loud end": (lambda: _half(_mp3(8, vary=True)), 5.1, 8),
    "second of two": (lambda: _mp3(3) + _half(_mp3(4)), 5, 7),
    "VBRI": (lambda: _vbri(frames=200, there=100), 2.6, 5.2),
}


def _vbri(*, frames: int, there: int) -> bytes:
    """A Fraunhofer header that states `frames`, followed by `there` silent frames."""
    head = bytes.fromhex("fffb9064") + bytes(32) + b"VBRI" + bytes(6) + (0).to_bytes(4, "big")
    return (head + frames.to_bytes(4, "big")).ljust(417, b"\0") + bytes.fromhex("fffb9064").ljust(
        417, b"\0"
    ) * there


@pytest.mark.parametrize("case", CUT)
def test_a_truncated_file_states_how_much_is_there(tmp_path: Path, case: str):
    make, there, stated = CUT[case]
    path = tmp_path / "a.mp3"
    path.write_bytes(make())
    for read in (audio.load, audio.duration):
        with pytest.raises(MerKitError, match="is truncated") as caught:
            read(path)
        numbers = re.search(r"\(([\d.]+) of ([\d.]+) s are there\)", str(caught.value))
        assert numbers is not None
        assert [float(text) for text in numbers.groups()] == pytest.approx(
            [there, stated], abs=0.25
        )


def test_a_cut_is_detected_even_if_decoding_stops_early(tmp_path: Path):
    data = _mp3(8)
    (tmp_path / "a.mp3").write_bytes(data[: len(data) // 2])
    with pytest.raises(MerKitError, match="is truncated"):
        audio.load(tmp_path / "a.mp3", max_seconds=1.0)


def _starts(data: bytes) -> list[int]:
    """Where the frames of an MPEG-1 Layer III file of 44.1 kHz begin, by the standard's formula."""
    kbit = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    at, found = data.index(b"\xff\xfb"), []
    while at + 4 <= len(data):
        found.append(at)
        at += 144000 * kbit[data[at + 2] >> 4] // 44100 + (data[at + 2] >> 1 & 1)
    return found


def _changed(data: bytes, at: int, change: int) -> bytes:
    return data[:at] + bytes((data[at] ^ change,)) + data[at + 1 :]


@pytest.mark.parametrize(
    ("byte", "change"),
    [(2, 0x04), (3, 0xC0), (1, 0x08), (1, 0x02), (2, 0x10), (2, 0xF0), (0, 0xFF)],
    ids=["rate", "mono", "version", "layer", "bit rate", "bad bit rate", "sync"],
)
def test_one_damaged_header_is_no_change_of_format(tmp_path: Path, byte: int, change: int):
    data = _mp3(6)
    (tmp_path / "a.mp3").write_bytes(_changed(data, _starts(data)[60] + byte, change))
    assert len(audio.load(tmp_path / "a.mp3")) / 22050 == pytest.approx(6, abs=0.06)
    assert len(mpeg.walk(_changed(data, _starts(data)[60] + byte, change))) == 1


def test_an_info_frame_may_count_all_joined_files(tmp_path: Path):
    """A tool may write the sum into the first info frame and keep the others; nothing is missing."""
    first, second = _mp3(3), _mp3(4)
    n_frames = len(_starts(first)) + len(_starts(second)) - 1
    at = first.index(b"Info") if b"Info" in first else first.index(b"Xing")
    path = tmp_path / "a.mp3"
    path.write_bytes(first[: at + 8] + n_frames.to_bytes(4, "big") + first[at + 12 :] + second)
    assert len(audio.load(path)) / 22050 == pytest.approx(7, abs=0.12)
    path.write_bytes(
        first[: at + 8] + (2 * n_frames).to_bytes(4, "big") + first[at + 12 :] + second
    )
    with pytest.raises(MerKitError, match="is truncated"):
        audio.load(path)


def _free(data: bytes) -> bytes:
    """The same frames without their bit rates: only the next frame shows where each one ends."""
    for at in _starts(data):
        data = data[: at + 2] + bytes((data[at + 2] & 0x0F,)) + data[at + 3 :]
    return data


def test_a_free_bit_rate(tmp_path: Path):
    data = _bare(_mp3(6))
    data = data[: _starts(data)[-1]]
    (part,) = mpeg.walk(_free(data))
    assert part.frames == len(_starts(data)) - 1 or part.frames == len(_starts(data))
    (tmp_path / "a.mp3").write_bytes(_free(data))
    assert len(audio.load(tmp_path / "a.mp3")) / 22050 == pytest.approx(6, abs=0.12)


def _wave(data: bytes, *, stated: int | None = None) -> bytes:
    """A WAV of format 0x55 around MPEG frames, as Windows and ACM write it."""
    about = struct.pack("<HHIIHHHHIHHH", 0x55, 1, 44100, 16000, 1, 0, 12, 1, 2, 417, 1, 1393)
    inside = (
        b"WAVEfmt " + struct.pack("<I", len(about)) + about + b"fact" + struct.pack("<II", 4, 0)
    )
    inside += b"data" + struct.pack("<I", len(data) if stated is None else stated) + data
    return b"RIFF" + struct.pack("<I", len(inside)) + inside


@pytest.mark.parametrize(
    ("make", "seconds"),
    [(lambda: _mp3(4), 4), (lambda: _bare(_mp3(4)), 4), (lambda: _bare(_mp3(8, vary=True)), 8),
     (lambda: _mp3(3) + _mp3(4), 7)],
    ids=["plain", "no info frame", "variable, no info frame", "joined"],
)  # fmt: skip
def test_mp3_in_a_wav_is_counted_by_its_frames(tmp_path: Path, make: Maker, seconds: float):
    path = tmp_path / "a.wav"
    path.write_bytes(_wave(make()))
    assert len(audio.load(path)) / 22050 == pytest.approx(seconds, abs=0.12)
    assert audio.duration(path) == pytest.approx(seconds, abs=0.12)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MerKitError, match="is truncated"):
        audio.load(path, max_seconds=0.5)


def test_layer_two_at_several_bit_rates_is_read_to_its_end(tmp_path: Path):
    """Loud first: libsndfile's estimate from the first frames ends long before the quiet ones."""
    loud, quiet = (
        bytes.fromhex("fffde404").ljust(1152, b"\0"),
        bytes.fromhex("fffd1404").ljust(96, b"\0"),
    )
    path = tmp_path / "a.mp2"
    path.write_bytes(loud * 300 + quiet * 600)
    with sound.opened(path) as pieces:
        assert sum(
            len(block) for piece in pieces for block in piece.blocks()
        ) / 48000 == pytest.approx(21.6, abs=0.1)
    assert audio.duration(path) == pytest.approx(21.6, abs=0.1)
    path.write_bytes((loud * 2 + quiet * 2) * 200 + loud * 3000)
    with pytest.raises(MerKitError, match=r"changes its .* \d+ times"):
        audio.duration(path)


def test_a_tag_longer_than_the_file_hides_no_frames(tmp_path: Path):
    path, tag = tmp_path / "a.mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f"
    path.write_bytes(tag + _bare(_mp3(8, vary=True)))
    assert len(audio.load(path)) / 22050 == pytest.approx(8, abs=0.1)
    path.write_bytes(tag + bytes(5000))
    with pytest.raises(MerKitError, match="is truncated .it ends within the tag"):
        audio.load(path)


@pytest.mark.parametrize("data", [b"\xff", b"\xff\xfb"])
def test_many_bytes_like_headers_are_skipped_quickly(data: bytes):
    began = time.process_time()
    assert mpeg.walk(data * (5_000_000 // len(data))) == []
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "data", [_id3(5000), b"TAG".ljust(128, b"\0"), b"\xff" * 4000, b"\xff\xfb\x90\x64" * 3]
)
def test_tags_alone_are_no_music(tmp_path: Path, data: bytes):
    (tmp_path / "a.mp3").write_bytes(data)
    with pytest.raises(MerKitError, match="is not audio"):
        audio.load(tmp_path / "a.mp3")
