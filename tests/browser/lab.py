"""JupyterLab for tests: a server of one's own that always ends, and notebooks run in it as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil

from mer_kit.batch.parameters import declared_parameters
from tests.browser.watch import LOCAL, Watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

TOKEN = "browser-tests"
#: Seconds that a notebook may take on a busy machine; nothing is measured with it.
PATIENCE_S = 240
WINDOW = {"width": 1300, "height": 1000}
#: Settings: ask nobody for news. The rest is as people get it.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}
}
#: What JupyterLab itself writes to the console as an error, with the reason why it is not ours.
NOISE: tuple[str, ...] = ()
#: The notebook in front, as JupyterLab's own objects (the server was told to show them).
NOTEBOOK = "const panel = window.jupyterapp?.shell.currentWidget, notebook = panel?.content;"


def copy_with(source: Path, target: Path, values: dict[str, Any]) -> Path:
    """Copy a notebook, with a cell after its parameters cell that sets those of `values` that it declares."""
    book = nbformat.read(source, as_version=4)
    known = declared_parameters(book)
    lines = [f"{name} = {value!r}" for name, value in values.items() if name in known]
    at = next(
        i for i, cell in enumerate(book.cells) if "parameters" in cell.metadata.get("tags", [])
    )
    book.cells.insert(at + 1, nbformat.v4.new_code_cell("\n".join(lines), id="test-parameters"))
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, target)
    return target


@contextmanager
def server(root: Path, home: Path) -> Iterator[str]:
    """Start JupyterLab on a free port of this machine and give its address; end it with all that it started."""
    for name, values in SETTINGS.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    folders = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    env = {k: v for k, v in os.environ.items() if k not in ("MER_BATCH", "MER_WATCHED")}
    env |= {f"JUPYTER_{name}_DIR": str(home / folder) for name, folder in folders.items()}
    env |= {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
    }
    env |= {
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--port=0",
    ]
    command += [f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={TOKEN}"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, env=env, cwd=root, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield _address(process, home)
    finally:
        _end(process)


def _address(process: subprocess.Popen[bytes], home: Path) -> str:
    """Wait until the server answers; return http://127.0.0.1:PORT."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        for file in (home / "runtime").glob("jpserver-*.json"):
            try:
                address = f"http://127.0.0.1:{json.loads(file.read_text())['port']}"
                urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=5).close()
            except (OSError, ValueError, KeyError):
                continue
            return address
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{(home / 'server.log').read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server politely, then whatever is left of it and of its kernels."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(family, timeout=15)
    for one in left:
        one.kill()
    process.wait(15)


class Book:
    """A notebook in JupyterLab, in a browser page of its own."""

    def __init__(self, chromium: Browser, address: str, path: Path, root: Path) -> None:
        self.path, self.name = path, path.stem
        self.context = chromium.new_context(viewport=WINDOW, reduced_motion="reduce")
        own = (*LOCAL, f"{address}/", f"{address.replace('http', 'ws')}/")
        self.watch = Watch(self.context, allowed=own, noise=NOISE)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self._root = root
        self.page.goto(f"{address}/lab/tree/{self._place()}?token={TOKEN}&reset")
        self._wait_until_open()

    def _place(self) -> str:
        return self.path.relative_to(self._root).as_posix()

    def _wait_until_open(self) -> None:
        ready = "panel?.context?.path === place && panel.sessionContext?.session?.kernel?.status === 'idle'"
        self.wait(f"(place) => {{ {NOTEBOOK} return {ready}; }}", self._place())

    def turn_to(self, path: Path) -> None:
        """End this notebook's kernel and open another notebook in the same page, which is faster than a new one."""
        self.ask("await panel.sessionContext.shutdown();")
        self.path, self.name = path, path.stem
        self.ask(
            "await jupyterapp.commands.execute('docmanager:open', { path: argument });",
            self._place(),
        )
        self._wait_until_open()

    def wait(self, condition: str, argument: Any = None) -> None:
        """Wait until a JavaScript condition holds."""
        self.page.wait_for_function(condition, arg=argument, timeout=1000 * PATIENCE_S, polling=100)

    def ask(self, body: str, argument: Any = None) -> Any:
        """Run JavaScript with `panel` and `notebook` at hand."""
        return self.page.evaluate(f"async (argument) => {{ {NOTEBOOK} {body} }}", argument)

    def run_all(self) -> None:
        """Choose Run → Run All Cells from the menu."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
        self.page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
        self.wait_until_run()

    def wait_until_run(self) -> None:
        """Wait until every code cell has run or been given up, then save."""
        code = f"{NOTEBOOK} const code = notebook.widgets.filter((cell) => cell.model.type === 'code');"
        self.wait(f"() => {{ {code} return code.some((cell) => cell.model.executionCount); }}")
        self.wait(
            f"() => {{ {code} return code.every((cell) => cell.model.executionState === 'idle'); }}"
        )
        self.ask("await panel.context.save();")

    def saved(self) -> nbformat.NotebookNode:
        """Return the notebook as JupyterLab saved it."""
        return nbformat.read(self.path, as_version=4)

    def cells(self, tag: str) -> list[tuple[str, Locator]]:
        """Return (id, cell on the page) of the cells with a tag, in order."""
        ids = self.ask(
            "return notebook.widgets.map((cell, at) => [cell.model.id, at, cell.model.getMetadata('tags') ?? []])"
            ".filter(([id, at, tags]) => tags.includes(argument));",
            tag,
        )
        return [(name, self.page.locator(".jp-Notebook .jp-Cell").nth(at)) for name, at, _ in ids]

    def photograph(self, cell: Locator, path: Path) -> None:
        """Keep a picture of a cell, whole even where it is higher than the window."""
        height = cell.evaluate("(node) => node.getBoundingClientRect().height")
        self.page.set_viewport_size(WINDOW | {"height": max(WINDOW["height"], int(height) + 200)})
        cell.scroll_into_view_if_needed()
        cell.screenshot(path=path)
        self.page.set_viewport_size(WINDOW)

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme, "JupyterLab Light" or "JupyterLab Dark"."""
        self.ask(
            "await jupyterapp.commands.execute('apputils:change-theme', { theme: argument });", name
        )
        light = "true" if name.endswith("Light") else "false"
        self.wait("(light) => document.body.dataset.jpThemeLight === light", light)

    def close(self) -> None:
        """Shut the kernel down and close the page."""
        self.ask("await panel.sessionContext.shutdown();")
        self.context.close()
