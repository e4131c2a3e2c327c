"""A corpus cut at any duration, not only the run's: the segments of one clip, and what the cut does to the labels.

Notebook: 01_segmentation
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mer_kit.analysis.segment_study import noise_by_duration
from mer_kit.checks import check_choice
from mer_kit.corpora.truth import segment_truth
from mer_kit.records import Corpus, SegmentIndex
from mer_kit.signal import segments


@dataclass(frozen=True)
class SegmentedClip:
    """One clip's segments at one duration.

    Attributes
    ----------
    index : SegmentIndex of this clip alone
    truth : int64 [S], the class that covers most of each segment, −1 where none does; None where no truth is known
    """

    index: SegmentIndex
    truth: np.ndarray | None


@dataclass(frozen=True)
class SegmentCounts:
    """What a duration costs: counts of segments, and in percent of those with a truth, how many are spoiled.

    Attributes
    ----------
    segments : how many there are
    too_short : clips that give none
    known : segments whose truth is known, None where the corpus knows none
    wrong_percent : of `known`, those whose inherited label is not the one that covers most of them
    mixed_percent : of `known`, those in which the class changes on the way
    """

    segments: int
    too_short: int
    known: int | None = None
    wrong_percent: float | None = None
    mixed_percent: float | None = None


def segment_clip(
    corpus: Corpus,
    durations_s: Sequence[float] | np.ndarray,
    clip: int,
    segment_seconds: float,
    *,
    task: str,
    max_seconds: float | None = 30.0,
) -> SegmentedClip:
    """Return one clip's segments at a duration, with the truth of each; none where the clip is too short.

    Parameters
    ----------
    durations_s : [clips], seconds of each clip of `corpus`, in its order
    clip : position in `corpus.clips`

    Raises
    ------
    MerKitError
        If there is no such clip or the duration cannot be used.

    Notebook: 01_segmentation
    """
    check_choice("clip", clip, range(len(corpus.clips)))
    index = segments.index(
        [float(durations_s[clip])], segment_seconds, max_seconds=max_seconds, on_bad_clip="skip"
    )
    of_clip = np.full(len(index), clip, dtype=np.int64)
    return SegmentedClip(
        index, segment_truth(corpus, of_clip, index.start_s, index.end_s, task=task)
    )


def count_segments(
    corpus: Corpus,
    durations_s: Sequence[float] | np.ndarray,
    segment_seconds: float,
    *,
    task: str,
    max_seconds: float | None = 30.0,
) -> SegmentCounts:
    """Return how many segments a duration gives over all clips of a corpus, and which share of the labels is wrong.

    Parameters
    ----------
    durations_s : [clips], seconds of each clip of `corpus`, in its order

    Raises
    ------
    MerKitError
        If the duration cannot be used.

    Notebook: 01_segmentation
    """
    counts = np.array(
        [segments.count(float(d), segment_seconds, max_seconds=max_seconds) for d in durations_s]
    )
    total, silent = int(counts.sum()), int((counts == 0).sum())
    found = noise_by_duration(
        corpus, durations_s, (segment_seconds,), task=task, max_seconds=max_seconds
    )
    if found is None or not int(found["segments"].iloc[0]):
        return SegmentCounts(total, silent)
    row = found.iloc[0]
    return SegmentCounts(
        total,
        silent,
        int(row["segments"]),
        float(row["wrong_percent"]),
        float(row["mixed_percent"]),
    )
