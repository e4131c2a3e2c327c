"""Clips cut at any duration: counts, truths and shares against counting by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.views import fold_stub

from mer_kit.analysis import segmentation
from mer_kit.checks import MerKitError


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
def test_a_clips_segments_and_their_truth_are_those_counted_by_hand(stand: Any, clip: int, d: float) -> None:
    cut = segmentation.segment_clip(stand.corpus, stand.store.durations_s, clip, d, task="quadrant")
    expected = by_hand(clip, d)
    assert cut.index.start_s.tolist() == [start for start, _, _ in expected]
    assert cut.index.n_frames == round(d * 22050 / 512)
    assert cut.truth is not None
    names = [stand.classes[k] if k >= 0 else "" for k in cut.truth]
    assert names == [truth for _, truth, _ in expected]


@pytest.mark.parametrize("d", [1.0, 2.5, 3.3, 5.0])
def test_the_toll_counts_wrong_and_mixed_labels_of_the_whole_corpus(stand: Any, d: float) -> None:
    toll = segmentation.count_segments(stand.corpus, stand.store.durations_s, d, task="quadrant")
    parts = [by_hand(clip, d) for clip in range(3)]
    known = [one for part in parts[1:] for one in part]  # of the first clip nothing is known
    assert (toll.segments, toll.too_short) == (sum(map(len, parts)), sum(not part for part in parts))
    assert toll.known == len(known)
    assert toll.wrong_percent == pytest.approx(100 * sum(truth == "Q2" for _, truth, _ in known) / len(known))
    assert toll.mixed_percent == pytest.approx(100 * sum(mixed for _, _, mixed in known) / len(known))


def test_without_a_truth_segments_are_counted_and_nothing_else_is_said(tmp_path: Path) -> None:
    stand = fold_stub.segments(tmp_path, truth=False)
    toll = segmentation.count_segments(stand.corpus, stand.store.durations_s, 2.0, task="quadrant")
    assert (toll.segments, toll.too_short, toll.known, toll.wrong_percent) == (3 + 5 + 1, 0, None, None)
    assert segmentation.segment_clip(stand.corpus, stand.store.durations_s, 1, 2.0, task="quadrant").truth is None
    with pytest.raises(MerKitError, match="clip is 3, expected one of 0, 1, 2"):
        segmentation.segment_clip(stand.corpus, stand.store.durations_s, 3, 2.0, task="quadrant")
