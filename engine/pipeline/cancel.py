"""What is in flight, taken back at the backend while that is still possible; all else stays as it is for a resume."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from engine.disk import AppendFile
from engine.job.outcome import Outcome
from engine.job.spec import JobSpec
from engine.job.stage import StageEnd
from engine.job.state import Event, State
from engine.job.tally import Tally
from engine.journal.writer import JournalWriter
from engine.pipeline.book import Book
from engine.pipeline.opening import Opened
from engine.pipeline.results import rewrite_results
from engine.pipeline.run_folder import open_journal
from engine.pipeline.upload_name import Named
from engine.pipeline.visit import AT_ONCE, Visit
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Progress

__all__ = ["Cancelled", "cancel"]

_REASON = "cancelled"


@dataclass(slots=True, kw_only=True)
class Cancelled:
    """What became of the jobs in flight, those between two stages among them.

    In the end in_flight = cancelled + too_late + unclear.
    """

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
        jobs = iter([spec for spec in opened.past.open_jobs if _can_be_cancelled(book.tally, spec.number)])
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
    unclear = {number for number in jobs if not _can_be_cancelled(book.tally, number)}
    if not unclear:
        return
    await visit.clock.sleep(visit.settle_s)

    def is_wanted(named: Named) -> bool:
        return named.number in unclear and named == _last_name(book.tally, named.number)

    found = await visit.rows(is_wanted)
    for number, each in found.items():
        row = each.row
        book.note(number, Event.ACCEPTED, process_id=row.process_id, eta=row.eta, adopted=True)
    cancelled.unclear = len(unclear) - len(found)


def _can_be_cancelled(tally: Tally, number: int) -> bool:
    """Say whether it is known what there is to cancel: a remote job, or nothing between two stages."""
    return bool(tally.open[number].process_id) or tally.state(number) is State.PLANNED


def _last_name(tally: Tally, number: int) -> Named:
    return Named(number, tally.generation(number), 1 if tally.open[number].staged is None else 2)


async def _cancel(visit: Visit, book: Book, spec: JobSpec, cancelled: Cancelled) -> None:
    """Cancel one job if that is possible still, and count it as what it is."""
    job = book.tally.open[spec.number]
    if job.process_id and not await _is_cancelled(visit, job.process_id):
        cancelled.too_late += 1
        return
    cancelled.cancelled += 1  # with the note, which is taken in before anything is waited for
    outcome = Outcome(
        number=spec.number,
        source=spec.source,
        reason=_REASON,
        process_id=job.process_id,
        attempts=job.attempts,
        input_sha256=job.input_sha256,
    )
    if job.staged is not None:  # its first stage is paid for; a retry begins with the second
        stages = (job.staged, StageEnd(process_id=job.process_id, attempts=job.attempts))
        attempts = job.staged.attempts + job.attempts
        outcome = replace(outcome, credits=job.staged.credits, attempts=attempts, stages=stages)
    await book.end(outcome)
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
