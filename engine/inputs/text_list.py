"""A text list: one path or URL a line; blank lines and lines that start with # are passed over.

Relative paths are relative to the list's own folder, so a list can travel with its pictures. Names that are not
valid UTF-8 stand in it as their bytes, the way `find` prints them.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit

from engine.errors import UsageError
from engine.inputs.candidate import Candidate

__all__ = ["is_list", "read_list", "url_candidate"]

_STRAY_BYTE = re.compile("[\udc80-\udcff]")  # no valid UTF-8, as surrogateescape keeps it
_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')


def is_list(path: Path) -> bool:
    """Say whether `path` is meant as a list: lists end in .txt or .list."""
    return path.suffix.casefold() in (".txt", ".list")


def read_list(path: Path) -> Iterator[Candidate]:
    """Yield the candidates that the list at `path` names, in its order; raises UsageError if it is no text."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            for line in lines:
                if "\0" in line:
                    raise UsageError(f"{path} is not UTF-8 text: a list holds one path or URL a line")
                name = line.strip()
                if name and not name.startswith("#"):
                    yield _candidate(name, path.parent)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error


def _candidate(name: str, folder: Path) -> Candidate:
    if name.startswith(("http://", "https://")):
        return url_candidate(name)
    path = Path(name)
    is_inside = not path.is_absolute() and ".." not in path.parts
    return Candidate(path=folder / path, place=PurePath(path) if is_inside else PurePath(path.name))


def url_candidate(url: str) -> Candidate:
    """Return the candidate for a picture on the web: placed by the last part of its path, made safe."""
    url = _STRAY_BYTE.sub(lambda match: f"%{ord(match[0]) - 0xDC00:02X}", url)
    try:
        path = unquote(urlsplit(url).path)
    except ValueError as error:
        return Candidate(url=url, place=PurePath("picture"), problem=f"is no valid URL ({error})")
    name = _UNSAFE.sub("_", PurePosixPath(path).name).strip(". ")
    return Candidate(url=url, place=PurePath(name or "picture"))
