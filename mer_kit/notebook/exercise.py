"""Self-checks of the exercises: they say right or give a hint, and never tell the answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def check(
    title: str,
    answer: Any,
    solve: Callable[[], Any],
    *,
    hint: str,
    tolerance: float = 0.01,
    traps: dict[str, Callable[[Any], bool]] | None = None,
) -> bool | None:
    """Compare a learner's answer with what `solve()` computes; print one line; return True, False or None (unanswered).

    Parameters
    ----------
    answer : the learner's value; `...` or None counts as not answered yet; where a list is wanted, any sequence does
    solve : computes the right answer from the notebook's own data
    hint : shown for a wrong answer
    tolerance : relative, for numbers (and absolute for right answers near 0)
    traps : hint → test of the answer, for well-known mistakes; the first that fits replaces `hint`

    Examples
    --------
    >>> check("Exercise 1", 28, lambda: 28, hint="Count the starts.")
    ✔ Exercise 1: right.
    True
    >>> check("Exercise 1", 30, lambda: 28, hint="Count the starts.")
    ✘ Exercise 1: not yet. Count the starts.
    False
    """
    if answer is None or answer is ...:
        print(f"… {title}: not answered yet. Replace the dots above and run this cell again.")
        return None
    right = solve()
    if isinstance(right, (int, float)) and not isinstance(right, bool):
        try:
            value = float(answer)
        except (TypeError, ValueError):
            print(f"✘ {title}: not yet. A number is wanted here, not {type(answer).__name__}.")
            return False
        ok = math.isclose(
            value, float(right), rel_tol=tolerance, abs_tol=tolerance * min(1.0, abs(right) + 1e-9)
        )
        ok = ok or (right == 0 and abs(value) <= tolerance)
    else:
        ok = (
            np.ravel(answer).tolist() == right if isinstance(right, list) else bool(answer == right)
        )
    if ok:
        print(f"✔ {title}: right.")
        return True
    told = next((text for text, fits in (traps or {}).items() if fits(answer)), hint)
    print(f"✘ {title}: not yet. {told}")
    return False
