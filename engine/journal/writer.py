"""Group commit: many events, one write and one sync in one thread hop, nobody acknowledged before it.

While one group is on its way to the disk the next one gathers, so the number of syncs follows the disk and
not the number of events. A pause between groups makes them fewer still where the disk is quick: the first line
after a quiet moment is written at once, a busy writer makes one group a pause. After a failed write the file holds
exactly what was acknowledged before, and the writer takes no more: whoever waits gets MachineError.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from engine.errors import MachineError
from engine.journal.line import Json, encode

__all__ = ["JournalFile", "JournalWriter"]


class JournalFile(Protocol):
    """Where lines go: `engine.disk.AppendFile`, or a scripted one in tests."""

    def append(self, data: bytes) -> None:
        """Make `data` durable, or raise OSError and leave the file as it was. Blocks."""
        ...

    def close(self) -> None: ...


class JournalWriter:
    """The only writer of one journal. Enter it on the loop that uses it; leaving writes what is pending."""

    def __init__(
        self,
        file: JournalFile,
        *,
        name: str,
        begin_bytes: int = 0,
        pause: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`begin_bytes`: how long `file` is. `pause`: waited for after each group."""
        self._file = file
        self._name = name
        self._pause = pause
        self._pending: list[bytes] = []
        self._group: asyncio.Future[None] | None = None  # the lines in `_pending`
        self._writing: asyncio.Future[None] | None = None  # the lines on their way to the disk
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._failure: MachineError | None = None
        self.groups_written = 0
        self.lines_written = 0
        self.lines_appended = 0
        self.end_bytes = begin_bytes  # where the line appended last ends, or will
        self._milestone: tuple[int, asyncio.Future[None]] | None = None

    def __repr__(self) -> str:
        return f"<JournalWriter {self._name}: {self.lines_written} lines in {self.groups_written} groups>"

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._write_groups(), name=f"journal {self._name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def append(self, record: Mapping[str, Json]) -> None:
        """Queue `record` for the next group; it is durable once a later `commit` returns.

        Raises MachineError when an earlier write failed, RuntimeError once the journal is being closed.
        """
        self.append_line(encode(record))

    def append_line(self, line: bytes) -> None:
        """As `append`, for a line that is encoded already."""
        if self._failure is not None:
            raise self._failure
        if self._closing:
            raise RuntimeError(f"{self._name} is closed")
        self._pending.append(line)
        self.lines_appended += 1
        self.end_bytes += len(line)
        self._wake.set()

    async def commit(self, record: Mapping[str, Json] | None = None) -> None:
        """Return once `record`, and everything appended before, is on disk; raises MachineError if it can't be.

        Cancelling the caller does not take the record back.
        """
        if record is not None:
            self.append(record)
        if self._failure is not None:
            raise self._failure
        group = self._gathering() if self._pending else self._writing
        if group is not None:
            await asyncio.shield(group)

    async def reached(self, lines: int) -> None:
        """Return once `lines_written` has got to `lines`. For one waiter at a time."""
        if self.lines_written >= lines:
            return
        self._milestone = lines, asyncio.get_running_loop().create_future()
        await self._milestone[1]

    def _gathering(self) -> asyncio.Future[None]:
        if self._group is None:
            self._group = asyncio.get_running_loop().create_future()
        return self._group

    async def close(self) -> None:
        """Write what is pending and close the file. Safe to call twice."""
        if self._task is None:
            return
        self._closing = True
        self._wake.set()
        task, self._task = self._task, None
        try:
            await asyncio.shield(task)
        finally:
            if task.done():
                self._file.close()
            else:  # cancelled here: the file is not closed under the thread that writes to it
                task.add_done_callback(lambda _task: self._file.close())

    async def _write_groups(self) -> None:
        while not (self._closing and not self._pending):
            await self._wake.wait()
            self._wake.clear()
            if not self._pending:
                continue
            if not await self._write_group():
                return
            if self._pause is not None and not self._closing:
                await self._pause()

    async def _write_group(self) -> bool:
        lines, self._pending = self._pending, []
        self._writing, self._group = self._gathering(), None
        try:
            await asyncio.to_thread(self._file.append, b"".join(lines))
        except Exception as error:  # an OSError as a rule; whatever it is, whoever waits must hear of it
            self._fail(error)
            return False
        self.groups_written += 1
        self.lines_written += len(lines)
        self._writing.set_result(None)
        self._writing = None
        self._pass_milestone()
        return True

    def _pass_milestone(self) -> None:
        if self._milestone is not None and self.lines_written >= self._milestone[0]:
            if not self._milestone[1].done():  # cancelled
                self._milestone[1].set_result(None)
            self._milestone = None

    def _fail(self, error: Exception) -> None:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        self._failure = MachineError(
            f"{self._name} can't be written ({why}): make room or mend the folder, then resume"
        )
        for group in (self._writing, self._group):
            if group is not None:
                group.set_exception(self._failure)
                group.exception()  # its waiters may have been cancelled: no "never retrieved" noise
        self._writing = self._group = None
