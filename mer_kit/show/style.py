"""One style for every figure: colours, line styles, and files whose bytes repeat."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from mer_kit.checks import MerKitError
from mer_kit.runs.archive import write_table, writing

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
    """Switch matplotlib to mer-kit's style.

    Examples
    --------
    >>> use()
    """
    plt.style.use(STYLE_FILE)


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
        with plt.rc_context({"svg.hashsalt": "mer-kit"}), writing(path) as partial:
            figure.savefig(partial, format=kind, metadata=metadata[kind])
        written[kind] = path
    if data is not None:
        write_table(Path(f"{stem}.csv"), data, float_format="%.6g")
        written["csv"] = Path(f"{stem}.csv")
    return written
