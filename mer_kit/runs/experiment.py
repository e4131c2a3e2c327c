"""The one place where the rooms meet: corpus, signal, folds, training and song decisions become a run."""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mer_kit import files, paths
from mer_kit.checks import MerKitError, check_choice
from mer_kit.files import sweep, writing
from mer_kit.later_settings import flat
from mer_kit.records import TASKS, EpochRecord, Fold, FoldResult, SegmentIndex
from mer_kit.runs import decisions, grouping, run_folder, stored_folds, system_fold
from mer_kit.runs.cells import without_formulae
from mer_kit.runs.config import RunConfig, RunResult, hashed_config
from mer_kit.runs.data import OpenedCorpus, checksum, open_corpus, open_logmel
from mer_kit.runs.locks import exclusive
from mer_kit.runs.run_folder import RunFolder
from mer_kit.seeding import derive
from mer_kit.signal import segments as segmentation
from mer_kit.signal.store import FeatureStore, SegmentView
from mer_kit.songs import classifiers, folds
from mer_kit.training import METHOD_VERSION, Trainer, networks
from mer_kit.training.evaluation import place

__all__ = ["Experiment", "OpenedCorpus", "open_corpus"]

#: Networks up to this width leave their warm-up for other methods to start from (wider ones cost gigabytes a fold).
SHARED_WARMUP_WIDTH = 16
#: Inner folds of `song_features="oof"`.
INNER_FOLDS = 3


class Experiment:
    """One configuration with its data opened: trains folds, decides songs, and uses what is already on disk.

    Parameters
    ----------
    config : from `runs.presets.resolve`
    data_root : where the corpus lies; None for MER_DATA or ./data
    runs_dir : where run folders go; None for MER_RUNS or ./runs
    on_epoch : called with (fold number, EpochRecord)
    device, precision : see `training.evaluation.place`
    opened : what `open_corpus` returned for the same data settings, where several experiments share it

    Attributes
    ----------
    corpus, store : the clips that are used (bad ones left out where the config says so), and their features
    labels : int64 [clips]
    index : SegmentIndex, every segment, one starting each second
    train_index : SegmentIndex of the training segments, starting every `train_every_seconds`
    folds : list of Fold, as the run's folder has them stored, else made from `grouping`
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
        self.config, self.on_epoch, self.device, self.precision = (
            config,
            on_epoch,
            device,
            precision,
        )
        self.classes = TASKS[config.task]
        self.corpus, self.store, self.skipped = opened or open_corpus(config, data_root)
        self.labels = self.corpus.labels(config.task)
        self.index = self._segments(1.0)
        self.train_index = self._segments(config.train_every_seconds)
        self.checksum = checksum(self.corpus, self.store, with_split=config.divide_by == "official")
        self.runs_dir = (
            Path(runs_dir).expanduser().absolute() if runs_dir else paths.default_runs_dir()
        )
        mark = run_folder.fingerprint(
            config, corpus_checksum=self.checksum, code_version=METHOD_VERSION
        )
        self.fingerprint = mark
        self.folder = RunFolder.of(self.runs_dir, config, mark)
        grouping.point_to_exact(self.folder, config, corpus_checksum=self.checksum)
        self.clip_ids = [clip.clip_id for clip in self.corpus.clips]
        self.grouping = grouping.group(self.corpus, self.logmel, config)
        self.folds: list[Fold] = stored_folds.of(self.folder, self.corpus, self.grouping, config)
        grouping.warn(self.corpus, self.folds, self.grouping, config)

    def _segments(self, every_seconds: float) -> SegmentIndex:
        return segmentation.index(
            self.store.durations_s,
            self.config.segment_seconds,
            every_seconds=every_seconds,
            max_seconds=self.config.max_seconds,
            frames_per_second=self.store.frontend.frames_per_second,
            clip_ids=[clip.clip_id for clip in self.corpus.clips],
        )

    @functools.cached_property
    def logmel(self) -> FeatureStore:
        """The clips' log-mels, for pictures: the store itself where that is the run's front-end."""
        return open_logmel(self.corpus, self.config, self.store)

    @property
    def song_classifiers(self) -> tuple[str, ...]:
        """The names of what answers for songs: every song-level classifier, or the system alone."""
        return (decisions.SYSTEM,) if self.config.system else classifiers.NAMES

    # ---- training ----------------------------------------------------------------------------------------------

    def train(self, number: int, *, watch: Callable[[Trainer], None] | None = None) -> RunFolder:
        """Train one fold, or do nothing if it is finished; return the run's folder.

        A fold that was interrupted goes on from its last epoch. Leaves history.csv, epochs.npz, model.safetensors and
        segments.csv in `folds/<number>/`. `watch` is shown the fold's Trainer as its epochs end (`training.Trainer`).
        """
        check_choice("fold", number, range(len(self.folds)))
        stored_folds.keep(self.folder, self.folds, self.clip_ids, self.grouping)
        if self.folder.fold_done(number):
            return self.folder
        self.write_config()
        with exclusive(self.folder.fold(number) / ".lock"):
            if not self.folder.fold_done(number):  # by another process, while this one waited
                self._train_fold(number, watch)
        return self.folder

    def _train_fold(self, number: int, watch: Callable[[Trainer], None] | None) -> None:
        sweep(self.folder.fold(number))
        self.folder.set_status("running", fold=number)
        try:
            if self.config.system:
                seconds = system_fold.train(self, number)
            else:
                seconds = self._train_network(number, watch)
        except KeyboardInterrupt:
            self.folder.set_status("paused", fold=number, message="stopped by hand")
            raise
        except BaseException as error:
            with contextlib.suppress(OSError):  # a disk that is full takes no status either
                self.folder.set_status(
                    "failed", fold=number, message=f"{type(error).__name__}: {error}"
                )
            raise
        where = place(self.device, self.precision)
        self.folder.set_status(
            "done",
            fold=number,
            seconds=seconds,
            device=where.device.type,
            precision=where.precision,
            threads=torch.get_num_threads(),
            files=self.folder.seal(
                number, run_folder.SYSTEM_FILES if self.config.system else run_folder.FOLD_FILES
            ),
        )
        (self.folder.fold(number) / "checkpoint.safetensors").unlink(missing_ok=True)
        shutil.rmtree(self.folder.fold(number) / "inner", ignore_errors=True)

    def _train_network(self, number: int, watch: Callable[[Trainer], None] | None) -> float:
        trainer, index = self._fit(
            self.folds[number].train, f"fold {number}", self.folder.fold(number), number, watch
        )
        return self._keep(number, trainer, index)

    def _fit(
        self,
        clips: np.ndarray,
        name: str,
        folder: Path,
        number: int,
        watch: Callable[[Trainer], None] | None = None,
    ) -> tuple[Trainer, SegmentIndex]:
        """Train on the segments of these clips; return the trainer and the index it was trained on."""
        index, on_epoch = self.train_index.take(self.train_index.rows_of(clips)), self.on_epoch
        trainer = Trainer(
            n_classes=len(self.classes),
            seed=derive(self.config.seed, name) % 2**31,
            device=self.device,
            precision=self.precision,
            checkpoint_file=folder / "checkpoint.safetensors",
            warmup_file=self._warmup_file(name),
            on_epoch=(lambda record: on_epoch(number, record)) if on_epoch else None,
            watch=watch,
            **flat(self.config.training),
        )
        return trainer.fit(
            SegmentView(self.store, index), self.labels[index.clip], index.clip
        ), index

    def _warmup_file(self, name: str) -> Path | None:
        c = self.config
        if c.network == networks.DEFAULT and c.model.width > SHARED_WARMUP_WIDTH:
            return None
        about = {
            "method": "",
            "song_features": "",
            "theta": 0.0,
            "training": c.training.warmup_key(),
            "model": {},
        }
        shared = {**hashed_config(c), **about}
        mark = run_folder.digest(shared, corpus_checksum=self.checksum, code_version=METHOD_VERSION)
        return self.runs_dir / ".warmup" / f"{mark}-{name.replace(' ', '-')}.safetensors"

    def _keep(self, number: int, trainer: Trainer, index: SegmentIndex) -> float:
        """Write a trained fold's files; return the seconds of all its epochs, those of a shared warm-up included."""
        folder = self.folder.fold(number)
        files.write_table(
            folder / "history.csv", pd.DataFrame([record.row() for record in trainer.history_])
        )
        with writing(folder / "epochs.npz") as partial, partial.open("wb") as file:
            np.savez_compressed(
                file,
                probabilities=trainer.eval_probabilities_,
                labels=self.labels[index.clip].astype(np.int8),
                clip=index.clip.astype(np.int32),
                start_s=index.start_s.astype(np.float32),
            )
        trainer.save_model(folder / "model.safetensors")
        fold, seconds = self.folds[number], _seconds(trainer)
        if self.config.song_features == "oof":
            train, more = self._out_of_fold(fold, number)
            seconds += more
        else:
            train = self._predict(trainer, fold.train, "train")
        table = pd.concat([train, self._predict(trainer, fold.test, "test")])
        files.write_table(folder / "segments.csv", table, float_format="%.6g")
        return seconds

    def _predict(self, trainer: Trainer, clips: np.ndarray, part: str) -> pd.DataFrame:
        """Return the segment table of these clips, one row a segment, every second."""
        index = self.index.take(self.index.rows_of(clips))
        probabilities = trainer.predict_proba(SegmentView(self.store, index))
        ids, names = np.array(self.clip_ids), np.array(self.classes)
        table = pd.DataFrame(
            {"clip_id": ids[index.clip], "start_s": index.start_s, "end_s": index.end_s}
        )
        table["part"], table["label"] = part, names[self.labels[index.clip]]
        for k, name in enumerate(self.classes):
            table[name] = probabilities[:, k]
        return table

    def _out_of_fold(self, fold: Fold, number: int) -> tuple[pd.DataFrame, float]:
        """Return the training songs' segments, each predicted by an inner network that never heard it, and seconds."""
        groups = self.grouping.groups
        inner = folds.make(
            self.labels[fold.train],
            groups=None if groups is None else groups[fold.train],
            n_folds=INNER_FOLDS,
            seed=derive(self.config.seed, f"inner {number}") % 2**31,
            class_names=self.classes,
        )
        tables, seconds = [], 0.0
        for part in inner:
            name = f"fold {number} inner {part.number}"
            inner_folder = self.folder.fold(number) / "inner" / str(part.number)
            trainer, _ = self._fit(fold.train[part.train], name, inner_folder, number)
            tables.append(self._predict(trainer, fold.train[part.test], "train"))
            seconds += _seconds(trainer)
        return pd.concat(tables).sort_values(["clip_id", "start_s"], kind="stable"), seconds

    # ---- songs ---------------------------------------------------------------------------------------------------

    def decide(self, number: int) -> tuple[FoldResult, pd.DataFrame]:
        """Return a finished fold's scores and its song table (clip_id, fold, label, one column a classifier)."""
        self.folder.check_seal(number, ("segments.csv",))
        table = self.folder.segments(number)
        seconds = self.folder.fold_status(number).get("seconds", float("nan"))
        return decisions.decide_fold(
            table,
            self.folds[number],
            self.labels,
            clip_ids=self.clip_ids,
            config=self.config,
            seconds=float(seconds),
            folder=self.folder.fold(number),
        )

    def run(self, numbers: Sequence[int] | None = None) -> RunResult:
        """Train and decide the folds given (default: all), write metrics.json and songs.csv, return the result."""
        numbers = range(len(self.folds)) if numbers is None else numbers
        for number in numbers:
            self.train(number)
        return self.summarise()

    def summarise(self) -> RunResult:
        """Decide every finished fold and write metrics.json, songs.csv and status.json.

        Raises
        ------
        MerKitError
            If no fold is finished yet.
        """
        done = self.folder.folds_done()
        if not done:
            raise MerKitError(f"{self.folder.path.name} has no finished fold yet: train one first")
        stored_folds.keep(self.folder, self.folds, self.clip_ids, self.grouping)
        decided = [self.decide(number) for number in done]
        results = tuple(result for result, _ in decided)
        songs = pd.concat([table for _, table in decided])
        summary = decisions.summary(results, songs, len(self.classes))
        named = without_formulae(decisions.with_names(songs, self.classes))
        files.write_table(self.folder.path / "songs.csv", named)
        run_folder.write_json(
            self.folder.path / "metrics.json", {"folds": results, "summary": summary}
        )
        self.folder.set_status("done", folds=done, of=len(self.folds))
        return RunResult(self.config, self.fingerprint, results, summary)

    def write_config(self) -> None:
        """Write config.json: settings, fingerprint, and where the numbers come from."""
        for folder in (
            self.folder.path,
            self.folder.path / "notebooks",
            self.runs_dir,
            self.runs_dir / ".warmup",
        ):
            sweep(folder)
        run_folder.write_config(
            self.folder,
            self.config,
            fingerprint=self.fingerprint,
            corpus_checksum=self.checksum,
            n_clips=len(self.corpus.clips),
            skipped=[str(problem) for problem in self.skipped],
        )


def _seconds(trainer: Trainer) -> float:
    return float(sum(record.seconds for record in trainer.history_))
