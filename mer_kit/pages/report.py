"""The results page of a folder of runs: one HTML file that works offline, with results.csv."""

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError, plain
from mer_kit.pages import paper, sanitizer
from mer_kit.pages.notebooks import export_notebooks, is_view_page
from mer_kit.pages.overview import SCRIPT, known, overview, title
from mer_kit.results import costs, runs_table, status, tables
from mer_kit.results.copies import compare_copies, without_copies
from mer_kit.views import html_fragments

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #5790fc; --bad: #e42536; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 84rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; margin-bottom: .3rem; } h2 { margin-top: 2.5rem; }
h3 { margin: 0; font-size: 1.05rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .45rem; text-align: right; white-space: nowrap; }
th, td { border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
th { border-bottom-width: 2px; vertical-align: bottom; }
th { white-space: normal; }
.failed { color: var(--bad); font-weight: 600; } .quiet { opacity: .7; font-size: .9rem; }
details { border: 1px solid var(--line); border-radius: .5rem; }
details { padding: .8rem 1rem; margin: .8rem 0; }
summary { cursor: pointer; } figure { margin: 1rem 0; }
figcaption { opacity: .75; font-size: .9rem; }
.figures { display: grid; gap: 1rem; }
.figures { grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; }
th button { text-align: inherit; }
th button { cursor: pointer; }
th[aria-sort=ascending] button::after { content: " ↑"; }
th[aria-sort=descending] button::after { content: " ↓"; }
pre { overflow-x: auto; background: var(--soft); padding: .6rem .8rem; }
pre { border-radius: .3rem; font-size: .85rem; }
.spark { fill: var(--good); stroke: none; vertical-align: middle; }
.spark line { stroke: currentColor; opacity: .5; }
img { max-width: 100%; height: auto; background: #fff; border-radius: .3rem; }
.play { padding: .4rem .8rem; }
iframe { width: 100%; height: 40rem; border: 0; color-scheme: light dark; }
figure:has(.play[open]) { grid-column: 1 / -1; }
"""

#: Up to this many runs are shown unfolded; of more, each is opened by a click.
FEW = 3


def write(runs_dir: str | Path) -> Path:
    """Write `results.csv` and `index.html` into a folder of runs and return the page's path.

    Every run folder gets a row, including failed ones with their message. Links are relative, so
    the folder can be copied or zipped as a whole; nothing is loaded from elsewhere.

    Notebook: 06_results
    """
    return merge([runs_dir], runs_dir)


def merge(runs_dirs: Sequence[str | Path], out: str | Path) -> Path:
    """Write `index.html` and results as `.csv`, `.md`, `.tex` for several folders of runs.

    The comparisons with plain training and the paper's table 3 are written as text too.

    A run that is in several folders is listed once, from the one with the most finished folds; a
    separate section compares its copies.

    Parameters
    ----------
    out : the folder to write into

    Returns
    -------
    path of the page
    """
    *sources, folder = (Path(name).expanduser().absolute() for name in (*runs_dirs, out))
    for one in (*sources, folder):
        _check_no_run(one)
    folder.mkdir(parents=True, exist_ok=True)
    table = runs_table.collect(sources)
    copies, table = compare_copies(table), without_copies(table)
    exported = {str(path): export_notebooks(Path(str(path))) for path in table["path"]}
    runs_table.write_table_csv(table, folder)
    tables.write_run_table(table, folder)
    html_fragments.write_page(folder / "index.html", _page(folder, table, copies, exported))
    return folder / "index.html"


def _check_no_run(folder: Path) -> None:
    """Check that a folder is neither a run folder nor inside one.

    Raises
    ------
    MerKitError
        If it is.
    """
    for place in (folder, *list(folder.parents)[:3]):
        if (place / "config.json").is_file() and (place / "folds").is_dir():
            what = "a run folder" if place == folder else f"a folder of the run {place.name}"
            raise MerKitError(
                f"{folder.name} is {what}, expected a folder of run folders: "
                f"name the folder above it, {place.parent}"
            )


def _page(
    folder: Path, table: pd.DataFrame, copies: pd.DataFrame, exported: dict[str, dict[Path, str]]
) -> str:
    rows = table.to_dict("records")
    body = [
        "<h1>mer-kit results</h1>",
        f'<p class="quiet">Runs: {len(rows)}. Songs: accuracy of the SVM on segment statistics, '
        "and by the mean of the segments' probabilities, by which methods are compared. Scores are "
        "means over folds ± their standard deviation. “Majority” always predicts the majority "
        "class.</p>",
        _paragraph(costs.NOTE, "quiet"),
        *(_paragraph(note, "quiet") for note in runs_table.frontend_notes(table)),
    ]
    if len(copies):
        body += ["<h2>Runs in several places</h2>", copies.to_html(index=False, border=0)]
    if rows:
        scores = runs_table.fold_scores(table)
        body += [overview(rows, scores), paper.comparisons(folder, table)]
        body += [paper.section(folder, table), "<h2>Runs</h2>"]
        body += [
            _run(folder, row, exported[str(row["path"])], opened=len(rows) <= FEW) for row in rows
        ]
    else:
        body.append("<p>No runs here yet. <code>mer-kit demo</code> makes the first one.</p>")
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{_policy()}<title>mer-kit results</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + f"\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _policy() -> str:
    """Return the content security policy: the page's own script, local images and frames only."""
    return (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"script-src 'sha256-{html_fragments.sha256(SCRIPT)}'; style-src 'unsafe-inline'; "
        "img-src 'self' file: data:; frame-src 'self' file:; base-uri 'none'; "
        "form-action 'none'\">"
    )


def _run(folder: Path, row: dict[Any, Any], exported: dict[Path, str], *, opened: bool) -> str:
    """Return one run as HTML to unfold: messages, executed notebooks, figures."""
    name, run = html.escape(str(row["folder"])), Path(str(row["path"]))
    if run.is_symlink():
        run /= "none"  # the target of a link is neither shown nor written into
    failures = status.failures(run)
    figures = "".join(_figure(folder, path) for path in _figure_files(run))
    links = " · ".join(
        f'<a href="{_link(path.with_suffix(".html"), folder)}">{html.escape(_link_text(path))}</a>'
        for path, reason in exported.items()
        if not reason
    )
    open_ = " open" if failures or (opened and row["status"] == "done") else ""
    return (
        f'<details id="{name}"{open_}><summary>'
        f'<h3 style="display:inline">{html.escape(title(row))}</h3> '
        f'<span class="quiet">{name}</span></summary>{_messages(row, failures, exported)}'
        f'<p class="quiet">executed notebooks: {links or "none"}</p>'
        f'<div class="figures">{figures}</div></details>'
    )


def _messages(
    row: dict[Any, Any], failures: Sequence[Mapping[str, Any]], exported: Mapping[Path, str]
) -> str:
    """Return what went wrong in a run as HTML: failed notebooks, its state, failed exports."""
    parts = []
    for failure in failures:
        parts.append(_paragraph(f"{failure['notebook']}: {failure['message']}"))
        if log := "\n".join(failure["log"]):
            parts.append(f"<pre>{html.escape(log)}</pre>")
    reason = row.get("reason")
    if not failures and known(reason) and reason:
        bad = row.get("status") in ("failed", "unreadable", "changed")
        parts.append(_paragraph(str(reason), ("quiet", "failed")[bad]))
    parts += [_paragraph(f"{plain(path.name)}: {why}") for path, why in exported.items() if why]
    return "".join(parts)


def _paragraph(text: str, look: str = "failed") -> str:
    return f'<p class="{look}">{html.escape(text)}</p>'


def _figure_files(run: Path) -> list[Path]:
    """Return the figures of a run and of its first fold (from notebook 03), by name."""
    homes = [run / "figures", *sorted((run / "folds").glob("*/figures"))[:1]]
    paths = sorted((path for home in homes for path in home.glob("*.png")), key=lambda p: p.name)
    return [p for p in paths if files.is_plain_file(p, inside=run) and sanitizer.is_picture(p)]


def _link(path: Path, folder: Path) -> str:
    return html.escape(quote(os.fsencode(Path(os.path.relpath(path, folder)).as_posix())))


def _link_text(path: Path) -> str:
    of_fold = path.parent.parent.name == "folds"
    return plain(f"{path.stem} (fold {path.parent.name})" if of_fold else path.stem)


def _figure(folder: Path, path: Path) -> str:
    alt = html.escape(plain(alt_text(path) or path.stem.replace("_", " ")))
    return (
        f'<figure><img loading="lazy" src="{_link(path, folder)}" alt="{alt}">'
        f"<figcaption>{alt}</figcaption>{_player(folder, path.with_suffix('.html'))}</figure>"
    )


def _player(folder: Path, page: Path) -> str:
    """Return a figure's own page (the player of notebook 05) as a frame to unfold; "" if none.

    The page is written again by this version, and the frame may only run the page's script.
    """
    if not is_view_page(page):
        return ""
    link = _link(page, folder)
    return (
        '<details class="play"><summary>Listen along</summary>'
        '<iframe loading="lazy" sandbox="allow-scripts" allow="autoplay" '
        f'src="{link}" title="The curve with its sound"></iframe>'
        f'<a href="{link}">open as a separate page</a></details>'
    )


def alt_text(path: Path) -> str:
    """Return the description that `style.save_figure` wrote into a PNG; "" if it has none.

    Examples
    --------
    >>> alt_text(Path("no such file.png"))
    ''
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return str(image.info.get("Description", ""))
    except Exception:  # Pillow raises many classes, also for images that claim a gigapixel
        return ""
