"""How far a run is, why it is not done, and which of its notebooks failed.

Notebook: 06_results
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mer_kit.checks import MerKitError, plain
from mer_kit.format import plural
from mer_kit.runs import schema
from mer_kit.runs.run_folder import RunFolder

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
    found = (file for home in homes for file in home.glob("[!.]*.status.json"))
    failed: list[dict[str, Any]] = []
    for file in sorted(found, key=lambda path: (path.name, path.parent.name)):
        try:
            status = schema.read_json(file, schema.STATUS, inside=run)
        except MerKitError as error:
            status = {"state": "failed", "message": str(error)}
        if status.get("state") == "failed":
            where = f" fold {file.parent.name}" * (file.parent.parent.name == "folds")
            failed.append(
                {
                    "notebook": plain(file.name.removesuffix(".status.json") + where),
                    "message": plain(str(status.get("message", ""))),
                    "log": [
                        plain(str(line), schema.LOG_WIDTH)
                        for line in status.get("log", [])[-schema.LOG_LINES :]
                    ],
                }
            )
    return failed


def status_of(
    run: RunFolder, config: dict[str, Any], metrics: dict[str, Any] | None
) -> tuple[str, str]:
    """Return a run's status, and the reason if it is not "done".

    Parameters
    ----------
    config, metrics : content of config.json and metrics.json; None before any song is decided

    Examples
    --------
    >>> status_of(RunFolder("nowhere"), {"folds": 10}, None)
    ('new', 'no fold is finished yet')
    """
    failure = _failure(run)
    if failure:
        return "failed", failure
    done = [number for number in run.folds_done() if number < config["folds"]]
    try:
        for number in done:
            run.check_seal(number, quick=True)
    except MerKitError as error:
        return "changed", str(error)
    state_of = {number: run.fold_status(number).get("state") for number in run.fold_numbers()}
    unfinished = {
        state: f"{_folds([n for n, its in state_of.items() if its == state])} {words}"
        for state, words in _OPEN.items()
        if state in state_of.values()
    }
    if metrics is None and done:
        action = "run notebook 04_song_decisions"
        return "undecided", f"{_folds(done)} trained, no song is decided yet: {action}"
    if metrics is None:
        reason = "; ".join(unfinished.values()) or "no fold is finished yet"
        return next(iter(unfinished), "new"), reason
    decided = {fold["fold"] for fold in metrics["folds"]}
    late = [number for number in done if number not in decided]
    if late:
        reason = "trained, but not in the scores yet: run 04_song_decisions"
        return "partial", f"{_folds(late)} {reason}"
    if len(decided) < int(config["folds"]):
        return "partial", "; ".join(
            [f"{len(decided)} of {config['folds']} folds", *unfinished.values()]
        )
    return "done", ""


def _failure(run: RunFolder) -> str:
    """Return what failed: a notebook, the run itself or a fold; "" if none did."""
    broken = failures(run.path)
    if broken:
        more = f" (and {plural(len(broken) - 1, 'more notebook')})" * (len(broken) > 1)
        return f"{broken[0]['notebook']}: {broken[0]['message']}{more}"
    for number in (None, *run.fold_numbers()):
        status = run.fold_status(number)
        if status.get("state") == "failed":
            where = f"fold {number}: " * (number is not None)
            return f"{where}{status.get('message', 'no message was left')}"
    return ""


def _folds(numbers: Sequence[int]) -> str:
    names = ", ".join(map(str, numbers))
    return f"fold {names} is" if len(numbers) == 1 else f"folds {names} are"
