"""The results page compared with the paper: its tables 1 to 3, and accuracy by duration."""

import contextlib
import html
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from mer_kit import corpora, plots
from mer_kit.plots import style
from mer_kit.records import ALL_TASKS
from mer_kit.results import compare
from mer_kit.results.answers import song_answers
from mer_kit.results.comparison_table import comparison_table
from mer_kit.results.table3 import table3
from mer_kit.results.tables import table2, write_text

#: Table 1 for a run's corpus, all durations; notebook 01 writes it into the run's figures/.
TABLE1 = "01-table1.csv"
_TITLES = {
    "corpus": "corpus", "songs": "songs", "segment_seconds": "segment (s)",
    "overlap_seconds": "overlap (s)", "segments": "segments", "paper_songs": "paper: songs",
    "paper_segments": "paper: segments", "difference_percent": "difference (%)",
}  # fmt: skip


def section(folder: Path, table: pd.DataFrame) -> str:
    """Return tables 1 to 3 next to the paper's numbers, and the figures of durations, as HTML.

    A table is left out if no run has a counterpart in it. The figures are written into
    `folder`/figures, and table 3 as table3.md and table3.tex.

    Parameters
    ----------
    table : from `results.runs_table.collect`
    """
    tables = {
        "Table 1: segments": table1(table),
        "Table 2: segment duration": table2(table),
        "Table 3: methods": table3(table),
    }
    parts = [section_of(f"{name}, compared with the paper", t) for name, t in tables.items()]
    if len(tables["Table 3: methods"]):
        write_text(tables["Table 3: methods"], folder, "table3")
    if figures := "".join(duration_figures(folder, table)):
        heading = "<h2>Accuracy against segment duration</h2>"
        parts.append(f'{heading}\n<div class="figures">{figures}</div>')
    return "\n".join(parts)


def table1(table: pd.DataFrame) -> pd.DataFrame:
    """Return table 1 of every corpus whose segments a run has counted, next to the paper's.

    Empty if no run has.

    Examples
    --------
    >>> len(table1(pd.DataFrame({"path": ["no/such/run"], "corpus": ["4q"]})))
    0
    """
    counts: dict[str, pd.DataFrame] = {}
    for row in table.itertuples():
        file, corpus = Path(str(row.path)) / "figures" / TABLE1, str(row.corpus)
        if corpus not in counts and file.exists():
            # A damaged file only loses its own table.
            with contextlib.suppress(OSError, ValueError, KeyError):
                counts[corpus] = pd.read_csv(file)[list(_TITLES)]
    if not counts:
        return pd.DataFrame()
    joined = pd.concat(counts.values()).rename(columns=_TITLES)
    joined.attrs["note"] = (
        "Clips are cut to their first seconds as configured in each run; difference: ours "
        "relative to the paper's, – if the paper has no such corpus."
    )
    return joined


def duration_figures(folder: Path, table: pd.DataFrame) -> Iterator[str]:
    """Write accuracy against duration per corpus and task, and yield the HTML of each figure.

    Only corpora and tasks with runs of several durations have one.
    """
    scored = table[table["song_accuracy_mean"].notna()]
    for (corpus, task), runs in scored.groupby(["corpus", "task"], sort=False):
        # Names become file names: only those that mer-kit has.
        if (
            corpus in corpora.names()
            and task in ALL_TASKS
            and runs["segment_seconds"].nunique() > 1
        ):
            yield _duration_figure(folder, table, runs, corpus=str(corpus), task=str(task))


def _duration_figure(
    folder: Path, table: pd.DataFrame, runs: pd.DataFrame, *, corpus: str, task: str
) -> str:
    style.use()
    figure, ax = plt.subplots(figsize=(6.4, 3.8))
    plots.results.accuracy_by_duration(table, ax, corpus=corpus, task=task)
    score = ["song_accuracy_mean", "song_accuracy_sd", "folds_done"]
    data = runs[["task", "segment_seconds", "method", "preset", "seed", *score, "fingerprint"]]
    methods = ", ".join(sorted(map(str, runs["method"].unique())))
    alt = (
        f"Song accuracy on {corpus}, {task}, against segment duration, for {methods}; "
        "the table of runs has the numbers"
    )
    stem = folder / "figures" / f"duration-{corpus}-{task}"
    style.save_figure(figure, stem, alt=alt, data=data)
    plt.close(figure)
    links = " · ".join(
        f'<a href="figures/{stem.name}.{kind}">{kind.upper()}</a>' for kind in ("pdf", "png", "csv")
    )
    text = html.escape(alt)
    return (
        f'<figure><img src="figures/{stem.name}.svg" alt="{text}">'
        f"<figcaption>{text} ({links}).</figcaption></figure>"
    )


def comparisons(folder: Path, table: pd.DataFrame) -> str:
    """Return every system compared with plain training as HTML; "" if nothing can be compared.

    The table is also written as comparisons.md and comparisons.tex into the folder.

    Parameters
    ----------
    table : from `results.runs_table.collect`
    """
    told = song_answers(table)
    found = comparison_table(compare.comparisons(told), table)
    if len(found):
        write_text(found, folder, "comparisons")
    alone = "".join(f"<p>{html.escape(line)}.</p>" for line in compare.without_partner(told))
    return section_of("Compared with plain training", found) + alone


def section_of(title: str, table: pd.DataFrame) -> str:
    """Return a table with its note under a heading as HTML; "" if it has no rows.

    Examples
    --------
    >>> section_of("Nothing", pd.DataFrame())
    ''
    """
    if table.empty:
        return ""
    note = html.escape(str(table.attrs.get("note", "")))
    text = table.to_html(index=False, border=0, na_rep="–", float_format="{:.4g}".format)
    return (
        f"<h2>{html.escape(title)}</h2><div class='scroll'>{text}</div><p class='quiet'>{note}</p>"
    )
