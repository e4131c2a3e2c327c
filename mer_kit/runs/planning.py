"""Which notebooks a run executes, in which order, into which files, with which parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mer_kit.checks import MerKitError, shortened
from mer_kit.corpora.base import project_root
from mer_kit.runs.archive import RunFolder
from mer_kit.runs.config import RunConfig
from mer_kit.runs.parameters import parameters_of

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

    `truth` is the checksum of the segment truth (`runs.truth.digest`): where it changes, the notebooks are to do again.
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
            chosen = {key: value for key, value in {**shared, "fold": number}.items() if key in known}
            title = f"{name} fold {number}" if name.startswith("03") else name
            jobs.append(Job(title, notebook, home / f"{name}.ipynb", chosen, truth))
    return jobs


def parse_folds(text: str, folds: int) -> list[int]:
    """Return fold numbers from "0,2" or "0-2"; "" means all.

    Raises
    ------
    MerKitError
        If a part is no number, goes backwards, or there is no such fold.

    Examples
    --------
    >>> parse_folds("0,2", 10), parse_folds("1-3", 10), parse_folds("", 3)
    ([0, 2], [1, 2, 3], [0, 1, 2])
    """
    if not text.strip():
        return list(range(folds))
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", part, re.ASCII)
        said = f"folds {shortened(text)}"
        if not match:
            raise MerKitError(f"{said} cannot be read at {shortened(part.strip())}: write numbers like 0,2 or 0-2")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise MerKitError(f"{said} go backwards at {part.strip()!r}: write {last}-{first}")
        if last >= folds:
            raise MerKitError(f"fold {last} does not exist, expected 0 to {folds - 1}: folds are counted from 0")
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))
