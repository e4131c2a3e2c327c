"""A run's executed notebooks as pages beside them, and the pages of its figures, each written by this version.

Notebook: 06_results
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from mer_kit import files
from mer_kit.checks import MerKitError, plain
from mer_kit.files import writing
from mer_kit.pages import export, sanitizer
from mer_kit.paths import cache_root
from mer_kit.runs.run_folder import RunFolder
from mer_kit.views import html_fragments

_log = logging.getLogger("mer_kit")


def export_notebooks(run: Path) -> dict[Path, str]:
    """Write each executed notebook of a run as an HTML page beside it, unless this version wrote that very page from it.

    What is known of pages written before lies in the cache of this machine, not in the run: a page that came with a
    folder is never taken for ours, whatever its time says. Where a notebook cannot be exported, a page that is already
    beside it stays, since a person may have put it there, but it is not linked.

    Returns
    -------
    each notebook in reading order, with the reason why it has no page, "" where it has one
    """
    return {source: export_notebook(source, run) for source in notebook_files(run)}


def export_notebook(source: Path, run: Path) -> str:
    """Write a notebook's page where it is not current; return the reason where there is none, else ""."""
    target = source.with_suffix(".html")
    if not files.is_plain_file(source, inside=run):
        return "not a regular file of this folder: copy the notebook itself here"
    try:
        note = cache_root() / "exports" / f"{files.checksum(source)}-{export.version()}"
        known = note.read_text("utf-8") if note.is_file() else ""
        if not (
            known and files.is_plain_file(target, inside=run) and files.checksum(target) == known
        ):
            export.to_html(source, target)
            with (
                contextlib.suppress(OSError),
                writing(note) as partial,
            ):  # a cache that takes no files costs time only
                partial.write_text(files.checksum(target), "utf-8")
    except (
        Exception
    ) as error:  # nbconvert and its libraries raise anything on a notebook that is none
        said = (
            plain(str(error))[:200]
            if isinstance(error, (MerKitError, OSError))
            else type(error).__name__
        )
        _log.warning(
            "%s of %s cannot be exported (%s): run it again",
            plain(source.name),
            plain(run.name),
            said,
        )
        return f"cannot be exported ({said}): run it again"
    return ""


def notebook_files(run: Path) -> list[Path]:
    """Return a run's executed notebooks in reading order; a link to a run elsewhere has none that are ours to export."""
    if run.is_symlink():
        return []
    folds = [RunFolder(run).fold(number) for number in RunFolder(run).fold_numbers()]
    found = [path for home in (run / "notebooks", *folds) for path in home.glob("*.ipynb")]
    return sorted(found, key=lambda path: (path.name, path.parent.name))


def is_view_page(page: Path) -> bool:
    """Tell whether a page holds one of our views; it is written anew by this version where it differs."""
    if not files.is_plain_file(page, inside=page.parent.parent):
        return False
    try:
        found = files.read_bytes(page, most=export.MOST_NOTEBOOK).decode("utf-8")
        made = html_fragments.rebuilt_page(found, sanitizer.clean)
        if made is not None and made != found:
            with writing(page) as partial:
                partial.write_text(made, "utf-8")
    except (OSError, ValueError, RecursionError):
        return False
    return made is not None
