"""ONNX models made by the tests: every kind of input and output, and what is no model; basic-pitch if it is there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper, numpy_helper

from mer_kit.checks import MerKitError
from mer_kit.signal import builder, frontends, notes, onnx_model, wheels
from mer_kit.signal.frontends import onnx as frontend_module

RATE = 8000
#: In the user's cache, which the tests leave for one of their own.
WHEEL = frontend_module.WHEEL.path
N, BANDS, STEPS, D = 2000, 8, 16, 3
#: Small mel frames: 2000 samples are 20 steps.
MEL = {"onnx_n_fft": 200, "onnx_mel_hop": 100, "onnx_n_mels": BANDS}


def save(
    path: Path,
    shape: list[int | str],
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    outputs: dict[str, list[int | str | None]],
    kind: int = TensorProto.FLOAT,
) -> Path:
    """Write a model with the input `x` of this shape."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, size) for name, size in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def integers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def vectors(
    path: Path, shape: list[int | str], width: int, batch: int = -1
) -> tuple[Path, np.ndarray]:
    """Save flat input [B, width] @ random kernel → [B, 3]; return the file and the kernel."""
    kernel = np.random.default_rng(0).normal(size=(width, D)).astype(np.float32)
    nodes = [
        helper.make_node("Reshape", ["x", "to"], ["flat"]),
        helper.make_node("MatMul", ["flat", "kernel"], ["y"]),
    ]
    constants = {"to": integers(batch, width), "kernel": kernel}
    return save(path, shape, nodes, constants, {"y": [None, D]}), kernel


def tone(seconds: float) -> np.ndarray:
    y = np.random.default_rng(1).normal(scale=0.1, size=round(seconds * RATE))
    return y.astype(np.float32)


def make(path: Path, **settings: object) -> frontend_module.Frontend:
    return frontends.make("onnx", onnx_file=str(path), onnx_sample_rate=RATE, **settings)


@pytest.mark.parametrize("shape", [["b", N], ["b", N, 1], ["b", 1, N], [1, N], [3, N, 1], [N]])
def test_samples_to_vectors(tmp_path: Path, shape: list[int | str]) -> None:
    """Each window's vector is the product by hand of the samples round the middle of its step."""
    path, kernel = vectors(tmp_path / "a.onnx", shape, N)
    y = tone(3.0)
    made = make(path, onnx_every_seconds=0.2)
    frames = made.frames(y)
    assert made.frames_per_second == 5 and frames.shape == (16, D)
    padded = np.pad(y, (200, 4000))  # a window is 400 samples longer than a step
    expected = np.stack([padded[k * 1600 : k * 1600 + N] for k in range(16)]) @ kernel
    np.testing.assert_allclose(frames, expected, atol=1e-4)
    assert made.columns == ("y 0 mean", "y 1 mean", "y 2 mean")
    np.testing.assert_allclose(made.pool(frames[:5]), frames[:5].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        (["b", STEPS, BANDS], (0, 1)),
        (["b", BANDS, STEPS], (1, 0)),
        (["b", 1, BANDS, STEPS], (1, 0)),
        (["b", STEPS, BANDS, 1], (0, 1)),
        (["b", "t", BANDS], (0, 1)),
        (["b", 1, BANDS, "t"], (1, 0)),
    ],
)
def test_mel_frames_to_vectors(
    tmp_path: Path, shape: list[int | str], order: tuple[int, int]
) -> None:
    """Bands are where their number is; other sizes are read from the file, or follow from seconds."""
    path, kernel = vectors(tmp_path / "a.onnx", shape, STEPS * BANDS)
    seconds = STEPS * 100 / RATE
    made = make(path, **MEL, onnx_every_seconds=seconds, onnx_seconds=seconds)
    y = tone(2.0)
    frames = made.frames(y)
    assert frames.shape == (1 + 2 / seconds, D)
    heard = made._as_input(np.pad(y, (0, 1600)))
    expected = np.stack(
        [heard[k * STEPS : k * STEPS + STEPS].transpose(order).ravel() for k in range(11)]
    )
    np.testing.assert_allclose(frames, expected @ kernel, rtol=1e-4, atol=1e-2)


def test_mel_frames_are_those_of_the_log_mel(tmp_path: Path) -> None:
    path, _ = vectors(tmp_path / "a.onnx", ["b", STEPS, BANDS], STEPS * BANDS)
    y = tone(1.0)
    same = {"sample_rate": RATE, "n_fft": 200, "hop_length": 100, "n_mels": BANDS}
    mel = frontends.make("logmel", **same).frames(y)
    decibels, log10, power = (
        make(path, **MEL, onnx_scale=scale)._as_input(y) for scale in onnx_model.SCALES
    )
    np.testing.assert_allclose(decibels, mel, atol=1e-4)
    np.testing.assert_allclose(log10, np.log10(1e4 * 10 ** (mel / 10) + 1), atol=1e-4)
    np.testing.assert_allclose(power, 10 ** (mel / 10), rtol=1e-4)


def means(path: Path, shape: list[int | str], *, last: bool = False, fixed: int = 20) -> Path:
    """Save a model that returns mean and maximum of each 100 samples: [B, frames] ×2 → [B, frames, 1] each."""
    axes = helper.make_node("ReduceMean", ["cut"], ["mean"], axes=[2], keepdims=1)
    largest = helper.make_node("ReduceMax", ["cut"], ["largest"], axes=[2], keepdims=1)
    nodes = [helper.make_node("Reshape", ["x", "to"], ["cut"]), axes, largest]
    outputs: dict[str, list[int | str | None]] = {"mean": [None] * 3, "largest": [None] * 3}
    if last:
        nodes.append(helper.make_node("Transpose", ["mean"], ["turned"], perm=[0, 2, 1]))
        outputs = {"turned": [None] * 3}
    return save(path, shape, nodes, {"to": integers(-1, fixed, 100)}, outputs)


@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.5, 0.9])
def test_frames_of_overlapping_windows_are_in_their_places(tmp_path: Path, overlap: float) -> None:
    """Frames that do not depend on their neighbours are the same however windows overlap."""
    path = means(tmp_path / "a.onnx", ["b", 2000])
    y = tone(3.33)
    made = make(path, onnx_output="mean,largest", onnx_overlap=overlap)
    frames = made.frames(y)
    assert made.frames_per_second == 80 and frames.shape == (1 + 3.33 * 80 // 1, 2)
    blocks = np.pad(y, (0, 60)).reshape(-1, 100)
    np.testing.assert_allclose(frames[:, 0], blocks.mean(axis=1)[: len(frames)], atol=1e-6)
    np.testing.assert_allclose(frames[:, 1], blocks.max(axis=1)[: len(frames)], atol=1e-6)
    assert made.columns == ("mean 0 mean", "largest 0 mean", "mean 0 sd", "largest 0 sd")
    pooled = made.pool(frames[:80])
    np.testing.assert_allclose(pooled, [*frames[:80].mean(0), *frames[:80].std(0)], atol=1e-6)


def test_outputs_with_frames_last_and_a_given_length(tmp_path: Path) -> None:
    path = means(tmp_path / "a.onnx", ["b", "n"], last=True)
    y = tone(1.0)
    made = make(path, onnx_frames_last=True, onnx_seconds=0.25)
    expected = make(means(tmp_path / "b.onnx", ["b", 2000])).frames(y)
    np.testing.assert_array_equal(made.frames(y), expected)


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.FLOAT16])
def test_other_precisions(tmp_path: Path, kind: int) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    path = save(tmp_path / "a.onnx", ["b", 10], [node], {}, {"y": ["b", 10]}, kind)
    frames = make(path, onnx_every_seconds=10 / RATE).frames(tone(0.1))
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames.ravel()[:800], tone(0.1), atol=1e-3)


@pytest.mark.parametrize("shape", [["b", N], ["b", N, 1]])
def test_the_number_of_windows_at_once_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: list[int | str]
) -> None:
    path, _ = vectors(tmp_path / "a.onnx", shape, N)
    found = []
    for batch in (1, 3, 50):
        monkeypatch.setattr(onnx_model, "BATCH", batch)
        found.append(make(path).frames(tone(3.0)))
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    np.testing.assert_allclose(found[2], found[0], atol=1e-5)


@pytest.mark.parametrize("seconds", [0.001, 0.01, 0.249, 0.25, 0.251, 1.0])
def test_short_sounds(tmp_path: Path, seconds: float) -> None:
    path = means(tmp_path / "a.onnx", ["b", 2000])
    y = tone(seconds)
    frames = make(path).frames(y)
    assert len(frames) == 1 + len(y) * 80 // RATE and np.isfinite(frames).all()


def test_segments_of_a_file(tmp_path: Path) -> None:
    """As the store computes them; a file's content, not its name, is what features are known by."""
    path, _ = vectors(tmp_path / "a.onnx", ["b", N], N)
    soundfile.write(tmp_path / "a.wav", tone(4.0), RATE)
    made = make(path)
    rows, seconds = builder.file_features(tmp_path / "a.wav", builder.Recipe(made, 3.0))
    assert rows.shape == (2, D) and seconds == 4.0
    other = tmp_path / "b.onnx"
    other.write_bytes(path.read_bytes())
    assert frontends.identity(make(other)) == frontends.identity(made)
    assert frontends.identity(make(path, onnx_every_seconds=1.0)) != frontends.identity(made)
    vectors(other, ["b", N, 1], N)
    assert frontends.identity(make(other)) != frontends.identity(made)


def test_joined(tmp_path: Path) -> None:
    path, _ = vectors(tmp_path / "a.onnx", ["b", N], N)
    made = frontends.make("onnx+logmel_stats", onnx_file=str(path), n_mels=4)
    assert made.columns[:D] == ("onnx: y 0 mean", "onnx: y 1 mean", "onnx: y 2 mean")
    assert len(made.columns) == D + 2 * 4


# ---- what does not work ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07" * 50, "cut"])
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes | str) -> None:
    path, _ = vectors(tmp_path / "a.onnx", ["b", N], N)
    if content == "cut":
        content = path.read_bytes()[:5000]
    path.write_bytes(content)
    with pytest.raises(MerKitError, match=r"a\.onnx cannot be opened as an ONNX model") as caught:
        make(path)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(
            MerKitError, match=r"onnx_file .* cannot be read .*full path as onnx_file"
        ):
            make(path)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (["b", "c", 5, 7], r"input of shape \['b', 'c', 5, 7\], expected samples"),
        (["b", 5, 7], r"\['b', 5, 7\], in which neither axis has onnx_n_mels = 128 bands"),
        (["b", N + 1], r"fails on an input of shape \[4, 2001\].*correct onnx_seconds or"),
        (["b", "n"], r"outputs of shape \(48, 3\) for 4 windows, expected \[windows, d\]"),
    ],
)
def test_an_input_of_another_shape(tmp_path: Path, shape: list[int | str], sentence: str) -> None:
    path, _ = vectors(tmp_path / "a.onnx", shape, N)
    with pytest.raises(MerKitError, match=sentence) as caught:
        make(path)
    assert "\n" not in str(caught.value)


def test_other_inputs_and_outputs(tmp_path: Path) -> None:
    identity = helper.make_node("Identity", ["x"], ["y"])
    path = tmp_path / "a.onnx"
    for shape in ([], [1, 1]):
        save(path, shape, [identity], {}, {"y": shape})
        with pytest.raises(MerKitError, match=r"an input of shape \[.*\], expected samples"):
            make(path)
    save(path, ["b", 10], [identity], {}, {"y": ["b", 10]}, TensorProto.INT64)
    with pytest.raises(
        MerKitError, match=r"inputs x \(tensor\(int64\)\), expected one of floating"
    ):
        make(path)
    save(path, ["b", 10], [identity], {}, {"y": ["b", 10]})
    with pytest.raises(MerKitError, match="onnx_output is 'z', expected one of y"):
        make(path, onnx_output="z")
    total = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    save(path, ["b", 10], [total], {}, {"y": []})
    with pytest.raises(
        MerKitError, match=r"outputs of shape \(\) for 4 windows, expected \[windows"
    ):
        make(path)


def test_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = vectors(tmp_path / "a.onnx", ["b", N], N)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MerKitError, match="onnxruntime is not installed.*pip install onnxruntime"):
        make(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("onnx_overlap", 0.95), ("onnx_seconds", 0.0), ("onnx_scale", "dB"), ("onnx_hop", -1)],
)
def test_settings_are_checked(name: str, value: object) -> None:
    with pytest.raises(MerKitError, match=f"{name} is "):
        frontends.make("onnx", **{name: value})


def test_without_the_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a stored segment's columns are is known without them."""
    monkeypatch.setenv("MER_CACHE", str(tmp_path))
    wheels.read.cache_clear()
    made = frontends.make("onnx")
    assert made.columns == notes.COLUMNS and frontends.identity(made)["onnx_file"]
    with pytest.raises(MerKitError, match="not on this machine.*mer-kit frontends get onnx"):
        made.frames(tone(1.0))


# ---- notes -----------------------------------------------------------------------------------------------------------


def test_features_of_notes() -> None:
    """Two notes at once for 1 s, then one for 1 s, then none for 2 s, at ten frames a second."""
    frames = np.zeros((40, 176), dtype=np.float32)
    frames[:10, [60 - 21, 48 - 21]] = 0.8
    frames[10:20, 72 - 21] = 0.8
    frames[0, [88 + 60 - 21, 88 + 48 - 21]] = frames[10, 88 + 72 - 21] = 1
    found = dict(zip(notes.COLUMNS, notes.summary(frames, 10.0).tolist(), strict=True))
    assert found["onsets per second"] == pytest.approx(3 / 4)
    assert found["polyphony mean"] == pytest.approx(3 / 4)
    assert found["polyphony sd"] == pytest.approx(np.std([2, 1, 0, 0]))
    assert found["pitch centroid"] == pytest.approx(60, abs=1e-3)
    assert found["pitch spread"] == pytest.approx(np.std([48, 60, 72]), abs=1e-2)
    shares = [found[name] for name in ("bass", "low", "middle", "high", "very high")]
    assert shares == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 0], abs=1e-4)
    assert found["note length"] == pytest.approx(1)


def test_events_are_peaks_above_the_threshold_whose_note_lasts() -> None:
    given = np.zeros((60, 176))
    given[:, :8] = 0.5  # these notes sound all the time
    given[[3, 4, 5, 20, 21, 40], 88] = [0.6, 0.2, 0.7, 0.8, 0.8, 0.4]
    given[:, 89] = 0.6  # no peak but at its beginning
    given[30, 96:101] = 0.9  # notes 8 to 12 begin at 30
    given[31:36, 8] = 0.5  # five of the eleven frames that follow, six, and six with gaps
    given[31:37, 9] = given[32:43:2, 10] = 0.5
    given[20:31, 11] = given[42:60, 12] = 0.5  # before, and later
    given[:, 80] = np.linspace(0, 0.9, 60)
    found = notes.events(given)
    begins = [np.flatnonzero(column).tolist() for column in found[:, 88:].T]
    assert begins[:2] == [[3, 5, 20], [0]]
    assert begins[8:13] == [[], [30], [], [], []]
    given[31, 10] = 0.5
    assert notes.events(given)[30, 98] == 1
    sounds = found[:, 80]
    np.testing.assert_array_equal(sounds > 0, given[:, 80] >= 0.3)
    np.testing.assert_allclose(sounds[sounds > 0], given[:, 80][sounds > 0], rtol=1e-6)


def test_silence_has_finite_features() -> None:
    found = notes.summary(np.zeros((10, 176), dtype=np.float32), 10.0)
    assert np.isfinite(found).all() and found[3] == pytest.approx(21 + 87 / 2)


def piano(note: int, starts: list[float], seconds: float) -> np.ndarray:
    """Notes of half a second with a decaying row of overtones."""
    t = np.arange(round(seconds * 22050)) / 22050
    y = np.zeros(len(t))
    for start in starts:
        inside = (t >= start) & (t < start + 0.5)
        decay = inside * np.exp(-4 * np.maximum(t - start, 0))
        for k in range(1, 7):
            y += decay * np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * k * t) / k**2
    return y


@pytest.mark.skipif(not WHEEL.is_file(), reason="no weights of basic-pitch")
def test_basic_pitch_hears_a_chord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chord of C major every second: three notes, whose pitches and times are known."""
    monkeypatch.setenv("MER_CACHE", str(tmp_path))
    wheels.read.cache_clear()
    made = frontends.make("onnx")
    target = frontend_module.WHEEL.path
    target.parent.mkdir()
    target.write_bytes(WHEEL.read_bytes())
    starts = [0.5 + k for k in range(9)]
    y = 0.1 * sum(piano(note, starts, 10.0) for note in (60, 64, 67))
    frames = made.frames(y.astype(np.float32))
    assert len(frames) == 1 + int(10 * made.frames_per_second)
    played = frames[:, [60 - 21, 64 - 21, 67 - 21]]
    for start in starts:  # every window's frames are in their places
        middle = round((start + 0.15) * made.frames_per_second)
        assert (played[middle] > 0).all(), start
        before = round((start - 0.2) * made.frames_per_second)
        assert (played[before] == 0).all(), start
    onsets = np.argwhere(frames[:, 88 + 60 - 21]).ravel() / made.frames_per_second
    assert all(np.abs(onsets - start).min() < 0.03 for start in starts)
    found = dict(zip(notes.COLUMNS, made.pool(frames[:258]).tolist(), strict=True))
    assert found["middle"] > 0.6 and 60 < found["pitch centroid"] < 70
    quiet = made.pool(made.frames(np.zeros(44100, dtype=np.float32)))
    assert quiet[0] == quiet[1] == 0
