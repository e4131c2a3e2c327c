"""Lists the corpora on this machine and checks them: `mer-kit data`."""

import time
from pathlib import Path

import click

from mer_kit import corpora
from mer_kit.checks import MerKitError
from mer_kit.cli.options import corpus_option, data_option, parse_setting, report_errors
from mer_kit.records import Corpus


@click.command()
@click.argument("corpus", required=False, type=click.Choice(corpora.names()))
@click.option(
    "--check",
    is_flag=True,
    help="Decode all audio, compare it with the index if there is one, and list duplicates.",
)
@click.option(
    "--index",
    "make_index",
    is_flag=True,
    help="Write an index of sizes, checksums and durations for later checks.",
)
@click.option(
    "--index-file",
    type=click.Path(dir_okay=False),
    help="Path of the index (default: in the folder of the corpus).",
)
@corpus_option
@data_option
@report_errors
def data(
    corpus: str | None,
    check: bool,
    make_index: bool,
    index_file: str | None,
    options: tuple[str, ...],
    data_root: str | None,
) -> None:
    """Show the corpora on this machine; with a name, list the problems of that corpus."""
    from mer_kit.checkup import datasets

    if corpus is None and (check or make_index or options):
        raise click.UsageError(
            "--check, --index and --option need the name of a corpus: mer-kit data CORPUS …"
        )
    chosen = dict(map(parse_setting, options))
    table = datasets.overview(data_root, only=corpus, options=chosen)
    if corpus is None:
        click.echo(datasets.summary(table) + "\n")
    for row in table.to_dict("records"):
        click.echo(datasets.as_text({str(name): value for name, value in row.items()}))
    state = table["state"].iloc[0]
    if corpus and state in ("missing", "broken"):
        raise MerKitError(f"{corpus} is {state}: see above")
    if corpus:
        list_problems(corpora.load(corpus, data_root, **chosen), check, make_index, index_file)


def list_problems(corpus: Corpus, check: bool, make_index: bool, index_file: str | None) -> None:
    """Print a corpus' notes and problems; optionally decode, compare, and write the index.

    Raises
    ------
    MerKitError
        If there are problems.
    """
    from mer_kit.checkup import checksums, datasets, duplicates
    from mer_kit.runs import plausible

    hindrances, oddities = plausible.hindrances(corpus)
    for note in datasets.notes(corpus, oddities):
        click.echo(f"  note: {note}")
    problems = [*corpus.problems, *hindrances]
    if check or make_index:
        started = time.perf_counter()
        measured, undecodable = checksums.measure(corpus)
        problems += undecodable
        click.echo(f"  decoded {len(corpus.clips)} clips in {time.perf_counter() - started:.0f} s")
        index = Path(index_file or corpus.root / checksums.INDEX)
        if make_index:
            checksums.write_index(measured, index)
            click.echo(f"  wrote {index}")
        elif index_file or index.is_file():
            problems += checksums.compare(measured, checksums.read_index(index))
            click.echo(f"  compared {len(measured)} files with {index.name}")
        else:
            click.echo("  there is no index to compare with: `--index` writes one")
    if check:
        for line in duplicates.lines(corpus):
            click.echo(f"  {line}")
    for problem in problems:
        click.echo(f"  {problem}")
    if problems:
        raise MerKitError(
            f"{corpus.name} has {len(problems)} problems, listed above "
            f"({checksums.counted(problems)}): fix them, or leave these clips out with "
            "`mer-kit run --set on_bad_clip=skip`"
        )
