"""Numbers as tables write them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


def number(text: str) -> float | None:
    """Return a finite number from text, or None; a decimal comma and the sign for minus are understood.

    Examples
    --------
    >>> number("0.5"), number("0,5"), number("−1"), number("high"), number("nan")
    (0.5, 0.5, -1.0, None, None)
    """
    text = text.strip().replace("−", "-")
    text = text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text
    try:
        value = float(text) if "_" not in text else np.nan
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def numbers(column: pd.Series[str]) -> pd.Series[float]:
    """Return a column of text as float64, as `number` reads it; NaN where a cell holds none."""
    text = column.str.replace("−", "-")
    text = text.where(~text.str.fullmatch(_DECIMAL_COMMA), text.str.replace(",", "."))
    found: pd.Series[float] = pd.to_numeric(text, errors="coerce").astype("float64")
    return found.where(np.isfinite(found))
