"""A folder, recursively: every file in a stable order, and a reason for whatever can't be looked into.

Hidden files and what file managers leave behind are passed over; all else is a candidate, so that nothing in
the folder goes unmentioned. Links are followed; one that leads back to a folder above itself is a link loop.
"""

import fnmatch
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from engine.inputs.candidate import Candidate

__all__ = ["Globs", "walk"]

# What Windows, macOS and NAS systems leave in picture folders.
_LITTER = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "@eadir", "$recycle.bin"})


@dataclass(frozen=True, slots=True)
class Globs:
    """Which files of a folder count, by glob over the path below the folder or the bare name, ignoring case."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def accepts(self, place: PurePath) -> bool:
        return (not self.include or _any_match(place, self.include)) and not _any_match(place, self.exclude)


def _any_match(place: PurePath, globs: tuple[str, ...]) -> bool:
    names = (place.as_posix().casefold(), place.name.casefold())
    return any(fnmatch.fnmatchcase(name, glob.casefold()) for glob in globs for name in names)


def walk(root: Path, globs: Globs, without: tuple[Path, ...] = ()) -> Iterator[Candidate]:
    """Yield the files below `root`, name by name, folders in their place; `without` folders are left out."""
    shut = {identity for path in without if (identity := _identity(path)) is not None}
    yield from _walk(root, PurePath(), globs, shut, ())


_Identity = tuple[int, int]


def _identity(path: Path) -> _Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _walk(
    folder: Path, below: PurePath, globs: Globs, shut: set[_Identity], above: tuple[_Identity, ...]
) -> Iterator[Candidate]:
    identity = _identity(folder)
    if identity in above:
        yield Candidate(path=folder, place=below, problem="is a link loop: it leads back to a folder above it")
        return
    if identity is None or identity in shut:
        return
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield Candidate(path=folder, place=below, problem=f"is a folder that can't be read: {error.strerror}")
        return
    for entry in entries:
        place = below / entry.name
        if entry.name.startswith(".") or entry.name.casefold() in _LITTER:
            continue
        if _is_folder(entry):
            yield from _walk(Path(entry.path), place, globs, shut, (*above, identity))
        elif globs.accepts(place):
            yield Candidate(path=Path(entry.path), place=place)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link loop: reading its header gives the reason
