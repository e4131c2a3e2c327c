"""LaTeX formulae as MathML, for exported notebooks and for the documentation."""

import re

from latex2mathml import converter


def to_mathml(latex: str, *, block: bool) -> str | None:
    """Return a formula as one line of MathML; None if the converter cannot read it.

    Parameters
    ----------
    block : a formula on its own line, not in running text

    Examples
    --------
    >>> print(to_mathml("x", block=False))
    <math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><mi>x</mi></mrow></math>
    >>> to_mathml(r"\\frac{", block=True) is None
    True
    """
    try:
        made = converter.convert(latex, display="block" if block else "inline")
    except Exception:  # the converter raises many classes
        return None
    return re.sub(r"\s*\n\s*", " ", made)  # an empty line would end a Markdown paragraph
