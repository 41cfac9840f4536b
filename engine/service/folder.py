"""The folder that a service lives in: its own alone, readable by nobody else."""

import stat
import sys
from pathlib import Path

from engine.errors import MachineError, UsageError
from engine.service.credits import JOURNAL_NAME
from engine.service.files import Files

__all__ = ["check_whole", "prepare"]

# What a service, and `keys`, leave in it.
_OWN = frozenset({JOURNAL_NAME, "inputs", "keys.json", "keys.json.lock", "lock", "outputs", "secret", "webhooks.jsonl"})
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def prepare(folder: Path) -> None:
    """Make `folder`, or close it to others; raises UsageError for one that is somebody's, MachineError. Blocks."""
    try:
        folder.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
        if folder.stat().st_mode & _OTHERS and sys.platform != "win32":
            _check_own(folder)
            folder.chmod(stat.S_IRWXU)
    except OSError as error:
        raise MachineError(f"{folder} can't be used: {error.strerror or error}") from error


def check_whole(folder: Path, files: Files) -> None:
    """Raise UsageError for pictures without a journal: the sweep would take them for a crash's. Blocks."""
    if not (folder / JOURNAL_NAME).exists() and files.has_any():
        raise UsageError(
            f"{folder} holds pictures of a service but no {JOURNAL_NAME}: bring that back from a backup, "
            "or name another folder"
        )


def _check_own(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in _OWN and path.suffix != ".part":
            raise UsageError(
                f"{folder} is open to others and holds other files ({path.name}): give the service a folder of its own"
            )
