"""Flights that may or may not have been accepted: looked up by filename in the listing before any repeat.

All of them share one sweep, page by page, without assuming an order. A flight that is found is adopted. One
that is not found, in as many whole sweeps as the settings ask and not before its settle time, is proven absent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from engine.errors import MachineError
from engine.job.state import Event, State
from engine.pipeline.flight import Flight
from engine.pipeline.found import LOST, Found, better
from engine.pipeline.scope import Scope
from engine.pipeline.upload_name import Named
from engine.remote.client import Page
from engine.remote.failures import Kind, RemoteError
from engine.remote.member_id import unqualified
from engine.remote.row import Row

__all__ = ["Lookup"]

# A remote that lists a job but answers 404 for it is believed about the listing this often.
_MAX_TIMES_LOST = 5
# A page that fails so often in a row is given up and the sweep begun anew; at once when its cursor is not known there.
_PATIENCE = 12
_STALE = (400, 404, 410)
_HOPELESS = (Kind.KEY_REFUSED, Kind.WRONG_ADDRESS)


class Lookup:
    """Waits out the settle time, sweeps, adopts or gives back."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._waiting: dict[int, Flight] = {}
        self._arrived = asyncio.Event()
        self._gate = scope.gate("look up", is_vital=True)
        self._settle_s = scope.endpoint.settled_after_s(scope.settings.settle_s)
        self._looks = scope.settings.settle_looks
        self._backoff = scope.backoff()
        self._failed = 0  # sweeps in a row
        self._pause_until = 0.0  # monotonic seconds
        self._failing_from: float | None = None  # since when no whole sweep came about

    @property
    def is_open(self) -> bool:
        """Whether it is unclear of any flight what became of it."""
        return bool(self._waiting)

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

    async def orphans(self, is_wanted: Callable[[Named], bool]) -> dict[int, Found]:
        """Return the remote's best rows of this run's wanted jobs, of any generation, once a settle time has passed."""
        await self._scope.clock.sleep(self._settle_s)
        while True:
            rows, is_whole = await self._sweep(is_wanted)
            if is_whole:
                return rows
            await self._scope.clock.sleep(self._pause_until - self._scope.clock.monotonic())

    async def _wait_for_due(self) -> None:
        step_s = self._settle_s / self._looks
        due = min(flight.unclear_from + step_s * (flight.settle_looks + 1) for flight in self._waiting.values())
        await self._scope.clock.sleep(max(due, self._pause_until) - self._scope.clock.monotonic())

    async def _look(self) -> tuple[list[Flight], list[Flight]]:
        """Make one sweep; return the flights that it found, and those that it proves absent if it was a whole one."""
        asked = dict(self._waiting)
        began = self._scope.clock.monotonic()

        def is_asked(named: Named) -> bool:
            flight = asked.get(named.number)
            return flight is not None and flight.stage == named.stage

        rows, is_whole = await self._sweep(is_asked)
        adopted, absent = [], []
        for number, flight in asked.items():
            if number in rows and flight.times_lost <= _MAX_TIMES_LOST:
                if is_whole or rows[number].row.progress not in LOST:  # what was not read might show a better one
                    self._adopt(flight, rows[number].row)
                    adopted.append(self._waiting.pop(number))
                continue
            if not is_whole:
                continue
            flight.settle_looks += 1
            if flight.settle_looks >= self._looks and began >= flight.unclear_from + self._settle_s:
                absent.append(self._waiting.pop(number))
        self._scope.stuck["look up"] = 0 if is_whole else len(self._waiting)
        return adopted, absent

    def _adopt(self, flight: Flight, row: Row) -> None:
        known, book = flight.process_id, self._scope.book
        flight.process_id, flight.eta = row.process_id, row.eta
        flight.accepted_at = self._scope.clock.now()
        flight.is_adopted = True  # nobody knows when it was accepted: it is looked at right away
        state, job = book.tally.state(flight.number), book.tally.open[flight.number]
        if state is State.PLANNED and job.staged is not None:  # the first stage, whose result is to be fetched
            staged = replace(job.staged, process_id=row.process_id)
            book.note(flight.number, Event.STAGED, credits=job.credits, staged=staged.record())
            return
        if state is State.ACCEPTED:  # where it can't be asked after by its id
            book.note(flight.number, Event.UNCLEAR, reason="is at a member that is not given", process_id=known)
        book.note(flight.number, Event.ACCEPTED, process_id=row.process_id, eta=row.eta, adopted=True)

    async def _sweep(self, is_wanted: Callable[[Named], bool]) -> tuple[dict[int, Found], bool]:
        """Read the listing; return the wanted rows by job, and whether it was read whole. If not, a pause is due."""
        found: dict[int, Found] = {}
        try:
            await self._read(found, is_wanted)
        except RemoteError as error:
            if error.kind in _HOPELESS and not error.elsewhere_helps:
                raise
            self._gate.failed(error)
            self._judge(error, len(found))
            self._failed += 1
            wait_s = self._backoff.delay_s(self._failed, self._scope.draw(), error.retry_after_s)
            self._pause_until = self._scope.clock.monotonic() + wait_s
            return found, False
        self._failing_from, self._failed, self._pause_until = None, 0, 0.0
        return found, True

    def _judge(self, error: RemoteError, found: int) -> None:
        """Stop the run, resumable, when nothing is left but to wait for a member that can't be read."""
        now = self._scope.clock.monotonic()
        self._failing_from = now if self._failing_from is None else self._failing_from
        self._scope.stuck["look up"] = len(self._waiting) - found
        if self._scope.is_stuck and now - self._failing_from > self._scope.settings.unreachable_limit_s:
            raise MachineError(
                f"what became of {len(self._waiting)} uploads can't be found out ({error}); resume later"
            )

    async def _read(self, found: dict[int, Found], is_wanted: Callable[[Named], bool]) -> None:
        """Read the whole listing into `found`; what was read until it fails is there then."""
        async for row in self._scope.client.rows(self._page):
            named = self._scope.named(row.filename)
            if named is not None and is_wanted(named):
                each = Found(named.generation, row, named.stage)
                found[named.number] = better(found.get(named.number), each)

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
                is_others = error.kind is Kind.UNREACHABLE and error.elsewhere_helps  # of a pool, which goes on
                if is_stale or is_others or attempt == _PATIENCE or error.kind in _HOPELESS:
                    raise
                self._gate.failed(error)
            else:
                self._gate.worked()  # each page is progress
                return page
        raise AssertionError("the loop returns or raises")

    async def _see_off(self, flight: Flight, on_absent: Callable[[Flight], Awaitable[None]]) -> None:
        """A job that never arrived is sent again; one that the remote had, and charged for, has expired there.

        One that may be where nobody can look, at a member that is closed or not given any more, waits for a resume.
        """
        if self._scope.client.is_away(unqualified(flight.process_id)[0] or flight.member):
            self._scope.park(flight)
            return
        if flight.process_id and not self._scope.endpoint.is_own:
            reason = f"the backend does not know process {flight.process_id} any more: it keeps jobs for 7 days"
            await self._scope.fail(flight, reason, credits_charged=flight.price)
            return
        flight.process_id = ""
        if self._scope.book.tally.state(flight.number) is State.PLANNED:  # the result of a first stage is gone
            self._scope.book.note(flight.number, Event.UNCLEAR, reason="the result of the first stage is gone")
        self._scope.book.note(flight.number, Event.ABSENT)
        await on_absent(flight)
