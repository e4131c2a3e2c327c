"""`python -m mer_kit` is `mer-kit`."""

import io
import sys

from mer_kit.checks import MerKitError


def run() -> None:
    """Run the command line; report an extension that cannot be loaded in one sentence.

    Characters that a terminal's or file's encoding lacks are written as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        from mer_kit.cli import main
    except MerKitError as error:
        sys.exit(f"mer-kit: {error}")
    main()


if __name__ == "__main__":
    run()
