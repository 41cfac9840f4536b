"""Names for outputs: they mirror the inputs' tree, and no two inputs ever share one.

Names that differ only in case or in Unicode form are told apart too, since many file systems can't. The memory
of names taken is one 64-bit number each.
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
        self._taken: set[int] = set()

    def take(self, name: str) -> bool:
        """Mark `name` as taken; False when it already was."""
        folded = unicodedata.normalize("NFC", name).casefold()
        digest = hashlib.blake2b(folded.encode(errors="surrogateescape"), digest_size=8).digest()
        key = int.from_bytes(digest, "big")
        if key in self._taken:
            return False
        self._taken.add(key)
        return True

    def name(self, place: PurePath) -> str:
        """Return the output path for the input at `place`, relative to the output folder, with / between parts.

        The first keeps its name with the output's extension; one that would collide keeps its old extension
        too (`a.png.jpg`), then counts (`a.png-2.jpg`).
        """
        suffix = place.suffix if place.suffix.casefold() in self._suffixes else self._suffixes[0]
        folder = place.parent
        stem = place.name.removesuffix(place.suffix) if place.suffix else place.name
        names = ((folder / (_shortened(each, suffix) + suffix)).as_posix() for each in _stems(stem, place.name))
        return next(name for name in names if self.take(name))


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
