"""The status of a run and the reason, from the status files of run, folds and notebooks.

Notebook: 06_results
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mer_kit.checks import MerKitError, plain
from mer_kit.format import plural
from mer_kit.runs import schema
from mer_kit.runs.run_folder import RunFolder
from mer_kit.runs.schema import LOG_LINES, LOG_WIDTH

#: What the state of an unfinished fold means.
_OPEN = {
    "running": "running, or interrupted",
    "paused": "paused: the same command or notebook resumes it",
}


def failures(run: Path) -> list[dict[str, Any]]:
    """Return a run's failed notebooks in reading order: notebook, message, last lines (log).

    Examples
    --------
    >>> import tempfile
    >>> from mer_kit.runs.run_folder import write_json
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "notebooks" / "02_noisy_labels.status.json"
    ...     write_json(file, {"state": "failed", "message": "KeyError: 'x'"})
    ...     failures(Path(folder))
    [{'notebook': '02_noisy_labels', 'message': "KeyError: 'x'", 'log': []}]
    """
    folder = RunFolder(run)
    homes = [run / "notebooks", *map(folder.fold, folder.fold_numbers())]
    files = [file for home in homes for file in home.glob("[!.]*.status.json")]
    failed = []
    for file in sorted(files, key=lambda path: (path.name, path.parent.name)):
        try:
            status = schema.read_json(file, schema.STATUS, inside=run)
        except MerKitError as error:
            status = {"state": "failed", "message": str(error)}
        if status.get("state") == "failed":
            name = file.name.removesuffix(".status.json")
            if file.parent.parent.name == "folds":
                name += f" fold {file.parent.name}"
            message = plain(str(status.get("message", "")))
            log = [plain(str(line), LOG_WIDTH) for line in status.get("log", [])[-LOG_LINES:]]
            failed.append({"notebook": plain(name), "message": message, "log": log})
    return failed


def of(run: RunFolder, config: dict[str, Any], metrics: dict[str, Any] | None) -> tuple[str, str]:
    """Return a run's status, and the reason if it is not "done".

    Parameters
    ----------
    config, metrics : content of config.json and metrics.json; None before any song is decided

    Examples
    --------
    >>> of(RunFolder("nowhere"), {"folds": 10}, None)
    ('new', 'no fold is finished yet')
    """
    failure = _failure(run)
    if failure:
        return "failed", failure
    states = {number: run.fold_status(number) for number in run.fold_numbers()}
    for number, status in states.items():
        if status.get("state") == "failed":
            return "failed", f"fold {number}: {status.get('message', 'no message was left')}"
    done = [number for number in run.folds_done() if number < config["folds"]]
    changed = _changed(run, done)
    if changed:
        return "changed", changed
    unfinished = {}
    for name, words in _OPEN.items():
        numbers = sorted(n for n, status in states.items() if status.get("state") == name)
        if numbers:
            unfinished[name] = f"{_folds(numbers)} {words}"
    if metrics is None:
        return _undecided(done, unfinished)
    decided = [fold["fold"] for fold in metrics["folds"]]
    late = [number for number in done if number not in decided]
    if late:
        reason = "trained, but not in the scores yet: run 04_song_decisions"
        return "partial", f"{_folds(late)} {reason}"
    if len(decided) < int(config["folds"]):
        count = f"{len(decided)} of {config['folds']} folds"
        return "partial", "; ".join([count, *unfinished.values()])
    return "done", ""


def _undecided(done: Sequence[int], unfinished: dict[str, str]) -> tuple[str, str]:
    """Return the status and reason of a run without scores."""
    if done:
        reason = "trained, no song is decided yet: run notebook 04_song_decisions"
        return "undecided", f"{_folds(done)} {reason}"
    if unfinished:
        return next(iter(unfinished)), "; ".join(unfinished.values())
    return "new", "no fold is finished yet"


def _failure(run: RunFolder) -> str:
    """Return what failed: a notebook or the run itself; "" if neither did."""
    broken = failures(run.path)
    if broken:
        reason = f"{broken[0]['notebook']}: {broken[0]['message']}"
        if len(broken) > 1:
            reason += f" (and {plural(len(broken) - 1, 'more notebook')})"
        return reason
    own_file = run.path / "status.json"
    if os.path.lexists(own_file):
        own = schema.read_json(own_file, schema.STATUS, inside=run.path)
        if own.get("state") == "failed":
            return str(own.get("message", "no message was left"))
    return ""


def _changed(run: RunFolder, folds: Sequence[int]) -> str:
    """Return which file of a finished fold has changed since its training, or ""."""
    try:
        for number in folds:
            run.check_seal(number, quick=True)
    except MerKitError as error:
        return str(error)
    return ""


def _folds(numbers: Sequence[int]) -> str:
    names = ", ".join(map(str, numbers))
    if len(numbers) == 1:
        return f"fold {names} is"
    return f"folds {names} are"
