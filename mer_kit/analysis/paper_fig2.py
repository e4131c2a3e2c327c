"""The paper's Fig. 2: the song to draw, and the paper's statements compared with its curve.

Notebook: 05_emotion_curve
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.analysis.curve import classes_of
from mer_kit.checks import MerKitError
from mer_kit.corpora.truth import segment_truth
from mer_kit.runs.experiment import Experiment

#: The 4Q clip of the paper's Fig. 2, labelled happy (Q1).
PAPER_CLIP = "MT0010465830"
#: The paper's statements: words, from and to second (of segments' starts), the leading class.
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
    """The song of a notebook: its file, its clip id (None for other files), its fold, and why."""

    path: Path
    clip_id: str | None
    fold: int
    why: str


def choose(experiment: Experiment, song: str = "", *, fold: int = 0) -> SongChoice:
    """Return the song to draw, and the fold whose network may predict it.

    `song` is a clip id of the corpus or the path of any audio file. "" chooses a clip: in 4Q the
    paper's; with segment-level ground truth the test song of `fold` that is of another class than
    its label for the largest part, up to half; else the first test song. The fold of a clip is the
    one in which it is a test song.

    Raises
    ------
    MerKitError
        If `song` is neither a clip nor a file.

    Notebook: 05_emotion_curve
    """
    ids = experiment.clip_ids
    if song in ids:
        return _clip(experiment, ids.index(song), f"{song} was asked for")
    if song:
        return _file(experiment, song, fold)
    drifts, test = drift(experiment), experiment.folds[fold].test
    if experiment.config.corpus == "4q" and PAPER_CLIP in ids:
        position, why = ids.index(PAPER_CLIP), "the clip of the paper's Fig. 2"
    elif drifts is None:
        position, why = int(test[0]), f"the first test song of fold {fold}"
    else:
        position = int(test[np.where(drifts[test] <= 0.5, drifts[test], -1.0).argmax()])
        why = (
            f"the test song of fold {fold} that is of another class than its label for the longest "
            "time, up to half"
        )
    return _clip(experiment, position, f"{ids[position]} is {why}")


def _clip(experiment: Experiment, position: int, why: str) -> SongChoice:
    fold = next(fold.number for fold in experiment.folds if position in fold.test)
    clip = experiment.corpus.clips[position]
    return SongChoice(clip.path, clip.clip_id, fold, f"{why}; it is a test song of fold {fold}.")


def _file(experiment: Experiment, song: str, fold: int) -> SongChoice:
    path, corpus = Path(song).expanduser(), experiment.corpus
    if not path.is_file():
        raise MerKitError(
            f"song is {song!r}, expected a clip id of corpus {corpus.name} (such as "
            f"{corpus.clips[0].clip_id!r}) or the path of an audio file: correct song (with "
            "papermill, -r song keeps an id like 007 as text)"
        )
    return SongChoice(
        path, None, fold,
        f"{path.name} is your own file; the networks of all finished folds are averaged, or, "
        "before there are any, the network that comes with mer-kit is used.",
    )  # fmt: skip


def drift(experiment: Experiment) -> np.ndarray | None:
    """Return for every clip the fraction of its segments that are of another class than its label.

    None without segment-level ground truth.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from mer_kit.records import Clip, Corpus
    >>> from mer_kit.signal import segments
    >>> spans = [("a", 0.0, 3.0, "Q1"), ("a", 3.0, 4.0, "Q2")]
    >>> truth = pd.DataFrame(spans, columns=["clip_id", "start_s", "end_s", "label"])
    >>> experiment = SimpleNamespace(
    ...     corpus=Corpus("tiny", None, (Clip("a", None, {"quadrant": 0}),), truth=truth),
    ...     config=SimpleNamespace(task="quadrant"),
    ...     labels=np.array([0]),
    ...     index=segments.index([4.0], 1.0),
    ... )
    >>> drift(experiment)
    array([0.25])
    """
    index, task = experiment.index, experiment.config.task
    truth = segment_truth(experiment.corpus, index.clip, index.start_s, index.end_s, task=task)
    if truth is None:
        return None
    other = (truth >= 0) & (truth != experiment.labels[index.clip])
    return np.bincount(index.clip, weights=other) / np.maximum(np.bincount(index.clip), 1)


def beside_paper(curve: pd.DataFrame) -> pd.DataFrame:
    """Compare the paper's statements about its clip with a curve, one row per statement.

    Columns: "paper" (its words), "from_s", "to_s" (of the segments' starts), "segments", "expected"
    (the class that the paper names), "led_by" (the class with the highest mean there), "share_led"
    (fraction of the segments led by the expected class), "mean" (of the expected class), "agrees"
    (the expected class has the highest mean; in the last row it must also be lower than in the row
    before).

    Parameters
    ----------
    curve : a quadrant curve of `PAPER_CLIP`

    Raises
    ------
    MerKitError
        If the classes of the curve are not the four quadrants.

    Source: paper, "Validation experiment". Notebook: 05_emotion_curve

    Examples
    --------
    >>> curve = pd.DataFrame({"start_s": [0.0, 1.0, 3.0], "Q1": [0.7, 0.5, 0.2],
    ...                       "Q2": [0.1, 0.1, 0.2], "Q3": [0.1, 0.2, 0.5],
    ...                       "Q4": [0.1, 0.2, 0.1]})
    >>> table = beside_paper(curve)
    >>> table[["segments", "expected", "led_by", "mean", "agrees"]].to_dict("records")
    [{'segments': 2, 'expected': 'Q1', 'led_by': 'Q1', 'mean': 0.6, 'agrees': True},
     {'segments': 1, 'expected': 'Q3', 'led_by': 'Q3', 'mean': 0.5, 'agrees': True}]
    """
    classes = classes_of(curve)
    if "Q1" not in classes:
        raise MerKitError(
            f"the curve has the classes {', '.join(classes)}, expected Q1 … Q4: "
            "use the task quadrant"
        )
    rows: list[dict[str, Any]] = []
    for words, low, high, expected in PAPER_SAYS:
        within = curve[(curve["start_s"] >= low) & (curve["start_s"] < high)]
        if within.empty:
            continue
        means, leads = within[classes].mean(), within[classes].idxmax(axis=1)
        lower = high < np.inf or not rows or means[expected] < rows[-1]["mean"]
        rows.append({
            "paper": words,
            "from_s": low,
            "to_s": float(within["start_s"].iloc[-1]) + 1,
            "segments": len(within),
            "expected": expected,
            "led_by": means.idxmax(),
            "share_led": float((leads == expected).mean()),
            "mean": float(means[expected]),
            "agrees": bool(means.idxmax() == expected and lower),
        })  # fmt: skip
    return pd.DataFrame(rows)
