"""One style for every figure: colours, line styles, and files whose bytes repeat."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter

from mer_kit import systems
from mer_kit.checks import MerKitError
from mer_kit.files import write_table, writing
from mer_kit.plots.names import printable

_log = logging.getLogger("mer_kit")
_MISSING_GLYPH = re.compile(r"Glyph \d+ .*missing from")
#: Fonts that have Chinese, Japanese, Korean and symbols, as Linux, macOS and Windows name them.
FALLBACK_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Noto Sans KR", "Noto Sans JP", "Noto Sans SC",
    "WenQuanYi Zen Hei", "Hiragino Sans", "Apple SD Gothic Neo", "PingFang SC", "Malgun Gothic", "Yu Gothic",
    "Microsoft YaHei", "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola", "Unifont", "Noto Sans Symbols2",
)  # fmt: skip
#: A title of more characters is measured before it is drawn; no line of any text has more than the second number.
LONG_TITLE, LONGEST_LINE = 30, 100
STYLE_FILE = Path(__file__).with_name("mer_kit.mplstyle")

#: Class → (colour, line style): one fixed pair per emotion, so that neither has to be read alone (petroff6).
LOOK: dict[str, tuple[str, str]] = {
    "Q1": ("#f89c20", "-"),
    "Q2": ("#e42536", "--"),
    "Q3": ("#5790fc", "-."),
    "Q4": ("#964a8b", ":"),
    "V+": ("#f89c20", "-"),
    "V-": ("#5790fc", "-."),
    "A+": ("#e42536", "-"),
    "A-": ("#964a8b", "-."),
}
#: X and U, clean and noisy.
CLEAN, NOISY, NEUTRAL = "#5790fc", "#e42536", "#6d6d75"
#: Method → (colour, line style).
METHOD_LOOK: dict[str, tuple[str, str]] = systems.LOOK


def use() -> None:
    """Switch matplotlib to mer-kit's style, with the fonts of this machine that have what DejaVu Sans lacks.

    Examples
    --------
    >>> use()
    """
    plt.style.use(STYLE_FILE)
    plt.rcParams["font.family"] = ["DejaVu Sans", *_fallback_fonts()]


@functools.cache
def _fallback_fonts() -> tuple[str, ...]:
    """Return the installed ones of FALLBACK_FONTS."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in FALLBACK_FONTS if name in installed)


def name(text: str, *, longest: int = 60) -> str:
    r"""Return a name of a clip, artist or corpus as one line that fits a title (`render` sees to those of the others).

    Line breaks, control characters and marks that turn the direction of writing become blanks; a long name loses its
    middle. Dollar signs stay: the style parses no formulae.

    Examples
    --------
    >>> name("two\nlines"), name("x" * 50 + "y" * 50, longest=11), name("Ba$$in")
    ('two lines', 'xxxxx…yyyyy', 'Ba$$in')
    """
    one_line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return _cut(one_line, longest)


def _cut(line: str, longest: int) -> str:
    half = (longest - 1) // 2
    return line if len(line) <= longest else f"{line[:half]}…{line[-half:]}"


def render(figure: Figure, target: Any, **options: Any) -> None:
    """Write a figure to a file or buffer: the one place where a figure becomes bytes, so that no name can spoil one.

    No text is a formula, none holds what a font or an SVG cannot; a title is one line that fits beside its neighbours.
    Characters that no installed font has are reported once.

    Parameters
    ----------
    target, options : as `Figure.savefig` takes them
    """
    with plt.rc_context({"svg.hashsalt": "mer-kit"}), missing_glyphs_once():
        for text in figure.findobj(Text):
            text.set_parse_math(False)
            text.set_text(
                "\n".join(
                    _cut(line, LONGEST_LINE) for line in printable(text.get_text()).split("\n")
                )
            )
        for ax in figure.axes:
            _plain_ticks(ax)
        _shorten_titles(figure)
        figure.savefig(target, **options)


def _plain_ticks(ax: Axes) -> None:
    """Make names at ticks printable; their texts are set anew at every drawing."""
    for axis in (ax.xaxis, ax.yaxis):
        formatter = axis.get_major_formatter()
        if isinstance(formatter, FixedFormatter):
            formatter.seq = [printable(text) for text in formatter.seq]
        elif isinstance(formatter, FuncFormatter):
            formatter.func = functools.partial(_printable_tick, formatter.func)


def _printable_tick(label: Callable[..., str], *where: Any) -> str:
    return printable(label(*where))


def _shorten_titles(figure: Figure) -> None:
    """Make each title one line, and cut the middle out of one that would reach into its neighbour or out of the figure."""
    titles = []
    for ax in figure.axes:
        beside = (ax._left_title, ax._right_title)  # type: ignore[attr-defined]
        titles += [(ax, title) for title in (ax.title, *beside)]
    whole = {place: name(place[1].get_text(), longest=LONGEST_LINE) for place in titles}
    long = [place for place in titles if len(whole[place]) > LONG_TITLE]
    for place in titles:
        place[1].set_text(name(whole[place], longest=LONG_TITLE))
    if long:
        figure.draw_without_rendering()  # the layout must be known, and a title that is too long would spoil it
    for ax, title in long:
        right = min(
            (
                other.bbox.x0
                for other in figure.axes
                if other.bbox.x0 >= ax.bbox.x1 and _same_row(ax, other)
            ),
            default=figure.bbox.x1,
        )
        text = whole[ax, title]
        title.set_text(text)
        while len(title.get_text()) > LONG_TITLE // 2 and not _fits(title, right):
            title.set_text(name(text, longest=len(title.get_text()) - 2))


def _same_row(one: Axes, other: Axes) -> bool:
    return bool(one.bbox.y0 < other.bbox.y1 and other.bbox.y0 < one.bbox.y1)


def _fits(title: Text, right: float) -> bool:
    box = title.get_window_extent()
    return bool(box.x0 >= 0 and box.x1 <= right)


@contextlib.contextmanager
def missing_glyphs_once() -> Iterator[None]:
    """Report once a process that a font lacks characters, in place of matplotlib's warning for each of them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    glyphs = [str(w.message) for w in caught if _MISSING_GLYPH.match(str(w.message))]
    for other in caught:
        if not _MISSING_GLYPH.match(str(other.message)):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if glyphs:
        _report_missing_glyphs()


@functools.cache
def _report_missing_glyphs() -> None:
    _log.warning(
        "some characters of a name are in no installed font and appear as boxes in figures: install a font that has "
        "them (Debian: fonts-noto-cjk, fonts-symbola)"
    )


def save_figure(
    figure: Figure,
    stem: str | Path,
    *,
    alt: str,
    data: pd.DataFrame | None = None,
    formats: tuple[str, ...] = ("svg", "png", "pdf"),
) -> dict[str, Path]:
    """Write a figure as SVG, PNG and PDF and the plotted data as CSV; the same figure gives the same bytes.

    Parameters
    ----------
    stem : path without ending
    alt : what the figure shows, for those who cannot see it; written into the SVG's title and PNG's description

    Returns
    -------
    dict of format → path

    Raises
    ------
    MerKitError
        If `alt` is empty.
    """
    if not alt.strip():
        raise MerKitError(
            f"figure {Path(stem).name} has no alt text, expected one sentence: say what it shows"
        )
    alt = printable(alt)
    # Dates and version stamps would make the bytes differ from day to day.
    metadata: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None, "Creator": "mer-kit", "Title": alt},
        "png": {"Software": "mer-kit", "Description": alt},
        "pdf": {
            "CreationDate": None,
            "ModDate": None,
            "Creator": "mer-kit",
            "Producer": "mer-kit",
            "Title": alt,
        },
    }
    written: dict[str, Path] = {}
    for kind in formats:
        path = Path(f"{stem}.{kind}")
        with writing(path) as partial:
            render(figure, partial, format=kind, metadata=metadata[kind])
        written[kind] = path
    if data is not None:
        write_table(Path(f"{stem}.csv"), data, float_format="%.6g")
        written["csv"] = Path(f"{stem}.csv")
    return written
