"""Every job of a run into its lane, once: those left in flight, those the journal lost, those still to be sent."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from engine.job.spec import JobSpec
from engine.job.state import Event, State
from engine.job.tally import Tally
from engine.pipeline.evidence import Evidence, adoption
from engine.pipeline.flight import Flight
from engine.pipeline.found import Found
from engine.pipeline.lookup import Lookup
from engine.pipeline.opening import Opened
from engine.pipeline.past import as_retried
from engine.pipeline.plan import extend, pick
from engine.pipeline.poll import PollLane
from engine.pipeline.read_ahead import read_ahead
from engine.pipeline.relay import Relay
from engine.pipeline.scope import Scope
from engine.pipeline.submit import SubmitLane
from engine.pipeline.upload_name import Named
from engine.remote.member_id import unqualified

__all__ = ["feed"]

_PLAN_GROUP = 512  # plan lines decoded per thread hop


async def feed(scope: Scope, opened: Opened, submit: SubmitLane, poll: PollLane, lookup: Lookup, relay: Relay) -> bool:
    """Bring every job into its lane, once; say whether all of them were."""
    past = opened.past
    flying = {spec.number for spec in past.open_jobs}
    if scope.is_chained and scope.is_suspect:  # before a first stage ends whose second one the journal has lost
        flying |= await _adopt_orphans(scope, opened, flying, poll, lookup)
    for spec in past.open_jobs:
        scope.in_flight.overdraw()
        flight, state = _resumed(scope, spec), scope.book.tally.state(spec.number)
        if state is State.PLANNED:
            relay.resume(flight, poll, lookup)
        elif state is State.ACCEPTED and not scope.client.is_stranger(flight.process_id):
            poll.add(flight)
        else:  # what was accepted where it can't be asked after stays so until it is found by its filename
            lookup.add(flight)
    if scope.is_suspect and not scope.is_chained:
        flying |= await _adopt_orphans(scope, opened, flying, poll, lookup)
    return await submit.run(read_ahead(_jobs(scope, opened, flying)))


def _resumed(scope: Scope, spec: JobSpec) -> Flight:
    """Return the flight of a job that an earlier process left in flight."""
    job = scope.book.tally.open[spec.number]
    flight = Flight(spec=spec)
    flight.is_resumed = True
    flight.process_id = job.process_id or job.lost_id
    flight.member = unqualified(flight.process_id)[0] or job.member
    if not flight.member and scope.endpoint.others:
        flight.member = scope.book.marks.alone or ""
    flight.attempts = job.attempts
    flight.input_sha256 = job.input_sha256
    flight.accepted_at = job.accepted_at
    flight.unclear_from = scope.clock.monotonic()
    flight.eta = job.eta
    flight.etag = job.etag
    if job.staged is not None:
        flight.stage, flight.staged, flight.then_credits = 2, job.staged, job.credits
    return flight


async def _adopt_orphans(scope: Scope, opened: Opened, flying: set[int], poll: PollLane, lookup: Lookup) -> set[int]:
    """A journal that lacks lines may lack intents: whatever the remote has of this run is adopted first.

    Return the numbers of the jobs that were; those `flying` keep their flight.
    """
    tally, planned = scope.book.tally, opened.past.jobs

    def is_lost(named: Named) -> bool:
        job = tally.open.get(named.number)
        if named.number in flying:  # the journal knows its first stage: has it lost the second one?
            return scope.is_chained and job is not None and _is_before_second_stage(tally, named.number)
        return named.number < planned and tally.state(named.number) is State.PLANNED

    found = await lookup.orphans(is_lost)
    found = {number: each for number, each in found.items() if number not in flying or each.stage > 1}
    for spec in await asyncio.to_thread(_placed, opened, found):
        for record in adoption(spec, found[spec.number], tally.open.get(spec.number)):
            _note(scope, **record)
        if spec.number not in flying:
            scope.in_flight.overdraw()
            poll.add(_resumed(scope, spec))
    return set(found)


def _is_before_second_stage(tally: Tally, number: int) -> bool:
    return tally.open[number].staged is None or tally.state(number) is State.PLANNED


def _placed(opened: Opened, found: Mapping[int, Found]) -> list[JobSpec]:
    """Return the jobs of `found` as they were sent, each with a place for its output. Blocks."""
    evidence, numbers = Evidence(opened, found), iter(sorted(found))
    specs = pick(opened.folder.plan, numbers) if found else iter(())
    return [evidence.placed(as_retried(spec, opened.past.tally)) for spec in specs]


def _note(scope: Scope, *, job: int, event: str, **members: Any) -> None:
    scope.book.note(job, Event(event), **members)


async def _jobs(scope: Scope, opened: Opened, flying: set[int]) -> AsyncIterator[list[JobSpec]]:
    """Yield the planned jobs that are not `flying`: first those that the plan holds, then those still being planned."""
    tally, past = scope.book.tally, opened.past
    numbers = (number for number in _planned(tally, past.place.number, past.jobs) if number not in flying)
    jobs = pick(opened.folder.plan, numbers, past.place) if tally.counts[State.PLANNED] else iter(())
    while group := await asyncio.to_thread(_take, jobs):
        scope.budget.needs(sum(spec.credits for spec in group))
        yield [as_retried(spec, tally) for spec in group] if tally.again else group
    if opened.jobs is None:
        scope.budget.complete()
        return
    scope.book.mark("planning")
    async for group in extend(opened.folder, past.plan, opened.jobs, sync=scope.settings.sync):
        tally.grow(group[-1].number + 1)
        scope.budget.needs(sum(spec.credits for spec in group))
        yield group
    scope.budget.complete()
    scope.book.mark("planned", jobs=tally.planned)


def _planned(tally: Tally, first: int, end: int) -> Iterator[int]:
    """Yield the jobs from `first` to `end` that are planned when it is their turn."""
    while (first := tally.states.find(State.PLANNED, first, end)) >= 0:
        yield first
        first += 1


def _take(jobs: Iterator[JobSpec]) -> list[JobSpec]:
    return list(itertools.islice(jobs, _PLAN_GROUP))
