"""`cancel`: take back at the backend what is in flight and not yet begun to be paid for."""

import asyncio
import contextlib
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
    """Cancel what is in flight of the run in `run`; return 4 when a resume has something to do."""
    folder = RunFolder.find(run.absolute())
    with opening.resume(folder, {}) as opened:
        cancelled = Cancelled(in_flight=len(opened.past.open_jobs))
        if opened.past.open_jobs:
            check_backend(opened.order.settings.backend, opened.order.settings.simulation)
            with runner() as loop:
                loop.run(_cancel(opened, cancelled))
        is_planned = opened.jobs is None
    summary = inspect(folder)
    is_over = is_planned and not summary.in_flight and not summary.waiting
    code = summary.exit_code if is_over else ExitCode.INTERRUPTED
    if output.is_json:
        print_json({**summary.record(), **cancelled.record(), "exit_code": int(code)})
    else:
        results().print(cancelled_table(summary, cancelled))
    return code


async def _cancel(opened: Opened, cancelled: Cancelled) -> None:
    """Do it as a task that a Ctrl-C ends; what was cancelled until then is in the journal."""
    work = asyncio.create_task(_visit(opened, cancelled))
    with two_step(work.cancel, work.cancel), contextlib.suppress(asyncio.CancelledError):
        await work


async def _visit(opened: Opened, cancelled: Cancelled) -> None:
    async with connected(opened) as (endpoint, transport):
        await cancel_in_flight(visit_of(opened, endpoint, transport), cancelled)
