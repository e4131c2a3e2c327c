"""Notebooks that somebody else may have written, made harmless before they become pages: tags and attributes by a list.

What runs (scripts, handlers), leads away (redirects, forms, frames) or covers the page (fixed positions, foreign style
sheets) is left out; texts, tables, pictures, sounds and formulae stay. nh3 does the parsing.

Notebook: 06_results
"""

from __future__ import annotations

import base64
import binascii
import copy
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path

import nh3
from nbformat import NotebookNode

from mer_kit.views import html_fragments

_TEXT = (
    "a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i ins kbd li "
    "mark ol p pre q s samp section small span strong sub summary sup table tbody td tfoot th thead time tr u ul"
)
_MATH = (
    "math mrow mi mo mn ms mtext mspace msub msup msubsup mfrac msqrt mroot mtable mtr mtd mlabeledtr mover munder munderover "
    "mstyle mpadded mphantom menclose mfenced mmultiscripts mprescripts none semantics"
)
TAGS = frozenset([*_TEXT.split(), *_MATH.split(), "img", "audio"])
_MATH_ATTRIBUTES = (
    "display xmlns mathvariant stretchy fence separator lspace rspace linethickness columnalign rowalign accent "
    "accentunder displaystyle scriptlevel movablelimits form largeop symmetric maxsize minsize width height depth"
)
_EVERYWHERE = (
    "title alt lang dir role scope colspan rowspan align class style border controls preload open"
)
_STYLES = (
    "color background-color font-weight font-style font-size text-align text-decoration white-space border "
    "border-left border-right border-top border-bottom border-collapse border-radius padding padding-left "
    "padding-right margin max-width max-height width height line-height vertical-align display list-style overflow "
    "overflow-x overflow-y opacity"
)
#: Pictures and sounds as data: addresses; a browser runs nothing of them in img and audio elements.
_DATA = re.compile(
    r"data:(?:image/(?:png|jpeg|gif|webp|svg\+xml)|audio/[\w.+-]+);base64,[A-Za-z0-9+/=\s]*"
)
_LINK = re.compile(r"(?:https?://|mailto:|#|[\w.%()-]+\.(?:html|ipynb|md)\b)", re.ASCII)
#: Elements that go with all that they hold.
_WITH_CONTENT = frozenset(
    ("script", "style", "template", "noscript", "iframe", "object", "svg", "textarea", "title")
)
#: Elements whose text holds no tags.
_RAW = {
    name: re.compile(f"</{name}", re.ASCII | re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "iframe")
}
_NAME = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.ASCII | re.IGNORECASE)
#: Values of a style: words, colours and lengths that are not negative, which could move things over others.
_STYLE_VALUE = re.compile(
    r"(?:(?:rgb|hsl)a?\([\d\s.,%/]*\)|[#\w.%,!\s]|-(?=[a-z]))+", re.ASCII | re.IGNORECASE
)
#: What holds nothing, what ends where the next of its kind begins, and what a parser opens again in every paragraph.
_VOID = frozenset(("area", "br", "col", "hr", "img", "input", "source", "wbr"))
_ENDS = {"p": {"p"}, "li": {"li"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"}, "td": {"td", "th"}, "th": {"td", "th"},
         "tr": {"td", "th", "tr"}, "tbody": {"td", "th", "tr", "thead", "tbody", "tfoot"}}  # fmt: skip
_ENDS |= {"thead": _ENDS["tbody"], "tfoot": _ENDS["tbody"]}
_FORMATTING = frozenset(
    [
        "a",
        "b",
        "big",
        "code",
        "em",
        "font",
        "i",
        "nobr",
        "s",
        "small",
        "strike",
        "strong",
        "tt",
        "u",
    ]
)
#: What one output or text may hold. Parsers take time with the square of the depth and of the number of references, and
#: write formatting that is left open again in every paragraph.
MOST_HTML, MOST_DEPTH, MOST_REFERENCES, MOST_TAGS, MOST_AGAIN = (
    64 << 20,
    500,
    50_000,
    400_000,
    4 << 20,
)
#: Pixels of one picture: a poster of 600 dpi has fewer, and a browser keeps four bytes of each.
MOST_PIXELS = 50_000_000
#: Names that the page's own style sheet and scripts use; what a notebook brings may not dress up as them.
_OF_THE_PAGE = re.compile(r"(?:^|\s)(?:jp|lm|mer|p)-", re.IGNORECASE)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_PICTURES = ("image/png", "image/jpeg", "image/gif")


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Return an attribute's value as it may stay, None if it may not."""
    if name == "style":
        return _style(value) or None
    allowed = True
    if name == "src":
        allowed = (
            tag in ("img", "audio") and _DATA.fullmatch(value) is not None and _is_shown(value)
        )
    elif name == "href":
        allowed = tag == "a" and _LINK.match(value) is not None
    elif name in ("class", "id"):
        allowed = _OF_THE_PAGE.search(value) is None and (name == "class" or tag in _HEADINGS)
    return value if allowed else None


def _style(value: str) -> str:
    """Return a style's declarations that neither move an element nor load anything."""
    pairs = (part.partition(":") for part in value.split(";"))
    said = ((name.strip().lower(), what.strip()) for name, _, what in pairs)
    return "".join(
        f"{name}: {what}; "
        for name, what in said
        if name in _STYLES.split() and _STYLE_VALUE.fullmatch(what)
    ).strip()


_CLEANER = nh3.Cleaner(
    tags=set(TAGS),
    clean_content_tags=set(_WITH_CONTENT),
    attributes={"*": {*_EVERYWHERE.split(), *_MATH_ATTRIBUTES.split(), "id", "src", "href"}},
    generic_attribute_prefixes={"aria-"},
    attribute_filter=_attribute,
    url_schemes={"http", "https", "mailto", "data"},
    link_rel=None,
)


def clean(text: str) -> str:
    """Return HTML with only what TAGS allow, every element closed where it was opened.

    What is too large, too deep or too full of character references to be parsed in a moment becomes one sentence.

    Examples
    --------
    >>> clean('<b onclick="x()">bold</b><script>alert(1)</script><meta http-equiv="refresh" content="0;url=x">')
    '<b>bold</b>'
    >>> clean('<a href="javascript:x()" style="position: fixed; color: red">link</a></div></div>')
    '<a style="color: red;">link</a>'
    >>> clean("<div>" * 1000)
    '<p>Left out: HTML that nests more than 500 elements.</p>'
    """
    reason = _too_much(text)
    return f"<p>Left out: {reason}.</p>" if reason else _CLEANER.clean(text)


def _too_much(text: str) -> str:
    """Return why HTML would take a parser too long, "" if it would not."""
    if len(text) > MOST_HTML:
        return f"HTML of more than {MOST_HTML:,} characters"
    if text.count("&") > MOST_REFERENCES:
        return f"HTML with more than {MOST_REFERENCES:,} character references"
    open_: list[str] = []
    formatting: list[tuple[str, int]] = []
    again = 0
    for number, (end, name, tag) in enumerate(_tags(text)):
        if name in _FORMATTING:
            formatting = (
                _without_last(formatting, name)
                if end
                else [*formatting, (name, len(tag))][-MOST_DEPTH:]
            )
        elif not end:
            again += sum(size for _, size in formatting)
        if end:
            if open_ and open_[-1] == name:
                open_.pop()
        elif name not in _VOID and not (tag.endswith("/") and name not in TAGS and "svg" in open_):
            while open_ and open_[-1] in _ENDS.get(name, ()):
                open_.pop()
            open_.append(name)
        if len(open_) > MOST_DEPTH:
            return f"HTML that nests more than {MOST_DEPTH} elements"
        if again > MOST_AGAIN or number > MOST_TAGS:
            return "HTML of too many elements"
    return ""


def _without_last(formatting: list[tuple[str, int]], name: str) -> list[tuple[str, int]]:
    at = next((k for k in range(len(formatting) - 1, -1, -1) if formatting[k][0] == name), None)
    return formatting if at is None else formatting[:at] + formatting[at + 1 :]


def _tags(text: str) -> Iterator[tuple[bool, str, str]]:
    """Yield each tag as (is it an end tag, its name, its text), without what scripts, styles and comments hold."""
    at = text.find("<")
    while at >= 0:
        if text.startswith("<!--", at):
            at = text.find("-->", at)
        elif found := _NAME.match(text, at):
            close = text.find(">", at)
            if close < 0:
                return
            end, name = bool(found[1]), found[2].lower()
            yield end, name, text[at:close]
            after = _RAW[name].search(text, close) if name in _RAW and not end else None
            if name in _RAW and not end and after is None:
                return
            at = after.start() - 1 if after else close
        if at < 0:
            return
        at = text.find("<", at + 1)


def tamed(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of a notebook of which every part that a page takes as HTML is clean; our own views are built anew.

    Raises
    ------
    ValueError, TypeError, AttributeError, KeyError
        If it is not what nbformat calls a notebook.
    """
    made = copy.deepcopy(notebook)
    made.metadata = NotebookNode(
        language_info=NotebookNode(name="python", pygments_lexer="ipython3")
    )
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
    made = NotebookNode(
        output_type="display_data", metadata=NotebookNode(), data=NotebookNode(data)
    )
    return made


def _representation(kind: str, text: str) -> dict[str, str]:
    """Return what a page may take of one representation of an output, by kind; {} where it may take none."""
    if kind == "text/html":
        return {kind: html_fragments.rebuilt(text, clean) or clean(text)}
    if kind == "image/svg+xml":
        encoded = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
        return {"text/html": f'<img alt="figure" src="data:image/svg+xml;base64,{encoded}">'}
    if kind in _PICTURES:
        return {kind: text} if _is_shown(f"data:{kind};base64,{text}") else {}
    if kind in ("text/latex", "text/plain"):
        return {"text/plain": text} if kind == "text/plain" else {"text/html": html.escape(text)}
    return (
        {kind: text} if kind == "text/markdown" else {}
    )  # markdown is cleaned when it has become HTML


def is_picture(data: bytes | Path) -> bool:
    """Tell whether bytes or a file are a picture that Pillow knows, of at most MOST_PIXELS; only its head is read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
            return 0 < image.width * image.height <= MOST_PIXELS
    except Exception:  # pictures that claim a gigapixel, and whatever else Pillow finds
        return False


def _is_shown(address: str) -> bool:
    """Tell whether a data: address is base64 and, if it is one of pixels, a picture of a sensible size."""
    kind, _, text = address.partition(";base64,")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return not kind.startswith("data:image/") or kind.endswith("svg+xml") or is_picture(data)
