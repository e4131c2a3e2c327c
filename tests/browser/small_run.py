"""A run of a minute for browser tests, made in a process of its own: Playwright's event loop tolerates no other.

python tests/browser/small_run.py FOLDER              train two folds and decide their songs
python tests/browser/small_run.py FOLDER notebooks    and execute all notebooks, as `mer-kit run` does
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
YOURS = "07_your_own_music"
COMPARE = "08_compare"
SMALL = {"corpus_options": {"clips": 16, "seconds": 12.0}, "epochs": 4, "warmup_epochs": 1}


def parameters(name: str, runs_dir: Path) -> dict[str, Any]:
    """Return what a notebook or its solution is to be run with; what it does not declare must be left out."""
    shared = {"preset": "smoke", "folds": 2, "runs_dir": str(runs_dir)}
    if name.startswith(YOURS[:2]):
        return shared
    shared |= {"corpus": "demo", "method": "sssl", "overrides": SMALL}
    if name.startswith(COMPARE[:2]):
        few = {"methods": "ce,sssl", "seeds": 1, "noise_kinds": "song", "noise_rates": "0.4"}
        shared |= few | {"overrides": {**SMALL, "frontend": "logmel_stats"}}
    return shared


def make(folder: Path, *extra: str) -> None:
    """Call this module in another process and wait for it.

    Raises
    ------
    AssertionError
        With what it printed, if it failed.
    """
    command = [sys.executable, __file__, str(folder), *extra]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def main(folder: Path, notebooks: bool) -> int:
    import torch

    from mer_kit.batch import planning
    from mer_kit.batch.jobs import execute
    from mer_kit.runs.experiment import Experiment
    from mer_kit.runs.presets import resolve

    torch.set_num_threads(1)
    typed = {"corpus": "demo", "preset": "smoke", "folds": 2, "method": "sssl"}
    experiment = Experiment(resolve(**typed, **SMALL), runs_dir=folder)
    experiment.run()
    if not notebooks:
        return 0
    jobs = planning.plan(experiment.folder, parameters("", folder), [0])
    for name in (YOURS, COMPARE):
        source, target = NOTEBOOKS / f"{name}.ipynb", folder / "more" / f"{name}.ipynb"
        jobs.append(planning.Job(name, source, target, parameters(name, folder)))
    return sum(outcome.state != "done" for outcome in execute(jobs, mark=experiment.fingerprint))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "notebooks" in sys.argv[2:]))
