"""What several commands share: options, how an option's text is read, and how an error is told."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from mer_kit.checks import MerKitError, plain, shortened
from mer_kit.paths import default_runs_dir
from mer_kit.runs.presets import PRESETS
from mer_kit.signal.frontends import FRONTENDS
from mer_kit.training.networks import NETWORKS

runs_option = click.option(
    "--runs", "runs_dir", type=click.Path(file_okay=False), help="Folder of the run folders."
)
data_option = click.option(
    "--data", "data_root", type=click.Path(), help="Where corpora lie (default MER_DATA, data/)."
)
corpus_option = click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the corpus, like ties=low.",
)
preset_option = click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default=None,
    help="Default: demo for demo, else cpu.",
)
frontend_option = click.option(
    "--frontend",
    type=click.Choice(list(FRONTENDS)),
    default=None,
    help="What a segment is to the network.",
)
network_option = click.option(
    "--network", type=click.Choice(list(NETWORKS)), default=None, help="Of segments."
)
settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Override one setting of the preset.",
)


def terminal(text: str) -> str:
    r"""Return text for the terminal, line by line, without the control characters that a file or a name may hold.

    Examples
    --------
    >>> terminal("a\x1b[2J\nb")
    'a\\x1b[2J\nb'
    """
    return "\n".join(plain(line, 4000) for line in text.split("\n"))


def report_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a MerKitError into one sentence on stderr and exit code 1."""

    @wraps(command)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except MerKitError as error:
            click.echo(f"mer-kit: {terminal(str(error))}", err=True)
            sys.exit(1)
        except OSError as error:
            click.echo(f"mer-kit: {system_error(error)}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo("mer-kit: stopped; the same command goes on from here", err=True)
            sys.exit(1)

    return wrapper


#: What helps against the system's errors that are not about a path.
_ADVICE = {
    errno.ENOSPC: "free some space, and the same command goes on from here",
    errno.EDQUOT: "free some of your quota, and the same command goes on from here",
    errno.EACCES: "ask for the right to use it, or choose another folder",
    errno.EPERM: "ask for the right to use it, or choose another folder",
    errno.EROFS: "choose a folder that can be written, for example with --runs",
    errno.EMFILE: "raise the limit with `ulimit -n 1024`",
    errno.ENFILE: "this machine has too many files open: close programs",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOMEM: "close other programs, or use fewer workers",
    errno.EIO: "the disk reports a fault: check it, or use another one",
}


def system_error(error: OSError) -> str:
    """Return one sentence on an error of the operating system: what, where, what to do.

    Examples
    --------
    >>> system_error(OSError(errno.EMFILE, "Too many open files"))
    'Too many open files: raise the limit with `ulimit -n 1024`'
    >>> system_error(OSError("socket closed"))
    'socket closed: check that the folder is there and can be used'
    """
    where = f" at {str(error.filename)!r}" if error.filename else ""
    what = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0, "check that the folder is there and can be used")
    return f"{what}{where}: {advice}"


def runs_folder(runs_dir: str | None) -> Path:
    """Return the folder that --runs names, or the usual one."""
    return Path(runs_dir).expanduser().absolute() if runs_dir else default_runs_dir()


def parse_setting(text: str) -> tuple[str, Any]:
    """Return ("tau", 0.3) from "tau=0.3"; values are JSON, anything else is text.

    Raises
    ------
    click.UsageError
        If the text has no "=" or no name before it.

    Examples
    --------
    >>> parse_setting("tau=0.3"), parse_setting("group_by=song")
    (('tau', 0.3), ('group_by', 'song'))
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.UsageError(
            f"--set {shortened(text)} cannot be read: write NAME=VALUE, for example tau=0.3"
        )
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value
