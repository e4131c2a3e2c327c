"""One style for every figure: colours, line styles, and files whose bytes repeat."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import font_manager
from matplotlib.figure import Figure

from mer_kit.checks import MerKitError
from mer_kit.files import writing
from mer_kit.runs.archive import write_table

_log = logging.getLogger("mer_kit")
_MISSING_GLYPH = re.compile(r"Glyph \d+ .*missing from")
#: Fonts that have Chinese, Japanese, Korean and symbols, as Linux, macOS and Windows name them.
FALLBACK_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK KR", "Noto Sans KR", "Noto Sans JP", "Noto Sans SC",
    "WenQuanYi Zen Hei", "Hiragino Sans", "Apple SD Gothic Neo", "PingFang SC", "Malgun Gothic", "Yu Gothic",
    "Microsoft YaHei", "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola", "Unifont", "Noto Sans Symbols2",
)  # fmt: skip
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
METHOD_LOOK: dict[str, tuple[str, str]] = {
    "ce": ("#6d6d75", "-"),
    "mixup": ("#f89c20", "--"),
    "sssl_no_kl": ("#964a8b", "-."),
    "sssl": ("#5790fc", "-"),
}


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
    r"""Return a name of a clip, artist or corpus as one line that fits a title: every name in a figure goes through here.

    Line breaks, control characters and marks that turn the direction of writing become blanks; a long name loses its
    middle. Dollar signs stay: the style parses no formulae.

    Examples
    --------
    >>> name("two\nlines"), name("x" * 50 + "y" * 50, longest=11), name("Ba$$in")
    ('two lines', 'xxxxx…yyyyy', 'Ba$$in')
    """
    one_line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    if len(one_line) <= longest:
        return one_line
    half = (longest - 1) // 2
    return f"{one_line[:half]}…{one_line[-half:]}"


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
        raise MerKitError(f"figure {Path(stem).name} has no alt text, expected one sentence: say what it shows")
    # Dates and version stamps would make the bytes differ from day to day.
    metadata: dict[str, dict[str, str | None]] = {
        "svg": {"Date": None, "Creator": "mer-kit", "Title": alt},
        "png": {"Software": "mer-kit", "Description": alt},
        "pdf": {"CreationDate": None, "ModDate": None, "Creator": "mer-kit", "Producer": "mer-kit", "Title": alt},
    }
    written: dict[str, Path] = {}
    for kind in formats:
        path = Path(f"{stem}.{kind}")
        with plt.rc_context({"svg.hashsalt": "mer-kit"}), writing(path) as partial, missing_glyphs_once():
            figure.savefig(partial, format=kind, metadata=metadata[kind])
        written[kind] = path
    if data is not None:
        write_table(Path(f"{stem}.csv"), data, float_format="%.6g")
        written["csv"] = Path(f"{stem}.csv")
    return written
