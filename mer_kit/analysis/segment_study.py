"""What cutting does to labels and to spectra, in numbers: for the notebook on segmentation.

Notebook: 01_segmentation
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_range
from mer_kit.corpora.truth import class_of, segment_truth
from mer_kit.records import TASKS, Corpus, SegmentIndex
from mer_kit.signal import segments
from mer_kit.signal.frontends.logmel import MelSettings, log_mel
from mer_kit.signal.segments import DURATIONS


def noise_by_duration(
    corpus: Corpus,
    durations_s: Sequence[float] | np.ndarray,
    segment_seconds: Sequence[float] = DURATIONS,
    *,
    task: str,
    max_seconds: float | None = 30.0,
) -> pd.DataFrame | None:
    """Return how many inherited labels are wrong at each duration, or None where the corpus knows no truth.

    Columns: segment_seconds; segments, those with a truth; wrong_percent, whose inherited label is not the one that
    covers most of them; mixed_percent, in which the class changes on the way.

    Parameters
    ----------
    durations_s : [clips], seconds of each clip of `corpus`, in its order

    Notebook: 01_segmentation
    """
    if corpus.truth is None:
        return None
    labels, rows = corpus.labels(task), []
    for seconds in segment_seconds:
        index = segments.index(durations_s, seconds, max_seconds=max_seconds, on_bad_clip="skip")
        truth = segment_truth(corpus, index.clip, index.start_s, index.end_s, task=task)
        assert truth is not None
        known = truth >= 0
        wrong = (truth != labels[index.clip])[known]
        mixed = _mixed(corpus, index.clip, index.start_s, index.end_s, task)[known]
        rows.append((float(seconds), int(known.sum()), _percent(wrong), _percent(mixed)))
    return pd.DataFrame(
        rows, columns=["segment_seconds", "segments", "wrong_percent", "mixed_percent"]
    )


def _percent(flags: np.ndarray) -> float:
    return 100 * float(flags.mean()) if len(flags) else float("nan")


def _mixed(
    corpus: Corpus, clip: np.ndarray, start_s: np.ndarray, end_s: np.ndarray, task: str
) -> np.ndarray:
    """Return bool [S]: does a segment hold seconds of more than one class?"""
    assert corpus.truth is not None
    spans = dict(list(corpus.truth.groupby("clip_id")))
    classes = np.zeros((len(clip), len(TASKS[task])), dtype=bool)
    for at in np.unique(clip):
        table = spans.get(corpus.clips[int(at)].clip_id)
        rows = np.flatnonzero(clip == at)
        for _, span in (table if table is not None else pd.DataFrame()).iterrows():
            inside = (start_s[rows] < span["end_s"]) & (end_s[rows] > span["start_s"])
            classes[rows[inside], class_of(str(span["label"]), task)] = True
    return np.asarray(classes.sum(axis=1) > 1)


def telling_clip(corpus: Corpus, index: SegmentIndex, *, task: str) -> int:
    """Return the position of the clip with the most segments whose inherited label is wrong, or 0 without truth.

    Notebook: 01_segmentation
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
    """Compare a segment seen as a view of its clip's log-mel with the segment's own transform, frame by frame.

    Columns: frame; second, from the clip's beginning; and the mean absolute difference over the bands in dB of the view
    (rounded to float16 as the store does) to the transform of the samples that begin at the view's first frame
    (`same_start_db`), or exactly at `start_s` as the paper cuts (`exact_start_db`, up to half a hop away).

    Parameters
    ----------
    y : float32 [n], the whole clip at the settings' sample rate

    Raises
    ------
    MerKitError
        If the segment does not lie inside the clip.

    Source: D: one transform per clip (method, stage 2). Notebook: 01_segmentation
    """
    check_range("start_s", start_s, 0)
    sample_rate, hop_length = settings.sample_rate, settings.hop_length
    first, n_frames = (
        round(start_s * sample_rate / hop_length),
        round(segment_seconds * sample_rate / hop_length),
    )
    exact, length = round(start_s * sample_rate), round(segment_seconds * sample_rate)
    if n_frames < 1 or max(exact + length, (first + n_frames) * hop_length) > len(y) + hop_length:
        raise MerKitError(
            f"a {segment_seconds:g} s segment from {start_s:g} s on does not fit into {len(y) / sample_rate:.2f} s: "
            "choose an earlier start"
        )
    whole = log_mel(y, sample_rate=sample_rate, hop_length=hop_length)
    view = whole[first : first + n_frames].astype(np.float16).astype(np.float32)
    same = log_mel(
        y[first * hop_length : (first + n_frames) * hop_length], sample_rate=sample_rate
    )[: len(view)]
    own = log_mel(y[exact : exact + length], sample_rate=sample_rate)[: len(view)]
    frame = np.arange(len(view))
    return pd.DataFrame(
        {
            "frame": frame,
            "second": (first + frame) * hop_length / sample_rate,
            "same_start_db": np.abs(view - same).mean(axis=1),
            "exact_start_db": np.abs(view - own).mean(axis=1),
        }
    )
