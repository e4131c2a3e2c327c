"""The results page: offline, complete, honest about what failed."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mer_kit.checks import MerKitError
from mer_kit.files import write_table
from mer_kit.pages import export, overview, report
from mer_kit.plots import style
from mer_kit.results import paper, runs_table
from mer_kit.results.copies import compare_copies
from mer_kit.runs.config import RunConfig, as_dictionary
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import write_json
from mer_kit.views import html_fragments
from tools import readme_figures


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
        run / "config.json",
        {
            **as_dictionary(config),
            "fingerprint": "0123456789",
            "corpus_checksum": "x",
            "skipped": [],
        },
    )
    write_json(run / "status.json", {"state": "failed", "message": "the <network> burst"})
    figure, ax = plt.subplots()
    ax.plot([0, 1])
    style.save_figure(
        figure, run / "figures" / "loss", alt="A line that rises from 0 to 1", formats=("png",)
    )
    plt.close(figure)
    book = new_notebook(
        cells=[new_markdown_cell("Energy $E = m c^2$ and `$HOME`"), new_code_cell("1")]
    )
    (run / "notebooks").mkdir()
    nbformat.write(book, run / "notebooks" / "01_segmentation.ipynb")
    return tmp_path


def finished_run(folder: Path, config: RunConfig, accuracy: dict[int, float]) -> None:
    """Write what a finished run leaves: every score of a fold is its accuracy."""
    write_json(
        folder / "config.json",
        {**as_dictionary(config), "fingerprint": folder.name, "corpus_checksum": "x"},
    )
    folds = []
    for k, value in accuracy.items():
        scores = {"accuracy": value, "macro_f1": value, "weighted_f1": value}
        songs = dict.fromkeys(("svm", "mean", "vote", "run_length"), scores)
        about = {"fold": k, "n_train": 3, "n_test": 3, "segments": scores, "majority": scores}
        folds.append({**about, "songs": songs})
    summary = {"n_songs": 3, "seconds": 60.0, "pooled": songs}
    write_json(folder / "metrics.json", {"folds": folds, "summary": summary})
    write_json(folder / "status.json", {"state": "done"})


def parsed(page: Path) -> Links:
    links = Links()
    links.feed(page.read_text("utf-8"))
    return links


def test_every_link_of_the_page_leads_to_a_file_next_to_it(runs: Path) -> None:
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


def test_a_failed_notebook_shows_its_message_and_last_lines(runs: Path) -> None:
    run = next(runs.glob("demo-*"))
    status = {
        "state": "failed",
        "message": "cell 4 raised ValueError: <torn>",
        "log": ["epoch 7 & on", "ValueError: <torn>"],
    }
    write_json(run / "folds" / "1" / "03_sssl_training.status.json", status)
    text = report.write(runs).read_text("utf-8")
    assert (
        "03_sssl_training fold 1: cell 4 raised ValueError: &lt;torn&gt;</p><pre>epoch 7 &amp; on\nValueError: &lt;torn&gt;</pre>"
        in text
    )
    row = pd.read_csv(runs / "results.csv").iloc[0]
    assert row["status"] == "failed" and "03_sssl_training fold 1" in row["reason"]
    write_json(run / "folds" / "1" / "03_sssl_training.status.json", {"state": "done"})
    assert "<pre>" not in report.write(runs).read_text("utf-8")


def test_table_1_and_the_durations_are_next_to_the_papers(tmp_path: Path) -> None:
    for seconds, seed, accuracy in ((1, 0, 0.5), (3, 0, 0.6), (3, 1, 0.8)):
        run = tmp_path / f"4q-valence-{seconds}s-ce-{seed}"
        finished_run(
            run,
            resolve(corpus="4q", task="valence", segment_seconds=seconds, method="ce", seed=seed),
            {0: accuracy},
        )
        table = paper.table1([30.0] * 900, 900, "4q", (1, 3))
        write_table(run / "figures" / "01-table1.csv", table)
    torn = tmp_path / "torn"  # a run whose files are odd takes only its own pictures away
    finished_run(torn, resolve(corpus="demo", folds=2), {0: 0.5})
    write_table(torn / "figures" / "01-table1.csv", pd.DataFrame({"no": [1]}))
    (torn / "figures" / "loss.png").write_text("no picture")
    page = report.write(tmp_path).read_text("utf-8")
    assert (
        page.index("Table 1")
        < page.index("Table 2")
        < page.index("Table 3")
        < page.index("Accuracy against segment duration")
    )
    assert (
        page.count("25135") == 1 and "<td>25200</td>" in page
    )  # the paper's and ours, once a corpus
    drawn = pd.read_csv(tmp_path / "figures" / "duration-4q-valence.csv")
    assert drawn["song_accuracy_mean"].tolist() == [0.5, 0.6, 0.8]
    for kind in ("svg", "pdf", "png", "csv"):
        assert (
            f"figures/duration-4q-valence.{kind}" in page
            and (tmp_path / "figures" / f"duration-4q-valence.{kind}").exists()
        )


def test_a_damaged_copy_is_named_and_the_page_is_still_written(
    runs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = next(runs.glob("demo-*/notebooks")) / "00_start_here.ipynb"
    for damaged in (
        "{torn",
        "[]",
        '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    ):
        book.write_text(damaged)
        assert report.write(runs).exists()
        assert "00_start_here.ipynb" in caplog.text and "run it again" in caplog.text
        caplog.clear()


def test_a_curve_with_a_player_can_be_heard_in_the_page(runs: Path) -> None:
    run = next(runs.glob("demo-*"))
    assert "<iframe" not in report.write(runs).read_text("utf-8")
    (run / "figures" / "loss.html").write_text("<p>a page from elsewhere</p>")
    assert "<iframe" not in report.write(runs).read_text("utf-8"), "only pages of ours are framed"
    view = html_fragments.fragment("player", {"title": "song"}, "<p>the curve</p>")
    (run / "figures" / "loss.html").write_text(html_fragments.page("song", f"{view}\n"))
    page = report.write(runs)
    assert page.read_text("utf-8").count('<iframe loading="lazy" sandbox="allow-scripts"') == 1
    link = f"{run.name}/figures/loss.html"
    assert parsed(page).found.count(link) == 2 and (runs / link).exists()


def test_exported_notebooks_have_no_script_and_formulae_as_mathml(runs: Path) -> None:
    report.write(runs)
    text = next(runs.glob("*/notebooks/*.html")).read_text("utf-8")
    assert "<script" not in text.lower()
    assert not re.search(r"(src|href)=[\"']https?:", text)
    assert "<math" in text and "$E = m" not in text and "$HOME" in text


@pytest.mark.parametrize(
    "text", ["no formula", "costs 5 $ and 6 $", r"an escaped \$x\$", "`$a$`", "```\n$a$\n```"]
)
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
    config = {**as_dictionary(resolve(corpus="demo", preset="demo")), "fingerprint": "x"}
    runs, out = tmp_path / "runs", tmp_path / "figures"
    for age, name in enumerate(("old", "new")):
        run = runs / f"demo-quadrant-3s-sssl-{name}"
        write_json(run / "config.json", config)
        write_json(run / "status.json", {"state": "done"})
        os.utime(run / "status.json", (1000 + age, 1000 + age))
        for source in readme_figures.FIGURES.values():
            for ending in ("png", "svg", "pdf"):
                path = run / f"{source}.{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(name)
    with pytest.raises(MerKitError, match="no figure flow.png"):
        readme_figures.write(runs, out)
    (runs / "figures").mkdir(exist_ok=True)
    for source in readme_figures.SHARED.values():
        for ending in ("png", "svg", "pdf"):
            (runs / "figures" / f"{source}.{ending}").write_text(source)
    (runs / "figures" / "duration-demo-quadrant.csv").write_text("1")
    assert (
        len(readme_figures.write(runs, out))
        == 3 * (len(readme_figures.FIGURES) + len(readme_figures.SHARED)) + 1
    )
    assert (out / "emotion_curve.png").read_text() == "new"


def test_folders_of_two_machines_become_one_page_and_differences_are_reported(
    tmp_path: Path,
) -> None:
    def run(place: str, name: str, **accuracy: float) -> None:
        config = resolve(corpus="demo", preset="smoke", folds=2)
        finished_run(
            tmp_path / place / name, config, {int(k[1:]): value for k, value in accuracy.items()}
        )

    run("a", "same", f0=0.5, f1=0.75)
    run("b", "same", f0=0.5)
    run("a", "other", f0=0.5)
    run("b", "other", f0=0.625, f1=0.5)
    run("b", "alone", f0=0.25)
    page = report.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c").read_text("utf-8")
    table = pd.read_csv(tmp_path / "c" / "results.csv").set_index("folder")
    assert table["folds_done"].to_dict() == {
        "alone": 1,
        "other": 2,
        "same": 2,
    }  # where most folds are
    run("d", "same", f1=0.75)
    run("e", "same", f0=0.5)
    apart = compare_copies(runs_table.collect([tmp_path / "d", tmp_path / "e"]))
    assert apart["says"].tolist() == ["no fold in common"]
    assert (
        "Runs in several places" in page
        and "fold 0: accuracy 0.5000 or 0.6250" in page
        and "the same" in page
    )
    for name in ("results.md", "results.tex"):
        text = (tmp_path / "c" / name).read_text("utf-8")
        assert (
            text.count("other") == 1
            and "56.2" in text
            and "macro-F1" in text
            and str(tmp_path) not in text
        )
    odd = tmp_path / "lab #1 50%"
    (tmp_path / "b").rename(odd)
    (odd / "alone" / "notebooks").mkdir()
    nbformat.write(new_notebook(), odd / "alone" / "notebooks" / "01_segmentation.ipynb")
    report.merge([odd], tmp_path / "c")
    link = next(
        link
        for link in parsed(tmp_path / "c" / "index.html").found
        if link.endswith("01_segmentation.html")
    )
    assert "#" not in link and (tmp_path / "c" / unquote(link)).exists()
    alone = report.merge([tmp_path / "a"], tmp_path / "a").read_text("utf-8")
    assert "Runs in several places" not in alone and alone.count("<circle") == 3


def test_the_table_sorts_by_numbers_and_says_each_fold() -> None:
    spark = overview.sparkline(np.array([0.5, 1.0]), 0.25)
    assert (
        "accuracy of the folds: 50.0 %, 100.0 %; majority 25.0 %" in spark
        and spark.count("<circle") == 2
    )
    row = {
        "folder": "a<b", "corpus": "demo", "task": "quadrant", "segment_seconds": 3.0, "method": "ce", "seed": 0,
        "status": "failed", "song_accuracy_mean": 0.5, "song_accuracy_sd": 0.1, "folds_done": 1, "folds": 2,
    }  # fmt: skip
    table = overview.overview([row], pd.DataFrame())
    assert (
        'data-value="0.5"' in table
        and "a&lt;b" in table
        and 'class="failed"' in table
        and 'id="filter"' in table
    )


def test_names_in_another_encoding_are_linked_by_their_bytes(runs: Path) -> None:
    (run,) = [path for path in runs.iterdir() if path.is_dir()]
    odd = os.fsencode(run) + b"-caf\xe9"
    os.rename(run, odd)
    os.rename(odd + b"/figures/loss.png", odd + b"/figures/l\xe9sion \x1b[2J.png")
    book = odd + b"/notebooks/01_\xe9.ipynb"
    os.rename(odd + b"/notebooks/01_segmentation.ipynb", book)
    page = report.write(runs).read_text("utf-8")
    links = Links()
    links.feed(page)
    found = [
        os.fsencode(runs) + b"/" + unquote_to_bytes(link) for link in links.found if link[0] != "#"
    ]
    assert {odd + b"/figures/l\xe9sion \x1b[2J.png", book.replace(b".ipynb", b".html")} <= set(
        found
    )
    assert all(os.path.exists(link) for link in found) and all(
        str(alt).isprintable() for alt in links.alts
    )


def test_a_link_to_a_run_elsewhere_is_named_and_nothing_is_written_there(
    runs: Path, tmp_path: Path
) -> None:
    (run,) = [path for path in runs.iterdir() if path.is_dir()]
    elsewhere, linked = tmp_path / "private" / "run", tmp_path / "runs"
    linked.mkdir()
    elsewhere.parent.mkdir()
    run.rename(elsewhere)
    (linked / "demo-linked").symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    page = report.write(linked).read_text("utf-8")
    assert (
        "demo-linked" in page
        and "it is a link to another folder" in page
        and "A line that rises" not in page
    )
    assert {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()} == before


def test_backups_among_the_folds_are_neither_exported_nor_linked(runs: Path) -> None:
    (run,) = [path for path in runs.iterdir() if path.is_dir()]
    for name in ("0", "0.bak", "0 (copy)"):
        (run / "folds" / name).mkdir(parents=True)
        nbformat.write(new_notebook(), run / "folds" / name / "03_sssl_training.ipynb")
    page = report.write(runs).read_text("utf-8")
    assert "03_sssl_training (fold 0)" in page and "0.bak" not in page and "(copy)" not in page
    assert [path.parent.name for path in run.glob("folds/*/*.html")] == ["0"]
