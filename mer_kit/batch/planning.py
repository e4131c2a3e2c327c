"""The notebooks that a run executes: their order, output files, parameters, and which are done."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mer_kit.batch.executed import PLACES
from mer_kit.batch.parameters import parameters_of
from mer_kit.checks import MerKitError, check_choice
from mer_kit.paths import project_root
from mer_kit.runs.config import RunConfig
from mer_kit.runs.run_folder import RunFolder
from mer_kit.runs.schema import read_json
from mer_kit.signal.segments import WHOLE

#: The notebooks in order; 03 is executed once per fold, or once for all that train in seconds.
NOTEBOOKS = (
    "00_start_here",
    "01_segmentation",
    "02_noisy_labels",
    "03_sssl_training",
    "04_song_decisions",
    "05_emotion_curve",
    "06_results",
)
#: One that a run executes only if it is named: it compares all runs, and trains what it misses.
COMPARE = "08_compare"
#: Those for a run of a system; the others show segments and their training.
OF_SYSTEMS = ("04", "06", "08")
#: Those for whole clips, which are not cut.
OF_WHOLE_CLIPS = ("03", *OF_SYSTEMS)
#: Those that a run whose folds train in seconds executes on request only.
ON_REQUEST = ("02",)
#: Parameters that are covered by a run's fingerprint.
SETTINGS = ("overrides", *(field.name for field in dataclasses.fields(RunConfig)))


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

    @property
    def lock_file(self) -> Path:
        """The lock file that a process holds while it executes the notebook."""
        return self.target.with_name(f".{self.target.stem}.lock")

    @property
    def status_file(self) -> Path:
        """The file that tells how the last execution ended."""
        return self.target.with_suffix(".status.json")

    def status(self) -> dict[str, Any]:
        """Return the content of the status file, {} if there is none or it cannot be read."""
        try:
            return read_json(self.status_file)
        except MerKitError:
            return {}

    def key(self, mark: str) -> str:
        """Return the identity of a copy: fingerprint, source, parameters that are not settings.

        The fingerprint covers the settings, whether they were given or are defaults.
        """
        source = hashlib.blake2b(self.source.read_bytes(), digest_size=6).hexdigest()
        others = {
            name: value
            for name, value in sorted(self.parameters.items())
            if name not in (*PLACES, *SETTINGS)
        }
        key = f"{mark} {source} {others}"
        if self.truth:
            key += f" truth {self.truth}"
        return key

    def is_done(self, mark: str) -> bool:
        """Return whether the copy is finished, with the same source, parameters and fingerprint.

        Examples
        --------
        >>> Job("01", Path("01.ipynb"), Path("nowhere/01.ipynb"), {}).is_done("0123456789")
        False
        """
        stored = self.status()
        if stored.get("state") != "done" or not self.target.exists():
            return False
        return bool(stored.get("key") == self.key(mark))


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
    roots = (project_root(), Path(__file__).resolve().parents[1])
    candidates = [root / "notebooks" for root in roots if root]
    for folder in candidates:
        if (folder / f"{NOTEBOOKS[0]}.ipynb").exists():
            return folder
    raise MerKitError(
        f"the notebooks were not found in {' or '.join(map(str, candidates))}, expected "
        f"{NOTEBOOKS[0]}.ipynb and the others: install mer-kit again"
    )


def job_of(
    name: str, home: Path, parameters: Mapping[str, Any], title: str = "", truth: str = ""
) -> Job:
    """Return the job that executes a notebook into `home`, with the parameters it declares."""
    source = notebooks_folder() / f"{name}.ipynb"
    declared = parameters_of(source)
    given = {key: value for key, value in parameters.items() if key in declared}
    return Job(title or name, source, home / f"{name}.ipynb", given, truth)


def parse_notebooks(text: str) -> list[str]:
    """Return the numbers of notebooks from text like "03,04"; "" means [].

    Raises
    ------
    MerKitError
        If a run has no such notebook.

    Examples
    --------
    >>> parse_notebooks("02, 04")
    ['02', '04']
    """
    numbers = [number.strip() for number in text.split(",") if number.strip()]
    for number in numbers:
        check_choice("notebook", number, [name[:2] for name in (*NOTEBOOKS, COMPARE)])
    return numbers


def plan(
    folder: RunFolder,
    parameters: Mapping[str, Any],
    only_folds: Sequence[int],
    *,
    truth: str = "",
    config: RunConfig | None = None,
    notebooks: Sequence[str] = (),
) -> list[Job]:
    """Return the jobs of a run: every notebook once, but 03 once for each of `only_folds`.

    Copies of 03 are written to the folders of the folds. Where folds train in seconds
    (`RunConfig.trains_in_seconds`), a kernel for each would cost as much again: the copy of the
    first fold trains all of them, and ON_REQUEST is left out unless `notebooks` names it.

    Parameters
    ----------
    truth : checksum of the segment-level ground truth (`corpora.truth.digest`); if it changes, the
        notebooks are executed again
    config : the run's settings; None for a method whose folds take minutes
    notebooks : numbers like "04", to plan only these

    Examples
    --------
    >>> jobs = plan(RunFolder("run"), {"seed": 1}, [0, 2])
    >>> [job.name for job in jobs][2:6]
    ['02_noisy_labels', '03_sssl_training fold 0', '03_sssl_training fold 2', '04_song_decisions']
    >>> jobs[4].target.as_posix(), jobs[4].parameters
    ('run/folds/2/03_sssl_training.ipynb', {'seed': 1, 'fold': 2})
    """
    per_fold = {**parameters, "fold": only_folds[0]}
    shared = {**per_fold, "only_folds": ",".join(map(str, only_folds))}
    quick = config is not None and config.trains_in_seconds
    jobs: list[Job] = []
    for name in _chosen(config, notebooks):
        if not name.startswith("03"):
            jobs.append(job_of(name, folder.path / "notebooks", shared, truth=truth))
        elif quick:
            jobs.append(job_of(name, folder.fold(only_folds[0]), shared, truth=truth))
        else:
            jobs += [
                job_of(name, folder.fold(k), {**per_fold, "fold": k}, f"{name} fold {k}", truth)
                for k in only_folds
            ]
    return jobs


def _chosen(config: RunConfig | None, notebooks: Sequence[str]) -> list[str]:
    """Return the names of a run's notebooks that are executed, in order."""
    names = list(NOTEBOOKS)
    if notebooks:
        names = [name for name in (*NOTEBOOKS, COMPARE) if name[:2] in notebooks]
    if config is not None and config.system:
        return [name for name in names if name.startswith(OF_SYSTEMS)]
    if config is not None and config.segment_seconds == WHOLE:
        return [name for name in names if name.startswith(OF_WHOLE_CLIPS)]
    if config is not None and config.trains_in_seconds and not notebooks:
        return [name for name in names if not name.startswith(ON_REQUEST)]
    return names
