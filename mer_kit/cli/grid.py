"""Executes many runs: `mer-kit grid`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import click

from mer_kit.checks import MerKitError
from mer_kit.cli.options import (
    data_option,
    network_option,
    overrides_of,
    parse_setting,
    preset_option,
    report_errors,
    runs_folder,
    runs_option,
)

if TYPE_CHECKING:
    from mer_kit.batch import grid, grid_file


@click.command("grid")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--corpus", default=None, help="Corpora, for example demo,4q.")
@click.option(
    "--seconds", default=None, help="Segment durations in seconds, for example 1,2,3,4,5."
)
@click.option("--task", default=None, help="Tasks, for example valence,arousal.")
@click.option("--method", default=None, help="Methods, for example ce,sssl_no_kl,sssl.")
@click.option(
    "--seeds", type=click.IntRange(1), default=None, help="Number of seeds, starting at 0."
)
@click.option(
    "--folds", type=click.IntRange(2), default=None, help="Number of cross-validation folds."
)
@click.option(
    "--only-folds", default=None, help="Folds to run, for example 0,1,2 or 0-2 (default: all)."
)
@preset_option
@click.option("--frontend", default=None, help="Front-ends, for example logmel,musicnn.")
@network_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Override one setting of the preset, for example tau=0.3; several values multiply the "
    "runs, as in noise_kind=none,song; may be repeated.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of notebooks executed in parallel.",
)
@click.option(
    "--dashboard",
    is_flag=True,
    help="Serve dask's dashboard on this machine, where all its users can read it.",
)
@click.option(
    "--scheduler",
    default=None,
    help="Address of a running dask scheduler to use: tcp://… or tls://…",
)
@click.option(
    "--tls-ca", type=click.Path(), help="PEM file of the certificate authority, for tls://."
)
@click.option(
    "--tls-cert", type=click.Path(), help="PEM file of the client certificate, for tls://."
)
@click.option("--tls-key", type=click.Path(), help="PEM file of the client key, for tls://.")
@click.option(
    "--slurm",
    type=click.Path(exists=True, dir_okay=False),
    help="YAML file that describes workers to be started with SLURM.",
)
@click.option(
    "--gpus", is_flag=True, help="Run one notebook per GPU, on workers with the dask resource GPU."
)
@click.option(
    "--limit-minutes",
    type=click.FloatRange(0, min_open=True),
    help="Stop a notebook after this many minutes.",
)
@click.option(
    "--limit-mb",
    type=click.FloatRange(0, min_open=True),
    help="Stop a notebook that uses more than this many megabytes of memory.",
)
@click.option(
    "--notebooks",
    default="",
    help="Execute only these notebooks of each run, for example 04 (it trains missing folds).",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the plan and its estimated duration, and exit."
)
@click.option(
    "--status",
    "only_status",
    is_flag=True,
    help="Print how many notebooks are done, running and failed, and exit.",
)
@click.option("--only-failed", is_flag=True, help="Execute only runs with a failed notebook.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=None,
    help="Execute at most this many unfinished runs.",
)
@data_option
@runs_option
@report_errors
def grid_command(
    file: str | None, data_root: str | None, runs_dir: str | None, **typed: Any
) -> None:
    """Execute many runs: every corpus with every task, duration, method and seed.

    They are given by options or by a YAML FILE. After an interruption the same command resumes.
    Exit code 1 if a notebook failed.
    """
    from mer_kit.batch import grid, planning, progress

    runs = runs_folder(runs_dir)
    try:
        planned = grid.cells(grid_of(file, typed))
    except MerKitError as error:
        raise click.UsageError(str(error)) from error
    cache = grid.CorpusCache(runs, data_root)
    only = planning.parse_notebooks(typed["notebooks"])
    everything = [(cell, grid.tasks(cell, cache, notebooks=only)) for cell in planned]
    chosen = progress.choose(everything, only_failed=typed["only_failed"], limit=typed["limit"])
    if typed["dry_run"] or typed["only_status"]:
        shown = everything if typed["only_status"] else chosen
        costs = progress.unit_costs(runs)
        table, summary = progress.plan_table(shown, costs, workers=typed["workers"])
        click.echo(table.to_string(index=False) if len(table) else "nothing to do")
        click.echo(summary)
        return
    for cell, _ in chosen:
        cache.experiment(cell).write_config()
    execute_grid(chosen, cache, typed)


def grid_of(file: str | None, typed: dict[str, Any]) -> grid_file.Grid:
    """Return the grid of a YAML file and of the command's options, which take precedence.

    Examples
    --------
    >>> options = dict.fromkeys(("corpus", "seconds", "task", "method", "folds", "only_folds",
    ...                          "preset", "seeds", "frontend", "network"))
    >>> grid = grid_of(None, {**options, "method": "ce, sssl", "seeds": 2, "settings": ()})
    >>> grid.method, grid.seeds
    (('ce', 'sssl'), (0, 1))
    """
    from mer_kit.batch import grid_file
    from mer_kit.batch.parameters import as_declared

    base = grid_file.read(file) if file else grid_file.Grid()
    plain = ("folds", "only_folds", "preset", "seeds")
    given: dict[str, Any] = {name: typed[name] for name in plain if typed[name] is not None}
    for name in ("corpus", "task", "method", "seconds", "frontend"):
        if typed[name]:
            given[name] = [entry.strip() for entry in typed[name].split(",")]
    if "seconds" in given:
        given["seconds"] = [as_declared("segment_seconds", text) for text in given["seconds"]]
    # one by one: the file's other settings are kept
    overrides = overrides_of({**typed, "frontend": None})
    given["overrides"] = {**base.overrides, **dict(map(_as_list, overrides.items()))}
    return grid_file.Grid.of(given, base)


def _as_list(setting: tuple[str, Any]) -> tuple[str, Any]:
    """Return a setting's name and value; text such as "none,song" or "0.2,0.4" becomes a list."""
    name, value = setting
    if isinstance(value, str) and "," in value:
        value = [parse_setting(f"{name}={one.strip()}")[1] for one in value.split(",")]
    return name, value


def execute_grid(chosen: Any, cache: grid.CorpusCache, typed: dict[str, Any]) -> None:
    """Execute the chosen runs, then notebook 06, and write the results page.

    Raises
    ------
    MerKitError
        If a notebook failed.
    """
    from mer_kit.batch import cluster, grid
    from mer_kit.batch.limits import Limits
    from mer_kit.pages import report

    tasks = [task for _, planned in chosen for task in planned]
    limits = Limits(
        seconds=(typed["limit_minutes"] or 0.0) * 60 or None,
        memory_mb=typed["limit_mb"],
        resources={"GPU": 1} if typed["gpus"] else None,
    )
    outcomes = {}
    if tasks:
        tasks.append(grid.results_task(chosen[0][0], cache, [task.name for task in tasks]))
        with workers(typed) as client:
            if typed["dashboard"]:
                click.echo(f"dashboard {client.dashboard_link}")
            click.echo(f"{len(chosen)} runs, {len(tasks)} notebooks")
            outcomes = cluster.run(client, tasks, limits=limits, say=click.echo)
    click.echo(f"\nresults page  {report.write(cache.runs_dir)}")
    failed = [name for name, outcome in outcomes.items() if outcome.state == "failed"]
    skipped = sum(outcome.state == "skipped" for outcome in outcomes.values())
    if failed:
        raise MerKitError(
            f"{len(failed)} of {len(outcomes)} notebooks failed and {skipped} were skipped, first "
            f"{failed[0]}: {outcomes[failed[0]].message}: the same command tries them again"
        )


def workers(typed: dict[str, Any]) -> AbstractContextManager[Any]:
    """Return the workers given by the options, as a context manager that yields their client."""
    from mer_kit.batch import cluster

    if typed["slurm"]:
        return cluster.slurm(typed["slurm"])
    if typed["scheduler"]:
        return cluster.joined(
            typed["scheduler"],
            ca=typed["tls_ca"],
            certificate=typed["tls_cert"],
            key=typed["tls_key"],
        )
    return cluster.local(typed["workers"], dashboard=typed["dashboard"])
