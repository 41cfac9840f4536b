"""The download lane: mint a link, fetch, verify, publish, journal; then let the own service forget the job."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.errors import EngineError, InputError
from engine.job.state import Event, State
from engine.pipeline.closing import Reason
from engine.pipeline.fetch import fetch
from engine.pipeline.finish import final_path, finish
from engine.pipeline.flight import Flight
from engine.pipeline.poll import PollLane
from engine.pipeline.scope import Scope
from engine.pipeline.seal import BadResult, Expected, Result, Sealed, part_of, recognise, translate
from engine.pipeline.sealer import Sealer
from engine.remote.failures import Kind, RemoteError

__all__ = ["DownloadLane"]

# A result that is wrong this many times over will not get better.
_MAX_BAD_RESULTS = 3
# An expired link is replaced at once, this often in a row; then the job waits like after any other failure.
_MAX_FRESH_LINKS = 3


class DownloadLane:
    """Takes finished flights, as many at once as its lane has places, the one that expires at the backend next first.

    Those that wait here are in flight still: a slow disk fills the flights' own bound, which holds up the submits.
    """

    def __init__(self, scope: Scope, on_staged: Callable[[Flight], None]) -> None:
        """`on_staged` takes flights whose result is fetched for another stage."""
        self._scope = scope
        self._on_staged = on_staged
        self._waiting: list[tuple[float, int, Flight]] = []  # a heap by when the backend accepted them
        self._order = itertools.count()
        self._arrived = asyncio.Event()
        self._backoff = scope.backoff()
        self._sealer = Sealer(sync=scope.settings.sync)
        self.lane = scope.lane("download", scope.settings.download_concurrency)

    def __repr__(self) -> str:
        return f"<DownloadLane {len(self._waiting)} waiting, {self.lane!r}>"

    def add(self, flight: Flight) -> None:
        """Take a finished flight."""
        created = flight.row.created if flight.row is not None else 0.0
        heapq.heappush(self._waiting, (created or flight.accepted_at, next(self._order), flight))
        self._arrived.set()

    async def run(self, poll: PollLane) -> None:
        """Serve for as long as the run lasts; what can't be fetched now goes back to `poll` for a later look."""
        async with asyncio.TaskGroup() as group:
            while True:
                while not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                await self.lane.enter()
                group.create_task(self._carry(heapq.heappop(self._waiting)[2], poll))

    async def _carry(self, flight: Flight, poll: PollLane) -> None:
        """Bring one result home; its place in the lane is held already."""
        try:
            await self._bring_home(flight, poll)
        finally:
            self.lane.leave()

    async def _bring_home(self, flight: Flight, poll: PollLane) -> None:
        started = self._scope.clock.monotonic()
        try:
            sealed = await self._sealed(flight)
        except InputError as error:
            await self._scope.fail(flight, str(error), credits_charged=flight.price)
        except (RemoteError, BadResult) as error:
            await self._later(flight, poll, error)
        else:
            flight.download_s += self._scope.clock.monotonic() - started
            if self._scope.is_last(flight):
                await finish(self._scope, flight, sealed)
            else:
                self._on_staged(flight)

    async def _sealed(self, flight: Flight) -> Sealed:
        final = final_path(self._scope, flight)
        expected = _expected(flight)
        try:
            if flight.is_resumed and (found := await self._published(flight, final, expected)) is not None:
                return found
            return await self._fetched(flight, final, expected)
        except OSError as error:
            raise translate(error, final) from error

    @staticmethod
    async def _published(flight: Flight, final: Path, expected: Expected) -> Sealed | None:
        """Return what an earlier process left in the output's place; a copy of the input is somebody else's."""
        found = await asyncio.to_thread(recognise, final, expected)
        return None if found is not None and found.sha256 == flight.input_sha256 else found

    async def _fetched(self, flight: Flight, final: Path, expected: Expected) -> Sealed:
        part = part_of(final)
        for fresh_links in range(_MAX_FRESH_LINKS):
            await self.lane.passed()
            link = await self._scope.client.link(flight.process_id)
            try:
                fetched = await fetch(
                    self._scope.client,
                    link.url,
                    part,
                    flight.etag,
                    partial(self._note, flight),
                    max_bytes=self._scope.settings.max_result_bytes,
                )
            except RemoteError as error:
                if error.kind is not Kind.EXPIRED_LINK or fresh_links + 1 == _MAX_FRESH_LINKS:
                    raise
                continue
            self.lane.worked()
            expected = replace(expected, size_bytes=expected.size_bytes or fetched.size_bytes)
            return await self._sealer.seal(Result(part, final, fetched.body, expected, fetched.sha256))
        raise AssertionError("the loop returns or raises")

    def _note(self, flight: Flight, etag: str) -> None:
        flight.etag = etag
        if etag and self._scope.book.tally.state(flight.number) is State.ACCEPTED:  # not what is fetched once more
            self._scope.book.note(flight.number, Event.DOWNLOADING, etag=etag)

    async def _later(self, flight: Flight, poll: PollLane, error: EngineError) -> None:
        """Try again after a while: a paid result is not given up for a passing failure."""
        flight.download_failures += 1
        flight.bad_results += isinstance(error, BadResult)
        if isinstance(error, RemoteError):
            is_unreached = error.kind is Kind.UNREACHABLE
            if is_unreached and self._scope.client.rests(flight.process_id):
                flight.failing_from = 0.0  # its member of a pool is away: no fault of this result's
            if error.kind is Kind.KEY_REFUSED and not error.elsewhere_helps:
                self._scope.closing.tell(Reason.KEY_REFUSED, f"{error}: check the key, then resume")
            elif error.kind is Kind.TOO_FAST or (is_unreached and not self._scope.endpoint.others):
                self.lane.failed(error)  # of a pool, one member's file host is not everybody's
        if not flight.failing_from:
            flight.failing_from = self._scope.clock.monotonic()
        failing_s = self._scope.clock.monotonic() - flight.failing_from
        if failing_s > self._scope.settings.job_deadline_s or flight.bad_results >= _MAX_BAD_RESULTS:
            reason = f"{error}, {flight.download_failures} times over"
            await self._scope.fail(flight, reason, credits_charged=flight.price)
            return
        asked_s = error.retry_after_s if isinstance(error, RemoteError) else None
        poll.again(flight, self._backoff.delay_s(flight.download_failures, self._scope.draw(), asked_s))


def _expected(flight: Flight) -> Expected:
    row = flight.row
    return Expected(row.output_width, row.output_height, row.output_bytes) if row is not None else Expected()
