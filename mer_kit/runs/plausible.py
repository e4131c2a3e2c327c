"""Whether a corpus can be learned from as it is: classes, folds and segment truth, looked at before any training.

Notebook: 00_start_here
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mer_kit.checks import MerKitError
from mer_kit.records import EMOTIONS, TASKS, Corpus, Problem
from mer_kit.runs.config import RunConfig
from mer_kit.signal import audio

#: A truth that ends later than this many times its clip's length, and this many seconds, is in another unit.
TIMES_TOO_LONG, SECONDS_TOO_LONG = 2.0, 10.0
#: How many clips' headers are read to compare their length with the truth.
SAMPLED = 20


def hindrances(corpus: Corpus) -> tuple[list[Problem], list[Problem]]:
    """Return problems and notes on what would stop a training: one class left, too few songs for folds, wrong times.

    It is a problem where no task could be learned, and a note where another task can.
    """
    if not corpus.clips:
        return [], []
    tasks = [task for task in TASKS if any(task in clip.labels for clip in corpus.clips)]
    single = [found for task in tasks if (found := one_class(corpus, task)) is not None]
    few = [found for task in tasks if (found := few_songs(corpus, task)) is not None]
    problems, notes = (single[-1:], []) if len(single) == len(tasks) else ([], [*single, *few])
    return [*problems, *truth_beyond(corpus, _sampled_seconds(corpus))], notes


def one_class(corpus: Corpus, task: str) -> Problem | None:
    """Return the problem that all clips have the same label for `task`, or None."""
    labels = {clip.labels[task] for clip in corpus.clips if task in clip.labels}
    if len(labels) != 1:
        return None
    name = TASKS[task][labels.pop()]
    count = sum(task in clip.labels for clip in corpus.clips)
    many = f"all {count} clips are" if count > 1 else "the only clip is"
    what = f"{many} {name} ({EMOTIONS[name]}), expected two classes or more"
    return Problem("one_class", task, what, "check the labels, or the scale of the ratings")


def check_classes(corpus: Corpus, task: str) -> None:
    """Raise one sentence if all clips have the same label for `task`.

    Raises
    ------
    MerKitError
        If only one class is left.
    """
    found = one_class(corpus, task)
    if found is not None:
        raise MerKitError(f"{corpus.name} cannot be learned from, {found}")


def few_songs(corpus: Corpus, task: str, folds: int = RunConfig.folds) -> Problem | None:
    """Return a note on the class with the fewest songs, or artists, if they are fewer than `folds`; else None."""
    labelled = [clip for clip in corpus.clips if task in clip.labels]
    groups = corpus.groups() is not None
    units: dict[int, set[str]] = {}
    for clip in labelled:
        unit = clip.group if groups and clip.group is not None else f"clip:{clip.clip_id}"
        units.setdefault(clip.labels[task], set()).add(unit)
    label = min(units, key=lambda k: len(units[k]))
    found = len(units[label])
    if len(units) < 2 or found >= folds:
        return None
    one, many = ("group (artist)", "groups (artists)") if groups else ("song", "songs")
    what = f"{TASKS[task][label]} has {found} {one if found == 1 else many}, fewer than the usual {folds} folds"
    step = (
        f"ask for --folds {found}"
        if found > 1
        else "add songs of this class, since it cannot be divided"
    )
    return Problem("few_songs", task, what, step)


def truth_beyond(corpus: Corpus, seconds: Mapping[str, float]) -> list[Problem]:
    """Return one problem if segment truth ends long after its clip does: milliseconds, or another clip's.

    `seconds` maps clip ids to lengths; clips that it lacks are not looked at.
    """
    if corpus.truth is None:
        return []
    ends = corpus.truth.groupby("clip_id")["end_s"].max()
    late = [
        (clip_id, float(ends[clip_id]), length)
        for clip_id, length in seconds.items()
        if clip_id in ends.index and ends[clip_id] > TIMES_TOO_LONG * length + SECONDS_TOO_LONG
    ]
    if not late:
        return []
    clip_id, end, length = late[0]
    what = (
        f"that of {len(late)} of {len(seconds)} clips ends long after the clip, first {clip_id}: at {end:g} s, where the "
        f"clip has {length:.3g} s"
    )
    return [
        Problem(
            "truth_beyond",
            "segment truth",
            what,
            "give its times in seconds (are they milliseconds?)",
        )
    ]


def _sampled_seconds(
    corpus: Corpus, read: Callable[[str | Path], float] = audio.duration
) -> dict[str, float]:
    """Return clip id → seconds of some clips that have a truth, as their headers say."""
    if corpus.truth is None:
        return {}
    known = set(corpus.truth["clip_id"])
    clips = [clip for clip in corpus.clips if clip.clip_id in known]
    seconds: dict[str, float] = {}
    for at in np.unique(
        np.linspace(0, max(len(clips) - 1, 0), min(SAMPLED, len(clips))).astype(int)
    ):
        try:
            seconds[clips[at].clip_id] = read(clips[at].path)
        except MerKitError:  # its own problem, told elsewhere
            continue
    return seconds
