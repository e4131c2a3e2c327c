"""What the runs found: one row a run, and the paper's tables 2 and 3 with our rows beneath the paper's.

Notebook: 06_results
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import systems
from mer_kit.checks import MerKitError, plain
from mer_kit.files import write_table
from mer_kit.later_settings import flat, without_absent
from mer_kit.results.status import failures, of
from mer_kit.results.tables import markdown, table2, table3
from mer_kit.runs.cells import without_formulae
from mer_kit.runs.config import RunConfig
from mer_kit.runs.decisions import SYSTEM
from mer_kit.runs.run_folder import RunFolder
from mer_kit.songs import scores
from mer_kit.songs.classifiers import NAMES as CLASSIFIERS
from mer_kit.training import METHODS, methods
from mer_kit.training.settings import TrainingSettings

__all__ = [
    "collect",
    "failures",
    "fold_scores",
    "markdown",
    "table2",
    "table3",
    "write_results_csv",
]

#: The classifier whose scores are a run's headline: the paper's, and what a system answers itself.
HEADLINES = ("svm", SYSTEM)
#: The scores that are kept of every classifier; macro_f1 is the headline F1 (D), positive_f1 exists for two classes.
SCORES = ("accuracy", "macro_f1", "weighted_f1", "positive_f1")
_SETTINGS = (
    "corpus",
    "task",
    "segment_seconds",
    "method",
    "preset",
    "seed",
    "song_features",
    "folds",
)
_MEANS = [f"{score}_{part}" for score in SCORES for part in ("mean", "sd")]
#: The columns of `collect`.
COLUMNS: tuple[str, ...] = (
    *_SETTINGS, "folds_done", "n_songs", "segment_accuracy_mean", "segment_accuracy_sd",
    *(f"song_{name}" for name in _MEANS), *(f"pooled_{score}_{name}" for name in CLASSIFIERS for score in SCORES[:2]),
    "majority_accuracy_mean", "majority_macro_f1_mean", "seconds", "fingerprint", "recipe", "status", "reason",
    "folder", "path",
)  # fmt: skip


def collect(runs_dirs: str | Path | Sequence[str | Path]) -> pd.DataFrame:
    """Return one row a run folder below `runs_dirs`: settings, scores over folds, pooled scores, where they come from.

    `song_…` are the SVM's, mean and sd over folds (n − 1; NaN for one fold); `pooled_…` count every song once;
    `folds_done` of `folds` says how far the run is. `status` is "done", "partial" (some folds are still to come),
    "undecided" (trained, no songs decided), "running", "paused" (stopped by hand), "new", "failed", "changed" (a finished
    fold's file is not the one that its training left) or "unreadable"; `reason` says why it is not "done". No folder is
    dropped: what cannot be read has a row with its reason and no numbers.
    `recipe` is a mark that runs share which differ in nothing but corpus, task, duration, method, preset or seed.

    Parameters
    ----------
    runs_dirs : one folder of run folders, or several; a missing one counts as empty

    Notebook: 06_results
    """
    several = [runs_dirs] if isinstance(runs_dirs, (str, Path)) else list(runs_dirs)
    rows = [_row(run) for folder in several for run in _run_folders(Path(folder))]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_results_csv(runs_dir: str | Path) -> Path:
    """Write `results.csv` into a folder of runs and return its path; no place on this machine is written down."""
    return write_table_csv(collect(runs_dir), Path(runs_dir))


def write_table_csv(table: pd.DataFrame, folder: Path) -> Path:
    """Write a table of `collect` as `results.csv` into a folder and return its path."""
    write_table(
        folder / "results.csv", without_formulae(table.drop(columns="path")), float_format="%.6g"
    )
    return folder / "results.csv"


def compare_copies(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each run of `collect` that lies in several places: run, places, folds in all, says.

    Copies say the same where every fold that all have decided has the same scores, to the last bit.
    """
    rows = []
    for name, copies in table.groupby("folder", sort=False):
        if len(copies) > 1:
            found = [_fold_scores(Path(path)) for path in copies["path"]]
            shared = set.intersection(*(set(scores) for scores in found))
            other = [
                k for k in sorted(shared) if any(scores[k] != found[0][k] for scores in found[1:])
            ]
            says = "; ".join(_difference(k, [scores[k] for scores in found]) for k in other)
            says = says or ("the same" if shared else "no fold in common")
            rows.append(
                {"run": name, "places": len(copies), "folds in all": len(shared), "says": says}
            )
    return pd.DataFrame(rows, columns=["run", "places", "folds in all", "says"])


def _fold_scores(run: Path) -> dict[int, dict[str, float]]:
    """Return fold → the headline classifier's scores; {} where no song is decided or the file cannot be read."""
    try:
        folds = RunFolder(run).metrics()["folds"]
    except MerKitError:
        return {}
    found = {int(fold["fold"]): headline(fold["songs"]) for fold in folds}
    return {number: dict(scores) for number, scores in found.items() if scores}


def headline(songs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the headline scores among those of a fold's deciders; {} where there are none.

    Examples
    --------
    >>> headline({"mean": {"accuracy": 0.5}, "svm": {"accuracy": 0.6}})
    {'accuracy': 0.6}
    """
    there = [songs[name] for name in HEADLINES if name in songs]
    return there[0] if there else {}


def _difference(fold: int, found: Sequence[dict[str, float]]) -> str:
    return f"fold {fold}: accuracy " + " or ".join(
        f"{scores.get('accuracy', float('nan')):.4f}" for scores in found
    )


def without_copies(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of `collect` with each run once: the copy with most finished folds, the first of equals."""
    order = table.sort_values("folds_done", ascending=False, kind="stable").drop_duplicates(
        "folder"
    )
    return table.loc[sorted(order.index)].reset_index(drop=True)


def fold_scores(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each run, fold and answer: the deciders', "segments" (one segment each) and "majority".

    Columns: the settings, recipe, folder, fold, n_train, n_test, classifier, and the SCORES (fractions). Runs without
    scores give no rows.

    Parameters
    ----------
    results : from `collect`
    """
    rows = []
    for _, run in results.iterrows():
        if not (
            isinstance(run["path"], str)
            and run["folds_done"]
            and _finite(run["song_accuracy_mean"])
        ):
            continue
        about = {name: run[name] for name in (*_SETTINGS, "recipe", "folder")}
        for fold in RunFolder(run["path"]).metrics()["folds"]:
            counts = {name: int(fold[name]) for name in ("fold", "n_train", "n_test")}
            answers = {**fold["songs"], "segments": fold["segments"], "majority": fold["majority"]}
            rows += [
                {
                    **about,
                    **counts,
                    "classifier": name,
                    **{score: answer.get(score, np.nan) for score in SCORES},
                }
                for name, answer in answers.items()
            ]
    columns = [*_SETTINGS, "recipe", "folder", "fold", "n_train", "n_test", "classifier", *SCORES]
    return pd.DataFrame(rows, columns=columns)


def _run_folders(folder: Path) -> Iterator[RunFolder]:
    """Yield everything below `folder` that is a run, also one whose config.json is gone or that is a link."""
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            looks_like_one = os.path.lexists(entry / "config.json") or os.path.isdir(
                entry / "folds"
            )
            closed = not os.access(entry, os.R_OK | os.X_OK)
            if (
                not entry.name.startswith(".")
                and os.path.isdir(entry)
                and (looks_like_one or closed)
            ):
                yield RunFolder(entry)


def _row(run: RunFolder) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(
        ("corpus", "task", "method", "preset", "song_features", "fingerprint"), "?"
    )
    row |= {"folder": plain(run.path.name), "path": str(run.path), "folds_done": 0}
    try:
        return row | _read(run)
    except MerKitError as error:
        reason = str(error)
    except Exception as error:  # no folder, whatever is in it, takes the others' rows away
        reason = (
            f"its files are not what a run writes ({type(error).__name__}: {error}): run it again"
        )
    return row | {"status": "unreadable", "reason": plain(reason)}


def _read(run: RunFolder) -> dict[str, Any]:
    """Return what a run's files say of it, as the entries of a row."""
    if run.path.is_symlink():
        raise MerKitError(
            "it is a link to another folder, expected a run's own folder: name the folder that the run is in as well, as "
            "in `mer-kit report A B --into C`"
        )
    config = run.config
    row = {name: config[name] for name in _SETTINGS if name in config}
    row |= {"fingerprint": config.get("fingerprint", ""), "recipe": recipe(config)}
    metrics = run.metrics() if os.path.lexists(run.path / "metrics.json") else None
    if metrics is not None:
        row |= _scores(metrics, config)
    status, reason = of(run, config, metrics)
    return row | {"status": status, "reason": plain(reason)}


def recipe(config: dict[str, Any]) -> str:
    """Return 8 hex digits that runs share which differ in nothing but corpus, task, duration, method, preset or seed.

    What the preset sets counts, only its name does not; and so do the clips (the corpus' checksum).
    """
    free = {
        "corpus",
        "task",
        "segment_seconds",
        "method",
        "preset",
        "seed",
        "on_bad_clip",
        "system",
    }
    about = {"fingerprint", "n_clips", "skipped", "versions", "python"}
    kept = without_absent(
        {name: value for name, value in config.items() if name not in free | about}, RunConfig
    )
    if config.get("system"):
        kept = _system_recipe(kept, config)
    elif isinstance(kept.get("training"), dict):
        kept["training"] = without_absent(kept["training"], TrainingSettings)
        if kept["training"].get("own") == _own_defaults(config.get("method")):
            del kept["training"]["own"]  # the method's name is free, and so are these
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()


def _system_recipe(kept: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Return what counts of a system's run: the method's, the network's and the classifiers' settings do not."""
    unused = {"training", "model", "network", "theta", "song_features"}
    left = {name: value for name, value in kept.items() if name not in unused}
    known = config["system"] in systems.SYSTEMS
    if known and left.get("system_settings") == flat(systems.of(config["system"]).settings()):
        del left["system_settings"]
    return left


def _own_defaults(method: Any) -> dict[str, Any] | None:
    """Return a method's own settings at their defaults, None where it is not known here."""
    return flat(methods.of(method).settings()) if method in METHODS else None


def _scores(metrics: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    folds, summary = metrics["folds"], metrics["summary"]
    strange = [fold["fold"] for fold in folds if fold["fold"] >= config["folds"]]
    if strange:
        raise MerKitError(
            f"metrics.json has fold {strange[0]} of a run with {config['folds']} folds, expected 0 to "
            f"{config['folds'] - 1}: run notebook 04_song_decisions again"
        )
    song = _summarised([headline(fold["songs"]) for fold in folds])
    segments = _summarised([fold["segments"] for fold in folds])
    majority = _summarised([fold["majority"] for fold in folds])
    row: dict[str, Any] = {
        "folds_done": len(folds), "n_songs": int(summary["n_songs"]), "seconds": _number(summary.get("seconds")),
        "segment_accuracy_mean": _of(segments, "accuracy", "mean"), "segment_accuracy_sd": _of(segments, "accuracy", "sd"),
    }  # fmt: skip
    for score in SCORES:
        row |= {f"song_{score}_{part}": _of(song, score, part) for part in ("mean", "sd")}
    for score in SCORES[:2]:
        row[f"majority_{score}_mean"] = _of(majority, score, "mean")
        row |= {
            f"pooled_{score}_{name}": _of(summary["pooled"], name, score) for name in CLASSIFIERS
        }
    return row


def _summarised(folds: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return mean and sd of the scores that every fold has."""
    return scores.summarise(
        [{name: _number(fold.get(name)) for name in SCORES if name in folds[0]} for fold in folds]
    )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _of(table: Mapping[str, Any], name: str, part: str) -> float:
    """Return one number of a nested table, NaN where it is not there: an older run knows fewer of them."""
    return _number((table.get(name) or {}).get(part))


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and bool(np.isfinite(value))
