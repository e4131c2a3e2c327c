"""The playground in Chromium: its numbers are those of the objectives, keys do what the mouse does, δ is heard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from mer_kit.plots.objectives import sharpen
from mer_kit.views.objectives import DropoutPairs, MixupDeck, SharpeningTriangle

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

CLASSES = ("Q1", "Q2", "Q3", "Q4")
RNG = np.random.default_rng(3)
P = RNG.dirichlet([0.7] * 4, 12)
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def triangle() -> SharpeningTriangle:
    names = [f"clip {row} from {row} s" for row in range(len(P))]
    return SharpeningTriangle(P, names, CLASSES, labels=np.arange(len(P)) % 4)


@pytest.fixture(scope="module")
def deck() -> MixupDeck:
    t = np.arange(2 * 22050) / 22050
    sounds = tuple(0.2 * np.sin(2 * np.pi * hertz * t) for hertz in (220, 550))
    mels = (np.full((86, 128), -15.0), np.repeat(np.linspace(-60, 30, 128)[None], 86, axis=0))
    targets = np.array([[1, 0, 0, 0], [0, 0.1, 0.9, 0]])
    return MixupDeck(mels, sounds, targets, ("Q1, trusted", "Q3, erased"), CLASSES)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pairs() -> DropoutPairs:
    return DropoutPairs(RNG.dirichlet([2] * 4, (2, 8)), ["U: one", "X: two"], CLASSES)


def view(page: Page) -> Locator:
    found = page.locator(".mer-playground")
    found.locator("table").wait_for()
    return found


def numbers(view: Locator) -> list[float]:
    return [
        float(one)
        for one in view.locator(".bars b").evaluate_all(
            "(all) => all.map((one) => one.dataset.value)"
        )
    ]


def say(view: Locator, words: str) -> None:
    """Wait until the polite line says this."""
    view.locator("[aria-live]", has_text=words).wait_for(timeout=5000)


def set_slider(view: Locator, name: str, value: float) -> None:
    view.locator(f"[data-part={name}]").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
        value,
    )


# ---- sharpening ------------------------------------------------------------------------------------------------------


def test_choosing_segment_classes_and_temperature_shows_pythons_numbers(
    page_of: Open, triangle: SharpeningTriangle
) -> None:
    part = view(page_of(triangle.to_html()))
    told = triangle.sharpened(0, 0.5)
    assert numbers(part) == pytest.approx(
        np.stack([told["before"], told["after"]]).T.ravel(), abs=1e-5
    )
    part.locator("[data-part=among]").select_option("0,2,3")
    part.locator("[data-part=segment]").select_option("5")
    set_slider(part, "temperature", 1.5)
    told = triangle.sharpened(5, 1.5, among=(0, 2, 3))
    assert numbers(part) == pytest.approx(
        np.stack([told["before"], told["after"]]).T.ravel(), abs=1e-5
    )
    say(part, "T = 1.50: p is Q1 ")
    assert "Erased label: Q2 angry." in part.inner_text()
    assert (
        f"{P[5][[0, 2, 3]].sum():.0%}".replace("%", " %")
        in part.locator("[data-part=note]").inner_text()
    )


def test_the_point_obeys_arrow_keys_and_says_where_it_is(
    page_of: Open, triangle: SharpeningTriangle
) -> None:
    page = page_of(triangle.to_html())
    part = view(page)
    plot = part.get_by_role("slider", name="Prediction p")
    plot.press("Home")
    assert numbers(part) == pytest.approx([1 / 3] * 6, abs=1e-6)
    assert part.locator("[data-part=segment]").input_value() == ""
    plot.press("ArrowUp")
    assert numbers(part)[::2] == pytest.approx(np.array([35, 32, 32]) / 99)
    assert numbers(part)[1::2] == pytest.approx(sharpen(np.array([35, 32, 32]) / 99, 0.5), abs=1e-5)
    for _ in range(20):
        plot.press("Shift+ArrowLeft")
    assert numbers(part)[4] == 0, "against the left edge, the corner at the right has nothing"
    assert (plot.get_attribute("aria-valuetext") or "").endswith(
        f"{CLASSES[triangle.among(0)[2]]} 0 %"
    )
    say(part, "goes from")
    assert plot.evaluate("(node) => node === document.activeElement")


def test_the_point_is_dragged_into_a_corner_and_stays_in_the_triangle(
    page_of: Open, triangle: SharpeningTriangle
) -> None:
    page = page_of(triangle.to_html())
    part = view(page)
    plot = part.locator("[data-part=plot]")
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 300, steps=4)
    page.mouse.up()
    first, *rest = numbers(part)[::2]
    assert first > 0.95 and all(0 <= value < 0.05 for value in rest)
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] - 5)
    assert numbers(part)[0] == first, "let go is let go"


def test_a_segments_mark_can_be_picked_with_the_mouse(
    page_of: Open, triangle: SharpeningTriangle
) -> None:
    part = view(page_of(triangle.to_html()))
    part.locator(".dots path[data-row='7']").dispatch_event("pointerdown", {"button": 0})
    assert part.locator("[data-part=segment]").input_value() == "7"
    assert part.locator(".dots .picked").count() == 1
    assert numbers(part)[::2] == pytest.approx(
        triangle.sharpened(7, 0.5, among=triangle.among(0))["before"], abs=1e-6
    )


def test_two_classes_lie_on_a_line(page_of: Open) -> None:
    p = np.array([[0.3, 0.7], [0.9, 0.1]])
    line = SharpeningTriangle(p, ["a", "b"], ("V-", "V+"), labels=np.array([0, 1]))
    part = view(page_of(line.to_html()))
    assert numbers(part) == pytest.approx([0.3, 0.09 / 0.58, 0.7, 0.49 / 0.58], abs=1e-5)
    plot = part.locator("[data-part=plot]")
    plot.press("ArrowLeft")
    assert numbers(part)[0] == pytest.approx(30 / 96), "0.3 is nearest to 29 of 96 steps"
    assert numbers(part)[1::2] == pytest.approx(sharpen(np.array([30, 66]) / 96, 0.5), abs=1e-5)
    plot.press("ArrowUp")
    assert numbers(part)[0] == pytest.approx(29 / 96), "up is right on a line"
    assert part.locator("[data-part=among]").count() == 0


# ---- mixup -----------------------------------------------------------------------------------------------------------


def test_delta_mixes_picture_and_target(page_of: Open, deck: MixupDeck) -> None:
    part = view(page_of(deck.to_html()))
    for delta in (0.7, 0.25):
        set_slider(part, "delta", delta)
        mixed = deck.mixed(delta)
        assert numbers(part) == pytest.approx(mixed["target"], abs=1e-9)
        for band in (3, 64, 120):
            pixel = (
                part.locator("canvas")
                .nth(1)
                .evaluate(
                    "(canvas, y) => [...canvas.getContext('2d').getImageData(40, y, 1, 1).data].slice(0, 3)",
                    127 - band,
                )
            )
            level = (mixed["mel"][40, band] + 60) / 90
            near = [
                255 * np.array(plt.get_cmap("magma")(level + step / 255)[:3]) for step in (-1, 0, 1)
            ]
            assert min(np.abs(pixel - one).max() for one in near) < 2, (delta, band)
    say(part, "δ = 0.25: the target of the network is Q1 0.25, Q2 0.0")


def test_delta_is_heard_while_it_moves_and_a_press_ends_it(page_of: Open, deck: MixupDeck) -> None:
    page = page_of(deck.to_html())
    part = view(page)
    levels = "(node, wanted) => node.dataset.levels?.split(' ').every((one, at) => Math.abs(one - wanted[at]) < 0.01)"

    def wait(wanted: list[float]) -> None:
        page.wait_for_function(
            f"(wanted) => ({levels})(document.querySelector('.mer-playground'), wanted)", arg=wanted
        )

    button = part.locator("[data-do=mixture]")
    button.press("Enter")
    wait([0.7, 0.3])
    assert (
        button.get_attribute("aria-pressed") == "true"
        and button.inner_text() == "■ Stop the mixture"
    )
    set_slider(part, "delta", 0.1)
    wait([0.1, 0.9])
    part.locator("[data-do=second]").click()
    wait([0, 1])
    assert button.get_attribute("aria-pressed") == "false"
    part.locator("[data-do=second]").click()
    page.wait_for_function(
        "() => document.querySelector('.mer-playground').dataset.state === 'silent'"
    )


def test_without_sounds_there_is_nothing_to_hear(page_of: Open, deck: MixupDeck) -> None:
    quiet = MixupDeck(deck.mels, None, deck.targets, deck.names, CLASSES)
    part = view(page_of(quiet.to_html()))
    assert part.locator("button:visible").count() == 0 and part.locator("canvas").count() == 3


# ---- R-Drop ----------------------------------------------------------------------------------------------------------


def test_every_pair_shows_its_bars_and_pythons_divergence(
    page_of: Open, pairs: DropoutPairs
) -> None:
    part = view(page_of(pairs.to_html()))
    said = part.locator("[data-part=kl]")
    for row in (0, 1):
        part.locator("[data-part=segment]").select_option(str(row))
        for pair in range(4):
            assert float(said.get_attribute("data-value") or "nan") == pytest.approx(
                pairs.kl(row, pair), abs=1e-5
            )
            assert numbers(part) == pytest.approx(
                pairs.passes[row, 2 * pair : 2 * pair + 2].T.ravel()
            )
            assert f"{pair + 1} pair" in part.locator("[data-part=mean]").inner_text()
            if pair < 3:
                part.get_by_role("button", name="Draw another pair").press("Enter")
        mean = np.mean([pairs.kl(row, pair) for pair in range(4)])
        assert (
            f"(all that were computed), mean {mean:.3f} nats"
            in part.locator("[data-part=mean]").inner_text()
        )
    part.get_by_role("button", name="Draw another pair").click()
    assert float(said.get_attribute("data-value") or "nan") == pytest.approx(
        pairs.kl(1, 0), abs=1e-5
    )
    say(part, f"they are {pairs.kl(1, 0):.3f} nats apart")


# ---- all three -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {}),
        ("dark", {"color_scheme": "dark"}),
        ("small", {"viewport": {"width": 360, "height": 800}}),
    ],
)
def test_light_dark_and_small_are_accessible_and_fit(
    page_of: Open,
    axe: Callable[..., list[dict[str, Any]]],
    shots: Path,
    triangle: SharpeningTriangle,
    deck: MixupDeck,
    pairs: DropoutPairs,
    name: str,
    options: dict[str, Any],
) -> None:
    for part in (triangle, deck, pairs):
        page = page_of(part.to_html(), **options)
        view(page)
        page.screenshot(path=shots / f"playground-{part.part}-{name}.png", full_page=True)
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), part.part


def test_without_scripts_the_picture_stays(page_of: Open, triangle: SharpeningTriangle) -> None:
    page = page_of(triangle.to_html(), java_script_enabled=False)
    assert page.get_by_role("img", name=triangle.page_title).is_visible()
