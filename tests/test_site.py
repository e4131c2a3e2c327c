"""The static site: which run it shows, what it gathers, how pages and functions are tied, and that it is whole offline."""

from __future__ import annotations

import doctest
import json
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mer_kit.batch import planning
from mer_kit.checks import MerKitError
from tests import small_site
from tests.small_site import ROOT, tool

api = tool.site_api


def _run(
    folder: Path,
    name: str,
    *,
    corpus: str = "demo",
    state: str = "done",
    folds: tuple[int, ...] = (0,),
) -> Path:
    """Write a run folder whose notebooks are executed (or, with another state, the last of them is not)."""
    run = folder / name
    parameters = (
        "# Parameters\nfolds = 2\ntask = 'quadrant'\nruns_dir = ''\noverrides = {'tau': 0.3}"
    )
    cells = [
        new_code_cell(parameters, metadata={"tags": ["injected-parameters"]}),
        new_markdown_cell("# A title"),
    ]
    homes = [
        run / "notebooks" / f"{stem}.ipynb"
        for stem in planning.NOTEBOOKS
        if not stem.startswith("03")
    ]
    homes += [run / "folds" / str(k) / "03_sssl_training.ipynb" for k in folds]
    for home in homes:
        home.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=cells), home)
        done = state if home == homes[-1] else "done"
        home.with_suffix(".status.json").write_text(json.dumps({"state": done}), "utf-8")
    for k in folds:
        for file in ("history.csv", "epochs.npz", "model.safetensors", "segments.csv"):
            (run / "folds" / str(k) / file).touch()
        (run / "folds" / str(k) / "status.json").write_text('{"state": "done"}', "utf-8")
    config: dict[str, object] = {
        "corpus": corpus,
        "task": "quadrant",
        "segment_seconds": 3.0,
        "method": "sssl",
    }
    config |= {"preset": "smoke", "folds": 2, "seed": 0}
    (run / "config.json").write_text(json.dumps(config), "utf-8")
    (run / "status.json").write_text('{"state": "done"}', "utf-8")
    return run


# ---- the run -----------------------------------------------------------------------------------------------------


def test_the_newest_whole_run_of_the_demo_corpus_is_shown(tmp_path: Path) -> None:
    for age, run in enumerate(
        (
            _run(tmp_path, "other", corpus="4q"),
            _run(tmp_path, "torn", state="failed"),
            _run(tmp_path, "new"),
            _run(tmp_path, "old"),
        )
    ):
        os.utime(run / "status.json", (1e9 - age, 1e9 - age))
    assert tool.finished_run(tmp_path).path.name == "new"


def test_without_a_finished_run_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    _run(tmp_path, "torn", state="running")
    with pytest.raises(
        MerKitError,
        match="holds no finished demo run, expected one to show: say `mer-kit demo` first",
    ):
        tool.finished_run(tmp_path)
    assert tool.main(["--runs", str(tmp_path), "--out", str(tmp_path / "site")]) == 1


def test_notebook_03_stands_once_a_fold_and_leads_to_its_copies(tmp_path: Path) -> None:
    _run(tmp_path, "run", folds=(0, 2))
    books = tool.executed(tool.finished_run(tmp_path))
    assert [name for name in books if name.startswith("03")] == [
        "03_sssl_training",
        "03_sssl_training_fold2",
    ]
    assert len(books) == len(planning.NOTEBOOKS) + 1 and all(
        path.is_file() for path in books.values()
    )
    assert tool.fold_note("03_sssl_training", books) == (
        "*This copy looks at fold 0. The same notebook for [fold 2](03_sssl_training_fold2.ipynb).*"
    )
    assert tool.fold_note("02_noisy_labels", books) == ""


def test_solutions_get_the_runs_own_parameters_and_its_place(tmp_path: Path) -> None:
    _run(tmp_path / "runs", "run")
    run = tool.finished_run(tmp_path / "runs")
    jobs = {job.name: job for job in tool.jobs(run, tmp_path / "work")}
    assert len(jobs) == 4 + len(planning.NOTEBOOKS) and all(
        job.source.is_file() for job in jobs.values()
    )
    of_02 = jobs["02_noisy_labels_solutions"].parameters
    assert of_02 == {
        "folds": 2,
        "task": "quadrant",
        "overrides": {"tau": 0.3},
        "runs_dir": str((tmp_path / "runs").absolute()),
    }
    assert jobs["07_your_own_music"].parameters["runs_dir"] == str(tmp_path / "work" / "runs"), (
        "the demo's page stays"
    )
    assert "overrides" not in jobs["07_your_own_music"].parameters
    assert jobs["08_compare"].parameters == jobs["08_compare_solutions"].parameters
    assert "overrides" not in jobs["08_compare"].parameters, "its own front-end"


# ---- the code ----------------------------------------------------------------------------------------------------


@pytest.fixture
def kit(tmp_path: Path) -> api.Kit:
    """A package with one re-export, one private and three public names."""
    package = tmp_path / "mer_kit"
    (package / "training").mkdir(parents=True)
    (package / "__init__.py").write_text('"""A kit."""\n')
    (package / "training" / "__init__.py").write_text(
        '"""The method."""\nfrom mer_kit.training.losses import loss\n'
    )
    (package / "training" / "losses.py").write_text(
        '"""Losses. Notebook: 02_b"""\n\n'
        'def loss(x):\n    """Return the loss [n]. Source: Eq. (2). Notebook: 02_b, 03_c"""\n\n'
        "def _hidden():\n    pass\n\n"
        'class Split:\n    """X and U.\n\n    Notebook: 02_b\n    """\n\n    def swap(self):\n        """Swap\n        them."""\n'
    )
    return api.read(package)


def test_the_source_tells_names_sentences_and_notebooks(kit: api.Kit) -> None:
    assert kit.entries["mer_kit.training.losses.loss"] == api.Entry(
        "function", "Return the loss [n].", ("02_b", "03_c")
    )
    assert kit.entries["mer_kit.training.losses.Split.swap"] == api.Entry("method", "Swap them.")
    assert not any("_hidden" in name for name in kit.entries)
    assert kit.modules() == ["mer_kit.training.losses"]


def test_calls_are_found_through_aliases_re_exports_and_the_usual_variables(kit: api.Kit) -> None:
    cells = [
        new_code_cell(
            "from mer_kit.training import loss as cost\nfrom mer_kit.training import losses"
        ),
        new_code_cell("%matplotlib inline"),
        new_code_cell("y = losses.Split().swap()\nprint(cost(1), losses.nothing)"),
    ]
    assert kit.called(new_notebook(cells=cells)) == [
        "mer_kit.training.losses.Split",
        "mer_kit.training.losses.loss",
    ]
    real = api.read(ROOT / "mer_kit")
    cell = new_code_cell("kit.keep(figure)\nexperiment.train(fold)\npasses.partitions\nkit")
    assert real.called(new_notebook(cells=[cell])) == [
        "mer_kit.notebook.session.Session.keep",
        "mer_kit.runs.experiment.Experiment.train",
        "mer_kit.analysis.passes.Passes.partitions",
    ]


def test_a_notebook_ends_with_what_it_calls_and_what_was_written_for_it(kit: api.Kit) -> None:
    section = api.functions_section(kit, "02_b_fold1", ["mer_kit.training.losses.loss"])
    called, _, others = section.partition("Written for it, too:")
    assert (
        "{py:obj}`training.losses.loss <mer_kit.training.losses.loss>`: Return the loss [n]."
        in called
    )
    assert (
        "mer_kit.training.losses.Split" in others and "mer_kit.training.losses.loss" not in others
    )
    assert api.functions_section(kit, "00_a", []) == ""


def test_every_public_module_of_the_kit_has_a_page_and_every_room_a_place() -> None:
    real = api.read(ROOT / "mer_kit")
    pages = api.pages(real)
    rooms = {path.parent.name for path in (ROOT / "mer_kit").glob("*/__init__.py")}
    assert set(api.ROOMS) - {""} == rooms
    assert {f"api/{name.removeprefix('mer_kit.')}.rst" for name in real.modules()} <= set(pages)
    assert all(
        f"automodule:: {name}\n" in pages[f"api/{name.removeprefix('mer_kit.')}.rst"]
        for name in real.modules()
    )
    assert "## mer-kit run" in pages["commands.md"] and "--only-folds" in pages["commands.md"]


def test_every_notebook_calls_functions_of_the_kit_and_every_named_notebook_exists() -> None:
    real = api.read(ROOT / "mer_kit")
    stems = [path.stem for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert len(stems) >= 8
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert len(real.called(nbformat.read(path, as_version=4))) >= 5, path.stem
    assert {stem for entry in real.entries.values() for stem in entry.notebooks} <= set(stems)


# ---- the pages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "to", "wanted"),
    [
        ("[a](batch.md)", "", "[a](docs/batch.md)"),
        ("![b](../figures/x.png)", "", "![b](figures/x.png)"),
        ("[c](../notebooks/00.ipynb#top)", "", "[c](notebooks/00.ipynb#top)"),
        (
            "[d](#here) [e](mailto:x) [f](https://example.org/a)",
            "",
            "[d](#here) [e](mailto:x) [f](https://example.org/a)",
        ),
        ("[a](batch.md)", "docs", "[a](batch.md)"),
    ],
)
def test_links_still_lead_there_when_a_page_moves(text: str, to: str, wanted: str) -> None:
    assert tool.moved_links(text, to, "docs") == wanted


def test_the_examples_in_the_tools_docstrings_hold() -> None:
    result = doctest.testmod(tool)
    assert result.attempted >= 2 and result.failed == 0


def test_a_prepared_notebook_folds_its_parameters_away_and_keeps_the_original(
    tmp_path: Path,
) -> None:
    cell = new_code_cell("folds = 3", metadata={"tags": ["injected-parameters"]})
    book = new_notebook(
        cells=[new_markdown_cell("# T"), cell, new_markdown_cell("end", id="nav-bottom")],
        metadata={"widgets": {}},
    )
    page = tool.prepared(book, "## Functions", "")
    assert page.cells[1].metadata["tags"] == ["injected-parameters", "hide-input"]
    assert [c.source for c in page.cells[2:]] == ["## Functions", "end"]
    assert "widgets" not in page.metadata and "widgets" in book.metadata
    assert cell.metadata["tags"] == ["injected-parameters"] and len(book.cells) == 3


def test_what_a_page_would_fetch_is_found_and_what_it_only_links_to_is_not(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text(
        '<script src="https://a.example/x.js"></script><img alt="" src=//b.example/y.png>'
        '<link rel="stylesheet" href="http://c.example/z.css"><style>@import url(https://d.example/w.css)</style>'
    )
    (tmp_path / "good.html").write_text(
        '<a href="https://e.example">e</a><img src="data:image/png;base64,//AA"><script src="_static/a.js"></script>'
        '<link rel="canonical" href="https://f.example"><svg xmlns="http://www.w3.org/2000/svg"></svg>'
    )
    found = tool.outside_references(tmp_path)
    assert {page for page, _ in found} == {"bad.html"}
    assert {re.sub(r"^(https?:)?//(\w)\..*", r"\2", address) for _, address in found} == set("abcd")


def test_gathering_writes_only_what_changed_and_drops_what_is_gone(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    tool._write_all(pages, {pages / "a.md": "a", pages / "b.md": "b"})
    os.utime(pages / "a.md", (1, 1))
    tool._write_all(pages, {pages / "a.md": "a"})
    assert (pages / "a.md").stat().st_mtime == 1 and not (pages / "b.md").exists()


# ---- the built site ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip(
        "myst_nb", reason="the site is built by Sphinx and myst-nb: pip install -e '.[docs]'"
    )
    return small_site.build(
        tmp_path_factory.mktemp("small")
    )  # strict: a warning of Sphinx is an error


@pytest.mark.slow
def test_notebook_and_function_lead_to_each_other(site: Path) -> None:
    book = (site / "notebooks" / "03_sssl_training.html").read_text("utf-8")
    reference = (site / "api" / "training.objectives.html").read_text("utf-8")
    target = "../api/training.objectives.html#mer_kit.training.objectives.sharpen"
    assert 'id="mer_kit.training.objectives.sharpen"' in reference
    words, _, functions = book.partition('id="functions-of-this-notebook"')
    assert words.count(f'href="{target}"') == 1, "the name in the sentence"
    assert f'href="{target}"' in functions
    assert re.search(r'Notebook <a [^>]*href="../notebooks/03_sssl_training.html"', reference)
    assert 'href="../docs/glossary.html"' in book


@pytest.mark.slow
def test_formulae_are_mathml_and_docstrings_lead_to_their_equation(site: Path) -> None:
    book = (site / "notebooks" / "03_sssl_training.html").read_text("utf-8")
    assert "<msup>" in book and "MathJax" not in book
    assert ">training.objectives.sharpen</mtext>" in book
    assert 'href="../docs/formulae.html#eq-4"' in (
        site / "api" / "training.objectives.html"
    ).read_text("utf-8")
    assert 'id="eq-4"' in (site / "docs" / "formulae.html").read_text("utf-8")


@pytest.mark.slow
def test_the_site_fetches_nothing_and_its_search_is_a_file(site: Path) -> None:
    assert tool.outside_references(site) == []
    assert "temperatur" in (site / "searchindex.js").read_text("utf-8")
    texts = (site / "_static" / "page_texts.js").read_text("utf-8")
    words = json.loads(
        texts.removeprefix("window.PAGE_TEXTS = ").rstrip().rstrip(";").replace("<\\/", "</")
    )
    assert words["docs/glossary"].startswith(
        "Glossary Learning temperature The T of training.objectives.sharpen"
    )
    assert "require.js" not in "".join(path.read_text("utf-8") for path in site.rglob("*.html"))
