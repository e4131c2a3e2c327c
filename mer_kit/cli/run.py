"""Executes one run, notebook by notebook: `mer-kit demo` and `mer-kit run`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.cli.options import (
    corpus_option,
    data_option,
    frontend_option,
    network_option,
    overrides_of,
    parse_setting,
    preset_option,
    report_errors,
    runs_folder,
    runs_option,
    settings_option,
)
from mer_kit.format import duration
from mer_kit.records import ALL_TASKS
from mer_kit.runs.defaults import PRESETS, default_method, default_preset
from mer_kit.runs.presets import merged, resolve
from mer_kit.songs import folds
from mer_kit.systems import CHAINS, note

if TYPE_CHECKING:
    from mer_kit.batch.jobs import Outcome
    from mer_kit.runs.experiment import Experiment


@click.command()
@runs_option
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="demo",
    show_default=True,
    help="Named set of settings.",
)
@click.option(
    "--folds",
    type=click.IntRange(2),
    default=3,
    show_default=True,
    help="Number of cross-validation folds.",
)
@report_errors
def demo(runs_dir: str | None, preset: str, folds: int) -> None:
    """Generate the demo corpus, execute the seven notebooks on one fold, write the results page."""
    parameters = {"corpus": "demo", "preset": preset, "folds": folds, "method": "sssl"}
    # `mer-kit run` trains the other folds
    run_notebooks(parameters, only_folds="0", runs_dir=runs_dir)


@click.command()
@click.option(
    "--corpus",
    type=click.Choice(corpora.names()),
    default="demo",
    show_default=True,
    help="Corpus to train and test on.",
)
@data_option
@click.option(
    "--task",
    type=click.Choice(ALL_TASKS),
    default="quadrant",
    show_default=True,
    help="Classes to predict.",
)
@click.option(
    "--seconds",
    "segment_seconds",
    default="3",
    show_default=True,
    help="Duration of a segment in seconds, or clip for the clip as one piece.",
)
@click.option(
    "--method",
    type=click.Choice(list(CHAINS)),
    default=None,
    help="Training method or system (default: ce, and sssl for the demo corpus).",
)
@preset_option
@click.option(
    "--folds",
    type=click.IntRange(2),
    default=10,
    show_default=True,
    help="Number of cross-validation folds.",
)
@click.option(
    "--only-folds", default="", help="Folds to run, for example 0,1,2 or 0-2 (default: all)."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of all random numbers.",
)
@click.option(
    "--official-split",
    is_flag=True,
    help="Use the official train/test split of the corpus in place of folds.",
)
@corpus_option
@frontend_option
@network_option
@settings_option
@click.option("--notebooks", default="", help="Execute only these notebooks, for example 02,03.")
@click.option("--force", is_flag=True, help="Execute finished notebooks again.")
@runs_option
@report_errors
def run(
    data_root: str | None,
    runs_dir: str | None,
    options: tuple[str, ...],
    official_split: bool,
    **typed: Any,
) -> None:
    """Execute the notebooks for one corpus, duration, task and method; resume if interrupted."""
    names = ("corpus", "task", "segment_seconds", "method", "folds", "seed")
    parameters = {name: typed[name] for name in names}
    parameters["method"] = typed["method"] or default_method(typed["corpus"])
    with contextlib.suppress(ValueError):
        parameters["segment_seconds"] = float(typed["segment_seconds"])
    parameters["preset"] = typed["preset"] or default_preset(
        typed["corpus"], typed["frontend"], typed["network"]
    )
    overrides = overrides_of(typed)
    if options:
        overrides["corpus_options"] = dict(map(parse_setting, options))
    if official_split:
        overrides["divide_by"] = "official"
    run_notebooks(
        parameters,
        overrides=overrides,
        only_folds=typed["only_folds"],
        only_notebooks=typed["notebooks"],
        data_root=data_root,
        runs_dir=runs_dir,
        force=typed["force"],
    )


def run_notebooks(
    parameters: dict[str, Any],
    *,
    overrides: dict[str, Any] | None = None,
    only_folds: str = "",
    only_notebooks: str = "",
    data_root: str | None = None,
    runs_dir: str | None = None,
    force: bool = False,
) -> None:
    """Execute a run's notebooks, write the results page, and print what to open.

    Raises
    ------
    MerKitError
        If a notebook failed.
    """
    click.echo("loading libraries …")
    from mer_kit.batch import jobs, planning
    from mer_kit.corpora import truth
    from mer_kit.pages import notebooks
    from mer_kit.runs.experiment import Experiment

    given: dict[str, Any] = {"overrides": overrides or {}, "data_root": data_root or ""}
    try:
        config = resolve(**merged(parameters, given["overrides"]))
        numbers = folds.parse_folds(only_folds, config.folds)
        chosen = planning.parse_notebooks(only_notebooks)
    except MerKitError as error:
        raise click.UsageError(str(error)) from error
    about = f"{config.corpus}, {config.task}, {duration(config.segment_seconds)}, {config.method}"
    if note(parameters["method"]):
        click.echo(f"{note(parameters['method'])}.")
    click.echo(f"{about}: opening the corpus …")
    experiment = Experiment(config, data_root=data_root, runs_dir=runs_folder(runs_dir))
    folder, runs = experiment.folder, experiment.runs_dir
    experiment.write_config()
    shared = {**parameters, **given, "runs_dir": str(runs)}
    planned = planning.plan(
        folder,
        shared,
        numbers,
        truth=truth.digest(experiment.corpus),
        config=config,
        notebooks=chosen,
    )
    with ThreadPoolExecutor(1) as pool:  # while the next notebook is executed
        outcomes = jobs.execute(
            planned,
            mark=experiment.fingerprint,
            force=force,
            say=click.echo,
            progress_bar=sys.stderr.isatty(),
            finished=lambda o: pool.submit(notebooks.export_notebook, o.job.target, folder.path),
        )
    _finish(experiment, outcomes)


def _finish(experiment: Experiment, outcomes: Sequence[Outcome]) -> None:
    """Write the results page, and print what to open; raise an error if a notebook failed."""
    from mer_kit.pages import report

    folder = experiment.folder
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    names = ", ".join(outcome.job.name for outcome in failed)
    if failed:
        folder.set_status("failed", message=f"failed: {names}: {failed[0].message}")
    elif folder.status == "failed":  # from an earlier call
        experiment.summarise()
    page = report.write(experiment.runs_dir)
    click.echo(f"\nexecuted notebooks  {folder.path}\nresults page        {page}")
    if failed:
        raise MerKitError(
            f"{len(failed)} of {len(outcomes)} notebooks failed, first {names}: {failed[0].message}"
        )
