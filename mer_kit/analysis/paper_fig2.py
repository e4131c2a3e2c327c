"""The paper's Fig. 2: which song to look at, who leads when, and what the paper says of its clip.

Notebook: 05_emotion_curve
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.corpora.truth import class_of, segment_truth
from mer_kit.records import TASKS
from mer_kit.runs.experiment import Experiment

#: The 4Q clip of the paper's Fig. 2, labelled happy (Q1).
PAPER_CLIP = "MT0010465830"
#: What the paper says of it: words, from and to second (segments that start in between), the class that leads.
#: "The first few seconds" are taken as three (D); the other times are the paper's own.
PAPER_SAYS: tuple[tuple[str, float, float, str], ...] = (
    ("high-pitched, cheerful singing: Q1 highest for the first few seconds", 0, 3, "Q1"),
    ("the voice turns low: Q3 takes over", 3, 7, "Q3"),
    ("trumpet and drums come in: back to Q1", 7, 20, "Q1"),
    (
        "the voice is low again, the drums go on: Q1 dips slightly, still leads",
        20,
        float("inf"),
        "Q1",
    ),
)


@dataclass(frozen=True)
class SongChoice:
    """The song that a notebook looks at: its file, its id in the corpus (None for another file), its fold, and why."""

    path: Path
    clip_id: str | None
    fold: int
    why: str


def choose(experiment: Experiment, song: str = "", *, fold: int = 0) -> SongChoice:
    """Return which song to draw, and the fold whose network may answer for it.

    `song` is a clip id of the corpus or the path of any audio file. "" is the corpus' own choice: in 4Q the paper's
    clip; where segment truth is known, the test song of `fold` that leaves its label for the largest part, up to half;
    else the first test song. For a clip of the corpus the fold is the one in which it is a test song.

    Raises
    ------
    MerKitError
        If `song` is neither a clip nor a file.

    Notebook: 05_emotion_curve
    """
    ids = [clip.clip_id for clip in experiment.corpus.clips]
    if song and song not in ids:
        path = Path(song).expanduser()
        if not path.is_file():
            raise MerKitError(
                f"song is {song!r}, expected a clip id of corpus {experiment.corpus.name} (such as {ids[0]!r}) or the "
                "path of an audio file: correct song (papermill takes 007 as it is typed after -r song)"
            )
        return SongChoice(
            path, None, fold, f"{path.name} is a file of yours; every finished fold has a say."
        )
    if song:
        return _clip(experiment, ids.index(song), f"{song} was asked for")
    if experiment.config.corpus == "4q" and PAPER_CLIP in ids:
        return _clip(
            experiment, ids.index(PAPER_CLIP), f"{PAPER_CLIP} is the clip of the paper's Fig. 2"
        )
    drifts = drift(experiment)
    test = experiment.folds[fold].test
    if drifts is None:
        return _clip(
            experiment, int(test[0]), f"{ids[test[0]]} is the first test song of fold {fold}"
        )
    shares = np.where(drifts[test] <= 0.5, drifts[test], -1.0)
    at = int(test[shares.argmax()])
    return _clip(
        experiment,
        at,
        f"{ids[at]} is the test song of fold {fold} that leaves its label longest, up to half",
    )


def _clip(experiment: Experiment, at: int, why: str) -> SongChoice:
    fold = next(fold.number for fold in experiment.folds if at in fold.test)
    clip = experiment.corpus.clips[at]
    return SongChoice(
        clip.path, clip.clip_id, fold, f"{why}; fold {fold} has it among its test songs."
    )


def drift(experiment: Experiment) -> np.ndarray | None:
    """Return for every clip the share of its segments that truly are of another class, or None without truth."""
    index, task = experiment.index, experiment.config.task
    truth = segment_truth(experiment.corpus, index.clip, index.start_s, index.end_s, task=task)
    if truth is None:
        return None
    left = (truth >= 0) & (truth != experiment.labels[index.clip])
    return np.bincount(index.clip, weights=left) / np.maximum(np.bincount(index.clip), 1)


def truth_spans(experiment: Experiment, clip_id: str) -> pd.DataFrame | None:
    """Return what a clip's seconds truly are: start_s, end_s, leader (a class of the task); None where unknown.

    Notebook: 02_noisy_labels
    """
    truth = experiment.corpus.truth
    rows = truth[truth["clip_id"] == clip_id] if truth is not None else None
    if rows is None or rows.empty:
        return None
    rows, task = rows.sort_values("start_s", kind="stable"), experiment.config.task
    names = [TASKS[task][class_of(label, task)] for label in rows["label"]]
    return _joined(rows["start_s"].to_numpy(), rows["end_s"].to_numpy(), np.array(names))


def leaders(curve: pd.DataFrame) -> pd.DataFrame:
    """Return who leads when: start_s, end_s, leader, probability (the leader's mean), segments.

    Each segment stands for the time around its centre, half way to its neighbours'; spans of one leader are joined, and
    the first and last reach to the edges of the curve.

    Parameters
    ----------
    curve : from `analysis.predict.predict_curve`

    Examples
    --------
    >>> curve = pd.DataFrame({"start_s": [0., 1., 2.], "end_s": [3., 4., 5.], "centre_s": [1.5, 2.5, 3.5],
    ...                       "V-": [.9, .3, .4], "V+": [.1, .7, .6]})
    >>> leaders(curve).round(2).to_dict("records")
    [{'start_s': 0.0, 'end_s': 2.0, 'leader': 'V-', 'probability': 0.9, 'segments': 1},
     {'start_s': 2.0, 'end_s': 5.0, 'leader': 'V+', 'probability': 0.65, 'segments': 2}]

    Notebook: 05_emotion_curve
    """
    classes = classes_of(curve)
    p, centre = curve[classes].to_numpy(), curve["centre_s"].to_numpy()
    between = (centre[1:] + centre[:-1]) / 2
    edges = np.r_[curve["start_s"].iloc[0], between, curve["end_s"].iloc[-1]]
    leader = p.argmax(axis=1)
    table = _joined(edges[:-1], edges[1:], np.array(classes)[leader])
    group = np.cumsum(np.r_[True, leader[1:] != leader[:-1]]) - 1
    counts = np.bincount(group)
    table["probability"] = np.bincount(group, weights=p.max(axis=1)) / counts
    table["segments"] = counts
    return table


def classes_of(curve: pd.DataFrame) -> list[str]:
    """Return the names of a curve's class columns, in the task's order."""
    return next(list(names) for names in TASKS.values() if set(names) <= set(curve.columns))


def beside_paper(curve: pd.DataFrame) -> pd.DataFrame:
    """Return what the paper says of its clip beside what this curve shows, one row a statement.

    Columns: "paper" (its words), "from_s", "to_s" (of the segments' starts), "segments", "expected" (the class that the
    paper names), "led_by" (the class with the highest mean there), "share_led" (of the segments, by the expected
    class), "mean" (of the expected class), "agrees" (the expected class has the highest mean; in the last row also a
    lower one than in the row before).

    Parameters
    ----------
    curve : a quadrant curve of `PAPER_CLIP`

    Raises
    ------
    MerKitError
        If the curve is not of four quadrants.

    Source: paper, "Validation experiment". Notebook: 05_emotion_curve
    """
    classes = classes_of(curve)
    if "Q1" not in classes:
        raise MerKitError(
            f"the curve has the classes {', '.join(classes)}, expected Q1 … Q4: use the task quadrant"
        )
    rows: list[dict[str, Any]] = []
    for words, low, high, expected in PAPER_SAYS:
        part = curve[(curve["start_s"] >= low) & (curve["start_s"] < high)]
        if part.empty:
            continue
        p = part[classes].to_numpy()
        led_by, mean = (
            classes[int(p.mean(axis=0).argmax())],
            float(p[:, classes.index(expected)].mean()),
        )
        agrees = led_by == expected and (high < np.inf or not rows or mean < rows[-1]["mean"])
        share = float((p.argmax(axis=1) == classes.index(expected)).mean())
        to = float(part["start_s"].iloc[-1]) + 1
        rows.append(
            {"paper": words, "from_s": low, "to_s": to, "segments": len(part), "expected": expected}
        )
        rows[-1] |= {"led_by": led_by, "share_led": share, "mean": mean, "agrees": agrees}
    return pd.DataFrame(rows)


def _joined(start: np.ndarray, end: np.ndarray, names: np.ndarray) -> pd.DataFrame:
    """Return start_s, end_s, leader of runs of equal names without a gap."""
    gap = start[1:] > np.maximum.accumulate(end)[:-1] + 1e-6
    first = np.flatnonzero(np.r_[True, (names[1:] != names[:-1]) | gap])
    return pd.DataFrame(
        {"start_s": start[first], "end_s": np.maximum.reduceat(end, first), "leader": names[first]}
    )


def share_of(spans: pd.DataFrame, name: str | None) -> float:
    """Return the share of the time that `name` holds; spans as in `leaders`.

    Examples
    --------
    >>> share_of(pd.DataFrame({"start_s": [0, 2], "end_s": [2, 8], "leader": ["Q1", "Q2"]}), "Q1")
    0.25
    """
    length = (spans["end_s"] - spans["start_s"]).to_numpy(dtype=float)
    return float(length[(spans["leader"] == name).to_numpy()].sum() / length.sum())


def agreement(spans: pd.DataFrame, truth: pd.DataFrame) -> float:
    """Return the share of the time that both cover in which they name the same class.

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
