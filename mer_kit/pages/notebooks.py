"""The executed notebooks of a run as HTML pages next to them, and the pages of its figures.

Notebook: 06_results
"""

import contextlib
import logging
from pathlib import Path

from mer_kit import files
from mer_kit.checks import MerKitError, plain
from mer_kit.pages import export, sanitizer
from mer_kit.paths import cache_root
from mer_kit.runs.run_folder import RunFolder
from mer_kit.views import html_fragments

_log = logging.getLogger("mer_kit")


def export_notebooks(run: Path) -> dict[Path, str]:
    """Write each executed notebook of a run as an HTML page next to it, unless it is up to date.

    Which pages are up to date is recorded in the cache of this machine, not in the run: a page that
    came with a copied folder is never trusted, whatever its time stamp. If a notebook cannot be
    exported, a page that is already next to it stays, since a person may have put it there, but it
    is not linked.

    Returns
    -------
    dict of notebook → reason why it has no page, "" if it has one; in reading order
    """
    return {source: export_notebook(source, run) for source in notebook_files(run)}


def export_notebook(source: Path, run: Path) -> str:
    """Write a notebook's page if it is not up to date; return "", or the reason if it fails."""
    if not files.is_plain_file(source, inside=run):
        return "not a regular file of this folder: copy the notebook itself here"
    try:
        _bring_up_to_date(source, run)
        return ""
    except (MerKitError, OSError) as error:
        reason = plain(str(error))[:200]
    except Exception as error:  # nbconvert and its libraries raise anything on invalid notebooks
        reason = type(error).__name__
    sentence = f"cannot be exported ({reason}): run it again"
    _log.warning("%s of %s %s", plain(source.name), plain(run.name), sentence)
    return sentence


def _bring_up_to_date(source: Path, run: Path) -> None:
    target = source.with_suffix(".html")
    note = cache_root() / "exports" / f"{files.checksum(source)}-{export.version()}"
    if (
        note.is_file()
        and files.is_plain_file(target, inside=run)
        and files.checksum(target) == note.read_text("utf-8")
    ):
        return
    export.to_html(source, target)
    with contextlib.suppress(OSError):  # without a cache it only repeats
        html_fragments.write_page(note, files.checksum(target))


def notebook_files(run: Path) -> list[Path]:
    """Return a run's executed notebooks in reading order; none if the run is a symbolic link.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "notebooks").mkdir()
    ...     (Path(folder) / "notebooks" / "00_start_here.ipynb").touch()
    ...     [path.name for path in notebook_files(Path(folder))]
    ['00_start_here.ipynb']
    """
    if run.is_symlink():
        return []
    folds = [RunFolder(run).fold(number) for number in RunFolder(run).fold_numbers()]
    books = [path for home in (run / "notebooks", *folds) for path in home.glob("*.ipynb")]
    return sorted(books, key=lambda path: (path.name, path.parent.name))


def is_view_page(page: Path) -> bool:
    """Tell whether a page contains one of mer-kit's views; if it is outdated, write it again."""
    try:
        text = files.read_bytes(page, most=export.MOST_NOTEBOOK, inside=page.parent.parent).decode(
            "utf-8"
        )
        current = html_fragments.rebuilt_page(text, sanitizer.clean)
        if current is not None and current != text:
            html_fragments.write_page(page, current)
    except (OSError, ValueError, RecursionError):
        return False
    return current is not None
