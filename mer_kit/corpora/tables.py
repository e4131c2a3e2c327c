"""Read label and metadata tables: detect the separator, find columns, reject bad rows.

All corpora read their tables here; nothing that does not fit is dropped silently.

Notebook: 00_start_here
"""

import csv
import io
import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from mer_kit.checks import MerKitError, check_columns
from mer_kit.corpora.audio_files import is_there
from mer_kit.corpora.text import NUMERIC, check_quotes, decode, what_it_is
from mer_kit.format import plural

#: Possible separators; if several fit, the earlier one is used.
SEPARATORS = (",", ";", "\t", "|")
#: Larger files are rejected: no label table has this size.
MAX_BYTES = 200_000_000
#: A first line that tells Excel the separator.
_SEP_LINE = re.compile(r'"?sep=(.)"?\n', re.IGNORECASE)


def read_table(
    path: str | Path,
    required: Iterable[str],
    *,
    optional: Iterable[str] = (),
    open_ended: bool = False,
) -> pd.DataFrame:
    """Read a table as text: every column and value is a stripped str, empty cells are "".

    Separators may be commas, semicolons, tabs or bars; the encoding UTF-8, UTF-16 or the Western
    European code page; any line ending, quotes and Excel's `sep=` line are understood. Columns are
    matched by name, ignoring case and blanks, and are named as in `required` and `optional`; the
    others keep their own spelling. Empty rows and columns without a name are dropped.

    Parameters
    ----------
    required, optional : names of columns that must, or may, be present
    open_ended : cells beyond the header belong to its last column, whatever they contain

    Raises
    ------
    MerKitError
        If the file is missing, empty or not a table, lacks a column of `required`, names a wanted
        column twice, has a row whose length differs from the header's, or has an unclosed quote.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.csv")
    ...     _ = path.write_text("Song ID; Quadrant\\n007; Q1\\n")
    ...     read_table(path, ["song_id", "quadrant"]).to_dict("list")
    {'song_id': ['007'], 'quadrant': ['Q1']}
    """
    path, required = Path(path), list(required)
    text, separator = _open(path, required)
    (_, header_cells), *rows = _rows(path, text, separator) or [(1, [])]
    if not any(map(str.strip, header_cells)):
        raise _unusable(path, "it has no header line")
    names = _named(path, header_cells, [*required, *optional])
    check_columns(path, [name for name in names if name], required)
    fitted = [
        _fitted(f"{path.name} line {line}", cells, names, required, separator, open_ended)
        for line, cells in rows
        if any(map(str.strip, cells))
    ]
    if not fitted:
        raise MerKitError(
            f"{path.name} has a header but no rows, expected one row per clip: "
            "restore it from the dataset's archive"
        )
    return pd.DataFrame(
        {name: [row[i].strip() for row in fitted] for i, name in enumerate(names) if name},
        dtype=str,
    )


def read_rows(
    path: Path | None,
    required: Sequence[str],
    *,
    optional: Sequence[str] = (),
    open_ended: bool = False,
) -> list[tuple[str, ...]]:
    """Read an optional table (see `read_table`) as one tuple per row; [] if there is no such file.

    A tuple holds the `required` and then the `optional` columns, "" for an optional column that is
    missing.

    Raises
    ------
    MerKitError
        If the file is there and cannot be read, or lacks a column of `required`.

    Examples
    --------
    >>> read_rows(Path("missing.csv"), ["song_id", "artist"])
    []
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "metadata.csv")
    ...     _ = path.write_text("song_id,year,artist\\n7,1999,Ann\\n")
    ...     read_rows(path, ["song_id", "artist"], optional=["title"])
    [('7', 'Ann', '')]
    """
    if path is None or not is_there(path):
        return []
    table = read_table(path, required, optional=optional, open_ended=open_ended)
    columns = table.reindex(columns=[*required, *optional], fill_value="")
    return list(columns.itertuples(index=False, name=None))


def header(path: Path | None, wanted: Sequence[str] = ()) -> list[str]:
    """Return the column names of a table, or [] if there is no readable table.

    Columns of `wanted` are returned as it spells them.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.csv")
    ...     _ = path.write_text("Song ID;Quadrant\\n1;Q1\\n")
    ...     header(path), header(path, ["song_id"]), header(Path(folder, "missing.csv"))
    (['Song ID', 'Quadrant'], ['song_id', 'Quadrant'], [])
    """
    if path is None or not path.is_file():
        return []
    try:
        text, separator = _open(path, wanted)
        first = next(csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True), [])
    except (MerKitError, csv.Error):
        return []
    return _spelled(first, wanted)


def _spelled(cells: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the names in a header line, those of `wanted` as it spells them."""
    known = {fold(name): name for name in reversed(wanted)}
    return [known.get(fold(cell), cell.strip()) for cell in cells]


def has_columns(path: Path | None, required: Sequence[str]) -> bool:
    """Return whether a table's header line names all these columns; False if there is no table.

    Examples
    --------
    >>> has_columns(Path("missing.csv"), ["song_id"])
    False
    """
    columns = header(path, required)
    return bool(columns) and set(columns) >= set(required)


def fold(name: str) -> str:
    """Return a column's name without case, blanks, hyphens and underscores, for comparison.

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
                f"it has {size / 1e6:.0f} MB, and a label table has at most {MAX_BYTES / 1e6:.0f}",
            )
        raw = path.read_bytes()
    except OSError as error:
        raise MerKitError(
            f"{path.name} cannot be read ({error.strerror}), expected a CSV table at "
            f"{str(path)!r}: restore it from the dataset's archive"
        ) from error
    if (other := what_it_is(raw)) is not None:
        raise MerKitError(f"{path.name} {other}, expected a table as text: save it as CSV (UTF-8)")
    text = decode(raw).lstrip("\n")
    if sep_line := _SEP_LINE.match(text):
        return text[sep_line.end() :], sep_line.group(1)
    return text, _separator(text.split("\n", 1)[0], required)


def _separator(line: str, required: Sequence[str]) -> str:
    """Return the separator that yields most of `required` from a header line, then most columns."""
    wanted = {fold(name) for name in required}
    cells = {one: [fold(cell) for cell in line.split(one)] for one in SEPARATORS}
    return max(SEPARATORS, key=lambda one: (len(wanted & set(cells[one])), len(cells[one])))


def _rows(path: Path, text: str, separator: str) -> list[tuple[int, list[str]]]:
    """Return the first line and the cells of every row of a table.

    Blanks before an opening quote are skipped if rows fit only then.
    """
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    for blanks in (False, True):
        rows: list[list[str]] = []
        ends = [0]
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=blanks)
        try:
            for cells in reader:
                rows.append(cells)
                ends.append(reader.line_num)
        except csv.Error as error:
            raise _unusable(path, f"line {ends[-1] + 1}: {error}") from error
        texts = ["".join(lines[start:end]) for start, end in itertools.pairwise(ends)]
        too_long = (len(cells) > len(rows[0]) for cells in rows)
        if not any(f'{separator} "' in text for text in itertools.compress(texts, too_long)):
            break
    for text, end in list(zip(texts, ends, strict=False))[1:]:
        if "\n" in text.rstrip("\n"):
            check_quotes(path.name, text, end + 1, separator, len(rows[0]))
    return [(end + 1, cells) for end, cells in zip(ends, rows, strict=False)]


def _named(path: Path, cells: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the header's names, wanted ones as `wanted` spells them, "" for repeated names."""
    names = _spelled(cells, wanted)
    for name in wanted:
        if names.count(name) > 1:
            raise MerKitError(
                f"{path.name} has two columns named {name!r} (its header is {separated(cells)}), "
                "expected one: rename or delete the other one"
            )
    return ["" if name in names[:i] else name for i, name in enumerate(names)]


def separated(cells: Iterable[str]) -> str:
    """Return a list of cells for a message, shortened to one line.

    Examples
    --------
    >>> separated(["path ", " label"])
    'path, label'
    """
    text = ", ".join(cell.strip() for cell in cells)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _fitted(
    where: str,
    cells: list[str],
    names: Sequence[str],
    required: Sequence[str],
    separator: str,
    open_ended: bool,
) -> list[str]:
    """Return a row's cells, one per name of the header.

    The last column may hold further cells: a title may, with its unquoted comma; numbers may not.
    """
    while len(cells) > len(names) and not cells[-1].strip():
        cells = cells[:-1]
    last = max(i for i, name in enumerate(names) if name)
    free = names[last] not in required and not any(map(NUMERIC.fullmatch, cells[last:]))
    if len(cells) > len(names) and (open_ended or free):
        cells = [*cells[:last], separator.join(cells[last:])]
    n = len(cells)
    if n > len(names) or any(name in required for name in names[n:]):
        raise MerKitError(
            f"{where} has {plural(n, 'field')}, the header {len(names)}: "
            f"{_why(cells, len(names), separator)}"
        )
    return [*cells, *[""] * (len(names) - n)]


def _why(cells: Sequence[str], width: int, separator: str) -> str:
    """Return a question about the likely cause of a row whose length differs from the header's."""
    if len(cells) < width:
        return "is a cell missing? Leave it empty, but keep its separator"
    wholes = (cell.strip().lstrip("+-−").isdecimal() for cell in cells)
    pairs = sum(len(list(run)) // 2 for whole, run in itertools.groupby(wholes) if whole)
    if separator == "," and pairs >= len(cells) - width:  # numbers split at their decimal comma
        return "decimal commas? Write 0.5 instead of 0,5, or separate the columns by semicolons"
    return f"a {separator!r} inside a cell? Put that cell into quotes"


def _unusable(path: Path, reason: str) -> MerKitError:
    return MerKitError(
        f"{path.name} is not a readable table ({reason}), expected rows under one header line, "
        "separated by commas, semicolons or tabs: save it as CSV (UTF-8)"
    )
