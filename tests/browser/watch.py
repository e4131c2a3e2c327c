"""What no page may do: report an error, or ask another machine for anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

#: Addresses that stay on this machine and ask no server.
LOCAL = ("file:", "data:", "blob:", "about:")


class Watch:
    """Records what must not happen in a browser context: errors in the console, requests to other hosts."""

    def __init__(
        self,
        context: BrowserContext,
        *,
        allowed: tuple[str, ...] = LOCAL,
        noise: tuple[str, ...] = (),
    ):
        self.found: list[str] = []
        self._allowed, self._noise = allowed, noise
        context.on(
            "console",
            lambda said: self._say("console", said.text) if said.type == "error" else None,
        )
        context.on("weberror", lambda error: self._say("uncaught", str(error.error)))
        context.on("request", lambda request: self._ask(request.url))
        context.on("page", lambda page: page.on("websocket", lambda socket: self._ask(socket.url)))

    def _say(self, where: str, text: str) -> None:
        if not any(known in text for known in self._noise):
            self.found.append(f"{where}: {text[:500]}")

    def _ask(self, url: str) -> None:
        if not url.startswith(self._allowed):
            self.found.append(f"request: {url[:200]}")
