"""The one reader of label and metadata tables: separator, encoding and header are found out, what does not fit is refused."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mer_kit.checks import MerKitError, check_columns
from mer_kit.corpora.encodings import decode, what_it_is
from mer_kit.corpora.quotes import NUMERIC, check_quotes

__all__ = ["decode", "has_columns", "header", "read_table"]

#: What may stand between two cells; where several would do, the earlier one.
SEPARATORS = (",", ";", "\t", "|")
#: No table of labels is larger.
MAX_BYTES = 200_000_000
#: A first line by which Excel is told the separator.
_SEP_LINE = re.compile(r'"?sep=(.)"?\n', re.IGNORECASE)


@dataclass(frozen=True)
class _Layout:
    """What the rows of a table must fit."""

    table: str
    names: Sequence[str]
    required: Sequence[str]
    separator: str
    open_ended: bool

    @property
    def last(self) -> int:
        """The position of the last column that has a name."""
        return max(at for at, name in enumerate(self.names) if name)

    def takes(self, cells: Sequence[str]) -> bool:
        """Tell whether the last column may hold all these cells: a title with an unquoted comma, not numbers."""
        free = self.names[self.last] not in self.required
        return self.open_ended or (free and not any(NUMERIC.fullmatch(cell) for cell in cells))


@dataclass(frozen=True)
class _Row:
    """One row's cells, the line it begins on, and its text."""

    cells: list[str]
    line: int
    text: str


def read_table(
    path: str | Path,
    required: Iterable[str],
    *,
    optional: Iterable[str] = (),
    open_ended: bool = False,
) -> pd.DataFrame:
    """Read a table as text: every column and value a stripped str, empty cells "".

    Comma, semicolon, tab or bar; UTF-8, UTF-16 or the Western European code page; any line ending; quotes; Excel's
    `sep=` line. Columns are found by name, whatever its case and blanks, and come back as `required` and `optional`
    spell them; the others keep their own spelling. Empty rows and columns without a name are left out.

    Parameters
    ----------
    required, optional : names of columns that must, or may, be there
    open_ended : cells beyond the header belong to its last column, whatever they hold

    Raises
    ------
    MerKitError
        If the file is missing, empty, not a table, lacks a column of `required`, names a wanted column twice, has a
        row of another length than the header, or a quote that swallows rows.
    """
    path, required = Path(path), list(required)
    text, separator = _open(path, required)
    rows = _rows(path, text, separator)
    if not rows or not any(cell.strip() for cell in rows[0].cells):
        raise _unusable(path, "it has no header line")
    names = _named(path, rows[0].cells, [*required, *optional])
    check_columns(path, [name for name in names if name], required)
    body = [row for row in rows[1:] if any(cell.strip() for cell in row.cells)]
    if not body:
        raise MerKitError(
            f"{path.name} holds a header but no rows, expected one row per clip: restore it from the dataset's archive"
        )
    layout = _Layout(path.name, names, required, separator, open_ended)
    cells = [_fitted(layout, row) for row in body]
    columns = {name: [row[at].strip() for row in cells] for at, name in enumerate(names) if name}
    return pd.DataFrame(columns, dtype=str)


def header(path: Path | None, wanted: Iterable[str] = ()) -> list[str]:
    """Return the column names of a table, those of `wanted` as it spells them; [] where there is no readable table."""
    if path is None or not path.is_file():
        return []
    wanted = list(wanted)
    try:
        text, separator = _open(path, wanted)
        first = next(csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True), [])
    except (MerKitError, csv.Error):
        return []
    known = {fold(name): name for name in reversed(wanted)}
    return [known.get(fold(cell), cell.strip()) for cell in first]


def has_columns(path: Path | None, required: Iterable[str]) -> bool:
    """Tell whether a table's header line names all these columns; False where there is no such table."""
    required = list(required)
    columns = header(path, required)
    return bool(columns) and set(columns) >= set(required)


def fold(name: str) -> str:
    """Return a column's name without case, blanks, hyphens and underscores, by which it is found.

    Examples
    --------
    >>> fold("Song_ID ") == fold("song id") == "songid"
    True
    """
    return re.sub(r"[\s_\-'\"\ufeff\u200b]+", "", unicodedata.normalize("NFKC", name).casefold())


def _open(path: Path, required: Sequence[str]) -> tuple[str, str]:
    """Return a table's text without a `sep=` line, and its separator."""
    try:
        if path.exists() and not path.is_file():
            raise _unusable(path, "it is a folder or a device")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise _unusable(
                path,
                f"it has {size / 1e6:.0f} MB, and a table of labels has at most {MAX_BYTES / 1e6:.0f}",
            )
        raw = path.read_bytes()
    except OSError as error:
        raise MerKitError(
            f"{path.name} cannot be read ({error.strerror}), expected a CSV table at {str(path)!r}: "
            "restore it from the dataset's archive"
        ) from error
    if (other := what_it_is(raw)) is not None:
        raise MerKitError(f"{path.name} {other}, expected a table as text: save it as CSV (UTF-8)")
    text = decode(raw).lstrip("\n")
    if told := _SEP_LINE.match(text):
        return text[told.end() :], told.group(1)
    return text, _separator(text.split("\n", 1)[0], required)


def _separator(line: str, required: Sequence[str]) -> str:
    """Return the separator by which a header line names most of `required`, then most columns."""
    wanted = {fold(name) for name in required}
    cells = {mark: [fold(cell) for cell in line.split(mark)] for mark in SEPARATORS}
    return max(SEPARATORS, key=lambda mark: (len(wanted & set(cells[mark])), len(cells[mark])))


def _rows(path: Path, text: str, separator: str) -> list[_Row]:
    """Return a table's rows; a blank before a quote does not stop it from being one where rows fit only so."""
    rows = _parsed(path, text, separator, False)
    width = len(rows[0].cells) if rows else 0
    if any(len(row.cells) > width and f'{separator} "' in row.text for row in rows):
        rows = _parsed(path, text, separator, True)
    for row in rows[1:]:
        if "\n" in row.text.rstrip("\n"):
            check_quotes(path.name, row.text, row.line, separator, width)
    return rows


def _parsed(path: Path, text: str, separator: str, blanks: bool) -> list[_Row]:
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=blanks)
    rows: list[_Row] = []
    before = 0
    try:
        for cells in reader:
            rows.append(_Row(cells, before + 1, "".join(lines[before : reader.line_num])))
            before = reader.line_num
    except csv.Error as error:
        raise _unusable(path, f"line {before + 1}: {error}") from error
    return rows


def _named(path: Path, cells: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the header's names, wanted ones as `wanted` spells them, "" for columns that nobody can ask for."""
    known = {fold(name): name for name in reversed(wanted)}
    names: list[str] = []
    for cell in cells:
        name = known.get(fold(cell), cell.strip())
        if name in names and name in wanted:
            raise MerKitError(
                f"{path.name} has two columns named {name!r} (its header is {separated(cells)}), expected one: rename or "
                "delete the one that is not meant"
            )
        names.append("" if name in names else name)
    return names


def separated(cells: Iterable[str]) -> str:
    """Return a list of cells for a sentence, no longer than a line."""
    text = ", ".join(cell.strip() for cell in cells)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _fitted(layout: _Layout, row: _Row) -> list[str]:
    """Return a row's cells, as many as the header has names."""
    cells, names, last = row.cells, layout.names, layout.last
    while len(cells) > len(names) and not cells[-1].strip():
        cells = cells[:-1]
    found = len(cells)
    if found > len(names) and layout.takes(cells[last:]):
        return [*cells[:last], layout.separator.join(cells[last:]), *[""] * (len(names) - last - 1)]
    if found > len(names) or any(name in layout.required for name in names[found:]):
        raise MerKitError(
            f"{layout.table} line {row.line} has {found} field{'s' * (found != 1)}, the header {len(names)}: "
            + _why(cells, names, layout.separator)
        )
    return [*cells, *[""] * (len(names) - found)]


def _why(cells: Sequence[str], names: Sequence[str], separator: str) -> str:
    """Return a question about what went wrong in a row of another length than the header."""
    if len(cells) < len(names):
        return "is a cell missing? Leave it empty, but keep its separator"
    if separator == "," and _pairs_of_digits(cells) >= len(cells) - len(names):
        return "decimal commas? Write 0.5 instead of 0,5, or separate the columns by semicolons"
    return f"a {separator!r} inside a cell? Put that cell into quotes"


def _pairs_of_digits(cells: Sequence[str]) -> int:
    """Return how many numbers a row may hold whose decimal comma was taken for a separator."""
    digits = "".join("d" if cell.strip().lstrip("+-−").isdecimal() else "." for cell in cells)
    return sum(len(run) // 2 for run in digits.split("."))


def _unusable(path: Path, reason: str) -> MerKitError:
    return MerKitError(
        f"{path.name} is not a readable table ({reason}), expected rows under one header line, separated by commas, "
        "semicolons or tabs: save it as CSV (UTF-8)"
    )
