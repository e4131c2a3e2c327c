"""Writes the results page of finished runs: `mer-kit report`."""

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
    help="Write one page for all the folders together, into this folder.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@report_errors
def report(
    runs_dirs: tuple[str, ...], runs_dir: str | None, into: str | None, open_page: bool
) -> None:
    """Write the results page (index.html) and results.csv of the finished runs in RUNS_DIRS.

    Every folder gets its own page, unless --into gives one folder for all of them.
    """
    from mer_kit.pages import report as page

    if into:
        folders = [name for name in (*runs_dirs, runs_dir) if name]
        pages = [page.merge(folders or [default_runs_dir()], into)]
    else:
        pages = [page.write(runs_folder(name)) for name in runs_dirs or (runs_dir,)]
    for written in pages:
        click.echo(f"wrote {written} and results.csv next to it")
        if open_page:
            webbrowser.open(written.as_uri())
