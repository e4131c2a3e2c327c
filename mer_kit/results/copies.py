"""Runs that are in several places: whether their copies agree, and the table with each run once.

Notebook: 06_results
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mer_kit.checks import MerKitError
from mer_kit.results import runs_table
from mer_kit.runs.run_folder import RunFolder


def compare_copies(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each run that is in several places: run, places, folds in all, says.

    Copies agree if all folds decided in every copy have bit-identical scores.

    Parameters
    ----------
    table : from `collect`

    Examples
    --------
    >>> compare_copies(pd.DataFrame({"folder": ["a-run"], "path": ["x/a-run"]})).empty
    True
    """
    rows = []
    several = table[table.duplicated("folder", keep=False)]
    for name, copies in several.groupby("folder", sort=False):
        by_copy = [_fold_scores(Path(path)) for path in copies["path"]]
        shared = sorted(set.intersection(*map(set, by_copy)))
        differing = [k for k in shared if any(copy[k] != by_copy[0][k] for copy in by_copy)]
        says = "; ".join(_difference(k, [copy[k] for copy in by_copy]) for k in differing)
        rows.append(
            (
                name,
                len(copies),
                len(shared),
                (says or "the same") if shared else "no fold in common",
            )
        )
    return pd.DataFrame(rows, columns=["run", "places", "folds in all", "says"])


def without_copies(table: pd.DataFrame) -> pd.DataFrame:
    """Return `collect` with each run once: the (first) copy with most finished folds.

    Examples
    --------
    >>> table = pd.DataFrame({"folder": ["a", "a", "b"], "folds_done": [1, 3, 2]})
    >>> without_copies(table)["folds_done"].tolist()
    [3, 2]
    """
    by_folds = table.sort_values("folds_done", ascending=False, kind="stable")
    kept = by_folds.drop_duplicates("folder").index
    return table.loc[sorted(kept)].reset_index(drop=True)


def _fold_scores(run: Path) -> dict[int, dict[str, float]]:
    """Return fold → headline scores; {} if no song is decided or the file cannot be read."""
    try:
        folds = RunFolder(run).metrics()["folds"]
    except MerKitError:
        return {}
    by_fold = {int(fold["fold"]): dict(runs_table.headline(fold["songs"])) for fold in folds}
    return {number: scores for number, scores in by_fold.items() if scores}


def _difference(fold: int, copies: Sequence[dict[str, float]]) -> str:
    accuracies = (f"{scores.get('accuracy', float('nan')):.4f}" for scores in copies)
    return f"fold {fold}: accuracy {' or '.join(accuracies)}"
