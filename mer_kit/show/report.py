"""The results page of a folder of runs: one HTML file that works offline, beside results.csv."""

from __future__ import annotations

import html
import logging
import math
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from mer_kit.runs import results
from mer_kit.runs.archive import writing
from mer_kit.show import export

_log = logging.getLogger("mer_kit")

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #5790fc; --bad: #e42536; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 84rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; margin-bottom: .3rem; } h2 { margin-top: 2.5rem; } h3 { margin: 0; font-size: 1.05rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { border-bottom-width: 2px; }
.failed { color: var(--bad); font-weight: 600; } .quiet { opacity: .7; font-size: .9rem; }
details { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; margin: .8rem 0; }
summary { cursor: pointer; } figure { margin: 1rem 0; } figcaption { opacity: .75; font-size: .9rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); gap: 1rem; }
img { max-width: 100%; height: auto; background: #fff; border-radius: .3rem; }
"""

HEAD = ("run", "songs: accuracy", "songs: macro-F1", "segments: accuracy", "majority", "folds", "minutes", "state")


def write(runs_dir: str | Path) -> Path:
    """Write `results.csv` and `index.html` into a folder of runs and return the page's path.

    Every run folder gets a row, failed ones too, with their message. Figures are linked relative to the page, so the
    folder can be copied or zipped whole; nothing is fetched from anywhere.

    Notebook: 06_results
    """
    folder = Path(runs_dir)
    folder.mkdir(parents=True, exist_ok=True)
    table = results.collect(folder)
    for name in table["folder"]:
        export_notebooks(folder / str(name))
    results.write_results_csv(folder)
    page = _page(folder, table)
    with writing(folder / "index.html") as partial:
        partial.write_text(page, "utf-8")
    return folder / "index.html"


def export_notebooks(run: Path) -> None:
    """Write each executed notebook of a run as an HTML page beside it, where that is older or not there.

    A copy that cannot be read is left out and named in a warning.
    """
    for source in notebook_files(run):
        target = source.with_suffix(".html")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            try:
                export.to_html(source, target)
            except (OSError, ValueError, TypeError, KeyError, AttributeError, nbformat.ValidationError) as error:
                _log.warning("%s of %s cannot be read (%s): run it again", source.name, run.name, type(error).__name__)


def notebook_files(run: Path) -> list[Path]:
    """Return a run's executed notebooks in reading order."""
    found = [*(run / "notebooks").glob("*.ipynb"), *(run / "folds").glob("*/*.ipynb")]
    return sorted(found, key=lambda path: (path.name, path.parent.name))


def _page(folder: Path, table: pd.DataFrame) -> str:
    rows = table.to_dict("records")
    body = [
        "<h1>mer-kit results</h1>",
        f'<p class="quiet">{len(rows)} run{"s" if len(rows) != 1 else ""}. Accuracy and F1 are means over folds ± their '
        "standard deviation, by the SVM on segment statistics. “Majority” always answers the commonest class.</p>",
    ]
    if rows:
        body += [_overview(rows), _paper_tables(table), "<h2>Runs</h2>", *(_run(folder, row) for row in rows)]
    else:
        body.append("<p>No run here yet. <code>mer-kit demo</code> makes the first one.</p>")
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>mer-kit results</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _overview(rows: list[dict[Any, Any]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in HEAD)
    lines = []
    for row in rows:
        name = html.escape(str(row["folder"]))
        state = html.escape(str(row["status"]))
        mark = ' class="failed"' if row["status"] == "failed" else ""
        cells = [
            f'<a href="#{name}">{html.escape(title(row))}</a>',
            spread(row.get("song_accuracy_mean"), row.get("song_accuracy_sd")),
            spread(row.get("song_macro_f1_mean"), row.get("song_macro_f1_sd")),
            spread(row.get("segment_accuracy_mean"), row.get("segment_accuracy_sd")),
            percent(row.get("majority_accuracy_mean")),
            f"{_number(row.get('folds_done'))} of {_number(row.get('folds'))}",
            f"{float(row['seconds']) / 60:.1f}" if _known(row.get("seconds")) else "–",
            f"<span{mark}>{state}</span>",
        ]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _paper_tables(table: pd.DataFrame) -> str:
    """Return the paper's tables 2 and 3 with our numbers beside, where a finished run has a counterpart there."""
    parts = []
    for name, make in (("Table 2: segment duration", results.table2), ("Table 3: methods", results.table3)):
        beside = make(table)
        if len(beside):
            text = beside.to_html(index=False, border=0, na_rep="–")
            note = html.escape(str(beside.attrs.get("note", "")))
            parts.append(
                f"<h2>{name}, beside the paper</h2><div class='scroll'>{text}</div><p class='quiet'>{note}</p>"
            )
    return "\n".join(parts)


def _run(folder: Path, row: dict[Any, Any]) -> str:
    name = str(row["folder"])
    run = folder / name
    reason = row.get("reason")
    message = f'<p class="failed">{html.escape(str(reason))}</p>' if _known(reason) and reason else ""
    of_fold = next(iter(sorted((run / "folds").glob("*/figures"))), run / "none")  # notebook 03's, of the first fold
    found = [*(run / "figures").glob("*.png"), *of_fold.glob("*.png")]
    pictures = "".join(_figure(folder, path) for path in sorted(found, key=lambda path: path.name))
    links = " · ".join(
        f'<a href="{html.escape(path.relative_to(folder).with_suffix(".html").as_posix())}">'
        f"{html.escape(_link_text(path))}</a>"
        for path in notebook_files(run)
    )
    opened = " open" if row["status"] == "done" else ""
    return (
        f'<details id="{html.escape(name)}"{opened}><summary><h3 style="display:inline">{html.escape(title(row))}</h3> '
        f'<span class="quiet">{html.escape(name)}</span></summary>{message}'
        f'<p class="quiet">executed notebooks: {links or "none"}</p><div class="figures">{pictures}</div></details>'
    )


def _link_text(path: Path) -> str:
    return f"{path.stem} (fold {path.parent.name})" if path.parent.parent.name == "folds" else path.stem


def _figure(folder: Path, path: Path) -> str:
    alt = alt_text(path) or path.stem.replace("_", " ")
    source = html.escape(path.relative_to(folder).as_posix())
    return (
        f'<figure><img loading="lazy" src="{source}" alt="{html.escape(alt)}"><figcaption>{html.escape(alt)}'
        "</figcaption></figure>"
    )


def alt_text(path: Path) -> str:
    """Return the description that `style.save_figure` wrote into a PNG, or ""."""
    from PIL import Image

    with Image.open(path) as image:
        return str(image.info.get("Description", ""))


def title(row: dict[Any, Any]) -> str:
    """Return a run's title for people, from a row of `results.collect`."""
    return f"{row['corpus']}, {row['task']}, {_number(row['segment_seconds'])} s, {row['method']}, seed {_number(row['seed'])}"


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) and _known(value) else str(value)


def percent(value: Any) -> str:
    """Return 0.7312 as "73.1 %", – for unknown.

    Examples
    --------
    >>> percent(0.7312), percent(None)
    ('73.1 %', '–')
    """
    return f"{100 * float(value):.1f} %" if _known(value) else "–"


def spread(mean: Any, sd: Any) -> str:
    """Return mean ± sd in percent; without ± where one fold shows no spread.

    Examples
    --------
    >>> spread(0.7312, 0.021), spread(0.5, float("nan"))
    ('73.1 ± 2.1 %', '50.0 %')
    """
    if not _known(mean):
        return "–"
    return f"{100 * float(mean):.1f} ± {100 * float(sd):.1f} %" if _known(sd) else percent(mean)
