"""How the bytes of a table become text, and how a file that is no text is recognised."""

from __future__ import annotations

import codecs
import re

#: First bytes → what such a file is.
_SIGNATURES = (
    (b"PK\x03\x04", "is an Excel workbook or another zip archive"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook"),
    (b"%PDF", "is a PDF document"),
    (b"\x1f\x8b", "is compressed by gzip"),
    (b"SQLite format 3", "is a database"),
    (b"{\\rtf", "is a document in rich text"),
    (b"version https://git-lfs", "is a pointer of Git LFS to the table (run `git lfs pull`)"),
)
#: Byte order mark → encoding; UTF-32's begins like UTF-16's and comes first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE)


def decode(raw: bytes) -> str:
    r"""Return the text of a table's bytes, newlines as \n.

    UTF-8 or UTF-16, with or without a byte order mark, else Windows' Western European code page (1252), else Latin-1.

    Examples
    --------
    >>> decode("Björk\r\n".encode("latin-1")) == decode("\ufeffBjörk\r".encode("utf-8")) == "Björk\n"
    True
    >>> decode("Björk\n".encode("utf-16")) == decode("Björk\n".encode("utf-16-be")) == "Björk\n"
    True
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
    even, odd = raw[:4096:2].count(0), raw[1:4096:2].count(0)
    least = len(raw[:4096]) // 4
    if raw and max(even, odd) >= max(least, 1):
        return ("utf-16-le" if odd > even else "utf-16-be", *rest)
    return rest


def what_it_is(raw: bytes) -> str | None:
    """Return what a file is that is no table, as the middle of a sentence; None for text.

    Examples
    --------
    >>> what_it_is(b"PK\\x03\\x04..."), what_it_is(b"path,label")
    ('is an Excel workbook or another zip archive', None)
    """
    for mark, name in _SIGNATURES:
        if raw.startswith(mark):
            return name
    if _WEB_PAGE.match(raw):
        return "is a web page or XML"
    head = decode(raw[:4096])
    controls = sum(ord(character) < 32 and character not in "\n\t\0\f\v\x1a" for character in head)
    return (
        "is not text"
        if controls > len(head) // 50 + 1 or head.count("\0") > len(head) // 10 + 1
        else None
    )
