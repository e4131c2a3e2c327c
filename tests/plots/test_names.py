"""No name breaks a figure or a page, or is taken for a formula or for HTML."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from matplotlib.figure import Figure

from mer_kit import plots
from mer_kit.plots import style
from mer_kit.plots.curve import curve_figure
from mer_kit.plots.names import escaped, printable, table_view
from mer_kit.plots.segments import mel_picture
from mer_kit.records import TASKS
from mer_kit.views import html_fragments, js, objectives, segment_explorer, song_inspector
from mer_kit.views.curve_player import CurvePlayer
from tests.views import fold_stub, noise_labs

HOSTILE = [
    "Ba$$in", "$a$ and $b$", r"$\frac{$", "$", "<b>bold</b> & <script>alert(1)</script>", "a\nb\tc\0d", "{0} %s %(x)s", "_x^y_",
    "-leading", "x" * 250, "\u202egnp.exe", "émoji 🎵🔥", "한국어", "</script><!--", "\u2028line\u2029", "\\", "", "   ", "'\"`",
    "\udce9t\udce9", "\x1b[31m", "\ufffe", "--><svg onload=alert(1)>", "&lt;", "\u2066x\u2069",
]  # fmt: skip


def _curve(song: str) -> pd.DataFrame:
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=6)
    table = pd.DataFrame(
        {"start_s": np.arange(6.0), "end_s": np.arange(6.0) + 3, "centre_s": np.arange(6.0) + 1.5}
    )
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
    others = ("names.py", "style.py")  # they say how such text is kept from being parsed
    sources = [path for path in Path(style.__file__).parent.glob("*.py") if path.name not in others]
    assert len(sources) > 8
    assert not [path.name for path in sources if "$" in path.read_text("utf-8")]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_page_shows_the_name_and_runs_nothing(name: str):
    page = CurvePlayer(_curve(name), None, title=name).to_html(note=name)
    assert escaped(name) in page or not name.strip()
    assert "<script>alert" not in page and "<b>bold" not in page
    shell = html_fragments.page("t", html_fragments.fragment("player", {"title": ""}, ""))
    assert page.count("<script") == shell.count("<script") and page.count(
        "</script"
    ) == shell.count("</script")


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


# ---- the one place where figures become files ------------------------------------------------------------------------


def test_figures_become_files_in_one_place():
    """What makes the rest of this module true of every figure: no other line of the package or a notebook saves one."""
    root = Path(style.__file__).parents[2]
    sources = [*(root / "mer_kit").rglob("*.py"), *(root / "notebooks").rglob("*.ipynb")]
    assert len(sources) > 100
    places = [f"{path.name}: {line.strip()}" for path in sources for line in path.read_text("utf-8").splitlines()
              if re.search(r"\.(savefig|print_(png|svg|pdf)|print_figure)\(", line)]  # fmt: skip
    assert places == ["style.py: figure.savefig(target, **options)"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("styled", [True, False])
def test_whatever_a_caller_writes_into_a_figure_is_plain_text(name: str, styled: bool):
    """Titles, labels, ticks, legends and annotations, without a word to the style by who drew them."""
    with plt.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("error")
        if styled:
            style.use()
        figure, ax = plt.subplots(figsize=(16, 6))
        ax.plot([0, 1], label=f"line {name}")
        ax.set_title(name)
        ax.set_xlabel(name)
        ax.annotate(name, (0, 0))
        ax.set_yticks([0, 1], [name[:20], name[:20]])
        ax.legend()
        for kind, metadata in (("svg", {"Title": printable(name)}), ("png", {}), ("pdf", {})):
            buffer = io.BytesIO()
            style.render(figure, buffer, format=kind, metadata=metadata)
            if kind == "svg":
                ElementTree.fromstring(buffer.getvalue())
        texts = [text for text in figure.findobj(plt.Text) if text.get_text()]
        assert not [text for text in texts if text.get_parse_math()]
        assert all(printable(text.get_text()) == text.get_text() for text in texts)
        plt.close(figure)


def test_a_long_title_ends_before_its_neighbour_and_a_short_one_stays():
    with plt.rc_context():
        style.use()
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 2.3))
        left.set_title("Q1 happy: " + "long " * 40 + "end")
        right.set_title("Q2 angry: short")
        style.render(figure, io.BytesIO(), format="png")
        figure.draw_without_rendering()
        box = left._left_title.get_window_extent()
        assert 0 < box.x1 <= right.bbox.x0 and box.x1 > 0.8 * left.bbox.x1
        assert left.get_title(loc="left").startswith("Q1 happy: long") and left.get_title(
            loc="left"
        ).endswith("end")
        assert right.get_title(loc="left") == "Q2 angry: short"
        plt.close(figure)


def test_numbers_at_ticks_are_no_formulae():
    """matplotlib writes powers of ten as formulae, which would be shown as they are written."""
    table = pd.DataFrame({"second": np.arange(40) / 10})
    table["exact_start_db"], table["same_start_db"] = (
        np.linspace(1, 3, 40),
        np.linspace(0.4, 0.9, 40),
    )
    with plt.rc_context():
        style.use()
        ax = plots.segments.transform_difference(table)
        style.render(ax.figure, io.BytesIO(), format="png")
        texts = [text.get_text() for text in ax.figure.findobj(plt.Text)]
        assert "1" in texts and not [text for text in texts if "$" in text]
        plt.close(ax.figure)


# ---- pages and tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_data_of_a_view_come_back_and_end_no_script(name: str):
    text = js.embedded({"title": name})
    assert json.loads(text) == {"title": name}
    text.encode("utf-8")
    assert not set("<>&\u2028\u2029") & set(text)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_in_a_notebook_holds_names_as_text(name: str):
    rows = pd.DataFrame(
        {name or "column": [name, "b"], "share": [0.5, None]}, index=[name or "row", "other"]
    )
    page = table_view(rows, precision=2, na_rep="–", index=True).to_html()
    page.encode("utf-8")
    assert escaped(name).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    assert not re.search(r"<(script|b|svg)\b", page) and "tex2jax_ignore" in page


def test_notebooks_show_tables_through_the_one_door():
    root = Path(style.__file__).parents[2] / "notebooks"
    cells = [cell.source for path in root.rglob("*.ipynb") for cell in nbformat.read(path, as_version=4).cells
             if cell.cell_type == "code"]  # fmt: skip
    assert sum("table_view(" in cell for cell in cells) > 10
    assert not [cell for cell in cells if re.search(r"\.style\b|to_html\(|\bHTML\(", cell)]


def test_html_is_escaped_in_one_place():
    """Pages of runs (report, export, sanitizer) look after themselves; every view and player goes through `names.escaped`."""
    views = [
        path
        for path in Path(style.__file__).parent.glob("*.py")
        if not path.name.startswith(("report", "export", "sanitizer"))
    ]
    assert [
        path.name for path in views if re.search(r"html\.escape\(", path.read_text("utf-8"))
    ] == ["names.py"]


def _renamed(stand: Any, name: str) -> Any:
    clips = [dataclasses.replace(clip, clip_id=f"{at}{name}", title=name, artist=name) for at, clip in
             enumerate(stand.corpus.clips)]  # fmt: skip
    stand.corpus = dataclasses.replace(
        stand.corpus, clips=tuple(clips), truth=None, name=name, title=name
    )
    return stand


def _explorer(folder: Path, name: str) -> str:
    return segment_explorer.SegmentExplorer(
        _renamed(fold_stub.segments(folder, truth=False), name), clip=1
    ).to_html(clips=[1])


def _inspector(folder: Path, name: str) -> str:
    stand = fold_stub.songs(folder)
    clips = tuple(dataclasses.replace(clip, title=name, artist=name) for clip in stand.corpus.clips)
    stand.corpus = dataclasses.replace(stand.corpus, clips=clips, name=name, title=name)
    return song_inspector.SongInspector(stand, 0).to_html(sounds=[])


def _noise_lab(folder: Path, name: str) -> str:
    return noise_labs.make_lab(folder, title=name).to_html(sounds=0)


def _mixup_deck(_: Path, name: str) -> str:
    mels = tuple(np.full((40, 128), level, dtype=np.float32) for level in (-20.0, 0.0))
    return objectives.MixupDeck(
        mels, None, np.eye(4)[:2], (name, name), TASKS["quadrant"]
    ).to_html()


def _dropout_pairs(_: Path, name: str) -> str:
    return objectives.DropoutPairs(
        np.array([[[0.8, 0.2], [0.5, 0.5]]]), [name], ("V-", "V+")
    ).to_html()


ALL_IN_ONE = (
    '</script><script>alert(1)</script><img src=x onerror=alert(1)> "q" $a$$ \\frac{ \n\0\udce9\u2028 {0} %s'
    + " long" * 50
)


@pytest.mark.parametrize(
    "page_of", [_explorer, _inspector, _noise_lab, _mixup_deck, _dropout_pairs]
)
def test_every_view_holds_any_name(tmp_path: Path, page_of: Callable[[Path, str], str]):
    for folder in ("odd", "plain"):
        (tmp_path / folder).mkdir()
    page, ordinary = page_of(tmp_path / "odd", ALL_IN_ONE), page_of(tmp_path / "plain", "a name")
    page.encode("utf-8")
    for tag in ("<script", "</script", "<img", "<svg", "<h1"):
        assert page.count(tag) == ordinary.count(tag)
    held = re.findall(
        r"<script type=.application/json. data-mer-data>(.*?)</script>", page, re.DOTALL
    )
    assert "alert(1)" in "".join(str(json.loads(text)) for text in held) + page
