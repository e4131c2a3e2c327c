"""What the README shows of the demo corpus, taken from finished runs: figures/, and figures/demo_results.csv.

python tools/readme_figures.py    # from runs/ to figures/; `make figures` makes the runs first
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import binomtest  # type: ignore[import-untyped, unused-ignore]

from mer_kit.checks import MerKitError
from mer_kit.cli.options import report_errors
from mer_kit.files import write_table, writing
from mer_kit.format import percent
from mer_kit.paths import default_runs_dir, project_root
from mer_kit.results import runs_table
from mer_kit.results.copies import without_copies
from mer_kit.runs.run_folder import RunFolder, all_runs
from mer_kit.systems import CHAINS, TITLES

sys.path.insert(0, str(Path(__file__).parent))
from markdown_table import markdown

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
#: The README's table: where its numbers are kept, which columns, and what stands around it.
RESULTS = "demo_results.csv"
KEPT = (
    "folds", "folds_done", "n_songs", "pooled_accuracy_svm", "pooled_macro_f1_svm", "song_accuracy_mean",
    "song_accuracy_sd", "segment_accuracy_mean", "majority_accuracy_mean", "fingerprint",
)  # fmt: skip


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


def demo_results(runs_dir: Path) -> pd.DataFrame:
    """Return one row per method: the demo runs of 3 s with most finished folds, seed 0.

    Raises
    ------
    MerKitError
        If there is no such run.
    """
    runs = without_copies(runs_table.collect(runs_dir))
    wanted = {
        "corpus": "demo",
        "preset": "demo",
        "task": "quadrant",
        "segment_seconds": 3.0,
        "seed": 0,
    }
    for name, value in wanted.items():
        runs = runs[runs[name] == value]
    runs = runs[runs["song_accuracy_mean"].notna()].sort_values("folds_done")
    runs = runs.drop_duplicates("method", keep="last").set_index("method")
    if runs.empty:
        raise MerKitError(
            f"no finished demo run of 3 s in {runs_dir.name}/: run `make figures` first"
        )
    there = [name for name in CHAINS if name in runs.index]
    return runs.loc[there, list(KEPT)].reset_index()


def as_markdown(table: pd.DataFrame) -> str:
    """Return the table of `demo_results` as the README has it; intervals are Wilson's, 95 %, over all tested songs."""
    rows = []
    for _, run in table.iterrows():
        n, right = int(run["n_songs"]), round(run["pooled_accuracy_svm"] * run["n_songs"])
        low, high = binomtest(right, n).proportion_ci(method="wilson")
        rows.append(
            {
                "method": TITLES[run["method"]],
                "songs right, all folds": f"{right} of {n}",
                "95 % interval": f"{100 * low:.0f}–{100 * high:.0f} %",
                "mean ± sd over folds": percent(run["song_accuracy_mean"], run["song_accuracy_sd"]),
                "macro-F1": percent(run["pooled_macro_f1_svm"]),
                "segments": percent(run["segment_accuracy_mean"]),
                "run": f"`{run['fingerprint']}`",
            }
        )
    first = table.iloc[0]
    folds = f"{int(first['folds_done'])} of {int(first['folds'])} folds"
    note = (
        f"Four quadrants, 3 s, preset `demo`, seed 0, {folds}; percent; songs by the SVM. "
        f"The majority class scores {100 * first['majority_accuracy_mean']:.0f} %."
    )
    return f"{markdown(rows)}\n\n{note}"


@report_errors
def main() -> None:
    """Write the figures and the demo corpus' results, and name them."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    figures = (project_root() or Path.cwd()) / "figures"
    for path in write(default_runs_dir()):
        print(f"wrote {path.name}")
    write_table(figures / RESULTS, demo_results(default_runs_dir()), float_format="%.6g")
    print(f"wrote {RESULTS}")


if __name__ == "__main__":
    main()
