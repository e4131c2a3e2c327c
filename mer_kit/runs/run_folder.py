"""Run folders: the files of a run, written atomically and readable without mer-kit."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.format import duration
from mer_kit.records import EpochRecord
from mer_kit.runs import schema, stored_arrays, stored_tables
from mer_kit.runs.config import RunConfig, class_names, hashed_config
from mer_kit.signal.segments import CLIP, WHOLE

#: Files that a finished fold must have.
FOLD_FILES: tuple[str, ...] = ("history.csv", "epochs.npz", "model.safetensors", "segments.csv")
#: The same for a fold of a system, which has no network.
SYSTEM_FILES: tuple[str, ...] = ("segments.csv",)
#: Larger files (weights of wide networks) are compared by size alone when many runs are listed.
QUICK_BYTES = 64 << 20
_FOLD_NAME = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)


def write_json(path: Path, content: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Write JSON atomically; see `as_json` for what becomes of numpy numbers, NaN and records."""
    text = json.dumps(as_json(content), indent=indent, ensure_ascii=False, allow_nan=False)
    with files.writing(path) as partial:
        partial.write_text(text + "\n", "utf-8")


def as_json(value: Any) -> Any:
    """Return a value as JSON can hold it: records as mappings, arrays as lists, NaN as None.

    Examples
    --------
    >>> as_json({"n": np.int64(3), "p": np.array([0.5, np.nan]), 7: Path("a/b")})
    {'n': 3, 'p': [0.5, None], '7': 'a/b'}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    elif isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    match value:
        case Mapping():
            return {str(key): as_json(item) for key, item in value.items()}
        case list() | tuple():
            return [as_json(item) for item in value]
        case float() if not np.isfinite(value):
            return None
        case Path():
            return str(value)
    return value


def fingerprint(config: RunConfig, *, corpus_checksum: str, code_version: str) -> str:
    """Return 10 hex digits that change with every setting that can change a number.

    Left out are what `config.hashed_config` leaves out, the folders of runs and data, and device,
    precision and number of threads: these round differently but are not another experiment (each
    fold's status.json names them).

    Examples
    --------
    >>> demo = RunConfig()
    >>> first = fingerprint(demo, corpus_checksum="0", code_version="1")
    >>> other = dataclasses.replace(demo, theta=0.4)
    >>> len(first), first == fingerprint(other, corpus_checksum="0", code_version="1")
    (10, False)
    """
    return digest(hashed_config(config), corpus_checksum=corpus_checksum, code_version=code_version)


def digest(settings: Mapping[str, Any], *, corpus_checksum: str, code_version: str) -> str:
    """Return 10 hex digits of settings, clips and the version of the code.

    Examples
    --------
    >>> digest({"tau": 0.5}, corpus_checksum="0", code_version="1")
    'f8f1a678b3'
    """
    text = json.dumps([settings, corpus_checksum, code_version], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


class RunFolder:
    """One run on disk: `<runs>/<corpus>-<task>-<seconds>s-<method>-<fingerprint>/`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def of(cls, runs_dir: Path, config: RunConfig, fingerprint: str) -> RunFolder:
        """Return the folder that belongs to a configuration and its fingerprint."""
        length = duration(config.segment_seconds, "s")
        name = f"{config.corpus}-{config.task}-{length}-{config.method}"
        return cls(runs_dir / f"{name}-{fingerprint}")

    def fold(self, number: int | None) -> Path:
        """Return the folder of one fold, or of the run itself for None."""
        return self.path if number is None else self.path / "folds" / str(number)

    @property
    def config(self) -> dict[str, Any]:
        """The content of config.json, checked; the seconds of a whole clip are infinite.

        Raises
        ------
        MerKitError
            If it cannot be read or a setting is not what it should be.
        """
        config = schema.read_json(self.path / "config.json", schema.CONFIG, inside=self.path)
        if config["segment_seconds"] == CLIP:
            config["segment_seconds"] = WHOLE
        return config

    @property
    def status(self) -> str:
        """The run's own state: "done", "failed" (also if status.json is torn) or "new"."""
        try:
            return str(self.fold_status(None).get("state", "new"))
        except MerKitError:
            return "failed"

    def set_status(self, state: str, *, fold: int | None = None, **more: Any) -> None:
        """Write status.json of the run, or of one of its folds."""
        content = {"state": state, "at": time.strftime("%Y-%m-%dT%H:%M:%S"), **more}
        write_json(self.fold(fold) / "status.json", content)

    def fold_done(self, number: int) -> bool:
        """Return whether a fold is finished: its status says so and every file is there."""
        with contextlib.suppress(MerKitError):
            status = self.fold_status(number)
            of_system = tuple(status.get("files", ())) == SYSTEM_FILES
            return status.get("state") == "done" and all(
                files.is_plain_file(self.fold(number) / name, inside=self.path)
                for name in (SYSTEM_FILES if of_system else FOLD_FILES)
            )
        return False

    def fold_numbers(self) -> list[int]:
        """Return the numbers of all fold folders; copies such as "0 (copy)" do not count."""
        found = (self.path / "folds").glob("*")
        return sorted(int(x.name) for x in found if _FOLD_NAME.fullmatch(x.name) and x.is_dir())

    def folds_done(self) -> list[int]:
        """Return the numbers of the finished folds, ascending."""
        return [number for number in self.fold_numbers() if self.fold_done(number)]

    def fold_status(self, number: int | None) -> dict[str, Any]:
        """Return the status.json of a fold, or of the run for None, checked; {} without one."""
        file = self.fold(number) / "status.json"
        if not os.path.lexists(file):
            return {}
        return schema.read_json(file, schema.STATUS, inside=self.path)

    def seal(self, number: int, names: Sequence[str] = FOLD_FILES) -> dict[str, dict[str, Any]]:
        """Return size and checksum of a trained fold's files, for its status.json."""
        return {
            path.name: {"bytes": path.stat().st_size, "blake2b": files.checksum(path)}
            for path in (self.fold(number) / name for name in names)
        }

    def check_seal(
        self, number: int, names: Sequence[str] = FOLD_FILES, *, quick: bool = False
    ) -> None:
        """Compare a finished fold's files with its status.json; older folds have no checksums.

        Parameters
        ----------
        names : the files that are about to be used; any without a stored checksum are left out
        quick : compare files above QUICK_BYTES by their size alone

        Raises
        ------
        MerKitError
            If a file has changed since the training.
        """
        sealed = self.fold_status(number).get("files", {})
        for name in names:
            if name in sealed and not self._is_as_sealed(number, name, sealed[name], quick):
                raise MerKitError(
                    f"fold {number} of {self.path.name}: {name} has changed since the training, "
                    "expected the file as it was written: restore it, or delete the fold's folder "
                    "and train it again"
                )

    def _is_as_sealed(self, number: int, name: str, expected: Any, quick: bool) -> bool:
        path = self.fold(number) / name
        if not isinstance(expected, Mapping) or not files.is_plain_file(path, inside=self.path):
            return False
        size = path.stat().st_size
        return size == expected.get("bytes") and (
            (quick and size > QUICK_BYTES) or files.checksum(path) == expected.get("blake2b")
        )

    def history(self, fold: int) -> list[EpochRecord]:
        """Return a fold's EpochRecords.

        Raises
        ------
        MerKitError
            If history.csv cannot be read.
        """
        return stored_tables.read_history(self.fold(fold) / "history.csv", inside=self.path)

    def epochs(self, fold: int, **more: int) -> dict[str, np.ndarray]:
        """Return a fold's evaluation passes.

        Arrays: probabilities [E, S, K], labels [S], clip [S], start_s [S]; and `more` by name and
        number of dimensions: a run with injected noise has corrupted [S], 1 for changed labels.

        Raises
        ------
        MerKitError
            If epochs.npz cannot be read, or its arrays do not fit each other.
        """
        dimensions = {"probabilities": 3, "labels": 1, "clip": 1, "start_s": 1, **more}
        arrays = stored_arrays.read_arrays(
            self.fold(fold) / "epochs.npz", dimensions, inside=self.path
        )
        return stored_arrays.check_passes(arrays, f"epochs.npz in fold {fold}")

    def segments(self, fold: int) -> pd.DataFrame:
        """Return a fold's segment predictions.

        Columns: clip_id, start_s, end_s, part (train/test), label, one per class.

        Raises
        ------
        MerKitError
            If segments.csv cannot be read or holds rows that are not predictions.
        """
        classes = class_names(self.config)
        kinds = {
            **dict.fromkeys(("clip_id", "part", "label"), str),
            **dict.fromkeys(("start_s", "end_s", *classes), float),
        }
        table = stored_tables.read_table(self.fold(fold) / "segments.csv", kinds, inside=self.path)
        return stored_tables.check_segments(table, classes, f"segments.csv in fold {fold}")

    def metrics(self) -> dict[str, Any]:
        """Return the content of metrics.json, checked.

        Raises
        ------
        MerKitError
            If it cannot be read or is not what a run writes.
        """
        content = schema.read_json(self.path / "metrics.json", schema.METRICS, inside=self.path)
        return schema.check_metrics(content, f"metrics.json in {self.path.name}")


def all_runs(runs_dir: str | Path) -> list[RunFolder]:
    """Return every run folder below `runs_dir` that has a config.json, sorted by name.

    Examples
    --------
    >>> with files.scratch() as folder:
    ...     write_json(Path(folder) / "a-run" / "config.json", {})
    ...     [run.path.name for run in all_runs(folder)]
    ['a-run']
    """
    configs = sorted(Path(runs_dir).glob("*/config.json"))
    return [RunFolder(file.parent) for file in configs if files.is_plain_file(file)]
