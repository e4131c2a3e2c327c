"""Which notebooks a run executes, in which order, into which files, with which parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mer_kit.batch.parameters import parameters_of
from mer_kit.checks import MerKitError
from mer_kit.paths import project_root
from mer_kit.runs.config import RunConfig
from mer_kit.runs.run_folder import RunFolder

#: The notebooks in their order; 03 is executed once a fold.
NOTEBOOKS = (
    "00_start_here",
    "01_segmentation",
    "02_noisy_labels",
    "03_sssl_training",
    "04_song_decisions",
    "05_emotion_curve",
    "06_results",
)
#: Those that a run of a system executes; the others look into segments and their training.
OF_SYSTEMS = ("04", "06")


@dataclass(frozen=True)
class Job:
    """One notebook to execute: where from, where to, with which parameters; `truth` is the segment truth's checksum."""

    name: str
    source: Path
    target: Path
    parameters: Mapping[str, Any]
    truth: str = ""


def notebooks_folder() -> Path:
    """Return the folder of the notebooks: the checkout's, else the copy that a wheel brings.

    Raises
    ------
    MerKitError
        If there is neither.
    """
    root = project_root()
    packaged = Path(__file__).resolve().parents[1] / "notebooks"
    candidates = [*([root / "notebooks"] if root else []), packaged]
    for folder in candidates:
        if (folder / f"{NOTEBOOKS[0]}.ipynb").exists():
            return folder
    raise MerKitError(
        f"the notebooks were not found in {' or '.join(map(str, candidates))}, expected {NOTEBOOKS[0]}.ipynb and the "
        "others: install mer-kit again"
    )


def plan(
    folder: RunFolder,
    parameters: Mapping[str, Any],
    only_folds: Sequence[int],
    *,
    truth: str = "",
    config: RunConfig | None = None,
) -> list[Job]:
    """Return the jobs of a run: every notebook once, 03 once for each of `only_folds` into that fold's folder.

    `truth` is the checksum of the segment truth (`corpora.truth.digest`): where it changes, the notebooks are to do again.
    """
    source = notebooks_folder()
    shared = {**parameters, "only_folds": ",".join(str(number) for number in only_folds)}
    jobs: list[Job] = []
    for name in NOTEBOOKS:
        if config is not None and config.system and not name.startswith(OF_SYSTEMS):
            continue
        each = only_folds if name.startswith("03") else only_folds[:1]
        for number in each:
            home = folder.fold(number) if name.startswith("03") else folder.path / "notebooks"
            notebook = source / f"{name}.ipynb"
            known = parameters_of(notebook)
            chosen = {
                key: value for key, value in {**shared, "fold": number}.items() if key in known
            }
            title = f"{name} fold {number}" if name.startswith("03") else name
            jobs.append(Job(title, notebook, home / f"{name}.ipynb", chosen, truth))
    return jobs
