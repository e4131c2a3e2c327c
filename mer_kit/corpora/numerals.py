"""Parse numbers as written in tables."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


def number(text: str) -> float | None:
    """Return a finite number from text, or None; accepts a decimal comma and the minus sign.

    Examples
    --------
    >>> number("0.5"), number("0,5"), number("−1"), number("high"), number("nan")
    (0.5, 0.5, -1.0, None, None)
    """
    text = text.strip().replace("−", "-")
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if "_" in text:  # Python reads 1_000 as a number
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def numbers(column: pd.Series[str]) -> pd.Series[float]:
    """Return a column of text as float64, parsed as by `number`; NaN for cells without a number.

    Examples
    --------
    >>> numbers(pd.Series(["0,5", "−1", "high"])).tolist()
    [0.5, -1.0, nan]
    """
    text = column.str.replace("−", "-")
    text = text.where(~text.str.fullmatch(_DECIMAL_COMMA), text.str.replace(",", "."))
    values: pd.Series[float] = pd.to_numeric(text, errors="coerce").astype("float64")
    return values.where(np.isfinite(values))
