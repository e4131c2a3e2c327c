"""Executed copies of all notebooks: complete without widgets, small, and as pages quiet, offline and accessible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbconvert import HTMLExporter

from mer_kit.pages import export
from tests.browser import small_run
from tests.browser.watch import LOCAL, Watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

BOOKS = sorted(path.stem for path in small_run.NOTEBOOKS.glob("*.ipynb"))
MAX_BYTES = 3_000_000
#: Where a page by plain nbconvert looks for require.js and MathJax, in vain offline; nothing of ours needs them.
NBCONVERT = (
    "https://cdnjs.cloudflare.com/ajax/libs/require.js/",
    "https://cdnjs.cloudflare.com/ajax/libs/mathjax/",
)
#: Pictures that did not come, or that say nothing to who does not see them.
BAD_PICTURES = """async () => {
  const pictures = [...document.images];
  await Promise.all(pictures.map((picture) => picture.decode().catch(() => {})));
  return pictures.filter((picture) => !picture.naturalWidth || !picture.alt).map((p) => p.outerHTML.slice(0, 90));
}"""


@pytest.fixture(scope="package")
def copies(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Executed copies by notebook name; without a browser nothing is executed."""
    folder = tmp_path_factory.mktemp("executed")
    small_run.make(folder, "notebooks")
    return {path.stem: path for path in sorted(folder.rglob("*.ipynb"))}


def plain_text_only(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the ids of cells that show a widget and nothing that stays where no widget runs."""
    stays = {"text/html", "image/png", "image/svg+xml", "text/markdown"}
    outputs = [
        (cell.id, output.get("data", {}))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    ]
    return [
        name
        for name, data in outputs
        if any("widget-view" in kind for kind in data) and not stays & set(data)
    ]


@pytest.mark.parametrize("name", BOOKS)
def test_an_executed_copy_is_complete_without_widgets_and_small(
    copies: dict[str, Path], name: str
) -> None:
    notebook = nbformat.read(copies[name], as_version=4)
    assert plain_text_only(notebook) == []
    assert [
        cell.id
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.execution_count is None
    ] == []
    assert copies[name].stat().st_size < MAX_BYTES


@pytest.mark.parametrize("name", BOOKS)
def test_an_exported_page_is_quiet_offline_and_accessible(
    copies: dict[str, Path],
    name: str,
    tmp_path: Path,
    page_of: Callable[..., Page],
    axe: Callable[..., list[dict[str, Any]]],
    shots: Path,
) -> None:
    page = page_of(export.to_html(copies[name], tmp_path / f"{name}.html"))
    assert page.evaluate(BAD_PICTURES) == []
    page.screenshot(path=shots / f"export-{name}.png", full_page=True)
    found = [(finding["id"], node) for finding in axe(page) for node in finding["nodes"]]
    assert found == []
    page.emulate_media(color_scheme="dark")  # the template stays light, and our views with it
    assert not page.locator(".mer").count() or axe(page, ".mer") == []


def test_views_come_to_life_in_a_page_by_plain_nbconvert(
    copies: dict[str, Path], chromium: Browser, tmp_path: Path
) -> None:
    alive = 0
    for name, copy in copies.items():
        if "data-mer-fragment" not in copy.read_text(encoding="utf-8"):
            continue
        text, _ = HTMLExporter().from_notebook_node(nbformat.read(copy, as_version=4))
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
        context = chromium.new_context(offline=True)
        watch = Watch(context, allowed=(*LOCAL, *NBCONVERT), noise=("ERR_INTERNET_DISCONNECTED",))
        page = context.new_page()
        page.goto((tmp_path / f"{name}.html").as_uri())
        for view in page.locator("[data-mer-fragment] .mer").all():
            view.locator("button, [tabindex='0']").first.wait_for()
            alive += 1
        context.close()
        assert watch.found == [], name
    assert alive > 0, "no notebook leaves an inline view"
