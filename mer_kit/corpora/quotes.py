"""Detect unclosed quotes, which would swallow whole rows of a table."""

import csv
import io
import re
from pathlib import PurePath

from mer_kit.checks import MerKitError

#: Digits and the signs of numbers, dates and times; a cell of free text does not match.
NUMERIC = re.compile(r"[\d\s.,:/%+\-−]*\d[\d\s.,:/%+\-−]*")


def check_quotes(table: str, text: str, line: int, separator: str, width: int) -> None:
    """Raise if a row spans several lines only because a quote is not closed.

    That is assumed if the quotes violate the rules of CSV, or if every further line has as many
    cells as the header and begins with a cell of the same kind: then these lines are rows
    themselves.

    Parameters
    ----------
    text, line : the row as written in the file, and its first line
    width : number of columns of the header

    Raises
    ------
    MerKitError
        If rows would be lost.

    Examples
    --------
    >>> check_quotes("t.csv", 'a.wav,"one,\\ntwo"\\n', 2, ",", 2)
    >>> check_quotes("t.csv", 'a.wav,"one\\nb.wav,"two\\n', 2, ",", 2)
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: t.csv line 2 has a quote (") that is closed only on line 3,
    if at all, so the rows between would be lost: close it, write it twice, or delete it
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
            f'{table} line {line} has a quote (") that is closed only on line '
            f"{line + len(lines) - 1}, if at all, so the rows between would be lost: "
            "close it, write it twice, or delete it"
        )


def _kind(cell: str) -> str:
    """Return the kind of a row's first cell: "number", a file's ending, or "" for text."""
    cell = cell.strip().strip('"')
    return "number" if NUMERIC.fullmatch(cell) else PurePath(cell).suffix.lower()
