"""The run: the only place that starts tasks. Past -> lanes -> end, the same for a new run and a resumed one."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.clock import Clock
from engine.disk import AppendFile
from engine.errors import MachineError
from engine.job.spec import JobSpec
from engine.job.state import Event, State
from engine.job.tally import Tally
from engine.journal.writer import JournalWriter
from engine.pipeline.book import Book
from engine.pipeline.closing import Closing, Reason
from engine.pipeline.download import DownloadLane
from engine.pipeline.finish import forget
from engine.pipeline.flight import Flight
from engine.pipeline.lookup import Lookup
from engine.pipeline.opening import Opened
from engine.pipeline.past import rewrite_results
from engine.pipeline.permits import Permits
from engine.pipeline.plan import extend, read_plan
from engine.pipeline.poll import PollLane
from engine.pipeline.run_folder import open_journal
from engine.pipeline.scope import Scope
from engine.pipeline.submit import SubmitLane
from engine.pipeline.summary import Summary, summarise
from engine.remote.client import Client
from engine.remote.endpoint import Endpoint
from engine.remote.failures import Kind, RemoteError
from engine.remote.transport import Transport

__all__ = ["View", "run"]

_ADVICE = {
    Kind.KEY_REFUSED: "check the key, then resume",
    Kind.GONE: "this is not the API's base URL, check --backend",
    Kind.WRONG_ADDRESS: "this is not the API's base URL, check --backend",
}
_PLAN_GROUP = 512  # plan lines decoded per thread hop


@dataclass(frozen=True, slots=True)
class View:
    """What observers may look at while the run goes on; read it whenever, change nothing."""

    tally: Tally
    in_flight: Permits
    closing: Closing


async def run(
    opened: Opened,
    endpoint: Endpoint,
    *,
    transport: Transport,
    clock: Clock,
    draw: Callable[[], float],
    closing: Closing,
    on_start: Callable[[View], None],
) -> Summary:
    """Carry an opened run to its end, or to where `closing` stops it; the summary says which.

    Failures of jobs are data. Only a broken programme raises.
    """
    folder, order, past = opened.folder, opened.order, opened.past
    started, ended_before = clock.monotonic(), past.tally.ended
    await asyncio.to_thread(rewrite_results, folder, past.tally)
    journal_file = await asyncio.to_thread(open_journal, folder.journal, past.journal, sync=order.settings.sync)
    results_file = AppendFile(folder.results, sync=False)
    client = Client(transport, endpoint.base_url, endpoint.key, clock)
    async with (
        JournalWriter(journal_file, name=str(folder.journal)) as journal,
        JournalWriter(results_file, name=str(folder.results)) as results,
    ):
        scope = Scope(
            order=order,
            folder=folder,
            endpoint=endpoint,
            client=client,
            transport=transport,
            book=Book(past.tally, journal, results, clock),
            in_flight=Permits(order.settings.max_in_flight),
            closing=closing,
            clock=clock,
            draw=draw,
            form=order.parameters.form(),
            is_suspect=past.is_suspect,
        )
        on_start(View(past.tally, scope.in_flight, closing))
        await _carry_out(scope, opened)
    return summarise(
        past.tally,
        run_id=order.run_id,
        run=str(folder.path),
        out=str(order.out),
        backend=endpoint.name,
        requests=sum(client.requests.values()),
        seconds=round(clock.monotonic() - started, 3),
        ended_now=past.tally.ended - ended_before,
        notes=tuple(past.notes),
        stopped=closing.reason or "",
        message=closing.message,
    )


async def _carry_out(scope: Scope, opened: Opened) -> None:
    """Do it all, and turn what stops a whole run into the reason for its closing."""
    closing = scope.closing
    is_sound = not scope.is_suspect
    try:
        if await _greet(scope):
            scope.book.mark("opened", run=scope.order.run_id, backend=scope.endpoint.name)
            is_sound = await _fly(scope, opened) or is_sound
        if scope.endpoint.is_own and not closing.leaving.is_set():
            await _sweep_up(scope)
    except* RemoteError as group:
        error = _first(group)
        if not isinstance(error, RemoteError):
            raise
        reason = Reason.KEY_REFUSED if error.kind is Kind.KEY_REFUSED else Reason.BROKEN
        closing.tell(reason, f"{error}: {_ADVICE.get(error.kind, 'resume later')}")
    except* MachineError as group:
        closing.tell(Reason.BROKEN, str(_first(group)))
    except* OSError as group:
        closing.tell(Reason.BROKEN, f"{_said(_first(group))}: make room or mend the folder, then resume")
    with contextlib.suppress(MachineError):  # the journal itself may be what broke
        scope.book.mark("closed", reason=closing.reason, is_sound=is_sound)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} can't be used ({error.strerror})"
    return str(error)


async def _greet(scope: Scope) -> bool:
    """Make sure, before anything is sent, that there is an API behind the address and that it takes the key.

    False when the run is told to leave meanwhile.
    """
    greeting = asyncio.create_task(_say_hello(scope))
    leave = asyncio.create_task(scope.closing.leaving.wait())
    try:
        await asyncio.wait((greeting, leave), return_when=asyncio.FIRST_COMPLETED)
        if not greeting.done():
            return False
        await greeting
        return True
    finally:
        greeting.cancel()
        leave.cancel()


async def _say_hello(scope: Scope) -> None:
    gate = scope.gate("greeting")
    for _attempt in range(3):
        await gate.passed()
        try:
            await scope.client.listing(limit=1)
            return
        except RemoteError as error:
            last = error
            if error.kind in (Kind.KEY_REFUSED, Kind.GONE, Kind.WRONG_ADDRESS):
                break
            gate.failed(error)
    raise last


async def _fly(scope: Scope, opened: Opened) -> bool:
    """Start the lanes, put the open jobs back where they were, feed the rest, and see it through.

    Say whether every job of the plan has had its turn.
    """
    download, lookup = DownloadLane(scope), Lookup(scope)
    poll = PollLane(scope, download.add, lookup.add)
    submit = SubmitLane(scope, poll.add, lookup.add)
    async with asyncio.TaskGroup() as group:
        running = (lookup.run(poll.add, submit.again), poll.run(), download.run(poll))
        lanes = [group.create_task(lane) for lane in running]
        feed = group.create_task(_feed(scope, opened, submit, poll, lookup))
        await _see_through(scope, feed, submit, download)
        for task in (*lanes, feed):
            task.cancel()
    return feed.done() and not feed.cancelled() and feed.result()


async def _feed(scope: Scope, opened: Opened, submit: SubmitLane, poll: PollLane, lookup: Lookup) -> bool:
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
    return await submit.run(_jobs(scope, opened, flying))


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
    for spec in await asyncio.to_thread(_specs, opened.folder.plan, rows.keys()):
        row = rows[spec.number]
        scope.book.note(spec.number, Event.UNCLEAR, reason="its intent was lost from the journal")
        scope.book.note(
            spec.number, Event.ACCEPTED, process_id=row.process_id, eta=row.eta, credits=spec.credits, adopted=True
        )
        scope.in_flight.overdraw()
        poll.add(_resumed(scope, spec))
    return set(rows)


def _specs(plan: Path, numbers: Collection[int]) -> list[JobSpec]:
    return [spec for spec in read_plan(plan) if spec.number in numbers] if numbers else []


async def _jobs(scope: Scope, opened: Opened, flying: set[int]) -> AsyncIterator[JobSpec]:
    """Yield the planned jobs that are not `flying`: first those that the plan holds, then those still being planned."""
    tally, past = scope.book.tally, opened.past
    lines = read_plan(opened.folder.plan) if tally.counts[State.PLANNED] else iter(())
    is_planned = partial(_is_planned, tally, flying)
    while group := await asyncio.to_thread(_take, filter(is_planned, lines)):
        for spec in group:
            yield spec
    if opened.jobs is None:
        return
    scope.book.mark("planning")
    async for group in extend(opened.folder, past.plan, opened.jobs, sync=scope.settings.sync):
        tally.grow(group[-1].number + 1)
        for spec in group:
            yield spec
    scope.book.mark("planned", jobs=tally.planned)


def _is_planned(tally: Tally, flying: set[int], spec: JobSpec) -> bool:
    return spec.number not in flying and tally.state(spec.number) is State.PLANNED


def _take(jobs: Iterator[JobSpec]) -> list[JobSpec]:
    return list(itertools.islice(jobs, _PLAN_GROUP))


async def _see_through(scope: Scope, feed: asyncio.Task[bool], submit: SubmitLane, download: DownloadLane) -> None:
    """Return when every job has ended, or when the run is to be left and what is cheap has been finished."""
    end = asyncio.create_task(_end(scope, feed))
    leave = asyncio.create_task(scope.closing.leaving.wait())
    try:
        await asyncio.wait((end, leave), return_when=asyncio.FIRST_COMPLETED)
        if not end.done():
            await _finish_cheap(scope, submit, download)
    finally:
        end.cancel()
        leave.cancel()


async def _finish_cheap(scope: Scope, submit: SubmitLane, download: DownloadLane) -> None:
    """Give the POSTs and downloads under way a few seconds: each one finished is one less to look up later."""
    try:
        async with asyncio.timeout(scope.settings.drain_s):
            await submit.sending.all_back()
            await download.busy.all_back()
    except TimeoutError:
        return


async def _end(scope: Scope, feed: asyncio.Task[bool]) -> None:
    await asyncio.wait((feed,))
    await scope.in_flight.all_back()


async def _sweep_up(scope: Scope) -> None:
    """Let the own service forget what an earlier process finished but could not have forgotten any more."""
    with contextlib.suppress(RemoteError):  # it costs disk space until the service's own retention ends, no more
        async for row in scope.client.rows():
            number = scope.number_of(row.filename)
            if number is not None and scope.book.tally.state(number).is_final:
                await forget(scope, row.process_id)
