"""Pages with one view under their own content security policy: the view works, and nothing else that stands there runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mer_kit.pages import sanitizer
from mer_kit.views import html_fragments
from mer_kit.views.curve_player import CurvePlayer
from mer_kit.views.objectives import SharpeningTriangle
from mer_kit.views.segment_explorer import SegmentExplorer
from mer_kit.views.song_inspector import SongInspector
from tests.browser.test_player import curve
from tests.views import fold_stub
from tests.views.noise_labs import make_lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CLASSES = ("Q1", "Q2", "Q3", "Q4")


def _triangle() -> str:
    p = np.random.default_rng(0).dirichlet(np.ones(4), 6)
    return SharpeningTriangle(
        p, [f"clip {n}" for n in range(6)], CLASSES, labels=np.arange(6) % 4
    ).to_html()


PAGES: dict[str, tuple[Callable[[Path], str], str]] = {
    "player": (lambda folder: CurvePlayer({"sssl": curve()}, None, title="A song").to_html(), ".mer-player polyline"),
    "explorer": (lambda folder: SegmentExplorer(fold_stub.segments(folder), clip=1).to_html(clips=[1]), ".mer-explorer .bar"),
    "inspector": (lambda folder: SongInspector(fold_stub.songs(folder), 0).to_html(), ".mer-inspector .songs li"),
    "noise_lab": (lambda folder: make_lab(folder).to_html(sounds=1), ".mer-noise_lab canvas"),
    "playground": (lambda folder: _triangle(), ".mer-playground table"),
}  # fmt: skip


@pytest.mark.parametrize("view", PAGES)
def test_a_view_comes_alive_under_its_pages_policy(
    view: str, tmp_path: Path, page_of: Callable[..., Page]
) -> None:
    made, mark = PAGES[view]
    html = made(tmp_path)
    assert "Content-Security-Policy" in html
    page_of(html, bypass_csp=False).locator(mark).first.wait_for(state="attached")


def test_nothing_else_of_the_page_runs(tmp_path: Path, chromium: Browser) -> None:
    own = """<p onclick="this.textContent = 'ran'">text</p><a href="javascript:document.title='ran'">link</a>"""
    (tmp_path / "a.html").write_text(
        html_fragments.page("A page", f'{own}<script>document.title = "ran"</script>'), "utf-8"
    )
    page = chromium.new_page(offline=True)  # without a watch: the console names what was refused
    page.goto((tmp_path / "a.html").as_uri())
    page.get_by_text("text").click()
    page.get_by_text("link").click()
    assert page.title() == "A page" and page.get_by_text("text").count() == 1
    page.close()


def test_a_page_of_ours_that_was_changed_is_built_anew(
    tmp_path: Path, page_of: Callable[..., Page]
) -> None:
    html = PAGES["player"][0](tmp_path).replace(
        "</script></div>", '</script></div><script>document.title = "ran"</script>', 1
    )
    made = html_fragments.rebuilt_page(html, sanitizer.clean)
    assert made is None or "ran" not in made
