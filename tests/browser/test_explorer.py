"""The segment explorer in Chromium: choosing, hearing exactly one segment, cutting anew, reading it without seeing it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mer_kit.views import js
from mer_kit.views.segment_explorer import SegmentExplorer
from tests.views import fold_stub

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

#: Writes down what is started: seconds into the clip and for how long.
EAVESDROP = """() => {
  window.heard = [];
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (when, from, length) {
    window.heard.push([from, length]);
    return start.call(this, when, from, length);
  };
}"""
PIXEL = (
    """(canvas, [x, y]) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data].slice(0, 3)"""
)


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> SegmentExplorer:
    return SegmentExplorer(fold_stub.segments(tmp_path_factory.mktemp("clips")), clip=1)


@pytest.fixture(scope="module")
def html(explorer: SegmentExplorer) -> str:
    return explorer.to_html(clips=[1, 0, 2])


@pytest.fixture
def opened(html: str, page_of: Callable[..., Page]) -> Page:
    page = page_of(html)
    page.locator(".mer-explorer .bar").first.wait_for(state="attached")
    page.evaluate(EAVESDROP)
    return page


def words(page: Page) -> str:
    return page.locator(".words").inner_text()


def settle(page: Page, text: str) -> None:
    page.locator(".words", has_text=re.compile(text)).wait_for()


def test_arrow_keys_choose_a_segment_and_sound_just_it(opened: Page) -> None:
    stage = opened.get_by_role("slider", name="Segment", exact=True)
    stage.focus()
    for _ in range(3):
        opened.keyboard.press("ArrowRight")
    assert words(opened) == "Segment 4 of 5, 3 to 5 s, inherits Q3 sad, but is Q2 angry."
    assert (
        stage.get_attribute("aria-valuetext") == words(opened)
        and stage.get_attribute("aria-valuenow") == "4"
    )
    opened.wait_for_function("heard.length >= 1 && heard.at(-1)[0] === 3")
    assert opened.evaluate("heard.at(-1)") == [3, 2]
    opened.locator(
        '.mer-explorer[data-state="stopped"]'
    ).wait_for()  # by itself, at the segment's end
    opened.keyboard.press("Home")
    assert words(opened) == "Segment 1 of 5, 0 to 2 s, inherits Q3 sad, which is true of it."
    opened.keyboard.press("End")
    assert words(opened).startswith("Segment 5 of 5, 4 to 6 s")
    opened.wait_for_function("heard.at(-1)[0] === 4")


def test_silence_can_be_chosen_and_space_plays(opened: Page) -> None:
    opened.get_by_label("play what I choose").uncheck()
    stage = opened.get_by_role("slider", name="Segment", exact=True)
    stage.focus()
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate("heard") == []
    opened.keyboard.press(" ")
    opened.wait_for_function("heard.length === 1")
    assert opened.evaluate("heard") == [[1, 2]]


def test_a_click_on_a_bar_and_a_drag_over_the_picture_choose(opened: Page) -> None:
    bars = opened.locator(".bar")
    wrong = [bars.nth(n).get_attribute("data-wrong") for n in range(bars.count())]
    assert wrong == ["false", "false", "false", "true", "true"], (
        "half of 2 to 4 s is Q3, heard first"
    )
    box = bars.nth(2).bounding_box()
    assert box
    opened.mouse.click(box["x"] + 5, box["y"] + 3)
    assert words(opened).startswith("Segment 3 of 5, 2 to 4 s")
    opened.wait_for_function("heard.length === 1 && heard[0][0] === 2")
    picture = opened.locator(".stage canvas").bounding_box()
    assert picture
    middle = picture["y"] + picture["height"] / 2
    opened.mouse.move(picture["x"] + 5, middle)
    opened.mouse.down()
    assert words(opened).startswith("Segment 1 of 5")
    opened.mouse.move(picture["x"] + picture["width"] * 5 / 6, middle, steps=4)
    opened.mouse.up()
    assert words(opened).startswith("Segment 5 of 5")
    opened.wait_for_function("heard.length === 2 && heard[1][0] === 4")


@pytest.mark.parametrize("seconds", [1.0, 2.5, 4.5, 5.0])
def test_another_duration_cuts_anew_and_counts(
    opened: Page, explorer: SegmentExplorer, seconds: float
) -> None:
    opened.get_by_label("Segment duration").fill(str(seconds))
    settle(opened, f"^{seconds:g} s: ")
    cut, data = explorer.cut(1, seconds), explorer.data()
    assert opened.locator(".bar").count() == len(cut["start_s"])
    wrong = sum(k != data["clips"][1]["label"] for k in cut["truth"])
    assert words(opened).startswith(
        f"{seconds:g} s: {len(cut['start_s'])} segments, {wrong} with a wrong label. "
    )
    for line, toll in zip(
        opened.locator("tbody tr").all(), (cut["of_clip"], cut["of_corpus"]), strict=True
    ):
        shares = [f"{toll[name]:.1f} %" for name in ("wrong_percent", "mixed_percent")]
        assert line.locator("td").all_inner_texts() == [str(toll["segments"]), *shares]


def test_the_pictures_show_the_pixels_of_the_log_mel(
    opened: Page, explorer: SegmentExplorer
) -> None:
    import matplotlib as mpl

    opened.get_by_role("slider", name="Segment", exact=True).press("ArrowRight")
    pixels, first = explorer.pixels(1), round(22050 / 512)
    whole, part = opened.locator(".stage canvas"), opened.locator(".pane canvas")
    assert part.evaluate("(canvas) => [canvas.width, canvas.height]") == [
        round(2 * 22050 / 512),
        128,
    ]
    for frame, band in [(first, 0), (first + 40, 17), (first + 80, 127)]:
        expected = [round(255 * c) for c in mpl.colormaps["magma"](int(pixels[frame, band]))[:3]]
        assert whole.evaluate(PIXEL, [frame, 127 - band]) == expected
        assert part.evaluate(PIXEL, [frame - first, 127 - band]) == expected


def test_clips_are_found_by_any_word_and_a_short_one_says_so(opened: Page) -> None:
    opened.get_by_label("Find a clip").fill("happy song")
    assert opened.locator("option").all_inner_texts() == ["c0 · Q1 happy · <A> – Song 0"]
    assert opened.get_by_text("1 of 3 clips").count() == 1
    opened.get_by_label("Clips").select_option("0")
    settle(opened, "^c0: 3 segments")
    assert words(opened).endswith("inherits Q1 happy.")
    opened.get_by_label("Find a clip").fill("")
    opened.get_by_label("Clips").select_option("2")
    opened.get_by_label("Segment duration").fill("3")
    settle(opened, "too short")
    assert words(opened) == "3 s: the clip is too short for one segment. No segment."
    assert (
        opened.get_by_role("button", name="Play", exact=True).is_disabled()
        and opened.locator(".bar").count() == 0
    )


def test_a_page_that_lacks_a_clip_does_not_offer_it(
    explorer: SegmentExplorer, page_of: Callable[..., Page]
) -> None:
    page = page_of(explorer.to_html())
    page.locator(".bar").first.wait_for(state="attached")
    assert page.locator("option").count() == 1
    assert page.get_by_text("1 of 1 clips in this page; the corpus has 3").count() == 1


KERNEL = """
const data = JSON.parse(document.getElementById("data").textContent), handlers = {};
window.sent = [];
const viewOf = (part) => new DataView(Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0)).buffer);
window.reply = ({ reply, parts }) => handlers[reply.kind](reply, parts.map(viewOf));
const on = (kind, handler) => { handlers[kind] = handler; return () => { delete handlers[kind]; }; };
const talk = { send: (message) => sent.push(message), on };
window.down = mount(document.getElementById("place"), data, talk);
"""


def tell(explorer: SegmentExplorer, page: Page, message: dict[str, Any]) -> None:
    reply, buffers = explorer.answer(message)
    page.evaluate(
        "reply",
        {"reply": reply, "parts": [base64.b64encode(part).decode("ascii") for part in buffers]},
    )


def refuse(page: Page, message: dict[str, Any]) -> None:
    page.evaluate(
        "reply",
        {"reply": {"kind": "sorry", "text": "the store is gone", "to": message}, "parts": []},
    )


def asked(page: Page) -> list[dict[str, Any]]:
    """Return what was sent since the last time."""
    return page.evaluate("sent.splice(0)")  # type: ignore[no-any-return]


@pytest.fixture
def in_kernel(explorer: SegmentExplorer, page_of: Callable[..., Page]) -> Page:
    """The explorer as a widget whose kernel has answered for the first clip; all else waits for `tell`."""
    page = page_of(
        f'<div id="place"></div><script type="application/json" id="data">{js.embedded(explorer.data())}</script>'
        f'<script type="module">{js.module("explorer")}{KERNEL}</script>'
    )
    page.evaluate(EAVESDROP)
    first = asked(page)
    assert first == [{"kind": "clip", "clip": 1}, {"kind": "cut", "clip": 1, "seconds": 2}]
    for message in first:
        tell(explorer, page, message)
    settle(page, "^c1: 5 segments")
    return page


def test_another_clip_is_shown_when_all_of_it_is_here(
    explorer: SegmentExplorer, in_kernel: Page
) -> None:
    page = in_kernel
    page.get_by_label("Clips").select_option("0")
    clip, cut = asked(page)
    tell(explorer, page, clip)
    page.get_by_role("button", name="Next").click()
    assert words(page) == "Segment 2 of 5, 1 to 3 s, inherits Q3 sad, which is true of it."
    page.set_viewport_size({"width": 700, "height": 800})
    page.wait_for_function("document.querySelector('.stage svg').viewBox.baseVal.width < 700")
    assert (
        page.locator(".name").inner_text().startswith("c1 ") and page.locator(".bar").count() == 5
    )
    tell(explorer, page, cut)
    settle(page, "^c0: 3 segments")
    assert page.locator(".name").inner_text().startswith("c0 ") and words(page).endswith(
        "0 to 2 s, inherits Q1 happy."
    )


def test_another_duration_sounds_and_shows_when_it_is_here(
    explorer: SegmentExplorer, in_kernel: Page
) -> None:
    page = in_kernel
    page.get_by_label("Segment duration").fill("3")
    page.wait_for_function("sent.length === 1")
    (cut,) = asked(page)
    page.get_by_role("button", name="Next").click()
    page.wait_for_function("heard.length === 1")
    assert page.evaluate("heard") == [[1, 2]] and words(page).startswith("Segment 2 of 5, 1 to 3 s")
    assert page.locator("caption").inner_text() == "Cut into 2 s"
    tell(explorer, page, cut)
    settle(page, r"^3 s: 4 segments, . with a wrong label\. Segment 2 of 4, 1 to 4 s")
    assert page.locator("caption").inner_text() == "Cut into 3 s"


def test_what_the_kernel_refuses_leads_back_to_what_is_shown(
    explorer: SegmentExplorer, in_kernel: Page
) -> None:
    page, slider = in_kernel, in_kernel.get_by_label("Segment duration")
    slider.fill("3")
    page.wait_for_function("sent.length === 1")
    (cut,) = asked(page)
    refuse(page, cut)
    assert words(page) == "the store is gone" and slider.input_value() == "2"
    assert page.locator("output").inner_text() == "2 s"
    page.get_by_role("button", name="Next").click()
    assert words(page) == "Segment 2 of 5, 1 to 3 s, inherits Q3 sad, which is true of it."
    page.get_by_label("Clips").select_option("0")
    clip, other = asked(page)
    assert other == {"kind": "cut", "clip": 0, "seconds": 2}, (
        "the refused duration is not wished for any more"
    )
    refuse(page, clip)
    tell(explorer, page, other)
    assert page.get_by_label("Clips").input_value() == "1" and page.locator(
        ".name"
    ).inner_text().startswith("c1 ")
    assert words(page) == "the store is gone"
    slider.fill("3")
    page.wait_for_function("sent.length === 1")
    assert asked(page) == [cut], "asked again"
    tell(explorer, page, cut)
    settle(page, "^3 s: 4 segments")


def test_a_refusal_that_comes_late_does_not_stop_what_is_wished_for_since(
    explorer: SegmentExplorer, in_kernel: Page
) -> None:
    page, slider = in_kernel, in_kernel.get_by_label("Segment duration")
    slider.fill("3")
    page.wait_for_function("sent.length === 1")
    slider.fill("4")
    page.wait_for_function("sent.length === 2")
    three, four = asked(page)
    refuse(page, three)
    assert slider.input_value() == "4"
    tell(explorer, page, four)
    settle(page, "^4 s: 3 segments")


def test_taken_out_of_the_page_it_closes_its_sound(in_kernel: Page) -> None:
    page = in_kernel
    page.evaluate(
        "() => { window.closings = 0; const close = AudioContext.prototype.close;"
        " AudioContext.prototype.close = function () { window.closings += 1; return close.call(this); }; }"
    )
    page.get_by_role("button", name="Next").click()
    page.wait_for_function("heard.length === 1")
    page.evaluate("window.place_ = document.getElementById('place'); place_.remove()")
    page.wait_for_function("closings === 1")
    page.evaluate("document.body.append(place_)")
    page.get_by_role("button", name="Next").click()
    page.wait_for_function("heard.length === 2 && heard[1][0] === 2")
    page.locator('.mer-explorer[data-state="stopped"]').wait_for()
    page.evaluate("place_.remove()")
    page.wait_for_function("closings === 2")  # while nothing sounds, too
    page.evaluate("down()")
    assert page.evaluate("place_.childElementCount") == 0


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_it_is_readable_in_light_dark_and_on_a_phone(
    html: str, page_of: Callable[..., Page], axe: Callable[..., Any], shots: Path, look: str
) -> None:
    options: dict[str, Any] = (
        {"viewport": {"width": 360, "height": 800}} if look == "narrow" else {}
    )
    page = page_of(html, color_scheme="dark" if look == "dark" else "light", **options)
    page.locator(".bar").first.wait_for(state="attached")
    page.get_by_role("slider", name="Segment", exact=True).press("End")
    page.screenshot(path=shots / f"explorer-{look}.png", full_page=True)
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


def test_without_scripts_picture_and_words_stay(html: str, page_of: Callable[..., Page]) -> None:
    page = page_of(html, java_script_enabled=False)
    assert page.get_by_role(
        "img", name="Log-mel of clip c1 and the staircase of its segments"
    ).is_visible()
    assert page.get_by_text("c1: 5 segments of 2 s").is_visible()
