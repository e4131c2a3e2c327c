"""The numbers of docs/results.md and README.md, made of the archives of answers in experiments/answers/.

    python tools/results_page.py                    # write both, and the figure of the noise map
    python tools/results_page.py --check            # exit 1 if they are not what the archives give
    python tools/results_page.py --archive [RUNS …] # first archive the finished runs of every experiment

tools/results_places.py writes what lies between `<!-- made of NAME -->` and `<!-- end of NAME -->`, people the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mer_kit.batch import grid, grid_file
from mer_kit.checks import MerKitError
from mer_kit.cli.options import report_errors
from mer_kit.files import writing
from mer_kit.format import plural
from mer_kit.paths import default_runs_dir, project_root
from mer_kit.results import archive, runs_table
from mer_kit.runs.config import RunConfig, as_dictionary
from mer_kit.runs.run_folder import RunFolder

sys.path.insert(0, str(Path(__file__).parent))
from results_places import ABOUT, PLACES, the_noise_map

#: The documents that have places.
PAGES = ("docs/results.md", "README.md")


# ---- archives ----------------------------------------------------------------------------------------------------------


def archive_runs(experiments: Path, runs_dirs: Sequence[Path]) -> list[str]:
    """Archive the runs of every experiment of which some are finished; return a line about each."""
    results, lines = runs_table.collect(runs_dirs), []
    for file in sorted(experiments.glob("*.yaml")):
        if file.stem.startswith("wrong_labels"):
            continue  # not the answers are of interest: tools/wrong_labels.py
        wanted = [
            (cell.variant, _as_stored(cell.config)) for cell in grid.cells(grid_file.read(file))
        ]
        done = results[results["status"] == "done"]
        its = done["path"].map(lambda path, wanted=wanted: _variant(RunFolder(path), wanted))
        finished = done[its.notna()]
        lines.append(f"{file.stem}: {len(finished)} of {plural(len(wanted), 'run')} finished")
        if len(finished):
            answers = experiments / "answers"
            variants = dict(zip(finished["folder"], its[its.notna()], strict=True))
            archive.write(finished, answers, file.stem, variants=variants)
            _note(answers / ABOUT, file.stem, finished)
    return lines


def _as_stored(config: RunConfig) -> dict[str, Any]:
    """Return a configuration as `RunFolder.config` reads it."""
    values: dict[str, Any] = json.loads(json.dumps(as_dictionary(config)))
    return values | {"segment_seconds": config.segment_seconds}  # infinite for whole clips


def _variant(run: RunFolder, wanted: Sequence[tuple[str, dict[str, Any]]]) -> str | None:
    """Return the variant of the first of the configurations that a run has, "" without variants; None if it has none."""
    try:
        stored = run.config
    except MerKitError:
        return None
    same = (
        variant
        for variant, one in wanted
        if all(stored.get(name) == value for name, value in one.items())
    )
    return next(same, None)


def _note(file: Path, name: str, runs: pd.DataFrame) -> None:
    """Note of an archive: the commit at which it was written, last run, hours of training, machine."""
    known = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    git = ["git", "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(
        git, capture_output=True, text=True, check=False, cwd=file.parent
    ).stdout.strip()
    last = max((Path(path) / "metrics.json").stat().st_mtime for path in runs["path"])
    known[name] = {
        "commit": commit or "unknown",
        "finished": datetime.fromtimestamp(last, UTC).date().isoformat(),
        "hours": round(float(runs["seconds"].sum()) / 3600, 2),
        "machine": f"{os.cpu_count()} CPU cores",
    }
    with writing(file) as partial:
        partial.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


# ---- the page ----------------------------------------------------------------------------------------------------------


def filled(text: str, answers: Path) -> str:
    """Return a page with every place filled from the archives.

    Raises
    ------
    MerKitError
        If a place is unknown or not closed, or its archive is missing.
    """
    for name in re.findall(r"<!-- made of (.+?) -->", text):
        if name not in PLACES:
            raise MerKitError(f"place {name!r} is unknown, expected one of {', '.join(PLACES)}")
        begin, end = f"<!-- made of {name} -->", f"<!-- end of {name} -->"
        pattern = rf"(?s){re.escape(begin)}.*?{re.escape(end)}"
        if len(re.findall(pattern, text)) != 1:
            raise MerKitError(f"place {name!r} is not closed exactly once, expected {end} after it")
        first, last = text.index(begin), text.index(end)
        text = f"{text[:first]}{begin}\n\n{PLACES[name](answers)}\n\n{text[last:]}"
    return text


@report_errors
def main() -> None:
    """Write the pages, or check that they are current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if a page is not current"
    )
    parser.add_argument(
        "--archive",
        type=Path,
        nargs="*",
        metavar="RUNS",
        help="first archive the finished runs of these folders (default: MER_RUNS, else runs/)",
    )
    given = parser.parse_args()
    root = project_root() or Path.cwd()
    answers = root / "experiments/answers"
    if given.archive is not None:
        folders = given.archive or [default_runs_dir()]
        print("\n".join(archive_runs(root / "experiments", folders)))
    for page in (root / name for name in PAGES):
        before = page.read_text("utf-8")
        text = filled(before, answers)
        if given.check and text != before:
            raise MerKitError(f"{page.name} is not what the archives give: run `make results-page`")
        if not given.check:
            page.write_text(text, "utf-8")
            print(f"wrote {page.name}")
    if not given.check:
        the_noise_map(answers, root / "figures")


if __name__ == "__main__":
    main()
