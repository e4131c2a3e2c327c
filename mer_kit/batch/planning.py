"""The notebooks that a run executes: their order, output files and parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mer_kit.batch.parameters import parameters_of
from mer_kit.checks import MerKitError
from mer_kit.paths import project_root
from mer_kit.runs.config import RunConfig
from mer_kit.runs.run_folder import RunFolder

#: The notebooks in order; 03 is executed once per fold.
NOTEBOOKS = (
    "00_start_here",
    "01_segmentation",
    "02_noisy_labels",
    "03_sssl_training",
    "04_song_decisions",
    "05_emotion_curve",
    "06_results",
)
#: Those for a run of a system; the others show segments and their training.
OF_SYSTEMS = ("04", "06")


@dataclass(frozen=True)
class Job:
    """One notebook to execute: source, target and parameters.

    `truth` is the checksum of the segment-level ground truth.
    """

    name: str
    source: Path
    target: Path
    parameters: Mapping[str, Any]
    truth: str = ""


def notebooks_folder() -> Path:
    """Return the folder of the notebooks: of the checkout, else of the installed package.

    Raises
    ------
    MerKitError
        If there is neither.

    Examples
    --------
    >>> (notebooks_folder() / "03_sssl_training.ipynb").is_file()
    True
    """
    root = project_root()
    candidates = [Path(__file__).resolve().parents[1] / "notebooks"]
    if root:
        candidates.insert(0, root / "notebooks")
    for folder in candidates:
        if (folder / f"{NOTEBOOKS[0]}.ipynb").exists():
            return folder
    raise MerKitError(
        f"the notebooks were not found in {' or '.join(map(str, candidates))}, expected "
        f"{NOTEBOOKS[0]}.ipynb and the others: install mer-kit again"
    )


def plan(
    folder: RunFolder,
    parameters: Mapping[str, Any],
    only_folds: Sequence[int],
    *,
    truth: str = "",
    config: RunConfig | None = None,
) -> list[Job]:
    """Return the jobs of a run: every notebook once, but 03 once for each of `only_folds`.

    Copies of 03 are written to the folders of the folds. `truth` is the checksum of the
    segment-level ground truth (`corpora.truth.digest`); if it changes, the notebooks are executed
    again.

    Examples
    --------
    >>> jobs = plan(RunFolder("run"), {"seed": 1}, [0, 2])
    >>> [job.name for job in jobs][2:6]
    ['02_noisy_labels', '03_sssl_training fold 0', '03_sssl_training fold 2', '04_song_decisions']
    >>> jobs[4].target.as_posix(), jobs[4].parameters
    ('run/folds/2/03_sssl_training.ipynb', {'seed': 1, 'fold': 2})
    """
    source = notebooks_folder()
    shared = {**parameters, "only_folds": ",".join(str(number) for number in only_folds)}
    jobs: list[Job] = []
    for name in NOTEBOOKS:
        if config is not None and config.system and not name.startswith(OF_SYSTEMS):
            continue
        notebook = source / f"{name}.ipynb"
        declared = parameters_of(notebook)
        copies = [(name, folder.path / "notebooks", number) for number in only_folds[:1]]
        if name.startswith("03"):
            copies = [
                (f"{name} fold {number}", folder.fold(number), number) for number in only_folds
            ]
        for title, home, number in copies:
            values = {**shared, "fold": number}
            given = {key: value for key, value in values.items() if key in declared}
            jobs.append(Job(title, notebook, home / f"{name}.ipynb", given, truth))
    return jobs
