"""The running engine's snapshots: one now and then, one at the end; none of them holds anything up for long."""

import asyncio
import contextlib
from dataclasses import replace

from engine.errors import MachineError
from engine.job.still import Still
from engine.journal.writer import JournalWriter
from engine.pipeline.book import Book
from engine.pipeline.past import Past
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.snapshot import FrozenPlan, Reach, Snapshot, save_snapshot

__all__ = ["Snapshots", "lines_between"]

# A snapshot costs about 30 ms of a thread per million jobs, a line that is in none costs a resume 2 us. A run of a
# million jobs, three lines each, takes some sixty.
_LEAST_LINES = 20_000
_SHARE = 20


def lines_between(planned: int) -> int:
    """Return after how many lines of the journal the next snapshot of a run of `planned` jobs is taken."""
    return max(_LEAST_LINES, planned // _SHARE)


class Snapshots:
    """What is taken is copied between two events; written it is by a thread, once the journal is on disk so far."""

    def __init__(
        self, folder: RunFolder, past: Past, book: Book, writers: tuple[JournalWriter, JournalWriter], *, every: int = 0
    ) -> None:
        """`writers`: of journal and results. `every`: so many lines of the journal; 0: as the plan's size says."""
        self._folder = folder
        self._past = past
        self._book = book
        self._journal, self._results = writers
        self._every = every
        self._place = past.place
        self._saving: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Take one whenever the journal has grown enough, for as long as the run lasts."""
        while True:
            every = self._every or lines_between(self._book.tally.planned)
            await self._journal.reached(self._journal.lines_written + every)
            await self.take()

    async def take(self) -> None:
        """Replace the snapshot by what is known now. What prevents it is no trouble of the run's."""
        if self._saving is not None:  # whoever waited for it was cancelled
            await asyncio.wait((self._saving,))
        with contextlib.suppress(MachineError, OSError):
            snapshot = self._look()
            await self._journal.commit()
            await self._results.commit()
            self._saving = asyncio.ensure_future(asyncio.to_thread(self._save, snapshot))
            await asyncio.shield(self._saving)

    def _look(self) -> Snapshot:
        """Copy what is known; nothing happens meanwhile. The lines that say it end where the writers have got to."""
        past, tally, marks = self._past, self._book.tally, self._book.marks
        is_frozen = marks.planned is not None and not past.plan.torn_bytes
        lines = past.journal.lines + self._journal.lines_appended
        return Snapshot(
            still=Still.of(tally),
            marks=replace(marks),
            journal=Reach(self._journal.end_bytes, lines, past.journal.damaged_lines),
            results=Reach(self._results.end_bytes, tally.ended),
            plan=FrozenPlan.of(self._folder.plan, tally.planned) if is_frozen else None,
        )

    def _save(self, snapshot: Snapshot) -> None:
        with contextlib.suppress(OSError):
            self._place = save_snapshot(self._folder, snapshot, self._place)
