"""What tests with a browser share: one Chromium, pages that may not speak to a network, axe-core, a folder for pictures.

Every test in this folder should carry `pytestmark = pytest.mark.browser`. Where Playwright or Chromium is missing they
are skipped with one sentence. Playwright brings no browser here: Chromium comes from the system.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.watch import Watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",  # a view may sound before a person's first click
)


def _executable() -> str:
    """Return where Chromium is, "" if nowhere."""
    found = os.environ.get("MER_CHROMIUM") or next(
        filter(None, map(shutil.which, CHROMIUM_NAMES)), ""
    )
    return shutil.which(found) or ""


def _missing() -> str:
    """Return in one sentence why no browser test can run here, "" if all can."""
    if not all(find_spec(name) for name in ("playwright", "axe_playwright_python")):
        return "browser tests need playwright and axe-playwright-python: pip install -e '.[dev]'"
    if not _executable():
        said = (
            f"MER_CHROMIUM={os.environ['MER_CHROMIUM']}" if os.environ.get("MER_CHROMIUM") else ""
        )
        looked = said or f"looked for {', '.join(CHROMIUM_NAMES)}"
        return f"browser tests need Chromium from the system ({looked}): install it or set MER_CHROMIUM to its path"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip this folder before anything is prepared for it, where no browser can be had."""
    reason = _missing()
    for item in items:
        if reason and item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once why all of this was skipped."""
    reason, skipped = _missing(), terminalreporter.stats.get("skipped", [])
    if reason and any(reason in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(f"skipped: {reason}")


# Package scope, so that Playwright's event loop is gone before other tests start one of their own.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One headless Chromium for all browser tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_executable(), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page_of(chromium: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open HTML text (str) or a file (Path) offline, from file://; errors and requests fail the test when it ends.

    Keywords go to Playwright's new_context: color_scheme="dark", viewport={"width": 360, "height": 800}, … The pages'
    content security policy would also stop what the tests evaluate in them; bypass_csp=False keeps it.
    """
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def open_page(html: str | Path, **options: Any) -> Page:
        path = html
        if isinstance(html, str):
            path = tmp_path / f"page{len(contexts)}.html"
            path.write_text(html, encoding="utf-8")
        contexts.append(
            chromium.new_context(
                **{"offline": True, "reduced_motion": "reduce", "bypass_csp": True} | options
            )
        )
        watches.append(Watch(contexts[-1]))
        page = contexts[-1].new_page()
        page.goto(Path(path).absolute().as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [line for watch in watches for line in watch.found] == [], (
        "the page reported errors or asked for a network"
    )


@pytest.fixture(scope="session")
def shots() -> Path:
    """The folder where screenshots are kept to be looked at: build/screenshots/, or MER_SHOTS."""
    folder = Path(os.environ.get("MER_SHOTS") or ROOT / "build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def axe_source() -> str:
    """axe-core's text, as the package axe-playwright-python brings it."""
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def axe(axe_source: str) -> Callable[..., list[dict[str, Any]]]:
    """Return axe-core's serious and critical findings in a page, or in the part that a selector names."""

    def findings(page: Page, selector: str | None = None) -> list[dict[str, Any]]:
        if not page.evaluate("typeof window.axe === 'object'"):
            page.evaluate(
                axe_source
            )  # not as a script element: a page's content policy may forbid that
        found = page.evaluate(
            "(selector) => axe.run(selector ?? document, { resultTypes: ['violations'] }).then((r) => r.violations)",
            selector,
        )
        return [
            {
                "id": rule["id"],
                "impact": rule["impact"],
                "help": rule["help"],
                "nodes": [
                    [node["html"][:200], node["failureSummary"][:400]] for node in rule["nodes"]
                ],
            }
            for rule in found
            if rule["impact"] in ("serious", "critical")
        ]

    return findings
