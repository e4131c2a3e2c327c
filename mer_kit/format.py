"""Numbers and counts as people read them, the same in every table and sentence."""

from typing import Any

import numpy as np
import pandas as pd

#: Stands for a number that is not known.
UNKNOWN = "–"


def percent(mean: float, sd: float = float("nan")) -> str:
    """Return a fraction and its standard deviation in percent, "–" if it is not known.

    Examples
    --------
    >>> percent(0.7312, 0.021), percent(0.5), percent(float("nan"))
    ('73.1 ± 2.1', '50.0', '–')
    """
    if not np.isfinite(mean):
        return UNKNOWN
    spread = f" ± {100 * sd:.1f}" if np.isfinite(sd) else ""
    return f"{100 * mean:.1f}{spread}"


def short(value: Any) -> str:
    """Return one value of a table as text: numbers with three digits, "–" if it is not known.

    Examples
    --------
    >>> short(0.7149), short(None), short(900), short("found")
    ('0.715', '–', '900', 'found')
    """
    if value is None or value is pd.NA or value != value:
        return UNKNOWN
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def with_noise(text: str, run: Any) -> str:
    """Return a text about a run, and the noise injected into its labels, if there is any.

    Parameters
    ----------
    run : a mapping or a table's row, with noise_kind and noise_rate if they are known

    Examples
    --------
    >>> with_noise("ce", {"noise_kind": "song", "noise_rate": 0.4}), with_noise("ce", {})
    ('ce, 40 % song noise', 'ce')
    """
    kind = run.get("noise_kind")
    if not isinstance(kind, str) or kind == "none":
        return text
    return f"{text}, {100 * float(run['noise_rate']):g} % {kind} noise"


def duration(seconds: float, unit: str = " s") -> str:
    """Return the duration of a segment in words; that of a whole clip is infinite.

    Examples
    --------
    >>> duration(3.0), duration(2.5, "s"), duration(float("inf"))
    ('3 s', '2.5s', 'clip')
    """
    return {np.inf: "clip"}.get(seconds, f"{seconds:g}{unit}")


def plural(n: int, singular: str, several: str = "") -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> plural(1, "fold"), plural(3, "fold"), plural(2, "class", "classes")
    ('1 fold', '3 folds', '2 classes')
    """
    return f"1 {singular}" if n == 1 else f"{n} {several or singular + 's'}"
