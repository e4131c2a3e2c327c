"""From a table's bytes to text and numbers: what a file is, its encoding, quotes and numbers.

Notebook: 00_start_here
"""

import codecs
import csv
import math
import re
from pathlib import PurePath

from mer_kit.checks import MerKitError

#: First bytes → the kind of file, to follow its name in a message.
_SIGNATURES = (
    (b"PK\x03\x04", "is an Excel workbook or another zip archive"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook"),
    (b"%PDF", "is a PDF document"),
    (b"\x1f\x8b", "is compressed by gzip"),
    (b"SQLite format 3", "is a database"),
    (b"{\\rtf", "is a document in rich text"),
    (b"version https://git-lfs", "is a pointer of Git LFS to the table (run `git lfs pull`)"),
)
#: Byte order mark → encoding; UTF-32 first, since its mark starts like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE)
#: Digits and the signs of numbers, dates and times; a cell of free text does not match.
NUMERIC = re.compile(r"[\d\s.,:/%+\-−]*\d[\d\s.,:/%+\-−]*")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


def decode(raw: bytes) -> str:
    r"""Return the text of a table's bytes, with newlines as \n.

    The encoding is UTF-8 or UTF-16, with or without a byte order mark, or else Windows' Western
    European code page (1252), or else Latin-1.

    Examples
    --------
    >>> [decode("Björk\r\n".encode(name)) for name in ("latin-1", "utf-8-sig", "utf-16-be")]
    ['Björk\n', 'Björk\n', 'Björk\n']
    """
    for encoding in _candidates(raw):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        break
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _candidates(raw: bytes) -> tuple[str, ...]:
    """Return the encodings to try; the last one reads any bytes."""
    rest = ("utf-8", "cp1252", "latin-1")
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return (encoding, *rest)
    zeros = {"utf-16-be": raw[:4096:2].count(0), "utf-16-le": raw[1:4096:2].count(0)}
    likely = max(zeros, key=zeros.__getitem__)
    return (likely, *rest) if zeros[likely] >= max(len(raw[:4096]) // 4, 1) else rest


def what_it_is(raw: bytes) -> str | None:
    """Return the kind of a file that is not text, as the middle of a sentence, or None for text.

    Examples
    --------
    >>> what_it_is(b"PK\\x03\\x04..."), what_it_is(b"path,label")
    ('is an Excel workbook or another zip archive', None)
    """
    signed = next((name for mark, name in _SIGNATURES if raw.startswith(mark)), None)
    if signed or _WEB_PAGE.match(raw):
        return signed or "is a web page or XML"
    head = decode(raw[:4096])
    controls = sum(ord(character) < 32 and character not in "\n\t\0\f\v\x1a" for character in head)
    if controls > len(head) // 50 + 1 or head.count("\0") > len(head) // 10 + 1:
        return "is not text"
    return None


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
        list(csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True))
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


def number(text: str) -> float:
    """Return a finite number from text, or NaN; accepts a decimal comma and the minus sign.

    Examples
    --------
    >>> number("0.5"), number("0,5"), number("−1"), number("high"), number("inf")
    (0.5, 0.5, -1.0, nan, nan)
    """
    text = text.strip().replace("−", "-")
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in text else math.nan  # float reads 1_000
