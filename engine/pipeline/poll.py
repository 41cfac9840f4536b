"""The poll lane: first looks and further ones in two heaps of due times; no task for a job that waits."""

import asyncio
import heapq
import itertools
import math
from collections.abc import Awaitable, Callable

from engine.job.state import Event
from engine.pipeline.closing import Reason
from engine.pipeline.flight import Flight
from engine.pipeline.permits import Permits
from engine.pipeline.scope import Scope
from engine.policy.polling import PollSchedule
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Progress, Row

__all__ = ["PollLane"]

_Entry = tuple[float, int, Flight]


class PollLane:
    """Looks at each accepted flight when it is due; hands finished ones to `on_finished`, lost ones to `on_lost`."""

    def __init__(
        self, scope: Scope, on_finished: Callable[[Flight], Awaitable[None]], on_lost: Callable[[Flight], None]
    ) -> None:
        self._scope = scope
        self._on_finished = on_finished
        self._on_lost = on_lost
        self._firsts: list[_Entry] = []  # by the time that was foretold, monotonic seconds
        self._nexts: list[_Entry] = []  # by the time that was decided
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._gate = scope.gate("poll")
        self._backoff = scope.backoff()
        settings = scope.settings
        self._schedule = PollSchedule(min_s=settings.poll_min_s, max_s=settings.poll_max_s)
        self._slots = Permits(settings.poll_concurrency)

    def __repr__(self) -> str:
        return f"<PollLane {len(self._firsts) + len(self._nexts)} waiting, {self._schedule!r}>"

    def add(self, flight: Flight) -> None:
        """Take an accepted flight; one from an earlier process is looked at right away."""
        flight.looks = flight.failed_looks = 0
        flight.polled_from = self._scope.clock.monotonic()
        soon_s = 0.0 if flight.is_resumed else self._schedule.scout_wait_s()
        if soon_s is not None:
            self._put(flight, soon_s)
            return
        # Ordered by what was foretold; when the top one is due is asked anew each time, as jobs that finish teach.
        heapq.heappush(self._firsts, (flight.polled_from + self._forecast_s(flight), next(self._order), flight))
        self._changed.set()

    def again(self, flight: Flight, wait_s: float) -> None:
        """Take back a finished flight whose download did not work out, to be looked at after `wait_s`."""
        self._put(flight, wait_s)

    async def run(self) -> None:
        """Serve for as long as the run lasts."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wait_for_due()
                await self._gate.passed()
                await self._slots.take()
                group.create_task(self._look(heapq.heappop(self._soonest()[1])[2]))

    def _put(self, flight: Flight, wait_s: float) -> None:
        due = self._scope.clock.monotonic() + wait_s
        heapq.heappush(self._nexts, (due, next(self._order), flight))
        self._changed.set()

    def _soonest(self) -> tuple[float, list[_Entry]]:
        """Return when the next look is due, in monotonic seconds, and the heap that it is the top of."""
        first_due = next_due = math.inf
        if self._firsts:
            flight = self._firsts[0][2]
            first_due = flight.polled_from + self._schedule.first_wait_s(self._forecast_s(flight))
        if self._nexts:
            next_due = self._nexts[0][0]
        return (first_due, self._firsts) if first_due < next_due else (next_due, self._nexts)

    async def _wait_for_due(self) -> None:
        """Return when a flight is due; whatever changes the order meanwhile counts."""
        while True:
            self._changed.clear()
            wait_s = self._soonest()[0] - self._scope.clock.monotonic()
            if wait_s <= 0:
                return
            changed = asyncio.ensure_future(self._changed.wait())
            sleep = asyncio.ensure_future(self._scope.clock.sleep(wait_s)) if wait_s < math.inf else None
            try:
                await asyncio.wait([task for task in (changed, sleep) if task], return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
                if sleep is not None:
                    sleep.cancel()

    async def _look(self, flight: Flight) -> None:
        """Look once and act on it; the slot is kept until then, so that full downloads hold up the looks."""
        try:
            row = await self._scope.client.status(flight.process_id)
            self._gate.worked()
            flight.looks += 1
            flight.failed_looks = 0
            await self._act(flight, row)
        except RemoteError as error:
            await self._failed_look(flight, error)
        finally:
            self._slots.give_back()

    async def _act(self, flight: Flight, row: Row) -> None:
        flight.row = row
        match row.progress:
            case Progress.COMPLETED:
                self._learn(flight, row)
                await self._on_finished(flight)
            case Progress.FAILED:
                reason = row.message or "the backend reports Failed, without a reason"
                await self._scope.fail(flight, reason, credits_charged=row.credits)
            case Progress.CANCELLED:
                await self._scope.fail(flight, "was cancelled at the backend", credits_charged=row.credits)
            case _ if self._is_overdue(flight):
                await self._give_up(flight)
            case _:
                self._put(flight, self._schedule.next_wait_s(flight.looks, self._polled_s(flight)))

    def _polled_s(self, flight: Flight) -> float:
        return self._scope.clock.monotonic() - flight.polled_from

    def _is_overdue(self, flight: Flight) -> bool:
        return self._polled_s(flight) > self._scope.settings.job_deadline_s

    async def _give_up(self, flight: Flight) -> None:
        """End a job that never ends; the backend may charge for it all the same."""
        hours = self._scope.settings.job_deadline_s / 3600
        reason = f"did not finish within {hours:g} h (process {flight.process_id})"
        await self._scope.fail(flight, reason, credits_charged=flight.price)

    def _learn(self, flight: Flight, row: Row) -> None:
        """Teach the schedule; how long a job took is told by the remote's own two times where it says them."""
        flight.remote_s = self._polled_s(flight)
        if not flight.is_resumed and not flight.download_failures:
            took_s = row.modified - row.created if row.modified > row.created > 0 else flight.remote_s
            self._schedule.learn(forecast_s=self._forecast_s(flight), took_s=min(took_s, flight.remote_s))
            self._changed.set()

    @staticmethod
    def _forecast_s(flight: Flight) -> float:
        return max(0.0, flight.eta - flight.accepted_at) if flight.eta else 0.0

    async def _failed_look(self, flight: Flight, error: RemoteError) -> None:
        """A look that failed costs time; only what concerns all jobs shuts the gate for all."""
        match error.kind:
            case Kind.GONE:
                flight.times_lost += 1
                flight.unclear_from = self._scope.clock.monotonic()
                self._scope.book.note(flight.number, Event.UNCLEAR, reason=str(error))
                self._on_lost(flight)
                return
            case Kind.KEY_REFUSED:
                self._scope.closing.tell(Reason.KEY_REFUSED, f"{error}: check the key, then resume")
            case Kind.TOO_FAST | Kind.UNREACHABLE:
                self._gate.failed(error)
        if self._is_overdue(flight):
            await self._give_up(flight)
            return
        flight.failed_looks += 1
        self._put(flight, self._backoff.delay_s(flight.failed_looks, self._scope.draw(), error.retry_after_s))
