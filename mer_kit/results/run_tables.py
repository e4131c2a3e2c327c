"""Tables of runs for a text: Markdown and LaTeX, every row with the mark of its run.

Notebook: 06_results
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import mer_kit
from mer_kit.files import writing
from mer_kit.results.tables import markdown, percent


def run_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of `results.runs_table.collect` as a table of text for a paper: one row a run, with its provenance.

    Percent, mean ± sd over folds (n − 1). Columns: corpus, task, s, method, seed, folds, songs, songs F1 (macro),
    segments, majority, run (the fingerprint).
    """
    rows = []
    for row in results[results["song_accuracy_mean"].notna()].to_dict("records"):
        about = {
            "corpus": row["corpus"],
            "task": row["task"],
            "s": f"{row['segment_seconds']:g}",
            "method": row["method"],
        }
        scores = {
            title: percent(row[f"{name}_mean"], row.get(f"{name}_sd", float("nan")))
            for title, name in (
                ("songs", "song_accuracy"), ("songs F1", "song_macro_f1"), ("segments", "segment_accuracy"),
                ("majority", "majority_accuracy"),
            )
        }  # fmt: skip
        counts = {
            "seed": str(int(row["seed"])),
            "folds": f"{int(row['folds_done'])} of {int(row['folds'])}",
        }
        rows.append({**about, **counts, **scores, "run": row["fingerprint"]})
    names = [
        "corpus",
        "task",
        "s",
        "method",
        "seed",
        "folds",
        "songs",
        "songs F1",
        "segments",
        "majority",
        "run",
    ]
    return pd.DataFrame(rows, columns=names)


_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "#": r"\#", "~": r"\textasciitilde{}", "&": r"\&",
    "^": r"\textasciicircum{}", "%": r"\%", "_": r"\_", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "±": r"$\pm$", "−": "$-$", '"': r"\textquotedbl{}",
})  # fmt: skip


def latex_cell(text: str) -> str:
    r"""Return a text as one cell of a LaTeX table: every special character escaped, on one line.

    Examples
    --------
    >>> latex_cell("50 % of\n{a_b}")
    '50 \\% of \\{a\\_b\\}'
    """
    return " ".join(text.split()).translate(_LATEX)


def write_run_table(results: pd.DataFrame, folder: Path) -> list[Path]:
    """Write `results.md` and `results.tex` into a folder: the table of `run_table` and a line that says what it is."""
    table = run_table(results)
    note = (
        f"Percent; mean ± sd over folds (n − 1) of the SVM's answers for whole songs; F1 is macro-F1. mer-kit "
        f"{mer_kit.__version__}; a run's settings stand in its folder's config.json, found by its mark in the last column."
    )
    table.attrs["note"] = note
    body = [
        " & ".join(map(latex_cell, map(str, row))) + r" \\" for row in table.to_numpy().tolist()
    ]
    latex = "\n".join(
        [r"% needs \usepackage{booktabs}", rf"\begin{{tabular}}{{{'l' * 4}rr{'r' * 4}l}}", r"\toprule",
         " & ".join(table.columns) + r" \\", r"\midrule", *body, r"\bottomrule", r"\end{tabular}",
         "% " + note, ""]
    )  # fmt: skip
    written = []
    for name, text in (("results.md", markdown(table) + "\n"), ("results.tex", latex)):
        with writing(folder / name) as partial:
            partial.write_text(text, "utf-8")
        written.append(folder / name)
    return written
