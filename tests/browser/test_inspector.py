"""The song inspector in Chromium: matrix, list, features, decision values and neighbours, by mouse, keys and ear."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mer_kit.analysis.feature_space import answered
from mer_kit.songs.classifiers import NAMES as CLASSIFIERS
from mer_kit.views import js
from mer_kit.views.song_inspector import SongInspector
from tests.views import fold_stub

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=["quadrant", "valence"])
def inspector(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SongInspector:
    stand = fold_stub.songs(tmp_path_factory.mktemp("songs"), task=request.param, spread=1.0)
    return SongInspector(stand, 0, song="s18")


@pytest.fixture(scope="module")
def html(inspector: SongInspector) -> str:
    return inspector.to_html()


@pytest.fixture
def opened(html: str, page_of: Callable[..., Page]) -> Page:
    page = page_of(html)
    page.locator(".mer-inspector .songs li").first.wait_for()
    return page


def listed(page: Page) -> list[str]:
    return page.locator(".songs .id").all_inner_texts()


def shown(table: Locator) -> np.ndarray:
    """Return the large numbers of a table of features, [7, K]."""
    rows = table.locator("tbody tr").all()
    return np.array(
        [[float(text) for text in row.locator("td > span").all_inner_texts()] for row in rows]
    )


def test_a_cell_of_the_matrix_lists_its_songs(opened: Page, inspector: SongInspector) -> None:
    labels, answers = inspector.space.test.label, answered(inspector.space, "svm")
    ids = np.array([f"s{at:02d}" for at in inspector.space.test.clip])
    for (i, j), count in np.ndenumerate(inspector.confusion()):
        cell = opened.locator(f'[data-cell="{i} {j}"]')
        assert cell.locator("b").inner_text() == str(count) and cell.is_disabled() == (count == 0)
        if count:
            cell.click()
            assert cell.get_attribute("aria-pressed") == "true"
            assert listed(opened) == ids[(labels == i) & (answers == j)].tolist()
            cell.press("Enter")
            assert len(listed(opened)) == len(ids), "pressed again, the cell lets go"


def test_the_list_can_be_limited_to_wrong_ones_of_a_label_by_any_decider(
    opened: Page, inspector: SongInspector
) -> None:
    labels, answers = inspector.space.test.label, answered(inspector.space, "vote")
    ids = np.array([f"s{at:02d}" for at in inspector.space.test.clip])
    opened.get_by_label("Answers by").select_option("vote")
    opened.get_by_label("only wrong ones").check()
    assert listed(opened) == ids[labels != answers].tolist()
    opened.get_by_label("Label", exact=True).select_option("1")
    expected = ids[(labels == 1) & (labels != answers)].tolist()
    assert listed(opened) == expected
    assert opened.get_by_text(f"{len(expected)} of 16 test songs").count() == 1
    opened.get_by_role("button", name="Show all").click()
    assert listed(opened) == ids.tolist()


def test_a_song_is_chosen_by_keys_and_its_numbers_are_the_features(
    opened: Page, inspector: SongInspector
) -> None:
    opened.locator(
        ".songs .pick[tabindex='0']"
    ).focus()  # the chosen song's is the list's only stop
    assert opened.locator(".songs .pick[tabindex='0']").count() == 1
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("Enter")
    assert opened.locator(".mer-inspector").get_attribute("data-song") == "3"
    assert opened.locator(".songs [aria-current='true']").inner_text().split("\n")[1] == "s19"
    k = len(inspector.classes)
    expected = inspector.space.test.x[3].reshape(k, 7).T
    np.testing.assert_allclose(shown(opened.locator(".card .features")), expected, atol=0.0051)
    small = [
        text.replace("−", "-") for text in opened.locator(".card .features small").all_inner_texts()
    ]
    scaled = inspector.space.test.z[3].reshape(k, 7).T.ravel()
    np.testing.assert_allclose([float(text) for text in small], scaled, atol=0.0051)
    label, answer = inspector.space.test.label[3], answered(inspector.space, "svm")[3]
    verdict = "right" if label == answer else "wrong"
    words = opened.locator(".words").inner_text()
    assert (
        words.startswith(f"s19, label {inspector.classes[label]} ")
        and f"which is {verdict}." in words
    )


def test_the_svms_values_and_duels_are_told(opened: Page, inspector: SongInspector) -> None:
    values = [float(text.replace("−", "-")) for text in opened.locator(".bars b").all_inner_texts()]
    np.testing.assert_allclose(values, inspector.space.decisions[2], atol=0.0051)
    answer = inspector.classes[answered(inspector.space, "svm")[2]]
    assert opened.locator(".bars .said span").first.inner_text().startswith(answer)
    duels = inspector.space.duels(2)
    if len(inspector.classes) > 2:
        opened.get_by_text("The 6 duels").click()
        told = opened.locator("details li").all_inner_texts()
        for (i, j, value), text in zip(duels, told, strict=True):
            first, second = (i, j) if value > 0 else (j, i)
            assert (
                text.startswith(inspector.classes[first])
                and f"beats {inspector.classes[second]}" in text
            )
            assert float(text.split()[-1]) == pytest.approx(abs(value), abs=0.0051)
    assert opened.locator(".answers li").count() == len(CLASSIFIERS)


def test_neighbours_are_listed_and_their_features_stand_below(
    opened: Page, inspector: SongInspector
) -> None:
    near = inspector.space.nearest(2, 5)
    assert opened.locator(".near .who").all_inner_texts() == [f"s{at:02d}" for at, _ in near]
    far = [float(text) for text in opened.locator(".near td.distance").all_inner_texts()]
    np.testing.assert_allclose(far, [distance for _, distance in near], atol=0.0051)
    opened.locator(".near .who").nth(3).press("Enter")
    third = near[3][0]
    assert opened.evaluate("document.activeElement.textContent") == f"s{third:02d}", (
        "the focus was lost"
    )
    expected = inspector.space.train.x[third].reshape(len(inspector.classes), 7).T
    np.testing.assert_allclose(shown(opened.locator(".around .features")), expected, atol=0.0051)
    assert opened.locator(".words").inner_text().startswith(f"Neighbour 4: s{third:02d}, label ")


def test_songs_are_played_one_at_a_time(opened: Page, inspector: SongInspector) -> None:
    near = inspector.space.nearest(2, 5)[0][0]
    opened.locator(".card").get_by_role("button", name="Play s18").click()
    opened.get_by_text("Playing s18, a test song").wait_for()
    assert opened.locator(".card").get_by_role("button", name="Pause s18").count() == 1
    opened.locator(".near").get_by_role("button", name=f"Play s{near:02d}").click()
    opened.get_by_text(f"Playing s{near:02d}, a training song").wait_for()
    assert opened.locator("audio").count() == 1
    opened.locator(".near").get_by_role("button", name=f"Pause s{near:02d}").click()
    opened.get_by_text("Paused.").wait_for()
    assert opened.locator(".songs").get_by_role("button", name="Play s19").is_disabled(), (
        "its sound is not in the page"
    )


def test_arrows_keep_to_the_column_of_play_buttons(
    inspector: SongInspector, page_of: Callable[..., Page]
) -> None:
    page = page_of(inspector.to_html(sounds=["s18", "s19", "s20", "s22"]))
    page.locator(".songs li").first.wait_for()
    focused = (
        "[document.activeElement.className, document.activeElement.closest('li').dataset.song]"
    )
    page.locator(".songs [data-song='2'] .play").focus()
    for key, row, column in [
        ("ArrowDown", "3", "play"), ("ArrowDown", "4", "play"), ("ArrowUp", "3", "play"),
        ("End", "15", "pick"),  # its sound is not in the page, so its button cannot have the focus
        ("ArrowUp", "14", "pick"), ("Home", "0", "pick"), ("ArrowDown", "1", "pick"), ("ArrowDown", "2", "pick"),
    ]:  # fmt: skip
        page.keyboard.press(key)
        assert page.evaluate(focused) == [column, row], key
    assert page.locator(".songs .pick[tabindex='0']").count() == 1


KERNEL = """async ([text, data, arrays]) => {
  const raw = (base64) => new DataView(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer);
  data.arrays = Object.fromEntries(Object.entries(arrays).map(([name, base64]) => [name, raw(base64)]));
  const handlers = [], create = URL.createObjectURL, revoke = URL.revokeObjectURL;
  const module = await import(create(new Blob([text], { type: "text/javascript" })));
  window.sent = []; window.open = new Set();
  URL.createObjectURL = (one) => { const made = create(one); window.open.add(made); return made; };
  URL.revokeObjectURL = (one) => { window.open.delete(one); revoke(one); };
  const on = (kind, handler) => { handlers.push([kind, handler]); return () => {}; };
  const talk = { send: (message) => window.sent.push(message), on };
  window.reply = (kind, told, sound) => {
    for (const [name, handler] of handlers) if (name === kind) handler(told, sound ? [raw(sound)] : []);
  };
  window.take_down = module.mount(document.querySelector("main"), data, talk);
}"""


def test_a_sound_is_asked_for_once_and_held_once(
    inspector: SongInspector, page_of: Callable[..., Page]
) -> None:
    page = page_of("<!doctype html><html lang=en><title>t</title><main></main></html>")
    data = inspector.data()
    arrays = {
        name: base64.b64encode(values).decode() for name, values in data.pop("arrays").items()
    }
    page.evaluate(KERNEL, [js.module("inspector"), json.loads(json.dumps(data)), arrays])
    button = page.locator(".songs [data-song='3'] .play")
    button.click()
    button.click()
    assert page.evaluate("sent") == [{"kind": "play", "part": "test", "song": 3}]
    page.evaluate("reply('sorry', { text: 'It is gone.' })")
    assert page.locator(".words").inner_text() == "It is gone."
    button.click()
    assert len(page.evaluate("sent")) == 2, "after a refusal it may be asked for again"
    reply, (sound,) = inspector.answer(page.evaluate("sent[1]"))
    for _ in range(2):
        page.evaluate(
            "([told, sound]) => reply('play', told, sound)",
            [reply, base64.b64encode(sound).decode()],
        )
    page.get_by_text("Playing s19, a test song").wait_for()
    assert page.evaluate("open.size") == 1, "the same sound is held twice"
    page.evaluate("take_down()")
    assert page.evaluate("open.size") == 0


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_it_is_readable_in_light_dark_and_on_a_phone(
    html: str,
    inspector: SongInspector,
    page_of: Callable[..., Page],
    axe: Callable[..., Any],
    shots: Path,
    look: str,
) -> None:
    options: dict[str, Any] = (
        {"viewport": {"width": 360, "height": 800}} if look == "narrow" else {}
    )
    page = page_of(html, color_scheme="dark" if look == "dark" else "light", **options)
    page.locator(".songs li").first.wait_for()
    page.screenshot(path=shots / f"inspector-{len(inspector.classes)}-{look}.png", full_page=True)
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


def test_without_scripts_picture_and_words_stay(html: str, page_of: Callable[..., Page]) -> None:
    page = page_of(html, java_script_enabled=False)
    assert page.get_by_role("img", name="Curve of s18 and its seven numbers per class").is_visible()
    assert page.get_by_text("SVM (paper) says").is_visible()
