"""The command line: `commands` declares what can be typed, `engine.commands` does it.

Everything heavy is imported by the command that runs, so `--help` is quick.
"""

import sys

import typer

from engine.cli.commands import app
from engine.errors import EngineError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; an error of this package is one line on standard error, exit code 2."""
    try:
        app()
    except EngineError as error:
        typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(" ".join(str(error).splitlines()), err=True)
        sys.exit(2)
