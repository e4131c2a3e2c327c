"""Live training in Chromium: the view alone, and in JupyterLab stopped with the notebook's own button and resumed."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from mer_kit import plots
from mer_kit.views import js
from tests.browser import lab, small_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

NOTEBOOK = small_run.NOTEBOOKS / "03_sssl_training.ipynb"
MANY = 60  # epochs, so that there is time to press a button


def picture(grey: int) -> str:
    buffer = io.BytesIO()
    Image.new("L", (60, 40), grey).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def page_text(*, buttons: bool = True) -> str:
    """Return a page with the view, and at hand what a kernel would do: `tell(…)`; what the view asks is in `asked`."""
    state = {"state": "ready", "words": "4 epochs, none started.", "done": 0, "since": None}
    data = {
        "title": "Training",
        "epochs": 4,
        "alts": plots.live.ALTS,
        "buttons": buttons,
        "state": state,
        "pictures": [],
    }
    return (
        '<!doctype html><html lang="en"><head><title>live</title><style>:root { color-scheme: light dark; }'
        f"{js.styles('live')}</style></head><body><main><h1>Live</h1><div id='place'></div></main>"
        f"<script type='module'>{js.module('live')}\n const hear = {{}}; window.asked = [];"
        "window.tell = (next) => Object.entries(next).forEach(([kind, value]) => hear[kind](value));"
        "window.png = (text) => raw(text);"
        f"mount(document.getElementById('place'), {js.embedded(data)},"
        "{ send: (message) => asked.push(message), on: (kind, one) => { hear[kind] = one; } });</script></body></html>"
    )


def tell(page: Page, state: str, words: str, done: int, pictures: list[int] | None = None) -> None:
    told = {
        "state": {
            "state": state,
            "words": words,
            "done": done,
            "since": 1 if state == "running" else None,
        }
    }
    page.evaluate("(next) => tell(next)", told)
    if pictures is not None:
        page.evaluate(
            "(all) => tell({ pictures: all.map(png) })", [picture(grey) for grey in pictures]
        )


def test_the_button_starts_stops_and_goes_on(page_of: Callable[..., Page]) -> None:
    page = page_of(page_text())
    button = page.get_by_role("button")
    for state, face, wanted in [
        ("ready", "▶ Start", "start"),
        ("running", "■ Stop after this epoch", "stop"),
        ("stopping", "Stopping after this epoch …", None),
        ("paused", "▶ Resume", "start"),
        ("done", "▶ Start again", "start"),
        ("failed", "▶ Start again", "start"),
    ]:
        page.evaluate("asked.length = 0")
        tell(page, state, state, 1)
        assert button.inner_text() == face
        button.press("Enter")
        assert page.evaluate("asked") == ([{"kind": wanted}] if wanted else [])
        assert button.evaluate("(node) => node === document.activeElement"), "the focus stays"


def test_pictures_words_and_progress_follow(page_of: Callable[..., Page]) -> None:
    page = page_of(page_text())
    assert page.locator("img:visible").count() == 0
    tell(page, "running", "Epoch 2 of 4 is finished.", 2, [10, 20, 30])
    assert page.get_by_role("status").inner_text() == "Epoch 2 of 4 is finished."
    assert (
        page.get_by_role("progressbar", name="Epochs that are finished").evaluate(
            "(bar) => bar.value / bar.max"
        )
        == 0.5
    )
    assert [image.get_attribute("alt") for image in page.locator("img:visible").all()] == list(
        plots.live.ALTS
    )
    assert re.fullmatch(r"\d+:\d\d", page.locator(".time").inner_text())
    before = page.locator("img").first.get_attribute("src")
    tell(page, "done", "The training is done.", 4, [40, 50, 60])
    assert (
        page.locator("img").first.get_attribute("src") != before
        and page.locator(".time").inner_text() == ""
    )
    loaded = "(image) => image.decode().then(() => image.naturalWidth)"
    assert [image.evaluate(loaded) for image in page.locator("img").all()] == [60] * 3


def test_where_the_cell_trains_there_is_no_button_but_a_hint(page_of: Callable[..., Page]) -> None:
    page = page_of(page_text(buttons=False))
    assert page.get_by_role("button").count() == 0
    assert (
        "The stop button of the notebook pauses the training" in page.locator("main").inner_text()
    )


@pytest.mark.parametrize(
    "options", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 700}}]
)
def test_the_view_is_accessible_and_fits(
    page_of: Callable[..., Page], axe: Callable[..., list[dict[str, Any]]], options: dict[str, Any]
) -> None:
    page = page_of(page_text(), **options)
    tell(
        page,
        "running",
        "Epoch 2 of 4 is finished: loss 1.2, 77 segments in X and 13 in U (14%).",
        2,
        [200, 210, 220],
    )
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# ---- in JupyterLab ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Book]:
    """Notebook 03 with a fold that nobody has trained yet."""
    root, home, runs = (tmp_path_factory.mktemp(name) for name in ("lab", "home", "runs"))
    values = small_run.parameters(NOTEBOOK.stem, runs)
    values["overrides"] = {**values["overrides"], "epochs": MANY}
    path = lab.copy_with(NOTEBOOK, root / NOTEBOOK.name, values)
    with lab.server(root, home) as address:
        opened = lab.Book(chromium, address, path, root)
        yield opened
        opened.close()


def outputs(book: lab.Book) -> list[Any]:
    return next(list(cell.outputs) for cell in book.saved().cells if cell.id == "03-train")


def test_the_notebooks_stop_button_pauses_and_the_next_run_goes_on_and_leaves_a_picture(
    book: lab.Book, shots: Path
) -> None:
    page = book.page
    book.ask("jupyterapp.commands.execute('notebook:run-all-cells');")
    words = "(document.querySelector('.mer-live .words')?.textContent ?? '')"
    book.wait(f"() => {words}.startsWith('Epoch 2 of {MANY} is finished')")
    page.locator(".mer-live").scroll_into_view_if_needed()
    page.screenshot(path=shots / "live-running.png")
    page.locator(
        "[data-command='notebook:interrupt-kernel'], [data-jp-item-name=interrupt] *"
    ).first.click()
    book.wait_until_run()
    error = next(one for one in outputs(book) if one.output_type == "error")
    said = re.search(rf"Paused with (\d+) of {MANY} epochs done", "\n".join(error.traceback))
    assert error.ename == "Paused" and said is not None and len(error.traceback) == 1
    done = int(said[1])
    assert 2 <= done < MANY
    message = next(cell for cell in book.saved().cells if cell.id == "03-train-message")
    assert message.execution_count is None, "cells after a pause are not run"
    page.screenshot(path=shots / "live-paused.png")

    book.ask("jupyterapp.commands.execute('notebook:run-all-cells');")
    book.wait(f"() => /^Epoch \\d+ of {MANY} is finished/.test({words})")
    assert int(re.findall(r"\d+", page.evaluate(words))[0]) >= done, (
        "it goes on and does not begin again"
    )
    book.wait_until_run()
    left = outputs(book)
    assert [one.output_type for one in left] == ["display_data"] and "<img" in left[0].data[
        "text/html"
    ]
    errors = [
        cell.id
        for cell in book.saved().cells
        for one in cell.get("outputs", [])
        if one.output_type == "error"
    ]
    assert errors == []


def test_a_rehearsal_starts_pauses_and_goes_on_with_its_own_button(
    book: lab.Book, shots: Path
) -> None:
    (cell,) = [cell for name, cell in book.cells("interactive") if name == "03-rehearsal"]
    view = cell.locator(".mer-live")
    view.scroll_into_view_if_needed()
    state = "(wanted) => wanted.includes(document.querySelector('.mer-live').dataset.state)"
    button = view.get_by_role("button")
    button.press("Enter")
    book.wait(state, ["running"])
    button.press("Enter")
    book.wait(state, ["paused"])
    assert "Resume" in button.inner_text()
    button.press("Enter")
    book.wait(state, ["done"])
    view.screenshot(path=shots / "live-rehearsal.png")
    assert view.locator("img:visible").count() == 3
    assert book.watch.found == []
