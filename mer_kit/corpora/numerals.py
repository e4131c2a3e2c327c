"""Parse numbers as written in tables."""

import math
import re

_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


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
