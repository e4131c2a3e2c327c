"""Every slider of the power explorer changes its picture and its words."""

from __future__ import annotations

import pytest

from mer_kit.views.power_explorer import power_explorer

ROW = {"variance_songs": 2e-5, "variance_seed": 1.2e-4, "fold_numbers": 10, "songs": 900}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_slider_changes_picture_and_words(place: int) -> None:
    *sliders, words, picture = power_explorer(ROW, of_folds=10).children
    before = words.value, picture.value
    sliders[place].value = sliders[place].max
    assert words.value != before[0] and picture.value != before[1]
    assert words.value[:-1] in picture.value, "the picture's alt text"


def test_there_are_no_more_folds_than_the_cross_validation_has() -> None:
    _, folds, *_ = power_explorer(ROW, of_folds=2).children
    assert (folds.value, folds.max) == (2, 2)
