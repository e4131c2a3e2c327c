"""Many runs as one plan: `mer-kit grid`."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from mer_kit.checks import MerKitError, shortened
from mer_kit.cli.options import (
    data_option,
    frontend_option,
    network_option,
    parse_setting,
    preset_option,
    report_errors,
    runs_folder,
    runs_option,
    settings_option,
)


@click.command("grid")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--corpus", default=None, help="Names, like demo,4q.")
@click.option("--seconds", default=None, help="Durations, like 1,2,3,4,5.")
@click.option("--task", default=None, help="Tasks, like valence,arousal.")
@click.option("--method", default=None, help="Methods, like ce,sssl_no_kl,sssl.")
@click.option("--seeds", type=click.IntRange(1), default=None, help="How many seeds, from 0 on.")
@click.option(
    "--folds", type=click.IntRange(2), default=None, help="Folds the songs are divided into."
)
@click.option(
    "--only-folds", default=None, help="Which of them to run, like 0,1,2 or 0-2 (default: all)."
)
@preset_option
@frontend_option
@network_option
@settings_option
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="Notebooks at once."
)
@click.option(
    "--dashboard",
    is_flag=True,
    help="Serve dask's dashboard on loopback; all users of this machine can read it.",
)
@click.option("--scheduler", default=None, help="Join this scheduler: tcp://… or tls://…")
@click.option("--tls-ca", type=click.Path(), help="The authority's PEM file, for tls://.")
@click.option("--tls-cert", type=click.Path(), help="Our certificate, for tls://.")
@click.option("--tls-key", type=click.Path(), help="Its key, for tls://.")
@click.option(
    "--slurm",
    type=click.Path(exists=True, dir_okay=False),
    help="Start workers with SLURM, as this file says.",
)
@click.option(
    "--gpus", is_flag=True, help="One notebook per GPU: workers that offer the resource GPU."
)
@click.option(
    "--limit-minutes",
    type=click.FloatRange(0, min_open=True),
    help="End a notebook that takes longer.",
)
@click.option(
    "--limit-mb",
    type=click.FloatRange(0, min_open=True),
    help="End a notebook that takes more memory.",
)
@click.option(
    "--notebooks",
    default="",
    help="Only these of each run, like 04 (which trains what is missing).",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and what it will cost; run nothing.")
@click.option(
    "--status",
    "only_status",
    is_flag=True,
    help="Print what is done, running and failed; run nothing.",
)
@click.option("--only-failed", is_flag=True, help="Only runs with a failed notebook.")
@click.option(
    "--limit", type=click.IntRange(1), default=None, help="At most so many unfinished runs."
)
@data_option
@runs_option
@report_errors
def grid_command(
    file: str | None, data_root: str | None, runs_dir: str | None, **typed: Any
) -> None:
    """Execute many runs: every corpus with every task, duration, method and seed, from options or a YAML FILE.

    Whatever was interrupted goes on with the same command. Exit 1 if a notebook failed.
    """
    from mer_kit.batch import grid, progress

    where = runs_folder(runs_dir)
    try:
        wanted = grid.read(file) if file else grid.Grid()
        given = varied(typed)
        if "overrides" in given:  # setting by setting: the file's others stay
            given["overrides"] = {**wanted.overrides, **given["overrides"]}
        wanted = dataclasses.replace(wanted, **given)
        planned = grid.cells(wanted)
    except MerKitError as error:
        raise click.UsageError(str(error)) from error
    opener = grid.CorpusCache(where, data_root)
    places: dict[str, Any] = {"runs_dir": where, "data_root": data_root}
    only = [number.strip() for number in typed["notebooks"].split(",") if number.strip()]
    found = [
        (cell, grid.tasks(cell, opener.experiment(cell), **places, notebooks=only))
        for cell in planned
    ]
    chosen = progress.choose(found, only_failed=typed["only_failed"], limit=typed["limit"])
    if typed["dry_run"] or typed["only_status"]:
        table, told = progress.plan_table(
            found if typed["only_status"] else chosen,
            progress.unit_costs(where),
            workers=typed["workers"],
        )
        click.echo(table.to_string(index=False) if len(table) else "nothing to do")
        click.echo(told)
        return
    for cell, _ in chosen:
        opener.experiment(cell).write_config()
    execute_grid(chosen, where, data_root, typed)


def varied(typed: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a grid that were typed; "1,2" is a list, and --seeds 3 is 0, 1, 2."""
    from mer_kit.batch import grid

    given: dict[str, Any] = {
        name: typed[name] for name in ("folds", "only_folds", "preset", "seeds")
    }
    for name in ("corpus", "task", "method"):
        given[name] = [part.strip() for part in typed[name].split(",")] if typed[name] else None
    if typed["seconds"]:
        try:
            given["seconds"] = [float(part) for part in typed["seconds"].split(",")]
        except ValueError as error:
            raise click.UsageError(
                f"--seconds {shortened(typed['seconds'])} cannot be read: write numbers like 1,2,3"
            ) from error
    parts = {name: typed[name] for name in ("frontend", "network") if typed[name]}
    if typed["settings"] or parts:
        given["overrides"] = parts | dict(parse_setting(text) for text in typed["settings"])
    given = {name: value for name, value in given.items() if value is not None}
    read = grid.Grid.of(given)
    return {name: getattr(read, name) for name in given}


def execute_grid(chosen: Any, where: Path, data_root: str | None, typed: dict[str, Any]) -> None:
    """Execute the chosen runs on the engine that was asked for, then notebook 06 and the results page."""
    from mer_kit.batch import cluster, grid
    from mer_kit.pages import report

    tasks = [task for _, planned in chosen for task in planned]
    limits = cluster.Limits(
        seconds=60 * typed["limit_minutes"] if typed["limit_minutes"] else None,
        memory_mb=typed["limit_mb"],
        resources={"GPU": 1} if typed["gpus"] else None,
    )
    outcomes: list[dict[str, Any]] = []
    if tasks:
        tasks.append(
            grid.results_task(chosen[0][0], where, data_root, [task.name for task in tasks])
        )
        with workers(typed) as client:
            shown = f"; dashboard {client.dashboard_link}" if typed["dashboard"] else ""
            click.echo(f"{len(chosen)} runs, {len(tasks)} notebooks{shown}")
            outcomes = cluster.run(client, tasks, limits=limits, say=click.echo)
    page = report.write(where)
    failed = [outcome for outcome in outcomes if outcome["state"] == "failed"]
    skipped = sum(outcome["state"] == "skipped" for outcome in outcomes)
    click.echo(f"\nresults page  {page}")
    if failed:
        raise MerKitError(
            f"{len(failed)} of {len(outcomes)} notebooks failed and {skipped} were left out, first "
            f"{failed[0]['name']}: {failed[0]['message']}: the same command tries them again"
        )


def workers(typed: dict[str, Any]) -> AbstractContextManager[Any]:
    """Return the engine that was asked for, as a context manager that yields its client."""
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
