r"""Formulae of the site as MathML, written when the site is built: no script, no network.

Equations may carry the paper's number as `\tag{4}`, which stands at the right and can be linked to as `#eq-4`.
"""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from mer_kit.pages.mathml import to_mathml

_TAG = re.compile(r"\\tag\{([^}]*)\}")
#: A logarithm without brackets, which the converter sets without the space that it wants on both sides.
_LOG = re.compile(r"<mi>log</mi>(?!<mo stretchy)")
_THIN = '<mspace width="0.17em" />'


def mathml(latex: str, *, block: bool) -> str:
    r"""Return LaTeX as one line of MathML, its `\tag` left out; what the converter cannot read comes as code."""
    text = _TAG.sub("", latex).strip()
    made = to_mathml(text, block=block)
    if made is None:  # the formula stays readable as LaTeX
        return f"<code>{html.escape(text)}</code>"
    made = made.replace(r"\_", "_")
    return _LOG.sub(lambda match: f"{_THIN}{match[0]}{_THIN}", made)


def tags(latex: str) -> list[str]:
    r"""Return the numbers that an equation carries as `\tag{…}`."""
    return _TAG.findall(latex)


def _inline(translator: Any, node: nodes.Element) -> None:
    translator.body.append(f'<span class="math">{mathml(node.astext(), block=False)}</span>')
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.Element) -> None:
    latex = node.astext()
    numbers = tags(latex)
    targets = "".join(f'<span id="eq-{number}"></span>' for number in numbers)
    label = f'<span class="equation-number">({", ".join(numbers)})</span>' if numbers else ""
    translator.body.append(f'<div class="math">{targets}{mathml(latex, block=True)}{label}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name "mathml"."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
