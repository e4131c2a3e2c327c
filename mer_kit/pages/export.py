"""Executed notebooks as pages that need only a browser.

Formulae become MathML, and the only scripts that run are those of mer-kit's own views.
"""

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import nbconvert
import nbformat
from jinja2 import pass_context as contextfilter
from nbconvert import HTMLExporter

import mer_kit
from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.pages import sanitizer
from mer_kit.pages.mathml import to_mathml
from mer_kit.views import html_fragments, js

# As in Pandoc: an inline formula touches its dollar signs, and no digit follows, so that prices
# are not read as formulae.
_FORMULA = re.compile(
    r"\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?P<inline>(?!\s)[^$\n]+?(?<!\s))\$(?!\d)", re.DOTALL
)
# Browsers accept </script > and </script/> as end tags too.
_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script\b[^>]*>", re.DOTALL | re.IGNORECASE)
# The policy comes after it: browsers look for the encoding in the first 1,024 bytes only.
_ENCODING = re.compile(r"<meta charset=[^>]*>")

#: Colours with enough contrast (4.5 : 1) where nbconvert's have too little, and underlined links.
STYLE = """<style>
:root { --jp-mirror-editor-comment-color: #356a6a; --jp-mirror-editor-number-color: #006b00;
  --jp-mirror-editor-operator-color: #8a00d4; --jp-mirror-editor-keyword-color: #006b00;
  --jp-cell-inprompt-font-color: #3a6ea5; --jp-cell-outprompt-font-color: #a33a00;
  --jp-cell-prompt-not-active-opacity: 1;
  --jp-cell-prompt-not-active-font-color: var(--jp-ui-font-color2) }
.jp-RenderedHTMLCommon :is(a:link, a:visited) { text-decoration: underline; }
</style>
"""


#: Bytes of a notebook; with its sounds, an executed one has some tens of megabytes.
MOST_NOTEBOOK = 128 << 20
#: Lists and objects in a notebook; each needs about 500 bytes of memory.
MOST_PIECES = 500_000


class _Exporter(HTMLExporter):
    """nbconvert's exporter with sanitized Markdown."""

    @contextfilter
    def markdown2html(self, context: Any, source: str) -> str:
        """Return Markdown as sanitized HTML."""
        return sanitizer.clean(super().markdown2html(context, source))


def version() -> str:
    """Return a fingerprint of all that determines the output of `to_html`, except the notebook.

    Examples
    --------
    >>> len(version()), version() == version()
    (16, True)
    """
    texts = [mer_kit.__version__, nbconvert.__version__, STYLE]
    texts += map(html_fragments.code, js.VIEWS)
    modules = (sanitizer, html_fragments, sys.modules[to_mathml.__module__], sys.modules[__name__])
    sources = [Path(module.__file__ or "").read_bytes() for module in modules]
    return hashlib.blake2b("\n".join(texts).encode() + b"".join(sources), digest_size=8).hexdigest()


def to_html(source: str | Path, target: str | Path) -> Path:
    """Write an executed notebook as one HTML file that loads nothing from outside.

    The notebook is sanitized first (`pages.sanitizer`). The only scripts that stay are those of
    mer-kit's own views, generated again by this version (`views.html_fragments.trusted`). The
    page's content security policy lets the browser run these and nothing else: no event handlers
    (onclick=…) or javascript: links that a notebook printed, and no frames. Pictures and sounds
    from other addresses stay blank.

    Returns
    -------
    path of the page

    Raises
    ------
    MerKitError
        If the notebook is too large, or nbconvert's template has no place for the policy.

    Notebook: 06_results
    """
    raw = files.read_bytes(Path(source), most=MOST_NOTEBOOK)
    pieces = raw.count(b"[") + raw.count(b"{") + raw.count(b",") // 10
    if pieces > MOST_PIECES:
        raise MerKitError(
            f"{Path(source).name} has about {pieces:,} lists and objects, "
            f"expected at most {MOST_PIECES:,}: clear its outputs"
        )
    notebook = sanitizer.tamed(nbformat.reads(raw.decode("utf-8"), as_version=4))
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = mathml(cell.source)
    name = re.sub(r"[^\w .-]", "_", Path(source).stem)
    page, _ = _Exporter(template_name="lab").from_notebook_node(
        notebook, resources={"metadata": {"name": name}}
    )
    page = _guarded(_without_scripts(page.replace(".ipynb", ".html")))
    html_fragments.write_page(Path(target), page.replace("</head>", f"{STYLE}</head>", 1))
    return Path(target)


def _without_scripts(page: str) -> str:
    """Return a page without scripts (MathJax, widgets, printed ones), except mer-kit's own."""
    before = ""
    while page != before:  # a removed script may leave a new tag around it
        before = page
        page = _SCRIPT.sub(lambda match: html_fragments.trusted(match[0]), page)
    return page


def _guarded(page: str) -> str:
    """Return a page with its content security policy after the declaration of its encoding."""
    encoding = _ENCODING.search(page)
    if encoding is None:
        raise MerKitError(
            "the page has no <meta charset>, expected one from nbconvert: "
            "use the nbconvert version of this release"
        )
    return f"{page[: encoding.end()]}{html_fragments.policy(page)}{page[encoding.end() :]}"


def mathml(text: str) -> str:
    r"""Return Markdown with $…$ and $$…$$ as MathML; code spans and invalid formulae stay.

    Examples
    --------
    >>> mathml("so $x$ grows").startswith("so <math ")
    True
    >>> mathml("costs `$x$` here")
    'costs `$x$` here'
    """
    parts = re.split(r"(```.*?```|`[^`\n]*`)", text, flags=re.DOTALL)
    return "".join(part if part.startswith("`") else _FORMULA.sub(_convert, part) for part in parts)


def _convert(match: re.Match[str]) -> str:
    """Return a formula as MathML, or as it is if it cannot be converted."""
    latex = match["block"] or match["inline"]
    return to_mathml(latex.strip(), block=match["block"] is not None) or match[0]
