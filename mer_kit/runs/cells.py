"""Cells of CSV files that people open in spreadsheets: text that would be run as a formula is written as text.

Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import re

import pandas as pd

#: What begins a formula in Excel, LibreOffice and Google Sheets, wide forms too, blanks and line ends before it; and texts
#: that would look like an escaped one.
_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r])")


def without_formulae(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts no spreadsheet runs: an apostrophe stands before those that begin like a formula.

    Numbers stay numbers; `restored` gives the text back.

    Examples
    --------
    >>> without_formulae(pd.DataFrame({"song": ["=1+1", "-dash", "plain"], "score": [-1.0, 2.0, 0.5]}))["song"].tolist()
    ["'=1+1", "'-dash", 'plain']
    """
    made = table.copy()
    for column in made.columns:
        if not pd.api.types.is_numeric_dtype(made[column]):
            made[column] = pd.Series(
                [_as_text(value) for value in made[column]], index=made.index, dtype=object
            )
    return made


def _as_text(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def restored(text: str) -> str:
    """Return a text as it was before `without_formulae`.

    Examples
    --------
    >>> restored("'=1+1"), restored("plain"), restored("'tis"), restored("''=1")
    ('=1+1', 'plain', "'tis", "'=1")
    """
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text
