"""How names (of clips, songs, artists, folders) enter pages and tables safely.

A name is always plain text, whatever it looks like: never a tag or a formula, and without
characters that break a file. For figures, `plots.style.render` does the same.
"""

import html
import re
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

#: Control characters except tab and line feed, marks that change the direction of writing, and
#: characters that UTF-8 or XML files cannot hold.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    r"""Return a text with every character that a file cannot hold replaced by "�".

    Examples
    --------
    >>> printable("MT\udce9 \x00\n"), printable("émoji 🎵")
    ('MT� �\n', 'émoji 🎵')
    """
    return _UNPRINTABLE.sub("�", str(text))


def escaped(text: str) -> str:
    """Return a text escaped for HTML, between tags or in a quoted attribute.

    Examples
    --------
    >>> escaped('<b>"Q1" & more')
    '&lt;b&gt;&quot;Q1&quot; &amp; more'
    """
    return html.escape(printable(text), quote=True)


def table_view(
    table: pd.DataFrame, formats: Any = None, *, index: bool = False, **options: Any
) -> Styler:
    """Return a table for display in a notebook: names escaped, dollar signs not read as formulae.

    Parameters
    ----------
    formats, options : as in `pandas.io.formats.style.Styler.format`
    index : show the row names too

    Examples
    --------
    >>> table = pd.DataFrame({"clip": ["<b>$a$"], "accuracy": [0.5]})
    >>> page = table_view(table, {"accuracy": "{:.0%}"}).to_html()
    >>> "&lt;b&gt;$a$" in page, "50%" in page, "tex2jax_ignore" in page
    (True, True, True)
    """
    plain = table.rename(columns=_printable, index=_printable).map(_printable)
    view = (
        plain.style.format(formats, escape="html", **options)
        .format_index(escape="html", axis=0)
        .format_index(escape="html", axis=1)
        .set_table_attributes('class="tex2jax_ignore mathjax_ignore"')
    )
    return view if index else view.hide(axis="index")


def _printable(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value


def tables_are_plain() -> None:
    """Stop pandas from reading formulae in tables that a notebook displays directly.

    Examples
    --------
    >>> tables_are_plain()
    >>> pd.get_option("styler.html.mathjax")
    False
    """
    pd.set_option(
        "display.html.use_mathjax", False, "styler.html.mathjax", False,
        "styler.format.escape", "html",
    )  # fmt: skip
