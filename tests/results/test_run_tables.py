"""Tables for a paper: every name stays inside its cell, whatever it holds."""

from __future__ import annotations

import html
from pathlib import Path

import pandas as pd
import pytest

from mer_kit.pages import report
from mer_kit.results import runs_table, tables
from mer_kit.runs.config import as_dictionary
from mer_kit.runs.presets import resolve
from mer_kit.runs.run_folder import write_json
from mer_kit.signal.frontends import musicnn

HOSTILE = [
    r"\input{/etc/passwd}", "a & b % $x$ #1 _ ^ ~ {}", "a|b\n| c |", "<script>",
    "{{ 7*7 }} {% raw %}", "`x`", "0012", "1e5",
]  # fmt: skip


@pytest.mark.parametrize("escape", [None, "html"])
def test_latex_has_one_line_for_each_row_and_no_live_character(escape: str | None) -> None:
    with pd.option_context("styler.format.escape", escape):  # "html" is what notebooks set
        _check_latex()


def _check_latex() -> None:
    table = pd.DataFrame({"name": HOSTILE, "songs": "50.0 ± 1.0"})
    lines = tables.latex(table).splitlines()
    assert lines[0] == r"\begin{tabular}{lr}" and lines[-1] == r"\end{tabular}"
    rows = lines[4:-2]
    assert rows == [rf"{tables.latex_cell(name)} & 50.0 $\pm$ 1.0 \\" for name in HOSTILE]
    assert not any(command in row for row in rows for command in (r"\input", "{{", "%}"))
    assert tables.latex(table.iloc[:0]).splitlines()[1:4] == [
        r"\toprule",
        r"name & songs \\",
        r"\midrule",
    ]


def test_markdown_has_one_line_for_each_row_and_numbers_as_they_are() -> None:
    table = pd.DataFrame({"na|me": HOSTILE, "songs": "76.50"})
    head, _, *rows = tables.markdown(table).splitlines()
    assert [row.replace(r"\|", "").count("|") for row in (head, *rows)] == [3] * (1 + len(HOSTILE))
    cells = [row.split(" | ")[0].removeprefix("| ").rstrip() for row in rows]
    assert cells == [tables.markdown_cell(name) for name in HOSTILE]
    assert all("76.50" in row for row in rows) and "<script>" not in tables.markdown(table)


def test_runs_on_musicnn_say_what_its_weights_have_heard(tmp_path: Path) -> None:
    for method, frontend in (("ce", "musicnn"), ("sssl", "musicnn"), ("mixup", "logmel")):
        config = resolve(corpus="4q", method=method, preset="embedding", frontend=frontend)
        run = tmp_path / f"4q-{method}"
        run.mkdir()
        write_json(run / "config.json", {**as_dictionary(config), "fingerprint": method})
    results = runs_table.collect(tmp_path)
    assert sorted(results["frontend"]) == ["logmel", "musicnn", "musicnn"]
    said = f"{musicnn.NOTE}."
    assert runs_table.frontend_notes(results) == [said]
    page = html.unescape(report.write(tmp_path).read_text("utf-8"))
    assert page.count(said) == 1 and (tmp_path / "results.md").read_text("utf-8").endswith(
        f"{said}\n"
    )
    assert runs_table.frontend_notes(results[results["frontend"] == "logmel"]) == []
