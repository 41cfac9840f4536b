"""A journal that is written but not synced: it survives the process, not the machine, and costs no thread.

Lines of one turn of the loop go in one write. The ledger is read from it as from any other.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from engine.disk import AppendFile
from engine.errors import MachineError
from engine.journal.line import Json, encode

__all__ = ["UnsyncedJournal"]


class UnsyncedJournal:
    """`engine.service.job_store.Journal` over a file that was opened without sync. Leaving writes what is pending."""

    def __init__(self, file: AppendFile) -> None:
        self._file = file
        self._pending: list[bytes] = []
        self._group: asyncio.Future[None] | None = None  # over when the pending lines are written
        self._failure: MachineError | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._write()
        finally:
            self._file.close()
        if self._failure is not None and error is None:
            raise self._failure

    def append(self, record: Mapping[str, Json]) -> None:
        """Have `record` written at the end of this turn of the loop; raises MachineError after a failed write."""
        if self._failure is not None:
            raise self._failure
        if self._group is None:
            loop = asyncio.get_running_loop()
            self._group = loop.create_future()
            loop.call_soon(self._write)
        self._pending.append(encode(record))

    async def commit(self, record: Mapping[str, Json] | None = None) -> None:
        """Return once `record` and all before it are written; raises MachineError when they can't be."""
        if record is not None:
            self.append(record)
        if self._group is not None:
            await asyncio.shield(self._group)
        if self._failure is not None:
            raise self._failure

    def _write(self) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        self._write_lines()
        group.set_result(None)

    def _write_lines(self) -> None:
        lines, self._pending = self._pending, []
        if self._failure is not None:
            return
        try:
            self._file.append(b"".join(lines))
        except OSError as error:
            self._failure = MachineError(
                f"the simulated service's journal can't be written ({error.strerror or error}): "
                "make room or mend the folder"
            )
