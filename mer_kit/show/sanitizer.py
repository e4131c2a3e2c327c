"""Notebooks that somebody else may have written, made harmless before they become pages: tags and attributes by a list.

What runs (scripts, handlers), leads away (redirects, forms, frames) or covers the page (fixed positions, foreign style
sheets) is left out; texts, tables, pictures, sounds and formulae stay. bleach does the parsing.

Notebook: 06_results
"""

from __future__ import annotations

import base64
import binascii
import copy
import html
import re
from typing import Any

import bleach
from bleach.css_sanitizer import CSSSanitizer
from nbformat import NotebookNode

from mer_kit.show import fragments

_TEXT = (
    "a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i ins kbd li "
    "mark ol p pre q s samp section small span strong sub summary sup table tbody td tfoot th thead time tr u ul"
)
_MATH = (
    "math mrow mi mo mn ms mtext mspace msub msup msubsup mfrac msqrt mroot mtable mtr mtd mlabeledtr mover munder munderover "
    "mstyle mpadded mphantom menclose mfenced mmultiscripts mprescripts none semantics"
)
TAGS = frozenset([*_TEXT.split(), *_MATH.split(), "img", "audio"])
_MATH_ATTRIBUTES = frozenset(
    [
        "display",
        "xmlns",
        "mathvariant",
        "stretchy",
        "fence",
        "separator",
        "lspace",
        "rspace",
        "linethickness",
        "columnalign",
        "rowalign",
        "accent",
        "accentunder",
        "displaystyle",
        "scriptlevel",
        "movablelimits",
        "form",
        "largeop",
        "symmetric",
        "maxsize",
        "minsize",
        "width",
        "height",
        "depth",
    ]
)
_EVERYWHERE = frozenset(
    [
        "title",
        "alt",
        "lang",
        "dir",
        "role",
        "scope",
        "colspan",
        "rowspan",
        "align",
        "class",
        "style",
        "border",
        "controls",
        "preload",
        "open",
    ]
)
_STYLES = frozenset(
    [
        "color",
        "background-color",
        "font-weight",
        "font-style",
        "font-size",
        "text-align",
        "text-decoration",
        "white-space",
        "border",
        "border-left",
        "border-right",
        "border-top",
        "border-bottom",
        "border-collapse",
        "border-radius",
        "padding",
        "padding-left",
        "padding-right",
        "margin",
        "max-width",
        "max-height",
        "width",
        "height",
        "line-height",
        "vertical-align",
        "display",
        "list-style",
        "overflow",
        "overflow-x",
        "overflow-y",
        "opacity",
    ]
)
#: Pictures and sounds as data: addresses; a browser runs nothing of them in img and audio elements.
_DATA = re.compile(r"data:(?:image/(?:png|jpeg|gif|webp|svg\+xml)|audio/[\w.+-]+);base64,[A-Za-z0-9+/=\s]*")
_LINK = re.compile(r"(?:https?://|mailto:|#|[\w.%()-]+\.(?:html|ipynb|md)\b)", re.ASCII)
_RUNS = re.compile(r"<(script|style|template|noscript|iframe|object|svg)\b.*?</\1\s*[^>]*>", re.DOTALL | re.IGNORECASE)
#: Names that the page's own style sheet and scripts use; what a notebook brings may not dress up as them.
_OF_THE_PAGE = re.compile(r"(?:^|\s)(?:jp|lm|mer|p)-", re.IGNORECASE)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_PICTURES = ("image/png", "image/jpeg", "image/gif")


def _allowed(tag: str, name: str, value: str) -> bool:
    if name == "src":
        return tag in ("img", "audio") and _DATA.fullmatch(value) is not None
    if name == "href":
        return tag == "a" and _LINK.match(value) is not None
    if name == "class":
        return not _OF_THE_PAGE.search(value)
    if name == "id":
        return tag in _HEADINGS and _OF_THE_PAGE.search(value) is None
    return name in _EVERYWHERE or name.startswith("aria-") or name in _MATH_ATTRIBUTES


_CLEANER_OPTIONS: dict[str, Any] = {
    "tags": TAGS,
    "attributes": _allowed,
    "protocols": frozenset(["http", "https", "mailto", "data"]),
    "strip": True,
    "css_sanitizer": CSSSanitizer(allowed_css_properties=_STYLES),
}


def clean(text: str) -> str:
    """Return HTML with only what TAGS allow, every element closed where it was opened.

    Examples
    --------
    >>> clean('<b onclick="x()">bold</b><script>alert(1)</script><meta http-equiv="refresh" content="0;url=x">')
    '<b>bold</b>'
    >>> clean('<a href="javascript:x()" style="position: fixed; color: red">link</a></div></div>')
    '<a style="color: red;">link</a>'
    """
    before = ""
    while before != text:
        before, text = text, _RUNS.sub("", text)
    return str(bleach.Cleaner(**_CLEANER_OPTIONS).clean(text))


def tamed(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of a notebook of which every part that a page takes as HTML is clean; our own views are built anew.

    Raises
    ------
    ValueError, TypeError, AttributeError, KeyError
        If it is not what nbformat calls a notebook.
    """
    made = copy.deepcopy(notebook)
    made.metadata = NotebookNode(language_info=NotebookNode(name="python", pygments_lexer="ipython3"))
    for number, cell in enumerate(made.cells):
        cell.id, cell.metadata = f"cell-{number}", NotebookNode()
        if cell.cell_type == "code":
            count = cell.get("execution_count")
            cell.execution_count = count if isinstance(count, int) else None
            cell.outputs = [_output(output) for output in cell.get("outputs", [])]
        elif cell.cell_type == "raw":
            cell.cell_type, cell.source = "markdown", f"```\n{cell.source}\n```"
    return made


def _output(output: NotebookNode) -> NotebookNode:
    """Return one output with its data clean and without metadata."""
    if output.output_type not in ("display_data", "execute_result"):
        return output
    data = {}
    for kind, value in output.data.items():
        text = "".join(value) if isinstance(value, list) else value
        if isinstance(text, str):
            data.update(_representation(kind, text))
    made = NotebookNode(output_type="display_data", metadata=NotebookNode(), data=NotebookNode(data))
    return made


def _representation(kind: str, text: str) -> dict[str, str]:
    """Return what a page may take of one representation of an output, by kind; {} where it may take none."""
    if kind == "text/html":
        return {kind: fragments.rebuilt(text, clean) or clean(text)}
    if kind == "image/svg+xml":
        encoded = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
        return {"text/html": f'<img alt="figure" src="data:image/svg+xml;base64,{encoded}">'}
    if kind in _PICTURES:
        return {kind: text} if _is_base64(text) else {}
    if kind in ("text/latex", "text/plain"):
        return {"text/plain": text} if kind == "text/plain" else {"text/html": html.escape(text)}
    return {kind: text} if kind == "text/markdown" else {}  # markdown is cleaned when it has become HTML


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
