"""What is in flight, taken back at the backend while that is still possible; all else stays as it is for a resume."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from engine.disk import AppendFile
from engine.job.outcome import Outcome
from engine.job.spec import JobSpec
from engine.job.state import Event
from engine.journal.writer import JournalWriter
from engine.pipeline.book import Book
from engine.pipeline.opening import Opened
from engine.pipeline.results import rewrite_results
from engine.pipeline.run_folder import open_journal
from engine.pipeline.visit import AT_ONCE, Visit
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Progress

__all__ = ["Cancelled", "cancel"]

_REASON = "cancelled"


@dataclass(slots=True, kw_only=True)
class Cancelled:
    """What became of the jobs in flight: in the end in_flight = cancelled + too_late + unclear."""

    in_flight: int
    cancelled: int = 0
    too_late: int = 0  # finished, failed or gone at the backend: a resume sees to them
    unclear: int = 0  # not in the listing: a resume proves whether they ever arrived

    def record(self) -> dict[str, Any]:
        """Return the members for `--json`, without those that the summary has."""
        return {"cancelled": self.cancelled, "too_late": self.too_late, "unclear_still": self.unclear}


async def cancel(visit: Visit, cancelled: Cancelled | None = None) -> Cancelled:
    """Cancel the jobs in flight of the visited run, whose lock the caller holds.

    Each one that was is durable as failed, without a charge, when this returns. Raises RemoteError when the backend
    can't be asked: what was cancelled until then is noted. `cancelled` is counted up as it happens, so that whoever
    breaks this off knows how far it got.
    """
    opened = visit.opened
    cancelled = cancelled if cancelled is not None else Cancelled(in_flight=0)
    cancelled.in_flight = len(opened.past.open_jobs)
    if not cancelled.in_flight:
        return cancelled
    async with _book(visit) as book:
        await _look_up(visit, book, cancelled)
        jobs = iter([spec for spec in opened.past.open_jobs if book.tally.open[spec.number].process_id])
        while group := list(itertools.islice(jobs, AT_ONCE)):
            ends = (_cancel(visit, book, spec, cancelled) for spec in group)
            for end in await asyncio.gather(*ends, return_exceptions=True):
                if isinstance(end, BaseException):
                    raise end
        book.mark("closed", reason=_REASON, is_sound=not opened.past.is_suspect)
    return cancelled


@contextlib.asynccontextmanager
async def _book(visit: Visit) -> AsyncIterator[Book]:
    journal_file, results_file = await asyncio.to_thread(_files, visit.opened)
    past = visit.opened.past
    async with (
        JournalWriter(journal_file, name=str(journal_file.path)) as journal,
        JournalWriter(results_file, name=str(results_file.path)) as results,
    ):
        yield Book(past.tally, past.marks, journal, results, visit.clock)


def _files(opened: Opened) -> tuple[AppendFile, AppendFile]:
    folder, past = opened.folder, opened.past
    rewrite_results(folder, past.tally, past.since)
    journal = open_journal(folder.journal, past.journal, sync=opened.order.settings.sync)
    return journal, AppendFile(folder.results, sync=False)


async def _look_up(visit: Visit, book: Book, cancelled: Cancelled) -> None:
    """Find those whose acceptance is unclear by their filenames, once the listing is sure to show them."""
    jobs = book.tally.open
    unclear = {number for number, job in jobs.items() if not job.process_id}
    if not unclear:
        return
    await visit.clock.sleep(visit.settle_s)
    generation_of = book.tally.generation
    found = await visit.rows(lambda number, generation: number in unclear and generation == generation_of(number))
    for number, each in found.items():
        row = each.row
        book.note(number, Event.ACCEPTED, process_id=row.process_id, eta=row.eta, adopted=True)
    cancelled.unclear = len(unclear) - len(found)


async def _cancel(visit: Visit, book: Book, spec: JobSpec, cancelled: Cancelled) -> None:
    """Cancel one job if that is possible still, and count it as what it is."""
    job = book.tally.open[spec.number]
    if not await _is_cancelled(visit, job.process_id):
        cancelled.too_late += 1
        return
    cancelled.cancelled += 1  # with the note, which is taken in before anything is waited for
    await book.end(
        Outcome(
            number=spec.number,
            source=spec.source,
            reason=_REASON,
            process_id=job.process_id,
            attempts=job.attempts,
            input_sha256=job.input_sha256,
        )
    )
    visit.opened.folder.copy_of(spec.number).unlink(missing_ok=True)


async def _is_cancelled(visit: Visit, process_id: str) -> bool:
    try:
        await visit.ask(lambda: visit.client.cancel(process_id))
        return True
    except RemoteError as error:
        if error.kind not in (Kind.NOT_YET, Kind.GONE):
            raise
    # Too late, or cancelled already by a request whose answer was lost.
    row = await visit.status(process_id)
    return row is not None and row.progress is Progress.CANCELLED and not row.credits
