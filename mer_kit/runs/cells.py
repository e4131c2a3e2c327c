"""Safe cells in CSV files: spreadsheets must not run text from a corpus as a formula.

Source: OWASP, "CSV Injection".
"""

import re

import pandas as pd

#: Beginnings of formulae in Excel, LibreOffice and Google Sheets, also in wide forms and after
#: white space; and texts that look like an escaped one.
_FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r])")


def without_formulae(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with an apostrophe before every text that a spreadsheet would run.

    Numbers stay numbers; `restored` undoes this.

    Examples
    --------
    >>> table = pd.DataFrame({"song": ["=1+1", "-dash", "plain"], "score": [-1.0, 2.0, 0.5]})
    >>> without_formulae(table)["song"].tolist()
    ["'=1+1", "'-dash", 'plain']
    """
    safe = table.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            texts = [_as_text(value) for value in safe[column]]
            safe[column] = pd.Series(texts, index=safe.index, dtype=object)
    return safe


def _as_text(value: object) -> object:
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return value


def restored(text: str) -> str:
    """Return a text from before `without_formulae`.

    Examples
    --------
    >>> restored("'=1+1"), restored("plain"), restored("'tis"), restored("''=1")
    ('=1+1', 'plain', "'tis", "'=1")
    """
    return text.removeprefix("'") if _FORMULA.match(text) else text
