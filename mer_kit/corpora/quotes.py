"""Quotes that are not closed, in which whole rows of a table would vanish."""

from __future__ import annotations

import csv
import io
import re
from pathlib import PurePath

from mer_kit.checks import MerKitError

#: Digits with the signs of numbers, dates and times: what a cell of free text is not.
NUMERIC = re.compile(r"[\d\s.,:/%+\-−]*\d[\d\s.,:/%+\-−]*")


def check_quotes(table: str, text: str, line: int, separator: str, width: int) -> None:
    """Raise where a row of several lines has them because a quote is not closed: they are rows themselves.

    That is so if the quotes do not fit csv's rules, or if each line inside has as many cells as the header and begins
    with a cell of the same kind.

    Parameters
    ----------
    text, line : the row as it is written, and the line that it begins on
    width : the number of the header's columns

    Raises
    ------
    MerKitError
        If rows would be lost.
    """
    lines = text.rstrip("\n").split("\n")
    rows = [inner.split(separator) for inner in lines[1:-1] or lines[1:]]
    kind = _kind(lines[0].split(separator)[0])
    swallowed = width > 1 and all(len(cells) >= width and _kind(cells[0]) == kind for cells in rows)
    try:
        list(csv.reader(io.StringIO(text), delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error:
        swallowed = True
    if swallowed:
        raise MerKitError(
            f'{table} line {line} has a quote (") that is closed only on line {line + len(lines) - 1}, if at all, so the '
            "rows between would be lost: close it, write it twice, or delete it"
        )


def _kind(cell: str) -> str:
    """Return what a row begins with: a number, a file's ending, or text."""
    cell = cell.strip().strip('"')
    return "number" if NUMERIC.fullmatch(cell) else PurePath(cell).suffix.lower()
