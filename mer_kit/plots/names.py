"""The doors through which names (of clips, songs, artists, folders) enter pages and tables; figures: `plots.style.render`.

What stands in a name is text, whatever it looks like: no tag, no formula, no character that breaks a file.
"""

from __future__ import annotations

import html
import re
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

#: Control characters but tab and line feed, marks that turn the direction of writing, and what no UTF-8 or XML file holds.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    r"""Return a text whose characters can be written into any file of ours; each other one becomes "�".

    Examples
    --------
    >>> printable("MT\udce9 \x00\n"), printable("émoji 🎵")
    ('MT� �\n', 'émoji 🎵')
    """
    return _UNPRINTABLE.sub("�", str(text))


def escaped(text: str) -> str:
    """Return a text as HTML shows it, between tags or in a quoted attribute.

    Examples
    --------
    >>> escaped('<b>"Q1" & more')
    '&lt;b&gt;&quot;Q1&quot; &amp; more'
    """
    return html.escape(printable(text), quote=True)


def table_view(
    table: pd.DataFrame, formats: Any = None, *, index: bool = False, **options: Any
) -> Styler:
    """Return a table as a notebook shows it: its names escaped, and dollar signs no formula.

    Parameters
    ----------
    formats, options : as `pandas.io.formats.style.Styler.format` takes them
    index : show the row names too

    Examples
    --------
    >>> page = table_view(pd.DataFrame({"clip": ["<b>$a$"], "share": [0.5]}), {"share": "{:.0%}"}).to_html()
    >>> "&lt;b&gt;$a$" in page, "50%" in page, "tex2jax_ignore" in page
    (True, True, True)
    """
    plain = table.rename(columns=_label, index=_label).map(_label)
    view = plain.style.format(formats, escape="html", **options)
    view = view.format_index(escape="html", axis=0).format_index(escape="html", axis=1)
    view.set_table_attributes('class="tex2jax_ignore mathjax_ignore"')
    return view if index else view.hide(axis="index")


def _label(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value


def tables_are_plain() -> None:
    """Let pandas show no formula in tables that a notebook displays as they are (it escapes their HTML by itself)."""
    pd.set_option("display.html.use_mathjax", False)
    pd.set_option("styler.html.mathjax", False)
    pd.set_option("styler.format.escape", "html")
