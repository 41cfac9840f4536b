"""The submit lane: a permit, a durable intent, one POST, and what its answer means.

The one rule: nothing is ever sent twice unless the first is proven not to have been accepted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from engine.errors import InputError
from engine.job.state import Event
from engine.pipeline.allowance import Allowance
from engine.pipeline.closing import Reason
from engine.pipeline.finish import finish, found_in_place
from engine.pipeline.flight import Flight
from engine.pipeline.prepare import Loaded, discard_copy, prepare
from engine.pipeline.read_ahead import Ready
from engine.pipeline.scope import Scope
from engine.pipeline.staged import by_link, from_file
from engine.pipeline.web import WebInputs
from engine.remote.acceptance import Accepted
from engine.remote.failures import Kind, RemoteError
from engine.remote.multipart import Upload
from engine.remote.pool import Turn

__all__ = ["SubmitLane"]

_OF_ONE_MEMBER = (Kind.NO_CREDITS, Kind.KEY_REFUSED, Kind.WRONG_ADDRESS)


class SubmitLane:
    """Takes planned jobs to the remote; hands accepted flights to `on_accepted`, unclear ones to `on_unclear`."""

    def __init__(
        self, scope: Scope, on_accepted: Callable[[Flight], None], on_unclear: Callable[[Flight], None]
    ) -> None:
        self._scope = scope
        self._on_accepted = on_accepted
        self._on_unclear = on_unclear
        self.lane = scope.lane("submit", scope.settings.submit_concurrency)
        self._web = WebInputs(scope)
        self._allowance = Allowance(scope)
        self._answered_at: dict[str, float] = {}  # when each member last answered a submit clearly
        self._refused_from: float | None = None  # since when every submit was refused

    async def run(self, jobs: AsyncIterator[Ready]) -> bool:
        """Submit `jobs` until they end or the run closes; say whether all have had their turn.

        A refused input of the plan fails here.
        """
        async with asyncio.TaskGroup() as group:
            async for spec, loaded in jobs:
                flight = Flight(spec=spec)
                await self._scope.in_flight.take()
                await self.lane.enter()
                if self._scope.closing.is_told:
                    self.lane.leave()
                    self._scope.in_flight.give_back()
                    return False
                group.create_task(self._carry(flight, loaded))
        return not self._scope.closing.is_told

    async def again(self, flight: Flight) -> None:
        """Submit once more a flight that is proven not to have been accepted; it keeps its permit."""
        if len(flight.tried) >= self._scope.settings.submit_attempts and self._is_its_own(flight):
            reason = f"was not accepted: {len(flight.tried)} submits ended unclear and none of them arrived"
            await self._scope.fail(flight, reason)
            return
        await self.lane.enter()
        await self._carry(flight, None)

    def _is_its_own(self, flight: Flight) -> bool:
        """Say whether it is this picture that no submit gets through with: where others did meanwhile, or time is up.

        What a member of a pool does that answers nobody counts against no picture.
        """
        waited_s = self._scope.clock.monotonic() - flight.unclear_since
        if waited_s > self._scope.settings.job_deadline_s:
            return True
        well = {member for member, at in self._answered_at.items() if at >= flight.unclear_since}
        return sum(member in well for member in flight.tried) >= self._scope.settings.submit_attempts

    async def _carry(self, flight: Flight, loaded: Loaded | InputError | None) -> None:
        """Do one job's submitting; its place in the lane is held already."""
        try:
            if flight.spec.reason:
                await self._scope.fail(flight, flight.spec.reason)
                return
            started = self._scope.clock.monotonic()
            upload = await self._upload(flight, loaded)
            if self._scope.is_suspect and (sealed := await found_in_place(self._scope, flight)) is not None:
                await finish(self._scope, flight, sealed)
                return
            await self._send(flight, upload)
            flight.submit_s += self._scope.clock.monotonic() - started
        except InputError as error:
            discard_copy(self._scope, flight)
            await self._scope.fail(flight, str(error))
        finally:
            self.lane.leave()

    async def _upload(self, flight: Flight, loaded: Loaded | InputError | None) -> Upload | None:
        """Return what to send for `flight`; None where it is a link, to be minted for each try."""
        if flight.staged is None:
            return await prepare(self._scope, flight, self._web, loaded)
        client = self._scope.client
        is_here = client.is_ours and not client.is_stranger(flight.staged.process_id)
        return None if is_here else await from_file(self._scope, flight)

    async def _send(self, flight: Flight, upload: Upload | None) -> None:
        """Send until the answer is clear, or what it means is somebody else's business."""
        while (turn := await self._turn(flight)) is not None:
            sent = upload if upload is not None else await by_link(self._scope, flight, self.lane)
            if sent is None or (upload is None and not self._allowance.permits(flight)):  # told while it was minted
                turn.pass_up()
                continue
            flight.member = turn.member
            await self._intend(flight)
            try:
                accepted = await turn.submit(sent, self._scope.stage_of(flight).route)
            except RemoteError as error:
                if await self._is_over(flight, error):
                    return
            else:
                self._answered(flight)
                self._accepted(flight, accepted)
                return
        self._scope.in_flight.give_back()

    async def _turn(self, flight: Flight) -> Turn | None:
        """Return what to submit `flight` with, now that it may be; None when nothing is submitted any more."""
        await self.lane.passed()
        turn = await self._scope.client.turn(flight.tried, flight.refused)
        if self._allowance.permits(flight):
            return turn
        turn.pass_up()
        return None

    def _answered(self, flight: Flight) -> None:
        self.lane.worked()
        self._answered_at[flight.member] = self._scope.clock.monotonic()
        self._refused_from = None

    def _give_up_some_time(self, error: RemoteError) -> None:
        """Stop the run, resumable, when for as long as any job may take every submit was refused."""
        if error.elsewhere_helps:
            return
        now, limit_s = self._scope.clock.monotonic(), self._scope.settings.job_deadline_s
        self._refused_from = now if self._refused_from is None else self._refused_from
        if now - self._refused_from > limit_s:
            reason = f"the backend has refused every submit for {limit_s / 3600:g} h ({error}): resume later"
            self._scope.closing.tell(Reason.BROKEN, reason)

    async def _intend(self, flight: Flight) -> None:
        flight.attempts += 1
        generation = self._scope.book.tally.generation(flight.number)
        await self._scope.book.commit(
            flight.number,
            Event.INTENT,
            attempt=flight.attempts,
            credits=flight.spec.credits if flight.staged is None else flight.then_credits,
            input_sha256=flight.input_sha256,
            **({"member": flight.member} if flight.member else {}),
            **({"generation": generation} if generation else {}),
            **({"stage": flight.stage} if flight.staged is not None else {}),
        )

    def _accepted(self, flight: Flight, accepted: Accepted) -> None:
        flight.process_id, flight.eta = accepted.process_id, accepted.eta
        flight.accepted_at = self._scope.clock.now()
        self._scope.book.note(flight.number, Event.ACCEPTED, process_id=flight.process_id, eta=flight.eta)
        self._on_accepted(flight)

    async def _is_over(self, flight: Flight, error: RemoteError) -> bool:
        """Act on a submit that was not answered with success; False when it may be sent again."""
        book, closing = self._scope.book, self._scope.closing
        match error.kind:
            case Kind.BAD_JOB if error.elsewhere_helps:
                book.note(flight.number, Event.REFUSED, reason=str(error))
                flight.refused += (flight.member,)
                return False
            case Kind.BAD_JOB:
                self._answered(flight)
                discard_copy(self._scope, flight)
                await self._scope.fail(flight, str(error))
                return True
            case Kind.TOO_FAST | Kind.BUSY | Kind.UNREACHABLE:
                book.note(flight.number, Event.REFUSED, reason=error.kind.value)
                self.lane.failed(error)
                self._give_up_some_time(error)
                return False
            case _ if error.elsewhere_helps and error.kind in _OF_ONE_MEMBER:
                book.note(flight.number, Event.REFUSED, reason=str(error))
                return False
            case Kind.NO_CREDITS:
                book.note(flight.number, Event.REFUSED, reason=str(error))
                self._allowance.ran_out()
                closing.tell(Reason.CREDITS, f"{error}: buy credits, then resume")
                return False
            case Kind.KEY_REFUSED:
                book.note(flight.number, Event.REFUSED, reason=str(error))
                closing.tell(Reason.KEY_REFUSED, f"{error}: check the key, then resume")
                return False
            case Kind.WRONG_ADDRESS:
                book.note(flight.number, Event.REFUSED, reason=str(error))
                closing.tell(
                    Reason.BROKEN, f"{self._scope.endpoint.base_url} is not the API ({error}): check --backend"
                )
                return False
            case _:
                flight.unclear_from = self._scope.clock.monotonic()
                flight.tried += (flight.member,)
                flight.unclear_since = flight.unclear_since or flight.unclear_from
                book.note(flight.number, Event.UNCLEAR, reason=str(error))
                self.lane.failed(error)
                self._on_unclear(flight)
                return True
