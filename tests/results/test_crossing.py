"""Where one system overtakes another: the interpolation, the bootstrap over artists, and the sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mer_kit.checks import MerKitError
from mer_kit.results.crossing import Crossing, crossing, crossing_rate

RATES = np.array([0.0, 0.2, 0.5])


def answers(right: dict[str, np.ndarray], groups: np.ndarray) -> pd.DataFrame:
    """Answers of systems without noise and at the other RATES: name → bool [songs, rates]."""
    rows = []
    for name, table in right.items():
        for k, rate in enumerate(RATES):
            kind = "song" if rate else "none"
            about = {
                "name": name,
                "noise_kind": kind,
                "noise_rate": rate,
                "seed": 0,
                "fold": 0,
                "label": "Q1",
            }
            songs = {"clip_id": np.arange(len(table)), "group": groups, "right": table[:, k]}
            rows.append(pd.DataFrame({**about, **songs}))
    return pd.concat(rows, ignore_index=True)


def test_from_where_on_a_curve_stays_above_zero() -> None:
    curves = np.random.default_rng(0).normal(size=(300, 3))
    fine = np.linspace(0, 0.5, 50_001)
    for curve, found in zip(curves, crossing_rate(RATES, curves), strict=True):
        above = np.interp(fine, RATES, curve) > 0
        if not above[-1]:
            assert found == np.inf
        elif above.all():
            assert found == 0
        else:
            assert found == pytest.approx(fine[np.flatnonzero(~above)[-1]], abs=2e-5)


def test_all_rates_are_drawn_with_the_same_artists() -> None:
    # In every draw the songs that are lost without noise are the ones won with it.
    plain = np.repeat([[True, False, False]], 200, axis=0)
    other = ~plain
    same = np.ones((200, 3), dtype=bool)
    table = answers(
        {"ce": np.vstack([plain, same]), "sssl": np.vstack([other, same])}, np.arange(400) // 2
    )
    found = crossing(table, "sssl", kind="song")
    assert (found.rate, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.is_shown and (found.songs, found.artists) == (400, 200)
    assert found.words("sssl") == "sssl overtakes ce at 10 % wrong labels [10 %, 10 %]."


def test_the_interval_grows_with_what_the_songs_of_an_artist_share() -> None:
    rng = np.random.default_rng(1)
    d = np.stack([rng.random(600) < chance for chance in (0.6, 0.5, 0.3)], axis=1)
    right = {"ce": d, "mil": ~d}
    alike = np.argsort(d @ [4, 2, 1])  # five songs on which the two systems differ in the same way
    artists = np.empty(600, dtype=int)
    artists[alike] = np.arange(600) // 5
    wide = crossing(answers(right, artists), "mil", kind="song")
    narrow = crossing(answers(right, np.arange(600)), "mil", kind="song")
    assert narrow.rate == wide.rate and narrow.low < narrow.rate < narrow.high
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    # The direct bootstrap, song by song.
    draws = rng.integers(600, size=(2000, 600))
    bounds = crossing_rate(RATES, (1 - 2.0 * d)[draws].mean(axis=1))
    low, high = np.quantile(bounds, [0.025, 0.975], method="inverted_cdf")
    assert (narrow.low, narrow.high) == pytest.approx((low, high), abs=0.02)


def test_what_is_not_shown_says_so() -> None:
    rng = np.random.default_rng(2)
    plain = rng.random((40, 3)) < 0.6
    table = answers(
        {"ce": plain, "same": plain, "better": plain | True, "luck": rng.random((40, 3)) < 0.6},
        np.arange(40),
    )
    never, always, luck = (
        crossing(table, name, kind="song") for name in ("same", "better", "luck")
    )
    assert never.words("same") == "same does not cross ce: it is not ahead at 50 % wrong labels."
    assert always.words("b") == "b does not cross ce: it is ahead at every rate up to 50 %."
    assert luck.low == 0 and luck.high == np.inf and not luck.is_shown
    assert "[before 0 %, beyond 50 %]" in luck.words("luck") and "shown" in luck.words("luck")


def test_a_crossing_that_may_lie_before_the_first_rate_is_not_shown() -> None:
    bounds = [(0.0, 0.3), (0.1, np.inf), (0.1, 0.3)]
    found = [Crossing(0.2, low, high, RATES, 80, 80) for low, high in bounds]
    assert [one.is_shown for one in found] == [False, False, True]
    assert [": a crossing is not shown" in one.words("elr") for one in found] == [True, True, False]


def test_one_rate_is_no_line() -> None:
    one = answers({"ce": np.ones((4, 3)), "elr": np.ones((4, 3))}, np.arange(4))
    with pytest.raises(MerKitError, match="have 1 rates of drift noise in common, expected at"):
        crossing(one, "elr", kind="drift")


def test_only_answers_that_exist_at_every_rate_count() -> None:
    rng = np.random.default_rng(3)
    right = {name: rng.random((60, 3)) < 0.6 for name in ("ce", "elr")}
    table = answers(right, np.arange(60))
    one = crossing(table, "elr", kind="song")
    other = answers({name: ~value for name, value in right.items()}, np.arange(60)).assign(seed=1)
    partly = other[other["noise_rate"] == RATES[1]]  # a second seed, at a single rate
    with_it = crossing(pd.concat([table, partly]), "elr", kind="song")
    assert (with_it.rate, with_it.low, with_it.high) == (one.rate, one.low, one.high)
    apart = table.assign(fold=(table["noise_rate"] > 0).astype(int))
    with pytest.raises(MerKitError, match="share no song, seed and fold at all 3 rates of song"):
        crossing(apart, "elr", kind="song")
