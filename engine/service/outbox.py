"""Which notifications need not be sent again, kept across restarts in `webhooks.jsonl` of the service's folder.

A line is written after a delivery and not waited for: a crash in between repeats a notification, and none is lost.
The jobs themselves are in the service's journal; with both, a start knows what is still to be said.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from engine.disk import AppendFile, write_whole
from engine.errors import MachineError
from engine.journal.line import Record, encode
from engine.journal.replay import Reading, read
from engine.journal.writer import JournalWriter
from engine.service.notification import Notification

__all__ = ["OUTBOX_NAME", "Outbox", "open_outbox"]

OUTBOX_NAME = "webhooks.jsonl"


class Outbox:
    """What is settled: delivered, or discarded for good."""

    def __init__(self, journal: JournalWriter, last: dict[str, str]) -> None:
        """`last`: of each process id, the notification that earlier runs settled last."""
        self._journal = journal
        self._last = last

    def __repr__(self) -> str:
        return f"<Outbox: {self._journal!r}>"

    def was_settled(self, notification: Notification) -> bool:
        """Say whether an earlier run settled this one last of its job. Asked once a job: the answer is forgotten."""
        return self._last.pop(notification.process_id, None) == notification.id

    def settle(self, notification: Notification) -> None:
        """Note that this one is done with; on disk soon. Raises MachineError when an earlier write failed."""
        self._journal.append(_record(notification.process_id, notification.id))


@contextlib.asynccontextmanager
async def open_outbox(folder: Path, is_known: Callable[[str], bool]) -> AsyncIterator[Outbox]:
    """Keep the outbox in `folder`, which the caller has locked, open for as long as the block runs.

    What it holds of jobs that are not known any more, and all but the last line of a job, is dropped. Raises
    MachineError when the file can't be used.
    """
    path = folder / OUTBOX_NAME
    try:
        file, last = await asyncio.to_thread(_opened, path, is_known)
    except OSError as error:
        raise MachineError(f"{path} can't be used: {error.strerror or error}") from error
    async with JournalWriter(file, name="the service's outbox", begin_bytes=file.size_bytes) as journal:
        yield Outbox(journal, last)


def _opened(path: Path, is_known: Callable[[str], bool]) -> tuple[AppendFile, dict[str, str]]:
    reading = Reading()
    last = {}
    for record in read(path, reading):
        match record:
            case {"event": "settled", "id": str(process_id), "notification": str(notification_id)}:
                last[process_id] = notification_id
    last = {process_id: kept for process_id, kept in last.items() if is_known(process_id)}
    if reading.lines != len(last) or not reading.is_whole:
        write_whole(path, b"".join(encode(_record(process_id, kept)) for process_id, kept in last.items()))
    return AppendFile(path), last


def _record(process_id: str, notification_id: str) -> Record:
    return {"event": "settled", "id": process_id, "notification": notification_id}
