"""The table of runs on the results page: sortable, filterable, with a sparkline of the folds."""

import html
from typing import Any

import numpy as np
import pandas as pd

from mer_kit.format import duration, with_noise
from mer_kit.results import costs
from mer_kit.results.runs_table import HEADLINES

#: Headings of the columns.
HEAD = (
    "run", "songs", "per fold", "songs, macro-F1", "songs, by mean", "segments", "majority",
    "folds", *costs.TITLES.values(), "state",
)  # fmt: skip
_NO_FOLDS = pd.DataFrame({"accuracy": []}, dtype=float)
#: Width and height of a sparkline, pixels.
SPARK = (90, 22)
#: Sorts the rows when a heading is clicked, and shows those that contain every typed word.
SCRIPT = """
const body = document.querySelector("#runs tbody"), box = document.querySelector("#filter");
if (body) {
  document.querySelectorAll("#runs th button").forEach((button, i) => button.onclick = () => {
    const th = button.parentElement, up = th.getAttribute("aria-sort") !== "ascending";
    document.querySelectorAll("#runs th").forEach(other => other.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = row => row.children[i].dataset.value ?? row.children[i].textContent;
    const order = (a, b) => {
      if (isNaN(a) || isNaN(b)) return a.localeCompare(b, undefined, {numeric: true});
      return a - b;
    };
    const sorted = [...body.rows].sort((a, b) => (up ? 1 : -1) * order(value(a), value(b)));
    sorted.forEach(row => body.append(row));
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
    """Return the table of runs, with its filter box, as HTML.

    Parameters
    ----------
    rows : of `results.runs_table.collect`
    folds : `results.runs_table.fold_scores` of the same runs
    """
    head = "".join(
        f'<th scope="col"><button type="button">{html.escape(name)}</button></th>' for name in HEAD
    )
    by_run: dict[Any, pd.DataFrame] = {}
    if len(folds):
        svm = folds[folds["classifier"].isin(HEADLINES)].sort_values("fold")
        by_run = dict(iter(svm.groupby("folder")))
    lines = "".join(_line(row, by_run.get(row["folder"], _NO_FOLDS)) for row in rows)
    n = len(rows)
    return (
        '<p><label>show only <input id="filter" type="search" placeholder="4q valence sssl">'
        f'</label> <span id="shown" class="quiet" aria-live="polite">{n} of {n} runs</span></p>'
        f'<div class="scroll"><table id="runs"><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _line(row: dict[Any, Any], folds: pd.DataFrame) -> str:
    """Return one run as a row of the table; each cell carries the value that it is sorted by."""
    name, state = html.escape(str(row["folder"])), html.escape(str(row["status"]))
    majority = row.get("majority_accuracy_mean")
    look = ' class="failed"' if row["status"] == "failed" else ""
    spark = sparkline(folds["accuracy"].to_numpy(dtype=float), majority)
    cells = [
        (f'<a href="#{name}">{html.escape(title(row))}</a>', title(row)),
        _score_cell(row, "song_accuracy"),
        (spark, row.get("song_accuracy_sd")),
        _score_cell(row, "song_macro_f1"),
        _score_cell(row, "compared_accuracy"),
        _score_cell(row, "segment_accuracy"),
        (percent(majority), majority),
        (f"{number(row.get('folds_done'))} of {number(row.get('folds'))}", row.get("folds_done")),
        *zip(costs.texts(row).values(), map(row.get, costs.TITLES), strict=True),
        (f"<span{look}>{state}</span>", state),
    ]
    return f"<tr>{''.join(_cell(text, value) for text, value in cells)}</tr>"


def _score_cell(row: dict[Any, Any], score: str) -> tuple[str, Any]:
    mean = row.get(f"{score}_mean")
    return spread(mean, row.get(f"{score}_sd")), mean


def _cell(text: str, value: Any) -> str:
    """Return a table cell; unknown values are sorted below all known ones."""
    return f'<td data-value="{html.escape(str(value if known(value) else -1))}">{text}</td>'


def sparkline(scores: np.ndarray, majority: Any = None) -> str:
    """Return the accuracies of a run's folds as a small SVG, one dot per fold.

    The y axis is 0 to 100 %; the dashed line is the accuracy of the majority class.

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
    marks = [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.2"/>' for a, b in zip(x, y, strict=True)]
    label = "accuracy of the folds: " + ", ".join(map(percent, scores))
    if known(majority):
        level = f"{2 + (1 - float(majority)) * (height - 4):.1f}"
        ends = f'x1="0" x2="{width}" y1="{level}" y2="{level}"'
        marks.insert(0, f'<line {ends} stroke-dasharray="3 3"/>')
        label += f"; majority {percent(majority)}"
    return (
        f'<svg class="spark" width="{width}" height="{height}" role="img" aria-label="{label}">'
        f"<title>{label}</title>{''.join(marks)}</svg>"
    )


def title(row: dict[Any, Any]) -> str:
    """Return a readable title of a run, from a row of `results.runs_table.collect`.

    Examples
    --------
    >>> about = {"corpus": "4q", "task": "valence", "method": "sssl"}
    >>> title({**about, "segment_seconds": 3.0, "seed": 0})
    '4q, valence, 3 s, sssl, seed 0'
    """
    about = f"{row['corpus']}, {row['task']}, {duration(row['segment_seconds'])}"
    return with_noise(f"{about}, {row['method']}, seed {number(row['seed'])}", row)


def known(value: Any) -> bool:
    """Tell whether a value is neither None nor NaN.

    Examples
    --------
    >>> known(0.0), known(float("nan")), known(None)
    (True, False, False)
    """
    return bool(pd.notna(value))


def number(value: Any) -> str:
    """Return a number in its shortest form; everything else as text.

    Examples
    --------
    >>> number(3.0), number("x"), number(None)
    ('3', 'x', 'None')
    """
    if isinstance(value, (int, float)) and known(value):
        return f"{value:g}"
    return str(value)


def percent(value: Any) -> str:
    """Return a fraction in percent, or – if it is unknown.

    Examples
    --------
    >>> percent(0.7312), percent(None)
    ('73.1 %', '–')
    """
    if not known(value):
        return "–"
    return f"{100 * float(value):.1f} %"


def spread(mean: Any, sd: Any) -> str:
    """Return mean ± standard deviation in percent; without ± if there is only one fold.

    Examples
    --------
    >>> spread(0.7312, 0.021), spread(0.5, float("nan"))
    ('73.1 ± 2.1 %', '50.0 %')
    """
    if known(mean) and known(sd):
        return f"{100 * float(mean):.1f} ± {100 * float(sd):.1f} %"
    return percent(mean)
