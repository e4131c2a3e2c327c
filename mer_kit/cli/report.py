"""The results page of finished runs: `mer-kit report`."""

from __future__ import annotations

import webbrowser

import click

from mer_kit.cli.options import report_errors, runs_folder, runs_option
from mer_kit.paths import default_runs_dir


@click.command()
@click.argument("runs_dirs", nargs=-1, type=click.Path(exists=True, file_okay=False))
@runs_option
@click.option(
    "--into",
    type=click.Path(file_okay=False),
    help="One page for all of the folders, written there.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@report_errors
def report(
    runs_dirs: tuple[str, ...], runs_dir: str | None, into: str | None, open_page: bool
) -> None:
    """Write results.csv and index.html from the finished runs of a folder, or of several, each or --into one."""
    from mer_kit.pages import report as page

    if into:
        pages = [
            page.merge(
                [*runs_dirs, *([runs_dir] if runs_dir else [])] or [default_runs_dir()], into
            )
        ]
    else:
        pages = [page.write(runs_folder(name)) for name in runs_dirs or (runs_dir,)]
    for written in pages:
        click.echo(f"wrote {written} and results.csv beside it")
        if open_page:
            webbrowser.open(written.as_uri())
