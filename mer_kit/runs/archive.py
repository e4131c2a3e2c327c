"""Run folders: what a run leaves on disk, written to a temporary name and renamed, readable without mer-kit."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.corpora.base import project_root
from mer_kit.records import EpochRecord, RunConfig
from mer_kit.sssl.settings import TrainingSettings

#: Files that must be there before a fold counts as done.
FOLD_FILES = ("history.csv", "epochs.npz", "model.safetensors", "segments.csv")


def default_runs_dir() -> Path:
    """Return MER_RUNS, `<project>/runs` or ./runs."""
    if os.environ.get("MER_RUNS"):
        return Path(os.environ["MER_RUNS"]).expanduser().absolute()
    return (project_root() or Path.cwd()) / "runs"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it when the block ends well; leave nothing behind otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Write JSON atomically; numpy numbers become Python's, NaN becomes null."""
    text = json.dumps(_plain(content), indent=indent, ensure_ascii=False, allow_nan=False)
    with writing(path) as partial:
        partial.write_text(text + "\n", "utf-8")


def _plain(value: Any) -> Any:
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
        If the file is missing or torn.
    """
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise MerKitError(
            f"{path.name} in {path.parent.name} cannot be read ({type(error).__name__}), expected a run's JSON file: "
            "run it again"
        ) from error


def write_table(path: Path, table: pd.DataFrame, *, float_format: str | None = None) -> None:
    """Write a CSV atomically, without the index."""
    with writing(path) as partial:
        table.to_csv(partial, index=False, float_format=float_format, lineterminator="\n")


def fingerprint(config: RunConfig, *, corpus_checksum: str, code_version: str) -> str:
    """Return 10 hex digits that change with every setting that can change a number.

    Left out: the preset's name and the choice to stop at bad clips, whose effects (the settings, the clips that are
    there) are in; settings that the method has no use for; the runs folder and the data's place; device, precision and
    the number of threads, which round differently but are no other experiment (each fold's status.json names them).
    """
    settings = dataclasses.asdict(config)
    for name in ("preset", "on_bad_clip"):
        settings.pop(name)
    if settings["divide_by"] == "folds":  # younger than the first runs, whose marks are to stay
        settings.pop("divide_by")
    if settings["grouping"] == "exact":  # likewise
        settings.pop("grouping")
    if config.method:
        settings["training"] = TrainingSettings(**config.training, method=config.method).effective()
    text = json.dumps([settings, corpus_checksum, code_version], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


class RunFolder:
    """One run on disk: `<runs>/<corpus>-<task>-<seconds>s-<method>-<fingerprint>/`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def of(cls, runs_dir: Path, config: RunConfig, mark: str) -> RunFolder:
        """Return the folder that belongs to a configuration and its fingerprint."""
        return cls(runs_dir / f"{config.corpus}-{config.task}-{config.segment_seconds:g}s-{config.method}-{mark}")

    def fold(self, number: int) -> Path:
        """Return the folder of one fold."""
        return self.path / "folds" / str(number)

    @property
    def config(self) -> dict[str, Any]:
        """What config.json says."""
        return read_json(self.path / "config.json")

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
        return all((folder / name).exists() for name in FOLD_FILES) and _state(folder) == "done"

    def folds_done(self) -> list[int]:
        """Return the numbers of the finished folds, ascending."""
        folder = self.path / "folds"
        numbers = [int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()] if folder.is_dir() else []
        return [number for number in sorted(numbers) if self.fold_done(number)]

    def history(self, fold: int) -> list[EpochRecord]:
        """Return a fold's EpochRecords."""
        # Python's own float() gives back every bit; read_csv's default does so only from pandas 3 on.
        exact = {field.name: _exact_float for field in dataclasses.fields(EpochRecord) if field.type == "float"}
        table = pd.read_csv(self.fold(fold) / "history.csv", converters=exact, dtype={"note": str})
        table["labelled_class_share"] = table["labelled_class_share"].astype(str)
        return [EpochRecord.from_row({str(k): v for k, v in row.items()}) for row in table.to_dict("records")]

    def epochs(self, fold: int) -> dict[str, np.ndarray]:
        """Return a fold's evaluation passes: probabilities [E, S, K], labels [S], clip [S], start_s [S]."""
        with np.load(self.fold(fold) / "epochs.npz", allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    def segments(self, fold: int) -> pd.DataFrame:
        """Return a fold's segment predictions: clip_id, start_s, end_s, part (train/test), label, a column a class."""
        return pd.read_csv(self.fold(fold) / "segments.csv", dtype={"clip_id": str})

    def metrics(self) -> dict[str, Any]:
        """Return what metrics.json says."""
        return read_json(self.path / "metrics.json")


def _exact_float(text: str) -> float:
    return float(text or "nan")


def _state(folder: Path) -> str:
    file = folder / "status.json"
    try:
        return str(read_json(file).get("state", "new")) if file.exists() else "new"
    except MerKitError:
        return "failed"


def all_runs(runs_dir: str | Path) -> list[RunFolder]:
    """Return every run folder below `runs_dir` that has a config.json, sorted by name."""
    folder = Path(runs_dir)
    if not folder.is_dir():
        return []
    return [RunFolder(entry.parent) for entry in sorted(folder.glob("*/config.json"))]
