"""Run folders: what a run leaves on disk, written to a temporary name and renamed, readable without mer-kit."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import mer_kit
from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.files import writing
from mer_kit.records import TASKS, EpochRecord
from mer_kit.runs import npz, schema, seal
from mer_kit.runs.config import RunConfig, as_dictionary, hashed_config
from mer_kit.training import METHOD_VERSION

#: Files that must be there before a fold counts as done.
FOLD_FILES = ("history.csv", "epochs.npz", "model.safetensors", "segments.csv")
#: The same for a fold of a system, which trains no network.
SYSTEM_FILES = ("segments.csv",)
_FOLD_NAME = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)


def write_json(path: Path, content: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Write JSON atomically; numpy numbers become Python's, NaN becomes null."""
    text = json.dumps(_plain(content), indent=indent, ensure_ascii=False, allow_nan=False)
    with writing(path) as partial:
        partial.write_text(text + "\n", "utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, RunConfig):
        return _plain(as_dictionary(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises
    ------
    MerKitError
        If the file is missing, torn, too large or no regular file.
    """
    return schema.read_json(path)


def fingerprint(config: RunConfig, *, corpus_checksum: str, code_version: str) -> str:
    """Return 10 hex digits that change with every setting that can change a number.

    Left out is what `config.hashed_config` leaves out, and the runs folder and the data's place; device, precision and the
    number of threads, which round differently but are no other experiment (each fold's status.json names them).
    """
    return digest(hashed_config(config), corpus_checksum=corpus_checksum, code_version=code_version)


def digest(settings: Mapping[str, Any], *, corpus_checksum: str, code_version: str) -> str:
    """Return 10 hex digits of settings, clips and the version of the code."""
    text = json.dumps([settings, corpus_checksum, code_version], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def write_config(
    folder: RunFolder,
    config: RunConfig,
    *,
    fingerprint: str,
    corpus_checksum: str,
    n_clips: int,
    skipped: Sequence[str],
) -> None:
    """Write a run's config.json: its settings, its fingerprint, and where the numbers come from."""
    about = {
        "fingerprint": fingerprint,
        "corpus_checksum": corpus_checksum,
        "n_clips": n_clips,
        "skipped": skipped,
    }
    versions = {"mer_kit": mer_kit.__version__, "torch": torch.__version__, "numpy": np.__version__}
    write_json(
        folder.path / "config.json",
        {
            **as_dictionary(config),
            **about,
            "method_version": METHOD_VERSION,
            "versions": versions,
            "python": platform.python_version(),
        },
    )


class RunFolder:
    """One run on disk: `<runs>/<corpus>-<task>-<seconds>s-<method>-<fingerprint>/`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def of(cls, runs_dir: Path, config: RunConfig, mark: str) -> RunFolder:
        """Return the folder that belongs to a configuration and its fingerprint."""
        return cls(
            runs_dir
            / f"{config.corpus}-{config.task}-{config.segment_seconds:g}s-{config.method}-{mark}"
        )

    def fold(self, number: int) -> Path:
        """Return the folder of one fold."""
        return self.path / "folds" / str(number)

    @property
    def config(self) -> dict[str, Any]:
        """What config.json says, checked.

        Raises
        ------
        MerKitError
            If it cannot be read or a setting is not what it should be.
        """
        return schema.read_json(self.path / "config.json", schema.CONFIG, inside=self.path)

    @property
    def status(self) -> str:
        """Return the run's own word: "done", "failed" (also where status.json is torn) or "new"; folds have theirs."""
        return _state(self.path)

    def set_status(self, state: str, *, fold: int | None = None, **more: Any) -> None:
        """Write status.json of the run, or of one of its folds."""
        where = self.path if fold is None else self.fold(fold)
        now = time.strftime("%Y-%m-%dT%H:%M:%S")
        write_json(where / "status.json", {"state": state, "at": now, **more})

    def fold_done(self, number: int) -> bool:
        """Tell whether a fold is finished: its status says so and every file is there."""
        folder = self.fold(number)
        if all(files.is_plain_file(folder / name, inside=self.path) for name in FOLD_FILES):
            return _state(folder) == "done"
        if not all(files.is_plain_file(folder / name, inside=self.path) for name in SYSTEM_FILES):
            return False
        with contextlib.suppress(MerKitError):
            status = self.fold_status(number)
            return status.get("state") == "done" and tuple(status.get("files", ())) == SYSTEM_FILES
        return False

    def fold_numbers(self) -> list[int]:
        """Return the numbers of the folds that have a folder; copies like "0 (copy)" or "0.bak" are no folds."""
        try:
            entries = list(os.scandir(self.path / "folds"))
        except OSError:  # none yet, or no folder
            return []
        return sorted(
            int(entry.name)
            for entry in entries
            if _FOLD_NAME.fullmatch(entry.name) and entry.is_dir()
        )

    def folds_done(self) -> list[int]:
        """Return the numbers of the finished folds, ascending."""
        return [number for number in self.fold_numbers() if self.fold_done(number)]

    def fold_status(self, number: int) -> dict[str, Any]:
        """Return what a fold's status.json says, checked; {} where there is none."""
        file = self.fold(number) / "status.json"
        return (
            schema.read_json(file, schema.STATUS, inside=self.path) if os.path.lexists(file) else {}
        )

    def seal(self, number: int, names: Sequence[str] = FOLD_FILES) -> dict[str, dict[str, Any]]:
        """Return size and checksum of a trained fold's files, to be kept in its status.json."""
        return seal.of(self.fold(number), names)

    def check_seal(
        self, number: int, names: Sequence[str] = FOLD_FILES, *, quick: bool = False
    ) -> None:
        """Compare a finished fold's files with what its status.json says of them; older folds say nothing.

        Parameters
        ----------
        names : the files that are about to be used
        quick : compare large files by their size alone

        Raises
        ------
        MerKitError
            If a file is not the one that the training left.
        """
        sealed = self.fold_status(number).get("files", {})
        name = seal.changed(self.fold(number), sealed, names, inside=self.path, quick=quick)
        if name is not None:
            raise MerKitError(
                f"fold {number} of {self.path.name}: {name} has changed since the training, expected the file that it "
                "left: restore it, or delete the fold's folder and train it again"
            )

    def history(self, fold: int) -> list[EpochRecord]:
        """Return a fold's EpochRecords.

        Raises
        ------
        MerKitError
            If history.csv cannot be read.
        """
        fields = [field for field in dataclasses.fields(EpochRecord) if field.name != "own"]
        kinds = {field.name: float if field.type == "float" else str for field in fields}
        later = [
            name
            for name, kind in kinds.items()
            if kind is float or name in ("labelled_class_share", "note")
        ]
        path = self.fold(fold) / "history.csv"
        table = schema.read_table(
            path, kinds, inside=self.path, exact=True, optional=later, most=schema.MOST_JSON
        ).reindex(columns=list(kinds))
        table = table.fillna({name: "" for name in later if kinds[name] is str})
        own = schema.numbers_beside(path, kinds, inside=self.path)
        try:
            beside = own.reset_index(drop=True) if len(own) == len(table) else own.iloc[:0]
            rows = table.reset_index(drop=True).join(beside).to_dict("records")
            return [EpochRecord.from_row({str(k): v for k, v in row.items()}) for row in rows]
        except (ValueError, TypeError, OverflowError) as error:
            raise MerKitError(
                f"history.csv in fold {fold} has a row that no epoch left: train the fold again"
            ) from error

    def epochs(self, fold: int) -> dict[str, np.ndarray]:
        """Return a fold's evaluation passes: probabilities [E, S, K], labels [S], clip [S], start_s [S].

        Raises
        ------
        MerKitError
            If epochs.npz cannot be read, or its arrays do not fit each other.
        """
        path = self.fold(fold) / "epochs.npz"
        arrays = npz.read(
            path, {"probabilities": 3, "labels": 1, "clip": 1, "start_s": 1}, inside=self.path
        )
        npz.check_passes(arrays, f"epochs.npz in fold {fold}")
        return arrays

    def segments(self, fold: int) -> pd.DataFrame:
        """Return a fold's segment predictions: clip_id, start_s, end_s, part (train/test), label, a column a class.

        Raises
        ------
        MerKitError
            If segments.csv cannot be read or has rows that no network wrote.
        """
        classes = TASKS[self.config["task"]]
        texts, numbers = ("clip_id", "part", "label"), ("start_s", "end_s", *classes)
        kinds = {**dict.fromkeys(texts, str), **dict.fromkeys(numbers, float)}
        table = schema.read_table(self.fold(fold) / "segments.csv", kinds, inside=self.path)
        schema.check_segments(table, classes, f"segments.csv in fold {fold}")
        return table

    def metrics(self) -> dict[str, Any]:
        """Return what metrics.json says, checked.

        Raises
        ------
        MerKitError
            If it cannot be read or is not what a run writes.
        """
        found = schema.read_json(self.path / "metrics.json", schema.METRICS, inside=self.path)
        schema.check_metrics(found, f"metrics.json in {self.path.name}")
        return found


def _state(folder: Path) -> str:
    file = folder / "status.json"
    try:
        found = (
            schema.read_json(file, schema.STATUS, inside=folder) if os.path.lexists(file) else {}
        )
    except MerKitError:
        return "failed"
    return str(found.get("state", "new"))


def all_runs(runs_dir: str | Path) -> list[RunFolder]:
    """Return every run folder below `runs_dir` that has a config.json, sorted by name."""
    folder = Path(runs_dir)
    if not folder.is_dir():
        return []
    return [
        RunFolder(entry.parent)
        for entry in sorted(folder.glob("*/config.json"))
        if files.is_plain_file(entry)
    ]
