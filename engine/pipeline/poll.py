"""The poll lane: every look is one request, made when what it is expected to find is worth it.

There are three kinds: at one job alone, at one remembered page of the listing, and a walk from the listing's head for
the flights that are on no remembered page. When each is due, the forecast says from the ages of its jobs; one heap
holds them all, and no job that waits has a task.
"""

import asyncio
from collections.abc import Callable, Collection

from engine.job.state import Event
from engine.pipeline.agenda import Agenda
from engine.pipeline.closing import Reason
from engine.pipeline.flight import Flight
from engine.pipeline.pages import Page, Pages
from engine.pipeline.scope import Scope
from engine.pipeline.walk import Walk
from engine.policy.forecast import Age, Forecast
from engine.policy.look_price import LookPrice
from engine.remote.client import Page as Listed
from engine.remote.client import as_row
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Progress, Row, is_going_on

__all__ = ["PollLane"]

_Look = Flight | Page | Walk

# Until a job has finished nobody knows what the etas are worth: the first few are looked at early, then ever less often.
_SCOUTS = 3
_SCOUT_WAIT_S, _SCOUT_GROWTH = 0.5, 1.5
# A forecast of hours need not be doubted every `poll_max_s`.
_PATIENCE = 0.1
# A page with no more flights than this is not worth its rows: they are looked at alone.
_TOO_FEW = 1
# A listing that fails so often in a row is done without: its flights are looked at alone.
_HOPELESS = 2


class PollLane:
    """Looks at the accepted flights; hands finished ones to `on_finished`, lost ones to `on_lost`."""

    def __init__(self, scope: Scope, on_finished: Callable[[Flight], None], on_lost: Callable[[Flight], None]) -> None:
        self._scope = scope
        self._on_finished = on_finished
        self._on_lost = on_lost
        settings = scope.settings
        self.lane = scope.lane("poll", settings.poll_concurrency)
        self._backoff = scope.backoff()
        self._forecast = Forecast()
        self._price = LookPrice(delay_s=settings.poll_delay_s, now=scope.clock.monotonic())
        self._flights: dict[str, Flight] = {}  # all that wait, by process id
        self._pages = Pages()
        self._walk = Walk()
        self._scouts = 0
        self._agenda: Agenda[_Look] = Agenda(scope.clock)

    def __repr__(self) -> str:
        return f"<PollLane {len(self._flights)} waiting, {self._pages!r}, {self._forecast!r}, {self._price!r}>"

    def add(self, flight: Flight) -> None:
        """Take an accepted flight; one from an earlier process is looked for right away."""
        now = self._scope.clock.monotonic()
        flight.looks = flight.failed_looks = 0
        flight.due = 0.0
        flight.polled_from = flight.seen_from = now
        self._flights[flight.process_id] = flight
        if flight.is_resumed:
            self._pages.loosen(flight)
            self._agenda.plan(self._walk, 0.0)
        elif self._scouts < _SCOUTS and not self._forecast.learned:
            self._scouts += 1
            self._agenda.plan(flight, _SCOUT_WAIT_S)
        elif self._walk.is_dear:
            self._plan_alone(flight)
        else:
            self._pages.loosen(flight)
            if self._walk.is_outgrown(len(self._pages.loose)):
                self._plan_walk()

    def again(self, flight: Flight, wait_s: float) -> None:
        """Take back a finished flight whose download did not work out, to be looked at alone after `wait_s`."""
        self._flights[flight.process_id] = flight
        self._agenda.plan(flight, wait_s)

    async def run(self) -> None:
        """Serve for as long as the run lasts."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._agenda.wait()
                await self.lane.enter()
                look = self._agenda.take()
                if look is None:  # somebody else saw to it meanwhile
                    self.lane.leave()
                    continue
                group.create_task(self._look(look))

    # -- when ---------------------------------------------------------------------------------------------------------

    def _plan_alone(self, flight: Flight) -> None:
        wait_s = self._worthwhile_s((flight,), 1.0)
        if not self._forecast.learned:
            wait_s = min(wait_s, _SCOUT_WAIT_S * _SCOUT_GROWTH**flight.looks)
        self._agenda.plan(flight, wait_s)

    def _plan_page(self, page: Page) -> None:
        """Plan the next look at a page, or at its last flights alone."""
        if len(page.flights) <= _TOO_FEW:
            self._dissolve(page)
            return
        self._agenda.plan(page, self._worthwhile_s(page.flights.values(), 1.0))

    def _dissolve(self, page: Page) -> None:
        for flight in list(page.flights.values()):
            self._pages.remove(flight)
            self._plan_alone(flight)
        self._pages.drop(page)

    def _plan_walk(self) -> None:
        """Plan the next walk for the loose flights, or looks at them alone where that is cheaper."""
        loose = self._pages.loose
        self._walk.planned_for = len(loose)
        if loose and not self._walk.is_dear:
            self._agenda.plan(self._walk, self._worthwhile_s(loose.values(), self._walk.pages_for(len(loose))))
            return
        self._walk.due = 0.0
        for flight in list(loose.values()):
            self._pages.remove(flight)
            self._plan_alone(flight)

    def _worthwhile_s(self, flights: Collection[Flight], requests: float) -> float:
        """Return the seconds until a look at `flights`, costing so many requests, is worth it."""
        settings, now = self._scope.settings, self._scope.clock.monotonic()
        ages: list[Age] = [(_forecast_s(flight), flight.age_s(flight.seen_from)) for flight in flights]
        price_s = requests * self._price.price_s(len(self._flights), self._forecast.mean_s)
        most_s = max(settings.poll_max_s, _PATIENCE * max(forecast_s for forecast_s, _age_s in ages))
        wait_s = self._forecast.wait_s(ages, price_s, least_s=settings.poll_min_s, most_s=most_s)
        unseen_s = now - sum(flight.seen_from for flight in flights) / len(flights)
        return max(settings.poll_min_s, wait_s - unseen_s)

    def _learned(self) -> None:
        """The first finished jobs move every forecast a lot: what was planned by the old one is planned anew."""
        if self._forecast.learned & (self._forecast.learned - 1):  # at 1, 2, 4, 8, ...
            return
        for page in self._pages.every():
            if not page.is_asked:
                self._plan_page(page)
        if not self._walk.is_under_way:
            self._plan_walk()

    # -- looking ------------------------------------------------------------------------------------------------------

    async def _look(self, look: _Look) -> None:
        try:
            match look:
                case Flight():
                    await self._look_at_flight(look)
                case Page():
                    await self._look_at_page(look)
                case Walk() if look.is_under_way:
                    pass  # it is planned anew when it ends
                case Walk() if len(self._pages.loose) == 1:
                    flight = next(iter(self._pages.loose.values()))
                    self._pages.remove(flight)
                    await self._look_at_flight(flight)
                case Walk():
                    await self._walk_the_listing()
        finally:
            self.lane.leave()
            rate = self._scope.client.pace.rate.per_s
            self._price.correct(self._scope.clock.monotonic(), self._forecast.mean_s, rate)

    async def _look_at_flight(self, flight: Flight) -> None:
        if self._flights.get(flight.process_id) is not flight:
            return
        sent_at = self._asked()
        try:
            row = await self._scope.client.status(flight.process_id)
        except RemoteError as error:
            await self._failed_look(flight, error, sent_at)
            return
        self.lane.worked()
        flight.looks += 1
        flight.failed_looks = 0
        self._walk.spared()
        if self._flights.get(flight.process_id) is not flight:  # a page showed it meanwhile
            return
        if row.progress in (Progress.PENDING, Progress.PROCESSING):
            await self._still_going_on(flight, sent_at)
            if flight.process_id in self._flights and not flight.due and flight.page is None:
                self._plan_alone(flight)
            return
        await self._ended(flight, row)

    async def _look_at_page(self, page: Page) -> None:
        page.is_asked = True
        sent_at = self._asked()
        try:
            listed = await self._scope.client.listing(page.cursor)
        except RemoteError as error:
            page.failures += error.kind is not Kind.TOO_FAST
            self._agenda.plan(page, self._stumbled(error, sent_at, page.failures))
            if page.failures >= _HOPELESS:
                self._dissolve(page)
            return
        finally:
            page.is_asked = False
        self.lane.worked()
        page.failures = 0
        expected = dict(page.flights)
        seen = await self._read(listed, page, sent_at)
        for number, flight in expected.items():
            if number not in seen and flight.page is page:  # the listing has moved
                self._pages.loosen(flight)
        if self._walk.is_outgrown(len(self._pages.loose)):
            self._plan_walk()
        self._plan_page(page)

    async def _walk_the_listing(self) -> None:
        """Go from page to page until all that were loose are found, or it is not worth it any more."""
        self._walk.begin(self._pages.loose)
        cursor: str | None = None
        try:
            while not self._walk.is_over:
                sent_at = self._asked()
                listed = await self._scope.client.listing(cursor)
                self.lane.worked()
                page = self._pages.page(cursor) if cursor is not None else None
                self._walk.saw(await self._read(listed, page, sent_at), is_last=listed.next_cursor is None)
                if page is not None and not page.is_asked:
                    self._plan_page(page)
                cursor = listed.next_cursor
        except RemoteError as error:
            self._walk.failed(is_its_own=error.kind is not Kind.TOO_FAST)
            wait_s = self._stumbled(error, sent_at, self._walk.failures)
            if self._walk.is_dear:
                self._plan_walk()
            else:
                self._agenda.plan(self._walk, wait_s)
            return
        finally:
            self._walk.is_under_way = False
        self._walk.failures = 0
        for number in self._walk.end():
            if flight := self._pages.loose.get(number):  # not listed where it was looked for
                self._pages.remove(flight)
                self._plan_alone(flight)
        self._plan_walk()

    async def _read(self, listed: Listed, page: Page | None, sent_at: float) -> set[int]:
        """Act on the rows of waiting flights, place those that go on, and return the numbers of all that were there."""
        seen = set()
        for members in listed.members:
            process_id = members.get("process_id")
            flight = self._flights.get(process_id) if isinstance(process_id, str) else None
            if flight is None:
                continue
            seen.add(flight.number)
            if not is_going_on(members) and (row := as_row(members)).progress not in (
                Progress.PENDING,
                Progress.PROCESSING,
            ):
                await self._ended(flight, row)
                continue
            if page is not None and flight.page is None:
                self._pages.place(flight, page)
                flight.due = 0.0
            await self._still_going_on(flight, sent_at)
        return seen

    def _asked(self) -> float:
        self._price.asked()
        return self._scope.clock.monotonic()

    # -- what it means ------------------------------------------------------------------------------------------------

    async def _still_going_on(self, flight: Flight, seen_at: float) -> None:
        flight.seen_from = max(flight.seen_from, seen_at)
        if self._is_overdue(flight):
            await self._give_up(flight)

    async def _ended(self, flight: Flight, row: Row) -> None:
        self._take_out(flight)
        flight.row = row
        if row.progress is Progress.COMPLETED:
            self._learn(flight, row)
            self._on_finished(flight)
        elif row.progress is Progress.FAILED:
            reason = row.message or "the backend reports Failed, without a reason"
            await self._scope.fail(flight, reason, credits_charged=row.credits)
        else:
            await self._scope.fail(flight, "was cancelled at the backend", credits_charged=row.credits)

    def _take_out(self, flight: Flight) -> None:
        self._flights.pop(flight.process_id, None)
        self._pages.remove(flight)
        flight.due = 0.0

    def _is_overdue(self, flight: Flight) -> bool:
        return flight.age_s(self._scope.clock.monotonic()) > self._scope.settings.job_deadline_s

    async def _give_up(self, flight: Flight) -> None:
        """End a job that never ends; the backend may charge for it all the same."""
        self._take_out(flight)
        hours = self._scope.settings.job_deadline_s / 3600
        reason = f"did not finish within {hours:g} h (process {flight.process_id})"
        await self._scope.fail(flight, reason, credits_charged=flight.price)

    def _learn(self, flight: Flight, row: Row) -> None:
        """Teach forecast and price; how long a job took is told by the remote's own two times where it says them."""
        now = self._scope.clock.monotonic()
        flight.remote_s = flight.age_s(now)
        if flight.is_resumed or flight.download_failures:
            return
        took_s = row.modified - row.created if row.modified > row.created > 0 else flight.remote_s
        took_s = min(took_s, flight.remote_s)
        # It was not done when it was last seen, so it can't have lain unseen for longer, whatever its times say.
        flight.unseen_s = min(flight.remote_s - took_s, now - flight.seen_from)
        self._price.found(flight.unseen_s)
        self._forecast.learn(forecast_s=_forecast_s(flight), took_s=took_s)
        self._learned()

    async def _failed_look(self, flight: Flight, error: RemoteError, sent_at: float) -> None:
        """A look at one job that failed costs time; only what concerns all jobs shuts the gate for all."""
        if self._flights.get(flight.process_id) is not flight:
            return
        if error.kind is Kind.GONE:
            self._take_out(flight)
            flight.times_lost += 1
            flight.unclear_from = self._scope.clock.monotonic()
            self._scope.book.note(flight.number, Event.UNCLEAR, reason=str(error))
            self._on_lost(flight)
            return
        flight.failed_looks += 1
        wait_s = self._stumbled(error, sent_at, flight.failed_looks)
        if self._is_overdue(flight):
            await self._give_up(flight)
        else:
            self._agenda.plan(flight, wait_s)

    def _stumbled(self, error: RemoteError, sent_at: float, failures: int) -> float:
        """Take in that a look failed, `failures` times in a row by now; return the wait until the next try."""
        if error.kind is Kind.KEY_REFUSED:
            self._scope.closing.tell(Reason.KEY_REFUSED, f"{error}: check the key, then resume")
        elif error.kind in (Kind.TOO_FAST, Kind.UNREACHABLE):
            self.lane.failed(error, sent_at)
        if error.kind is Kind.TOO_FAST:
            return self._scope.settings.poll_min_s  # the client's pace says when
        return self._backoff.delay_s(failures, self._scope.draw(), error.retry_after_s)


def _forecast_s(flight: Flight) -> float:
    """Return what the remote foretold for `flight`, from its acceptance on; 0 for nothing."""
    return max(0.0, flight.eta - flight.accepted_at) if flight.eta else 0.0
