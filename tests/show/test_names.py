"""No name breaks a figure or a page, or is taken for a formula or for HTML."""

from __future__ import annotations

import html
import logging
import warnings
from pathlib import Path

import hypothesis
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mer_kit.show import fragments, style
from mer_kit.show.player import CurvePlayer
from mer_kit.show.plots_curve import curve_figure
from mer_kit.show.plots_segments import mel_picture

HOSTILE = [
    "Ba$$in", "$a$ and $b$", r"$\frac{$", "$", "<b>bold</b> & <script>alert(1)</script>", "a\nb\tc\0d", "{0} %s %(x)s", "_x^y_",
    "-leading", "x" * 250, "\u202egnp.exe", "émoji 🎵🔥", "한국어", "</script><!--", "\u2028line\u2029", "\\", "", "   ", "'\"`",
]  # fmt: skip


def _curve(song: str) -> pd.DataFrame:
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=6)
    table = pd.DataFrame({"start_s": np.arange(6.0), "end_s": np.arange(6.0) + 3, "centre_s": np.arange(6.0) + 1.5})
    for k, name in enumerate(("Q1", "Q2", "Q3", "Q4")):
        table[name] = p[:, k]
    table.attrs = {
        "song": song,
        "task": "quadrant",
        "decisions": {"svm": "Q1"},
        "segment_seconds": 3.0,
        "clip_id": None,
    }
    return table


def _draw(figure: Figure, path: Path) -> None:
    figure.savefig(path.with_suffix(".svg"))
    plt.close(figure)


@pytest.mark.parametrize("styled", [True, False])
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_title_is_the_name_and_no_formula(tmp_path: Path, name: str, styled: bool):
    with plt.rc_context():
        if styled:
            style.use()
        figure = curve_figure(_curve("song"), title=name)
        drawn = figure.axes[0].get_title(loc="left") or figure.axes[0].get_title()
        assert style.name(name) in drawn or not name.strip()
        _draw(figure, tmp_path / "curve")
        _, ax = plt.subplots()
        mel_picture(np.zeros((40, 128), dtype=np.float16), ax, title=name)
        _draw(ax.figure, tmp_path / "mel")


@hypothesis.given(st.text())
@hypothesis.settings(deadline=None, max_examples=200)
def test_any_text_becomes_one_line_that_fits(text: str):
    line = style.name(text)
    assert (len(line) <= 60 and line.isprintable()) or not line
    assert "\n" not in line and style.name(line) == line


def test_no_figure_in_our_style_reads_formulae():
    """What callers write into an Axes by themselves is plain text too."""
    with plt.rc_context():
        style.use()
        _, ax = plt.subplots()
        ax.set_title(r"$\frac{$ $$")
        ax.set_xlabel("$$")
        ax.text(0, 0, "$_$")
        ax.figure.canvas.draw()
        assert not ax.title.get_parse_math()
        plt.close(ax.figure)


def test_no_figure_of_the_package_needs_formulae():
    """The other side of it: where no text is parsed, none may rely on being parsed."""
    sources = [*Path(style.__file__).parent.glob("plot*.py")]
    assert len(sources) > 8
    assert not [path.name for path in sources if "$" in path.read_text("utf-8")]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_page_shows_the_name_and_runs_nothing(name: str):
    page = CurvePlayer(_curve(name), None, title=name).to_html(note=name)
    assert html.escape(name) in page or not name.strip()
    assert "<script>alert" not in page and "<b>bold" not in page
    shell = fragments.page("t", fragments.fragment("player", {"title": ""}, ""))
    assert page.count("<script") == shell.count("<script") and page.count("</script") == shell.count("</script")


def test_missing_glyphs_are_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    style._report_missing_glyphs.cache_clear()
    with plt.rc_context(), warnings.catch_warnings(), caplog.at_level(logging.WARNING, "mer_kit"):
        warnings.simplefilter("error")
        style.use()
        for number in range(3):
            _, ax = plt.subplots()
            ax.set_title("\U0001f3b5 \u1c00 \U0001f525")  # no font has Lepcha beside emoji
            style.save_figure(ax.figure, tmp_path / f"{number}", alt="a title")
            plt.close(ax.figure)
    assert len(caplog.records) <= 1
    assert all("install a font" in record.message for record in caplog.records)
