"""One style for all figures: colours, line styles, and files that are reproducible byte by byte."""

import contextlib
import functools
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import font_manager
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter

from mer_kit import systems
from mer_kit.checks import MerKitError
from mer_kit.files import write_table, writing
from mer_kit.plots.names import printable

_log = logging.getLogger("mer_kit")
_MISSING_GLYPH = re.compile(r"Glyph \d+ .*missing from")
#: Fonts with Chinese, Japanese, Korean and symbols, by their names on Linux, macOS and Windows.
FALLBACK_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Noto Sans KR", "Noto Sans JP",
    "Noto Sans SC", "WenQuanYi Zen Hei", "Hiragino Sans", "Apple SD Gothic Neo", "PingFang SC",
    "Malgun Gothic", "Yu Gothic", "Microsoft YaHei", "Noto Emoji", "Segoe UI Emoji",
    "Segoe UI Symbol", "Symbola", "Unifont", "Noto Sans Symbols2",
)  # fmt: skip
#: Titles with more characters are measured before they are drawn.
LONG_TITLE = 30
#: Longest line of any text in a figure, characters.
LONGEST_LINE = 100
STYLE_FILE = Path(__file__).with_name("mer_kit.mplstyle")

#: Class → (colour, line style), so that either one tells classes apart (colours: petroff6).
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
#: Colours of a corpus' own classes, by class index (petroff10), and their line styles: classes ten
#: apart share the colour but not the style.
OWN_COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
OWN_LINES = ("-", "--", "-.", ":")
#: Colours of X (clean labels), U (noisy labels), and everything else.
CLEAN, NOISY, NEUTRAL = "#5790fc", "#e42536", "#6d6d75"
#: Method → (colour, line style).
METHOD_LOOK: dict[str, tuple[str, str]] = systems.LOOK


def looks(classes: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return the colour and line style of each class of a task; no two classes share both.

    Examples
    --------
    >>> looks(["V-", "V+"])["V+"], looks(["folk", "rock"])["rock"]
    (('#f89c20', '-'), ('#ffa90e', '--'))
    """
    n, m = len(OWN_COLOURS), len(OWN_LINES)
    return {
        name: LOOK.get(name, (OWN_COLOURS[k % n], OWN_LINES[k % m]))
        for k, name in enumerate(classes)
    }


def class_colour(name: str, classes: Sequence[str] = ()) -> str:
    """Return the colour of a class, one of `classes`, or the neutral one for any other name.

    Examples
    --------
    >>> class_colour("V+"), class_colour("rock", ["folk", "rock"]), class_colour("rock")
    ('#f89c20', '#ffa90e', '#6d6d75')
    """
    return {**LOOK, **looks(classes)}.get(name, (NEUTRAL, "-"))[0]


def use() -> None:
    """Switch matplotlib to mer-kit's style, with installed fonts for what DejaVu Sans lacks.

    Examples
    --------
    >>> use()
    """
    plt.style.use(STYLE_FILE)
    plt.rcParams["font.family"] = ["DejaVu Sans", *_fallback_fonts()]


@functools.cache
def _fallback_fonts() -> tuple[str, ...]:
    """Return those of FALLBACK_FONTS that are installed."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in FALLBACK_FONTS if name in installed)


def name(text: str, *, longest: int = 60) -> str:
    r"""Return the name of a clip, artist or corpus as one line that fits a title.

    Line breaks, control characters and marks that change the direction of writing become blanks;
    a long name loses its middle. Dollar signs stay, since the style does not parse formulae. For
    all other texts `render` does the same.

    Examples
    --------
    >>> name("two\nlines"), name("x" * 50 + "y" * 50, longest=11), name("Ba$$in")
    ('two lines', 'xxxxx…yyyyy', 'Ba$$in')
    """
    blanked = "".join(c if c.isprintable() else " " for c in str(text))
    return _cut(" ".join(blanked.split()), longest)


def _cut(line: str, longest: int) -> str:
    """Return a line without its middle if it is longer than `longest` characters."""
    half = (longest - 1) // 2
    return line if len(line) <= longest else f"{line[:half]}…{line[-half:]}"


def render(figure: Figure, target: Any, **options: Any) -> None:
    """Write a figure to a file or buffer; all figures of the package pass through here.

    No text is parsed as a formula or holds characters that a font or an SVG cannot, and a title is
    one line that does not reach into its neighbour. Characters that no installed font has are
    reported once.

    Parameters
    ----------
    target, options : as in `Figure.savefig`

    Examples
    --------
    >>> import io
    >>> buffer = io.BytesIO()
    >>> render(Figure(), buffer, format="png")
    >>> buffer.getvalue()[1:4]
    b'PNG'
    """
    with plt.rc_context({"svg.hashsalt": "mer-kit"}), missing_glyphs_once():
        for text in figure.findobj(Text):
            text.set_parse_math(False)
            lines = printable(text.get_text()).split("\n")
            text.set_text("\n".join(_cut(line, LONGEST_LINE) for line in lines))
        for axis in figure.findobj(Axis):
            _plain_ticks(axis)
        _shorten_titles(figure)
        figure.savefig(target, **options)


def _plain_ticks(axis: Axis) -> None:
    """Make tick labels printable; matplotlib sets their texts again at every drawing."""
    formatter = axis.get_major_formatter()
    if isinstance(formatter, FixedFormatter):
        formatter.seq = [printable(text) for text in formatter.seq]
    elif isinstance(formatter, FuncFormatter):
        formatter.func = functools.partial(_printable_tick, formatter.func)


def _printable_tick(label: Callable[..., str], *arguments: Any) -> str:
    return printable(label(*arguments))


def _shorten_titles(figure: Figure) -> None:
    """Make each title one line that neither leaves the figure nor reaches into its neighbour."""
    long = []
    for ax in figure.axes:
        for title in (ax.title, ax._left_title, ax._right_title):  # type: ignore[attr-defined]
            text = name(title.get_text(), longest=LONGEST_LINE)
            title.set_text(name(text, longest=LONG_TITLE))
            if len(text) > LONG_TITLE:
                long.append((ax, title, text))
    if long:
        figure.draw_without_rendering()  # fixes the layout, while all titles are short
    for ax, title, text in long:
        # Other Axes that begin to the right of this one, in the same row.
        neighbours = (
            other.bbox.x0
            for other in figure.axes
            if ax.bbox.y0 < other.bbox.y1
            and other.bbox.y0 < ax.bbox.y1
            and other.bbox.x0 >= ax.bbox.x1
        )
        right = min(neighbours, default=figure.bbox.x1)
        title.set_text(text)
        while len(title.get_text()) > LONG_TITLE // 2 and not _fits(title, right):
            title.set_text(name(text, longest=len(title.get_text()) - 2))


def _fits(title: Text, right: float) -> bool:
    box = title.get_window_extent()
    return bool(box.x0 >= 0 and box.x1 <= right)


@contextlib.contextmanager
def missing_glyphs_once() -> Iterator[None]:
    """Report missing glyphs once per process, instead of matplotlib's warning for each of them.

    Examples
    --------
    >>> with missing_glyphs_once():
    ...     Figure().draw_without_rendering()
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if _MISSING_GLYPH.match(str(warning.message)):
            _report_missing_glyphs()
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


@functools.cache
def _report_missing_glyphs() -> None:
    _log.warning(
        "some characters of a name are in no installed font and appear as boxes in figures: "
        "install a font that has them (Debian: fonts-noto-cjk, fonts-symbola)"
    )


def save_figure(
    figure: Figure,
    stem: str | Path,
    *,
    alt: str,
    data: pd.DataFrame | None = None,
    formats: tuple[str, ...] = ("svg", "png", "pdf"),
) -> dict[str, Path]:
    """Write a figure as SVG, PNG and PDF and its data as CSV; equal figures give equal bytes.

    Parameters
    ----------
    stem : path without its extension
    alt : what the figure shows, for readers who cannot see it; stored as the title of the SVG and
        PDF and the description of the PNG
    data : the plotted numbers

    Returns
    -------
    dict of format → path

    Raises
    ------
    MerKitError
        If `alt` is empty.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = save_figure(Figure(), f"{folder}/empty", alt="Nothing", formats=("png",))
    ...     paths["png"].name, paths["png"].is_file()
    ('empty.png', True)
    """
    if not alt.strip():
        raise MerKitError(
            f"figure {Path(stem).name} has no alt text, expected one sentence: "
            "describe what the figure shows"
        )
    alt = printable(alt)
    # Dates and version stamps would make the bytes differ from day to day.
    metadata: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None, "Creator": "mer-kit", "Title": alt},
        "png": {"Software": "mer-kit", "Description": alt},
        "pdf": {
            "CreationDate": None, "ModDate": None, "Title": alt,
            "Creator": "mer-kit", "Producer": "mer-kit",
        },
    }  # fmt: skip
    written: dict[str, Path] = {}
    for kind in formats:
        written[kind] = Path(f"{stem}.{kind}")
        with writing(written[kind]) as partial:
            render(figure, partial, format=kind, metadata=metadata[kind])
    if data is not None:
        written["csv"] = Path(f"{stem}.csv")
        write_table(written["csv"], data, float_format="%.6g")
    return written
