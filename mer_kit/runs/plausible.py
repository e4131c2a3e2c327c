"""Whether a corpus can be learned from: classes, folds and segment-level ground truth.

Notebook: 00_start_here
"""

import contextlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.format import plural
from mer_kit.records import ALL_TASKS, EMOTIONS, LABEL, Corpus, Problem
from mer_kit.runs.config import RunConfig
from mer_kit.signal import audio

#: Ground truth that ends later than this many clip lengths plus seconds is in another unit.
TIMES_TOO_LONG, SECONDS_TOO_LONG = 2.0, 10.0
#: How many clips' headers are read to compare their length with the ground truth.
SAMPLED = 20


def hindrances(corpus: Corpus) -> tuple[list[Problem], list[Problem]]:
    """Return problems and notes: one class left, too few songs for the folds, implausible times.

    It is a problem if no task can be learned, and a note if another task can.
    """
    if not corpus.clips:
        return [], []
    tasks = [task for task in ALL_TASKS if any(task in clip.labels for clip in corpus.clips)]
    single = [problem for task in tasks if (problem := one_class(corpus, task))]
    few = [problem for task in tasks if (problem := few_songs(corpus, task))]
    beyond = truth_beyond(corpus, _sampled_seconds(corpus))
    if len(single) == len(tasks):
        return [*single[-1:], *beyond], []
    return beyond, [*single, *few]


def one_class(corpus: Corpus, task: str) -> Problem | None:
    """Return the problem that a task has one class, or an own class without clips, or None.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mer_kit.records import Clip
    >>> clips = tuple(Clip(name, Path(name), {"valence": 1}) for name in "ab")
    >>> print(one_class(Corpus("mine", Path("."), clips), "valence"))
    valence: all 2 clips are V+ (pleasant), expected two classes or more:
    check the labels, or the scale of the ratings
    """
    labels = [clip.labels[task] for clip in corpus.clips if task in clip.labels]
    if len(set(labels)) != 1:
        return _absent_class(corpus, task, set(labels))
    name = corpus.classes(task)[labels[0]]
    if name in EMOTIONS:
        name += f" ({EMOTIONS[name]})"
    subject = f"all {len(labels)} clips are" if len(labels) > 1 else "the only clip is"
    what = f"{subject} {name}, expected two classes or more"
    return Problem("one_class", task, what, "check the labels, or the scale of the ratings")


def _absent_class(corpus: Corpus, task: str, labels: set[int]) -> Problem | None:
    """Return the problem that one of a corpus' own classes has no clip, or None."""
    absent = [name for k, name in enumerate(corpus.label_names) if k not in labels]
    if task != LABEL or not absent:
        return None
    what = f"no clip of {absent[0]} is left, expected some of each class"
    return Problem("no_clip", task, what, "correct its rows, or delete them")


def check_songs(corpus: Corpus, config: RunConfig) -> None:
    """Raise one sentence if a class has too few songs or artists for the folds of a run.

    Raises
    ------
    MerKitError
        If a class cannot be divided into that many folds.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mer_kit.records import Clip
    >>> clips = tuple(Clip(f"{i}", Path("x"), {"valence": i % 2}) for i in range(9))
    >>> check_songs(Corpus("mine", Path("."), clips), RunConfig(task="valence", folds=4))
    """
    problem = None
    if config.divide_by == "folds":
        by_song = config.group_by == "song"
        problem = few_songs(corpus, config.task, config.folds, by_song=by_song)
    if problem is not None:
        raise MerKitError(f"{corpus.name} cannot be divided, {problem}")


def check_classes(corpus: Corpus, task: str) -> None:
    """Raise one sentence if all clips have the same label for `task`.

    Raises
    ------
    MerKitError
        If only one class is left, or one of the corpus' own classes has no clip.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mer_kit.records import Clip
    >>> corpus = Corpus("mine", Path("."), (Clip("a", Path("a"), {"valence": 1}),))
    >>> check_classes(corpus, "valence")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: mine cannot be learned from, valence: the only clip is V+
    (pleasant), expected two classes or more: check the labels, or the scale of the ratings
    """
    problem = one_class(corpus, task)
    if problem is not None:
        raise MerKitError(f"{corpus.name} cannot be learned from, {problem}")


def few_songs(
    corpus: Corpus, task: str, folds: int = RunConfig.folds, *, by_song: bool = False
) -> Problem | None:
    """Return a note on the class with the fewest songs or artists if `folds` is larger, else None.

    With `by_song`, songs of one artist may be divided.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mer_kit.records import Clip
    >>> clips = tuple(Clip(f"{i}", Path("x"), {"valence": i % 2}) for i in range(9))
    >>> print(few_songs(Corpus("mine", Path("."), clips), "valence"))
    valence: V+ has 4 songs, fewer than the usual 10 folds: choose --folds 4
    """
    groups = None
    if not by_song:
        groups = corpus.groups()
    names = [clip.clip_id for clip in corpus.clips] if groups is None else groups
    classes = dict(enumerate(corpus.classes(task)))
    labels = [classes.get(clip.labels.get(task, -1)) for clip in corpus.clips]
    units = pd.Series(names).groupby(labels, sort=False).nunique()
    n = int(units.min())
    if len(units) < 2 or n >= folds:
        return None
    many = plural(n, "song") if groups is None else plural(n, "group (artist)", "groups (artists)")
    usual = ""
    if folds == RunConfig.folds:
        usual = "usual "
    what = f"{units.idxmin()} has {many}, fewer than the {usual}{folds} folds"
    step = f"choose --folds {n}" if n > 1 else "add songs of this class, since it cannot be divided"
    return Problem("few_songs", task, what, step)


def truth_beyond(corpus: Corpus, seconds: Mapping[str, float]) -> list[Problem]:
    """Return one problem if ground truth ends long after its clip: milliseconds, or another clip's.

    `seconds` maps clip ids to lengths; other clips are not checked.

    Examples
    --------
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"clip_id": ["a"], "start_s": [0.0], "end_s": [30_000.0]})
    >>> corpus = Corpus("mine", Path("."), (), truth=truth)
    >>> [problem.kind for problem in truth_beyond(corpus, {"a": 30.0})]
    ['truth_beyond']
    """
    if corpus.truth is None:
        return []
    ends = corpus.truth.groupby("clip_id")["end_s"].max().to_dict()
    late = [
        clip_id
        for clip_id, length in seconds.items()
        if ends.get(clip_id, 0.0) > TIMES_TOO_LONG * length + SECONDS_TOO_LONG
    ]
    if not late:
        return []
    what = (
        f"that of {len(late)} of {len(seconds)} clips ends long after the clip, first {late[0]}: "
        f"at {ends[late[0]]:g} s, but the clip has {seconds[late[0]]:.3g} s"
    )
    step = "give its times in seconds (are they milliseconds?)"
    return [Problem("truth_beyond", "segment-level ground truth", what, step)]


def _sampled_seconds(corpus: Corpus) -> dict[str, float]:
    """Return clip id → seconds, from the headers of some clips that have ground truth."""
    if corpus.truth is None:
        return {}
    known = set(corpus.truth["clip_id"])
    clips = [clip for clip in corpus.clips if clip.clip_id in known]
    sample = np.linspace(0, max(len(clips) - 1, 0), min(SAMPLED, len(clips)))
    seconds: dict[str, float] = {}
    for i in np.unique(sample.astype(int)):
        with contextlib.suppress(MerKitError):  # an unreadable header is reported elsewhere
            seconds[clips[i].clip_id] = audio.duration(clips[i].path)
    return seconds
