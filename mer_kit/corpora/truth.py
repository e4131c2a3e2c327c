"""Segment-level ground truth, for notebooks and diagnostics, never for training."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mer_kit.checks import check_choice
from mer_kit.records import ALL_TASKS, TASKS, Corpus, classes_of, labels_from_quadrant


def segment_truth(
    corpus: Corpus, clip: np.ndarray, start_s: np.ndarray, end_s: np.ndarray, *, task: str
) -> np.ndarray | None:
    """Return the true class of every segment, int64 [S], or None if the corpus has no ground truth.

    A segment's true class is the label that covers most of it, in a tie the earlier one; −1 if none
    does.

    Parameters
    ----------
    clip : int [S], position of the clip in `corpus.clips`
    start_s, end_s : [S], seconds

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> from pathlib import Path
    >>> from mer_kit.records import Clip
    >>> table = {"clip_id": "a", "start_s": [0, 4], "end_s": [4, 9], "label": ["Q1", "Q3"]}
    >>> corpus = Corpus("", Path(), (Clip("a", Path("a.wav"), {}),), truth=pd.DataFrame(table))
    >>> start_s = np.array([0.0, 2.0, 3.0, 9.0])
    >>> segment_truth(corpus, np.zeros(4, int), start_s, start_s + 3, task="quadrant")
    array([ 0,  0,  2, -1])
    """
    check_choice("task", task, ALL_TASKS)
    if corpus.truth is None:
        return None
    spans = {clip_id: rows for clip_id, rows in corpus.truth.groupby("clip_id")}
    truth, classes = np.full(len(clip), -1, dtype=np.int64), corpus.classes(task)
    for i in np.unique(clip):
        rows = np.flatnonzero(np.asarray(clip) == i)
        table = spans.get(corpus.clips[int(i)].clip_id)
        if table is not None:
            spans_of_clip = np.asarray(start_s)[rows], np.asarray(end_s)[rows]
            names = np.array([class_of(label, task, classes) for label in table["label"]])
            truth[rows] = _majority(table, *spans_of_clip, names, len(classes))
    return truth


def agreement(
    corpus: Corpus, clip: np.ndarray, start_s: np.ndarray, end_s: np.ndarray
) -> np.ndarray:
    """Return the fraction of listeners who agree with the truth of a segment, float64 [S].

    It is averaged by duration over what is known of the segment; NaN where nothing is.

    Parameters
    ----------
    clip, start_s, end_s : as in `segment_truth`

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> from pathlib import Path
    >>> from mer_kit.records import Clip
    >>> table = {"clip_id": "a", "start_s": [0, 4], "end_s": [4, 9], "agreement": [1.0, 0.4]}
    >>> corpus = Corpus("", Path(), (Clip("a", Path("a.wav"), {}),), truth=pd.DataFrame(table))
    >>> agreement(corpus, np.zeros(3, int), np.array([0, 3, 9]), np.array([3, 6, 12])).round(3)
    array([1. , 0.6, nan])
    """
    truth, found = corpus.truth, np.full(len(clip), np.nan)
    if truth is None or "agreement" not in truth:
        return found
    spans = {str(one): rows for one, rows in truth.dropna(subset="agreement").groupby("clip_id")}
    for i in np.unique(clip):
        rows, its = np.flatnonzero(clip == i), spans.get(corpus.clips[int(i)].clip_id)
        if its is not None:
            _, overlap = _overlap(its, start_s[rows], end_s[rows])
            with np.errstate(invalid="ignore"):  # 0 of 0 is NaN
                weights = overlap / overlap.sum(axis=1, keepdims=True)
            found[rows] = weights @ its["agreement"].to_numpy(float)
    return found


def _overlap(
    table: pd.DataFrame, start_s: np.ndarray, end_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where segments and spans begin to overlap, and for how many seconds: [S, spans]."""
    low = np.maximum(start_s[:, None], table["start_s"].to_numpy()[None, :])
    high = np.minimum(end_s[:, None], table["end_s"].to_numpy()[None, :])
    return low, np.maximum(high - low, 0)


def _majority(
    table: pd.DataFrame,
    start_s: np.ndarray,
    end_s: np.ndarray,
    classes: np.ndarray,
    n_classes: int,
) -> np.ndarray:
    """Return the class with the longest overlap for each of one clip's segments."""
    low, overlap = _overlap(table, start_s, end_s)
    of_class = [classes == k for k in range(n_classes)]
    seconds = np.stack([overlap[:, own].sum(axis=1) for own in of_class], axis=1)
    start = np.where(overlap > 0, low, np.inf)
    first = np.stack([start[:, own].min(axis=1, initial=np.inf) for own in of_class], axis=1)
    longest = seconds.max(axis=1, keepdims=True)
    earliest = np.where(seconds >= longest - 1e-9, first, np.inf).argmin(axis=1)
    return np.where(longest[:, 0] > 0, earliest, -1)


def digest(corpus: Corpus) -> str:
    """Return a checksum of the ground truth, or "" if there is none.

    Examples
    --------
    >>> from pathlib import Path
    >>> digest(Corpus("", Path(), ()))
    ''
    >>> digest(Corpus("", Path(), (), truth=pd.DataFrame({"clip_id": ["a"], "label": ["Q1"]})))
    '62cc09745d85'
    """
    if corpus.truth is None:
        return ""
    text = corpus.truth.to_csv(index=False).encode("utf-8", "backslashreplace")
    return hashlib.blake2b(text, digest_size=6).hexdigest()


def class_of(label: str, task: str, own: Sequence[str] = ()) -> int:
    """Return the class index of a ground-truth label for a task; quadrants serve all but `label`.

    `own` are the classes of the task `label`.

    Examples
    --------
    >>> class_of("Q2", "valence"), class_of("V+", "valence"), class_of("sad", "label", ["sad"])
    (0, 1, 0)

    Raises
    ------
    MerKitError
        If the label is neither a quadrant nor one of the task's classes.
    """
    if task in TASKS and label in TASKS["quadrant"]:
        return labels_from_quadrant(TASKS["quadrant"].index(label))[task]
    classes = classes_of(task, own)
    return classes.index(check_choice("truth label", label, classes))
