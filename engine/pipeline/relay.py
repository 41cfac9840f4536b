"""The relay of chained jobs: it takes flights whose first stage is finished, and sends them on their second.

What the first stage came to is journaled before the second one's intent, in the same order as it happened, so one sync
makes both durable. Whoever is on the second stage keeps the permit of the first.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from engine.job.state import Event
from engine.pipeline.flight import Flight
from engine.pipeline.lookup import Lookup
from engine.pipeline.poll import PollLane
from engine.pipeline.scope import Scope
from engine.pipeline.submit import SubmitLane

__all__ = ["Relay"]


class Relay:
    """Where there is only one stage it has nothing to do."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._waiting: deque[Flight] = deque()
        self._arrived = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Relay {len(self._waiting)} waiting>"

    def before(self, download: Callable[[Flight], None]) -> Callable[[Flight], None]:
        """Return who takes finished flights: `download` those whose result has to come here."""
        if not self._scope.is_chained:
            return download

        def take(flight: Flight) -> None:
            if self._scope.is_last(flight) or not self._scope.client.is_ours:
                download(flight)
            else:
                self.hand_over(flight)

        return take

    def hand_over(self, flight: Flight) -> None:
        """Take in that the first stage of `flight` is over, and begin the second."""
        ended = flight.end(flight.price)
        then_credits = self._then_credits(flight)
        self._scope.book.note(flight.number, Event.STAGED, credits=then_credits, staged=ended.record())
        self._add(
            Flight(
                spec=flight.spec,
                stage=flight.stage + 1,
                staged=ended,
                then_credits=then_credits,
                input_sha256=flight.input_sha256,
            )
        )

    def _then_credits(self, flight: Flight) -> int:
        """Return the price of the second stage: of what was reserved, where the picture's size is not known here."""
        if flight.spec.width:
            return flight.spec.then_credits
        job = self._scope.book.tally.open.get(flight.number)
        return max(1, job.credits - flight.price if job is not None and job.staged is None else flight.then_credits)

    def resume(self, flight: Flight, poll: PollLane, lookup: Lookup) -> None:
        """Take a flight that an earlier process left before its second stage; a result that is not here is fetched.

        One at a member that this process was not given is looked for by the filename of its first stage.
        """
        client = self._scope.client
        if flight.staged is None or self._scope.folder.staged_of(flight.number).exists():
            self._add(flight)
            return
        is_stranger = client.is_stranger(flight.staged.process_id)
        if client.is_ours and not is_stranger:
            self._add(flight)
            return
        first = Flight(
            spec=flight.spec,
            process_id=flight.staged.process_id,
            attempts=flight.staged.attempts,
            input_sha256=flight.input_sha256,
            then_credits=flight.then_credits,
            unclear_from=flight.unclear_from,
            is_resumed=True,
        )
        if is_stranger:
            lookup.add(first)
        else:
            poll.add(first)

    def after_absence(self, submit: SubmitLane, poll: PollLane, lookup: Lookup) -> Callable[[Flight], Awaitable[None]]:
        """Return who takes flights that never arrived: a second stage may have to fetch first what it is sent."""

        async def take(flight: Flight) -> None:
            if flight.staged is None:
                await submit.again(flight)
            else:
                self.resume(flight, poll, lookup)

        return take

    def _add(self, flight: Flight) -> None:
        self._waiting.append(flight)
        self._arrived.set()

    async def run(self, submit: SubmitLane) -> None:
        """Serve for as long as the run lasts."""
        async with asyncio.TaskGroup() as group:
            while True:
                while not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                group.create_task(submit.again(self._waiting.popleft()))
