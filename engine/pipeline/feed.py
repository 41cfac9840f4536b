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
from engine.pipeline.lookup import Lookup
from engine.pipeline.opening import Opened
from engine.pipeline.past import as_retried
from engine.pipeline.plan import extend, pick
from engine.pipeline.poll import PollLane
from engine.pipeline.read_ahead import read_ahead
from engine.pipeline.scope import Scope
from engine.pipeline.submit import SubmitLane
from engine.pipeline.visit import Found

__all__ = ["feed"]

_PLAN_GROUP = 512  # plan lines decoded per thread hop


async def feed(scope: Scope, opened: Opened, submit: SubmitLane, poll: PollLane, lookup: Lookup) -> bool:
    """Bring every job into its lane, once; say whether all of them were."""
    past = opened.past
    for spec in past.open_jobs:
        scope.in_flight.overdraw()
        flight = _resumed(scope, spec)
        if flight.process_id:
            poll.add(flight)
        else:
            lookup.add(flight)
    flying = {spec.number for spec in past.open_jobs}
    if scope.is_suspect:
        flying |= await _adopt_orphans(scope, opened, flying, poll, lookup)
    return await submit.run(read_ahead(_jobs(scope, opened, flying)))


def _resumed(scope: Scope, spec: JobSpec) -> Flight:
    """Return the flight of a job that an earlier process left in flight."""
    job = scope.book.tally.open[spec.number]
    flight = Flight(spec=spec)
    flight.is_resumed = True
    flight.process_id = job.process_id
    flight.attempts = job.attempts
    flight.input_sha256 = job.input_sha256
    flight.accepted_at = job.accepted_at
    flight.unclear_from = scope.clock.monotonic()
    flight.eta = job.eta
    flight.etag = job.etag
    return flight


async def _adopt_orphans(scope: Scope, opened: Opened, flying: set[int], poll: PollLane, lookup: Lookup) -> set[int]:
    """A journal that lacks lines may lack intents: whatever the remote has of this run is adopted first.

    Return the numbers of the jobs that were.
    """
    states, planned = scope.book.tally, opened.past.jobs

    def is_lost(number: int) -> bool:
        return number < planned and number not in flying and states.state(number) is State.PLANNED

    rows = await lookup.orphans(is_lost)
    found = {number: Found(scope.generation_of(row.filename), row) for number, row in rows.items()}
    for spec in await asyncio.to_thread(_placed, opened, found):
        for record in adoption(spec, found[spec.number]):
            _note(scope, **record)
        scope.in_flight.overdraw()
        poll.add(_resumed(scope, spec))
    return set(found)


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
        yield [as_retried(spec, tally) for spec in group] if tally.again else group
    if opened.jobs is None:
        return
    scope.book.mark("planning")
    async for group in extend(opened.folder, past.plan, opened.jobs, sync=scope.settings.sync):
        tally.grow(group[-1].number + 1)
        yield group
    scope.book.mark("planned", jobs=tally.planned)


def _planned(tally: Tally, first: int, end: int) -> Iterator[int]:
    """Yield the jobs from `first` to `end` that are planned when it is their turn."""
    while (first := tally.states.find(State.PLANNED, first, end)) >= 0:
        yield first
        first += 1


def _take(jobs: Iterator[JobSpec]) -> list[JobSpec]:
    return list(itertools.islice(jobs, _PLAN_GROUP))
