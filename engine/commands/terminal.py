"""The two places text goes to: results to standard output, progress to standard error."""

import sys
from typing import Any

import orjson
from rich.console import Console

__all__ = ["print_json", "print_line", "results", "screen"]


def results() -> Console:
    """Return the console for what was asked for."""
    return Console(highlight=False, soft_wrap=True)


class _Screen(Console):
    """Rich's console ends the whole program when nobody reads it any more; this one only says so."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError("nobody reads the progress")


def screen() -> Console:
    """Return the console for progress."""
    return _Screen(stderr=True, highlight=False)


def print_json(members: dict[str, Any]) -> None:
    """Print one JSON object, on one line."""
    sys.stdout.buffer.write(orjson.dumps(members) + b"\n")
    sys.stdout.flush()


def print_line(text: str, *, is_error: bool = False) -> None:
    """Print one line of text, whatever characters names on disk put into it."""
    stream = sys.stderr if is_error else sys.stdout
    stream.write(text.encode(errors="replace").decode() + "\n")
    stream.flush()
