"""Train one fold and write its files: a segment network, or a system, which needs no segments.

A network's fold is training, evaluation passes and segment probabilities; a system's is features of
whole songs, one fit, and the probabilities of every song.

Notebook: 03_sssl_training, 04_song_decisions
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mer_kit import files, later_settings, seeding, systems
from mer_kit.checks import MerKitError, check_probabilities
from mer_kit.records import Fold, SegmentIndex
from mer_kit.runs import cost, label_noise, run_folder
from mer_kit.runs.config import hashed_config
from mer_kit.signal.store import SegmentView
from mer_kit.songs import folds
from mer_kit.training import METHOD_VERSION, Trainer, methods, networks

if TYPE_CHECKING:
    from mer_kit.runs.experiment import Experiment

#: Networks up to this width keep their warm-up for other methods; wider ones need gigabytes a fold.
SHARED_WARMUP_WIDTH = 16
#: Inner folds of `song_features="oof"`.
INNER_FOLDS = 3
Watch = Callable[[Trainer], None] | None


def train_network(experiment: Experiment, number: int, watch: Watch = None) -> dict[str, float]:
    """Train one fold and write its files; return what it cost.

    That is the seconds of all epochs, warm-up included, and of `runs.cost` all but the memory.
    """
    fold, folder = experiment.folds[number], experiment.folder.fold(number)
    trainer, index, labels = fit(experiment, fold.train, f"fold {number}", folder, number, watch)
    files.write_table(
        folder / "history.csv", pd.DataFrame([record.row() for record in trainer.history_])
    )
    arrays: dict[str, Any] = {
        "probabilities": trainer.eval_probabilities_,
        "labels": labels.astype(np.int8),
        "clip": index.clip.astype(np.int32),
        "start_s": index.start_s.astype(np.float32),
    }
    if experiment.config.noise_kind != label_noise.NONE:
        arrays["corrupted"] = (labels != experiment.labels[index.clip]).astype(np.int8)
    with files.writing(folder / "epochs.npz") as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    trainer.save_model(folder / "model.safetensors")
    seconds = _seconds(trainer)
    if experiment.config.song_features == "oof":
        training_songs, more = out_of_fold(experiment, fold, number)
        seconds += more
    else:
        training_songs = predict(experiment, trainer, fold.train, "train", number)
    songs = pd.concat([training_songs, predict(experiment, trainer, fold.test, "test", number)])
    files.write_table(folder / "segments.csv", songs, float_format="%.6g")
    return {
        "seconds": seconds,
        "parameters": trainer.n_parameters_,
        "split": cost.split(trainer.history_),
    }


def fit(
    experiment: Experiment,
    clips: np.ndarray,
    name: str,
    folder: Path,
    number: int,
    watch: Watch = None,
) -> tuple[Trainer, SegmentIndex, np.ndarray]:
    """Train on the segments of these clips; return the trainer, its segments and their labels."""
    rows = experiment.train_index.rows_of(clips)
    index = experiment.train_index.take(rows)
    labels = label_noise.segment_labels(experiment, number)[rows]
    report = experiment.on_epoch
    trainer = Trainer(
        n_classes=len(experiment.classes),
        seed=trainer_seed(experiment.config.seed, name),
        device=experiment.device,
        precision=experiment.precision,
        checkpoint_file=folder / "checkpoint.safetensors",
        warmup_file=warmup_file(experiment, name),
        on_epoch=report and (lambda record: report(number, record)),
        watch=watch,
        **later_settings.flat(experiment.config.training),
    )
    view = SegmentView(experiment.store, index)
    return trainer.fit(view, labels, index.clip), index, labels


def warmup_file(experiment: Experiment, name: str) -> Path | None:
    """Return where methods with the same warm-up share it.

    None if the method shares none, or the network is too wide.
    """
    config = experiment.config
    if not methods.of(config.method).may_share_warmup():
        return None
    if config.network == networks.DEFAULT and config.model.width > SHARED_WARMUP_WIDTH:
        return None
    # What only matters after the training; the constants keep the names of existing files.
    irrelevant = {"method": "", "song_features": "", "theta": 0.0, "model": {}}
    irrelevant["svm_folds"] = "artists"
    shared = {**hashed_config(config), **irrelevant, "training": config.training.warmup_key()}
    fingerprint = run_folder.digest(
        shared, corpus_checksum=experiment.checksum, code_version=METHOD_VERSION
    )
    stem = f"{fingerprint}-{name.replace(' ', '-')}"
    return experiment.runs_dir / ".warmup" / f"{stem}.safetensors"


def predict(
    experiment: Experiment, trainer: Trainer, clips: np.ndarray, part: str, number: int
) -> pd.DataFrame:
    """Return the segment table of these clips: one row per segment, one segment per second."""
    index = experiment.index.take(experiment.index.rows_of(clips))
    probabilities = trainer.predict_proba(SegmentView(experiment.store, index))
    return table(experiment, number, index.clip, index.start_s, index.end_s, part, probabilities)


def table(
    experiment: Experiment,
    number: int,
    clips: np.ndarray,
    start_s: np.ndarray | float,
    end_s: np.ndarray,
    part: np.ndarray | str,
    p: np.ndarray,
) -> pd.DataFrame:
    """Return rows of segments.csv: clips and times [S], parts and probabilities [S, K]."""
    about = {
        "clip_id": np.array(experiment.clip_ids)[clips],
        "start_s": start_s,
        "end_s": end_s,
        "part": part,
        "label": np.array(experiment.classes)[label_noise.song_labels(experiment, number)[clips]],
    }
    return pd.DataFrame({**about, **dict(zip(experiment.classes, p.T, strict=True))})


def out_of_fold(experiment: Experiment, fold: Fold, number: int) -> tuple[pd.DataFrame, float]:
    """Return the training songs' segment table and the seconds that it took.

    Each song is predicted by an inner network that was not trained on it.
    """
    groups = experiment.grouping.groups
    inner = folds.make(
        label_noise.song_labels(experiment, number)[fold.train],
        groups=None if groups is None else groups[fold.train],
        n_folds=INNER_FOLDS,
        seed=seeding.derive(experiment.config.seed, f"inner {number}") % 2**31,
        class_names=experiment.classes,
    )
    tables, seconds = [], 0.0
    for part in inner:
        name = f"fold {number} inner {part.number}"
        folder = experiment.folder.fold(number) / "inner" / str(part.number)
        trainer, *_ = fit(experiment, fold.train[part.train], name, folder, number)
        tables.append(predict(experiment, trainer, fold.train[part.test], "train", number))
        seconds += _seconds(trainer)
    return pd.concat(tables).sort_values(["clip_id", "start_s"], kind="stable"), seconds


def _seconds(trainer: Trainer) -> float:
    return float(sum(record.seconds for record in trainer.history_))


def train_system(experiment: Experiment, number: int) -> dict[str, float]:
    """Fit the run's system on a fold's training songs; return the seconds and its parameters.

    Writes segments.csv with one row per song.
    """
    began = time.perf_counter()
    config, fold = experiment.config, experiment.folds[number]
    system, features = fit_system(experiment, number)
    clips = np.concatenate([fold.train, fold.test])
    p = check_probabilities(f"output of system {config.system}", system.predict_proba(features))
    if p.shape != (len(clips), len(experiment.classes)):
        raise MerKitError(
            f"system {config.system} returned {p.shape[0]} rows of {p.shape[1]} probabilities, "
            f"expected {len(clips)} of {len(experiment.classes)}: correct its predict_proba"
        )
    part = np.repeat(["train", "test"], [len(fold.train), len(fold.test)])
    songs = table(experiment, number, clips, 0.0, experiment.store.durations_s[clips], part, p)
    files.write_table(experiment.folder.fold(number) / "segments.csv", songs, float_format="%.6g")
    seconds = time.perf_counter() - began + system.seconds_before
    return {"seconds": seconds, "parameters": getattr(system, "n_parameters_", float("nan"))}


def fit_system(experiment: Experiment, number: int) -> tuple[systems.BaseSystem, Any]:
    """Return the system fitted on a fold's training songs, and what it has read of all songs."""
    config, fold = experiment.config, experiment.folds[number]
    found = systems.checksums(config.system, config.system_settings, experiment.corpus.root)
    if found != experiment.system_files:
        raise MerKitError(
            f"a file of system {config.system} has changed since the run was opened, expected the "
            "same content: open the run again, which is then another run"
        )
    system = systems.make(
        config.system,
        config.system_settings,
        n_classes=len(experiment.classes),
        seed=trainer_seed(config.seed, f"fold {number}"),
    )
    groups = experiment.grouping.groups
    system.groups = None if groups is None else groups[fold.train]
    system.device, system.precision = experiment.device, experiment.precision
    system.checkpoint_file = experiment.folder.fold(number) / "checkpoint.safetensors"
    features = system.read(songs_of(experiment, np.concatenate([fold.train, fold.test])))
    labels = label_noise.song_labels(experiment, number)[fold.train]
    return system.fit(features[: len(fold.train)], labels), features


def songs_of(experiment: Experiment, clips: np.ndarray) -> systems.Songs:
    """Return what a system may read of these clips."""
    store, config = experiment.store, experiment.config
    per_second = store.frontend.frames_per_second
    if store.frontend.pool is not None:
        per_second = 1 / store.recipe.every_seconds
    return systems.Songs(
        clip_ids=[experiment.clip_ids[clip] for clip in clips],
        values=lambda song: store.values(int(clips[song])),
        columns=store.frontend.columns,
        pooled=store.frontend.pool is not None,
        per_second=per_second,
        segment_seconds=config.segment_seconds,
        max_seconds=config.max_seconds,
        folder=experiment.corpus.root,
    )


def trainer_seed(seed: int, name: str) -> int:
    """Return the seed of one training of a run with this seed, by its name, such as "fold 0".

    Examples
    --------
    >>> [trainer_seed(0, "fold 0") == trainer_seed(0, name) for name in ("fold 0", "fold 1")]
    [True, False]
    """
    return seeding.derive(seed, name) % 2**31
