"""The poll lane: it looks at accepted flights as the planner says, and acts on what it sees.

No job that waits has a task: the planner's agenda has one sleeper for all, and each look that is due is one task.
"""

import asyncio
from collections.abc import Callable

from engine.job.state import Event, State
from engine.pipeline.away import Away
from engine.pipeline.closing import Reason
from engine.pipeline.flight import Flight
from engine.pipeline.pages import Page
from engine.pipeline.planner import Look, Planner
from engine.pipeline.scope import Scope
from engine.pipeline.walk import HOPELESS, Walk
from engine.remote.client import Page as Listed
from engine.remote.client import as_row
from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Progress, Row, is_going_on

__all__ = ["PollLane"]

_TOO_FAST_WEIGHT = 0.2


class PollLane:
    """Hands finished flights to `on_finished`, lost ones to `on_lost`."""

    def __init__(self, scope: Scope, on_finished: Callable[[Flight], None], on_lost: Callable[[Flight], None]) -> None:
        self._scope = scope
        self._on_finished = on_finished
        self._on_lost = on_lost
        self._backoff = scope.backoff()
        self._planner = Planner(scope.settings, scope.clock)
        self._away = Away(scope, self._planner.has)
        self.lane = scope.lane("poll", scope.settings.poll_concurrency)

    def __repr__(self) -> str:
        return f"<PollLane {self._planner!r}, {self.lane!r}>"

    def add(self, flight: Flight) -> None:
        """Take an accepted flight; one of unknown age is looked for right away.

        One whose process id another flight has was answered for that one, by a cache say: it is looked up by filename.
        """
        if flight.process_id in self._planner.flights:
            self._lose_mistaken(flight)
        else:
            self._planner.add(flight)

    def again(self, flight: Flight, wait_s: float) -> None:
        """Take back a finished flight whose download did not work out, to be looked at alone after `wait_s`."""
        self._planner.add_again(flight, wait_s)

    def knows(self, process_id: str) -> bool:
        """Say whether a waiting flight has this id."""
        return process_id in self._planner.flights

    def wake(self, process_id: str) -> None:
        """Look at a waiting flight now: somebody says that it has ended. Does nothing for any other."""
        self._planner.wake(process_id)

    async def run(self) -> None:
        """Serve for as long as the run lasts."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._planner.agenda.wait()
                await self.lane.enter()
                look = self._planner.agenda.take()
                if look is None:  # somebody else saw to it meanwhile
                    self.lane.leave()
                    continue
                group.create_task(self._carry_out(look))

    async def _carry_out(self, look: Look) -> None:
        """Do one look; its place in the lane is held already."""
        try:
            match look:
                case Flight():
                    await self._look_at_flight(look)
                case Page():
                    await self._look_at_page(look)
                case Walk() if look.is_under_way:
                    pass  # it is planned anew when it ends
                case Walk() if len(self._planner.pages.loose) == 1:
                    look.is_urgent = False
                    flight = next(iter(self._planner.pages.loose.values()))
                    self._planner.pages.remove(flight)
                    await self._look_at_flight(flight)
                case Walk():
                    await self._walk_the_listing(look)
        finally:
            self.lane.leave()
            self._planner.correct_price(self._scope.client.per_s)

    async def _look_at_flight(self, flight: Flight) -> None:
        if not self._planner.has(flight):
            return
        sent_at = self._asked()
        try:
            row = await self._scope.client.status(flight.process_id)
        except RemoteError as error:
            await self._failed_look(flight, error)
            return
        self.lane.worked()
        flight.looks += 1
        flight.failed_looks = 0
        self._away.came_back(flight)
        self._planner.walk.spared()
        if not self._planner.has(flight):  # a page showed it meanwhile
            return
        if not row.is_going_on:
            if not self._is_done(flight, row):
                await self._fail(flight, row)
        elif await self._still_waits(flight, sent_at) and not flight.due and flight.page is None:
            self._planner.plan_alone(flight)

    async def _look_at_page(self, page: Page) -> None:
        page.is_asked = True
        sent_at = self._asked()
        try:
            listed = await self._scope.client.listing(page.cursor)
        except RemoteError as error:
            page.failures += _weight(error)
            self._planner.agenda.plan(page, self._stumbled(error, int(page.failures)))
            if page.failures >= HOPELESS:
                self._planner.dissolve(page)
            return
        finally:
            page.is_asked = False
        self.lane.worked()
        page.failures = 0
        expected = dict(page.flights)
        seen = await self._read(listed, page, sent_at)
        for number, flight in expected.items():
            if number not in seen and flight.page is page:  # the listing has moved
                self._planner.pages.loosen(flight)
        self._planner.plan_outgrown_walk()
        self._planner.plan_page(page)

    async def _walk_the_listing(self, walk: Walk) -> None:
        """Go from page to page until all that were loose are found, or it is not worth it any more."""
        planner = self._planner
        walk.begin(planner.pages.loose)
        cursor: str | None = None
        try:
            while not walk.is_over:
                sent_at = self._asked()
                listed = await self._scope.client.listing(cursor)
                self.lane.worked()
                page = planner.pages.page(cursor) if cursor is not None else None
                walk.saw(await self._read(listed, page, sent_at), is_last=listed.next_cursor is None)
                if page is not None and not page.is_asked:
                    planner.plan_page(page)
                cursor = listed.next_cursor
        except RemoteError as error:
            walk.failed(_weight(error))
            planner.agenda.plan(walk, self._stumbled(error, int(walk.failures)))
            if walk.is_dear:
                planner.plan_walk()
            return
        finally:
            walk.is_under_way = False
        for number in walk.end():
            if flight := planner.pages.loose.get(number):  # not listed where it was looked for
                planner.pages.remove(flight)
                planner.plan_alone(flight)
        planner.plan_walk()

    async def _read(self, listed: Listed, page: Page | None, sent_at: float) -> set[int]:
        """Act on the rows of waiting flights, place those that go on, and return the numbers of all that were there."""
        seen, failed = set(), []
        for members in listed.members:
            process_id = members.get("process_id")
            flight = self._planner.flights.get(process_id) if isinstance(process_id, str) else None
            if flight is None:
                continue
            seen.add(flight.number)
            self._away.came_back(flight)
            if not is_going_on(members) and not (row := as_row(members)).is_going_on:
                if not self._is_done(flight, row):
                    failed.append((flight, row))
            elif await self._still_waits(flight, sent_at) and page is not None:
                self._planner.place(flight, page)
        await asyncio.gather(*(self._fail(flight, row) for flight, row in failed))  # in one group of the journal
        return seen

    def _asked(self) -> float:
        self._planner.price.asked()
        return self._scope.clock.monotonic()

    def _is_done(self, flight: Flight, row: Row) -> bool:
        """Take in that `flight` has ended; say whether it did so well, in which case it is handed on.

        A row that names another of this run's jobs or stages says nothing of this one: the process id was not its own.
        """
        self._planner.remove(flight)
        if self._scope.is_of_another(flight, row.filename):
            self._lose_mistaken(flight)
            return True
        flight.row = row
        if row.progress is not Progress.COMPLETED:
            return False
        self._learn(flight, row)
        self._on_finished(flight)
        return True

    async def _fail(self, flight: Flight, row: Row) -> None:
        reason = "was cancelled at the backend"
        if row.progress is Progress.FAILED:
            reason = row.message or "the backend reports Failed, without a reason"
        await self._scope.fail(flight, reason, credits_charged=row.credits)

    def _learn(self, flight: Flight, row: Row) -> None:
        """Teach the planner; how long a job took is told by the remote's own two times where it says them."""
        now = self._scope.clock.monotonic()
        flight.remote_s = flight.age_s(now)
        if flight.is_of_unknown_age or flight.download_failures:
            return
        took_s = row.modified - row.created if row.modified > row.created > 0 else flight.remote_s
        took_s = min(took_s, flight.remote_s)
        # It was not done when it was last seen, so it can't have lain unseen for longer, whatever its times say.
        flight.unseen_s = min(flight.remote_s - took_s, now - flight.seen_from)
        self._planner.learn(flight, took_s)

    async def _still_waits(self, flight: Flight, seen_at: float) -> bool:
        """Take in that `flight` goes on; False when that has gone on for too long and it is given up."""
        flight.seen_from = max(flight.seen_from, seen_at)
        if not self._is_overdue(flight):
            return True
        await self._give_up(flight)
        return False

    def _is_overdue(self, flight: Flight) -> bool:
        return flight.age_s(self._scope.clock.monotonic()) - flight.away_s > self._scope.settings.job_deadline_s

    async def _give_up(self, flight: Flight) -> None:
        """End a job that never ends; the backend may charge for it all the same."""
        self._planner.remove(flight)
        hours = self._scope.settings.job_deadline_s / 3600
        reason = f"did not finish within {hours:g} h (process {flight.process_id})"
        await self._scope.fail(flight, reason, credits_charged=flight.price)

    async def _failed_look(self, flight: Flight, error: RemoteError) -> None:
        """A look at one job that failed costs time; only what concerns all jobs shuts the gate for all."""
        if not self._planner.has(flight):
            return
        if error.kind is not Kind.UNREACHABLE:
            self._away.came_back(flight)
        if error.kind is Kind.GONE:
            self._planner.remove(flight)
            self._lose(flight, str(error))
            return
        if error.kind in (Kind.KEY_REFUSED, Kind.WRONG_ADDRESS) and error.elsewhere_helps:
            self._planner.remove(flight)
            self._scope.park(flight)
            return
        flight.failed_looks += 1
        wait_s = self._stumbled(error, flight.failed_looks)
        if error.kind is Kind.UNREACHABLE:
            self._away.went(flight, error)
            self._planner.agenda.plan(flight, wait_s)
        elif self._is_overdue(flight):
            await self._give_up(flight)
        else:
            self._planner.agenda.plan(flight, wait_s)

    def _lose(self, flight: Flight, reason: str) -> None:
        """Give `flight` to those who look it up by its filename."""
        flight.times_lost += 1
        flight.tried += (flight.member,)
        flight.unclear_from = self._scope.clock.monotonic()
        flight.unclear_since = flight.unclear_since or flight.unclear_from
        if self._scope.book.tally.state(flight.number) is State.ACCEPTED:  # not so the first stage of a job past it
            members = {"process_id": flight.process_id} if flight.process_id else {}
            self._scope.book.note(flight.number, Event.UNCLEAR, reason=reason, **members)
        self._on_lost(flight)

    def _lose_mistaken(self, flight: Flight) -> None:
        """As `_lose`, for one whose process id is another job's: it may never have been accepted."""
        flight.process_id = ""
        self._lose(flight, "the backend gave it the process id of another job")

    def _stumbled(self, error: RemoteError, failures: int) -> float:
        """Take in that a look failed, `failures` times in a row by now; return the wait until the next try."""
        if error.kind is Kind.KEY_REFUSED and not error.elsewhere_helps:
            self._scope.closing.tell(Reason.KEY_REFUSED, f"{error}: check the key, then resume")
        elif error.kind in (Kind.TOO_FAST, Kind.UNREACHABLE):
            self.lane.failed(error)
        if error.kind is Kind.TOO_FAST:
            return self._scope.settings.poll_min_s  # the client's pace says when
        return self._backoff.delay_s(max(1, failures), self._scope.draw(), error.retry_after_s)


def _weight(error: RemoteError) -> float:
    """Return how much a failure says against the listing: being too fast is everybody's, but not for ever."""
    return _TOO_FAST_WEIGHT if error.kind is Kind.TOO_FAST else 1.0
