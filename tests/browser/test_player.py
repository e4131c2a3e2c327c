"""The player in a browser: what is chosen is heard, exactly and alone; by keyboard, on a phone, in the dark, in an export."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import numpy as np
import pandas as pd
import pytest
import soundfile
from nbformat.v4 import new_code_cell, new_notebook, new_output

from mer_kit.pages import export
from mer_kit.views import js
from mer_kit.views.curve_player import CurvePlayer
from tests import small_site
from tests.browser.watch import Watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CLASSES = ["Q1", "Q2", "Q3", "Q4"]
RATE, SECONDS, LENGTH = 22050, 12, 2.0
#: Tells which second of the song sounds right now (each has a pitch of its own), or −1 in silence.
EAR = """() => {
  const connect = AudioNode.prototype.connect;
  let ear = null;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode) {
      ear ??= new AnalyserNode(this.context, { fftSize: 2048, smoothingTimeConstant: 0 });
      connect.call(this, ear);
    }
    return connect.call(this, to, ...rest);
  };
  const start = AudioBufferSourceNode.prototype.start;
  window.started = []; // [from second, for seconds] of all that was ever asked to sound
  AudioBufferSourceNode.prototype.start = function (when, ...stretch) {
    window.started.push(stretch);
    return start.call(this, when, ...stretch);
  };
  window.heard = () => {
    if (!ear) return -1;
    const bins = new Float32Array(ear.frequencyBinCount);
    ear.getFloatFrequencyData(bins);
    const top = bins.indexOf(Math.max(...bins));
    return bins[top] < -60 ? -1 : Math.round((top * ear.context.sampleRate / 2048 - 400) / 200);
  };
  window.listen = async (enough) => {
    const player = document.querySelector(".mer-player"), seconds = [], positions = [];
    for (let turn = 0; turn < 200 && player.dataset.state === "stopped"; turn++)
      await new Promise((done) => setTimeout(done, 25)); // the first sound is decoded first
    do {
      await new Promise((done) => setTimeout(done, 25));
      const second = window.heard();
      if (second >= 0 && seconds.at(-1) !== second) seconds.push(second);
      positions.push(Number(player.dataset.second));
    } while (player.dataset.state !== "stopped" && positions.length < enough);
    return { seconds, positions };
  };
}"""


def curve(seed: int = 0) -> pd.DataFrame:
    """A curve of two-second segments over twelve seconds."""
    start = np.arange(float(SECONDS - LENGTH + 1))
    table = pd.DataFrame(
        {"start_s": start, "end_s": start + LENGTH, "centre_s": start + LENGTH / 2}
    )
    table[CLASSES] = np.random.default_rng(seed).dirichlet(np.ones(4), size=len(start))
    table.attrs["song"] = "scale.wav"
    return table


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    """A song whose second k is a tone of 400 + 200·k Hz; large enough to be encoded on its way into a page."""
    t = np.arange(SECONDS * RATE) / RATE
    path = tmp_path / "scale.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * (400 + 200 * np.floor(t)) * t), RATE)
    return path


@pytest.fixture
def player(scale: Path) -> CurvePlayer:
    truth = pd.DataFrame({"start_s": [0.0, 5.0], "end_s": [5.0, 12.0], "leader": ["Q1", "Q3"]})
    doubted = pd.DataFrame({"start_s": [6.0], "end_s": [9.0]})
    first = curve()
    first["tags"] = [f"rock .{row + 10}, <b>sad</b> .05" for row in range(len(first))]
    curves = {"sssl": first, "ce": curve(1)}
    return CurvePlayer(curves, scale, truth=truth, rejected=doubted, label="Q1", title="A scale")


CorpusCache = Callable[..., "Page"]


def opened(page_of: CorpusCache, html: str | Path, **options: Any) -> Page:
    page = page_of(html, **options)
    page.wait_for_selector("[data-part=plot] svg polyline")
    page.evaluate(EAR)
    return page


def click_at(page: Page, second: float) -> None:
    """Click on the curve above a second of the song, as far as the axis says where that is."""
    ticks = page.eval_on_selector(
        ".mer-player",
        "(player) => [...player.querySelectorAll('.tick')].map("
        "(line) => [Number(line.nextSibling.textContent), line.getBoundingClientRect().x])",
    )
    (low, left), (high, right) = ticks[0], ticks[-1]
    box = page.locator("[data-part=plot]").first.bounding_box()
    page.mouse.click(left + (second - low) / (high - low) * (right - left), box["y"] + 60)


def state(page: Page) -> dict[str, str]:
    return page.eval_on_selector(".mer-player", "(el) => ({ ...el.dataset })")


def settled(page: Page) -> str:
    """Return the spoken line once it has come to rest."""
    page.wait_for_timeout(250)
    return page.inner_text("[data-part=words]")


def test_a_click_plays_its_segment_from_start_to_end_and_nothing_else(
    page_of: CorpusCache, player: CurvePlayer
) -> None:
    page = opened(page_of, player.to_html())
    click_at(page, 6.1)  # nearest to the centre of the segment from 5 to 7 s
    page.wait_for_selector(".mer-player[data-state=segment]")
    told = page.evaluate("listen(400)")
    assert state(page)["selected"] == "5"
    assert told["seconds"] == [5, 6], "these two seconds were heard, in this order"
    assert page.evaluate("started") == [[5, 2]], "the audio clock itself stops it after two seconds"
    assert min(told["positions"]) >= 5.0 and max(told["positions"]) == 7.0
    assert told["positions"] == sorted(told["positions"])
    assert state(page) | {"second": "7.000", "state": "stopped"} == state(page)
    assert page.evaluate("new Promise((done) => setTimeout(() => done(heard()), 300))") == -1
    assert page.inner_text("[data-do=segment]") == "Segment"


def test_a_drag_is_heard_once_it_is_let_go(page_of: CorpusCache, player: CurvePlayer) -> None:
    page = opened(page_of, player.to_html())
    box = page.locator("[data-part=plot]").bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 60, steps=8)
    assert state(page)["selected"] == "10" and state(page)["state"] == "stopped"
    page.mouse.up()
    assert set(page.evaluate("listen(400)")["seconds"]) <= {10, 11}


def test_a_loop_repeats_the_segment_alone_and_ends_when_it_is_switched_off(
    page_of: CorpusCache, player: CurvePlayer
) -> None:
    page = opened(page_of, player.to_html())
    page.click("[data-do=loop]")
    assert page.get_attribute("[data-do=loop]", "aria-pressed") == "true"
    click_at(page, 3)
    page.wait_for_selector(".mer-player[data-state=segment]")
    told = page.evaluate("listen(200)")
    assert told["seconds"][:4] == [2, 3, 2, 3]
    assert min(told["positions"]) >= 2.0 and max(told["positions"]) <= 4.0
    page.click("[data-do=loop]")
    told = page.evaluate("listen(400)")
    assert told["positions"][-1] == 4.0 and set(told["seconds"]) <= {2, 3}


def test_the_song_plays_on_from_where_it_was_paused(
    page_of: CorpusCache, player: CurvePlayer
) -> None:
    page = opened(page_of, player.to_html())
    page.click("[data-do=auto]")
    click_at(page, 3)
    assert state(page)["state"] == "stopped", "choosing is silent when that is wished"
    page.click("[data-do=song]")
    page.wait_for_selector(".mer-player[data-state=song]")
    assert page.evaluate("listen(120)")["seconds"][:2] == [2, 3]
    assert page.inner_text("[data-do=song]") == "Pause"
    page.click("[data-do=song]")
    paused = float(state(page)["second"])
    assert paused > 3 and state(page)["state"] == "stopped"
    page.click("[data-do=song]")
    page.wait_for_selector(".mer-player[data-state=song]")
    told = page.evaluate("listen(20)")
    assert min(told["positions"]) >= paused and 2 not in told["seconds"]


def test_everything_works_by_keyboard(page_of: CorpusCache, player: CurvePlayer) -> None:
    page = opened(page_of, player.to_html())
    page.keyboard.press("Tab")
    slider = page.locator(":focus")
    assert (
        slider.get_attribute("role") == "slider"
        and slider.get_attribute("aria-label") == "Segment of A scale"
    )
    steps = [
        ("ArrowRight", 1),
        ("ArrowUp", 2),
        ("ArrowLeft", 1),
        ("PageUp", 10),
        ("ArrowRight", 10),
        ("Home", 0),
    ]
    for key, row in [*steps, ("End", 10), ("PageDown", 0), ("ArrowDown", 0)]:
        page.keyboard.press(key)
        assert state(page)["selected"] == str(row), key
        assert slider.get_attribute("aria-valuenow") == str(row + 1)
    page.keyboard.press("ArrowRight")  # rests, so it sounds by itself
    page.wait_for_selector(".mer-player[data-state=segment]")
    page.keyboard.press("Escape")
    assert state(page)["state"] == "stopped"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    page.wait_for_timeout(400)
    assert state(page) | {"state": "stopped", "selected": "1"} == state(page), (
        "Escape also stops what is about to sound"
    )
    page.keyboard.press("Space")
    page.wait_for_selector(".mer-player[data-state=segment]")
    assert set(page.evaluate("listen(400)")["seconds"]) == {1, 2}
    page.keyboard.press("Enter")
    page.wait_for_selector(".mer-player[data-state=segment]")
    page.keyboard.press("Enter")
    assert state(page)["state"] == "stopped"
    names = []
    for _ in range(7):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.dataset.do"))
    assert names == ["segment", "song", "loop", "previous", "next", "auto", "curves"]


def test_python_and_browser_say_the_same_of_every_segment(
    page_of: CorpusCache, player: CurvePlayer
) -> None:
    page = opened(page_of, player.to_html())
    page.focus("[data-part=plot]")
    page.click("[data-do=auto]")
    for row in range(len(player.curve)):
        player.selected = row
        assert (
            settled(page)
            == player.sentence()
            == page.get_attribute("[data-part=plot]", "aria-valuetext")
        )
        page.locator("[data-do=next]").click(force=True)
    assert page.is_disabled("[data-do=next]")
    assert page.get_attribute("[data-part=words]", "aria-live") == "polite"


def test_lines_and_bands_stand_where_the_numbers_say(
    page_of: CorpusCache, player: CurvePlayer
) -> None:
    page = opened(page_of, player.to_html())
    lines = page.eval_on_selector_all(
        "polyline[data-curve]", "(all) => all.map((one) => one.getAttribute('points'))"
    )
    assert len(lines) == 8
    heights = [
        [float(point.split(",")[1]) for point in line.split()] for line in lines[4:]
    ]  # the first curve is on top
    p = player.curve[CLASSES].to_numpy().T
    slope, offset = np.polyfit(p.ravel(), np.ravel(heights), 1)
    np.testing.assert_allclose(slope * p + offset, heights, atol=0.06)
    dashes = page.eval_on_selector_all(
        ".first[data-curve]", "(all) => all.map((one) => one.getAttribute('stroke-dasharray'))"
    )
    assert len(set(dashes)) == 4 and dashes[0] is None
    assert page.locator("[data-band]").evaluate_all(
        "(all) => all.map((one) => one.dataset.band)"
    ) == [
        "leads",
        "leads",
        "truth",
        "rejected",
    ]
    assert (
        page.locator("[data-band=truth] rect").count() == 2
        and page.locator("[data-band=rejected] rect").count() == 1
    )
    ends = page.locator(".ends text").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().toJSON())"
    )
    ends.sort(key=lambda box: box["top"])
    assert all(below["top"] >= above["top"] + 13 for above, below in pairwise(ends))
    page.select_option("[data-do=curves]", "1")
    assert (
        page.locator("polyline[data-curve]").count() == 4
        and page.locator("[data-band=leads]").count() == 1
    )


@pytest.mark.parametrize("name", ["light", "dark", "narrow"])
def test_it_is_sensible_in_light_dark_and_on_a_phone(
    page_of: CorpusCache, player: CurvePlayer, axe: Callable[..., list[Any]], shots: Path, name: str
) -> None:
    options: dict[str, Any] = {
        "dark": {"color_scheme": "dark"},
        "narrow": {"viewport": {"width": 360, "height": 800}},
    }
    page = opened(page_of, player.to_html(), **options.get(name, {}))
    page.screenshot(path=shots / f"player-{name}.png", full_page=True)
    assert axe(page) == []
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= room
    for control in page.locator("button, select").all():
        box = control.bounding_box()
        assert box["width"] >= 24 and box["height"] >= 24 and box["x"] + box["width"] <= room
    colours = page.evaluate("[getComputedStyle(document.querySelector('.mer-player')).color]")
    assert (colours == ["rgb(255, 255, 255)"]) == (name == "dark")
    click_at(page, 4)
    assert page.evaluate("listen(400)")["seconds"] == [3, 4]


def test_without_scripts_picture_and_sound_are_there(
    page_of: CorpusCache, player: CurvePlayer
) -> None:
    page = page_of(player.to_html(), java_script_enabled=False)
    assert (
        page.locator("img").bounding_box()["width"] > 300
        and page.locator("audio").bounding_box()["width"] > 300
    )
    assert page.locator("[data-part=plot]").count() == 0
    assert "Q" in page.locator("img").get_attribute("alt")


def test_an_exported_notebook_plays(
    page_of: CorpusCache, player: CurvePlayer, tmp_path: Path
) -> None:
    foreign = '<script src="https://example.org/x.js"></script><script>document.body.dataset.foreign = 1</script>'
    view = new_output("display_data", {"text/html": player.fragment()})
    mixed = new_output(
        "display_data", {"text/html": foreign + player.fragment()}
    )  # a view is an output of its own
    alone = new_output("display_data", {"text/html": foreign})
    book = new_notebook(cells=[new_code_cell("player", outputs=[alone, view, mixed, view])])
    nbformat.write(book, tmp_path / "book.ipynb")
    page = opened(page_of, export.to_html(tmp_path / "book.ipynb", tmp_path / "book.html"))
    assert page.locator(".mer-player [data-part=plot]").count() == 2, (
        "the same song twice in a notebook"
    )
    assert page.evaluate("document.body.dataset.foreign") is None
    click_at(page, 9)
    page.wait_for_selector(".mer-player[data-state=segment]")
    assert page.evaluate("listen(400)")["seconds"] == [8, 9]


def test_an_exported_page_runs_no_handler_of_a_notebook(
    chromium: Browser, player: CurvePlayer, tmp_path: Path
) -> None:
    act = "document.body.dataset.foreign = 1"
    foreign = f"""<img alt="" src="data:," onerror="{act}"><p id="own" onclick="{act}">text</p><svg onload="{act}"></svg>
      <a id="link" href="javascript:{act}">link</a><iframe title="f" srcdoc="<script>parent.{act}</script>"></iframe>"""
    outputs = [
        new_output("display_data", {"text/html": html}) for html in (foreign, player.fragment())
    ]
    nbformat.write(
        new_notebook(cells=[new_code_cell("1", outputs=outputs)]), tmp_path / "book.ipynb"
    )
    context = chromium.new_context(offline=True, reduced_motion="reduce")
    watch = Watch(context, noise=("Content Security Policy",))
    page = context.new_page()
    page.goto(export.to_html(tmp_path / "book.ipynb", tmp_path / "book.html").as_uri())
    page.wait_for_selector("[data-part=plot] svg polyline")
    page.evaluate(EAR)
    page.click("p:text-is('text')")
    page.click("a:text-is('link')")
    page.wait_for_timeout(100)
    assert page.evaluate("document.body.dataset.foreign") is None
    click_at(page, 9)
    page.wait_for_selector(".mer-player[data-state=segment]")
    assert page.evaluate("listen(400)")["seconds"] == [8, 9], "our own view runs, its sound too"
    context.close()
    assert watch.found == []


def test_hostile_names_stay_names(page_of: CorpusCache, scale: Path) -> None:
    title = "</script><script>document.body.dataset.bad = 1</script>\"'&<img src=x onerror=alert(1)> $x_{$"
    page = opened(
        page_of,
        CurvePlayer({"a</script>": curve(), "<b>'\"": curve(1)}, scale, title=title).to_html(),
    )
    assert page.evaluate("document.body.dataset.bad") is None
    assert page.inner_text(".mer-player .title strong") == title
    assert page.locator("[data-do=curves] option").all_inner_texts()[1:] == [
        "only a</script>",
        "only <b>'\"",
    ]


def test_a_silent_player_says_why_and_is_still_usable(page_of: CorpusCache) -> None:
    page = opened(page_of, CurvePlayer(curve(), title="mute").to_html())
    assert page.inner_text("[data-part=notice]") == "No sound was given with this curve."
    assert page.locator("[data-do=segment], [data-do=song], [data-do=auto]").count() == 0
    page.focus("[data-part=plot]")
    page.keyboard.press("End")
    assert state(page)["selected"] == "10"


def test_sound_that_cannot_be_decoded_is_told(page_of: CorpusCache, tmp_path: Path) -> None:
    (tmp_path / "torn.mp3").write_bytes(b"no sound at all")
    page = opened(page_of, CurvePlayer(curve(), tmp_path / "torn.mp3").to_html())
    page.click("[data-do=song]")
    page.wait_for_selector("[data-part=notice]:has-text('cannot play')")
    assert state(page)["state"] == "stopped"


@pytest.mark.parametrize("while_playing", [True, False])
def test_a_player_that_is_thrown_away_gives_its_sound_back(
    page_of: CorpusCache, player: CurvePlayer, while_playing: bool
) -> None:
    page = page_of(player.to_html())  # without the ear, which hears one context only
    page.wait_for_selector("[data-part=plot] svg polyline")
    page.evaluate("""() => {
      const close = AudioContext.prototype.close;
      window.shut = 0;
      AudioContext.prototype.close = function () { window.shut++; return close.call(this); };
    }""")
    page.click("[data-do=song]")
    page.wait_for_selector(".mer-player[data-state=song]")
    if not while_playing:
        page.click("[data-do=song]")
        page.wait_for_selector(".mer-player[data-state=stopped]")
    page.evaluate(
        "() => { window.gone = document.querySelector('.mer-player'); window.host = gone.parentNode; gone.remove(); }"
    )
    page.wait_for_function("shut === 1", timeout=5000)
    page.evaluate(
        "host.append(gone)"
    )  # notebooks take what is scrolled away off the page and put it back
    click_at(page, 6.1)
    page.wait_for_selector(".mer-player[data-state=segment]")
    page.wait_for_selector(".mer-player[data-state=stopped]")
    assert state(page)["second"] == "7.000"


MODEL = """async ([text, data, sound]) => {
  const listeners = [], state = { data, sound: new DataView(Uint8Array.from(atob(sound), (c) => c.charCodeAt(0)).buffer),
    mime: "audio/mpeg", selected: 2 };
  window.model = {
    saved: 0, get: (name) => state[name], save_changes: () => { window.model.saved++; },
    set: (name, value) => { state[name] = value; for (const [n, f] of [...listeners]) if (n === `change:${name}`) f(); },
    on: (name, f) => listeners.push([name, f]),
    off: (name, f) => listeners.splice(listeners.findIndex(([n, g]) => n === name && g === f), 1), listeners,
  };
  const module = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  const el = document.querySelector("main");
  window.take_down = module.default.render({ model: window.model, el });
}"""


def test_the_widgets_module_speaks_with_its_model_both_ways(
    page_of: CorpusCache, player: CurvePlayer
) -> None:

    page = page_of("<!doctype html><html lang=en><title>t</title><main></main></html>")
    sound = base64.b64encode(player.sound.data).decode()
    page.evaluate(MODEL, [js.module("player"), json.loads(json.dumps(player.data())), sound])
    page.wait_for_selector("[data-part=plot] svg polyline")
    page.evaluate(EAR)
    assert state(page)["selected"] == "2"
    click_at(page, 7)
    assert page.evaluate("[model.get('selected'), model.saved]") == [6, 1]
    assert page.evaluate("listen(400)")["seconds"] == [6, 7]
    page.keyboard.press(
        "ArrowLeft"
    )  # what is sent to Python comes back, and must not silence the choice
    page.wait_for_selector(".mer-player[data-state=segment]")
    assert page.evaluate("listen(400)")["seconds"] == [5, 6] and page.evaluate("model.saved") == 2
    page.evaluate("model.set('selected', 9)")
    assert state(page) | {"selected": "9", "state": "stopped"} == state(page), (
        "Python chooses silently"
    )
    assert page.evaluate("model.saved") == 2, "what came from Python does not go back"
    page.evaluate("take_down()")
    assert page.evaluate(
        "[model.listeners.length, document.querySelector('main').childElementCount]"
    ) == [0, 0]


def test_a_page_of_the_site_plays(
    page_of: CorpusCache, player: CurvePlayer, tmp_path: Path
) -> None:
    pytest.importorskip(
        "myst_nb", reason="the site is built by Sphinx and myst-nb: pip install -e '.[docs]'"
    )
    site = small_site.build(tmp_path, html=player.fragment())
    page = opened(page_of, site / "notebooks" / "03_sssl_training.html")
    page.locator("[data-part=plot]").scroll_into_view_if_needed()
    click_at(page, 9)
    page.wait_for_selector(".mer-player[data-state=segment]")
    assert page.evaluate("listen(400)")["seconds"] == [8, 9]
    page.keyboard.press("Home")
    assert settled(page).startswith("0 to 2 s")
