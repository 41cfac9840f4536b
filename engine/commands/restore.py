"""`restore` and `resume`: open a run, carry it out with progress, end with a table and an exit code."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.backend import check_backend
from engine.clock import SystemClock
from engine.commands.connection import connected, visit_of
from engine.commands.event_loop import runner
from engine.commands.sizing import Outputs, sizing
from engine.commands.terminal import print_json, results, screen
from engine.errors import UsageError
from engine.inputs.folder import Globs
from engine.inputs.scan import check_inputs
from engine.pipeline import opening
from engine.pipeline.cancel import cancel
from engine.pipeline.closing import Closing, Reason
from engine.pipeline.inspection import inspect
from engine.pipeline.opening import Opened, reopened
from engine.pipeline.order import Order
from engine.pipeline.run import run
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.summary import Summary
from engine.pipeline.visit import Visit
from engine.progress import show
from engine.remote.failures import RemoteError
from engine.report import summary_table
from engine.settings import load_changes, load_parameters, load_settings
from engine.shutdown import two_step

__all__ = ["Globs", "Manner", "Output", "Outputs", "carry_out", "restore", "resume"]

_INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How the command speaks: one JSON object at the end or a table; with progress or without."""

    is_json: bool = False
    is_quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a run is carried out otherwise than straight on.

    `before`: done first, it returns the run as it is then and notes for its summary. `is_cancelling`: the first Ctrl-C
    cancels what is in flight.
    """

    before: Callable[[Visit], Awaitable[tuple[Opened, tuple[str, ...]]]] | None = None
    is_cancelling: bool = False


def restore(
    inputs: list[str],
    *,
    out: Path,
    run_folder: Path | None,
    globs: Globs,
    outputs: Outputs,
    parameters: Mapping[str, Any],
    settings: Mapping[str, Any],
    config: Path | None,
    output: Output,
    is_cancelling: bool = False,
) -> int:
    """Restore `inputs` into `out` and return the exit code; None in `parameters` and `settings` means not given."""
    resolved = load_settings(settings, config)
    check_inputs(inputs)
    _check_apart(inputs, out)
    order = Order(
        run_id=secrets.token_hex(5),
        inputs=tuple(map(_absolute, inputs)),
        out=out.absolute(),
        globs=globs,
        sizing=sizing(load_parameters(parameters, config), outputs),
        settings=resolved,
    )
    check_backend(resolved.backend, resolved.simulation)
    folder = RunFolder.beside(order.out, run_folder.absolute() if run_folder is not None else None)
    return carry_out(opening.begin(order, folder), output, Manner(is_cancelling=is_cancelling))


def resume(run_folder: Path, settings: Mapping[str, Any], output: Output, manner: Manner = Manner()) -> int:
    """Go on with the run in `run_folder`, with changed `settings` where they are not None."""
    changes = load_changes(settings)
    folder = RunFolder.find(run_folder.absolute())
    saved = Order.load(folder.order).settings
    check_backend(saved.backend, saved.simulation)
    return carry_out(opening.resume(folder, changes), output, manner)


def _check_apart(inputs: list[str], out: Path) -> None:
    """Raise UsageError for an input folder that is the output folder: its pictures would all be left out."""
    for text in inputs:
        with contextlib.suppress(OSError):  # the output folder need not be there yet; a URL never is
            if out.samefile(text):
                raise UsageError(f"{text} is INPUT and --out at once: restored pictures need a folder of their own")


def _absolute(text: str) -> str:
    """A resume may be started from another folder."""
    return text if text.startswith(("http://", "https://")) else str(Path(text).absolute())


def carry_out(opened_run: AbstractContextManager[Opened], output: Output, manner: Manner) -> int:
    """Carry out an opened run with progress, print what it came to and return the exit code."""
    with opened_run as opened, runner() as loop:
        summary = loop.run(_run(opened, output, manner))
    if output.is_json:
        print_json(summary.record())
    else:
        results().print(summary_table(summary))
    return int(summary.exit_code)


async def _run(opened: Opened, output: Output, manner: Manner) -> Summary:
    """Carry out the run as a task that a second Ctrl-C cancels; the summary then comes from the run's files."""
    closing = Closing()
    work = asyncio.create_task(_with_backend(opened, closing, output, manner))
    with two_step(lambda: closing.tell(Reason.INTERRUPTED, _INTERRUPTED), work.cancel):
        try:
            return await work
        except asyncio.CancelledError:
            return inspect(opened.folder, stopped=Reason.INTERRUPTED, message=_INTERRUPTED)


async def _with_backend(opened: Opened, closing: Closing, output: Output, manner: Manner) -> Summary:
    async with (
        connected(opened) as (endpoint, transport),
        show(None if output.is_quiet else screen()) as on_start,
    ):
        notes: tuple[str, ...] = ()
        if manner.before is not None:
            opened, notes = await manner.before(visit_of(opened, endpoint, transport))
        summary = await run(
            opened,
            endpoint,
            transport=transport,
            clock=SystemClock(),
            draw=random.SystemRandom().random,
            closing=closing,
            on_start=on_start,
        )
        summary = replace(summary, notes=(*notes, *summary.notes))
        if not manner.is_cancelling or closing.reason is not Reason.INTERRUPTED:
            return summary
        return await _cancelled(visit_of(await asyncio.to_thread(reopened, opened), endpoint, transport), summary)


async def _cancelled(visit: Visit, summary: Summary) -> Summary:
    """Cancel what the interrupted run has left in flight, and return its summary as it is then."""
    try:
        ends = await cancel(visit)
        note = f"{ends.cancelled} of {ends.in_flight} in flight were cancelled at the backend"
    except RemoteError as error:
        note = f"not all that is in flight could be cancelled: {error}"
    now = await asyncio.to_thread(inspect, visit.opened.folder)
    kept = ("requests", "calls", "refusals", "limits", "seconds", "ended_now", "stopped", "message")
    notes = (*summary.notes, note)
    return replace(now, backend=summary.backend, notes=notes, **{name: getattr(summary, name) for name in kept})
