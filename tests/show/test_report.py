"""The results page: offline, complete, honest about what failed."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mer_kit.checks import MerKitError
from mer_kit.runs.archive import write_json
from mer_kit.runs.presets import resolve
from mer_kit.show import export, readme_figures, report, style


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.alts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.found += [str(values[name]) for name in ("src", "href") if values.get(name)]
        if tag == "img":
            self.alts.append(values.get("alt"))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with one failed run that left a figure and an executed notebook."""
    run = tmp_path / "demo-quadrant-3s-sssl-0123456789"
    config = resolve(corpus="demo", preset="smoke", folds=2)
    write_json(
        run / "config.json", {**vars(config), "fingerprint": "0123456789", "corpus_checksum": "x", "skipped": []}
    )
    write_json(run / "status.json", {"state": "failed", "message": "the <network> burst"})
    figure, ax = plt.subplots()
    ax.plot([0, 1])
    style.save_figure(figure, run / "figures" / "loss", alt="A line that rises from 0 to 1", formats=("png",))
    plt.close(figure)
    book = new_notebook(cells=[new_markdown_cell("Energy $E = m c^2$ and `$HOME`"), new_code_cell("1")])
    (run / "notebooks").mkdir()
    nbformat.write(book, run / "notebooks" / "01_segmentation.ipynb")
    return tmp_path


def parsed(page: Path) -> Links:
    links = Links()
    links.feed(page.read_text("utf-8"))
    return links


def test_every_link_of_the_page_leads_to_a_file_beside_it(runs: Path) -> None:
    links = parsed(report.write(runs))
    outside = [link for link in links.found if re.match(r"[a-z]+:|//", link)]
    assert outside == []
    for link in links.found:
        if not link.startswith("#"):
            assert (runs / link).exists(), link
    assert links.alts == ["A line that rises from 0 to 1"]


def test_a_failed_run_is_named_with_its_reason_escaped(runs: Path) -> None:
    text = report.write(runs).read_text("utf-8")
    assert "the &lt;network&gt; burst" in text and "<network>" not in text
    assert "failed" in (runs / "results.csv").read_text("utf-8")


def test_a_damaged_copy_is_named_and_the_page_is_still_written(runs: Path, caplog: pytest.LogCaptureFixture) -> None:
    book = next(runs.glob("demo-*/notebooks")) / "00_start_here.ipynb"
    for damaged in ("{torn", "[]", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'):
        book.write_text(damaged)
        assert report.write(runs).exists()
        assert "00_start_here.ipynb" in caplog.text and "run it again" in caplog.text
        caplog.clear()


def test_exported_notebooks_have_no_script_and_formulae_as_mathml(runs: Path) -> None:
    report.write(runs)
    text = next(runs.glob("*/notebooks/*.html")).read_text("utf-8")
    assert "<script" not in text.lower()
    assert not re.search(r"(src|href)=[\"']https?:", text)
    assert "<math" in text and "$E = m" not in text and "$HOME" in text


@pytest.mark.parametrize("text", ["no formula", "costs 5 $ and 6 $", r"an escaped \$x\$", "`$a$`", "```\n$a$\n```"])
def test_what_is_no_formula_stays(text: str) -> None:
    assert export.mathml(text) == text


def test_figure_bytes_repeat_and_need_alt_text(tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        style.use()
        figure, ax = plt.subplots()
        ax.plot([0, 2, 1], label="x")
        written.append(style.save_figure(figure, tmp_path / name, alt="Three points"))
        plt.close(figure)
    for kind in ("svg", "png", "pdf"):
        assert written[0][kind].read_bytes() == written[1][kind].read_bytes(), kind
    assert report.alt_text(written[0]["png"]) == "Three points"
    with pytest.raises(MerKitError, match="no alt text"):
        style.save_figure(figure, tmp_path / "c", alt=" ")


def test_every_class_has_a_colour_and_line_style_of_its_own() -> None:
    for task in (("Q1", "Q2", "Q3", "Q4"), ("V-", "V+"), ("A-", "A+")):
        looks = [style.LOOK[name] for name in task]
        assert len({colour for colour, _ in looks}) == len({line for _, line in looks}) == len(task)


def test_readme_figures_without_a_demo_run_say_what_to_do(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(MerKitError, match="mer-kit demo"):
        readme_figures.write(runs, tmp_path)


def test_readme_figures_come_from_the_newest_demo_run(tmp_path: Path) -> None:
    config = {**vars(resolve(corpus="demo", preset="demo")), "fingerprint": "x"}
    runs, out = tmp_path / "runs", tmp_path / "figures"
    for age, name in enumerate(("old", "new")):
        run = runs / f"demo-quadrant-3s-sssl-{name}"
        write_json(run / "config.json", config)
        write_json(run / "status.json", {"state": "done"})
        os.utime(run / "status.json", (1000 + age, 1000 + age))
        for source in readme_figures.FIGURES.values():
            for ending in ("png", "svg"):
                path = run / f"{source}.{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(name)
    with pytest.raises(MerKitError, match="no figure flow.png"):
        readme_figures.write(runs, out)
    for ending in ("png", "svg"):
        (runs / "figures").mkdir(exist_ok=True)
        (runs / "figures" / f"flow.{ending}").write_text("flow")
    assert len(readme_figures.write(runs, out)) == 2 * (len(readme_figures.FIGURES) + 1)
    assert (out / "emotion_curve.png").read_text() == "new"
