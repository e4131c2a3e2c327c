"""The browser's side of the interactive views: small ES modules and style sheets, joined as text.

A view named "player" has player.mjs and player.css here. Its module says `export function mount(el, data, talk)`, which
builds the view in an element from plain data and returns a function that takes it down. The same text serves a widget
(anywidget) and a page without a kernel (`show.fragments`).
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def module(name: str) -> str:
    """Return a view's ES module with what all views share put before it."""
    return f"{_read('common.mjs')}\n{_read(f'{name}.mjs')}"


def styles(name: str) -> str:
    """Return a view's style sheet after what all views share."""
    return f"{_read('common.css')}\n{_read(f'{name}.css')}"


def embedded(data: Any) -> str:
    """Return data as JSON that may stand inside a script element of a page.

    Examples
    --------
    >>> embedded({"title": "</script><b>"})
    '{"title": "\\\\u003c/script\\\\u003e\\\\u003cb\\\\u003e"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    for sign, code in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(sign, code)
    return text


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
