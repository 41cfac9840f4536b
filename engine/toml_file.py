"""Read a TOML file that somebody named; what is wrong with it is one line."""

import tomllib
from pathlib import Path
from typing import Any

from engine.errors import UsageError

__all__ = ["read_toml"]


def read_toml(path: Path | None, what: str) -> dict[str, Any]:
    """Return the tables of the file at `path`, none for no file; raises UsageError, which calls it a `what` file."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{what} file {path} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{what} file {path} is not TOML: {error}") from error
