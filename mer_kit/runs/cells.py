"""Cells of CSV files that people open in spreadsheets: text that would be run as a formula is written as text.

Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import pandas as pd

#: What begins a formula in Excel, LibreOffice and Google Sheets.
_BEGINS = ("=", "+", "-", "@", "\t", "\r")


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
            made[column] = pd.Series([_as_text(value) for value in made[column]], index=made.index, dtype=object)
    return made


def _as_text(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_BEGINS) else value


def restored(text: str) -> str:
    """Return a text as it was before `without_formulae`.

    Examples
    --------
    >>> restored("'=1+1"), restored("plain"), restored("'tis")
    ('=1+1', 'plain', "'tis")
    """
    return text[1:] if text[:1] == "'" and text[1:].startswith(_BEGINS) else text
