"""The results of all runs: one row per run folder, and one per fold and classifier.

Notebook: 06_results
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError, plain
from mer_kit.results import costs
from mer_kit.results.recipes import division, recipe, with_songs
from mer_kit.results.status import status_of
from mer_kit.runs import decisions, stored_tables
from mer_kit.runs.run_folder import RunFolder
from mer_kit.runs.stored_folds import clips
from mer_kit.signal import frontends
from mer_kit.songs import scores
from mer_kit.songs.classifiers import NAMES as CLASSIFIERS

#: Classifiers whose scores are a run's headline: the paper's SVM, and a system's own answer.
HEADLINES = ("svm", decisions.SYSTEM)
#: Those by which methods are compared: the mean fits nothing (D), and a system's own answer.
COMPARED = ("mean", decisions.SYSTEM)
#: Scores of every classifier; macro_f1 is the headline F1 (D), positive_f1 is for two classes.
SCORES = ("accuracy", "macro_f1", "weighted_f1", "positive_f1")
#: What a person chooses of a run.
SETTINGS = (
    "corpus",
    "task",
    "segment_seconds",
    "method",
    "preset",
    "seed",
    "song_features",
    "folds",
)
#: Settings of injected noise; runs without it have "none" and 0.
NOISE = ("noise_kind", "noise_rate")
_MEANS = [f"{score}_{name}" for score in SCORES for name in ("mean", "sd")]
#: The columns of `collect`.
COLUMNS: tuple[str, ...] = (
    *SETTINGS,
    "folds_done",
    "n_songs",
    "segment_accuracy_mean",
    "segment_accuracy_sd",
    *(f"song_{name}" for name in _MEANS),
    *(f"compared_{name}" for name in _MEANS[:4]),
    *(f"pooled_{score}_{name}" for name in CLASSIFIERS for score in SCORES[:2]),
    "majority_accuracy_mean",
    "majority_macro_f1_mean",
    "seconds",
    *costs.TITLES,
    "frontend",
    "options",
    *NOISE,
    "fingerprint",
    "recipe",
    "division",
    "status",
    "reason",
    "folder",
    "path",
)


def collect(runs_dirs: str | Path | Sequence[str | Path]) -> pd.DataFrame:
    """Return one row per run folder: settings, scores over folds, pooled scores, provenance.

    `song_…` are the SVM's, mean and sd over folds (n − 1; NaN for one fold). `pooled_…` count
    every song once. `folds_done` of `folds` are finished. `status` is "done", "partial" (folds are
    missing), "undecided" (trained, no songs decided), "running", "paused" (stopped by hand), "new",
    "failed", "changed" (a finished fold's file has changed since its training) or "unreadable";
    `reason` explains any other than "done". Every folder has a row: unreadable ones with the
    reason and without numbers. Runs share a `recipe` if they differ in nothing but corpus, task,
    duration, method, preset or seed.

    Parameters
    ----------
    runs_dirs : one folder of run folders, or several; a missing one counts as empty

    Examples
    --------
    >>> len(collect("no such folder")), collect([]).columns[:3].tolist()
    (0, ['corpus', 'task', 'segment_seconds'])

    Notebook: 06_results
    """
    folders = [runs_dirs] if isinstance(runs_dirs, (str, Path)) else runs_dirs
    rows = [_row(run) for folder in folders for run in _run_folders(Path(folder))]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_results_csv(runs_dir: str | Path) -> Path:
    """Write `results.csv` into a folder of runs; return its path. It holds no local paths."""
    return write_table_csv(collect(runs_dir), Path(runs_dir))


def write_table_csv(table: pd.DataFrame, folder: Path) -> Path:
    """Write a table of `collect` as `results.csv` into a folder; return its path."""
    named = table.drop(columns="path").replace({"segment_seconds": {np.inf: "clip"}})
    safe = stored_tables.without_formulae(named)
    files.write_table(folder / "results.csv", safe, float_format="%.6g")
    return folder / "results.csv"


def headline(songs: Mapping[str, Any], names: Sequence[str] = HEADLINES) -> Mapping[str, Any]:
    """Return the headline scores among those of a fold's classifiers; {} if there are none.

    Examples
    --------
    >>> headline({"mean": {"accuracy": 0.5}, "svm": {"accuracy": 0.6}})
    {'accuracy': 0.6}
    """
    return next((songs[name] for name in names if name in songs), {})


def fold_scores(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each run, fold and classifier, with "segments" and "majority".

    Columns: the settings, noise, recipe, folder, fold, n_train, n_test, classifier, and the SCORES
    (fractions). "segments" scores single segments. Runs without scores have no rows.

    Parameters
    ----------
    results : from `collect`

    Examples
    --------
    >>> fold_scores(collect([])).columns[-5:-3].tolist()
    ['classifier', 'accuracy']
    """
    about = [*SETTINGS, *NOISE, "recipe", "folder"]
    counts = ["fold", "n_train", "n_test"]
    rows: list[dict[str, Any]] = []
    for _, run in results[results["song_accuracy_mean"].notna()].iterrows():
        for fold in RunFolder(run["path"]).metrics()["folds"]:
            shared = {**run.reindex(about), **{name: int(fold[name]) for name in counts}}
            answers = {**fold["songs"], "segments": fold["segments"], "majority": fold["majority"]}
            rows += [
                {**shared, "classifier": name, **{s: answer.get(s, np.nan) for s in SCORES}}
                for name, answer in answers.items()
            ]
    return pd.DataFrame(rows, columns=[*about, *counts, "classifier", *SCORES])


def frontend_notes(results: pd.DataFrame) -> list[str]:
    """Return what is said wherever runs with certain front-ends are shown, each sentence once.

    Parameters
    ----------
    results : from `collect`

    Examples
    --------
    >>> frontend_notes(pd.DataFrame({"frontend": ["logmel", float("nan")]}))
    []
    """
    said = {frontends.note(str(name)) for name in results.get("frontend", [])}
    return sorted(f"{note}." for note in said if note)


def _run_folders(folder: Path) -> Iterator[RunFolder]:
    """Yield every run below `folder`, also one that is a link or has lost its config.json."""
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or not os.path.isdir(entry):
            continue
        closed = not os.access(entry, os.R_OK | os.X_OK)
        if closed or os.path.lexists(entry / "config.json") or os.path.isdir(entry / "folds"):
            yield RunFolder(entry)


def _row(run: RunFolder) -> dict[str, Any]:
    row: dict[str, Any] = {
        **dict.fromkeys(
            ("corpus", "task", "method", "preset", "song_features", "fingerprint"), "?"
        ),
        "folder": plain(run.path.name),
        "path": str(run.path),
        "folds_done": 0,
    }
    try:
        return row | _read(run)
    except MerKitError as error:
        reason = str(error)
    except Exception as error:  # whatever is in one folder, the others keep their rows
        reason = (
            f"its files are not what a run writes ({type(error).__name__}: {error}): run it again"
        )
    return row | {"status": "unreadable", "reason": plain(reason)}


def _read(run: RunFolder) -> dict[str, Any]:
    """Return the entries of a row that come from a run's files."""
    if run.path.is_symlink():
        raise MerKitError(
            "it is a link to another folder, expected a run's own folder: also name the folder "
            "that the run is in, as in `mer-kit report A B --into C`"
        )
    config = run.config
    row = {name: config[name] for name in SETTINGS if name in config}
    row |= {"fingerprint": config.get("fingerprint", ""), "recipe": recipe(config)}
    row["division"] = division(with_songs(config, clips(run)))
    row["frontend"] = config.get("frontend", frontends.DEFAULT)
    options = config.get("corpus_options", {})
    row["options"] = plain(", ".join(f"{name}={options[name]}" for name in sorted(options)))
    row |= {name: config.get(name, none) for name, none in zip(NOISE, ("none", 0.0), strict=True)}
    metrics = run.metrics() if os.path.lexists(run.path / "metrics.json") else None
    if metrics is not None:
        row |= _scores(metrics, config) | costs.of_run(run, metrics["folds"])
    status, reason = status_of(run, config, metrics)
    return row | {"status": status, "reason": plain(reason)}


def _scores(metrics: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    folds, summary = metrics["folds"], metrics["summary"]
    strange = [fold["fold"] for fold in folds if fold["fold"] >= config["folds"]]
    if strange:
        raise MerKitError(
            f"metrics.json has fold {strange[0]} of a run with {config['folds']} folds, "
            f"expected 0 to {config['folds'] - 1}: run notebook 04_song_decisions again"
        )
    song = _summarised([headline(fold["songs"]) for fold in folds])
    compared = _summarised([headline(fold["songs"], COMPARED) for fold in folds])
    segments = _summarised([fold["segments"] for fold in folds])
    majority = _summarised([fold["majority"] for fold in folds])
    row: dict[str, Any] = {
        "folds_done": len(folds),
        "n_songs": int(summary["n_songs"]),
        "seconds": _number(summary.get("seconds")),
    }
    for name in ("mean", "sd"):
        row[f"segment_accuracy_{name}"] = _of(segments, "accuracy", name)
        row |= {f"song_{score}_{name}": _of(song, score, name) for score in SCORES}
        row |= {f"compared_{score}_{name}": _of(compared, score, name) for score in SCORES[:2]}
    for score in SCORES[:2]:
        row[f"majority_{score}_mean"] = _of(majority, score, "mean")
        row |= {f"pooled_{score}_{k}": _of(summary["pooled"], k, score) for k in CLASSIFIERS}
    return row


def _summarised(folds: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return mean and sd of the scores that every fold has."""
    return scores.summarise(
        [{name: _number(fold.get(name)) for name in SCORES if name in folds[0]} for fold in folds]
    )


def _number(value: float | None) -> float:
    return float(np.array(value, dtype=float))  # NaN for null


def _of(table: Mapping[str, Any], name: str, key: str) -> float:
    """Return one number of a nested table, NaN if it is missing, as in older runs."""
    return _number(table.get(name, {}).get(key))
