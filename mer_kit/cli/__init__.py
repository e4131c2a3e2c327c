"""The command `mer-kit`: one file per subcommand, with little code of its own.

Exit codes: 0 success, 1 something failed (with a message), 2 wrong usage.

To add a command, write a function with `@click.command()`, its options (shared ones are in
`options`) and `@report_errors` in a new file, and add it to `COMMANDS`. Import other rooms inside
the function, so that `mer-kit --help` stays fast.
"""

import click

import mer_kit
from mer_kit.cli import data, doctor, frontends, grid, predict, report, run

#: Every command of `mer-kit`.
COMMANDS: tuple[click.Command, ...] = (
    run.demo,
    run.run,
    grid.grid_command,
    report.report,
    predict.predict,
    data.data,
    frontends.frontends,
    doctor.doctor,
)


@click.group(commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mer_kit.__version__, prog_name="mer-kit")
def main() -> None:
    """A research kit for music emotion recognition with noisy segment labels.

    Start with `mer-kit demo`, then open notebooks/00_start_here.ipynb in JupyterLab.
    """
