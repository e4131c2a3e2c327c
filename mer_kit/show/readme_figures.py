"""figures/: what the README shows, taken from finished runs, never drawn by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

from mer_kit.checks import MerKitError
from mer_kit.corpora.base import project_root
from mer_kit.runs.archive import RunFolder, all_runs, writing

#: Name in figures/ → figure of the demo run; those of notebook 03 lie in fold 0's folder.
FIGURES: dict[str, str] = {
    "emotion_curve": "figures/05-emotion-curve",
    "loss_histograms": "figures/02-loss-histograms",
    "disowned_seconds": "figures/02-disowned-1",
    "x_and_u": "folds/0/figures/03-x-and-u",
    "song_decisions": "figures/04-deciders",
}
#: Figures that notebook 00 keeps beside the runs.
SHARED: dict[str, str] = {"flow": "flow"}
#: The paper's Fig. 2, where a run on the real 4Q has drawn it.
FIG2 = ("fig2_4q", "05-emotion-curve")


def write(runs_dir: Path, out: Path | None = None) -> list[Path]:
    """Copy the README's figures from the newest demo run to `out` (default: the checkout's figures/).

    The paper's Fig. 2 comes along if a run on 4Q with SSSL is there; otherwise the one in `out` stays as it is.

    Raises
    ------
    MerKitError
        If there is no finished demo run, or it lacks one of the figures.
    """
    demo, real = newest(runs_dir, corpus="demo", preset="demo"), newest(runs_dir, corpus="4q")
    if demo is None:
        raise MerKitError(f"no finished demo run in {runs_dir.name}/: run `mer-kit demo` first")
    root = project_root()
    target = out or ((root / "figures") if root else Path("figures"))
    written = [_copy(demo.path / source, target / name) for name, source in FIGURES.items()]
    written += [_copy(runs_dir / "figures" / source, target / name) for name, source in SHARED.items()]
    if real is not None and (real.path / "figures" / f"{FIG2[1]}.png").exists():
        written.append(_copy(real.path / "figures" / FIG2[1], target / FIG2[0]))
    return [path for pair in written for path in pair]


def _copy(source: Path, target: Path) -> list[Path]:
    """Copy a figure's PNG and SVG (both paths without ending); return what was written."""
    copies = []
    for ending in (".png", ".svg"):
        found, wanted = source.with_name(source.name + ending), target.with_name(target.name + ending)
        if not found.exists():
            raise MerKitError(f"the demo run has no figure {found.name}: run `mer-kit demo` again")
        with writing(wanted) as partial:
            shutil.copyfile(found, partial)
        copies.append(wanted)
    return copies


def newest(runs_dir: Path, *, corpus: str, preset: str | None = None) -> RunFolder | None:
    """Return the SSSL run on a corpus (and preset) that was finished last, or None."""
    wanted = {"corpus": corpus, "method": "sssl", "task": "quadrant"} | ({"preset": preset} if preset else {})
    fitting = [
        run
        for run in all_runs(runs_dir)
        if run.status == "done" and all(run.config.get(name) == value for name, value in wanted.items())
    ]
    return max(fitting, key=lambda run: (run.path / "status.json").stat().st_mtime, default=None)
