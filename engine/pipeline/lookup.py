"""Flights that may or may not have been accepted: looked up by filename in the listing before any repeat.

All of them share one sweep, page by page, without assuming an order. A flight that is found is adopted. One
that is not found, in as many whole sweeps as the settings ask and not before its settle time, is proven absent.
"""

import asyncio
from collections.abc import Awaitable, Callable

from engine.job.state import Event
from engine.pipeline.flight import Flight
from engine.pipeline.scope import Scope
from engine.remote.client import Page
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Progress, Row

__all__ = ["PREFERENCE", "Lookup"]

# A job that ended well is adopted rather than its twin that did not, should there ever be two.
PREFERENCE = (Progress.COMPLETED, Progress.PROCESSING, Progress.PENDING, Progress.CANCELLED, Progress.FAILED)
# A remote that lists a job but answers 404 for it is believed about the listing this often.
_MAX_TIMES_LOST = 5
# A page that fails so often in a row is given up and the sweep begun anew; at once when its cursor is not known there.
_PATIENCE = 12
_STALE = (400, 404, 410)


class Lookup:
    """Waits out the settle time, sweeps, adopts or gives back."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._waiting: dict[int, Flight] = {}
        self._arrived = asyncio.Event()
        self._gate = scope.gate("look up", is_vital=True)
        self._settle_s = scope.endpoint.settled_after_s(scope.settings.settle_s)
        self._looks = scope.settings.settle_looks

    def add(self, flight: Flight) -> None:
        """Take an unclear flight; it leaves by one of the two ways."""
        flight.settle_looks = 0
        self._waiting[flight.number] = flight
        self._arrived.set()

    async def run(self, on_adopted: Callable[[Flight], None], on_absent: Callable[[Flight], Awaitable[None]]) -> None:
        """Serve for as long as the run lasts."""
        async with asyncio.TaskGroup() as group:
            while True:
                while not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                await self._wait_for_due()
                adopted, absent = await self._look()
                for flight in adopted:
                    on_adopted(flight)
                for flight in absent:
                    group.create_task(self._see_off(flight, on_absent))

    async def orphans(self, is_wanted: Callable[[int], bool]) -> dict[int, Row]:
        """Return the remote's best rows of this run's wanted jobs, of any generation, once a settle time has passed."""
        await self._scope.clock.sleep(self._settle_s)
        return await self._sweep(is_wanted)

    async def _wait_for_due(self) -> None:
        step_s = self._settle_s / self._looks
        due = min(flight.unclear_from + step_s * (flight.settle_looks + 1) for flight in self._waiting.values())
        await self._scope.clock.sleep(due - self._scope.clock.monotonic())

    async def _look(self) -> tuple[list[Flight], list[Flight]]:
        """Make one whole sweep; return the flights that it found, and those that it proves absent."""
        asked = dict(self._waiting)
        began = self._scope.clock.monotonic()
        rows = await self._sweep(asked.__contains__)
        adopted, absent = [], []
        for number, flight in asked.items():
            if number in rows and flight.times_lost <= _MAX_TIMES_LOST:
                self._adopt(flight, rows[number])
                adopted.append(self._waiting.pop(number))
                continue
            flight.settle_looks += 1
            if flight.settle_looks >= self._looks and began >= flight.unclear_from + self._settle_s:
                absent.append(self._waiting.pop(number))
        return adopted, absent

    def _adopt(self, flight: Flight, row: Row) -> None:
        flight.process_id, flight.eta = row.process_id, row.eta
        flight.accepted_at = self._scope.clock.now()
        flight.is_adopted = True  # nobody knows when it was accepted: it is looked at right away
        self._scope.book.note(flight.number, Event.ACCEPTED, process_id=row.process_id, eta=row.eta, adopted=True)

    async def _sweep(self, is_wanted: Callable[[int], bool]) -> dict[int, Row]:
        """Read the whole listing and return the wanted rows by job; starts over only when its pages have moved."""
        while True:
            try:
                return await self._pages(is_wanted)
            except RemoteError as error:
                if error.kind in (Kind.KEY_REFUSED, Kind.WRONG_ADDRESS):
                    raise
                self._gate.failed(error)

    async def _pages(self, is_wanted: Callable[[int], bool]) -> dict[int, Row]:
        found: dict[int, Row] = {}
        async for row in self._scope.client.rows(self._page):
            number = self._scope.number_of(row.filename)
            if number is not None and is_wanted(number):
                found[number] = _better(found.get(number), row)
        return found

    async def _page(self, cursor: str | None) -> Page:
        """Read one page, however often that takes: a listing of a thousand pages is not begun anew for one of them.

        Raises RemoteError when it can't be had at all, or when the cursor leads nowhere any more.
        """
        for attempt in range(1, _PATIENCE + 1):
            await self._gate.passed()
            try:
                page = await self._scope.client.listing(cursor)
            except RemoteError as error:
                is_stale = cursor is not None and error.status in _STALE
                if is_stale or attempt == _PATIENCE or error.kind in (Kind.KEY_REFUSED, Kind.WRONG_ADDRESS):
                    raise
                self._gate.failed(error)
            else:
                self._gate.worked()  # each page is progress
                return page
        raise AssertionError("the loop returns or raises")

    async def _see_off(self, flight: Flight, on_absent: Callable[[Flight], Awaitable[None]]) -> None:
        """A job that never arrived is sent again; one that the remote had, and charged for, has expired there."""
        if flight.process_id and not self._scope.endpoint.is_own:
            reason = f"the backend does not know process {flight.process_id} any more: it keeps jobs for 7 days"
            await self._scope.fail(flight, reason, credits_charged=flight.price)
            return
        self._scope.book.note(flight.number, Event.ABSENT)
        await on_absent(flight)


def _better(one: Row | None, other: Row) -> Row:
    if one is None:
        return other
    return min(one, other, key=lambda row: PREFERENCE.index(row.progress))
