"""The frozen records that travel between rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_choice

#: Class names of every task by class index (Russell's plane: Q1 V+A+, Q2 V−A+, Q3 V−A−, Q4 V+A−).
TASKS: dict[str, tuple[str, ...]] = {
    "valence": ("V-", "V+"),
    "arousal": ("A-", "A+"),
    "quadrant": ("Q1", "Q2", "Q3", "Q4"),
}
#: The task whose classes are a corpus' own, from `LEAST_CLASSES` to `MOST_CLASSES` of them.
LABEL = "label"
LEAST_CLASSES, MOST_CLASSES = 2, 20
ALL_TASKS = (*TASKS, LABEL)
#: The everyday word for each class.
EMOTIONS: dict[str, str] = {
    "Q1": "happy", "Q2": "angry", "Q3": "sad", "Q4": "calm",
    "V-": "unpleasant", "V+": "pleasant", "A-": "quiet", "A+": "energetic",
}  # fmt: skip


def classes_of(task: str, own: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the class names of a task by class index; those of task `label` are `own`.

    Examples
    --------
    >>> classes_of("valence"), classes_of("label", ["happy", "sad", "tense"])
    (('V-', 'V+'), ('happy', 'sad', 'tense'))
    """
    return TASKS.get(check_choice("task", task, ALL_TASKS), tuple(own))


def with_word(name: str, separator: str = " ") -> str:
    """Return a class name followed by its everyday word, if it has one.

    Examples
    --------
    >>> with_word("Q1"), with_word("V-", ": "), with_word("tense")
    ('Q1 happy', 'V-: unpleasant', 'tense')
    """
    return separator.join(filter(None, (name, EMOTIONS.get(name))))


def labels_from_quadrant(quadrant: int) -> dict[str, int]:
    """Return the class index of every task for quadrant index 0…3 (Q1…Q4).

    Examples
    --------
    >>> labels_from_quadrant(1)  # Q2: negative valence, positive arousal
    {'valence': 0, 'arousal': 1, 'quadrant': 1}
    """
    check_choice("quadrant", quadrant, range(4))
    return {
        "valence": int(quadrant in (0, 3)),
        "arousal": int(quadrant in (0, 1)),
        "quadrant": int(quadrant),
    }


@dataclass(frozen=True)
class Clip:
    """One piece of music with one label per task.

    `labels` maps a task to a class index (without an entry if the clip has no label for it);
    `group` names clips that must stay in one fold (the artist, if known); `confidence` is the
    annotators' agreement in 0–1 if the corpus has one (4Q: PQuad); `split` is "development" or
    "evaluation" if the corpus has an official split.
    """

    clip_id: str
    path: Path
    labels: Mapping[str, int]
    group: str | None = None
    title: str | None = None
    artist: str | None = None
    confidence: float | None = None
    split: str | None = None


@dataclass(frozen=True)
class Problem:
    """One error or oddity of a corpus as one sentence: where, what, expected, next step."""

    kind: str
    where: str
    what: str
    next_step: str
    clip_id: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.next_step}"


@dataclass(frozen=True)
class Corpus:
    """A loaded dataset: clips in a fixed order, problems, and segment-level ground truth if known.

    `truth` has the columns clip_id, start_s, end_s, label (the quadrant's or the class's name), and
    may have more. It is for notebooks and diagnostics; no trainer ever sees it. `problems` stop a
    run unless on_bad_clip="skip"; `notes` are oddities that every copy of the dataset has, and stop
    nothing. `label_names` are the corpus' own classes, those of the task `label`.
    """

    name: str
    root: Path
    clips: tuple[Clip, ...]
    problems: tuple[Problem, ...] = ()
    truth: pd.DataFrame | None = None
    notes: tuple[Problem, ...] = ()
    title: str = ""
    citation: str = ""
    licence: str = ""
    label_names: tuple[str, ...] = ()

    def classes(self, task: str) -> tuple[str, ...]:
        """Return the class names of a task by class index, () if the corpus has none for it."""
        return classes_of(task, self.label_names)

    def labels(self, task: str) -> np.ndarray:
        """Return int64 [clips], the class index of every clip for `task`.

        Raises
        ------
        MerKitError
            If the task is unknown or a clip has no label for it.
        """
        check_choice("task", task, ALL_TASKS)
        missing = [clip.clip_id for clip in self.clips if task not in clip.labels]
        if missing:
            raise MerKitError(
                f"{self.name}: {len(missing)} clips have no {task} label, first {missing[0]!r}: "
                "choose another task"
            )
        return np.array([clip.labels[task] for clip in self.clips], dtype=np.int64)

    def with_task(self, task: str) -> Corpus:
        """Return the corpus with only the clips labelled for `task` (rated corpora may drop ties).

        Raises
        ------
        MerKitError
            If the task is unknown or no clip has a label for it.
        """
        check_choice("task", task, ALL_TASKS)
        kept = [i for i, clip in enumerate(self.clips) if task in clip.labels]
        if not kept and self.clips:
            known = [name for name in ALL_TASKS if any(name in one.labels for one in self.clips)]
            raise MerKitError(
                f"{self.name} has no clip with a {task} label, expected some: "
                f"choose the task {' or '.join(known)}"
            )
        return self if len(kept) == len(self.clips) else self.select(kept)

    def groups(self) -> np.ndarray | None:
        """Return the group of every clip (str [clips]), or None if the corpus has none."""
        if all(clip.group is None for clip in self.clips):
            return None
        return np.array(
            [f"clip:{clip.clip_id}" if clip.group is None else clip.group for clip in self.clips]
        )

    def position(self, clip_id: str) -> int:
        """Return the position of `clip_id` in `clips`.

        Raises
        ------
        MerKitError
            If there is no such clip.
        """
        ids = [clip.clip_id for clip in self.clips]
        return ids.index(check_choice(f"clip_id of corpus {self.name}", clip_id, ids))

    def select(self, positions: np.ndarray | list[int]) -> Corpus:
        """Return the corpus with only the clips at `positions`, in that order."""
        clips = tuple(self.clips[int(position)] for position in positions)
        truth = self.truth
        if truth is not None:
            kept = truth["clip_id"].isin([clip.clip_id for clip in clips])
            truth = truth[kept].reset_index(drop=True)
        return replace(self, clips=clips, truth=truth)


@dataclass(frozen=True)
class SegmentIndex:
    """The clip and time span of every segment; rows are ordered by clip, then by start.

    Attributes
    ----------
    clip : int64 [S], position of the segment's clip in the list the index was made from
    start_s : float64 [S], seconds from the clip's beginning
    start_frame : int64 [S], first feature frame
    n_frames : frames per segment, round(segment_seconds · frames per second)
    n_clips : length of the list of clips
    segment_seconds : infinite if each clip is one segment, whatever its length
    length_s : float64 [S] in that case, seconds of each clip that are used; else None
    padding : in that case, what fills a clip up to n_frames, see `signal.segments.PADDINGS`
    """

    clip: np.ndarray
    start_s: np.ndarray
    start_frame: np.ndarray
    n_frames: int
    n_clips: int
    segment_seconds: float
    length_s: np.ndarray | None = None
    padding: str = "none"

    def __len__(self) -> int:
        return len(self.clip)

    @property
    def end_s(self) -> np.ndarray:
        """float64 [S], seconds at which each segment ends."""
        length: np.ndarray | float = self.segment_seconds
        if self.length_s is not None:
            length = self.length_s
        return self.start_s + length

    def rows_of(self, clips: np.ndarray | list[int]) -> np.ndarray:
        """Return int64, the rows whose clip is among `clips`, in index order."""
        return np.flatnonzero(np.isin(self.clip, np.asarray(clips, dtype=np.int64)))

    def take(self, rows: np.ndarray) -> SegmentIndex:
        """Return the index with only these rows; clip positions stay the same."""
        taken = {name: getattr(self, name) for name in ("clip", "start_s", "start_frame")}
        if self.length_s is not None:
            taken["length_s"] = self.length_s
        return replace(self, **{name: array[rows] for name, array in taken.items()})


@dataclass(frozen=True)
class Fold:
    """One train/test split of the clips: sorted int64 positions, disjoint."""

    number: int
    train: np.ndarray
    test: np.ndarray


#: The phase of an epoch that trains on a partition into X and U, of every method that makes one.
PARTITION_PHASE = "ssl"


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch of training did; one row of history.csv.

    `phase` is "warmup", "plain" (ce, mixup), PARTITION_PHASE or a method's own. Losses are nats per
    sample, averaged over the epoch: `loss` was minimised, `loss_mix` and `loss_kl` are its parts
    (`loss_kl` over the samples of U alone, NaN while λ is 0). `lambda_kl` and `learning_rate` are
    the schedules' values at the end of the epoch. `train_accuracy` is the evaluation pass's
    agreement with the inherited labels. The partition's fields are NaN or 0 outside
    PARTITION_PHASE; if `separated` is False, the epoch treated every sample as labelled and `note`
    says why. `pseudo_agreement` is the fraction of U whose pseudo-label equals the erased inherited
    label. `own` are the method's own numbers; each is a column of history.csv.
    """

    epoch: int
    phase: str
    loss: float
    loss_mix: float
    loss_kl: float
    lambda_kl: float
    learning_rate: float
    evaluation_loss: float
    train_accuracy: float
    n_labelled: int
    n_unlabelled: int
    separated: bool
    loss_gap: float
    pseudo_agreement: float
    pseudo_confidence: float
    labelled_class_share: tuple[float, ...]
    seconds: float
    note: str = ""
    own: Mapping[str, float] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return the record as one flat table row (the class shares as ';'-joined text)."""
        row = asdict(self)
        row |= row.pop("own")
        row["labelled_class_share"] = ";".join(
            repr(float(share)) for share in self.labelled_class_share
        )
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> EpochRecord:
        """Return the record of a table row, also after a round trip through CSV."""
        names = {f.name for f in fields(cls)} - {"own"}
        shares, note = (
            "" if pd.isna(row[name]) else str(row[name])
            for name in ("labelled_class_share", "note")
        )
        read: dict[str, Any] = {
            **{name: int(row[name]) for name in ("epoch", "n_labelled", "n_unlabelled")},
            "separated": str(row["separated"]) == "True",
            "labelled_class_share": tuple(map(float, filter(None, shares.split(";")))),
            "note": note,
            "own": {name: float(value) for name, value in row.items() if name not in names},
        }
        return cls(**{**{name: row[name] for name in names}, **read})


@dataclass(frozen=True)
class FoldResult:
    """Scores of one fold: `songs[classifier][score]`, `segments[score]`, `majority[score]`.

    `cost` is what `runs.cost` measured; older runs have none.
    """

    fold: int
    n_train: int
    n_test: int
    segments: Mapping[str, float]
    songs: Mapping[str, Mapping[str, float]]
    majority: Mapping[str, float]
    seconds: float
    cost: Mapping[str, float] = field(default_factory=dict)
