"""The results page's table of runs: one row each, sortable and filterable, with the folds as a sparkline."""

from __future__ import annotations

import html
import math
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.results.runs_table import HEADLINES

#: Headings of the columns.
HEAD = (
    "run",
    "songs",
    "per fold",
    "songs, macro-F1",
    "segments",
    "majority",
    "folds",
    "minutes",
    "state",
)
#: Width and height of a sparkline, pixels.
SPARK = (90, 22)
#: Sorts by a click (or Enter) on a heading, and shows the rows that hold every typed word. No library, nothing fetched.
SCRIPT = """
const body = document.querySelector("#runs tbody"), box = document.querySelector("#filter");
if (body) {
  document.querySelectorAll("#runs th button").forEach((button, at) => button.onclick = () => {
    const th = button.parentElement, up = th.getAttribute("aria-sort") !== "ascending";
    document.querySelectorAll("#runs th").forEach(other => other.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = row => row.children[at].dataset.value ?? row.children[at].textContent;
    const order = (a, b) => (isNaN(a) || isNaN(b)) ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
    [...body.rows].sort((a, b) => (up ? 1 : -1) * order(value(a), value(b))).forEach(row => body.append(row));
  });
  box.oninput = () => {
    const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
      shown += !row.hidden;
    }
    document.querySelector("#shown").textContent = `${shown} of ${body.rows.length} runs`;
  };
}
"""


def overview(rows: list[dict[Any, Any]], folds: pd.DataFrame) -> str:
    """Return the table of runs with its filter box as HTML.

    Parameters
    ----------
    rows : of `results.runs_table.collect`
    folds : `results.runs_table.fold_scores` of the same runs
    """
    head = "".join(
        f'<th scope="col"><button type="button">{html.escape(name)}</button></th>' for name in HEAD
    )
    svm = folds[folds["classifier"].isin(HEADLINES)] if len(folds) else folds
    by_run = (
        {name: part.sort_values("fold") for name, part in svm.groupby("folder")} if len(svm) else {}
    )
    lines = "".join(_line(row, by_run.get(row["folder"])) for row in rows)
    return (
        '<p><label>show only <input id="filter" type="search" placeholder="4q valence sssl"></label> '
        f'<span id="shown" class="quiet" aria-live="polite">{len(rows)} of {len(rows)} runs</span></p>'
        f'<div class="scroll"><table id="runs"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


def _line(row: dict[Any, Any], folds: pd.DataFrame | None) -> str:
    name, state = html.escape(str(row["folder"])), html.escape(str(row["status"]))
    mark = ' class="failed"' if row["status"] == "failed" else ""
    minutes = float(row["seconds"]) / 60 if known(row.get("seconds")) else float("nan")
    done, of = row.get("folds_done"), row.get("folds")
    scores = folds["accuracy"].to_numpy(dtype=float) if folds is not None else np.zeros(0)
    cells = [
        (f'<a href="#{name}">{html.escape(title(row))}</a>', title(row)),
        (
            spread(row.get("song_accuracy_mean"), row.get("song_accuracy_sd")),
            row.get("song_accuracy_mean"),
        ),
        (sparkline(scores, row.get("majority_accuracy_mean")), row.get("song_accuracy_sd")),
        (
            spread(row.get("song_macro_f1_mean"), row.get("song_macro_f1_sd")),
            row.get("song_macro_f1_mean"),
        ),
        (
            spread(row.get("segment_accuracy_mean"), row.get("segment_accuracy_sd")),
            row.get("segment_accuracy_mean"),
        ),
        (percent(row.get("majority_accuracy_mean")), row.get("majority_accuracy_mean")),
        (f"{number(done)} of {number(of)}", done),
        (f"{minutes:.1f}" if known(minutes) else "–", minutes),
        (f"<span{mark}>{state}</span>", state),
    ]
    values = [f"{value}" if known(value) else "-1" for _, value in cells]
    tds = [
        f'<td data-value="{html.escape(v)}">{cell}</td>'
        for v, (cell, _) in zip(values, cells, strict=True)
    ]
    return f"<tr>{''.join(tds)}</tr>"


def sparkline(scores: np.ndarray, majority: Any = None) -> str:
    """Return the accuracies of a run's folds as a small SVG: a dot a fold from 0 to 100 %, the majority as a line.

    Examples
    --------
    >>> sparkline(np.array([0.5, 0.75])).count("<circle"), sparkline(np.array([]))
    (2, '–')
    """
    if not len(scores):
        return "–"
    width, height = SPARK
    x = (np.arange(len(scores)) + 0.5) * width / len(scores)
    y = 2 + (1 - np.clip(scores, 0, 1)) * (height - 4)
    dots = "".join(
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.2"/>' for a, b in zip(x, y, strict=True)
    )
    told = "accuracy of the folds: " + ", ".join(percent(score) for score in scores)
    line = ""
    if known(majority):
        at = 2 + (1 - float(majority)) * (height - 4)
        line = f'<line x1="0" x2="{width}" y1="{at:.1f}" y2="{at:.1f}" stroke-dasharray="3 3"/>'
        told += f"; majority {percent(majority)}"
    return (
        f'<svg class="spark" width="{width}" height="{height}" role="img" aria-label="{html.escape(told)}">'
        f"<title>{html.escape(told)}</title>{line}{dots}</svg>"
    )


def title(row: dict[Any, Any]) -> str:
    """Return a run's title for people, from a row of `results.runs_table.collect`."""
    return f"{row['corpus']}, {row['task']}, {number(row['segment_seconds'])} s, {row['method']}, seed {number(row['seed'])}"


def known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) and known(value) else str(value)


def percent(value: Any) -> str:
    """Return 0.7312 as "73.1 %", – for unknown.

    Examples
    --------
    >>> percent(0.7312), percent(None)
    ('73.1 %', '–')
    """
    return f"{100 * float(value):.1f} %" if known(value) else "–"


def spread(mean: Any, sd: Any) -> str:
    """Return mean ± sd in percent; without ± where one fold shows no spread.

    Examples
    --------
    >>> spread(0.7312, 0.021), spread(0.5, float("nan"))
    ('73.1 ± 2.1 %', '50.0 %')
    """
    if not known(mean):
        return "–"
    return f"{100 * float(mean):.1f} ± {100 * float(sd):.1f} %" if known(sd) else percent(mean)
