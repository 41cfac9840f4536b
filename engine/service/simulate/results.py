"""The pictures that a simulation hands out: one flat colour, any size and format, padded to a number of bytes.

Each one decodes and is whole: what pads it are comments (JPEG), a private chunk that readers skip (PNG), or bytes
that no tag points to (TIFF).
"""

import asyncio
import hashlib
import io
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from PIL import Image

__all__ = ["Result", "Results", "make_result"]

_COLOUR = (168, 132, 108)
_PILLOW: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 30, "optimize": True}),
    "png": ("PNG", {}),
    "tiff": ("TIFF", {"compression": "tiff_deflate"}),
}
_CACHE_BYTES = 512 * 1024 * 1024
_SEGMENT_BYTES = 0xFFFF + 2  # JPEG: a marker, and at most what its two bytes of length count
_CHUNK_BYTES = 12  # PNG: what a chunk has beside its data
_END_CHUNK_BYTES = 12


@dataclass(frozen=True, slots=True)
class Result:
    """A whole file and its SHA-256, in hex."""

    body: bytes
    sha256: str


class Results:
    """Makes each result once and keeps it, up to half a gigabyte of them."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._kept: OrderedDict[tuple[str, int, int], Result] = OrderedDict()
        self._kept_bytes = 0
        # Held across an await on purpose: one picture is made at a time, and nobody makes the same one beside.
        self._making = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Results: {len(self._kept)} kept, {self._kept_bytes} bytes>"

    async def get(self, format: str, width: int, height: int) -> Result:  # noqa: A002 - the contract's word
        """Return the result of this format and size; takes no turn of the loop when it is kept."""
        asked = (format, width, height)
        if asked in self._kept:
            return self._kept[asked]
        async with self._making:
            if asked not in self._kept:
                self._keep(asked, await asyncio.to_thread(make_result, *asked, self._size_bytes))
            return self._kept[asked]

    def _keep(self, asked: tuple[str, int, int], result: Result) -> None:
        self._kept[asked] = result
        self._kept_bytes += len(result.body)
        while self._kept_bytes > _CACHE_BYTES and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._kept_bytes -= len(gone.body)


def make_result(format: str, width: int, height: int, size_bytes: int) -> Result:  # noqa: A002 - the contract's word
    """Return a picture of exactly `size_bytes`, or of as many as it takes when that is more. Blocks."""
    name, options = _PILLOW[format]
    file = io.BytesIO()
    Image.new("RGB", (width, height), _COLOUR).save(file, name, **options)
    picture = file.getvalue()
    body = _PADDERS[format](picture, size_bytes - len(picture))
    return Result(body, hashlib.sha256(body).hexdigest())


def _pad_jpeg(picture: bytes, missing: int) -> bytes:
    """Put comment segments behind the first marker; each takes at least 4 bytes."""
    segments = []
    while missing >= 4:
        size = min(missing, _SEGMENT_BYTES)
        if 0 < missing - size < 4:
            size -= 4  # leave room for one more
        segments.append(b"\xff\xfe" + (size - 2).to_bytes(2) + bytes(size - 4))
        missing -= size
    return b"".join([picture[:2], *segments, picture[2:]])


def _pad_png(picture: bytes, missing: int) -> bytes:
    """Put one chunk before the last; its name says ancillary, private and safe to copy (PNG 1.2, 3.3)."""
    if missing < _CHUNK_BYTES:
        return picture
    named = b"paDd" + bytes(missing - _CHUNK_BYTES)
    chunk = [(missing - _CHUNK_BYTES).to_bytes(4), named, zlib.crc32(named).to_bytes(4)]
    return b"".join([picture[:-_END_CHUNK_BYTES], *chunk, picture[-_END_CHUNK_BYTES:]])


def _pad_tiff(picture: bytes, missing: int) -> bytes:
    return picture + bytes(max(0, missing))


_PADDERS = {"jpeg": _pad_jpeg, "png": _pad_png, "tiff": _pad_tiff}
