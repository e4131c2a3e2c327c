"""The results page of a folder of runs: one HTML file that works offline, beside results.csv."""

from __future__ import annotations

import hashlib
import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from mer_kit import files
from mer_kit.checks import MerKitError, plain
from mer_kit.files import writing
from mer_kit.pages import paper, sanitizer
from mer_kit.pages.notebooks import export_notebooks, is_view_page
from mer_kit.pages.overview import SCRIPT, known, overview, title
from mer_kit.results import run_tables, runs_table
from mer_kit.views import html_fragments

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #5790fc; --bad: #e42536; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 84rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; margin-bottom: .3rem; } h2 { margin-top: 2.5rem; } h3 { margin: 0; font-size: 1.05rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .45rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { border-bottom-width: 2px; vertical-align: bottom; }
table:not(#runs) th { white-space: normal; }
.failed { color: var(--bad); font-weight: 600; } .quiet { opacity: .7; font-size: .9rem; }
details { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; margin: .8rem 0; }
summary { cursor: pointer; } figure { margin: 1rem 0; } figcaption { opacity: .75; font-size: .9rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); gap: 1rem; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th[aria-sort=ascending] button::after { content: " ↑"; } th[aria-sort=descending] button::after { content: " ↓"; }
pre { overflow-x: auto; background: var(--soft); padding: .6rem .8rem; border-radius: .3rem; font-size: .85rem; }
.spark { fill: var(--good); stroke: none; vertical-align: middle; } .spark line { stroke: currentColor; opacity: .5; }
img { max-width: 100%; height: auto; background: #fff; border-radius: .3rem; }
.play { padding: .4rem .8rem; } iframe { width: 100%; height: 40rem; border: 0; color-scheme: light dark; }
figure:has(.play[open]) { grid-column: 1 / -1; }
"""


#: Up to so many runs their figures are shown at once; of more, each is opened by a click.
FEW = 3


def write(runs_dir: str | Path) -> Path:
    """Write `results.csv` and `index.html` into a folder of runs and return the page's path.

    Every run folder gets a row, failed ones too, with their message. Figures are linked relative to the page, so the
    folder can be copied or zipped whole; nothing is fetched from anywhere.

    Notebook: 06_results
    """
    return merge([runs_dir], runs_dir)


def merge(runs_dirs: Sequence[str | Path], out: str | Path) -> Path:
    """Write `index.html`, `results.csv`, `.md` and `.tex` into `out` for the runs of several folders; return the page's path.

    A run that lies in several of them is listed once, from where most folds are finished; whether its copies say the
    same stands in a section of its own.
    """
    folder = Path(out).expanduser().absolute()
    for name in (*runs_dirs, out):
        _check_no_run(Path(name).expanduser())
    folder.mkdir(parents=True, exist_ok=True)
    table = runs_table.collect([Path(name).expanduser().absolute() for name in runs_dirs])
    copies = runs_table.compare_copies(table)
    table = runs_table.without_copies(table)
    exported = {str(path): export_notebooks(Path(str(path))) for path in table["path"]}
    runs_table.write_table_csv(table, folder)
    run_tables.write_run_table(table, folder)
    page = _page(folder, table, copies, exported)
    with writing(folder / "index.html") as partial:
        partial.write_text(page, "utf-8")
    return folder / "index.html"


def _check_no_run(folder: Path) -> None:
    """Raise one sentence where a run's own folder, or one inside it, is given in place of the folder that holds it."""
    inside = folder.absolute()
    for place in (inside, *list(inside.parents)[:3]):
        if (place / "config.json").is_file() and (place / "folds").is_dir():
            what = "a run folder" if place == inside else f"a folder of the run {place.name}"
            raise MerKitError(
                f"{folder.name} is {what}, expected a folder of run folders: name the folder above it, {place.parent}"
            )


def _page(
    folder: Path, table: pd.DataFrame, copies: pd.DataFrame, exported: dict[str, dict[Path, str]]
) -> str:
    rows = table.to_dict("records")
    body = [
        "<h1>mer-kit results</h1>",
        f'<p class="quiet">{len(rows)} run{"s" if len(rows) != 1 else ""}. Songs: accuracy by the SVM on segment statistics. '
        "Scores are means over folds ± their standard deviation. “Majority” always answers the commonest class.</p>",
    ]
    if len(copies):
        body += ["<h2>Runs in several places</h2>", copies.to_html(index=False, border=0)]
    if rows:
        body += [
            overview(rows, runs_table.fold_scores(table)),
            paper.section(folder, table),
            "<h2>Runs</h2>",
            *(
                _run(folder, row, exported[str(row["path"])], opened=len(rows) <= FEW)
                for row in rows
            ),
        ]
    else:
        body.append("<p>No run here yet. <code>mer-kit demo</code> makes the first one.</p>")
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{_policy()}<title>mer-kit results</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + f"\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _policy() -> str:
    """Return the page's content security policy: its own script, pictures and frames beside it, nothing from anywhere."""
    digest = html_fragments.text(hashlib.sha256(SCRIPT.encode()).digest())
    return (
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-{digest}'; "
        "style-src 'unsafe-inline'; img-src 'self' file: data:; frame-src 'self' file:; base-uri 'none'; form-action 'none'\">"
    )


def _run(folder: Path, row: dict[Any, Any], exported: dict[Path, str], *, opened: bool) -> str:
    name = str(row["folder"])
    run = Path(str(row["path"]))
    run = (
        run / "none" if run.is_symlink() else run
    )  # what a link leads to is neither shown nor written into
    said = row.get("reason")
    broken = runs_table.failures(run)
    message = "".join(map(_failure, broken))
    if not broken and known(said) and said:
        look = "failed" if row.get("status") in ("failed", "unreadable", "changed") else "quiet"
        message = f'<p class="{look}">{html.escape(str(said))}</p>'
    of_fold = next(
        iter(sorted((run / "folds").glob("*/figures"))), run / "none"
    )  # notebook 03's, of the first fold
    found = [
        p
        for p in (*(run / "figures").glob("*.png"), *of_fold.glob("*.png"))
        if _is_shown(p, inside=run)
    ]
    pictures = "".join(_figure(folder, path) for path in sorted(found, key=lambda path: path.name))
    links = " · ".join(
        f'<a href="{_link(path.with_suffix(".html"), folder)}">{html.escape(_link_text(path))}</a>'
        for path, reason in exported.items()
        if not reason
    )
    message += "".join(
        f'<p class="failed">{html.escape(plain(path.name))}: {html.escape(reason)}</p>'
        for path, reason in exported.items()
        if reason
    )
    open_ = " open" if (opened and row["status"] == "done") or broken else ""
    return (
        f'<details id="{html.escape(name)}"{open_}><summary><h3 style="display:inline">{html.escape(title(row))}</h3> '
        f'<span class="quiet">{html.escape(name)}</span></summary>{message}'
        f'<p class="quiet">executed notebooks: {links or "none"}</p><div class="figures">{pictures}</div></details>'
    )


def _failure(broken: Mapping[str, Any]) -> str:
    """Return a failed notebook's message and last lines as HTML."""
    log = html.escape("\n".join(broken["log"]))
    said = f"<pre>{log}</pre>" if log else ""
    return f'<p class="failed">{html.escape(broken["notebook"])}: {html.escape(broken["message"])}</p>{said}'


def _link(path: Path, folder: Path) -> str:
    return html.escape(quote(os.fsencode(Path(os.path.relpath(path, folder)).as_posix())))


def _link_text(path: Path) -> str:
    return plain(
        f"{path.stem} (fold {path.parent.name})"
        if path.parent.parent.name == "folds"
        else path.stem
    )


def _figure(folder: Path, path: Path) -> str:
    alt = plain(alt_text(path) or path.stem.replace("_", " "))
    return (
        f'<figure><img loading="lazy" src="{_link(path, folder)}" alt="{html.escape(alt)}"><figcaption>{html.escape(alt)}'
        f"</figcaption>{_played(folder, path.with_suffix('.html'))}</figure>"
    )


def _played(folder: Path, page: Path) -> str:
    """Return the figure's own page, notebook 05's player, to be opened in place; "" where it left none.

    The page is written anew from what it shows, and the frame lets it run its script and nothing else.
    """
    if not is_view_page(page):
        return ""
    link = _link(page, folder)
    return (
        f'<details class="play"><summary>Listen along</summary><iframe loading="lazy" sandbox="allow-scripts" '
        f'allow="autoplay" src="{link}" title="The curve with its sound"></iframe>'
        f'<a href="{link}">open as a page of its own</a></details>'
    )


def _is_shown(path: Path, *, inside: Path) -> bool:
    return files.is_plain_file(path, inside=inside) and sanitizer.is_picture(path)


def alt_text(path: Path) -> str:
    """Return the description that `style.save_figure` wrote into a PNG, or "" (also of a broken one)."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return str(image.info.get("Description", ""))
    except Exception:  # pictures that claim a gigapixel, and whatever else Pillow finds
        return ""
