"""Decode the bytes of a table, and recognise files that are not text."""

import codecs
import re

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
