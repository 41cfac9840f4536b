"""What a second stage is sent: the result of the first one.

The embedded service takes it by its link, so nothing travels. The vendor's cloud does too, but under which filename it
would list that job is not documented, and without the filename an unclear POST could not be looked up: there the result
is fetched like any other, kept in the run folder, and uploaded under its own name.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

from engine.errors import InputError
from engine.job.state import State
from engine.picture import read_header
from engine.pipeline.closing import Reason
from engine.pipeline.flight import Flight
from engine.pipeline.lane import Lane
from engine.pipeline.order import STAGED_FORMAT
from engine.pipeline.prepare import Loaded, fields_of, load
from engine.pipeline.scope import Scope
from engine.remote.failures import Kind, RemoteError
from engine.remote.multipart import Upload

__all__ = ["by_link", "clear_up", "from_file"]


async def from_file(scope: Scope, flight: Flight) -> Upload:
    """Return the upload of the fetched result; raises InputError where there is none."""
    path = scope.folder.staged_of(flight.number)
    size_bytes, loaded = await asyncio.to_thread(_load, path)
    if _lacks_size(scope, flight):
        header = await asyncio.to_thread(read_header, path)
        _set_size(scope, flight, header.width, header.height)
    return Upload.of(fields_of(scope, flight), _name(scope, flight), path, size_bytes, loaded.content)


def _load(path: Path) -> tuple[int, Loaded]:
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"the result of the first stage is gone from {path}") from None
    return size_bytes, load(path, size_bytes)


async def by_link(scope: Scope, flight: Flight, lane: Lane) -> Upload | None:
    """Return a form with a link minted just now: one lives for an hour, and a lane may pause for longer.

    None where it can't be had now: that has been waited out, outside `lane`, or the run told to stop. Raises InputError
    where it will not be had any more.
    """
    if flight.staged is None:
        raise AssertionError("a second stage without a first")
    try:
        if _lacks_size(scope, flight):
            row = await scope.client.status(flight.staged.process_id)
            _set_size(scope, flight, row.output_width, row.output_height)
        link = await scope.client.link(flight.staged.process_id)
    except RemoteError as error:
        await _wait_out(scope, flight, lane, error)
        return None
    flight.download_failures, flight.failing_from = 0, 0.0
    return Upload.of_fields({**fields_of(scope, flight), "source_url": link.url}, _name(scope, flight))


def _lacks_size(scope: Scope, flight: Flight) -> bool:
    """Say whether it is still to be found out how large the output is to be.

    The plan does not know that of a picture on the web, nor of one that it refused and that was retried; an earlier
    process that carried the first stage did.
    """
    return scope.order.sizing.scale is not None and flight.spec.output_width is None


def _set_size(scope: Scope, flight: Flight, width: int, height: int) -> None:
    """Take in the size of the first stage's result, which is that of the input."""
    if not (width and height):
        raise InputError("the backend does not say how large the result of the first stage is, so it can't be scaled")
    size = scope.order.sizing.output_size(width, height)
    flight.spec = replace(flight.spec, output_width=size[0], output_height=size[1])


def clear_up(scope: Scope) -> None:
    """Delete what is left between the stages of jobs that are done: a process was killed before it could. Blocks."""
    folder, tally = scope.folder.staged, scope.book.tally
    for path in folder.iterdir() if folder.exists() else ():
        number = path.name.partition(".")[0]
        if number.isdecimal() and tally.state(int(number)) is State.DONE:
            path.unlink(missing_ok=True)


async def _wait_out(scope: Scope, flight: Flight, lane: Lane, error: RemoteError) -> None:
    now = scope.clock.monotonic()
    flight.failing_from = flight.failing_from or now
    if error.kind is Kind.GONE or now - flight.failing_from > scope.settings.job_deadline_s:
        raise InputError(f"the result of the first stage can't be had from the backend: {error}") from error
    if error.kind is Kind.KEY_REFUSED:
        scope.closing.tell(Reason.KEY_REFUSED, f"{error}: check the key, then resume")
        return
    if error.kind in (Kind.TOO_FAST, Kind.UNREACHABLE):
        lane.failed(error)
    flight.download_failures += 1
    wait_s = scope.backoff().delay_s(flight.download_failures, scope.draw(), error.retry_after_s)
    await lane.step_out(scope.clock.sleep(wait_s))  # it may take hours, and others can be sent meanwhile


def _name(scope: Scope, flight: Flight) -> str:
    return scope.upload_name(flight, STAGED_FORMAT.value)
