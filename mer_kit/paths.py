"""Where data, cache and runs are on this machine: an environment variable, else the checkout, else the current folder."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path


def project_root() -> Path | None:
    """Return the mer-kit checkout we are working in, or None.

    The nearest folder upwards from the current one whose pyproject.toml names mer-kit; where there is none, the
    checkout that this package was imported from. So a notebook, a test and a run folder all find the same one.

    Source: D: our decision; notebooks run with changing current folders.
    """
    here = Path.cwd()
    candidates = [here, *here.parents, Path(__file__).resolve().parents[1]]
    return next(
        (folder for folder in candidates if _names_mer_kit(folder / "pyproject.toml")), None
    )


def _names_mer_kit(pyproject: Path) -> bool:
    try:
        content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    project = content.get("project")
    return isinstance(project, dict) and project.get("name") == "mer-kit"


def cache_root() -> Path:
    """Return the folder for things that can be computed again: MER_CACHE, `<project>/cache` or ~/.cache/mer-kit.

    The folder need not exist yet.
    """
    if os.environ.get("MER_CACHE"):
        return Path(os.environ["MER_CACHE"]).expanduser().absolute()
    project = project_root()
    return project / "cache" if project else Path.home() / ".cache" / "mer-kit"


def default_data_root() -> Path:
    """Return the folder where datasets are looked for: MER_DATA, `<project>/data` or ./data.

    The folder need not exist.
    """
    if os.environ.get("MER_DATA"):
        return Path(os.environ["MER_DATA"]).expanduser().absolute()
    return (project_root() or Path.cwd()) / "data"


def default_runs_dir() -> Path:
    """Return MER_RUNS, `<project>/runs` or ./runs."""
    if os.environ.get("MER_RUNS"):
        return Path(os.environ["MER_RUNS"]).expanduser().absolute()
    return (project_root() or Path.cwd()) / "runs"
