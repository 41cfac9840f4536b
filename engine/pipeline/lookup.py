"""Flights that may or may not have been accepted: looked up by filename in the listing before any repeat.

All of them share one sweep, page by page, without assuming an order. A flight that is found is adopted. One
that is not found, in as many whole sweeps as the settings ask and not before its settle time, is proven absent.
"""

import asyncio
from collections.abc import Awaitable, Callable

from engine.job.state import Event
from engine.pipeline.flight import Flight
from engine.pipeline.scope import Scope
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Progress, Row

__all__ = ["Lookup"]

# A job that ended well is adopted rather than its twin that did not, should there ever be two.
_PREFERENCE = (Progress.COMPLETED, Progress.PROCESSING, Progress.PENDING, Progress.CANCELLED, Progress.FAILED)


class Lookup:
    """Waits out the settle time, sweeps, adopts or gives back."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._waiting: dict[int, Flight] = {}
        self._arrived = asyncio.Event()
        self._gate = scope.gate("look up")
        settings = scope.settings
        self._settle_s = settings.settle_s if settings.settle_s is not None else scope.endpoint.settle_s
        self._looks = settings.settle_looks

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
                    self._scope.book.note(flight.number, Event.ABSENT)
                    group.create_task(_see_off(on_absent, flight))

    async def orphans(self, last_event_at: float) -> dict[int, Row]:
        """Return the remote's rows of this run by job, once the settle time after `last_event_at` is over."""
        wait_s = last_event_at + self._settle_s - self._scope.clock.now()
        await self._scope.clock.sleep(min(self._settle_s, wait_s))
        return await self._sweep(lambda _number: True)

    async def _wait_for_due(self) -> None:
        step_s = self._settle_s / self._looks
        due = min(flight.unclear_at + step_s * (flight.settle_looks + 1) for flight in self._waiting.values())
        # Unix time may jump: never wait longer than one step.
        await self._scope.clock.sleep(min(step_s, due - self._scope.clock.now()))

    async def _look(self) -> tuple[list[Flight], list[Flight]]:
        """Make one whole sweep; return the flights that it found, and those that it proves absent."""
        asked = dict(self._waiting)
        began_at = self._scope.clock.now()
        rows = await self._sweep(asked.__contains__)
        adopted, absent = [], []
        for number, flight in asked.items():
            if number in rows:
                self._adopt(flight, rows[number])
                adopted.append(self._waiting.pop(number))
                continue
            flight.settle_looks += 1
            if flight.settle_looks >= self._looks and began_at >= flight.unclear_at + self._settle_s:
                absent.append(self._waiting.pop(number))
        return adopted, absent

    def _adopt(self, flight: Flight, row: Row) -> None:
        flight.process_id, flight.eta = row.process_id, row.eta
        flight.accepted_at = self._scope.clock.now()
        self._scope.book.note(flight.number, Event.ACCEPTED, process_id=row.process_id, eta=row.eta, adopted=True)

    async def _sweep(self, is_wanted: Callable[[int], bool]) -> dict[int, Row]:
        """Read the whole listing, starting over until one pass got through, and return the wanted rows by job."""
        while True:
            await self._gate.passed()
            try:
                rows = await self._pages(is_wanted)
            except RemoteError as error:
                if error.kind is Kind.KEY_REFUSED:
                    raise
                self._gate.failed(error)
            else:
                self._gate.worked()
                return rows

    async def _pages(self, is_wanted: Callable[[int], bool]) -> dict[int, Row]:
        found: dict[int, Row] = {}
        cursor: str | None = None
        while True:
            page = await self._scope.client.listing(cursor)
            for row in page.rows:
                number = self._scope.number_of(row.filename)
                if number is not None and is_wanted(number):
                    found[number] = _better(found.get(number), row)
            if page.next_cursor is None:
                return found
            cursor = page.next_cursor


async def _see_off(on_absent: Callable[[Flight], Awaitable[None]], flight: Flight) -> None:
    await on_absent(flight)


def _better(one: Row | None, other: Row) -> Row:
    if one is None:
        return other
    return min(one, other, key=lambda row: _PREFERENCE.index(row.progress))
