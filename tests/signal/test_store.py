"""The store: correct values, nothing computed twice, no damaged file used, bad clips named or left out."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mer_kit.checks import MerKitError
from mer_kit.records import Clip
from mer_kit.signal import audio, builder, frontends, manifest, segments, store
from mer_kit.signal.frontends import logmel as mel

MakeClips = Callable[..., list[Clip]]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the audio files that were decoded so far."""
    names: list[str] = []
    original = audio.blocks

    def spy(path: Path, **settings: int) -> object:
        names.append(Path(path).name)
        return original(path, **settings)

    monkeypatch.setattr(audio, "blocks", spy)
    return names


def _mels(opened: store.FeatureStore) -> list[np.ndarray]:
    return [np.array(opened.values(i)) for i in range(len(opened))]


def _age(path: Path, seconds: float = 100.0) -> None:
    """Make a file look unchanged for a while: recently changed files are hashed every time."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def _quiet(done: int, total: int) -> None:
    """No progress."""


def test_holds_the_log_mel_of_every_clip_in_order(make_clips: MakeClips, tmp_path: Path):
    clips = make_clips(3)
    opened = store.open_store(clips, tmp_path / "store")
    assert (
        opened.clips == tuple(clips)
        and len(opened) == 3
        and opened.skipped == ()
        and opened.notes == ()
    )
    for i, clip in enumerate(clips):
        y = audio.load(clip.path)
        expected = mel.log_mel(y)
        held = opened.values(i)
        assert held.dtype == np.float16 and held.shape == expected.shape == (opened.frames[i], 128)
        assert (
            np.abs(held.astype(np.float64) - expected).max() < 0.1
        )  # dB; float16 rounds by up to 1/32
        assert opened.durations_s[i] == len(y) / 22050 == pytest.approx(4 + 0.3 * i, abs=1e-4)
    assert opened.durations_s.dtype == np.float64 and len(set(opened.digests)) == 3
    assert not held.flags.writeable


def test_gather_cuts_transposes_and_keeps_the_order_of_rows(make_clips: MakeClips, tmp_path: Path):
    opened = store.open_store(make_clips(3), tmp_path / "store")
    index = segments.index(opened.durations_s, 2.0)
    view = store.SegmentView(opened, index)
    assert len(view) == len(index) == 9 and view.index is index
    rows = np.array([8, 0, 4, 0])
    batch = view.gather(rows)
    assert batch.shape == (4, 1, 128, 86) and batch.dtype == np.float32 and batch.flags.c_contiguous
    for b, row in enumerate(rows):
        held = np.load(tmp_path / "store" / f"{opened.digests[index.clip[row]]}.npy").astype(
            np.float32
        )
        for t in range(86):
            np.testing.assert_array_equal(batch[b, 0, :, t], held[index.start_frame[row] + t])
    assert view.gather(np.array([], dtype=np.int64)).shape == (0, 1, 128, 86)
    batch[:] = 0  # a batch is the caller's own
    assert view.gather(rows).any()


def test_gather_is_the_same_when_only_a_few_maps_stay_open(
    make_clips: MakeClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    opened = store.open_store(make_clips(5, seconds=2.0), tmp_path / "store")
    view = store.SegmentView(opened, segments.index(opened.durations_s, 1.0))
    rows = np.random.default_rng(0).integers(0, len(view), 60)
    expected = view.gather(rows)
    monkeypatch.setattr(store, "MAX_OPEN_MAPS", 2)
    again = store.SegmentView(store.open_store(opened.clips, tmp_path / "store"), view.index)
    np.testing.assert_array_equal(again.gather(rows), expected)
    assert len(again.store._maps) == 2


def test_an_index_of_other_clips_is_refused(make_clips: MakeClips, tmp_path: Path):
    opened = store.open_store(make_clips(2), tmp_path / "store")
    with pytest.raises(MerKitError, match="index was made from 3 clips but the store holds 2"):
        store.SegmentView(opened, segments.index([4.0, 4.0, 4.0], 1.0))
    with pytest.raises(MerKitError, match=r"a segment of clip '1' ends beyond its \d+ frames"):
        store.SegmentView(opened, segments.index([4.0, 5.0], 1.0))  # the last one starts inside


def test_a_second_opening_decodes_nothing_and_writes_nothing(
    make_clips: MakeClips, tmp_path: Path, decoded: list[str], capsys: pytest.CaptureFixture[str]
):
    clips = make_clips(3)
    _age(clips[0].path)
    first = store.open_store(clips, tmp_path / "store")
    assert sorted(decoded) == ["0.wav", "1.wav", "2.wav"]
    assert re.fullmatch(r"log-mel: 3 clips in \d+\.\d s\n", capsys.readouterr().err)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").iterdir()}
    again = store.open_store(clips, tmp_path / "store")
    assert len(decoded) == 3 and again.digests == first.digests
    np.testing.assert_array_equal(again.durations_s, first.durations_s)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").iterdir()} == files
    assert capsys.readouterr().err == ""
    assert sorted(path.suffix for path in files) == [".json", ".npy", ".npy", ".npy"]


def test_the_same_sound_under_two_names_is_kept_once(
    make_clips: MakeClips, tmp_path: Path, decoded: list[str]
):
    (clip,) = make_clips(1)
    copy = clip.path.with_name("copy.wav")
    copy.write_bytes(clip.path.read_bytes())
    opened = store.open_store([clip, Clip("copy", copy, {})], tmp_path / "store")
    assert len(decoded) == 1 and opened.digests[0] == opened.digests[1] and len(opened) == 2


def test_moved_audio_is_recognised_by_its_content(
    make_clips: MakeClips, tmp_path: Path, decoded: list[str]
):
    clips = make_clips(2)
    store.open_store(clips, tmp_path / "store")
    moved = [
        dataclasses.replace(c, path=c.path.rename(c.path.with_suffix(".moved.wav"))) for c in clips
    ]
    store.open_store(moved, tmp_path / "store")
    assert len(decoded) == 2


def test_other_settings_share_a_folder_without_mixing(make_clips: MakeClips, tmp_path: Path):
    clips = make_clips(1)
    usual = store.open_store(clips, tmp_path / "store")
    slim = store.open_store(clips, tmp_path / "store", frontend=frontends.make("logmel", n_mels=40))
    assert usual.digests != slim.digests
    assert slim.values(0).shape == (usual.frames[0], 40)
    np.testing.assert_allclose(
        slim.values(0), mel.log_mel(audio.load(clips[0].path), n_mels=40), atol=0.1
    )
    view = store.SegmentView(slim, segments.index(slim.durations_s, 1.0))
    assert view.gather(np.array([0])).shape == (1, 1, 40, 43)


def test_changed_audio_is_detected_and_computed_again(
    make_clips: MakeClips, tmp_path: Path, decoded: list[str]
):
    clips = make_clips(2)
    for clip in clips:
        _age(clip.path)
    before = store.open_store(clips, tmp_path / "store")
    old_mels = _mels(before)
    size = clips[1].path.stat().st_size
    y = soundfile.read(clips[1].path)[0]
    soundfile.write(clips[1].path, y[::-1], 22050)  # as long as before
    assert clips[1].path.stat().st_size == size
    after = store.open_store(clips, tmp_path / "store")
    assert decoded[2:] == ["1.wav"]
    assert after.digests[0] == before.digests[0] and after.digests[1] != before.digests[1]
    assert not np.array_equal(after.values(1), old_mels[1])
    np.testing.assert_allclose(after.values(1), mel.log_mel(audio.load(clips[1].path)), atol=0.1)


def test_settled_audio_is_not_read_again(
    make_clips: MakeClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clips = make_clips(2)
    _age(clips[0].path)
    first = store.open_store(clips, tmp_path / "store")
    read: list[str] = []
    original = builder.checksum
    monkeypatch.setattr(
        builder, "checksum", lambda path: read.append(Path(path).name) or original(path)
    )
    assert store.open_store(clips, tmp_path / "store").digests == first.digests
    assert read == ["1.wav"]  # written a moment ago: hashed once more


def test_audio_changed_without_a_new_time_stamp_is_detected(make_clips: MakeClips, tmp_path: Path):
    (clip,) = make_clips(1)
    stamp = clip.path.stat().st_mtime_ns
    before = store.open_store([clip], tmp_path / "store")
    soundfile.write(clip.path, soundfile.read(clip.path)[0][::-1], 22050)
    os.utime(clip.path, ns=(stamp, stamp))
    assert store.open_store([clip], tmp_path / "store").digests != before.digests


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "damage", [_cut_short, _flip_a_bit, Path.unlink, lambda p: p.write_bytes(b"")]
)
def test_a_damaged_file_of_the_store_is_detected_and_computed_again(
    make_clips: MakeClips,
    tmp_path: Path,
    decoded: list[str],
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
):
    clips = make_clips(3)
    opened = store.open_store(clips, tmp_path / "store")
    expected = _mels(opened)
    damage(manifest.features_path(tmp_path / "store", opened.digests[1]))
    again = store.open_store(clips, tmp_path / "store")
    assert decoded[3:] == ["1.wav"]
    assert again.notes == (
        "the stored features of clip '1' were missing, truncated or changed: computed them again",
    )
    assert caplog.messages == list(again.notes)
    for new, old in zip(_mels(again), expected, strict=True):
        np.testing.assert_array_equal(new, old)
    assert store.open_store(clips, tmp_path / "store").notes == ()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[1]",
        '"x"',
        '{"format": 0}',
        '{"format": 1, "audio": {}, "entries": {"a": [1]}}',
    ],
)
def test_a_lost_or_damaged_manifest_costs_time_only(
    make_clips: MakeClips, tmp_path: Path, text: str | None
):
    clips = make_clips(2)
    expected = _mels(store.open_store(clips, tmp_path / "store"))
    path = tmp_path / "store" / "manifest.json"
    path.unlink() if text is None else path.write_text(text)
    again = store.open_store(clips, tmp_path / "store")
    for new, old in zip(_mels(again), expected, strict=True):
        np.testing.assert_array_equal(new, old)
    assert len(json.loads(path.read_text())["entries"]) == 2


def test_two_processes_may_write_the_manifest(tmp_path: Path):
    one, two = (manifest.Manifest.read(tmp_path / "manifest.json") for _ in range(2))
    one.entries["a"] = manifest.Entry("a", 10, 1.0, 100, 7)
    two.entries["b"] = manifest.Entry("b", 20, 2.0, 200, 8)
    one.write()
    two.write()
    assert set(manifest.Manifest.read(tmp_path / "manifest.json").entries) == {"a", "b"}


OPEN_ELSEWHERE = """
import sys
from pathlib import Path
from mer_kit.records import Clip
from mer_kit.signal.store import open_store
clips = [Clip(path.stem, path, {}) for path in sorted(Path(sys.argv[1]).glob("*.wav"))]
opened = open_store(clips, sys.argv[2], workers=2)
print(*(float(opened.values(i).astype("f8").sum()) for i in range(len(opened))), opened.notes)
"""


def test_processes_may_open_a_store_at_the_same_time(make_clips: MakeClips, tmp_path: Path):
    clips = make_clips(8, seconds=6.0)
    arguments = [
        sys.executable,
        "-c",
        OPEN_ELSEWHERE,
        str(clips[0].path.parent),
        str(tmp_path / "store"),
    ]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert len(set(outputs)) == 1 and outputs[0].count(".") >= 8
    opened = store.open_store(clips, tmp_path / "store")
    assert opened.notes == ()
    for i, clip in enumerate(clips):
        np.testing.assert_allclose(opened.values(i), mel.log_mel(audio.load(clip.path)), atol=0.1)
    assert not list((tmp_path / "store").glob(".*")), "no temporary file is left"


def test_a_failed_write_leaves_neither_half_a_file_nor_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "file"
    manifest.write_atomically(path, b"old")

    def fail(self: Path, data: bytes) -> None:
        with open(self, "wb") as file:
            file.write(data[:2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises(OSError, match="No space"):
            manifest.write_atomically(path, b"new content")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_has_its_sentence(
    make_clips: MakeClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(builder, "write_atomically", fail)
    with pytest.raises(MerKitError, match=r"cannot be written \(No space left on device\)"):
        store.open_store(make_clips(1), tmp_path / "store")


def test_a_folder_that_cannot_be_made(make_clips: MakeClips, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MerKitError, match="the store's folder .* cannot be written"):
        store.open_store(make_clips(1), tmp_path / "file")


def test_temporary_files_of_killed_processes_are_removed_but_not_those_of_running_ones(
    tmp_path: Path,
):
    old, new = tmp_path / ".a.npy.1.partial", tmp_path / ".b.npy.2.partial"
    for path in (old, new):
        path.write_bytes(b"half")
    _age(old, 100_000)
    store.open_store([], tmp_path)
    assert not old.exists() and new.exists()


def _damage_some(clips: list[Clip]) -> list[Clip]:
    """Replace clips 1, 3 and 4 by an empty file, a missing one and silence."""
    clips[1].path.write_bytes(b"")
    clips[3].path.unlink()
    soundfile.write(clips[4].path, np.zeros(44100), 22050)
    return clips


def test_bad_clips_stop_the_opening_with_all_of_them_in_one_message(
    make_clips: MakeClips, tmp_path: Path
):
    with pytest.raises(MerKitError) as caught:
        store.open_store(_damage_some(make_clips(6)), tmp_path / "store")
    message = str(caught.value)
    assert message.startswith("3 of 6 clips cannot be used")
    assert 'on_bad_clip="skip"' in message
    for clip_id, what in (("1", "zero bytes"), ("3", "is missing"), ("4", "is silent")):
        assert re.search(rf"clip '{clip_id}' \(.*\): .*{what}", message)


def test_many_bad_clips_are_counted_rather_than_listed(tmp_path: Path):
    clips = [Clip(f"c{i}", tmp_path / f"{i}.mp3", {}) for i in range(12)]
    with pytest.raises(MerKitError, match=r"12 of 12 clips [\s\S]*… and 7 more") as caught:
        store.open_store(clips, tmp_path / "store")
    assert len(str(caught.value).splitlines()) == 7


def test_skipping_bad_clips_equals_their_absence(make_clips: MakeClips, tmp_path: Path):
    clips = _damage_some(make_clips(6))
    skipped = store.open_store(clips, tmp_path / "store", on_bad_clip="skip")
    absent = store.open_store([clips[i] for i in (0, 2, 5)], tmp_path / "other")
    assert [problem.clip_id for problem in skipped.skipped] == ["1", "3", "4"]
    assert [problem.kind for problem in skipped.skipped] == [
        "empty_file",
        "missing_file",
        "silence",
    ]
    assert skipped.clips == absent.clips and skipped.digests == absent.digests
    np.testing.assert_array_equal(skipped.durations_s, absent.durations_s)
    index = segments.index(skipped.durations_s, 1.0)
    rows = np.arange(len(index))
    np.testing.assert_array_equal(
        store.SegmentView(skipped, index).gather(rows),
        store.SegmentView(absent, index).gather(rows),
    )


def test_one_bad_sound_under_two_ids_names_both(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.zeros(22050), 22050)
    soundfile.write(tmp_path / "b.wav", np.zeros(22050), 22050)
    soundfile.write(tmp_path / "c.wav", np.sin(np.arange(22050)), 22050)
    clips = [Clip(name, tmp_path / f"{name}.wav", {}) for name in "abc"]
    opened = store.open_store(clips, tmp_path / "store", on_bad_clip="skip")
    assert [(p.clip_id, p.where) for p in opened.skipped] == [
        (name, f"clip {name!r} ({tmp_path / name}.wav)") for name in "ab"
    ]


def test_a_corpus_of_bad_clips_alone_stops_even_when_skipping(tmp_path: Path):
    with pytest.raises(MerKitError, match="1 of 1 clips cannot be used"):
        store.open_store(
            [Clip("x", tmp_path / "x.mp3", {})], tmp_path / "store", on_bad_clip="skip"
        )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"on_bad_clip": "ignore"}, "on_bad_clip is 'ignore'"),
        ({"workers": 0}, "workers is 0, expected a whole number"),
    ],
)
def test_bad_settings(tmp_path: Path, settings: dict, expected: str):
    with pytest.raises(MerKitError, match=expected):
        store.open_store([], tmp_path, **settings)


@pytest.mark.parametrize("workers", [1, 3])
def test_progress_is_reported_after_every_clip(make_clips: MakeClips, tmp_path: Path, workers: int):
    calls: list[tuple[int, int]] = []
    store.open_store(
        make_clips(4),
        tmp_path / "store",
        workers=workers,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_terminal_shows_a_bar(
    make_clips: MakeClips,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    store.open_store(make_clips(2), tmp_path / "store")
    assert "2/2" in capsys.readouterr().err


def test_an_interruption_stops_at_once_and_keeps_the_work_done(
    make_clips: MakeClips, tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
):
    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    def slow(path: Path, **settings: int) -> object:
        time.sleep(0.05)
        return noted(path, **settings)

    clips = make_clips(12, seconds=1.0)
    noted = audio.blocks
    with monkeypatch.context() as patch:
        patch.setattr(audio, "blocks", slow)
        with pytest.raises(KeyboardInterrupt):
            store.open_store(clips, tmp_path / "store", workers=1, progress=interrupt)
    n_before = len(decoded)
    assert 3 <= n_before < 12
    store.open_store(clips, tmp_path / "store", workers=1, progress=_quiet)
    assert len(decoded) - 12 <= n_before - 3, "the three clips that were reported are kept"


NO_AUDIO_LIBRARY = """
import sys
for name in ("librosa", "soundfile", "audioread", "soxr", "scipy", "matplotlib"):
    sys.modules[name] = None  # importing it raises ImportError
from pathlib import Path
import numpy as np
from mer_kit.checks import MerKitError
from mer_kit.records import Clip
from mer_kit.signal import segments
from mer_kit.signal.store import SegmentView, open_store
clips = [Clip(path.stem, path, {}) for path in sorted(Path(sys.argv[1]).glob("*.wav"))]
opened = open_store(clips[:2], sys.argv[2])
view = SegmentView(opened, segments.index(opened.durations_s, 1.0))
print(view.gather(np.arange(len(view))).astype("f8").sum())
try:
    open_store(clips, sys.argv[2])
except MerKitError as error:
    print(error)
"""


def test_a_finished_store_is_read_without_any_audio_library(make_clips: MakeClips, tmp_path: Path):
    clips = make_clips(3)
    opened = store.open_store(clips[:2], tmp_path / "store")
    view = store.SegmentView(opened, segments.index(opened.durations_s, 1.0))
    arguments = [
        sys.executable,
        "-c",
        NO_AUDIO_LIBRARY,
        str(clips[0].path.parent),
        str(tmp_path / "store"),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    total, sentence = done.stdout.splitlines()
    assert float(total) == pytest.approx(view.gather(np.arange(len(view))).astype(np.float64).sum())
    assert re.match(r"clip '2' is not in the store yet and \w+ is not installed: install", sentence)


def test_a_read_only_store_can_be_opened(
    make_clips: MakeClips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clips = make_clips(2)
    store.open_store(clips, tmp_path / "store")
    for clip in clips:
        _age(clip.path)  # the manifest has something new to remember, and nowhere to write it

    def refuse(path: Path, data: bytes) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(manifest, "write_atomically", refuse)
    assert len(store.open_store(clips, tmp_path / "store")) == 2


def _minutes(path: Path, seconds: float) -> Clip:
    """A clip of noise that is longer than requested."""
    y = np.random.default_rng(5).normal(scale=0.1, size=round(seconds * 8000))
    soundfile.write(path, y, 8000)
    return Clip("long", path, {"quadrant": 0})


def test_only_the_requested_beginning_of_a_long_clip_is_decoded(tmp_path: Path):
    clip = _minutes(tmp_path / "long.wav", 200.0)
    whole = store.open_store([clip], tmp_path / "whole")
    part = store.open_store([clip], tmp_path / "part", max_seconds=30.0)
    wanted = segments.index(part.durations_s, 3.0, max_seconds=30.0)
    assert len(wanted) == 28 and part.frames[0] < 1400 < whole.frames[0]
    ours, theirs = (
        store.SegmentView(opened, wanted).gather(np.arange(28)) for opened in (part, whole)
    )
    np.testing.assert_array_equal(ours, theirs)
    assert part.digests == whole.digests, "a run's name does not depend on how much was decoded"


def test_a_stored_beginning_is_not_used_for_longer_requests(tmp_path: Path):
    clip = _minutes(tmp_path / "long.wav", 200.0)
    assert store.open_store([clip], tmp_path / "store", max_seconds=30.0).durations_s[0] == 31.0
    assert store.open_store([clip], tmp_path / "store", max_seconds=60.0).durations_s[0] == 61.0
    assert store.open_store([clip], tmp_path / "store").durations_s[0] == 200.0
    assert store.open_store([clip], tmp_path / "store", max_seconds=30.0).durations_s[0] == 200.0


def test_a_clip_slightly_longer_than_requested_is_kept_whole(tmp_path: Path, decoded: list[str]):
    clip = _minutes(tmp_path / "a.wav", 45.0)
    assert store.open_store([clip], tmp_path / "store", max_seconds=30.0).durations_s[0] == 45.0
    store.open_store([clip], tmp_path / "store")
    assert decoded == ["a.wav"]
