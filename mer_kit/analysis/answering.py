"""Which run, and which of its networks, may answer for a recording.

A song that a network was trained on would be remembered, not recognised.

Notebook: 05_emotion_curve
"""

from pathlib import Path

import pandas as pd

from mer_kit import corpora
from mer_kit.checks import MerKitError, check_choice
from mer_kit.files import checksum
from mer_kit.runs.run_folder import RunFolder, all_runs


def newest_run(runs_dir: str | Path) -> Path | None:
    """Return the run folder with the most recently finished fold, None if there is none.

    Runs on the demo corpus, whose networks were trained on no real music, do not count, nor do
    systems, which have no network.
    """
    finished = [
        (run.fold(k) / "status.json", run)
        for run in all_runs(runs_dir)
        if _knows_music(run)
        for k in run.folds_done()
    ]
    newest = max(finished, key=lambda pair: pair[0].stat().st_mtime, default=None)
    return newest and newest[1].path


def _knows_music(run: RunFolder) -> bool:
    try:
        return not run.config.get("system") and run.config["corpus"] != "demo"
    except MerKitError:  # reported where the run is read for its numbers
        return True


def who_answers(
    run: RunFolder, path: Path, fold: int | None, data_root: str | Path | None
) -> tuple[list[int], str, str | None, bool | None]:
    """Return the folds to use, a sentence on why, the clip's id or None, and if it is held out.

    The last is None if that is unknown.
    """
    config = run.config
    if config.get("system"):
        raise MerKitError(
            f"{run.path.name} is a run of the system {config['method']}, which keeps no network, "
            "expected a run of a method: name another run folder"
        )
    done = [k for k in run.folds_done() if k < config["folds"]]
    if not done:
        raise MerKitError(
            f"{run.path.name} has no finished fold, expected at least one: train it first"
        )
    if fold is not None:
        check_choice(f"fold (finished ones of {run.path.name})", fold, done)
    tables = pd.concat({k: run.segments(k)[["clip_id", "part"]] for k in done}, names=["fold"])
    parts = tables.groupby(["clip_id", "fold"])["part"].first()  # "train" or "test"
    corpus, allowed = config["corpus"], done if fold is None else [fold]
    clip_id, compared = _known_clip(run, path, set(tables["clip_id"]), data_root)
    if clip_id is None:
        network = f"the mean of {len(allowed)} folds' networks"
        if len(allowed) == 1:
            network = f"the network of fold {allowed[0]}"
        reason = {
            True: f"is not a clip of {corpus}",
            False: f"has no name of {corpus}, whose audio is not available for comparison",
        }[compared]
        return allowed, f"{path.name} {reason}: {network} is used.", None, compared or None
    tested = [k for k in allowed if parts[clip_id].get(k) == "test"]
    if tested:
        note = (
            f"{clip_id} is a clip of {corpus}: fold {tested[0]} is used, where it was a test song."
        )
        return tested, note, clip_id, True
    trained = ", ".join(f"fold {k}" for k in allowed)
    note = f"Beware: {clip_id} was a training song in {trained}, so this curve shows memorisation."
    return allowed, note, clip_id, False


def _known_clip(
    run: RunFolder, path: Path, ids: set[str], data_root: str | Path | None
) -> tuple[str | None, bool]:
    """Return the id of the run's clip with this name or these bytes, and if all were compared."""
    if path.stem in ids:
        return path.stem, True
    name, options = run.config["corpus"], dict(run.config.get("corpus_options") or {})
    try:
        if corpora.locate(name, data_root, **options) is None:
            return None, False
        clips, size = corpora.load(name, data_root, **options).clips, path.stat().st_size
        alike = [clip for clip in clips if clip.clip_id in ids and clip.path.stat().st_size == size]
        digest = checksum(path)
        equal = (clip.clip_id for clip in alike if checksum(clip.path) == digest)
        return next(equal, None), bool(clips)
    except (MerKitError, OSError, TypeError):  # no such corpus or option, or no audio
        return None, False
