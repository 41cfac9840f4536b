"""The `.part` file of a large result: written and hashed piece by piece, in a thread, while the next piece arrives."""

import asyncio
import hashlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

__all__ = ["PartFile"]


class PartFile:
    """Enter it to open the file and go on behind the `start` bytes that it holds; 0 begins anew.

    What was written before an error, whoever's it is, is in the file when the block is left.
    """

    def __init__(self, path: Path, start: int) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._writing: asyncio.Future[None] | None = None
        self.size_bytes = start

    async def __aenter__(self) -> Self:
        self._file = await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._writing is not None:
                await asyncio.wait((self._writing,))
                if error is None:
                    self._writing.result()
        finally:
            if self._file is not None:
                self._file.close()

    async def write(self, piece: bytes) -> None:
        """Append `piece`; returns as soon as the piece before it is written. Raises OSError, of that one too."""
        if self._writing is not None:
            await asyncio.shield(self._writing)
        self._writing = asyncio.ensure_future(asyncio.to_thread(self._write, piece))

    @property
    def sha256(self) -> str:
        """The hash, in hex, of all that the file holds; known once the block is left without an error."""
        return self._digest.hexdigest()

    def _open(self) -> BinaryIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self.size_bytes:
            return self._path.open("wb", buffering=0)
        with self._path.open("rb", buffering=0) as before:
            self._digest = hashlib.file_digest(before, "sha256")
        return self._path.open("ab", buffering=0)

    def _write(self, piece: bytes) -> None:
        if self._file is None:
            raise RuntimeError(f"{self._path} is not open")
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) :]
        self._digest.update(piece)
        self.size_bytes += len(piece)
