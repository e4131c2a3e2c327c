"""Removes everything active from notebooks of unknown origin before they become pages.

Tags and attributes are allowed by a list. Scripts and event handlers, redirects, forms and frames,
and whatever could cover the page (fixed positions, foreign style sheets) are left out; texts,
tables, images, sounds and formulae stay. nh3 does the parsing.

Notebook: 06_results
"""

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
    "a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 "
    "h5 h6 hr i ins kbd li mark ol p pre q s samp section small span strong sub summary sup table "
    "tbody td tfoot th thead time tr u ul"
)
_MATH = (
    "math mrow mi mo mn ms mtext mspace msub msup msubsup mfrac msqrt mroot mtable mtr mtd "
    "mlabeledtr mover munder munderover mstyle mpadded mphantom menclose mfenced mmultiscripts "
    "mprescripts none semantics"
)
TAGS = frozenset([*_TEXT.split(), *_MATH.split(), "img", "audio"])
_MATH_ATTRIBUTES = (
    "display xmlns mathvariant stretchy fence separator lspace rspace linethickness columnalign "
    "rowalign accent accentunder displaystyle scriptlevel movablelimits form largeop symmetric "
    "maxsize minsize width height depth"
)
_EVERYWHERE = (
    "title alt lang dir role scope colspan rowspan align class style border controls preload open"
)
_STYLES = (
    "color background-color font-weight font-style font-size text-align text-decoration "
    "white-space border border-left border-right border-top border-bottom border-collapse "
    "border-radius padding padding-left padding-right margin max-width max-height width height "
    "line-height vertical-align display list-style overflow overflow-x overflow-y opacity"
)
#: Images and sounds as data: addresses; in img and audio elements a browser runs nothing in them.
_DATA = re.compile(
    r"data:(?:image/(?:png|jpeg|gif|webp|svg\+xml)|audio/[\w.+-]+);base64,[A-Za-z0-9+/=\s]*"
)
_LINK = re.compile(r"(?:https?://|mailto:|#|[\w.%()-]+\.(?:html|ipynb|md)\b)", re.ASCII)
#: Elements that are removed with their content.
_WITH_CONTENT = frozenset(
    ("script", "style", "template", "noscript", "iframe", "object", "svg", "textarea", "title")
)
#: Elements whose text contains no tags.
_RAW = {
    name: re.compile(f"</{name}", re.ASCII | re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "iframe")
}
#: The beginning of a comment, or a tag up to its closing bracket: slash and name.
_TAG = re.compile(r"<!--|<(/?)([a-z][a-z0-9]*)[^>]*", re.ASCII | re.IGNORECASE)
#: Values of a style: words, colours and lengths that are not negative (those could cover others).
_STYLE_VALUE = re.compile(
    r"(?:(?:rgb|hsl)a?\([\d\s.,%/]*\)|[#\w.%,!\s]|-(?=[a-z]))+", re.ASCII | re.IGNORECASE
)
#: Elements without content.
_VOID = frozenset(("area", "br", "col", "hr", "img", "input", "source", "wbr"))
#: Element → open elements that it ends.
_ENDS = {
    "p": {"p"}, "li": {"li"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"}, "td": {"td", "th"},
    "th": {"td", "th"}, "tr": {"td", "th", "tr"},
    **{part: {"td", "th", "tr", "thead", "tbody", "tfoot"} for part in ("tbody", "thead", "tfoot")},
}  # fmt: skip
#: Elements that a parser opens again in every paragraph until they are closed.
_FORMATTING = frozenset((
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
))  # fmt: skip
#: Limits of one output or text. Parsing time grows with the square of the depth and of the number
#: of references; formatting that is never closed is written again in every paragraph.
MOST_HTML = 64 << 20
MOST_DEPTH = 500
MOST_REFERENCES = 50_000
MOST_TAGS = 400_000
MOST_AGAIN = 4 << 20
#: Pixels of one image: a poster at 600 dpi has fewer; a browser needs four bytes for each.
MOST_PIXELS = 50_000_000
#: Prefixes of names that the page's own style sheet and scripts use; notebooks may not use them.
_OF_THE_PAGE = re.compile(r"(?:^|\s)(?:jp|lm|mer|p)-", re.IGNORECASE)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Return the allowed value of an attribute, or None if it must be removed."""
    match name:
        case "style":
            return _style(value) or None
        case "src":
            data = _DATA.fullmatch(value) is not None
            allowed = tag in ("img", "audio") and data and _is_shown(value)
        case "href":
            allowed = tag == "a" and _LINK.match(value) is not None
        case "class" | "id":
            allowed = _OF_THE_PAGE.search(value) is None and (name == "class" or tag in _HEADINGS)
        case _:
            allowed = True
    if allowed:
        return value
    return None


def _style(value: str) -> str:
    """Return the declarations of a style that neither move an element nor load anything."""
    parts = (declaration.partition(":") for declaration in value.split(";"))
    return " ".join(
        f"{name.strip().lower()}: {setting.strip()};"
        for name, _, setting in parts
        if name.strip().lower() in _STYLES.split() and _STYLE_VALUE.fullmatch(setting.strip())
    )


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
    """Return HTML with only the elements of TAGS, each closed where it was opened.

    HTML that a parser would need too long for (too large, too deep, too many character references)
    becomes one sentence.

    Examples
    --------
    >>> clean('<b onclick="x()">bold</b><script>alert(1)</script>')
    '<b>bold</b>'
    >>> clean('<a href="javascript:x()" style="position: fixed; color: red">link</a></div></div>')
    '<a style="color: red;">link</a>'
    >>> clean("<div>" * 1000)
    '<p>Left out: HTML that nests more than 500 elements.</p>'
    """
    if reason := _too_much(text):
        return f"<p>Left out: {reason}.</p>"
    return _CLEANER.clean(text)


def _too_much(text: str) -> str:
    """Return why a parser would need too long for HTML, "" if it would not."""
    if len(text) > MOST_HTML:
        return f"HTML of more than {MOST_HTML:,} characters"
    if text.count("&") > MOST_REFERENCES:
        return f"HTML with more than {MOST_REFERENCES:,} character references"
    open_: list[str] = []
    formatting: list[tuple[str, int]] = []
    again = 0
    for number, (end, name, tag) in enumerate(_tags(text)):
        if name in _FORMATTING and end:
            last = next(
                (k for k in reversed(range(len(formatting))) if formatting[k][0] == name), -1
            )
            formatting = [one for k, one in enumerate(formatting) if k != last]
        elif name in _FORMATTING:
            formatting = [*formatting, (name, len(tag))][-MOST_DEPTH:]
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


def _tags(text: str) -> Iterator[tuple[bool, str, str]]:
    """Yield each tag as (is it an end tag, its name, its text).

    The content of scripts, styles and comments is skipped.
    """
    place = 0
    while place >= 0 and (tag := _TAG.search(text, place)):
        place = tag.end()
        if tag[2] is None:
            place = text.find("-->", tag.start())
        elif place < len(text):
            end, name = bool(tag[1]), tag[2].lower()
            yield end, name, tag[0]
            if name in _RAW and not end:
                after = _RAW[name].search(text, place)
                place = after.start() if after else -1


def tamed(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of a notebook with all of its HTML sanitized and mer-kit's views rebuilt.

    Raises
    ------
    ValueError, TypeError, AttributeError, KeyError
        If it is not a valid notebook for nbformat.

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> notebook = new_notebook(cells=[new_markdown_cell("# A title")], metadata={"title": "<b>"})
    >>> tamed(notebook).cells[0].source, "title" in tamed(notebook).metadata
    ('# A title', False)
    """
    made = copy.deepcopy(notebook)
    made.metadata = NotebookNode(
        language_info=NotebookNode(name="python", pygments_lexer="ipython3")
    )
    for number, cell in enumerate(made.cells):
        cell.id, cell.metadata = f"cell-{number}", NotebookNode()
        if cell.cell_type == "code":
            if not isinstance(cell.get("execution_count"), int):
                cell.execution_count = None
            cell.outputs = [_output(output) for output in cell.get("outputs", [])]
        elif cell.cell_type == "raw":
            cell.cell_type, cell.source = "markdown", f"```\n{cell.source}\n```"
    return made


def _output(output: NotebookNode) -> NotebookNode:
    """Return one output with its data sanitized and without metadata."""
    if output.output_type not in ("display_data", "execute_result"):
        return output
    data = NotebookNode()
    for kind, value in output.data.items():
        text = "".join(value) if isinstance(value, list) else value
        if isinstance(text, str):
            data.update(_representation(kind, text))
    return NotebookNode(output_type="display_data", metadata=NotebookNode(), data=data)


def _representation(kind: str, text: str) -> dict[str, str]:
    """Return what a page may show of one representation of an output; {} for nothing."""
    match kind:
        case "text/html":
            return {kind: html_fragments.rebuilt(text, clean) or clean(text)}
        case "image/svg+xml":
            encoded = html_fragments.text(text.encode("utf-8", "replace"))
            return {"text/html": f'<img alt="figure" src="data:image/svg+xml;base64,{encoded}">'}
        case "text/latex":
            return {"text/html": html.escape(text)}
        case "text/plain" | "text/markdown":  # Markdown is sanitized after it has become HTML
            return {kind: text}
        case "image/png" | "image/jpeg" | "image/gif" if _is_shown(f"data:{kind};base64,{text}"):
            return {kind: text}
    return {}


def is_picture(data: bytes | Path) -> bool:
    """Tell whether bytes or a file are an image of at most MOST_PIXELS; only the header is read.

    Examples
    --------
    >>> is_picture(b"not an image")
    False
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
            return 0 < image.width * image.height <= MOST_PIXELS
    except Exception:  # Pillow raises many classes, also for images that claim a gigapixel
        return False


def _is_shown(address: str) -> bool:
    """Tell whether a data: address is valid base64 and, for pixel images, of a sensible size."""
    kind, _, text = address.partition(";base64,")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return not kind.startswith("data:image/") or kind.endswith("svg+xml") or is_picture(data)
