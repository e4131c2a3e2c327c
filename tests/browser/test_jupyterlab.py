"""Every notebook and every solution in JupyterLab, as a person uses it: run all, move every control, keys alone, dark."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import lab, small_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ElementHandle, Locator

pytestmark = pytest.mark.browser

BOOKS = sorted(
    path.relative_to(small_run.NOTEBOOKS).as_posix() for path in small_run.NOTEBOOKS.glob("*.ipynb")
)
SOLUTIONS = sorted(
    f"solutions/{path.name}" for path in (small_run.NOTEBOOKS / "solutions").glob("*.ipynb")
)
KEYS = (
    "05_emotion_curve.ipynb"  # the notebook that is also used with keys alone, in a copy of its own
)
#: What an interactive cell may show: ipywidgets, a view of mer-kit's own, or a sound.
INTERACTIVE = ".jupyter-widgets, .mer, audio"
#: ipywidgets' sliders (each handle) and choices. Those inside a view of mer-kit's own are that view's business.
CONTROLS = ".noUi-handle:not(.mer *), .widget-dropdown select:not(.mer *)"
#: In a view of mer-kit's own: where the Tab key stops, and which of these stops use arrow keys themselves.
STOPS = "button, select, input, [tabindex='0']"
ARROWS = "select, input[type=range], [role=slider]"
#: What a cell shows: the pixels of its pictures and the sounds to play, and apart from them its words.
SHOWN = """async (root) => {
  const looks = [];
  for (const picture of root.querySelectorAll("img, canvas")) {
    if (picture.tagName === "IMG") await picture.decode().catch(() => {});
    const width = picture.naturalWidth || picture.width, height = picture.naturalHeight || picture.height;
    const paper = new OffscreenCanvas(width || 1, height || 1), pen = paper.getContext("2d");
    pen.drawImage(picture, 0, 0);
    looks.push(pen.getImageData(0, 0, paper.width, paper.height).data.reduce((sum, v, i) => (sum * 31 + v + i) | 0, 7));
  }
  for (const picture of root.querySelectorAll("svg")) looks.push(picture.outerHTML);
  for (const sound of root.querySelectorAll("audio")) looks.push(sound.currentSrc);
  const words = [...root.querySelectorAll(".widget-html-content, [aria-live], [role=status]")];
  return [JSON.stringify(looks), words.map((node) => node.innerText).join("\\n")];
}"""

#: Notes in `heard` when a sound that the Web Audio API plays begins and ends.
LISTEN = """() => {
  window.heard = [];
  for (const what of ["start", "stop"]) {
    const really = AudioBufferSourceNode.prototype[what];
    AudioBufferSourceNode.prototype[what] = function (...given) { heard.push(what); return really.apply(this, given); };
  }
}"""
#: Findings that are ipywidgets' own: its sliders' handles have no name for screen readers, and no setting gives one.
KNOWN = ("aria-input-field-name", "noUi-handle")


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a JupyterLab that shows copies of all notebooks, set to a small finished run; and their folder."""
    root, home, runs = (tmp_path_factory.mktemp(name) for name in ("lab", "home", "runs"))
    small_run.make(runs)
    for name in BOOKS + SOLUTIONS:
        values = small_run.parameters(Path(name).stem, runs)
        lab.copy_with(small_run.NOTEBOOKS / name, root / name, values)
    lab.copy_with(
        small_run.NOTEBOOKS / KEYS, root / "keys" / KEYS, small_run.parameters(KEYS, runs)
    )
    with lab.server(root, home) as address:
        yield address, root


@pytest.fixture(scope="module")
def book(
    request: pytest.FixtureRequest, chromium: Browser, server: tuple[str, Path]
) -> Iterator[lab.Book]:
    """A notebook whose cells have all been run; one after the other, each in a page and a kernel of its own."""
    address, root = server
    opened = lab.Book(chromium, address, root / request.param, root)
    opened.run_all()
    yield opened
    opened.close()


every_notebook = pytest.mark.parametrize("book", BOOKS, indirect=True, scope="module")


def errors(book: lab.Book) -> list[str]:
    """Return what failed in a notebook: cells that raised, cells left out, outputs that could not be drawn."""
    found = []
    for cell in book.saved().cells:
        if cell.cell_type == "code":
            found += [
                f"{cell.id}: {o.ename}: {o.evalue}"
                for o in cell.outputs
                if o.output_type == "error"
            ]
            found += (
                [f"{cell.id} was not run"] if cell.source and cell.execution_count is None else []
            )
    for text in (
        "Error displaying widget",
        "Javascript Error",
        "Failed to load model",
        "Loading widget...",
    ):
        found += [text] * book.page.get_by_text(text).count()
    return found


@every_notebook
def test_all_cells_run_without_an_error(book: lab.Book, shots: Path) -> None:
    book.page.screenshot(path=shots / f"lab-{book.name}.png")
    assert errors(book) == []


@every_notebook
def test_every_interactive_cell_shows_something_to_use(book: lab.Book, shots: Path) -> None:
    for name, cell in book.cells("interactive"):
        cell.scroll_into_view_if_needed()
        cell.locator(INTERACTIVE).first.wait_for()
        book.photograph(cell, shots / f"lab-{book.name}-{name}.png")


def shown(outputs: Locator) -> list[str]:
    """Return what a cell shows once it stands still: its pictures and sounds, and its words."""
    before, now = None, outputs.evaluate(SHOWN)
    while now != before:
        outputs.page.wait_for_timeout(150)
        before, now = now, outputs.evaluate(SHOWN)
    return list(now)


def stops(view: Locator, selector: str = STOPS) -> list[ElementHandle]:
    """Return where the Tab key stops in a view; a key may take some of them away."""
    return [
        stop
        for stop in view.locator(selector).element_handles()
        if stop.is_visible() and stop.is_enabled()
    ]


def move(control: Locator) -> None:
    """Choose a slider's or a choice's next value with keys, or the one before at its end."""
    at, last, choice = control.evaluate(
        "(node) => node.tagName === 'SELECT' ? [node.selectedIndex, node.options.length - 1, true]"
        " : [Number(node.ariaValueNow), Number(node.ariaValueMax), false]"
    )
    control.focus()
    # JupyterLab keeps arrow keys from a closed choice of ipywidgets: it moves to the next cell
    keys = (
        ["Space", "ArrowDown" if at < last else "ArrowUp", "Enter"]
        if choice
        else ["ArrowRight"]
        if at < last
        else ["ArrowLeft"]
    )
    for key in keys:
        control.page.keyboard.press(key)


@every_notebook
def test_every_slider_and_choice_changes_picture_and_words(book: lab.Book, shots: Path) -> None:
    still = []
    for name, cell in book.cells("interactive"):
        outputs, controls = cell.locator(".jp-Cell-outputWrapper"), cell.locator(CONTROLS)
        for k in range(controls.count()):
            before = after = shown(outputs)
            move(controls.nth(k))
            for _ in range(100):
                after = outputs.evaluate(SHOWN)
                if after[0] != before[0] and after[1] != before[1]:
                    break
                book.page.wait_for_timeout(100)
            still += (
                [f"{name}, control {k}: same pictures and sounds"] if after[0] == before[0] else []
            )
            still += (
                [f"{name}, control {k}: same words, {after[1]!r}"] if after[1] == before[1] else []
            )
        if controls.count():
            book.photograph(cell, shots / f"lab-{book.name}-{name}-moved.png")
    assert still == []


@every_notebook
def test_views_of_our_own_answer_to_keys_in_words(book: lab.Book) -> None:
    silent = []
    for name, cell in book.cells("interactive"):
        for view in cell.locator(".mer").all():
            live = view.locator("[aria-live], [role=status]")
            before = live.all_inner_texts()
            for stop, key in [
                (stop, key) for stop in stops(view) for key in ("ArrowRight", "Space")
            ]:
                if stop.evaluate("(node) => node.isConnected"):
                    stop.press(key)
                    book.page.wait_for_timeout(200)
                if live.all_inner_texts() != before:
                    break
            else:
                silent.append(f"{name}: no key at any stop of the Tab key changes {before}")
    assert silent == []


@every_notebook
def test_jupyterlab_leaves_arrow_keys_to_views_of_our_own(book: lab.Book) -> None:
    """JupyterLab moves to another cell on an arrow key unless the element in focus says data-lm-suppress-shortcuts."""
    taken = []
    for name, cell in book.cells("interactive"):
        for view in cell.locator(".mer").all():
            for stop in stops(view, ARROWS):
                for key in ("ArrowDown", "ArrowRight"):
                    if not stop.evaluate("(node) => node.isConnected"):
                        continue
                    stop.press(key)
                    book.page.wait_for_timeout(50)
                    if not view.evaluate("(node) => node.contains(document.activeElement)"):
                        taken.append(
                            f"{name}: {key} on {stop.evaluate('(node) => node.outerHTML')[:90]}"
                        )
    assert taken == []


@every_notebook
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_what_is_interactive_is_accessible_in_each_theme(
    book: lab.Book, theme: str, axe: Callable[..., list[dict[str, Any]]], shots: Path
) -> None:
    found = []
    book.theme(theme)
    for name, cell in book.cells("interactive"):
        cell.scroll_into_view_if_needed()
        if theme.endswith("Dark"):
            book.photograph(cell, shots / f"lab-{book.name}-{name}-dark.png")
        cell.locator(".jp-Cell-outputWrapper").evaluate("(node) => { node.id = 'looked-at'; }")
        for finding in axe(book.page, "#looked-at"):
            nodes = [
                node
                for node in finding["nodes"]
                if not (finding["id"] == KNOWN[0] and KNOWN[1] in node[0])
            ]
            found += [(name, finding["id"], node) for node in nodes]
        cell.locator(".jp-Cell-outputWrapper").evaluate("(node) => { node.removeAttribute('id'); }")
    book.theme("JupyterLab Light")
    assert found == []


@every_notebook
def test_console_and_network_stay_quiet(book: lab.Book) -> None:
    assert book.watch.found == []


@pytest.mark.skipif(
    not os.environ.get("MER_SOLUTIONS"),
    reason="tests/test_notebooks.py executes the solutions; MER_SOLUTIONS=1 opens them in JupyterLab too",
)
def test_solutions_run_without_an_error(chromium: Browser, server: tuple[str, Path]) -> None:
    address, root = server
    book, found = lab.Book(chromium, address, root / SOLUTIONS[0], root), {}
    for name in SOLUTIONS:
        if name != SOLUTIONS[0]:
            book.turn_to(root / name)
        book.run_all()
        found[name] = errors(book)
    assert {name: said for name, said in found.items() if said} == {}
    assert book.watch.found == []
    book.close()


def test_the_curve_can_be_played_with_keys_alone(
    chromium: Browser, server: tuple[str, Path], shots: Path
) -> None:
    address, root = server
    book = lab.Book(chromium, address, root / "keys" / KEYS, root)
    keys = book.page.keyboard
    book.page.evaluate(LISTEN)
    keys.press("Control+Shift+C")
    keys.type("Run All Cells")
    keys.press("Enter")
    book.wait_until_run()
    name, cell = book.cells("interactive")[0]
    keys.press("Escape")
    for _ in range(book.ask("return notebook.widgets.length;")):
        active = book.ask("return notebook.activeCell.model.id;")
        if active == name:
            break
        keys.press("ArrowUp")
    inside = "(node) => node.contains(document.activeElement) && !!document.activeElement.closest('.mer [role=slider]')"
    for _ in range(30):
        if cell.evaluate(inside):
            break
        keys.press("Tab")
    assert cell.evaluate(inside), "the Tab key does not reach the curve"
    words = cell.locator(".mer [aria-live]").first
    before = words.inner_text()
    keys.press("ArrowRight")
    book.wait("(before) => document.querySelector('.mer [aria-live]').innerText !== before", before)
    keys.press("Space")
    book.wait("() => heard.includes('start')")
    cell.screenshot(path=shots / "lab-05-keys-alone.png")
    keys.press("Space")
    book.wait("() => heard.includes('stop')")
    assert book.watch.found == []
    book.close()
