"""The end of a job that worked: its output is in place and verified, the journal is told, the way is cleared."""

import asyncio
from dataclasses import replace
from pathlib import Path

from engine.disk import path_of_text
from engine.pipeline.flight import Flight
from engine.pipeline.prepare import discard_copy
from engine.pipeline.scope import Scope
from engine.pipeline.seal import Expected, Sealed, recognise
from engine.remote.failures import RemoteError

__all__ = ["final_path", "finish", "forget", "found_in_place"]


def final_path(scope: Scope, flight: Flight) -> Path:
    """Return where the result of `flight` belongs: the job's output, or what its next stage is to take."""
    if not scope.is_last(flight):
        return scope.folder.staged_of(flight.number)
    return scope.order.out / path_of_text(flight.spec.output)


async def found_in_place(scope: Scope, flight: Flight) -> Sealed | None:
    """Return the verified output that is there already although the journal does not know; None if there is none.

    A job whose output existed before was refused when it was planned, so nobody else will have put it there; a copy
    of the input is taken for one all the same.
    """
    spec = flight.spec
    if not spec.width:
        return None
    expected = Expected(*scope.order.sizing.output_size(spec.width, spec.height))
    final = scope.order.out / path_of_text(spec.output)
    sealed = await asyncio.to_thread(recognise, final, expected)
    is_input = sealed is not None and sealed.sha256 == flight.input_sha256
    return None if is_input else sealed


async def finish(scope: Scope, flight: Flight, sealed: Sealed) -> None:
    """Journal that `flight` is done, durably; then let the run's own service forget the job, files included.

    A first stage is forgotten only now: until then its result could be needed again.
    """
    # Found in place before its first stage was sent again, it went through all of them.
    credits_charged = flight.price if scope.is_last(flight) else flight.spec.credits
    await scope.book.end(
        replace(
            flight.outcome(credits_charged=credits_charged),
            output_sha256=sealed.sha256,
            output_bytes=sealed.size_bytes,
            output_width=sealed.width,
            output_height=sealed.height,
        )
    )
    discard_copy(scope, flight)
    scope.in_flight.give_back()
    if scope.endpoint.is_own:
        for process_id in (flight.process_id, flight.staged.process_id if flight.staged is not None else ""):
            if process_id:
                await forget(scope, process_id)


async def forget(scope: Scope, process_id: str) -> None:
    """Delete a finished job at the run's own service; what fails here is swept up at the end of the run."""
    try:
        await scope.client.forget(process_id)
    except RemoteError:
        return
