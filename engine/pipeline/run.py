"""The run: it opens the files, starts the lanes and ends them; the same for a new run and a resumed one."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from engine.clock import Clock
from engine.disk import AppendFile
from engine.errors import MachineError
from engine.job.state import State
from engine.job.tally import Tally
from engine.journal.writer import JournalWriter
from engine.pipeline.book import Book
from engine.pipeline.closing import Closing, Reason
from engine.pipeline.download import DownloadLane
from engine.pipeline.feed import feed
from engine.pipeline.finish import forget
from engine.pipeline.greeting import greet
from engine.pipeline.lookup import Lookup
from engine.pipeline.notes import Notes
from engine.pipeline.notices import Notices, token_of
from engine.pipeline.opening import Opened
from engine.pipeline.order import Order
from engine.pipeline.permits import Permits
from engine.pipeline.poll import PollLane
from engine.pipeline.receiver import receiving
from engine.pipeline.relay import Relay
from engine.pipeline.results import rewrite_results
from engine.pipeline.run_folder import open_journal
from engine.pipeline.scope import Scope
from engine.pipeline.snapshots import Snapshots
from engine.pipeline.staged import clear_up
from engine.pipeline.stages import stages_of
from engine.pipeline.submit import SubmitLane
from engine.pipeline.summary import Summary, summarise
from engine.pipeline.upload_name import Named
from engine.remote.client import Client
from engine.remote.connect import connect
from engine.remote.endpoint import Endpoint
from engine.remote.failures import Kind, RemoteError
from engine.remote.transport import Transport

__all__ = ["View", "run"]

# Between two groups of the journal: a job waits for two of them, which is nothing beside what a remote takes; in a busy
# run it saves most of the syncs. Nobody waits for a row of the results.
_JOURNAL_PAUSE_S = 0.005
_RESULTS_PAUSE_S = 0.05

_ADVICE = {
    Kind.KEY_REFUSED: "check the key, then resume",
    Kind.GONE: "this is not the API's base URL, check --backend",
    Kind.WRONG_ADDRESS: "this is not the API's base URL, check --backend",
}


@dataclass(frozen=True, slots=True)
class View:
    """What observers may look at while the run goes on; read it whenever, change nothing."""

    tally: Tally
    in_flight: Permits
    closing: Closing
    notes: Notes = field(default_factory=Notes)


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
    await asyncio.to_thread(rewrite_results, folder, past.tally, past.since)
    journal_file = await asyncio.to_thread(open_journal, folder.journal, past.journal, sync=order.settings.sync)
    results_file = AppendFile(folder.results, sync=False)
    notes = Notes()
    client = connect(endpoint, transport, clock, order.settings.backoff(), draw, notes.tell)
    async with (
        _writer(journal_file, partial(clock.sleep, _JOURNAL_PAUSE_S)) as journal,
        _writer(results_file, partial(clock.sleep, _RESULTS_PAUSE_S)) as results,
    ):
        scope = Scope(
            order=order,
            folder=folder,
            endpoint=endpoint,
            client=client,
            transport=transport,
            book=Book(past.tally, past.marks, journal, results, clock),
            in_flight=Permits(order.settings.max_in_flight),
            closing=closing,
            clock=clock,
            draw=draw,
            stages=stages_of(order.sizing, _webhook(order, endpoint)),
            is_suspect=past.is_suspect,
            notes=notes,
        )
        on_start(View(past.tally, scope.in_flight, closing, scope.notes))
        snapshots = Snapshots(folder, past, scope.book, (journal, results))
        await _carry_out(scope, opened, snapshots, started)
        await snapshots.take()
    return summarise(
        past.tally,
        run_id=order.run_id,
        run=str(folder.path),
        out=str(order.out),
        backend=endpoint.name,
        requests=sum(client.requests.values()),
        calls={call.value: count for call, count in client.requests.items() if count},
        refusals=client.refusals,
        is_simulated=past.marks.is_simulated,
        limits=scope.limits(started),
        seconds=round(clock.monotonic() - started, 3),
        ended_now=past.tally.ended - ended_before,
        notes=(*past.notes, *scope.notes.lines()),
        stopped=closing.reason or "",
        message=closing.message,
    )


def _writer(file: AppendFile, pause: Callable[[], Awaitable[None]]) -> JournalWriter:
    return JournalWriter(file, name=str(file.path), begin_bytes=file.size_bytes, pause=pause)


async def _carry_out(scope: Scope, opened: Opened, snapshots: Snapshots, started: float) -> None:
    """Do it all, and turn what stops a whole run into the reason for its closing."""
    closing = scope.closing
    is_sound = not scope.is_suspect
    try:
        if await greet(scope):
            told: dict[str, Any] = {"simulated": True} if scope.client.is_simulated else {}
            if isinstance(scope.client, Client) and not scope.endpoint.is_own:  # should it be one of a pool some day
                told["member"] = scope.client.id
            scope.book.mark("opened", run=scope.order.run_id, backend=scope.endpoint.name, **told)
            is_sound = await _fly(scope, opened, snapshots) or is_sound
        if scope.is_chained:
            await asyncio.to_thread(clear_up, scope)
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
        scope.book.mark("limits", **scope.limits(started))
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


async def _fly(scope: Scope, opened: Opened, snapshots: Snapshots) -> bool:
    """Start the lanes, put the open jobs back where they were, feed the rest, and see it through.

    Say whether every job of the plan has had its turn.
    """
    relay, lookup = Relay(scope), Lookup(scope)
    download = DownloadLane(scope, relay.hand_over)
    poll = PollLane(scope, relay.before(download.add), lookup.add)
    notices = _notices(scope, poll, lookup)
    on_accepted = notices.before(poll.add) if notices is not None else poll.add
    submit = SubmitLane(scope, on_accepted, lookup.add)
    async with _told(scope, notices), asyncio.TaskGroup() as group:
        running = (
            lookup.run(on_accepted, relay.after_absence(submit, poll, lookup)),
            poll.run(),
            download.run(poll),
            relay.run(submit),
            snapshots.run(),
        )
        lanes = [group.create_task(lane) for lane in running]
        feeding = group.create_task(feed(scope, opened, submit, poll, lookup, relay))
        await _see_through(scope, feeding, submit, download)
        _tell_of_parked(scope)
        for task in (*lanes, feeding):
            task.cancel()
    return feeding.done() and not feeding.cancelled() and feeding.result()


def _tell_of_parked(scope: Scope) -> None:
    if scope.parked:
        what = f"{len(scope.parked)} jobs are at members of the pool that can't be asked any more"
        scope.closing.tell(Reason.KEY_REFUSED, f"{what}: give them again, with their keys, then resume")


def _webhook(order: Order, endpoint: Endpoint) -> str:
    """Return where jobs of this run are to tell of their ends; empty: nowhere."""
    url = order.settings.webhook_url
    return f"{url}/{token_of(endpoint.keys, order.run_id)}" if url is not None else ""


def _notices(scope: Scope, poll: PollLane, lookup: Lookup) -> Notices | None:
    """Return what answers notices; None where the settings ask for none."""
    if scope.settings.webhook_url is None:
        return None

    def is_sending() -> bool:
        return scope.lanes["submit"].places.taken > 0 or lookup.is_open

    run_id = scope.order.run_id
    return Notices(scope.endpoint, run_id, book=scope.book, poll=poll, clock=scope.clock, is_sending=is_sending)


def _told(scope: Scope, notices: Notices | None) -> AbstractAsyncContextManager[object]:
    """Have notices answered, if there is what answers them."""
    return receiving(scope.settings.webhook_listen, notices) if notices is not None else contextlib.nullcontext()


async def _see_through(scope: Scope, feeding: asyncio.Task[bool], submit: SubmitLane, download: DownloadLane) -> None:
    """Return when every job has ended, or when the run is to be left and what is cheap has been finished."""
    end = asyncio.create_task(_end(scope, feeding))
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
            await submit.lane.places.all_back()
            await download.lane.places.all_back()
    except TimeoutError:
        return


async def _end(scope: Scope, feeding: asyncio.Task[bool]) -> None:
    await asyncio.wait((feeding,))
    await scope.in_flight.all_back()


async def _sweep_up(scope: Scope) -> None:
    """Let the own service forget what an earlier process finished but could not have forgotten any more."""
    with contextlib.suppress(RemoteError):  # it costs disk space until the service's own retention ends, no more
        async for row in scope.client.rows():
            named = scope.named(row.filename)
            if named is not None and _is_of_no_use(scope, named):
                await forget(scope, row.process_id)


def _is_of_no_use(scope: Scope, named: Named) -> bool:
    """Say whether a row has served its job: a failed one may be retried from the result of its first stage."""
    state = scope.book.tally.state(named.number)
    return state is State.DONE or (state is State.FAILED and named.stage == len(scope.stages))
