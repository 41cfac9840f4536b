"""A picture on its way to disk: written as it arrives, durable when finished, gone when discarded."""

import asyncio
import os
from pathlib import Path
from typing import BinaryIO

from engine.disk import sync_folder
from engine.picture import Claims
from engine.service.picture_head import read_head

__all__ = ["Upload"]

_FLUSH_BYTES = 1024 * 1024  # one thread hop a megabyte; smaller uploads take one in all


class Upload:
    """One new file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = bytearray()
        self._file: BinaryIO | None = None

    async def add(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= _FLUSH_BYTES:
            await asyncio.to_thread(self._flush)

    async def finish(self) -> Claims:
        """Make the file durable and return what its header claims; raises Refusal when that is no good."""
        return await asyncio.to_thread(self._finish)

    def discard(self) -> None:
        """Remove what was written; safe at any time."""
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def _finish(self) -> Claims:
        file = self._flush()
        with self._path.open("rb") as written:
            head = read_head(written)
        os.fsync(file.fileno())
        file.close()
        sync_folder(self._path.parent)
        return head

    def _flush(self) -> BinaryIO:
        if self._file is None:
            self._file = self._path.open("xb", buffering=0)
        data, self._buffer = self._buffer, bytearray()
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        return self._file
