"""The command line: `commands`, `care` and `keys` declare what can be typed, `engine.commands` does it.

Everything heavy is imported by the command that runs, so `--help` is quick.
"""

import sys

import typer

from engine.cli.keys import app
from engine.errors import LOCAL_LIBRARIES, EngineError, MissingExtra

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; an error of this package or of the disk is one line on standard error.

    Exit code 2, 4 where the same again may work once the machine is mended, or 6 where the key is refused.
    """
    try:
        app()
    except EngineError as error:
        _say(str(error))
        sys.exit(_code(error))
    except ModuleNotFoundError as error:
        if error.name not in LOCAL_LIBRARIES:
            raise
        _say(str(MissingExtra("local", "this command")))
        sys.exit(2)
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        sys.exit(2)


def _code(error: EngineError) -> int:
    from engine.remote.failures import Kind  # noqa: PLC0415 -- not needed for --help

    if getattr(error, "kind", None) is Kind.KEY_REFUSED:
        return 6
    return 4 if error.retry_helps else 2


def _say(message: str) -> None:
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    typer.echo(" ".join(message.splitlines()), err=True)
