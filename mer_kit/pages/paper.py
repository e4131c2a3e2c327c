"""The results page's part beside the paper: tables 1 to 3 in its shape, and accuracy against segment duration."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from mer_kit import corpora, plots
from mer_kit.plots import style
from mer_kit.records import TASKS
from mer_kit.results import runs_table

#: What notebook 01 leaves in a run's figures/: table 1 for the run's corpus, all durations.
TABLE1 = "01-table1.csv"
_TITLES = {
    "corpus": "corpus", "songs": "songs", "segment_seconds": "segment (s)", "overlap_seconds": "overlap (s)",
    "segments": "segments", "paper_songs": "paper: songs", "paper_segments": "paper: segments",
    "difference_percent": "difference (%)",
}  # fmt: skip


def section(folder: Path, table: pd.DataFrame) -> str:
    """Return tables 1 to 3 with the paper's numbers beside, and the figure of durations, as HTML.

    Each is left out where no run has a counterpart in it. The figures are written below `folder`/figures.

    Parameters
    ----------
    table : from `results.runs_table.collect`
    """
    parts = []
    first = table1(table)
    if len(first):
        note = (
            "Clips cut to their first seconds as each run says; difference: ours against the paper's, – where the paper "
            "has no such corpus."
        )
        parts.append(_table("Table 1: segments", first, note))
    for name, make in (
        ("Table 2: segment duration", runs_table.table2),
        ("Table 3: methods", runs_table.table3),
    ):
        beside = make(table)
        if len(beside):
            parts.append(_table(name, beside, str(beside.attrs.get("note", ""))))
    figures = "".join(duration_figures(folder, table))
    if figures:
        parts.append(
            f'<h2>Accuracy against segment duration</h2><div class="figures">{figures}</div>'
        )
    return "\n".join(parts)


def table1(table: pd.DataFrame) -> pd.DataFrame:
    """Return table 1 of every corpus that a run of `table` counted, ours beside the paper's; empty if none did."""
    found: dict[str, pd.DataFrame] = {}
    for row in table.itertuples():
        file = Path(str(row.path)) / "figures" / TABLE1
        if str(row.corpus) not in found and file.exists():
            with contextlib.suppress(
                OSError, ValueError, KeyError
            ):  # an odd file takes only its own table away
                found[str(row.corpus)] = pd.read_csv(file)[list(_TITLES)]
    return pd.concat(found.values()).rename(columns=_TITLES) if found else pd.DataFrame()


def duration_figures(folder: Path, table: pd.DataFrame) -> Iterator[str]:
    """Write accuracy against duration for each corpus and task with runs of several durations; yield the HTML of each."""
    scored = table[table["song_accuracy_mean"].notna()]
    for (corpus, task), runs in scored.groupby(["corpus", "task"], sort=False):
        if (
            runs["segment_seconds"].nunique() < 2
            or corpus not in corpora.names()
            or task not in TASKS
        ):
            continue  # names become file names: only those that mer-kit knows
        style.use()
        figure, ax = plt.subplots(figsize=(6.4, 3.8))
        plots.results.accuracy_by_duration(table, ax, corpus=str(corpus), task=str(task))
        score = ["song_accuracy_mean", "song_accuracy_sd", "folds_done"]
        rows = runs[["task", "segment_seconds", "method", "preset", "seed", *score, "fingerprint"]]
        methods = ", ".join(sorted(map(str, runs["method"].unique())))
        alt = f"Song accuracy on {corpus}, {task}, against segment duration, for {methods}; the table of runs has the numbers"
        stem = folder / "figures" / f"duration-{corpus}-{task}"
        style.save_figure(figure, stem, alt=alt, data=rows)
        plt.close(figure)
        links = " · ".join(
            f'<a href="figures/{stem.name}.{kind}">{kind.upper()}</a>'
            for kind in ("pdf", "png", "csv")
        )
        text = html.escape(alt)
        yield (
            f'<figure><img src="figures/{stem.name}.svg" alt="{text}"><figcaption>{text} ({links}).</figcaption></figure>'
        )


def _table(name: str, table: pd.DataFrame, note: str) -> str:
    text = table.to_html(
        index=False, border=0, na_rep="–", float_format=lambda value: f"{value:.4g}"
    )
    return f"<h2>{name}, beside the paper</h2><div class='scroll'>{text}</div><p class='quiet'>{html.escape(note)}</p>"
