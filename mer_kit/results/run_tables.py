"""Tables of runs for a paper, in Markdown and LaTeX, every row with its run's fingerprint.

Notebook: 06_results
"""

from pathlib import Path

import pandas as pd

import mer_kit
from mer_kit.files import writing
from mer_kit.format import percent
from mer_kit.results.tables import markdown

#: Column of the table → its score in `results.runs_table.collect`.
_SCORES = {
    "songs": "song_accuracy",
    "songs F1": "song_macro_f1",
    "segments": "segment_accuracy",
    "majority": "majority_accuracy",
}
_SETTINGS = ["corpus", "task", "s", "method", "seed", "folds"]
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "#": r"\#",
        "~": r"\textasciitilde{}",
        "&": r"\&",
        "^": r"\textasciicircum{}",
        "%": r"\%",
        "_": r"\_",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        "−": "$-$",
        '"': r"\textquotedbl{}",
    }
)


def run_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of `results.runs_table.collect` as a text table: one row per run.

    Percent, mean ± sd over folds (n − 1). Columns: corpus, task, s, method, seed, folds, songs,
    songs F1 (macro), segments, majority, run (the fingerprint).

    Examples
    --------
    >>> from mer_kit.results.runs_table import COLUMNS
    >>> run_table(pd.DataFrame(columns=list(COLUMNS))).columns[-2:].tolist()
    ['majority', 'run']
    """
    rows = []
    for run in results[results["song_accuracy_mean"].notna()].to_dict("records"):
        row = {name: run[name] for name in ("corpus", "task", "method")}
        row |= {"s": f"{run['segment_seconds']:g}", "seed": str(int(run["seed"]))}
        row["folds"] = f"{int(run['folds_done'])} of {int(run['folds'])}"
        for title, name in _SCORES.items():
            row[title] = percent(run[f"{name}_mean"], run.get(f"{name}_sd", float("nan")))
        rows.append({**row, "run": run["fingerprint"]})
    return pd.DataFrame(rows, columns=[*_SETTINGS, *_SCORES, "run"])


def latex_cell(text: str) -> str:
    r"""Return a text as one cell of a LaTeX table: every special character escaped, on one line.

    Examples
    --------
    >>> latex_cell("50 % of\n{a_b}")
    '50 \\% of \\{a\\_b\\}'
    """
    return " ".join(text.split()).translate(_LATEX)


def latex(table: pd.DataFrame) -> str:
    r"""Return a table of text as a LaTeX tabular for booktabs, every cell escaped.

    Examples
    --------
    >>> print(latex(pd.DataFrame({"method": ["a_b"], "songs": ["50 %"]})))
    \begin{tabular}{lr}
    \toprule
    method & songs \\
    \midrule
    a\_b & 50 \% \\
    \bottomrule
    \end{tabular}
    """
    safe = table.astype(str).map(latex_cell).rename(columns=latex_cell)
    columns = "".join("r" if name in ("seed", "folds", *_SCORES) else "l" for name in table)
    # Notebooks escape tables for HTML by an option of pandas; here the cells are safe already.
    with pd.option_context("styler.format.escape", None):
        view = safe.style.hide(axis="index")
        text: str = view.to_latex(hrules=True, column_format=columns)
    return text.rstrip("\n")


def write_run_table(results: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the table of `run_table` and a note as `results.md` and `results.tex` into a folder."""
    table = run_table(results)
    note = (
        "Percent; mean ± sd over folds (n − 1) of the SVM's answers for whole songs; F1 is "
        f"macro-F1. mer-kit {mer_kit.__version__}; a run's settings are in its folder's "
        "config.json, found by its fingerprint in the last column."
    )
    table.attrs["note"] = note
    texts = {
        "results.md": markdown(table),
        "results.tex": f"% needs \\usepackage{{booktabs}}\n{latex(table)}\n% {note}",
    }
    for name, text in texts.items():
        with writing(folder / name) as partial:
            partial.write_text(text + "\n", "utf-8")
    return [folder / name for name in texts]
