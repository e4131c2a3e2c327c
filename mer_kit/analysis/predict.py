"""The emotion curve of any audio file, by the networks of a finished run.

Notebook: 05_emotion_curve
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import corpora
from mer_kit.checks import MerKitError, check_choice
from mer_kit.files import checksum
from mer_kit.records import EMOTIONS, TASKS
from mer_kit.runs.decisions import fresh
from mer_kit.runs.run_folder import RunFolder, all_runs
from mer_kit.signal import frontends, segments
from mer_kit.signal.builder import Recipe
from mer_kit.signal.store import FileStore, SegmentView
from mer_kit.songs import classifiers
from mer_kit.songs.classifier import SongClassifier
from mer_kit.training import SegmentClassifier


def predict_curve(
    audio_path: str | Path,
    run_folder: str | Path,
    *,
    fold: int | None = None,
    data_root: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> pd.DataFrame:
    """Return the class probabilities of every segment of an audio file: start_s, end_s, centre_s, one column a class.

    Segments start every second over the whole file. The probabilities are the mean over the networks of all finished
    folds; if the file is a clip of the run's corpus, known by its name or its bytes, only the network that had it
    among its test songs answers, since the others have learned it (D).

    Parameters
    ----------
    audio_path : any file that `signal.audio` decodes, at least one segment long
    run_folder : a run with at least one finished fold
    fold : use this fold's network alone
    data_root : where the run's corpus lies, to know its clips by their bytes; None looks where `corpora` looks

    Returns
    -------
    DataFrame, with `attrs`: "song" (file name), "clip_id" (or None), "run", "corpus", "task", "segment_seconds",
        "folds" (whose networks answered), "held_out" (False if one of them learned this very clip, None if that is not
        known), "note" (one sentence on that), "decisions" (classifier → class name, over the whole file; where several
        folds answer, their SVMs vote) and "svm_by_fold".

    Raises
    ------
    MerKitError
        If the file cannot be used or is too short, or the run or the fold is not finished.

    Source: paper, Fig. 2. Notebook: 05_emotion_curve
    """
    path, run = Path(audio_path), RunFolder(run_folder)
    config = run.config
    folds, note, clip_id, held_out = _who_answers(run, path, fold, data_root)
    for number in folds:
        run.check_seal(number, ("model.safetensors", "segments.csv"))
    frontend = frontends.make(
        config.get("frontend", frontends.DEFAULT), **config.get("frontend_settings", {})
    )
    store = FileStore(path, Recipe(frontend, config["segment_seconds"]))
    index = segments.index(
        store.durations_s,
        config["segment_seconds"],
        max_seconds=None,
        frames_per_second=frontend.frames_per_second,
        clip_ids=[path.name],
    )
    source = SegmentView(store, index)
    by_fold = {
        k: _network(run, k, device, precision).predict_proba(source).astype(np.float64)
        for k in folds
    }
    mean = np.mean(list(by_fold.values()), axis=0)
    classes = TASKS[config["task"]]
    times = {
        "start_s": index.start_s,
        "end_s": index.end_s,
        "centre_s": (index.start_s + index.end_s) / 2,
    }
    curve = pd.DataFrame(times | {name: mean[:, k] for k, name in enumerate(classes)})
    answers = {
        name: {
            k: classes[_fitted(run, k, name).predict(p, _one_song(p), 1)[0]]
            for k, p in by_fold.items()
        }
        for name in classifiers.LEARNING
    }
    curve.attrs = {
        "song": path.name, "clip_id": clip_id, "run": run.path.name, "corpus": config["corpus"], "task": config["task"],
        "segment_seconds": config["segment_seconds"], "folds": folds, "held_out": held_out, "note": note,
        "decisions": decide(mean, answers, classes), "svm_by_fold": answers["svm"],
    }  # fmt: skip
    return curve


def decide(
    probabilities: np.ndarray, answers: Mapping[str, Mapping[int, str]], classes: Sequence[str]
) -> dict[str, str]:
    """Return song-level classifier → class name for one song's segments [S, K].

    Parameters
    ----------
    answers : of each classifier that learns, fold → class name; its folds vote, a tie goes to the higher mean

    Examples
    --------
    >>> p = np.array([[0.8, 0.2], [0.4, 0.6], [0.4, 0.6]])
    >>> decide(p, {"svm": {0: "V+", 1: "V+", 2: "V-"}}, ["V-", "V+"])["svm"]
    'V+'
    >>> decide(p, {}, ["V-", "V+"])
    {'mean': 'V-', 'vote': 'V+', 'run_length': 'V+'}
    """
    means = dict(zip(classes, probabilities.mean(axis=0), strict=True))
    decisions: dict[str, str] = {}
    for name in classifiers.NAMES:
        if name in answers:
            votes = Counter(answers[name].values())
            decisions[name] = max(classes, key=lambda one: (votes[one], means[one]))
        elif name not in classifiers.LEARNING:
            made = classifiers.make(name)
            decisions[name] = classes[
                int(made.predict(probabilities, _one_song(probabilities), 1)[0])
            ]
    return decisions


def _one_song(probabilities: np.ndarray) -> np.ndarray:
    """Return int64 [S], the song of every segment where all are of song 0."""
    return np.zeros(len(probabilities), dtype=np.int64)


def describe(curve: pd.DataFrame) -> str:
    """Return a curve in words for the terminal: how long, who answered, what was decided, how sure on average."""
    classes = list(TASKS[curve.attrs["task"]])
    means = ", ".join(f"{name} {EMOTIONS[name]} {curve[name].mean():.0%}" for name in classes)
    decided = ", ".join(
        f"{name.replace('_', ' ')} {answer}" for name, answer in curve.attrs["decisions"].items()
    )
    return (
        f"{curve.attrs['song']}: {len(curve)} segments of {curve.attrs['segment_seconds']:g} s up to "
        f"{curve['end_s'].iloc[-1]:g} s\n{curve.attrs['note']}\nmean probability: {means}\ndecided: {decided}"
    )


def newest_run(runs_dir: str | Path) -> Path:
    """Return the run folder whose newest fold was finished last.

    Raises
    ------
    MerKitError
        If no run has a finished fold.
    """
    runs = [run for run in all_runs(runs_dir) if not _is_of_system(run)]
    finished = [(run.fold(k) / "status.json", run) for run in runs for k in run.folds_done()]
    if not finished:
        raise MerKitError(
            f"{Path(runs_dir).name}/ holds no run with a finished fold: make one with `mer-kit demo` or `mer-kit run`, "
            "or name another folder"
        )
    return max(finished, key=lambda pair: pair[0].stat().st_mtime)[1].path


def _is_of_system(run: RunFolder) -> bool:
    try:
        return bool(run.config.get("system"))
    except MerKitError:  # it is said where the run is read for its numbers
        return False


def _who_answers(
    run: RunFolder, path: Path, fold: int | None, data_root: str | Path | None
) -> tuple[list[int], str, str | None, bool | None]:
    """Return (folds, a sentence on why, the clip's id or None, whether none of them learned it or None if unknown)."""
    config = run.config
    if config.get("system"):
        raise MerKitError(
            f"{run.path.name} is a run of the system {config['method']}, which keeps no network, expected a run of a method: "
            "name another run folder"
        )
    done = [k for k in run.folds_done() if k < config["folds"]]
    if not done:
        raise MerKitError(
            f"{run.path.name} has no finished fold, expected at least one: train it first"
        )
    if fold is not None:
        check_choice(f"fold (finished ones of {run.path.name})", fold, done)
    parts = {k: _parts(run, k) for k in done}
    clip_id, compared = _known_clip(run, path, set().union(*parts.values()), data_root)
    corpus = run.config["corpus"]
    if clip_id is None:
        chosen = done if fold is None else [fold]
        who = (
            f"the network of fold {chosen[0]}"
            if len(chosen) == 1
            else f"the mean of {len(chosen)} folds' networks"
        )
        known = (
            f"is no clip of {corpus}"
            if compared
            else f"has no name of {corpus}'s, whose audio is not at hand to compare"
        )
        return chosen, f"{path.name} {known}: {who} answers.", None, True if compared else None
    tested = [k for k in done if parts[k].get(clip_id) == "test"]
    chosen = [fold] if fold is not None else tested or done
    if set(chosen) <= set(tested):
        note = (
            f"{clip_id} is a clip of {corpus}: fold {chosen[0]} answers, where it was a test song."
        )
        return chosen, note, clip_id, True
    named = f"fold{'s' if len(chosen) > 1 else ''} {', '.join(map(str, chosen))}"
    note = f"Beware: {clip_id} was a training song in {named}, so this shows what was learned by heart."
    return chosen, note, clip_id, False


def _parts(run: RunFolder, fold: int) -> dict[str, str]:
    """Return clip id → "train" or "test" in a finished fold."""
    table = run.segments(fold).drop_duplicates("clip_id")
    return dict(zip(table["clip_id"], table["part"], strict=True))


def _known_clip(
    run: RunFolder, path: Path, ids: set[str], data_root: str | Path | None
) -> tuple[str | None, bool]:
    """Return the id of the run's clip that this file is, by name or by its bytes, and whether all could be compared."""
    if path.stem in ids:
        return path.stem, True
    config = run.config
    options = dict(config.get("corpus_options") or {})
    try:
        found = corpora.locate(config["corpus"], data_root, **options)
        clips = (
            corpora.load(config["corpus"], data_root, **options).clips if found is not None else ()
        )
        size = path.stat().st_size
        alike = [clip for clip in clips if clip.clip_id in ids and clip.path.stat().st_size == size]
        digest = checksum(path) if alike else ""
        return next((clip.clip_id for clip in alike if checksum(clip.path) == digest), None), bool(
            clips
        )
    except (MerKitError, OSError, TypeError):  # no such corpus or option, or none to compare with
        return None, False


def _network(run: RunFolder, fold: int, device: str, precision: str) -> SegmentClassifier:
    network = SegmentClassifier(
        run.fold(fold) / "model.safetensors", device=device, precision=precision
    )
    wanted = len(TASKS[run.config["task"]])
    if network.n_classes != wanted:
        raise MerKitError(
            f"model.safetensors in fold {fold} of {run.path.name} has {network.n_classes} classes, expected {wanted} for "
            f"{run.config['task']}: train the fold again"
        )
    return network


def _fitted(run: RunFolder, fold: int, name: str) -> SongClassifier:
    """Return a fold's song-level classifier; where it was not saved, the same one is fitted from segments.csv."""
    file = run.fold(fold) / f"{name}.safetensors"
    if classifiers.is_saved(name) and os.path.lexists(file):
        return classifiers.load(name, file, inside=run.path)
    config: dict[str, Any] = run.config
    classes = list(TASKS[config["task"]])
    table = run.segments(fold).query("part == 'train'")
    song, ids = pd.factorize(table["clip_id"])
    label_of = dict(zip(table["clip_id"], table["label"], strict=True))
    labels = np.array([classes.index(label_of[clip_id]) for clip_id in ids], dtype=np.int64)
    made = fresh(name, theta=config.get("theta", 0.5), seed=config["seed"])
    return made.fit(table[classes].to_numpy(), np.asarray(song, dtype=np.int64), labels)
