"""How far a run is, and why it is not done: read from the status files of the run, its folds and its notebooks.

Notebook: 06_results
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mer_kit.checks import MerKitError, plain
from mer_kit.runs import schema
from mer_kit.runs.run_folder import RunFolder
from mer_kit.runs.schema import LOG_LINES, LOG_WIDTH, log_of


def failures(run: Path) -> list[dict[str, Any]]:
    """Return a run's notebooks that failed, in reading order: notebook, message and the last lines it printed (log)."""
    found = []
    folds = [RunFolder(run).fold(number) for number in RunFolder(run).fold_numbers()]
    files = [
        file for home in (run / "notebooks", *folds) for file in home.glob("[!.]*.status.json")
    ]
    for file in sorted(files, key=lambda path: (path.name, path.parent.name)):
        try:
            status = schema.read_json(file, schema.STATUS, inside=run)
        except MerKitError as error:
            status = {"state": "failed", "message": str(error)}
        if status.get("state") == "failed":
            of_fold = f" fold {file.parent.name}" if file.parent.parent.name == "folds" else ""
            name = file.name.removesuffix(".status.json") + of_fold
            log = [plain(line, LOG_WIDTH) for line in log_of(status)[-LOG_LINES:]]
            found.append(
                {
                    "notebook": plain(name),
                    "message": plain(str(status.get("message", ""))),
                    "log": log,
                }
            )
    return found


def of(run: RunFolder, config: dict[str, Any], metrics: dict[str, Any] | None) -> tuple[str, str]:
    """Return a run's status and why it is not "done"."""
    broken = failures(run.path)
    if broken:
        more = f" (and {len(broken) - 1} more notebooks)" if len(broken) > 1 else ""
        return "failed", f"{broken[0]['notebook']}: {broken[0]['message']}{more}"
    own_file = run.path / "status.json"
    own = (
        schema.read_json(own_file, schema.STATUS, inside=run.path)
        if os.path.lexists(own_file)
        else {}
    )
    if own.get("state") == "failed":
        return "failed", str(own.get("message", "no message was left"))
    states = {number: run.fold_status(number) for number in run.fold_numbers()}
    for number, state in sorted(states.items()):
        if state.get("state") == "failed":
            return "failed", f"fold {number}: {state.get('message', 'no message was left')}"
    decided = [fold["fold"] for fold in metrics["folds"]] if metrics else []
    done = [number for number in run.folds_done() if number < config["folds"]]
    changed = _changed(run, done)
    if changed:
        return "changed", changed
    if metrics is None and done:
        return (
            "undecided",
            f"{_folds(done)} trained, no song is decided yet: run notebook 04_song_decisions",
        )
    said = {
        "running": "running, or interrupted",
        "paused": "paused: the same command or notebook goes on",
    }
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
        return (
            "partial",
            f"{_folds(late)} trained, but the scores do not count that yet: run 04_song_decisions",
        )
    if len(decided) < int(config["folds"]):
        return "partial", f"{len(decided)} of {config['folds']} folds" + (
            f"; {busy}" if busy else ""
        )
    return "done", ""


def _changed(run: RunFolder, folds: Sequence[int]) -> str:
    """Return which file of a finished fold is not the one that its training left, or ""."""
    try:
        for number in folds:
            run.check_seal(number, quick=True)
    except MerKitError as error:
        return str(error)
    return ""


def _folds(numbers: Sequence[int]) -> str:
    return f"fold{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))} {'are' if len(numbers) > 1 else 'is'}"
