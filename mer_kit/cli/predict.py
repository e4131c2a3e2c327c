"""Draws the emotion curve of one recording: `mer-kit predict`."""

from pathlib import Path

import click

from mer_kit.checks import MerKitError
from mer_kit.cli.options import data_option, report_errors, runs_option, terminal
from mer_kit.paths import default_runs_dir


@click.command()
@click.argument("song", type=click.Path())
@click.option(
    "--run",
    "run_folder",
    type=click.Path(file_okay=False),
    help="Run folder whose networks are used (default: the newest run on a real corpus, else the "
    "model that comes with mer-kit).",
)
@click.option("--fold", type=int, default=None, help="Use only the network of this fold.")
@data_option
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default=".",
    show_default=True,
    help="Folder for the files.",
)
@click.option(
    "--html/--no-html",
    "page",
    default=True,
    show_default=True,
    help="Also write an HTML page with audio playback.",
)
@runs_option
@report_errors
def predict(
    song: str,
    run_folder: str | None,
    fold: int | None,
    data_root: str | None,
    out: str,
    page: bool,
    runs_dir: str | None,
) -> None:
    """Draw the emotion curve of any audio file: PNG, SVG, CSV and HTML.

    The networks are those of a run, or the one that comes with mer-kit.
    """
    from mer_kit.analysis import predict as prediction
    from mer_kit.analysis import ready_model
    from mer_kit.analysis.answering import newest_run
    from mer_kit.views import curve_files

    folder = run_folder or newest_run(runs_dir or default_runs_dir())
    if folder is not None:
        curve = prediction.predict_curve(song, folder, fold=fold, data_root=data_root)
    elif fold is None:
        curve = ready_model.predict_curve(song)
    else:
        raise MerKitError(
            f"fold is {fold}, but there is no run on a real corpus: name a run folder with --run"
        )
    click.echo(terminal(prediction.describe(curve)))
    for path in curve_files.write(curve, Path(out), Path(song), page=page):
        click.echo(f"wrote {path}")
