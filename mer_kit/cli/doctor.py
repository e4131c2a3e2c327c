"""Checks whether this machine has what mer-kit needs: `mer-kit doctor`."""

import click

from mer_kit.checks import MerKitError
from mer_kit.cli.options import report_errors, runs_option


@click.command()
@runs_option
@report_errors
def doctor(runs_dir: str | None) -> None:
    """Check this machine: Python, torch, audio, kernels, disk; exit 1 on problems."""
    from mer_kit.checkup import machine

    table = machine.check_machine(runs_dir=runs_dir)
    for _, row in table.iterrows():
        click.echo(f"{row['state']!s:<8} {row['item']!s:<20} {row['found']}")
        if row["advice"]:
            click.echo(f"{'':<29} → {row['advice']}")
    broken = table[table["state"] == "problem"]
    if len(broken):
        raise MerKitError(
            f"{len(broken)} problems found, first {broken['item'].iloc[0]}: see above"
        )
