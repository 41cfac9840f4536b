"""Names for outputs: they mirror the inputs' tree, and no two inputs ever share one.

Names that differ only in case or in Unicode form are told apart too, since many file systems can't; and a file
never gets the name of a folder that another output needs. The memory of names taken is one 64-bit number each.
"""

import hashlib
import itertools
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath

from engine.job.parameters import OutputFormat

__all__ = ["Namer"]

_SUFFIXES = {
    OutputFormat.JPEG: (".jpg", ".jpeg", ".jpe", ".jfif"),
    OutputFormat.PNG: (".png",),
    OutputFormat.TIFF: (".tif", ".tiff"),
}
# Most file systems hold 255 bytes a name; `.part` and a number must fit too.
_MAX_NAME_BYTES = 240


class Namer:
    """Gives every place its output name, once."""

    def __init__(self, output_format: OutputFormat) -> None:
        self._suffixes = _SUFFIXES[output_format.canonical]
        self._files: set[int] = set()
        self._folders: set[int] = set()
        # The folder of the newest name, as it is called in the output: pictures come folder by folder. Its name can't
        # be lost to a file any more.
        self._newest: tuple[PurePath, PurePath] | None = None

    def take(self, name: str) -> bool:
        """Mark `name` as taken, and its folders as folders; False, with nothing marked, when it can't be had."""
        key, folders = _key(name), [_key(folder) for folder in _folders(name)]
        if key in self._files or key in self._folders or not self._files.isdisjoint(folders):
            return False
        self._files.add(key)
        self._folders.update(folders)
        return True

    def name(self, place: PurePath) -> str:
        """Return the output path for the input at `place`, relative to the output folder, with / between parts.

        The first keeps its name with the output's extension; one that would collide keeps its old extension
        too (`a.png.jpg`), then counts (`a.png-2.jpg`). So does a folder that has the name of a file (`a.jpg-2`).
        """
        suffix = place.suffix if place.suffix.lower() in self._suffixes else self._suffixes[0]
        if self._newest is None or self._newest[0] != place.parent:
            self._newest = None
            folder = self._folder(place.parent)
        else:
            folder = self._newest[1]
        stem = place.name.removesuffix(place.suffix) if place.suffix else place.name
        names = ((folder / (_shortened(each, suffix) + suffix)).as_posix() for each in _stems(stem, place.name))
        name = next(name for name in names if self.take(name))
        self._newest = place.parent, folder
        return name

    def _folder(self, place: PurePath) -> PurePath:
        folder = PurePath()
        for part in place.parts:
            names = (folder / each for each in itertools.chain((part,), (f"{part}-{n}" for n in itertools.count(2))))
            folder = next(name for name in names if _key(name.as_posix()) not in self._files)
        return folder


def _key(name: str) -> int:
    # Unicode's canonical caseless matching (3.13, D145); names that only differ in it collide on macOS.
    if name.isascii():
        return int.from_bytes(hashlib.blake2b(name.lower().encode(), digest_size=8).digest(), "big")
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
    return int.from_bytes(hashlib.blake2b(folded.encode(errors="surrogateescape"), digest_size=8).digest(), "big")


def _folders(name: str) -> Iterator[str]:
    """Yield every folder on the way to `name`."""
    at = name.find("/")
    while at > 0:
        yield name[:at]
        at = name.find("/", at + 1)


def _stems(stem: str, name: str) -> Iterator[str]:
    yield stem
    yield name
    for number in itertools.count(2):
        yield f"{name}-{number}"


def _shortened(stem: str, suffix: str) -> str:
    room = _MAX_NAME_BYTES - len(suffix)
    raw = stem.encode(errors="surrogateescape")
    if len(raw) <= room:
        return stem
    mark = "~" + hashlib.blake2b(raw, digest_size=4).hexdigest()
    return raw[: room - len(mark)].decode(errors="ignore") + mark
