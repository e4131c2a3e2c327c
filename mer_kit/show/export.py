"""Executed notebooks as pages that need nothing but a browser: formulae as MathML, no script but mer-kit's own views."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat
from latex2mathml import converter
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from mer_kit.runs.archive import writing
from mer_kit.show import fragments

# As in Pandoc: an inline formula touches its dollar signs, and no digit follows, so that prices stay prices.
_FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?P<inline>(?!\s)[^$\n]+?(?<!\s))\$(?!\d)", re.DOTALL)
_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script>", re.DOTALL | re.IGNORECASE)


def to_html(source: str | Path, target: str | Path) -> Path:
    """Write an executed notebook as one HTML file without outside references, and return its path.

    Of all scripts only those of mer-kit's own views stay, written anew from this version (`show.fragments.trusted`).

    Notebook: 06_results
    """
    notebook = with_mathml(nbformat.read(source, as_version=4))
    page, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    page = _without_scripts(page)
    page = page.replace(".ipynb", ".html")
    path = Path(target)
    with writing(path) as partial:
        partial.write_text(page, "utf-8")
    return path


def _without_scripts(page: str) -> str:
    """Return a page without MathJax, widget loaders and whatever a notebook printed; our own views stay."""
    before = ""
    while page != before:  # what is taken away may have stood inside another tag and leave a new one
        before, page = page, _SCRIPT.sub(lambda found: fragments.trusted(found[0]), page)
    return page


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
        return str(re.sub(r"\s*\n\s*", " ", converter.convert(formula, display="block" if block else "inline")))
    except Exception:  # the converter raises many classes; the formula then stays readable as LaTeX
        return match[0]
