"""The built site in a browser, opened as files: search, links and formulae work, and nothing is asked of a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import small_site

GRAVE = ("serious", "critical")
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip(
        "myst_nb", reason="the site is built by Sphinx and myst-nb: pip install -e '.[docs]'"
    )
    return small_site.build(tmp_path_factory.mktemp("small"))


def test_search_in_a_folder_finds_a_word_and_shows_its_surroundings(
    site: Path, page_of: Callable[..., Any]
) -> None:
    page = page_of(site / "index.html")
    page.goto(f"{(site / 'search.html').as_uri()}?q=temperature")
    result = page.locator("#search-results li", has_text="Glossary")
    result.first.wait_for()
    page.locator("#search-results .search-excerpt mark").first.wait_for()
    result.first.locator("a").first.click()
    page.wait_for_load_state()
    assert page.url.split("?")[0].split("#")[0].endswith("docs/glossary.html")


def test_pages_are_accessible_and_fit_a_telephone(
    site: Path, page_of: Callable[..., Any], axe_source: str, shots: Path
) -> None:
    # axe would read the style sheets a second time, which a browser refuses in a folder: `preload` says not to.
    look = "() => axe.run(document, { preload: false }).then((r) => r.violations)"
    for name in (
        "notebooks/03_sssl_training.html",
        "docs/formulae.html",
        "api/training.objectives.html",
    ):
        for scheme in ("light", "dark"):
            page = page_of(site / name, color_scheme=scheme, viewport={"width": 360, "height": 740})
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
            page.screenshot(path=shots / f"site-{Path(name).stem}-{scheme}.png")
            page.evaluate(axe_source)
            found = [
                (v["id"], v["nodes"][0]["html"][:200])
                for v in page.evaluate(look)
                if v["impact"] in GRAVE
            ]
            assert found == [], (name, scheme)
