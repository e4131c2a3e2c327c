"""What the runs found: one row a run, and the paper's tables 2 and 3 with our rows beneath the paper's.

Notebook: 06_results
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.runs.archive import RunFolder, read_json, write_table
from mer_kit.runs.beside_paper import markdown, table2, table3
from mer_kit.runs.copies import log_of
from mer_kit.songs import scores
from mer_kit.songs.deciders import NAMES as DECIDERS

__all__ = ["collect", "failures", "fold_scores", "markdown", "table2", "table3", "write_results_csv"]

#: The decider whose scores are a run's headline: the paper's.
HEADLINE = "svm"
#: The scores that are kept of every decider; macro_f1 is the headline F1 (D), positive_f1 exists for two classes.
SCORES = ("accuracy", "macro_f1", "weighted_f1", "positive_f1")
_SETTINGS = ("corpus", "task", "segment_seconds", "method", "preset", "seed", "song_features", "folds")
_MEANS = [f"{score}_{part}" for score in SCORES for part in ("mean", "sd")]
#: The columns of `collect`.
COLUMNS: tuple[str, ...] = (
    *_SETTINGS, "folds_done", "n_songs", "segment_accuracy_mean", "segment_accuracy_sd",
    *(f"song_{name}" for name in _MEANS), *(f"pooled_{score}_{name}" for name in DECIDERS for score in SCORES[:2]),
    "majority_accuracy_mean", "majority_macro_f1_mean", "seconds", "fingerprint", "recipe", "status", "reason",
    "folder", "path",
)  # fmt: skip


def collect(runs_dirs: str | Path | Sequence[str | Path]) -> pd.DataFrame:
    """Return one row a run folder below `runs_dirs`: settings, scores over folds, pooled scores, where they come from.

    `song_…` are the SVM's, mean and sd over folds (n − 1; NaN for one fold); `pooled_…` count every song once;
    `folds_done` of `folds` says how far the run is. `status` is "done", "partial" (some folds are still to come),
    "undecided" (trained, no songs decided), "running", "paused" (stopped by hand), "new", "failed" or "unreadable";
    `reason` says why it is not "done". No folder is dropped: what cannot be read has a row with its reason and no numbers.
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
    write_table(folder / "results.csv", table.drop(columns="path"), float_format="%.6g")
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
            other = [k for k in sorted(shared) if any(scores[k] != found[0][k] for scores in found[1:])]
            says = "; ".join(_difference(k, [scores[k] for scores in found]) for k in other)
            says = says or ("the same" if shared else "no fold in common")
            rows.append({"run": name, "places": len(copies), "folds in all": len(shared), "says": says})
    return pd.DataFrame(rows, columns=["run", "places", "folds in all", "says"])


def _fold_scores(run: Path) -> dict[int, dict[str, float]]:
    """Return fold → the headline decider's scores; {} where no song is decided or the file is torn."""
    try:
        return {int(fold["fold"]): dict(fold["songs"][HEADLINE]) for fold in read_json(run / "metrics.json")["folds"]}
    except (MerKitError, KeyError, TypeError):
        return {}


def _difference(fold: int, found: Sequence[dict[str, float]]) -> str:
    return f"fold {fold}: accuracy " + " or ".join(f"{scores.get('accuracy', float('nan')):.4f}" for scores in found)


def without_copies(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of `collect` with each run once: the copy with most finished folds, the first of equals."""
    order = table.sort_values("folds_done", ascending=False, kind="stable").drop_duplicates("folder")
    return table.loc[sorted(order.index)].reset_index(drop=True)


def fold_scores(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each run, fold and answer: the deciders', "segments" (one segment each) and "majority".

    Columns: the settings, recipe, folder, fold, n_train, n_test, decider, and the SCORES (fractions). Runs without
    scores give no rows.

    Parameters
    ----------
    results : from `collect`
    """
    rows = []
    for _, run in results.iterrows():
        if not (isinstance(run["path"], str) and run["folds_done"] and _finite(run["song_accuracy_mean"])):
            continue
        about = {name: run[name] for name in (*_SETTINGS, "recipe", "folder")}
        for fold in read_json(Path(run["path"]) / "metrics.json")["folds"]:
            counts = {name: int(fold[name]) for name in ("fold", "n_train", "n_test")}
            answers = {**fold["songs"], "segments": fold["segments"], "majority": fold["majority"]}
            rows += [
                {**about, **counts, "decider": name, **{score: answer.get(score, np.nan) for score in SCORES}}
                for name, answer in answers.items()
            ]
    columns = [*_SETTINGS, "recipe", "folder", "fold", "n_train", "n_test", "decider", *SCORES]
    return pd.DataFrame(rows, columns=columns)


def _run_folders(folder: Path) -> Iterator[RunFolder]:
    """Yield everything below `folder` that is a run, also one whose config.json is gone."""
    if folder.is_dir():
        for entry in sorted(folder.iterdir()):
            looks_like_one = (entry / "config.json").exists() or (entry / "folds").is_dir()
            if entry.is_dir() and not entry.name.startswith(".") and looks_like_one:
                yield RunFolder(entry)


def _row(run: RunFolder) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("corpus", "task", "method", "preset", "song_features", "fingerprint"), "?")
    row |= {"folder": run.path.name, "path": str(run.path), "folds_done": 0}
    try:
        config = run.config
        row |= {name: config[name] for name in _SETTINGS}
        row |= {"fingerprint": config.get("fingerprint", ""), "recipe": recipe(config)}
        metrics = run.metrics() if (run.path / "metrics.json").exists() else None
        if metrics is not None:
            row |= _scores(metrics)
        row["status"], row["reason"] = _state(run, config, metrics)
    except MerKitError as error:
        return row | {"status": "unreadable", "reason": str(error)}
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"config.json or metrics.json is not what a run writes ({type(error).__name__}: {error}): run again"
        return row | {"status": "unreadable", "reason": reason}
    return row


def recipe(config: dict[str, Any]) -> str:
    """Return 8 hex digits that runs share which differ in nothing but corpus, task, duration, method, preset or seed.

    What the preset sets counts, only its name does not; and so do the clips (the corpus' checksum).
    """
    free = {"corpus", "task", "segment_seconds", "method", "preset", "seed", "on_bad_clip"}
    about = {"fingerprint", "n_clips", "skipped", "versions", "python"}
    kept = {name: value for name, value in config.items() if name not in free | about}
    if kept.get("divide_by") == "folds":  # older runs do not name it
        del kept["divide_by"]
    if kept.get("grouping") == "exact":  # likewise
        del kept["grouping"]
    return hashlib.blake2b(json.dumps(kept, sort_keys=True, default=str).encode(), digest_size=4).hexdigest()


def failures(run: Path) -> list[dict[str, Any]]:
    """Return a run's notebooks that failed, in reading order: notebook, message and the last lines it printed (log)."""
    found = []
    files = [*run.glob("notebooks/*.status.json"), *run.glob("folds/*/*.status.json")]
    for file in sorted(files, key=lambda path: (path.name, path.parent.name)):
        try:
            status = read_json(file)
        except MerKitError as error:
            status = {"state": "failed", "message": str(error)}
        if status.get("state") == "failed":
            of_fold = f" fold {file.parent.name}" if file.parent.parent.name == "folds" else ""
            name = file.name.removesuffix(".status.json") + of_fold
            found.append({"notebook": name, "message": str(status.get("message", "")), "log": log_of(status)})
    return found


def _scores(metrics: dict[str, Any]) -> dict[str, Any]:
    folds, summary = metrics["folds"], metrics["summary"]
    song = scores.summarise([fold["songs"][HEADLINE] for fold in folds])
    segments = scores.summarise([fold["segments"] for fold in folds])
    majority = scores.summarise([fold["majority"] for fold in folds])
    row: dict[str, Any] = {
        "folds_done": len(folds),
        "n_songs": int(summary["n_songs"]),
        "seconds": float(summary["seconds"]),
        "segment_accuracy_mean": segments["accuracy"]["mean"],
        "segment_accuracy_sd": segments["accuracy"]["sd"],
    }
    for score in SCORES:
        row[f"song_{score}_mean"] = song[score]["mean"] if score in song else float("nan")
        row[f"song_{score}_sd"] = song[score]["sd"] if score in song else float("nan")
    for score in SCORES[:2]:
        row[f"majority_{score}_mean"] = majority[score]["mean"]
        row |= {f"pooled_{score}_{name}": summary["pooled"][name][score] for name in DECIDERS}
    return row


def _state(run: RunFolder, config: dict[str, Any], metrics: dict[str, Any] | None) -> tuple[str, str]:
    """Return a run's status and why it is not "done"."""
    broken = failures(run.path)
    if broken:
        more = f" (and {len(broken) - 1} more notebooks)" if len(broken) > 1 else ""
        return "failed", f"{broken[0]['notebook']}: {broken[0]['message']}{more}"
    own = read_json(run.path / "status.json") if (run.path / "status.json").exists() else {}
    if own.get("state") == "failed":
        return "failed", str(own.get("message", "no message was left"))
    states = {int(file.parent.name): read_json(file) for file in run.path.glob("folds/[0-9]*/status.json")}
    for number, state in sorted(states.items()):
        if state.get("state") == "failed":
            return "failed", f"fold {number}: {state.get('message', 'no message was left')}"
    decided, done = [fold["fold"] for fold in metrics["folds"]] if metrics else [], run.folds_done()
    if metrics is None and done:
        return "undecided", f"{_folds(done)} trained, no song is decided yet: run notebook 04_song_decisions"
    said = {"running": "running, or interrupted", "paused": "paused: the same command or notebook goes on"}
    open_ = {}
    for name, words in said.items():
        numbers = [number for number, one in sorted(states.items()) if one.get("state") == name]
        if numbers:
            open_[name] = f"{_folds(numbers)} {words}"
    busy = "; ".join(open_.values())
    if metrics is None:
        return (next(iter(open_)), busy) if open_ else ("new", "no fold is finished yet")
    late = [number for number in done if number not in decided]
    if late:
        return "partial", f"{_folds(late)} trained, but the scores do not count that yet: run 04_song_decisions"
    if len(decided) < int(config["folds"]):
        return "partial", f"{len(decided)} of {config['folds']} folds" + (f"; {busy}" if busy else "")
    return "done", ""


def _folds(numbers: Sequence[int]) -> str:
    return f"fold{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))} {'are' if len(numbers) > 1 else 'is'}"


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and bool(np.isfinite(value))
