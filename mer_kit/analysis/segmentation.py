"""A corpus cut into segments of any duration: the effect on labels and on spectra.

Notebook: 01_segmentation
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_range
from mer_kit.corpora.truth import class_of, segment_truth
from mer_kit.records import Corpus, SegmentIndex
from mer_kit.signal import segments
from mer_kit.signal.frontends.logmel import MelSettings, log_mel


@dataclass(frozen=True)
class SegmentCounts:
    """The number of segments at one duration, and how many of their labels are wrong or mixed.

    Attributes
    ----------
    segments : number of segments
    too_short : clips without a segment
    known : segments with ground truth; None if the corpus has none
    wrong_percent : of `known`, segments whose inherited label is not the class that covers most of
        them
    mixed_percent : of `known`, segments in which the class changes
    """

    segments: int
    too_short: int
    known: int | None = None
    wrong_percent: float | None = None
    mixed_percent: float | None = None


def segment(
    corpus: Corpus,
    durations_s: Sequence[float] | np.ndarray,
    segment_seconds: float,
    *,
    task: str,
    max_seconds: float | None = 30.0,
) -> tuple[SegmentIndex, np.ndarray | None]:
    """Return a corpus' segments at one duration, without clips that are too short, and their truth.

    The truth is int64 [S], the class that covers most of each segment, −1 if unknown; None if the
    corpus has no segment-level ground truth.

    Parameters
    ----------
    durations_s : [clips], seconds of each clip of `corpus`, in its order

    Raises
    ------
    MerKitError
        If the duration is invalid.

    Notebook: 01_segmentation

    Examples
    --------
    >>> from mer_kit.records import Clip
    >>> spans = [("a", 0.0, 3.0, "Q1"), ("a", 3.0, 5.0, "Q2")]
    >>> truth = pd.DataFrame(spans, columns=["clip_id", "start_s", "end_s", "label"])
    >>> corpus = Corpus("tiny", None, (Clip("a", None, {"quadrant": 0}),), truth=truth)
    >>> index, truth = segment(corpus, [5.0], 2.0, task="quadrant")
    >>> index.start_s.tolist(), truth.tolist()
    ([0.0, 1.0, 2.0, 3.0], [0, 0, 0, 1])
    """
    index = segments.index(
        durations_s, segment_seconds, max_seconds=max_seconds, on_bad_clip="skip"
    )
    truth = segment_truth(corpus, index.clip, index.start_s, index.end_s, task=task)
    return index, truth


def count_segments(
    corpus: Corpus,
    durations_s: Sequence[float] | np.ndarray,
    segment_seconds: float,
    *,
    task: str,
    max_seconds: float | None = 30.0,
) -> SegmentCounts:
    """Return the number of segments of a corpus at one duration, and how many labels are wrong.

    Parameters
    ----------
    durations_s : [clips], seconds of each clip of `corpus`, in its order

    Raises
    ------
    MerKitError
        If the duration is invalid.

    Notebook: 01_segmentation

    Examples
    --------
    >>> from mer_kit.records import Clip
    >>> corpus = Corpus("tiny", None, (Clip("a", None, {"quadrant": 0}),))
    >>> count_segments(corpus, [5.0], 2.0, task="quadrant").segments
    4
    """
    index, truth = segment(corpus, durations_s, segment_seconds, task=task, max_seconds=max_seconds)
    too_short = len(corpus.clips) - len(np.unique(index.clip))
    if truth is None or not (truth >= 0).any():
        return SegmentCounts(len(index), too_short)
    return SegmentCounts(len(index), too_short, *_noise(corpus, index, truth, task))


def noise_by_duration(
    corpus: Corpus,
    durations_s: Sequence[float] | np.ndarray,
    segment_seconds: Sequence[float] = segments.DURATIONS,
    *,
    task: str,
    max_seconds: float | None = 30.0,
) -> pd.DataFrame | None:
    """Return the percentage of wrong inherited labels at each duration, or None without truth.

    Columns: segment_seconds; segments (those with a truth); wrong_percent (the inherited label is
    not the class that covers most of the segment); mixed_percent (the class changes within it).

    Parameters
    ----------
    durations_s : [clips], seconds of each clip of `corpus`, in its order

    Notebook: 01_segmentation

    Examples
    --------
    >>> from mer_kit.records import Clip
    >>> spans = [("a", 0.0, 3.0, "Q1"), ("a", 3.0, 5.0, "Q2")]
    >>> truth = pd.DataFrame(spans, columns=["clip_id", "start_s", "end_s", "label"])
    >>> corpus = Corpus("tiny", None, (Clip("a", None, {"quadrant": 0}),), truth=truth)
    >>> noise_by_duration(corpus, [5.0], [1, 2], task="quadrant").to_numpy().tolist()
    [[1.0, 5.0, 40.0, 0.0], [2.0, 4.0, 25.0, 25.0]]
    """
    rows = []
    for seconds in segment_seconds:
        index, truth = segment(corpus, durations_s, seconds, task=task, max_seconds=max_seconds)
        if truth is None:
            return None
        rows.append((float(seconds), *_noise(corpus, index, truth, task)))
    return pd.DataFrame(
        rows, columns=["segment_seconds", "segments", "wrong_percent", "mixed_percent"]
    )


def _noise(
    corpus: Corpus, index: SegmentIndex, truth: np.ndarray, task: str
) -> tuple[int, float, float]:
    """Return the number of segments with truth, and the percentages of wrong and mixed among them.

    The percentages are NaN if there are none.
    """
    known = truth >= 0
    flags = pd.DataFrame({
        "wrong": truth != corpus.labels(task)[index.clip],
        "mixed": _mixed(corpus, index, task),
    })  # fmt: skip
    percent = 100 * flags[known].astype(float).mean()
    return int(known.sum()), float(percent["wrong"]), float(percent["mixed"])


def _mixed(corpus: Corpus, index: SegmentIndex, task: str) -> np.ndarray:
    """Return bool [S]: does a segment overlap spans of more than one class?"""
    assert corpus.truth is not None
    tables = dict(list(corpus.truth.groupby("clip_id")))
    classes = corpus.classes(task)
    overlaps = np.zeros((len(index), len(classes)), dtype=bool)
    for position in np.unique(index.clip):
        rows = index.rows_of([position])
        for span in tables.get(corpus.clips[position].clip_id, corpus.truth[:0]).itertuples():
            inside = (index.start_s[rows] < span.end_s) & (index.end_s[rows] > span.start_s)
            overlaps[rows[inside], class_of(str(span.label), task, classes)] = True
    return np.asarray(overlaps.sum(axis=1) > 1)


def telling_clip(corpus: Corpus, index: SegmentIndex, *, task: str) -> int:
    """Return the position of the clip with the most wrong inherited labels, or 0 without truth.

    Notebook: 01_segmentation

    Examples
    --------
    >>> from mer_kit.records import Clip
    >>> clips = (Clip("a", None, {"quadrant": 0}), Clip("b", None, {"quadrant": 0}))
    >>> spans = [("a", 0.0, 3.0, "Q1"), ("b", 0.0, 3.0, "Q2")]
    >>> truth = pd.DataFrame(spans, columns=["clip_id", "start_s", "end_s", "label"])
    >>> corpus = Corpus("tiny", None, clips, truth=truth)
    >>> telling_clip(corpus, segments.index([3.0, 3.0], 1.0), task="quadrant")
    1
    """
    truth = segment_truth(corpus, index.clip, index.start_s, index.end_s, task=task)
    if truth is None:
        return 0
    wrong = (truth >= 0) & (truth != corpus.labels(task)[index.clip])
    return int(np.bincount(index.clip[wrong], minlength=1).argmax())


def transform_difference(
    y: np.ndarray,
    *,
    start_s: float,
    segment_seconds: float,
    settings: MelSettings = MelSettings(),  # noqa: B008 (frozen)
) -> pd.DataFrame:
    """Compare a segment cut from its clip's log-mel with the segment's own transform.

    One row per frame. Columns: frame; second (from the clip's beginning); and two mean absolute
    differences over the bands in dB, each between the cut (rounded to float16 as in the store) and
    a transform: of the samples from the cut's first frame on (`same_start_db`), or exactly from
    `start_s` on as in the paper (`exact_start_db`, up to half a hop away).

    Parameters
    ----------
    y : float32 [n], the whole clip at the settings' sample rate

    Raises
    ------
    MerKitError
        If the segment is not inside the clip.

    Source: D: one transform per clip (method, stage 2). Notebook: 01_segmentation

    Examples
    --------
    >>> silence = np.zeros(44100, dtype=np.float32)
    >>> table = transform_difference(silence, start_s=0.5, segment_seconds=1.0)
    >>> len(table), round(float(table["same_start_db"].max()), 3)
    (43, 0.0)
    """
    check_range("start_s", start_s, 0)
    rate, hop = settings.sample_rate, settings.hop_length
    transform = partial(log_mel, sample_rate=rate, hop_length=hop)
    first, n_frames = round(start_s * rate / hop), round(segment_seconds * rate / hop)
    exact, length = round(start_s * rate), round(segment_seconds * rate)
    if n_frames < 1 or max(exact + length, (first + n_frames) * hop) > len(y) + hop:
        raise MerKitError(
            f"a {segment_seconds:g} s segment from {start_s:g} s on does not fit into "
            f"{len(y) / rate:.2f} s: choose an earlier start"
        )
    cut = transform(y)[first : first + n_frames].astype(np.float16).astype(np.float32)
    same = transform(y[first * hop : (first + n_frames) * hop])[: len(cut)]
    own = transform(y[exact : exact + length])[: len(cut)]
    frame = np.arange(len(cut))
    return pd.DataFrame(
        {
            "frame": frame,
            "second": (first + frame) * hop / rate,
            "same_start_db": np.abs(cut - same).mean(axis=1),
            "exact_start_db": np.abs(cut - own).mean(axis=1),
        }
    )
