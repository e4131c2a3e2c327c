"""Where the rooms meet: corpus, signal, folds, training and song decisions become a run."""

import contextlib
import dataclasses
import functools
import platform
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mer_kit import __version__, files, paths, systems
from mer_kit.checks import MerKitError, check_choice
from mer_kit.records import EpochRecord, Fold, FoldResult, SegmentIndex
from mer_kit.runs import (
    cost,
    decisions,
    fold_training,
    grouping,
    label_noise,
    locks,
    run_folder,
    scores_file,
    stored_tables,
)
from mer_kit.runs.config import RunConfig, RunResult, as_dictionary, class_names, with_classes
from mer_kit.runs.data import OpenedCorpus, checksum, open_corpus, open_logmel
from mer_kit.signal import segments as segmentation
from mer_kit.signal.store import FeatureStore
from mer_kit.training import METHOD_VERSION, Trainer, evaluation

__all__ = ["Experiment", "OpenedCorpus", "open_corpus"]


class Experiment:
    """One configuration with its data: trains folds, decides songs, and reuses finished work.

    `train`, `run`, `summarise`, `write_config` and `decide(…, write=True)` write to the folder.

    Parameters
    ----------
    config : from `runs.presets.resolve`
    data_root : folder of the corpus; None for MER_DATA or ./data
    runs_dir : folder for run folders; None for MER_RUNS or ./runs
    on_epoch : called with (fold number, EpochRecord)
    device, precision : see `training.evaluation.place`
    opened : result of `open_corpus` for the same data settings, to share it between experiments

    Attributes
    ----------
    corpus, store : the clips in use (without bad ones if the config says so) and their features
    labels : int64 [clips]
    index : SegmentIndex, every segment, one starting each second
    train_index : SegmentIndex of the training segments, starting every `train_every_seconds`
    folds : list of Fold, as stored in the run's folder, else made from `grouping`
    grouping : what the folds keep together
    folder : RunFolder

    Raises
    ------
    MerKitError
        If the corpus is missing, or has bad clips and the config says "stop".

    Notebook: 04_song_decisions
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        data_root: str | Path | None = None,
        runs_dir: str | Path | None = None,
        on_epoch: Callable[[int, EpochRecord], None] | None = None,
        device: str = "auto",
        precision: str = "auto",
        opened: OpenedCorpus | None = None,
    ) -> None:
        self.corpus, self.store, self.skipped = opened or open_corpus(config, data_root)
        self.config = config = with_classes(config, self.corpus)
        self.on_epoch, self.classes = on_epoch, class_names(config)
        self.device, self.precision = device, precision
        self.labels = self.corpus.labels(config.task)
        self.index = self._segments(1.0)
        self.train_index = self._segments(config.train_every_seconds)
        self.system_files = named = systems.checksums(
            config.system, config.system_settings, self.corpus.root
        )
        official = config.divide_by == "official"
        self.checksum = checksum(self.corpus, self.store, with_split=official, more=named)
        self.runs_dir = Path(runs_dir or paths.default_runs_dir()).expanduser().absolute()
        self.fingerprint = run_folder.fingerprint(
            config, corpus_checksum=self.checksum, code_version=METHOD_VERSION
        )
        self.folder = run_folder.RunFolder.of(self.runs_dir, config, self.fingerprint)
        grouping.point_to_exact(self.folder, config, corpus_checksum=self.checksum)
        self.clip_ids = [clip.clip_id for clip in self.corpus.clips]
        self.grouping = grouping.group(self.corpus, self.logmel, config)
        self.folds: list[Fold] = grouping.folds_of(self.folder, self.corpus, self.grouping, config)
        grouping.warn(self.corpus, self.folds, self.grouping, config)

    def _segments(self, every_seconds: float) -> SegmentIndex:
        return segmentation.index(
            self.store.durations_s,
            self.config.segment_seconds,
            every_seconds=every_seconds,
            max_seconds=self.config.max_seconds,
            frames_per_second=self.store.frontend.frames_per_second,
            clip_ids=[clip.clip_id for clip in self.corpus.clips],
            padding=self.config.padding,
        )

    @functools.cached_property
    def logmel(self) -> FeatureStore:
        """The clips' log-mels, for pictures: the store itself where that is the run's front-end."""
        return open_logmel(self.corpus, self.config, self.store)

    @property
    def song_classifiers(self) -> tuple[str, ...]:
        """The names of what answers for songs: every song-level classifier, or the system alone."""
        return decisions.names_for(self.config)

    # ---- training ------------------------------------------------------------------------------

    def train(
        self, number: int, *, watch: Callable[[Trainer], None] | None = None
    ) -> run_folder.RunFolder:
        """Train and decide one fold, or do nothing if it is finished; return the run's folder.

        An interrupted fold resumes after its last epoch. Writes history.csv, epochs.npz,
        model.safetensors, segments.csv, scores.json and the fitted classifiers to
        `folds/<number>/`. `watch` is called with the Trainer after each epoch.
        """
        check_choice("fold", number, range(len(self.folds)))
        grouping.keep_folds(self.folder, self.folds, self.clip_ids, self.grouping)
        if self.folder.fold_done(number):
            return self.folder
        self.write_config()
        with locks.exclusive(self.folder.fold(number) / ".lock"):
            if not self.folder.fold_done(number):  # by another process, while this one waited
                self._train_fold(number, watch)
                self.decide(number, write=True)
        return self.folder

    def _train_fold(self, number: int, watch: Callable[[Trainer], None] | None) -> None:
        files.sweep(self.folder.fold(number))
        self.folder.set_status("running", fold=number)
        placement = evaluation.place(self.device, self.precision)
        cost.forget_peak(placement.device)
        try:
            if self.config.system:
                names, costs = run_folder.SYSTEM_FILES, fold_training.train_system(self, number)
            else:
                names = run_folder.FOLD_FILES
                costs = fold_training.train_network(self, number, watch)
        except KeyboardInterrupt:
            self.folder.set_status("paused", fold=number, message="stopped by hand")
            raise
        except BaseException as error:
            with contextlib.suppress(OSError):  # a full disk has no room for a status either
                self.folder.set_status(
                    "failed", fold=number, message=f"{type(error).__name__}: {error}"
                )
            raise
        self.folder.set_status(
            "done",
            fold=number,
            **costs,
            peak_mb=cost.peak_mb(placement.device),
            device=placement.device.type,
            precision=placement.precision,
            threads=torch.get_num_threads(),
            files=self.folder.seal(number, names),
        )
        (self.folder.fold(number) / "checkpoint.safetensors").unlink(missing_ok=True)
        shutil.rmtree(self.folder.fold(number) / "inner", ignore_errors=True)

    # ---- songs ---------------------------------------------------------------------------------

    def decide(self, number: int, *, write: bool = False) -> tuple[FoldResult, pd.DataFrame]:
        """Return a finished fold's scores and its song table.

        The table has the columns clip_id, fold, label and one of class indices per song-level
        classifier. Answers in the fold's scores.json are read; only missing ones are fitted. With
        `write`, scores.json and the fitted classifiers are written, unless the folder is read-only.
        """
        folder, fold, config = self.folder, self.folds[number], self.config
        labels = label_noise.song_labels(self, number)
        folder.check_seal(number, ("segments.csv",))
        status = folder.fold_status(number)
        spent: dict[str, Any] = {
            "seconds": float(status.get("seconds", float("nan"))),
            "cost": cost.stored(status),
        }
        known: dict[str, np.ndarray] = {}
        stored = scores_file.read(folder, fold, labels, clip_ids=self.clip_ids, config=config)
        if stored is not None:
            result, songs = stored
            names = list(self.song_classifiers)
            if set(names) <= set(result.songs):
                own = {name: result.songs[name] for name in names}
                result = dataclasses.replace(result, songs=own, **spent)
                return result, songs[["clip_id", "fold", "label", *names]]
            known = {name: songs[name].to_numpy() for name in result.songs}
        result, songs = decisions.decide_fold(
            folder.segments(number),
            fold,
            labels,
            clip_ids=self.clip_ids,
            config=config,
            seconds=spent["seconds"],
            folder=folder.fold(number) if write else None,
            known=known,
            groups=self.grouping.groups,
        )
        result = dataclasses.replace(result, **spent)
        if write:
            scores_file.write(folder, result, songs, config)
        return result, songs

    def run(self, numbers: Sequence[int] | None = None) -> RunResult:
        """Train and decide the given folds (default: all), write as `summarise` does."""
        for number in range(len(self.folds)) if numbers is None else numbers:
            self.train(number)
        return self.summarise()

    def summarise(self) -> RunResult:
        """Decide every finished fold; write scores.json, metrics.json, songs.csv and status.json.

        Raises
        ------
        MerKitError
            If no fold is finished yet.
        """
        done = self.folder.folds_done()
        if not done:
            raise MerKitError(f"{self.folder.path.name} has no finished fold yet: train one first")
        grouping.keep_folds(self.folder, self.folds, self.clip_ids, self.grouping)
        decided = [self.decide(number, write=True) for number in done]
        results = tuple(result for result, _ in decided)
        songs = pd.concat([table for _, table in decided])
        files.write_table(
            self.folder.path / "songs.csv",
            stored_tables.without_formulae(decisions.with_names(songs, self.classes)),
        )
        summary = decisions.summary(results, songs, len(self.classes))
        folds = [scores_file.as_stored(result) for result in results]
        run_folder.write_json(
            self.folder.path / "metrics.json", {"folds": folds, "summary": summary}
        )
        self.folder.set_status("done", folds=done, of=len(self.folds))
        return RunResult(self.config, self.fingerprint, results, summary)

    def write_config(self) -> None:
        """Write config.json: settings, fingerprint, and where the numbers come from."""
        path = self.folder.path
        for folder in (path, path / "notebooks", self.runs_dir, self.runs_dir / ".warmup"):
            files.sweep(folder)
        content = {
            **as_dictionary(self.config),
            "fingerprint": self.fingerprint,
            "corpus_checksum": self.checksum,
            "n_clips": len(self.clip_ids),
            "skipped": [str(problem) for problem in self.skipped],
            "method_version": METHOD_VERSION,
            "versions": {
                "mer_kit": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
            "python": platform.python_version(),
        }
        run_folder.write_json(path / "config.json", content)
