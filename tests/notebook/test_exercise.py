"""Self-checks: right in any notation, a hint for wrong answers, and no answer revealed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mer_kit.notebook.exercise import check


@pytest.mark.parametrize("answer", [[5, 12], (5, 12), np.array([5, 12]), range(5, 13, 7)])
def test_a_list_may_come_as_any_sequence(answer: Any) -> None:
    assert check("E", answer, lambda: [5, 12], hint="Count.") is True


@pytest.mark.parametrize("answer", [[5], 5, "5, 12", {5: 12}, np.array([[5, 13]])])
def test_another_list_gets_the_hint_and_no_error(
    answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        check(
            "E",
            answer,
            lambda: [5, 12],
            hint="Count.",
            traps={"Six.": lambda a: np.ravel(a)[:1].tolist() == [6]},
        )
        is False
    )
    assert capsys.readouterr().out == "✘ E: not yet. Count.\n"


def test_a_known_mistake_gets_its_own_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        check("E", 10, lambda: 20, hint="Count.", traps={"That is half.": lambda a: a == 10})
        is False
    )
    assert "That is half." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "fits"), [(0.4606, True), (0.4610, True), (0.48, False), (0, False), ("x", False)]
)
def test_numbers_fit_within_the_tolerance(answer: Any, fits: bool) -> None:
    assert check("E", answer, lambda: 0.4606, hint="Count.", tolerance=0.02) is fits


def test_dots_are_no_answer() -> None:
    assert check("E", ..., lambda: 1, hint="Count.") is None
