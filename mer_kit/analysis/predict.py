"""The emotion curve of any audio file, predicted by the networks of a finished run.

`analysis.ready_model` predicts it by the network that comes with mer-kit.

Notebook: 05_emotion_curve
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.analysis.answering import who_answers
from mer_kit.analysis.curve import classes_of
from mer_kit.checks import MerKitError
from mer_kit.format import duration
from mer_kit.records import with_word
from mer_kit.runs.config import class_names
from mer_kit.runs.decisions import fresh
from mer_kit.runs.run_folder import RunFolder
from mer_kit.runs.stored_folds import artists
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
    """Return the class probabilities of every segment of an audio file.

    Columns: start_s, end_s, centre_s, one per class and, if the front-end knows tags, "tags": the
    strongest as text, such as "sad .31, mellow .28". Segments start every second over the whole
    file. The probabilities are the mean over the networks of all finished folds. If the file is a
    clip of the run's corpus, recognised by its name or its bytes, only the network that had it
    among its test songs is used, since the others were trained on it (D).

    Parameters
    ----------
    audio_path : any file that `signal.audio` decodes, at least one segment long
    run_folder : a run with at least one finished fold
    fold : use only this fold's network
    data_root : folder of the run's corpus, to compare its clips' bytes; None for the usual folders

    Returns
    -------
    DataFrame, with `attrs`: "song" (file name), "clip_id" (or None), "run", "corpus", "task",
        "segment_seconds", "folds" (whose networks were used), "held_out" (False if one of them was
        trained on this clip, None if that is unknown), "note" (one sentence on that), "decisions"
        (classifier → class name, over the whole file; the SVMs of several folds vote),
        "svm_by_fold", "tags" (the strongest over the whole file) and "frontend_note" (what is said
        wherever its scores are shown).

    Raises
    ------
    MerKitError
        If the file cannot be used or is too short, or the run or the fold is not finished.

    Source: paper, Fig. 2. Notebook: 05_emotion_curve
    """
    path, run = Path(audio_path), RunFolder(run_folder)
    config, classes = run.config, class_names(run.config)
    folds, note, clip_id, held_out = who_answers(run, path, fold, data_root)
    for number in folds:
        run.check_seal(number, ("model.safetensors", "segments.csv"))
    source = segments_of(path, config)
    by_fold = {
        k: _network(run, k, device, precision).predict_proba(source).astype(np.float64)
        for k in folds
    }
    mean = np.mean(list(by_fold.values()), axis=0)
    curve = curve_of(source, mean, config)
    answers = {
        name: {k: classes[_answer(fitted_classifier(run, k, name), p)] for k, p in by_fold.items()}
        for name in classifiers.LEARNING
    }
    curve.attrs |= {
        "song": path.name, "clip_id": clip_id, "run": run.path.name, "folds": folds,
        "held_out": held_out, "note": note, "decisions": decide(mean, answers, classes),
        "svm_by_fold": answers["svm"],
    }  # fmt: skip
    return curve


def curve_of(source: SegmentView, p: np.ndarray, config: Mapping[str, Any]) -> pd.DataFrame:
    """Return a curve from the probabilities [S, K] of a file's segments; see `predict_curve`.

    Its `attrs` are those that follow from a run's settings and from the file alone.
    """
    start_s, end_s = source.index.start_s, source.index.end_s
    columns = {"start_s": start_s, "end_s": end_s, "centre_s": (start_s + end_s) / 2}
    classes = list(class_names(config))
    curve = pd.DataFrame(columns | dict(zip(classes, p.T, strict=True)))
    scores = {name: one[: len(p)] for name, one in source.store.named_scores.items()}
    if scores:
        curve["tags"] = strongest(scores)
        curve.attrs["tags"] = strongest({name: one.mean()[None] for name, one in scores.items()})[0]
    curve.attrs |= {name: config[name] for name in ("corpus", "task", "segment_seconds")}
    note = frontends.note(config.get("frontend", frontends.DEFAULT))
    curve.attrs |= {"classes": classes, "frontend_note": note}
    return curve


def strongest(scores: Mapping[str, np.ndarray], *, n: int = 5) -> list[str]:
    """Return the n highest of the named scores of each segment as text, highest first.

    Parameters
    ----------
    scores : name → [segments], from 0 to 1

    Examples
    --------
    >>> strongest({"sad": np.array([0.31]), "happy": np.array([0.05]), "mellow": np.array([0.28])},
    ...           n=2)
    ['sad .31, mellow .28']
    """
    names, values = list(scores), np.stack(list(scores.values()), axis=1)
    ranks = np.argsort(-values, axis=1, kind="stable")[:, :n]
    return [
        ", ".join(f"{names[k]} {row[k]:.2f}".replace(" 0.", " .") for k in best)
        for row, best in zip(values, ranks, strict=True)
    ]


def segments_of(path: Path, config: Mapping[str, Any]) -> SegmentView:
    """Return the segments of a whole file, one starting each second, with a run's front-end."""
    name, seconds = config.get("frontend", frontends.DEFAULT), config["segment_seconds"]
    frontend = frontends.make(name, **config.get("frontend_settings", {}))
    limit, padding = None, config.get("padding", "none")
    if seconds == segments.WHOLE:  # as in training; shorter segments are cut from the whole file
        limit = config.get("max_seconds")
    store = FileStore(path, Recipe(frontend, seconds, padding=padding, max_seconds=limit))
    index = segments.index(
        store.durations_s,
        seconds,
        max_seconds=limit,
        frames_per_second=frontend.frames_per_second,
        clip_ids=[path.name],
        padding=padding,
    )
    return SegmentView(store, index)


def decide(
    probabilities: np.ndarray, answers: Mapping[str, Mapping[int, str]], classes: Sequence[str]
) -> dict[str, str]:
    """Return {song-level classifier: class name} for one song's segments [S, K].

    Parameters
    ----------
    answers : for each fitted classifier, fold → class name; its folds vote, and ties go to the
        class with the higher mean probability

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
            decisions[name] = classes[_answer(classifiers.make(name), probabilities)]
    return decisions


def _answer(classifier: SongClassifier, probabilities: np.ndarray) -> int:
    """Return the class index that a song-level classifier gives one song's segments [S, K]."""
    return int(classifier.predict(probabilities, np.zeros(len(probabilities), np.int64), 1)[0])


def describe(curve: pd.DataFrame) -> str:
    """Return a curve in words for the terminal: length, networks, mean probabilities, decisions.

    Examples
    --------
    >>> curve = pd.DataFrame({"end_s": [3.0, 4.0], "V-": [0.2, 0.4], "V+": [0.8, 0.6]})
    >>> curve.attrs = {"song": "a.mp3", "task": "valence", "segment_seconds": 3.0,
    ...                "note": "Fold 0 is used.", "decisions": {"mean": "V+"}}
    >>> print(describe(curve))
    a.mp3: 2 segments of 3 s up to 4 s
    Fold 0 is used.
    mean probability: V- unpleasant 30%, V+ pleasant 70%
    decided: mean V+
    """
    about, end_s = curve.attrs, curve["end_s"].iloc[-1]
    means = [f"{with_word(name)} {curve[name].mean():.0%}" for name in classes_of(curve)]
    decisions = [f"{name.replace('_', ' ')} {k}" for name, k in about["decisions"].items()]
    lines = [
        f"{about['song']}: {len(curve)} segments of {duration(about['segment_seconds'])} "
        f"up to {end_s:g} s",
        about["note"],
        f"mean probability: {', '.join(means)}",
        f"decided: {', '.join(decisions)}",
    ]
    if "tags" in about:
        lines.append(f"strongest tags: {about['tags']}")
    if about.get("frontend_note"):
        lines.append(f"{about['frontend_note']}.")
    return "\n".join(lines)


def _network(run: RunFolder, fold: int, device: str, precision: str) -> SegmentClassifier:
    file, expected = run.fold(fold) / "model.safetensors", len(class_names(run.config))
    network = SegmentClassifier(file, device=device, precision=precision)
    if network.n_classes != expected:
        raise MerKitError(
            f"model.safetensors in fold {fold} of {run.path.name} has {network.n_classes} classes, "
            f"expected {expected} for {run.config['task']}: train the fold again"
        )
    return network


def fitted_classifier(run: RunFolder, fold: int, name: str) -> SongClassifier:
    """Return a fold's song-level classifier as saved, or fit the same one from segments.csv."""
    file = run.fold(fold) / f"{name}.safetensors"
    if classifiers.is_saved(name) and os.path.lexists(file):
        return classifiers.load(name, file, inside=run.path)
    config: dict[str, Any] = run.config
    classes = list(class_names(config))
    table = run.segments(fold).query("part == 'train'")
    song, _ = pd.factorize(table["clip_id"])
    labels = [classes.index(label) for label in table.drop_duplicates("clip_id")["label"]]
    groups, together = None, artists(run)
    if together and config.get("svm_folds") == "artists":
        groups = np.array([together.get(clip, clip) for clip in table["clip_id"].unique()])
    theta = config.get("theta", 0.5)
    classifier = fresh(name, theta=theta, seed=config["seed"], groups=groups)
    return classifier.fit(table[classes].to_numpy(), song.astype(np.int64), np.array(labels))
