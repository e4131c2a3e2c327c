"""`mer-kit …`: thin commands over `runs` and `show`. Exit codes: 0 done, 1 something failed (named), 2 wrong usage."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
import webbrowser
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

import mer_kit
from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.records import TASKS, Corpus
from mer_kit.runs.archive import default_runs_dir
from mer_kit.runs.presets import PRESETS, merged, resolve
from mer_kit.sssl import METHODS

runs_option = click.option("--runs", "runs_dir", type=click.Path(file_okay=False), help="Folder of the run folders.")
data_option = click.option(
    "--data", "data_root", type=click.Path(), help="Where corpora lie (default MER_DATA, data/)."
)

corpus_option = click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the corpus, like ties=low."
)


def told_plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a MerKitError into one sentence on stderr and exit code 1."""

    @wraps(command)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except MerKitError as error:
            click.echo(f"mer-kit: {error}", err=True)
            sys.exit(1)
        except OSError as error:
            where = f" at {str(error.filename)!r}" if error.filename else ""
            what = error.strerror or type(error).__name__
            click.echo(f"mer-kit: {what}{where}: check that the folder is there, is yours and has free space", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo("mer-kit: stopped; the same command goes on from here", err=True)
            sys.exit(1)

    return wrapper


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mer_kit.__version__, prog_name="mer-kit")
def main() -> None:
    """A research kit for music emotion recognition with noisy segment labels.

    Start with `mer-kit demo`, then open notebooks/00_start_here.ipynb in JupyterLab.
    """


@main.command()
@runs_option
@click.option("--preset", type=click.Choice(list(PRESETS)), default="demo", show_default=True)
@click.option("--folds", type=click.IntRange(2), default=3, show_default=True, help="Folds the songs are divided into.")
@told_plainly
def demo(runs_dir: str | None, preset: str, folds: int) -> None:
    """Make the demo corpus, execute the seven notebooks on it, write the results page."""
    run_notebooks({"corpus": "demo", "preset": preset, "folds": folds, "method": "sssl"}, runs_dir=runs_dir)


@main.command()
@click.option("--corpus", type=click.Choice(corpora.names()), default="demo", show_default=True)
@data_option
@click.option("--task", type=click.Choice(list(TASKS)), default="quadrant", show_default=True)
@click.option("--seconds", type=click.FloatRange(0, 30, min_open=True), default=3.0, show_default=True)
@click.option("--method", type=click.Choice(list(METHODS)), default="sssl", show_default=True)
@click.option("--preset", type=click.Choice(list(PRESETS)), default=None, help="Default: demo for demo, else cpu.")
@click.option(
    "--folds", type=click.IntRange(2), default=10, show_default=True, help="Folds the songs are divided into."
)
@click.option("--only-folds", default="", help="Which of them to run, like 0,1,2 or 0-2 (default: all).")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--official-split", is_flag=True, help="Train and test on the corpus' own division, not on folds.")
@corpus_option
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Override one setting of the preset.")
@click.option("--force", is_flag=True, help="Execute notebooks again that are done.")
@runs_option
@told_plainly
def run(
    data_root: str | None,
    seconds: float,
    runs_dir: str | None,
    settings: tuple[str, ...],
    options: tuple[str, ...],
    official_split: bool,
    **typed: Any,
) -> None:
    """Execute the notebooks for one corpus, duration, task and method, fold by fold; goes on where it stopped."""
    parameters = {name: typed[name] for name in ("corpus", "task", "method", "folds", "seed")}
    parameters["segment_seconds"] = seconds
    parameters["preset"] = typed["preset"] or ("demo" if typed["corpus"] == "demo" else "cpu")
    overrides = dict(parse_setting(text) for text in settings)
    if options:
        overrides["corpus_options"] = dict(parse_setting(text) for text in options)
    if official_split:
        overrides["divide_by"] = "official"
    run_notebooks(
        parameters,
        overrides=overrides,
        only_folds=typed["only_folds"],
        data_root=data_root,
        runs_dir=runs_dir,
        force=typed["force"],
    )


def parse_setting(text: str) -> tuple[str, Any]:
    """Return ("tau", 0.3) from "tau=0.3"; values are JSON, anything else is text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.UsageError(f"--set {text!r} cannot be read: write NAME=VALUE, for example tau=0.3")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def run_notebooks(
    parameters: dict[str, Any],
    *,
    overrides: dict[str, Any] | None = None,
    only_folds: str = "",
    data_root: str | None = None,
    runs_dir: str | None = None,
    force: bool = False,
) -> None:
    """Execute a run's notebooks, write the report, say what to open; exit 1 if a notebook failed."""
    from mer_kit.runs import batch
    from mer_kit.runs.experiment import Experiment
    from mer_kit.show import report

    try:
        config = resolve(**merged(parameters, overrides or {}))
        numbers = batch.parse_folds(only_folds, config.folds)
    except MerKitError as error:
        raise click.UsageError(str(error)) from error
    where = Path(runs_dir).expanduser().absolute() if runs_dir else default_runs_dir()
    click.echo(f"{config.corpus}, {config.task}, {config.segment_seconds:g} s, {config.method}: opening the corpus …")
    experiment = Experiment(config, data_root=data_root, runs_dir=where)
    experiment.write_config()
    shared = {**parameters, "overrides": overrides or {}, "runs_dir": str(where), "data_root": data_root or ""}
    jobs = batch.plan(experiment.folder, shared, numbers)
    bar = sys.stderr.isatty()
    outcomes = batch.execute(
        jobs, mark=experiment.fingerprint, force=force, say=lambda line: click.echo(line), progress_bar=bar
    )
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if failed:
        names = ", ".join(outcome.job.name for outcome in failed)
        experiment.folder.set_status("failed", message=f"failed: {names}: {failed[0].message}")
    elif experiment.folder.status == "failed":  # an earlier call failed where this one did not
        experiment.summarise()
    page = report.write(where)
    click.echo(f"\nexecuted notebooks  {experiment.folder.path}")
    click.echo(f"results page        {page}")
    if failed:
        raise MerKitError(f"{len(failed)} of {len(jobs)} notebooks failed, first {names}: {failed[0].message}")


@main.command("grid")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--corpus", default=None, help="Names, like demo,4q.")
@click.option("--seconds", default=None, help="Durations, like 1,2,3,4,5.")
@click.option("--task", default=None, help="Tasks, like valence,arousal.")
@click.option("--method", default=None, help="Methods, like ce,sssl_no_kl,sssl.")
@click.option("--seeds", type=click.IntRange(1), default=None, help="How many seeds, from 0 on.")
@click.option("--folds", type=click.IntRange(2), default=None, help="Folds the songs are divided into.")
@click.option("--only-folds", default=None, help="Which of them to run, like 0,1,2 or 0-2 (default: all).")
@click.option("--preset", type=click.Choice(list(PRESETS)), default=None, help="Default: demo for demo, else cpu.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Override one setting of the preset.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Notebooks at once.")
@click.option("--scheduler", default=None, help="Join this scheduler: tcp://… or tls://…")
@click.option("--tls-ca", type=click.Path(), help="The authority's PEM file, for tls://.")
@click.option("--tls-cert", type=click.Path(), help="Our certificate, for tls://.")
@click.option("--tls-key", type=click.Path(), help="Its key, for tls://.")
@click.option(
    "--slurm", type=click.Path(exists=True, dir_okay=False), help="Start workers with SLURM, as this file says."
)
@click.option("--gpus", is_flag=True, help="One notebook per GPU: workers that offer the resource GPU.")
@click.option("--limit-minutes", type=click.FloatRange(0, min_open=True), help="End a notebook that takes longer.")
@click.option("--limit-mb", type=click.FloatRange(0, min_open=True), help="End a notebook that takes more memory.")
@click.option("--dry-run", is_flag=True, help="Print the plan and what it will cost; run nothing.")
@click.option("--status", "only_status", is_flag=True, help="Print what is done, running and failed; run nothing.")
@click.option("--only-failed", is_flag=True, help="Only runs with a failed notebook.")
@click.option("--limit", type=click.IntRange(1), default=None, help="At most so many unfinished runs.")
@data_option
@runs_option
@told_plainly
def many(file: str | None, data_root: str | None, runs_dir: str | None, **typed: Any) -> None:
    """Execute many runs: every corpus with every task, duration, method and seed, from options or a YAML FILE.

    Whatever was interrupted goes on with the same command. Exit 1 if a notebook failed.
    """
    from mer_kit.runs import grid

    where = Path(runs_dir).expanduser().absolute() if runs_dir else default_runs_dir()
    try:
        wanted = grid.read(file) if file else grid.Grid()
        wanted = dataclasses.replace(wanted, **varied(typed))
        planned = grid.cells(wanted)
    except MerKitError as error:
        raise click.UsageError(str(error)) from error
    opener = grid.Opener(where, data_root)
    found = [(cell, grid.tasks(cell, opener.experiment(cell), runs_dir=where, data_root=data_root)) for cell in planned]
    chosen = grid.choose(found, only_failed=typed["only_failed"], limit=typed["limit"])
    if typed["dry_run"] or typed["only_status"]:
        table, told = grid.plan_table(
            found if typed["only_status"] else chosen, grid.unit_costs(where), workers=typed["workers"]
        )
        click.echo(table.to_string(index=False) if len(table) else "nothing to do")
        click.echo(told)
        return
    for cell, _ in chosen:
        opener.experiment(cell).write_config()
    execute_grid(chosen, where, data_root, typed)


def varied(typed: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a grid that were typed; "1,2" is a list, and --seeds 3 is 0, 1, 2."""
    from mer_kit.runs import grid

    given: dict[str, Any] = {name: typed[name] for name in ("folds", "only_folds", "preset", "seeds")}
    for name in ("corpus", "task", "method"):
        given[name] = [part.strip() for part in typed[name].split(",")] if typed[name] else None
    if typed["seconds"]:
        try:
            given["seconds"] = [float(part) for part in typed["seconds"].split(",")]
        except ValueError as error:
            raise click.UsageError(
                f"--seconds {typed['seconds']!r} cannot be read: write numbers like 1,2,3"
            ) from error
    if typed["settings"]:
        given["overrides"] = dict(parse_setting(text) for text in typed["settings"])
    given = {name: value for name, value in given.items() if value is not None}
    read = grid.Grid.of(given)
    return {name: getattr(read, name) for name in given}


def execute_grid(chosen: Any, where: Path, data_root: str | None, typed: dict[str, Any]) -> None:
    """Execute the chosen runs on the engine that was asked for, then notebook 06 and the results page."""
    from mer_kit.runs import engine, grid
    from mer_kit.show import report

    tasks = [task for _, planned in chosen for task in planned]
    limits = engine.Limits(
        seconds=60 * typed["limit_minutes"] if typed["limit_minutes"] else None,
        memory_mb=typed["limit_mb"],
        resources={"GPU": 1} if typed["gpus"] else None,
    )
    outcomes: list[dict[str, Any]] = []
    if tasks:
        tasks.append(grid.results_task(chosen[0][0], where, data_root, [task.name for task in tasks]))
        if typed["slurm"]:
            started = engine.slurm(typed["slurm"])
        elif typed["scheduler"]:
            names = ("tls_ca", "tls_cert", "tls_key")
            files = dict(zip(("ca", "certificate", "key"), (typed[name] for name in names), strict=True))
            started = engine.joined(typed["scheduler"], **files)
        else:
            started = engine.local(typed["workers"])
        with started as client:
            click.echo(f"{len(chosen)} runs, {len(tasks)} notebooks; dashboard {client.dashboard_link}")
            outcomes = engine.run(client, tasks, limits=limits, say=click.echo)
    page = report.write(where)
    failed = [outcome for outcome in outcomes if outcome["state"] == "failed"]
    skipped = sum(outcome["state"] == "skipped" for outcome in outcomes)
    click.echo(f"\nresults page  {page}")
    if failed:
        raise MerKitError(
            f"{len(failed)} of {len(outcomes)} notebooks failed and {skipped} were left out, first "
            f"{failed[0]['name']}: {failed[0]['message']}: the same command tries them again"
        )


@main.command()
@click.argument("runs_dirs", nargs=-1, type=click.Path(exists=True, file_okay=False))
@runs_option
@click.option("--into", type=click.Path(file_okay=False), help="One page for all of the folders, written there.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@told_plainly
def report(runs_dirs: tuple[str, ...], runs_dir: str | None, into: str | None, open_page: bool) -> None:
    """Write results.csv and index.html from the finished runs of a folder, or of several, each or --into one."""
    from mer_kit.show import report as page

    if into:
        written = page.merge([*runs_dirs, *([runs_dir] if runs_dir else [])] or [default_runs_dir()], into)
        click.echo(f"wrote {written} and results.csv beside it")
        return
    for folder in [Path(name) for name in runs_dirs] or [Path(runs_dir) if runs_dir else default_runs_dir()]:
        written = page.write(folder.expanduser().absolute())
        click.echo(f"wrote {written} and results.csv beside it")
        if open_page:
            webbrowser.open(written.as_uri())


@main.command()
@click.argument("song", type=click.Path())
@click.option("--run", "run_folder", type=click.Path(file_okay=False), help="A run folder (default: the newest run).")
@click.option("--fold", type=int, default=None, help="Use this fold's network only.")
@data_option
@click.option("--out", type=click.Path(file_okay=False), default=".", show_default=True, help="Where files go.")
@runs_option
@told_plainly
def predict(
    song: str, run_folder: str | None, fold: int | None, data_root: str | None, out: str, runs_dir: str | None
) -> None:
    """Draw the emotion curve of any audio file (PNG, SVG, CSV, HTML) with a run's networks."""
    from mer_kit.runs import predict as prediction
    from mer_kit.show import curve_files

    folder = (
        Path(run_folder) if run_folder else prediction.newest_run(Path(runs_dir) if runs_dir else default_runs_dir())
    )
    curve = prediction.predict_curve(song, folder, fold=fold, data_root=data_root)
    click.echo(prediction.describe(curve))
    for path in curve_files.write(curve, Path(out), Path(song)):
        click.echo(f"wrote {path}")


@main.command()
@click.argument("corpus", required=False, type=click.Choice(corpora.names()))
@click.option("--check", is_flag=True, help="Decode everything, and compare with the index if there is one.")
@click.option("--index", "make_index", is_flag=True, help="Write sizes, checksums and durations to compare with later.")
@click.option("--index-file", type=click.Path(dir_okay=False), help="Where the index is (default: in the corpus).")
@corpus_option
@data_option
@told_plainly
def data(
    corpus: str | None,
    check: bool,
    make_index: bool,
    index_file: str | None,
    options: tuple[str, ...],
    data_root: str | None,
) -> None:
    """Show which corpora are here and what is in them; with a name, list everything that is wrong or odd about it."""
    from mer_kit.runs import datasets

    if corpus is None and (check or make_index or options):
        raise click.UsageError("--check, --index and --option want the name of a corpus: mer-kit data CORPUS …")
    chosen = dict(parse_setting(text) for text in options)
    table = datasets.overview(data_root, only=corpus, options=chosen)
    if corpus is None:
        click.echo(datasets.summary(table) + "\n")
    for row in table.to_dict("records"):
        click.echo(datasets.as_text({str(name): value for name, value in row.items()}))
    if corpus is not None and table["state"].item() in ("missing", "broken"):
        raise MerKitError(f"{corpus} is {table['state'].item()}: see above")
    if corpus is not None:
        list_problems(corpora.load(corpus, data_root, **chosen), check, make_index, index_file)


def list_problems(corpus: Corpus, check: bool, make_index: bool, index_file: str | None) -> None:
    """Print a corpus' notes and problems; decode and compare, or write the index, where asked; exit 1 on problems."""
    from mer_kit.runs import checksums, datasets

    for note in datasets.notes(corpus):
        click.echo(f"  note: {note}")
    problems = list(corpus.problems)
    if check or make_index:
        started = time.perf_counter()
        found, undecodable = checksums.measure(corpus)
        problems += undecodable
        click.echo(f"  decoded {len(corpus.clips)} clips in {time.perf_counter() - started:.0f} s")
        index = Path(index_file) if index_file else corpus.root / checksums.INDEX
        if make_index:
            click.echo(f"  wrote {checksums.write_index(found, corpus, index)}")
        elif index_file or index.is_file():
            problems += checksums.compare(found, checksums.read_index(index))
            click.echo(f"  compared {len(found)} files with {index.name}")
        else:
            click.echo("  no index to compare with: `--index` writes one")
    for problem in problems:
        click.echo(f"  {problem}")
    if problems:
        raise MerKitError(
            f"{corpus.name} has {len(problems)} problems, listed above ({checksums.counted(problems)}): mend them, or "
            "leave these clips out with `mer-kit run --set on_bad_clip=skip`"
        )


@main.command()
@runs_option
@told_plainly
def doctor(runs_dir: str | None) -> None:
    """Check this machine: Python, torch, audio, kernels, disk; exit 1 if something will not work."""
    from mer_kit.runs import machine

    table = machine.check_machine(runs_dir=runs_dir)
    for _, row in table.iterrows():
        advice = f"\n{'':<29} → {row['advice']}" if row["advice"] else ""
        click.echo(f"{row['state']!s:<8} {row['item']!s:<20} {row['found']}{advice}")
    broken = table[table["state"] == "problem"]
    if len(broken):
        raise MerKitError(f"{len(broken)} things need mending, first {broken['item'].iloc[0]}: see above")


@main.command()
@runs_option
@click.option("--out", type=click.Path(file_okay=False), default=None, help="Default: the checkout's figures/.")
@told_plainly
def figures(runs_dir: str | None, out: str | None) -> None:
    """Rebuild figures/ from the demo run; makes the demo run first if it is not there."""
    from mer_kit.show import readme_figures

    where = Path(runs_dir).expanduser().absolute() if runs_dir else default_runs_dir()
    for path in readme_figures.write(where, Path(out) if out else None):
        click.echo(f"wrote {path}")


if __name__ == "__main__":
    main()
