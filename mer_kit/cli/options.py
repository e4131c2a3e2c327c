"""Shared command-line options, option parsing, and error reporting."""

import errno
import json
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

from mer_kit.checks import MerKitError, plain, shortened
from mer_kit.paths import default_runs_dir
from mer_kit.runs.defaults import PRESETS
from mer_kit.signal.frontends import FRONTENDS
from mer_kit.training.networks import NETWORKS

runs_option = click.option(
    "--runs",
    "runs_dir",
    type=click.Path(file_okay=False),
    help="Folder of the run folders (default: MER_RUNS, else runs/).",
)
data_option = click.option(
    "--data",
    "data_root",
    type=click.Path(),
    help="Folder of the corpora (default: MER_DATA, else data/).",
)
corpus_option = click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set an option of the corpus loader, for example ties=low; may be repeated.",
)
preset_option = click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default=None,
    help="Named set of settings (default: demo for the demo corpus, cpu for a front-end with "
    "frames, else embedding).",
)
frontend_option = click.option(
    "--frontend",
    default=None,
    help=f"Features that represent a segment: {', '.join(FRONTENDS)}, or several joined as in "
    "logmel_stats+descriptors (default: as in the preset).",
)
network_option = click.option(
    "--network",
    type=click.Choice(list(NETWORKS)),
    default=None,
    help="Network that classifies segments (default: as in the preset).",
)
settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Override one setting of the preset, for example tau=0.3; may be repeated.",
)


def terminal(text: str) -> str:
    r"""Return text for the terminal with control characters escaped; line breaks are kept.

    Examples
    --------
    >>> terminal("a\x1b[2J\nb")
    'a\\x1b[2J\nb'
    """
    return "\n".join(plain(line, 4000) for line in text.split("\n"))


def report_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn errors and Ctrl-C into one sentence on stderr and exit code 1.

    Examples
    --------
    >>> from click.testing import CliRunner
    >>> def fail() -> None:
    ...     raise MerKitError("tau is 2, expected 0 to 1: correct it")
    >>> result = CliRunner().invoke(click.command()(report_errors(fail)))
    >>> result.exit_code, result.output
    (1, 'mer-kit: tau is 2, expected 0 to 1: correct it\\n')
    """

    @wraps(command)
    def wrapper(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except MerKitError as error:
            sentence = terminal(str(error))
        except OSError as error:
            sentence = system_error(error)
        except KeyboardInterrupt:
            sentence = "stopped; the same command resumes from here"
        click.echo(f"mer-kit: {sentence}", err=True)
        sys.exit(1)

    return wrapper


#: Advice on errors of the operating system.
_ADVICE = {
    errno.ENOSPC: "free some space, and the same command resumes from here",
    errno.EDQUOT: "free some of your quota, and the same command resumes from here",
    errno.EACCES: "ask for permission, or choose another folder",
    errno.EPERM: "ask for permission, or choose another folder",
    errno.EROFS: "choose a writable folder, for example with --runs",
    errno.EMFILE: "raise the limit with `ulimit -n 1024`",
    errno.ENFILE: "this machine has too many files open: close programs",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOMEM: "close other programs, or use fewer workers",
    errno.EIO: "the disk reports an error: check it, or use another one",
}


def system_error(error: OSError) -> str:
    """Return an error of the operating system as one sentence: what, where, next step.

    Examples
    --------
    >>> system_error(OSError(errno.EMFILE, "Too many open files"))
    'Too many open files: raise the limit with `ulimit -n 1024`'
    >>> system_error(OSError("socket closed"))
    'socket closed: check that the folder exists and can be used'
    """
    what = error.strerror or str(error) or type(error).__name__
    if error.filename:
        what += f" at {str(error.filename)!r}"
    advice = _ADVICE.get(error.errno or 0, "check that the folder exists and can be used")
    return f"{what}: {advice}"


def runs_folder(runs_dir: str | None) -> Path:
    """Return the folder given with --runs, or the default.

    Examples
    --------
    >>> runs_folder("/data/runs").as_posix()
    '/data/runs'
    """
    return Path(runs_dir or default_runs_dir()).expanduser().absolute()


def overrides_of(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what --set, --frontend and --network override.

    Examples
    --------
    >>> overrides_of({"settings": ("tau=0.3",), "frontend": "cnn14", "network": None})
    {'tau': 0.3, 'frontend': 'cnn14'}
    """
    chosen = {name: typed[name] for name in ("frontend", "network") if typed[name]}
    return dict(map(parse_setting, typed["settings"])) | chosen


def parse_setting(text: str) -> tuple[str, Any]:
    """Return name and value of NAME=VALUE; the value is parsed as JSON, otherwise it is text.

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
