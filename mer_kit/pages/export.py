"""Executed notebooks as pages that need nothing but a browser: formulae as MathML, no script runs but mer-kit's own views."""

from __future__ import annotations

import copy
import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import nbconvert
import nbformat
from jinja2 import pass_context as contextfilter
from latex2mathml import converter
from nbconvert import HTMLExporter
from nbformat import NotebookNode

import mer_kit
from mer_kit import files
from mer_kit.checks import MerKitError
from mer_kit.files import writing
from mer_kit.pages import sanitizer
from mer_kit.views import html_fragments

# As in Pandoc: an inline formula touches its dollar signs, and no digit follows, so that prices stay prices.
_FORMULA = re.compile(
    r"\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?P<inline>(?!\s)[^$\n]+?(?<!\s))\$(?!\d)", re.DOTALL
)
# Browsers take </script > and </script/> for end tags too.
_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script\b[^>]*>", re.DOTALL | re.IGNORECASE)
# The policy stands behind it: browsers look for the encoding in the first 1,024 bytes only.
_ENCODING = re.compile(r"<meta charset=[^>]*>")

#: Colours that stand out enough (4.5 : 1) where nbconvert's template does not, and links that are more than a colour.
STYLE = """<style>
:root { --jp-mirror-editor-comment-color: #356a6a; --jp-mirror-editor-number-color: #006b00;
  --jp-mirror-editor-operator-color: #8a00d4; --jp-mirror-editor-keyword-color: #006b00;
  --jp-cell-inprompt-font-color: #3a6ea5; --jp-cell-outprompt-font-color: #a33a00;
  --jp-cell-prompt-not-active-opacity: 1; --jp-cell-prompt-not-active-font-color: var(--jp-ui-font-color2) }
.jp-RenderedHTMLCommon :is(a:link, a:visited) { text-decoration: underline; }
</style>
"""


#: An executed notebook with its sounds takes some tens of megabytes of text in few pieces: read, each piece takes 500 bytes.
MOST_NOTEBOOK, MOST_PIECES = 128 << 20, 500_000


class _Exporter(HTMLExporter):
    """nbconvert's exporter, whose Markdown becomes clean HTML."""

    @contextfilter
    def markdown2html(self, context: Any, source: str) -> str:
        """Return Markdown as HTML of which nothing runs, leads away or covers the page."""
        return sanitizer.clean(super().markdown2html(context, source))


def version() -> str:
    """Return a mark that changes with everything, beside the notebook, that decides what `to_html` writes."""
    parts = [
        mer_kit.__version__,
        nbconvert.__version__,
        STYLE,
        *map(html_fragments.code, html_fragments.VIEWS),
    ]
    sources = [
        Path(module.__file__ or "").read_bytes()
        for module in (sanitizer, html_fragments, sys.modules[__name__])
    ]
    return hashlib.blake2b("\n".join(parts).encode() + b"".join(sources), digest_size=8).hexdigest()


def to_html(source: str | Path, target: str | Path) -> Path:
    """Write an executed notebook as one HTML file that loads nothing from outside, and return its path.

    Its parts are cleaned first (`pages.sanitizer`). Of all scripts only those of mer-kit's own views stay, written anew from
    this version (`views.html_fragments.trusted`). The page's content security policy lets the browser run these and nothing else:
    no event handler (onclick=…) that a notebook printed, no javascript: link, no frame; pictures and sounds from elsewhere
    stay blank.

    Raises
    ------
    MerKitError
        If the notebook is too large, or nbconvert's template leaves no place for the policy.

    Notebook: 06_results
    """
    raw = files.read_bytes(Path(source), most=MOST_NOTEBOOK)
    pieces = raw.count(b"[") + raw.count(b"{") + raw.count(b",") // 10
    if pieces > MOST_PIECES:
        raise MerKitError(
            f"{Path(source).name} has some {pieces:,} lists and objects, expected at most {MOST_PIECES:,}: clear its outputs"
        )
    notebook = with_mathml(sanitizer.tamed(nbformat.reads(raw.decode("utf-8"), as_version=4)))
    name = re.sub(r"[^\w .-]", "_", Path(source).stem)
    page, _ = _Exporter(template_name="lab").from_notebook_node(
        notebook, resources={"metadata": {"name": name}}
    )
    page = _guarded(_without_scripts(page.replace(".ipynb", ".html"))).replace(
        "</head>", f"{STYLE}</head>", 1
    )
    path = Path(target)
    with writing(path) as partial:
        partial.write_text(page, "utf-8")
    return path


def _without_scripts(page: str) -> str:
    """Return a page without the script elements of MathJax, widget loaders and whatever a notebook printed, but ours."""
    before = ""
    while (
        page != before
    ):  # what is taken away may have stood inside another tag and leave a new one
        before, page = page, _SCRIPT.sub(lambda found: html_fragments.trusted(found[0]), page)
    return page


def _guarded(page: str) -> str:
    """Return a page with the policy of its own views' scripts behind the declaration of its encoding."""
    found = _ENCODING.search(page)
    if found is None:
        raise MerKitError(
            "the page has no <meta charset>, expected one from nbconvert: use the nbconvert of this release"
        )
    return f"{page[: found.end()]}{html_fragments.policy(page)}{page[found.end() :]}"


def with_mathml(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of the notebook whose Markdown formulae are MathML, which browsers draw themselves."""
    converted = copy.deepcopy(notebook)
    for cell in converted.cells:
        if cell.cell_type == "markdown":
            cell.source = mathml(cell.source)
    return converted


def mathml(text: str) -> str:
    r"""Return Markdown with $…$ and $$…$$ turned into MathML; code spans and what cannot be read stay as they are.

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
    block = match["block"] is not None
    formula = (match["block"] or match["inline"]).strip()
    try:
        # One line: a blank one inside would end the Markdown paragraph.
        return str(
            re.sub(
                r"\s*\n\s*", " ", converter.convert(formula, display="block" if block else "inline")
            )
        )
    except Exception:  # the converter raises many classes; the formula then stays readable as LaTeX
        return match[0]
