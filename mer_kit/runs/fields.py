"""What a value in a run's JSON file must be, in words and as a check.

Notebook: 06_results
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mer_kit.checks import MerKitError, shortened

#: Longest text that a name may be.
MOST_NAME = 200
Check = Callable[[Any], bool]


@dataclass(frozen=True)
class Field:
    """One entry of a JSON file: in words, as a check, and whether it is needed."""

    words: str
    fits: Check
    needed: bool = True


def number(low: float = -1e15, high: float = 1e15) -> Check:
    """Return a check for numbers from `low` to `high`; True and NaN are not numbers.

    Examples
    --------
    >>> fraction = number(0, 1)
    >>> fraction(0.5), fraction(2), fraction(True), fraction(float("nan")), fraction("0.5")
    (True, False, False, False, False)
    """
    return lambda value: (
        isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    )


def whole(low: int = 0, high: int = 10**12) -> Check:
    """Return a check for whole numbers from `low` to `high`.

    Examples
    --------
    >>> count = whole()
    >>> count(3), count(3.0), count(-1)
    (True, False, False)
    """
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    )


def or_null(fits: Check) -> Check:
    """Return a check that also accepts null.

    Examples
    --------
    >>> or_null(whole())(None), or_null(whole())("3")
    (True, False)
    """
    return lambda value: value is None or fits(value)


def text(value: Any) -> bool:
    r"""Return whether a value is a short printable text.

    Examples
    --------
    >>> text("demo"), text("a\nb"), text("x" * 300)
    (True, False, False)
    """
    return isinstance(value, str) and len(value) <= MOST_NAME and value.isprintable()


def mapping(value: Any) -> bool:
    """Return whether a value is a JSON object.

    Examples
    --------
    >>> mapping({"a": 1}), mapping([1])
    (True, False)
    """
    return isinstance(value, dict)


def listing(value: Any) -> bool:
    """Return whether a value is a JSON array.

    Examples
    --------
    >>> listing([1]), listing("all")
    (True, False)
    """
    return isinstance(value, list)


def check(content: Mapping[str, Any], fields: Mapping[str, Field], where: str) -> None:
    """Raise one sentence for the first field that is missing or wrong.

    Raises
    ------
    MerKitError
        If a needed field is missing, or a value does not fit its field.

    Examples
    --------
    >>> check({"seed": -1}, {"seed": Field("a whole number", whole())}, "config.json in a-run")
    Traceback (most recent call last):
    mer_kit.checks.MerKitError: config.json in a-run has seed -1, expected a whole number:
    run it again
    """
    for name, field in fields.items():
        if name not in content:
            if field.needed:
                raise MerKitError(f"{where} lacks {name}, expected {field.words}: run it again")
        elif not field.fits(content[name]):
            raise MerKitError(
                f"{where} has {name} {shortened(content[name])}, expected {field.words}: "
                "run it again"
            )
