"""Validation at the public door: what is wrong, got, expected, next step."""

from __future__ import annotations

import numpy as np
import pytest

from mer_kit.checks import (
    MerKitError,
    check_choice,
    check_folder,
    check_labels,
    check_probabilities,
    check_range,
    shortened,
)


@pytest.mark.parametrize(
    ("value", "near"),
    [("4Q", "4q"), ("DEMO", "demo"), ("demos", "demo"), ("PMemo", "pmemo"), ("fourq", "4q")],
)
def test_the_nearest_choice_is_found_in_any_case(value, near):
    choices = ("4q", "demo", "pmemo")
    with pytest.raises(MerKitError) as told:
        check_choice("corpus", value, choices)
    assert str(told.value).startswith(f"corpus is {value!r}, expected one of 4q, demo, pmemo: ")
    if near == "4q" and value == "fourq":
        assert str(told.value).endswith("choose one of these")
    else:
        assert str(told.value).endswith(f"did you mean {near!r}?")


def test_a_choice_keeps_its_type():
    assert check_choice("fold", 2, range(3)) == 2
    with pytest.raises(MerKitError, match="fold is 3, expected one of 0, 1, 2"):
        check_choice("fold", 3, range(3))


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        (float("nan"), {}, "a number: change x"),
        (True, {}, "a number: change x"),
        ("1", {}, "a number: change x"),
        (1.5, {"whole": True}, "a whole number: change x"),
        (0, {"low": 0, "low_open": True}, "a number above 0: change x"),
        (-1, {"low": 0}, "a number of at least 0: change x"),
        (2, {"high": 1}, "a number of at most 1: change x"),
        (2, {"low": 0, "high": 1}, "a number from 0 to 1: change x"),
        (0, {"low": 0, "high": 1, "low_open": True}, "a number above 0 and at most 1: change x"),
    ],
)
def test_a_number_out_of_range_is_told_its_bounds(value, options, expected):
    with pytest.raises(MerKitError) as told:
        check_range("x", value, **options)
    assert str(told.value) == f"x is {value!r}, expected {expected}"


@pytest.mark.parametrize("value", [10**23, -(10**23), 10**400, -(10**400)], ids=shortened)
@pytest.mark.parametrize(
    "options", [{"low": 0, "whole": True}, {"whole": True}, {"low": 0, "high": 1}, {}]
)
def test_numbers_that_no_array_can_hold_are_refused_in_a_short_sentence(value, options):
    with pytest.raises(MerKitError, match="^x is .*expected a (whole )?number ") as told:
        check_range("x", value, **options)
    assert len(str(told.value)) < 200


def test_the_largest_whole_number_is_one():
    assert check_range("x", 2**63 - 1, 0, whole=True) == 2**63 - 1


def test_bounds_are_inside_and_numpy_numbers_count():
    assert check_range("x", 1, 0, 1) == 1 and check_range("x", np.float32(0.5), 0, 1) == 0.5
    assert check_range("x", np.int64(3), whole=True) == 3


@pytest.mark.parametrize("row", [[0.5, 0.4], [1.2, -0.2], [float("nan"), 1.0], [float("inf"), 0.0]])
def test_the_first_row_that_is_no_distribution_is_named(row):
    with pytest.raises(MerKitError, match=r"p row 1 is \[.*expected probabilities that sum to 1"):
        check_probabilities("p", [[0.5, 0.5], row])


def test_rounded_archives_pass_as_probabilities():
    p = np.array([[1 / 3, 1 / 3, 1 / 3]], dtype=np.float16)
    assert check_probabilities("p", p).dtype == np.float64


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([0.0, 1.0], "expected whole numbers"),
        ([[0], [1]], "expected whole numbers"),
        ([0, 4], r"y\[1\] is 4, expected 0 to 3"),
        ([-1, 0], r"y\[0\] is -1, expected 0 to 3"),
        ([0, 1, 2], "y has 3 entries, expected 2"),
    ],
)
def test_labels_that_are_none_of_the_classes_are_refused(labels, sentence):
    with pytest.raises(MerKitError, match=sentence):
        check_labels("y", labels, 4, length=2)


def test_a_missing_folder_and_a_file_in_its_place_get_the_next_step(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("absent", "file"):
        with pytest.raises(MerKitError, match=f"{name}.*ask the authors"):
            check_folder("corpus", tmp_path / name, next_step="ask the authors")
    assert check_folder("corpus", tmp_path, next_step="") == tmp_path
