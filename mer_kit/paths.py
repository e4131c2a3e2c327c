"""Folders for data, cache and runs: an environment variable, the checkout, or ./."""

import os
import tomllib
from pathlib import Path


def project_root() -> Path | None:
    """Return the mer-kit checkout in use, or None.

    The nearest folder upwards from the current one whose pyproject.toml names mer-kit; else the
    checkout that this package was imported from. So notebooks, tests and run folders agree.

    Source: D: our decision; notebooks run with changing current folders.
    """
    here = Path.cwd()
    candidates = [here, *here.parents, Path(__file__).resolve().parents[1]]
    checkouts = (folder for folder in candidates if _names_mer_kit(folder / "pyproject.toml"))
    return next(checkouts, None)


def _names_mer_kit(pyproject: Path) -> bool:
    try:
        content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    project = content.get("project")
    return isinstance(project, dict) and project.get("name") == "mer-kit"


def cache_root() -> Path:
    """Return the cache folder: MER_CACHE, `<project>/cache` or ~/.cache/mer-kit.

    It holds only data that can be computed again, and need not exist yet.

    Examples
    --------
    >>> from unittest import mock
    >>> with mock.patch.dict(os.environ, MER_CACHE="/scratch/cache"):
    ...     print(cache_root())
    /scratch/cache
    """
    project = project_root()
    usual = project / "cache" if project else Path.home() / ".cache" / "mer-kit"
    return _chosen("MER_CACHE") or usual


def _chosen(variable: str) -> Path | None:
    """Return the folder in an environment variable, None if it is unset or empty."""
    chosen = os.environ.get(variable)
    return Path(chosen).expanduser().absolute() if chosen else None


def default_data_root() -> Path:
    """Return the folder of the datasets: MER_DATA, `<project>/data` or ./data; it need not exist.

    Examples
    --------
    >>> from unittest import mock
    >>> with mock.patch.dict(os.environ, MER_DATA="/datasets"):
    ...     print(default_data_root())
    /datasets
    """
    return _chosen("MER_DATA") or (project_root() or Path.cwd()) / "data"


def default_runs_dir() -> Path:
    """Return the folder of the runs: MER_RUNS, `<project>/runs` or ./runs.

    Examples
    --------
    >>> from unittest import mock
    >>> with mock.patch.dict(os.environ, MER_RUNS="/scratch/runs"):
    ...     print(default_runs_dir())
    /scratch/runs
    """
    return _chosen("MER_RUNS") or (project_root() or Path.cwd()) / "runs"
