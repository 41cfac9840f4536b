"""A folder, recursively: every file in a stable order, and a reason for whatever can't be looked into.

Hidden files and what file managers leave behind are passed over; all else is a candidate, so that nothing in
the folder goes unmentioned. Links are followed; one that leads back to a folder above itself is a link loop.
"""

import fnmatch
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from engine.errors import InputError
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


_Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    place: PurePath
    is_folder: bool


def walk(root: Path, globs: Globs, without: tuple[Path, ...] = ()) -> Iterator[Candidate]:
    """Yield the files below `root`, name by name, folders in their place; `without` folders are left out."""
    shut = {identity for path in without if (identity := _identity(path)) is not None}
    # From the root down to the folder being read; a stack and no recursion, since trees may be deeper than Python's.
    above: list[_Identity | None] = [None]
    levels = [iter([_Entry(root, PurePath(), is_folder=True)])]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            above.pop()
        elif not entry.is_folder:
            if globs.accepts(entry.place):
                yield Candidate(path=entry.path, place=entry.place)
        elif (identity := _identity(entry.path)) not in shut:
            try:
                levels.append(_enter(entry, is_loop=identity is not None and identity in above))
                above.append(identity)
            except InputError as error:
                yield Candidate(path=entry.path, place=entry.place, problem=str(error))


def _identity(path: Path) -> _Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _enter(folder: _Entry, *, is_loop: bool) -> Iterator[_Entry]:
    """Return what `folder` holds, in order; raises InputError when there is no looking into it."""
    if is_loop:
        raise InputError("is a link loop: it leads back to a folder above it")
    try:
        with os.scandir(folder.path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"is a folder that can't be read: {error.strerror or error}") from error
    return (
        _Entry(Path(entry.path), folder.place / entry.name, _is_folder(entry))
        for entry in entries
        if not entry.name.startswith(".") and entry.name.casefold() not in _LITTER
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link loop: reading its header gives the reason
