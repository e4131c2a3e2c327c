"""What comes of finished runs: `mer-kit report`, `mer-kit predict` and `mer-kit figures`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from mer_kit.cli.options import data_option, runs_folder, runs_option, terminal, told_plainly
from mer_kit.runs.archive import default_runs_dir


@click.command()
@click.argument("runs_dirs", nargs=-1, type=click.Path(exists=True, file_okay=False))
@runs_option
@click.option("--into", type=click.Path(file_okay=False), help="One page for all of the folders, written there.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@told_plainly
def report(runs_dirs: tuple[str, ...], runs_dir: str | None, into: str | None, open_page: bool) -> None:
    """Write results.csv and index.html from the finished runs of a folder, or of several, each or --into one."""
    from mer_kit.show import report as page

    if into:
        pages = [page.merge([*runs_dirs, *([runs_dir] if runs_dir else [])] or [default_runs_dir()], into)]
    else:
        pages = [page.write(runs_folder(name)) for name in runs_dirs or (runs_dir,)]
    for written in pages:
        click.echo(f"wrote {written} and results.csv beside it")
        if open_page:
            webbrowser.open(written.as_uri())


@click.command()
@click.argument("song", type=click.Path())
@click.option("--run", "run_folder", type=click.Path(file_okay=False), help="A run folder (default: the newest run).")
@click.option("--fold", type=int, default=None, help="Use this fold's network only.")
@data_option
@click.option("--out", type=click.Path(file_okay=False), default=".", show_default=True, help="Where files go.")
@click.option(
    "--html/--no-html", "page", default=True, show_default=True, help="Write a page too that plays the song along."
)
@runs_option
@told_plainly
def predict(
    song: str,
    run_folder: str | None,
    fold: int | None,
    data_root: str | None,
    out: str,
    page: bool,
    runs_dir: str | None,
) -> None:
    """Draw the emotion curve of any audio file (PNG, SVG, CSV, HTML) with a run's networks."""
    from mer_kit.runs import predict as prediction
    from mer_kit.show import curve_files

    folder = Path(run_folder) if run_folder else prediction.newest_run(runs_dir or default_runs_dir())
    curve = prediction.predict_curve(song, folder, fold=fold, data_root=data_root)
    click.echo(terminal(prediction.describe(curve)))
    for path in curve_files.write(curve, Path(out), Path(song), page=page):
        click.echo(f"wrote {path}")


@click.command()
@runs_option
@click.option("--out", type=click.Path(file_okay=False), default=None, help="Default: the checkout's figures/.")
@told_plainly
def figures(runs_dir: str | None, out: str | None) -> None:
    """Rebuild figures/ from the demo run; makes the demo run first if it is not there."""
    from mer_kit.show import readme_figures

    where = runs_folder(runs_dir)
    for path in readme_figures.write(where, Path(out) if out else None):
        click.echo(f"wrote {path}")
