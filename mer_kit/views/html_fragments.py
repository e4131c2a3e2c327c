"""Views as plain HTML: a still picture, and the script that replaces it by the interactive view.

A fragment is used in notebook outputs, exports and pages without a kernel; it refers to nothing
outside itself.

Notebook: 05_emotion_curve
"""

import base64
import contextlib
import hashlib
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mer_kit.checks import check_choice
from mer_kit.files import writing
from mer_kit.plots.names import escaped
from mer_kit.views import js

_PAGE_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; overflow-wrap: anywhere; } p { overflow-wrap: anywhere; }
"""
_ELEMENT = re.compile(r"<script\b([^>]*)>(.*)</script>", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([\w-]+)(?:="([^"]*)")?""")
_MARK = re.compile(r"([a-z_]+)-[0-9a-f]{16}")
_FRAGMENT = re.compile(
    r'<div data-mer-fragment="[^"]*"><style>.*?</style>'
    r'<div class="mer mer-(?P<view>[a-z_]+)">(?P<still>.*)</div>'
    r'<script type="application/json" data-mer-data>(?P<data>[^<]*)</script></div>'
    r'<script type="module" data-mer-script="[^"]*">.*?</script>',
    re.DOTALL,
)
_OUR_PAGE = re.compile(
    r"<!doctype html>\n.*?<main>\n<h1>(?P<title>[^<]*)</h1>\n"
    r"(?P<fragment><div data-mer-fragment.*</script>)\n?(?P<rest>.*?)"
    r"\n</main>\n</body>\n</html>\n?",
    re.DOTALL,
)
_COLOURS, _HEX, _GREY = ("colour", "ink"), re.compile(r"#[0-9a-fA-F]{3,8}"), "#8a8a93"
#: A song's sound and curves take some megabytes of text.
MOST_DATA = 64 << 20
_MARKED = re.compile(rf'(?<=data-mer-script="){_MARK.pattern}(?=")')


def fragment(view: str, data: dict[str, Any], still: str) -> str:
    """Return a view as self-contained HTML: `still` (picture, sound), data, style and script.

    Where scripts do not run, `still` stays; where they do, the view takes its place. An audio
    element in `still` with a data: address reaches the view as `data.audio`, so that the sound is
    there once.

    Parameters
    ----------
    view : the name of a view in `js/`
    data : what the view's `mount` takes, JSON-able
    still : HTML that is complete without a script; its texts are escaped by the caller

    Raises
    ------
    MerKitError
        If there is no such view.
    """
    check_choice("view", view, js.VIEWS)
    embedded = js.embedded(data)
    mark = f"{view}-{hashlib.blake2b((embedded + still).encode(), digest_size=8).hexdigest()}"
    return (
        f'<div data-mer-fragment="{mark}"><style>{js.styles(view)}</style>'
        f'<div class="mer mer-{view}">{still}</div>'
        f'<script type="application/json" data-mer-data>{embedded}</script></div>{_script(mark)}'
    )


def rebuilt(text: str, clean: Callable[[str], str]) -> str | None:
    """Return a fragment rebuilt from its picture (after `clean`) and data; None if it is not ours.

    Whatever else stood in it, styles and scripts are those of this version.
    """
    found = _FRAGMENT.fullmatch(text.strip())
    if found is None or found["view"] not in js.VIEWS or len(found["data"]) > MOST_DATA:
        return None
    try:
        data = json.loads(found["data"])
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    return fragment(found["view"], _plain_colours(data), clean(found["still"]))


def _plain_colours(data: Any) -> Any:
    """Return a view's data with grey for invalid colours: views use them in style attributes."""
    if isinstance(data, dict):
        return {
            name: _GREY
            if name in _COLOURS and not _HEX.fullmatch(str(value))
            else _plain_colours(value)
            for name, value in data.items()
        }
    return [_plain_colours(value) for value in data] if isinstance(data, list) else data


def rebuilt_page(text: str, clean: Callable[[str], str]) -> str | None:
    """Return a page of ours with one view, built anew; None where it is none of ours."""
    found = _OUR_PAGE.fullmatch(text)
    made = found and rebuilt(found["fragment"], clean)
    if not found or not made:
        return None
    return page(html.unescape(found["title"]), f"{made}\n{clean(found['rest'])}")


def page(title: str, body: str) -> str:
    """Return a self-contained HTML page, light or dark like the reader's system.

    Examples
    --------
    >>> "<title>a &lt;b&gt;</title>" in page("a <b>", "<p>text</p>")
    True
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{policy(body)}<title>{escaped(title)}</title><style>{_PAGE_STYLE}</style></head>\n"
        "<body>\n<main>\n"
        f"<h1>{escaped(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def write_page(path: Path, page: str) -> None:
    """Write a page to a file, as a whole or not at all."""
    with writing(path) as partial:
        partial.write_text(page, "utf-8")


def text(data: bytes) -> str:
    """Return bytes as base64 text.

    Examples
    --------
    >>> text(b"mer")
    'bWVy'
    """
    return base64.b64encode(data).decode("ascii")


def sha256(script: str) -> str:
    """Return the digest of a script as a content security policy names it."""
    return text(hashlib.sha256(script.encode()).digest())


def policy(page: str) -> str:
    """Return a page's content security policy, a meta element: only our scripts run.

    The scripts are named by the SHA-256 of the text that this version writes, so that another text
    does not run under our mark.

    Examples
    --------
    >>> "script-src 'none';" in policy("<p onclick='x()'>text</p>")
    True
    """
    marks = sorted({mark[0] for mark in _MARKED.finditer(page) if mark[1] in js.VIEWS})
    allowed = " ".join(f"'sha256-{sha256(code(mark))}'" for mark in marks) or "'none'"
    return (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "media-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'\">"
    )


def trusted(element: str) -> str:
    """Return a script element as it may stay in an exported page, or "".

    Only the mark of our scripts is used: the code is replaced by that of this version, whatever the
    element contained. Our data are kept if they are JSON, which browsers do not run. Everything
    else is removed.

    Examples
    --------
    >>> trusted('<script src="x.js"></script>')
    ''
    >>> trusted('<script data-mer-script="player-0">x()</script>')
    ''
    >>> trusted('<script type="application/json" data-mer-data>{"a": "</b>"}</script>')
    '<script type="application/json" data-mer-data>{"a": "\\\\u003c/b\\\\u003e"}</script>'
    """
    found = _ELEMENT.fullmatch(element)
    if found is None:
        return ""
    attributes = dict(_ATTRIBUTE.findall(found[1]))  # nbconvert changes their order
    if attributes == {"type": "application/json", "data-mer-data": ""}:
        with contextlib.suppress(ValueError):
            data = js.embedded(json.loads(found[2]))
            return f'<script type="application/json" data-mer-data>{data}</script>'
    mark = _MARK.fullmatch(attributes.pop("data-mer-script", ""))
    if mark and mark[1] in js.VIEWS and attributes == {"type": "module"}:
        return _script(mark[0])
    return ""


def _script(mark: str) -> str:
    """Return the element that builds the view of every fragment with this mark."""
    return f'<script type="module" data-mer-script="{mark}">{code(mark)}</script>'


def code(mark: str) -> str:
    """Return the script that builds the view of every fragment with this mark."""
    return f'{js.module(mark.partition("-")[0])}\nenhance("{mark}", mount);\n'
