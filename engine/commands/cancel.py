"""`cancel`: take back at the backend what is in flight and not yet begun to be paid for."""

import asyncio
from pathlib import Path

from engine.backend import check_backend
from engine.commands.connection import connected, visit_of
from engine.commands.event_loop import runner
from engine.commands.restore import Output
from engine.commands.terminal import print_json, results
from engine.pipeline import opening
from engine.pipeline.cancel import Cancelled
from engine.pipeline.cancel import cancel as cancel_in_flight
from engine.pipeline.inspection import inspect
from engine.pipeline.opening import Opened
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.summary import ExitCode
from engine.report import cancelled_table
from engine.shutdown import two_step

__all__ = ["cancel"]

_STOPPED = "interrupted"


def cancel(run: Path, output: Output) -> int:
    """Cancel what is in flight of the run in `run`; return 4 when a resume has to see to some of it."""
    folder = RunFolder.find(run.absolute())
    with opening.resume(folder, {}) as opened:
        cancelled = Cancelled(in_flight=0)
        if opened.past.open_jobs:
            check_backend(opened.order.settings.backend, opened.order.settings.simulation)
            with runner() as loop:
                cancelled = loop.run(_cancel(opened))
    summary = inspect(folder)
    code = ExitCode.INTERRUPTED if summary.in_flight else ExitCode.DONE
    if output.is_json:
        print_json({**summary.record(), **cancelled.record(), "exit_code": int(code)})
    else:
        results().print(cancelled_table(summary, cancelled))
    return code


async def _cancel(opened: Opened) -> Cancelled:
    """Do it as a task that a Ctrl-C ends; what was cancelled until then is in the journal."""
    work = asyncio.create_task(_visit(opened))
    with two_step(lambda: _leave(work), work.cancel):
        try:
            return await work
        except asyncio.CancelledError:
            return Cancelled(in_flight=len(opened.past.open_jobs))


def _leave(work: asyncio.Task[Cancelled]) -> None:
    work.cancel()


async def _visit(opened: Opened) -> Cancelled:
    async with connected(opened) as (endpoint, transport):
        return await cancel_in_flight(visit_of(opened, endpoint, transport))
