"""Tables of features that were computed elsewhere: one row per song, one column per feature.

4Q's own hundred features, PMEmo's static_features.csv and what openSMILE writes are such tables.

Notebook: 04_song_decisions
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mer_kit.checks import MerKitError, check_columns
from mer_kit.corpora import ids, tables, text
from mer_kit.records import Problem

_log = logging.getLogger("mer_kit")
#: Columns of these names are annotations, which no system may learn from (see `tables.fold`).
ANNOTATIONS = {
    "quadrant", "label", "labels", "class", "emotion", "mood", "target", "pquad",
    "valence", "arousal", "valence(mean)", "arousal(mean)",
}  # fmt: skip


def read(
    path: Path, clip_ids: Sequence[str], *, exclude: Sequence[str] = ()
) -> tuple[np.ndarray, list[str]]:
    """Return the features of these songs, float64 [songs, D], and the names of the D columns.

    The first column has the songs' ids or file names, matched as in every other table
    (`corpora.ids`). Rows of other songs are ignored. Columns that are named like an annotation
    (quadrant, label, valence …) are left out with a warning.

    Parameters
    ----------
    exclude : names of further columns to leave out

    Raises
    ------
    MerKitError
        If the table cannot be read, a song has no row or several, a column of `exclude` is missing,
        no feature is left, or a cell is not a number.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "features.csv")
    ...     _ = path.write_text("file,start,tempo,flux\\nb.mp3,0,90,0.5\\na.mp3,0,120,0.25\\n")
    ...     values, names = read(path, ["a", "b"], exclude=["start"])
    >>> values.tolist(), names
    ([[120.0, 0.25], [90.0, 0.5]], ['tempo', 'flux'])
    """
    table = tables.read_table(path, exclude)
    first, *names = table.columns
    rows = _rows_of(path.name, table[first].tolist(), clip_ids)
    annotations = [name for name in names if tables.fold(name) in ANNOTATIONS]
    for name in annotations:
        _log.warning(
            "%s: column %r is left out, since it is named like an annotation", path.name, name
        )
    names = [name for name in names if name not in {*annotations, *exclude}]
    if not names:
        raise MerKitError(
            f"{path.name} has no column of features beside {first!r}, expected some: "
            "choose another table"
        )
    check_columns(path, names, names)
    return _numbers(path.name, table.iloc[rows], first, names), names


def _rows_of(table: str, wanted: Sequence[str], clip_ids: Sequence[str]) -> list[int]:
    """Return the row of each song."""
    notes: list[Problem] = []
    problems: list[Problem] = []
    # Of a path, as of an absolute one, the last parts decide.
    wanted = [re.sub(r"^(?=.*[/\\])", "/", name) for name in wanted]
    clip_of = ids.align(table, wanted, clip_ids, notes, problems, what="features")
    for problem in problems:
        raise MerKitError(str(problem))
    found: dict[str, int] = {}
    for row, name in enumerate(wanted):
        clip_id = clip_of.get(name)
        if clip_id in found:
            raise MerKitError(
                f"{table} has two rows of song {clip_id!r} ({wanted[found[clip_id]]!r} and "
                f"{name!r}), expected one: delete the other"
            )
        if clip_id is not None:
            found[clip_id] = row
    missing = [clip_id for clip_id in clip_ids if clip_id not in found]
    if missing:
        raise MerKitError(
            f"{table} has no row for {len(missing)} of {len(clip_ids)} songs, first "
            f"{missing[0]!r}, expected one row per song: add their features"
        )
    return [found[clip_id] for clip_id in clip_ids]


def _numbers(table: str, cells: pd.DataFrame, first: str, names: list[str]) -> np.ndarray:
    """Return cells as float64, or raise one sentence about the first that is not a number."""
    try:
        values = cells[names].to_numpy(dtype=np.float64)
        if np.isfinite(values).all():
            return values
    except ValueError:  # a decimal comma, or no number
        pass
    values = np.array([[text.number(cell) for cell in row] for row in cells[names].to_numpy()])
    wrong = np.argwhere(np.isnan(values))
    if len(wrong):
        row, column = wrong[0]
        raise MerKitError(
            f"{table} has {cells[names[column]].iloc[row]!r} in column {names[column]!r} of song "
            f"{cells[first].iloc[row]!r} ({len(wrong)} such cells), expected numbers: correct the "
            "table, or leave the column out with exclude"
        )
    return values
