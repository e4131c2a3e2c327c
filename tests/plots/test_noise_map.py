"""Pictures of comparisons: what is separable, what was not run, and what is not known, must be seen."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mer_kit.plots import comparisons, noise_map
from mer_kit.plots.style import CLEAN, NEUTRAL, NOISY
from mer_kit.results.crossing import Crossing

ROWS = pd.DataFrame({
    "first": "ce", "second": ["elr", "mil", "gce", "sssl"], "songs": 80, "seeds": 2,
    "difference": [0.04, 0.03, 0.01, -0.05], "low": [0.02, 0.01, -0.02, -0.08],
    "high": [0.06, 0.05, 0.04, -0.02], "p_holm": [0.01, 0.2, 0.9, 0.02],
    "t_low": -0.1, "t_high": 0.1, "noise_kind": "none", "noise_rate": 0.0,
})  # fmt: skip


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_only_what_is_separable_after_the_correction_is_filled() -> None:
    ax = comparisons.differences(ROWS.sample(frac=1, random_state=0))
    points = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in points] == [4, 3, 1, -5]
    assert [line.get_markerfacecolor() for line in points] == [CLEAN, "white", "white", NOISY]
    assert [line.get_color() for line in points] == [CLEAN, NEUTRAL, NEUTRAL, NOISY]
    words = [text.get_text() for text in ax.texts]
    assert words[2:12:3] == [
        "better", "better, but not after the correction", "not separable", "worse"
    ]  # fmt: skip
    assert words[9] == "−5.0 [−8.0, −2.0]" and words.count("80 × 2") == 4


def test_the_noise_map_has_a_panel_for_each_kind_and_system() -> None:
    names = ["elr", "gce", "mil", "mixup", "selc", "sssl"]  # one more than a line holds
    about = [
        (kind, name, rate) for kind in ("drift", "song") for name in names for rate in (0, 0.6)
    ]
    table = pd.DataFrame(about, columns=["kind", "name", "rate"])
    table = table[(table["kind"] == "song") | (table["name"] != "gce")]
    values = {"accuracy": 0.7, "baseline": 0.6, "low": 0.05, "high": 0.15}
    rates = np.array([0.0, 0.6])
    seen = {
        ("elr", "song"): Crossing(0.3, 0.2, 0.4, rates, 80, 80),
        ("mil", "song"): Crossing(0.3, 0.0, np.inf, rates, 80, 80),
    }
    figure = noise_map.noise_figure(table.assign(**values), crossings=seen, majority=0.25)
    panels = [ax for ax in figure.axes if ax.axison]
    titles = [ax.get_title() or ax.get_title("left") for ax in panels]  # where the style puts it
    assert titles == [*names, *names] and len(figure.axes) == 12
    assert [ax.texts[0].get_text() for ax in panels if ax.texts] == ["not run"]
    bands = {k: ax.patches for k, ax in enumerate(panels) if ax.patches}
    assert [*bands] == [6] and bands[6][0].get_x() == 0.2
    bars = panels[6].collections[0].get_segments()
    np.testing.assert_allclose(bars[1], [[0.6, 0.65], [0.6, 0.75]])  # around plain training


def test_what_a_cost_is_not_known_says_so() -> None:
    costs = pd.DataFrame(
        {"name": ["ce", "elr", "mil", "gce", "sssl"], "seconds_per_fold": [1.5] * 5}
    )
    costs = costs.assign(parameters=[1000, 1000, 2_000_000, 1000, 1000.0], peak_mb=np.nan)
    figure = noise_map.cost_figure(costs, ROWS)
    left, *strips = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == [
        "ce",
        "elr",
        "mil",
        "gce",
        "sssl",
    ]
    told = [[text.get_text() for text in ax.texts] for ax in strips]
    assert told[1] == ["1,000", "1,000", "2,000,000", "1,000", "1,000"]
    assert told[0] == ["1.5"] * 5 and told[2] == ["not known"] * 5


def test_no_partition_is_no_empty_picture() -> None:
    costs = pd.DataFrame({"name": ["ce"], "kind": "none", "rate": 0.0, "split": np.nan})
    assert noise_map.split_bars(costs).texts[0].get_text() == "no system here makes a partition"


def test_the_ring_is_at_what_was_run() -> None:
    table = pd.DataFrame([(s, f, 80, 0.1 * s + 0.01 * f, 0.05) for s in (1, 2) for f in (2, 3)])
    table.columns = pd.Index(["seeds", "folds", "songs", "by_song", "by_fold"])
    ax = comparisons.power_curves(table, run=(2, 3))
    (ring,) = [line for line in ax.lines if line.get_markersize() == 11]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (2, pytest.approx(0.23))
