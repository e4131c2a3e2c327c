"""What cutting does to labels and spectra, against truth drawn by hand and against the transform itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mer_kit.analysis import segment_study
from mer_kit.checks import MerKitError
from mer_kit.records import Clip, Corpus, labels_from_quadrant
from mer_kit.signal import segments


def _corpus(truth: list[tuple[str, float, float, str]] | None, quadrants=(0, 2)) -> Corpus:
    clips = tuple(Clip(f"c{n}", None, labels_from_quadrant(q)) for n, q in enumerate(quadrants))
    table = None if truth is None else pd.DataFrame(truth, columns=["clip_id", "start_s", "end_s", "label"])
    return Corpus("made-up", None, clips, truth=table)


#: Clip c0 (Q1) is Q2 from 4 to 6 s of 10; clip c1 (Q3) is Q3 throughout its 6 s.
DRIFT = [("c0", 0, 4, "Q1"), ("c0", 4, 6, "Q2"), ("c0", 6, 10, "Q1"), ("c1", 0, 6, "Q3")]


def test_noise_by_duration_by_hand():
    table = segment_study.noise_by_duration(_corpus(DRIFT), [10.0, 6.0], (1, 2, 3), task="quadrant")
    # 1 s: starts 4 and 5 of 10 + 6 segments. 2 s: start 4 is Q2; starts 3 and 5 are mixed and tie, what is heard first
    # wins: Q1 and Q2; 9 + 5. 3 s: starts 3 and 4 hold two seconds of Q2; starts 2, 3, 4, 5 are mixed; 8 + 4.
    assert table["segment_seconds"].tolist() == [1, 2, 3]
    assert table["segments"].tolist() == [16, 14, 12]
    np.testing.assert_allclose(table["wrong_percent"], [100 * 2 / 16, 100 * 2 / 14, 100 * 2 / 12])
    np.testing.assert_allclose(table["mixed_percent"], [0, 100 * 2 / 14, 100 * 4 / 12])


def test_a_task_that_the_drift_leaves_alone_has_no_noise():
    table = segment_study.noise_by_duration(_corpus(DRIFT), [10.0, 6.0], (1, 3), task="arousal")
    assert table[["wrong_percent", "mixed_percent"]].to_numpy().tolist() == [[0, 0], [0, 0]]
    table = segment_study.noise_by_duration(_corpus(DRIFT), [10.0, 6.0], (1,), task="valence")
    assert table["wrong_percent"].item() == 100 * 2 / 16


def test_segments_without_truth_are_not_counted():
    table = segment_study.noise_by_duration(_corpus(DRIFT[:3]), [10.0, 6.0], (1,), task="quadrant")
    assert table["segments"].item() == 10 and table["wrong_percent"].item() == 20


def test_short_clips_and_the_limit():
    table = segment_study.noise_by_duration(_corpus(DRIFT), [10.0, 2.0], (1, 3), task="quadrant", max_seconds=5.0)
    assert table["segments"].tolist() == [5 + 2, 3]


def test_no_truth_no_table():
    assert segment_study.noise_by_duration(_corpus(None), [10.0, 6.0], task="quadrant") is None


def test_the_telling_clip_has_the_most_wrong_segments():
    index = segments.index([10.0, 6.0], 1.0)
    assert segment_study.telling_clip(_corpus(DRIFT), index, task="quadrant") == 0
    assert segment_study.telling_clip(_corpus(DRIFT, quadrants=(0, 1)), index, task="quadrant") == 1
    assert segment_study.telling_clip(_corpus(DRIFT), index, task="arousal") == 0
    assert segment_study.telling_clip(_corpus(None), index, task="quadrant") == 0


def _noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(scale=0.1, size=round(seconds * 22050)).astype(np.float32)


@pytest.mark.parametrize(("start_s", "seconds"), [(0.0, 3.0), (2.0, 3.0), (4.0, 1.0), (3.0, 2.5)])
def test_a_view_equals_the_segments_own_transform_but_for_its_edge(start_s, seconds):
    table = segment_study.transform_difference(_noise(6.0), start_s=start_s, segment_seconds=seconds)
    assert len(table) == round(seconds * 22050 / 512)
    inner = table.iloc[1:-1]
    assert inner["same_start_db"].max() < 0.02, "float16 keeps eleven bits: 0.016 dB at 32 dB"
    if start_s > 0:
        assert table["same_start_db"].iloc[0] > 10 * inner["same_start_db"].max(), "the edge sees no neighbour"
        assert inner["exact_start_db"].mean() > inner["same_start_db"].mean()


def test_frames_know_their_second():
    table = segment_study.transform_difference(_noise(6.0), start_s=2.0, segment_seconds=1.0)
    assert table["second"].iloc[0] == pytest.approx(round(2 * 22050 / 512) * 512 / 22050)
    np.testing.assert_allclose(np.diff(table["second"]), 512 / 22050)


def test_a_tone_that_begins_on_a_frame_is_cut_alike_both_ways():
    # At the clip's beginning both cuts begin at sample 0: then they are one.
    table = segment_study.transform_difference(_noise(6.0), start_s=0.0, segment_seconds=2.0)
    np.testing.assert_allclose(table["same_start_db"].iloc[:-1], table["exact_start_db"].iloc[:-1], atol=1e-5)


def test_a_segment_that_does_not_fit():
    with pytest.raises(MerKitError, match="a 3 s segment from 4 s on does not fit into 6.00 s: choose an earlier"):
        segment_study.transform_difference(_noise(6.0), start_s=4.0, segment_seconds=3.0)
