"""Tables of runs as text, Markdown and LaTeX: beneath the paper's rows, and on their own.

Notebook: 06_results
"""

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mer_kit import __version__, files
from mer_kit.format import UNKNOWN, duration, percent, short, with_noise
from mer_kit.results import costs, runs_table
from mer_kit.results.paper import paper_table
from mer_kit.systems import TITLES

NOTE = (
    "Percent. Ours: the SVM's answers for whole songs, mean ± sd over folds (n − 1; none for a "
    "single fold), F1 is macro-F1. The paper gives ten-fold means without spread and does not say "
    "which F1."
)


#: Column of the table → its score in `results.runs_table.collect`.
_SCORES = {
    "songs": "song_accuracy",
    "songs by mean": "compared_accuracy",
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


def table2(results: pd.DataFrame, *, every_run: bool = False) -> pd.DataFrame:
    """Return the paper's table 2 (accuracy and F1 by segment duration) as text, with our runs.

    One row per corpus, duration and source ("who"), ours beneath the paper's. Runs that differ
    only in their seed are combined. `attrs["note"]` explains the numbers. Without `every_run` the
    table is empty if no run is on a corpus and task of the paper's table.

    Parameters
    ----------
    results : from `results.runs_table.collect`
    every_run : all of the paper's rows, and our runs on other corpora too (the demo)

    Source: paper, table 2. Notebook: 06_results
    """
    tasks = ("valence", "arousal")
    paper = paper_table(2).assign(method="sssl")
    ours = results[results["song_accuracy_mean"].notna() & results["task"].isin(tasks)]
    if not every_run:
        known = pd.MultiIndex.from_frame(paper[["corpus", "task"]])
        ours = ours[pd.MultiIndex.from_frame(ours[["corpus", "task"]]).isin(known)]
        paper = paper[paper["corpus"].isin(ours["corpus"])]
    corpora = list(paper["corpus"].unique())

    def order(row: dict[str, Any]) -> tuple[Any, ...]:
        corpus = (_place(row["corpus"], corpora), row["corpus"])
        method = _place(row["key_method"], list(TITLES))
        return *corpus, row["key_seconds"], row["who"] != "paper", method, row["who"]

    scores = [f"{task} {score}" for task in tasks for score in ("acc.", "F1", "majority")]
    rows = sorted([*_paper_rows(paper), *_our_rows(ours)], key=order)
    columns = ["corpus", "segment (s)", "method", "who", *scores, "folds", *costs.TITLES.values()]
    table = pd.DataFrame(rows, columns=[*columns, "run"], dtype=object).fillna(UNKNOWN)
    table.attrs["note"] = " ".join([NOTE, costs.NOTE, *runs_table.frontend_notes(ours)])
    return table


def run_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of `results.runs_table.collect` as a text table: one row per run.

    Percent, mean ± sd over folds (n − 1). Columns: corpus, task, s, method, seed, folds, songs,
    mean (by `mean`, by which methods are compared), songs F1 (macro), segments, majority, the cost
    (`results.costs`), run (the fingerprint).

    Examples
    --------
    >>> from mer_kit.results.runs_table import COLUMNS
    >>> run_table(pd.DataFrame(columns=list(COLUMNS))).columns[-2:].tolist()
    ['epochs split', 'run']
    """
    rows = [
        {
            **run,
            "method": with_noise(str(run["method"]), run),
            "s": duration(run["segment_seconds"], ""),
            "seed": str(int(run["seed"])),
            "folds": f"{int(run['folds_done'])} of {int(run['folds'])}",
            **{
                title: percent(run[f"{name}_mean"], run.get(f"{name}_sd", float("nan")))
                for title, name in _SCORES.items()
            },
            **costs.texts(run),
            "run": run["fingerprint"],
        }
        for run in results[results["song_accuracy_mean"].notna()].to_dict("records")
    ]
    return pd.DataFrame(rows, columns=[*_SETTINGS, *_SCORES, *costs.TITLES.values(), "run"])


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown with its note beneath.

    Examples
    --------
    >>> print(markdown(pd.DataFrame({"corpus": ["4q"], "accuracy": ["76.5"]})))
    | corpus   | accuracy   |
    |:---------|:-----------|
    | 4q       | 76.5       |
    """
    safe = (
        table.astype(str).map(markdown_cell).rename(columns=lambda name: markdown_cell(str(name)))
    )
    text: str = safe.to_markdown(index=False, disable_numparse=True)
    note = table.attrs.get("note")
    return f"{text}\n\n{note}" if note else text


def markdown_cell(text: str) -> str:
    r"""Return a text as one cell of a Markdown table: no HTML, further column, code or line break.

    Examples
    --------
    >>> markdown_cell("a|b <i>c</i>\n`d`")
    'a\\|b &lt;i&gt;c&lt;/i&gt; \\`d\\`'
    """
    plain = html.escape(" ".join(text.split()), quote=False)
    marked = re.search(r"[|`<\[*]", text)
    return re.sub(r"([\\|`\[\]*_])" if marked else r"(\\)", r"\\\1", plain)


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
    columns = "".join(
        "r" if name in ("seed", "folds", *_SCORES, *costs.TITLES.values()) else "l"
        for name in table
    )
    # Notebooks escape tables for HTML by an option of pandas; here the cells are safe already.
    with pd.option_context("styler.format.escape", None):
        text = safe.style.hide(axis="index").to_latex(hrules=True, column_format=columns)
    return str(text).rstrip("\n")


def write_run_table(results: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the table of `run_table` and a note as `results.md` and `results.tex` into a folder."""
    table = run_table(results)
    note = (
        "Percent; mean ± sd over folds (n − 1) of the SVM's answers for whole songs; F1 is "
        f"macro-F1. mer-kit {__version__}; a run's settings are in its folder's "
        "config.json, found by its fingerprint in the last column."
    )
    note = " ".join([note, costs.NOTE, *runs_table.frontend_notes(results)])
    table.attrs["note"] = note
    return write_text(table, folder, "results")


def write_text(table: pd.DataFrame, folder: Path, stem: str) -> list[Path]:
    """Write a table of text with its note as `<stem>.md` and `<stem>.tex`; return their paths."""
    note = table.attrs["note"]
    texts = {
        f"{stem}.md": markdown(table),
        f"{stem}.tex": f"% needs \\usepackage{{booktabs}}\n{latex(table)}\n% {note}",
    }
    for name, text in texts.items():
        with files.writing(folder / name) as partial:
            partial.write_text(text + "\n", "utf-8")
    return [folder / name for name in texts]


def combine(
    means: Sequence[float], sds: Sequence[float], counts: Sequence[int]
) -> tuple[float, float, int]:
    """Return mean, sd (n − 1) and n of all values, from those of each subset (seeds of one run).

    Examples
    --------
    >>> mean, sd, n = combine([0.5, 0.8], [float("nan"), float("nan")], [1, 1])
    >>> round(mean, 3), round(sd, 3), n
    (0.65, 0.212, 2)
    """
    m, n = np.asarray(means, dtype=float), np.asarray(counts, dtype=float)
    within = np.where(n > 1, np.nan_to_num(np.asarray(sds, dtype=float)), 0.0)
    mean, total = float(np.average(m, weights=n)), int(n.sum())
    squares = float(((n - 1) * within**2 + n * (m - mean) ** 2).sum())
    return mean, float(np.sqrt(squares / (total - 1 or np.nan))), total


def _place(name: str, names: list[str]) -> int:
    """Return the position of a name among others, at the end if it is not there."""
    return [*names, name].index(name)


def _paper_rows(paper: pd.DataFrame) -> Iterator[dict[str, Any]]:
    keys = ["corpus", "segment_seconds", "method"]
    for (corpus, seconds, method), cells in paper.groupby(keys, dropna=False):
        row = _head(corpus, seconds, method, "paper")
        for task, accuracy, f1 in cells[["task", "accuracy_percent", "f1_percent"]].to_numpy():
            row |= {f"{task} acc.": percent(accuracy / 100), f"{task} F1": percent(f1 / 100)}
        yield row


def _our_rows(ours: pd.DataFrame) -> Iterator[dict[str, Any]]:
    keys = ["corpus", "segment_seconds", "method", "preset", "song_features", "folds", "recipe"]
    # A second run with the same settings and seed (other clips, an older method) has its own row.
    again = ours.groupby([*keys, "task", "seed"]).cumcount().rename("again")
    for (corpus, seconds, method, preset, features, *_), group in ours.groupby([*keys, again]):
        seeds = sorted({int(seed) for seed in group["seed"]})
        noun = "seed" if len(seeds) == 1 else "seeds"
        who = f"ours: {preset}, {noun} {', '.join(map(str, seeds))}" + ", oof" * (features == "oof")
        row = _head(corpus, seconds, method, with_noise(who, group.iloc[0]))
        for task, runs in group.groupby("task"):
            for score, title in (("accuracy", "acc."), ("macro_f1", "F1")):
                means, sds = runs[f"song_{score}_mean"].tolist(), runs[f"song_{score}_sd"].tolist()
                mean, sd, _ = combine(means, sds, runs["folds_done"].tolist())
                row[f"{task} {title}"] = percent(mean, sd)
            row[f"{task} majority"] = percent(runs["majority_accuracy_mean"].mean())
        row |= costs.texts(dict(group[[*costs.TITLES]].mean()))
        done = " or ".join(map(str, sorted({int(n) for n in group["folds_done"]})))
        row["folds"] = f"{done} of {int(group['folds'].iloc[0])}"
        yield row | {"run": ", ".join(group["fingerprint"].astype(str))}


def _head(corpus: Any, seconds: Any, method: Any, who: str) -> dict[str, Any]:
    return {
        "corpus": corpus,
        "segment (s)": short(seconds).replace("inf", "clip"),
        "method": TITLES.get(method, method),
        "who": who,
        "key_method": method,
        "key_seconds": float(np.nan_to_num(seconds, nan=-1.0)),
    }
