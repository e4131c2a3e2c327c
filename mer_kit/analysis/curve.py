"""What an emotion curve shows: the leading class over time, and its agreement with the truth.

Notebook: 05_emotion_curve
"""

import numpy as np
import pandas as pd

from mer_kit.corpora.labels import RESERVED
from mer_kit.corpora.truth import class_of
from mer_kit.records import TASKS
from mer_kit.runs.experiment import Experiment


def classes_of(curve: pd.DataFrame) -> list[str]:
    """Return the names of a curve's class columns, in the order of the task.

    Those of the task `label` are stored with the curve, or else are all columns but the reserved.

    Examples
    --------
    >>> classes_of(pd.DataFrame(columns=["start_s", "V+", "V-"]))
    ['V-', 'V+']
    """
    others = [name for name in curve.columns if name not in RESERVED]
    candidates = [curve.attrs.get("classes", ()), *TASKS.values(), others]
    return next(list(names) for names in candidates if names and set(names) <= set(curve.columns))


def leaders(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the leading class over time: start_s, end_s, leader, probability (its mean), segments.

    Each segment represents the time around its centre, halfway to its neighbours' centres.
    Consecutive spans with the same leader are joined; the first and last reach the curve's ends.

    Parameters
    ----------
    curve : from `analysis.predict.predict_curve`

    Examples
    --------
    >>> curve = pd.DataFrame({"start_s": [0., 1., 2.], "end_s": [3., 4., 5.],
    ...                       "centre_s": [1.5, 2.5, 3.5],
    ...                       "V-": [.9, .3, .4], "V+": [.1, .7, .6]})
    >>> leaders(curve).round(2).to_dict("records")
    [{'start_s': 0.0, 'end_s': 2.0, 'leader': 'V-', 'probability': 0.9, 'segments': 1},
     {'start_s': 2.0, 'end_s': 5.0, 'leader': 'V+', 'probability': 0.65, 'segments': 2}]

    Notebook: 05_emotion_curve
    """
    classes = classes_of(curve)
    p, centre = curve[classes].to_numpy(), curve["centre_s"].to_numpy()
    edges = np.r_[curve["start_s"].iloc[0], (centre[1:] + centre[:-1]) / 2, curve["end_s"].iloc[-1]]
    leader = p.argmax(axis=1)
    group = np.cumsum(np.r_[True, leader[1:] != leader[:-1]]) - 1
    counts = np.bincount(group)
    return _joined(edges[:-1], edges[1:], np.array(classes)[leader]).assign(
        probability=np.bincount(group, weights=p.max(axis=1)) / counts, segments=counts
    )


def truth_spans(experiment: Experiment, clip_id: str) -> pd.DataFrame | None:
    """Return a clip's ground truth over time: start_s, end_s, leader (a class); None if unknown.

    Notebook: 02_noisy_labels

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> spans = [("a", 0.0, 3.0, "Q1"), ("a", 3.0, 4.0, "Q2"), ("a", 4.0, 6.0, "Q3")]
    >>> truth = pd.DataFrame(spans, columns=["clip_id", "start_s", "end_s", "label"])
    >>> experiment = SimpleNamespace(
    ...     corpus=SimpleNamespace(truth=truth, classes=TASKS.get),
    ...     config=SimpleNamespace(task="arousal"),
    ... )
    >>> truth_spans(experiment, "a").to_numpy().tolist()
    [[0.0, 4.0, 'A+'], [4.0, 6.0, 'A-']]
    """
    truth, task = experiment.corpus.truth, experiment.config.task
    if truth is None or clip_id not in set(truth["clip_id"]):
        return None
    rows = truth[truth["clip_id"] == clip_id].sort_values("start_s", kind="stable")
    classes = experiment.corpus.classes(task)
    names = np.array([classes[class_of(label, task, classes)] for label in rows["label"]])
    return _joined(rows["start_s"].to_numpy(), rows["end_s"].to_numpy(), names)


def _joined(start: np.ndarray, end: np.ndarray, names: np.ndarray) -> pd.DataFrame:
    """Return start_s, end_s and leader with spans of equal names joined if there is no gap."""
    gap = start[1:] > np.maximum.accumulate(end)[:-1] + 1e-6
    first = np.flatnonzero(np.r_[True, (names[1:] != names[:-1]) | gap])
    return pd.DataFrame(
        {"start_s": start[first], "end_s": np.maximum.reduceat(end, first), "leader": names[first]}
    )


def share_of(spans: pd.DataFrame, name: str | None) -> float:
    """Return the fraction of the time in which `name` leads; spans as in `leaders`.

    Examples
    --------
    >>> spans = pd.DataFrame({"start_s": [0, 2], "end_s": [2, 8], "leader": ["Q1", "Q2"]})
    >>> share_of(spans, "Q1")
    0.25
    """
    length = (spans["end_s"] - spans["start_s"]).to_numpy(dtype=float)
    return float(length[(spans["leader"] == name).to_numpy()].sum() / length.sum())


def agreement(spans: pd.DataFrame, truth: pd.DataFrame) -> float:
    """Return the fraction of the time covered by both in which they name the same class.

    Parameters
    ----------
    spans, truth : start_s, end_s, leader

    Examples
    --------
    >>> spans = pd.DataFrame({"start_s": [0, 2], "end_s": [2, 8], "leader": ["Q1", "Q2"]})
    >>> truth = pd.DataFrame({"start_s": [0, 4], "end_s": [4, 8], "leader": ["Q1", "Q2"]})
    >>> agreement(spans, truth)
    0.75
    """
    low = np.maximum(spans["start_s"].to_numpy()[:, None], truth["start_s"].to_numpy()[None, :])
    high = np.minimum(spans["end_s"].to_numpy()[:, None], truth["end_s"].to_numpy()[None, :])
    both = np.maximum(high - low, 0.0)
    same = spans["leader"].to_numpy()[:, None] == truth["leader"].to_numpy()[None, :]
    return float(both[same].sum() / both.sum())
