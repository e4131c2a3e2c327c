"""Clips cut at any duration: counts, truth and percentages by hand, and spectra against the transform itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mer_kit.analysis import segmentation
from mer_kit.checks import MerKitError
from mer_kit.records import Clip, Corpus, labels_from_quadrant
from mer_kit.signal import segments
from tests.views import fold_stub


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fold_stub.segments(tmp_path_factory.mktemp("clips"))


def by_hand(clip: int, d: float) -> list[tuple[float, str, bool]]:
    """Return (start, truth, mixed) of a clip's segments, by looking at every millisecond; truths of `stands.segments`."""
    length = (4.0, 6.0, 2.4)[clip]
    out = []
    for start in range(10):
        if start + d <= length + 1e-9:
            at = np.arange(round(start * 1000), round((start + d) * 1000)) + 0.5
            late = np.count_nonzero(at > 3000)
            truth = {0: "", 1: "Q2" if late > len(at) - late else "Q3", 2: "Q4"}[clip]
            out.append((float(start), truth, clip == 1 and 0 < late < len(at)))
    return out


@pytest.mark.parametrize("d", [1.0, 1.7, 2.0, 2.5, 3.3, 5.0])
@pytest.mark.parametrize("clip", [0, 1, 2])
def test_a_clips_segments_and_their_truth_are_those_counted_by_hand(
    stand: Any, clip: int, d: float
) -> None:
    one = (stand.corpus.select([clip]), stand.store.durations_s[[clip]])
    index, truth = segmentation.segment(*one, d, task="quadrant")
    expected = by_hand(clip, d)
    assert index.start_s.tolist() == [start for start, _, _ in expected]
    assert index.n_frames == round(d * 22050 / 512)
    assert truth is not None
    names = [stand.classes[k] if k >= 0 else "" for k in truth]
    assert names == [truth for _, truth, _ in expected]


@pytest.mark.parametrize("d", [1.0, 2.5, 3.3, 5.0])
def test_counts_are_of_wrong_and_mixed_labels_of_the_whole_corpus(stand: Any, d: float) -> None:
    counts = segmentation.count_segments(stand.corpus, stand.store.durations_s, d, task="quadrant")
    parts = [by_hand(clip, d) for clip in range(3)]
    known = [one for part in parts[1:] for one in part]  # of the first clip nothing is known
    assert (counts.segments, counts.too_short) == (
        sum(map(len, parts)),
        sum(not part for part in parts),
    )
    assert counts.known == len(known)
    assert counts.wrong_percent == pytest.approx(
        100 * sum(truth == "Q2" for _, truth, _ in known) / len(known)
    )
    assert counts.mixed_percent == pytest.approx(
        100 * sum(mixed for _, _, mixed in known) / len(known)
    )


def test_without_a_truth_segments_are_counted_and_nothing_else_is_said(tmp_path: Path) -> None:
    stand = fold_stub.segments(tmp_path, truth=False)
    counts = segmentation.count_segments(
        stand.corpus, stand.store.durations_s, 2.0, task="quadrant"
    )
    assert (counts.segments, counts.too_short, counts.known, counts.wrong_percent) == (
        3 + 5 + 1,
        0,
        None,
        None,
    )
    _, truth = segmentation.segment(stand.corpus, stand.store.durations_s, 2.0, task="quadrant")
    assert truth is None


# ---- noise by duration, and the transform ----------------------------------------------------------------------------


def _corpus(truth: list[tuple[str, float, float, str]] | None, quadrants=(0, 2)) -> Corpus:
    clips = tuple(Clip(f"c{n}", None, labels_from_quadrant(q)) for n, q in enumerate(quadrants))
    table = (
        None
        if truth is None
        else pd.DataFrame(truth, columns=["clip_id", "start_s", "end_s", "label"])
    )
    return Corpus("made-up", None, clips, truth=table)


#: Clip c0 (Q1) is Q2 from 4 to 6 s of 10; clip c1 (Q3) is Q3 throughout its 6 s.
DRIFT = [("c0", 0, 4, "Q1"), ("c0", 4, 6, "Q2"), ("c0", 6, 10, "Q1"), ("c1", 0, 6, "Q3")]


def test_noise_by_duration_by_hand():
    table = segmentation.noise_by_duration(_corpus(DRIFT), [10.0, 6.0], (1, 2, 3), task="quadrant")
    # 1 s: starts 4 and 5 of 10 + 6 segments. 2 s: start 4 is Q2; starts 3 and 5 are mixed and tie, what is heard first
    # wins: Q1 and Q2; 9 + 5. 3 s: starts 3 and 4 hold two seconds of Q2; starts 2, 3, 4, 5 are mixed; 8 + 4.
    assert table["segment_seconds"].tolist() == [1, 2, 3]
    assert table["segments"].tolist() == [16, 14, 12]
    np.testing.assert_allclose(table["wrong_percent"], [100 * 2 / 16, 100 * 2 / 14, 100 * 2 / 12])
    np.testing.assert_allclose(table["mixed_percent"], [0, 100 * 2 / 14, 100 * 4 / 12])


def test_a_task_that_the_drift_leaves_alone_has_no_noise():
    table = segmentation.noise_by_duration(_corpus(DRIFT), [10.0, 6.0], (1, 3), task="arousal")
    assert table[["wrong_percent", "mixed_percent"]].to_numpy().tolist() == [[0, 0], [0, 0]]
    table = segmentation.noise_by_duration(_corpus(DRIFT), [10.0, 6.0], (1,), task="valence")
    assert table["wrong_percent"].item() == 100 * 2 / 16


def test_segments_without_truth_are_not_counted():
    table = segmentation.noise_by_duration(_corpus(DRIFT[:3]), [10.0, 6.0], (1,), task="quadrant")
    assert table["segments"].item() == 10 and table["wrong_percent"].item() == 20


def test_short_clips_and_the_limit():
    table = segmentation.noise_by_duration(
        _corpus(DRIFT), [10.0, 2.0], (1, 3), task="quadrant", max_seconds=5.0
    )
    assert table["segments"].tolist() == [5 + 2, 3]


def test_no_truth_no_table():
    assert segmentation.noise_by_duration(_corpus(None), [10.0, 6.0], task="quadrant") is None


def test_the_telling_clip_has_the_most_wrong_segments():
    index = segments.index([10.0, 6.0], 1.0)
    assert segmentation.telling_clip(_corpus(DRIFT), index, task="quadrant") == 0
    assert segmentation.telling_clip(_corpus(DRIFT, quadrants=(0, 1)), index, task="quadrant") == 1
    assert segmentation.telling_clip(_corpus(DRIFT), index, task="arousal") == 0
    assert segmentation.telling_clip(_corpus(None), index, task="quadrant") == 0


def _noise(seconds: float) -> np.ndarray:
    return (
        np.random.default_rng(0).normal(scale=0.1, size=round(seconds * 22050)).astype(np.float32)
    )


@pytest.mark.parametrize(("start_s", "seconds"), [(0.0, 3.0), (2.0, 3.0), (4.0, 1.0), (3.0, 2.5)])
def test_a_view_equals_the_segments_own_transform_but_for_its_edge(start_s, seconds):
    table = segmentation.transform_difference(_noise(6.0), start_s=start_s, segment_seconds=seconds)
    assert len(table) == round(seconds * 22050 / 512)
    inner = table.iloc[1:-1]
    assert inner["same_start_db"].max() < 0.02, "float16 keeps eleven bits: 0.016 dB at 32 dB"
    if start_s > 0:
        assert table["same_start_db"].iloc[0] > 10 * inner["same_start_db"].max(), (
            "the edge sees no neighbour"
        )
        assert inner["exact_start_db"].mean() > inner["same_start_db"].mean()


def test_frames_know_their_second():
    table = segmentation.transform_difference(_noise(6.0), start_s=2.0, segment_seconds=1.0)
    assert table["second"].iloc[0] == pytest.approx(round(2 * 22050 / 512) * 512 / 22050)
    np.testing.assert_allclose(np.diff(table["second"]), 512 / 22050)


def test_a_tone_that_begins_on_a_frame_is_cut_alike_both_ways():
    # At the clip's beginning both cuts begin at sample 0: then they are one.
    table = segmentation.transform_difference(_noise(6.0), start_s=0.0, segment_seconds=2.0)
    np.testing.assert_allclose(
        table["same_start_db"].iloc[:-1], table["exact_start_db"].iloc[:-1], atol=1e-5
    )


def test_a_segment_that_does_not_fit():
    with pytest.raises(
        MerKitError, match="a 3 s segment from 4 s on does not fit into 6.00 s: choose an earlier"
    ):
        segmentation.transform_difference(_noise(6.0), start_s=4.0, segment_seconds=3.0)
