"""A picture on its way to disk: written as it arrives, durable when finished, gone when discarded."""

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.disk import sync_file, sync_folder
from engine.picture import Claims
from engine.service.jobs import Job
from engine.service.picture_head import read_head
from engine.service.refusal import Refusal

__all__ = ["Arrived", "Upload"]

_FLUSH_BYTES = 1024 * 1024  # one thread hop a megabyte; smaller uploads take one in all


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A picture that is here: what its header claims, and the bytes it takes on the disk."""

    head: Claims
    size_bytes: int = 0


class Upload:
    """One new file at `path`."""

    def __init__(self, path: Path, stored: Callable[[Job, str], Path]) -> None:
        """`stored` says where what a job has lies: its `inputs`, or its `outputs`."""
        self._path = path
        self._stored = stored
        self._buffer = bytearray()
        self._file: BinaryIO | None = None
        self._is_there = False
        self._is_discarded = False

    async def add(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= _FLUSH_BYTES:
            await asyncio.to_thread(self._flush)

    async def finish(self) -> Arrived:
        """Make the file durable; raises Refusal when what its header claims is no good."""
        return await asyncio.to_thread(self._finish)

    async def adopt(self, job: Job, kind: str) -> Arrived:
        """Take over what `job` has, which is never written again; raises Refusal."""
        try:
            return await asyncio.to_thread(self._adopt, self._stored(job, kind))
        except FileNotFoundError:
            raise Refusal(400, "source_url: the picture is no longer there") from None

    def discard(self) -> None:
        """Remove what was written; safe at any time, also while a thread writes."""
        self._is_discarded = True
        if self._file is not None:
            self._file.close()
        if self._is_there:
            self._path.unlink(missing_ok=True)

    def _adopt(self, path: Path) -> Arrived:
        try:
            self._path.hardlink_to(path)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without links
            shutil.copyfile(path, self._path)
            sync_file(self._path)
        self._is_there = True
        with self._path.open("rb") as file:
            head = read_head(file)
            size_bytes = os.fstat(file.fileno()).st_size
        sync_folder(self._path.parent)
        self._look_back()
        return Arrived(head=head, size_bytes=size_bytes)

    def _finish(self) -> Arrived:
        file = self._flush()
        with self._path.open("rb") as written:
            head = read_head(written)
        os.fsync(file.fileno())
        size_bytes = file.tell()
        file.close()
        sync_folder(self._path.parent)
        self._look_back()
        return Arrived(head=head, size_bytes=size_bytes)

    def _look_back(self) -> None:
        if self._is_discarded:  # while this thread was at it
            self.discard()

    def _flush(self) -> BinaryIO:
        if self._file is None:
            self._file = self._path.open("xb", buffering=0)
            self._is_there = True
        data, self._buffer = self._buffer, bytearray()
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._look_back()
        return self._file
