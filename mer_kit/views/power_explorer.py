"""How likely a true difference is to be seen, with sliders for its size, the folds and the seeds.

Notebook: 08_compare
"""

from collections.abc import Mapping
from typing import Any

from mer_kit.format import plural
from mer_kit.plots import comparisons
from mer_kit.plots.picture import EmbeddedFigure
from mer_kit.results import seeds_and_folds

#: The sliders: smallest value, largest (None: the folds of the cross-validation), step, first.
SLIDERS: dict[str, tuple[float, float | None, float, float]] = {
    "points": (0.5, 15, 0.5, 2),
    "folds": (1, None, 1, 3),
    "seeds": (1, 10, 1, 1),
}


def picture_and_words(
    row: Mapping[Any, Any], *, of_folds: int, points: float, folds: int, seeds: int
) -> tuple[str, str]:
    """Return the curves as an HTML image, and the chosen point of them in one sentence.

    Parameters
    ----------
    row : of `results.compare.comparisons`
    of_folds : number of folds of the cross-validation
    points : the true difference, percentage points

    Examples
    --------
    >>> row = {"variance_songs": 2e-5, "variance_seed": 1.2e-4, "fold_numbers": 10, "songs": 900}
    >>> print(picture_and_words(row, of_folds=10, points=2, folds=3, seeds=5)[1])
    With 3 folds (270 songs) and 5 seeds, a true difference of 2 points would be seen with
    probability 0.38.
    """
    table = seeds_and_folds.chances(
        row, points / 100, of_folds=of_folds, seeds=range(1, 11), folds=sorted({folds, of_folds})
    )
    one = table[table["seeds"].eq(seeds) & table["folds"].eq(folds)].iloc[0]
    embedded = EmbeddedFigure(1, 1, size=(7.2, 3.4))
    comparisons.power_curves(table, embedded.axes[0], run=(seeds, folds))
    words = (
        f"With {plural(folds, 'fold')} ({plural(int(one['songs']), 'song')}) and "
        f"{plural(seeds, 'seed')}, a true difference of {points:g} points would be seen with "
        f"probability {one['by_song']:.2f}."
    )
    return embedded.html(words), words


def power_explorer(row: Mapping[Any, Any], *, of_folds: int) -> Any:
    """Return a widget with a slider each for the difference, the folds and the seeds.

    Parameters
    ----------
    row, of_folds : see `picture_and_words`

    Notebook: 08_compare
    """
    import ipywidgets as w

    picture, words = w.HTML(), w.HTML()
    sliders = {}
    for name, (low, high, step, first) in SLIDERS.items():
        most = of_folds if high is None else high
        kind = w.FloatSlider if name == "points" else w.IntSlider
        sliders[name] = kind(
            first, min=low, max=most, step=step, description=name,
            continuous_update=False,
        )  # fmt: skip

    def draw(_: Any = None) -> None:
        chosen = {name: slider.value for name, slider in sliders.items()}
        picture.value, words.value = picture_and_words(row, of_folds=of_folds, **chosen)

    for slider in sliders.values():
        slider.observe(draw, "value")
    draw()
    return w.VBox([*sliders.values(), words, picture])
