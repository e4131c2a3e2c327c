"""Counting and placing segments: table 1's arithmetic, and properties for any duration."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mer_kit.checks import MerKitError
from mer_kit.records import Clip
from mer_kit.signal import segments
from mer_kit.signal.store import open_store


def test_a_thirty_second_clip_gives_table_ones_numbers():
    assert [segments.count(30.0, d) for d in (1, 2, 3, 4, 5)] == [30, 29, 28, 27, 26]
    assert [segments.count(45.0, d) for d in (1, 5)] == [30, 26]
    assert [segments.count(45.0, d, max_seconds=None) for d in (1, 5)] == [45, 41]
    assert [segments.count(10.1, d) for d in (1, 2, 3, 4, 5)] == [10, 9, 8, 7, 6]


@pytest.mark.parametrize(
    ("duration_s", "segment_seconds", "every_seconds", "expected"),
    [(3.0, 3.0, 1.0, 1), (2.999, 3.0, 1.0, 0), (0.1 + 0.2, 0.3, 1.0, 1), (0.3, 0.1 + 0.2, 1.0, 1), (0.0, 1.0, 1.0, 0),
     (10.0, 3.0, 3.0, 3), (10.0, 1.0, 0.5, 19), (10.0, 0.1, 0.1, 100)],
)  # fmt: skip
def test_counts_by_hand(
    duration_s: float, segment_seconds: float, every_seconds: float, expected: int
):
    assert segments.count(duration_s, segment_seconds, every_seconds=every_seconds) == expected


@settings(deadline=None)
@given(
    st.integers(1, 40 * 1000),
    st.integers(100, 6000),
    st.integers(50, 4000),
    st.one_of(st.none(), st.just(30_000)),
)
@example(30_000, 3000, 1000, None)
def test_count_equals_counting_starts_in_exact_arithmetic(
    ms: int, segment_ms: int, every_ms: int, max_ms: int | None
):
    usable = ms if max_ms is None else min(ms, max_ms)
    expected = sum(1 for start in range(0, usable + 1, every_ms) if start + segment_ms <= usable)
    max_seconds = None if max_ms is None else float(Fraction(max_ms, 1000))
    result = segments.count(
        ms / 1000, segment_ms / 1000, every_seconds=every_ms / 1000, max_seconds=max_seconds
    )
    assert result == expected


@settings(deadline=None)
@given(
    st.lists(st.integers(22050, 22050 * 40), min_size=1, max_size=8),
    st.floats(0.05, 6.0),
    st.floats(0.05, 4.0),
    st.sampled_from([(22050, 512), (16000, 200), (44100, 1024), (22050, 511)]),
)
def test_every_segment_lies_inside_its_clips_frames(
    n_samples: list[int], seconds: float, every: float, grid: tuple
):
    sample_rate, hop_length = grid
    durations = [n / sample_rate for n in n_samples]
    index = segments.index(
        durations,
        seconds,
        every_seconds=every,
        frames_per_second=sample_rate / hop_length,
        on_bad_clip="skip",
    )
    counts = [segments.count(d, seconds, every_seconds=every) for d in durations]
    np.testing.assert_array_equal(np.bincount(index.clip, minlength=len(durations)), counts)
    frames = 1 + np.array(n_samples) // hop_length
    assert (index.start_frame >= 0).all()
    assert (index.start_frame + index.n_frames <= frames[index.clip]).all()
    assert (
        np.abs(index.start_frame - index.start_s * sample_rate / hop_length) <= 0.5 + 1e-6
    ).all()
    assert (index.end_s <= np.minimum(np.array(durations), 30.0)[index.clip] + 1e-6).all()
    rows = list(zip(index.clip.tolist(), index.start_s.tolist(), strict=True))
    assert rows == sorted(rows) and index.n_clips == len(durations)


def test_index_by_hand():
    index = segments.index(np.array([5.0, 3.0]), 3.0)
    assert index.clip.tolist() == [0, 0, 0, 1]
    assert index.start_s.tolist() == [0.0, 1.0, 2.0, 0.0]
    assert index.start_frame.tolist() == [0, 43, 86, 0]  # 43.07 and 86.13
    assert (index.n_frames, index.n_clips, index.segment_seconds, len(index)) == (
        129,
        2,
        3.0,
        4,
    )  # 129.2
    assert {array.dtype.name for array in (index.clip, index.start_frame)} == {"int64"}


def test_a_short_clip_stops_the_index_in_one_sentence():
    with pytest.raises(MerKitError) as caught:
        segments.index([9.0, 2.4], 3, clip_ids=["7", "181"])
    sentence = "clip '181' lasts 2.4 s, shorter than one 3 s segment: lower segment_seconds or drop the clip"
    assert str(caught.value) == sentence
    with pytest.raises(
        MerKitError, match=r"clip '0' lasts 1 s, .* segment \(2 such clips in all\): lower"
    ):
        segments.index([1.0, 9.0, 2.0], 3)


def test_skipping_a_short_clip_leaves_it_without_rows_and_the_others_as_they_were():
    index = segments.index([9.0, 2.4, 5.0], 3, on_bad_clip="skip")
    without = segments.index([9.0, 5.0], 3)
    assert index.n_clips == 3 and set(index.clip.tolist()) == {0, 2}
    np.testing.assert_array_equal(index.start_frame, without.start_frame)
    (problem,) = segments.too_short([9.0, 2.4, 5.0], 3, clip_ids=["a", "b", "c"])
    assert problem.clip_id == "b" and problem.kind == "too_short"
    assert len(segments.index([], 3)) == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"segment_seconds": 0}, "segment_seconds is 0, expected a number above 0"),
        ({"segment_seconds": float("nan")}, "segment_seconds is nan"),
        (
            {"segment_seconds": 0.001},
            "segment_seconds is 0.001, expected at least one frame of 0.0232 s",
        ),
        ({"segment_seconds": 40}, "max_seconds is 30, shorter than one 40 s segment"),
        ({"segment_seconds": 3, "every_seconds": 0}, "every_seconds is 0"),
        ({"segment_seconds": 3, "max_seconds": -1}, "max_seconds is -1"),
        (
            {"segment_seconds": 3, "frames_per_second": 0},
            "frames_per_second is 0, expected a number above 0",
        ),
        ({"segment_seconds": 3, "on_bad_clip": "skp"}, "did you mean 'skip'"),
        ({"segment_seconds": 3, "clip_ids": ["a"]}, "clip_ids has 1 entries, expected 2"),
    ],
)
def test_bad_settings(arguments: dict, expected: str):
    with pytest.raises(MerKitError, match=expected):
        segments.index([50.0, 60.0], **arguments)


def test_a_bad_duration():
    with pytest.raises(MerKitError, match="duration_s is nan"):
        segments.index([float("nan")], 3)


@pytest.mark.slow
def test_counts_on_the_real_4q_audio(tmp_path: Path):
    root = os.environ.get("MER_DATA")
    paths = sorted(Path(root).expanduser().glob("**/Q[1-4]/MT*.mp3")) if root else []
    if len(paths) != 900:
        pytest.skip("MER_DATA does not point at the 900 clips of 4Q")
    store = open_store([Clip(path.stem, path, {}) for path in paths], tmp_path)
    counts = [len(segments.index(store.durations_s, d)) for d in (1, 2, 3, 4, 5)]
    assert counts == [26544, 25644, 24744, 23844, 22944]
