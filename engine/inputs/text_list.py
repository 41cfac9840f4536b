"""A text list: one path or URL a line; blank lines and lines that start with # are passed over.

Relative paths are relative to the list's own folder, so a list can travel with its pictures.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote, urlsplit

from engine.errors import UsageError
from engine.inputs.candidate import Candidate

__all__ = ["is_list", "read_list", "url_candidate"]

_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')


def is_list(path: Path) -> bool:
    """Say whether `path` is meant as a list: lists end in .txt or .list."""
    return path.suffix.casefold() in (".txt", ".list")


def read_list(path: Path) -> Iterator[Candidate]:
    """Yield the candidates that the list at `path` names, in its order; raises UsageError if it is no text."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for line in lines:
                name = line.strip()
                if name and not name.startswith("#"):
                    yield _candidate(name, path.parent)
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text: a list holds one path or URL a line") from None
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
    name = _UNSAFE.sub("_", PurePosixPath(unquote(urlsplit(url).path)).name).strip(". ")
    return Candidate(url=url, place=PurePath(name or "picture"))
