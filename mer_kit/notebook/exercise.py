"""Self-checks of exercises: they confirm an answer or give a hint, but never reveal the answer."""

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
    """Check a learner's answer against `solve()`, and print the outcome as one line.

    Parameters
    ----------
    answer : the learner's value; `...` or None if not answered yet; for a list, any sequence
    solve : computes the right answer from the notebook's own data
    hint : shown for a wrong answer
    tolerance : relative, for numbers (and absolute for right answers near 0)
    traps : hint → test for a typical mistake; the first test that holds replaces `hint`

    Returns
    -------
    True, False, or None if not answered yet

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
            near_zero = tolerance * min(1.0, abs(right) + 1e-9) if right else tolerance
            ok = math.isclose(float(answer), right, rel_tol=tolerance, abs_tol=near_zero)
        except (TypeError, ValueError):
            print(f"✘ {title}: not yet. Expected a number, not {type(answer).__name__}.")
            return False
    elif isinstance(right, list):
        ok = np.ravel(answer).tolist() == right
    else:
        ok = bool(answer == right)
    if ok:
        print(f"✔ {title}: right.")
        return True
    shown = next((text for text, fits in (traps or {}).items() if fits(answer)), hint)
    print(f"✘ {title}: not yet. {shown}")
    return False
