"""figures/: what the README shows, taken from the demo run, never drawn by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

from mer_kit.checks import MerKitError
from mer_kit.corpora.base import project_root
from mer_kit.runs.archive import RunFolder, all_runs, writing

#: Name in figures/ → name in the demo run's own figures/ (written by the notebooks).
FIGURES: dict[str, str] = {}


def write(runs_dir: Path, out: Path | None = None) -> list[Path]:
    """Copy the README's figures from the finished demo run to `out` (default: the checkout's figures/).

    Raises
    ------
    MerKitError
        If there is no finished demo run, or it lacks one of the figures.
    """
    run = demo_run(runs_dir)
    root = project_root()
    target = out or ((root / "figures") if root else Path("figures"))
    written = []
    for name, source in FIGURES.items():
        for ending in ("png", "svg"):
            found = run.path / "figures" / f"{source}.{ending}"
            if not found.exists():
                raise MerKitError(f"{run.path.name} has no figure {found.name}: run `mer-kit demo` again")
            with writing(target / f"{name}.{ending}") as partial:
                shutil.copyfile(found, partial)
            written.append(target / f"{name}.{ending}")
    return written


def demo_run(runs_dir: Path) -> RunFolder:
    """Return the newest finished SSSL run on the demo corpus with the demo preset.

    Raises
    ------
    MerKitError
        If there is none.
    """
    runs = [run for run in all_runs(runs_dir) if run.status == "done"]
    fitting = [run for run in runs if [run.config[k] for k in ("corpus", "method", "preset")] == ["demo", "sssl", "demo"]]
    if not fitting:
        raise MerKitError(f"no finished demo run in {runs_dir.name}/: run `mer-kit demo` first (`make figures` does)")
    return max(fitting, key=lambda run: (run.path / "status.json").stat().st_mtime)
