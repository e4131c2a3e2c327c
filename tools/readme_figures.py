"""figures/: what the README shows, copied from finished runs, never drawn by hand.

python tools/readme_figures.py          # from runs/ to figures/; `make figures` makes the runs first
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from mer_kit.checks import MerKitError
from mer_kit.files import writing
from mer_kit.paths import default_runs_dir, project_root
from mer_kit.runs.run_folder import RunFolder, all_runs

#: Name in figures/ → figure of the demo run.
FIGURES: dict[str, str] = {
    "emotion_curve": "figures/05-emotion-curve",
    "loss_histograms": "figures/02-loss-histograms",
    "data_map": "figures/02-data-map",
}
#: Figures that lie beside the runs: notebook 00 draws the flow, the results page accuracy against duration.
SHARED: dict[str, str] = {"flow": "flow", "accuracy_by_duration": "duration-demo-quadrant"}
#: The paper's Fig. 2, where a run on the real 4Q has drawn it.
FIG2 = ("fig2_4q", "05-emotion-curve")
#: Formats of every figure; the plotted numbers come along as CSV where a figure has any.
ENDINGS = ("png", "svg", "pdf")


def write(runs_dir: Path, out: Path | None = None) -> list[Path]:
    """Copy the README's figures from the newest demo run to `out` (default: the checkout's figures/).

    The paper's Fig. 2 comes along if a run on 4Q with SSSL is there; otherwise the one in `out` stays as it is.

    Raises
    ------
    MerKitError
        If there is no finished demo run, or a figure is missing; accuracy against duration wants demo runs of several
        durations.
    """
    demo, real = (
        newest(runs_dir, corpus="demo", preset="demo", segment_seconds=3.0),
        newest(runs_dir, corpus="4q"),
    )
    if demo is None:
        raise MerKitError(f"no finished demo run in {runs_dir.name}/: run `mer-kit demo` first")
    root = project_root()
    target = out or ((root / "figures") if root else Path("figures"))
    written = [_copy(demo.path / source, target / name) for name, source in FIGURES.items()]
    written += [
        _copy(runs_dir / "figures" / source, target / name) for name, source in SHARED.items()
    ]
    if real is not None and (real.path / "figures" / f"{FIG2[1]}.pdf").exists():
        written.append(_copy(real.path / "figures" / FIG2[1], target / FIG2[0]))
    return [path for pair in written for path in pair]


def _copy(source: Path, target: Path) -> list[Path]:
    """Copy a figure in all formats, with its data (both paths without ending); return what was written."""
    copies = []
    for ending in (*ENDINGS, "csv"):
        found, wanted = (
            source.with_name(f"{source.name}.{ending}"),
            target.with_name(f"{target.name}.{ending}"),
        )
        if ending == "csv" and not found.exists():
            continue
        if not found.exists():
            raise MerKitError(
                f"there is no figure {found.name} in {found.parent.parent.name}/: run `make figures`"
            )
        with writing(wanted) as partial:
            shutil.copyfile(found, partial)
        copies.append(wanted)
    return copies


def newest(runs_dir: Path, **settings: Any) -> RunFolder | None:
    """Return the SSSL run for four classes with these settings that was finished last, or None."""
    wanted = {"method": "sssl", "task": "quadrant", **settings}
    fitting = [
        run
        for run in all_runs(runs_dir)
        if run.status == "done"
        and all(run.config.get(name) == value for name, value in wanted.items())
    ]
    return max(fitting, key=lambda run: (run.path / "status.json").stat().st_mtime, default=None)


def main() -> int:
    """Copy the figures and name them; exit 1 with one sentence if one is missing."""
    try:
        for path in write(default_runs_dir()):
            print(f"wrote {path.name}")
    except MerKitError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
