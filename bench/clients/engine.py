"""The engine itself, run in this process the way `face-recovery restore` runs it, without its terminal.

Options: `settings` (changes to the engine's settings), `probe_ms` (measure how late the event loop runs a timer of
so many milliseconds, and how many jobs are in flight), `is_counted` (keep the time and status of every call).
"""

import random
import secrets
from collections.abc import Callable

import orjson

from bench.clients.counting import CountingTransport
from bench.clients.lag import LagProbe
from bench.task import Counts, Task
from engine.clock import SystemClock
from engine.commands.connection import transport_for
from engine.commands.event_loop import runner
from engine.inputs.scan import Sizing
from engine.job.parameters import FaceRecovery
from engine.pipeline import opening
from engine.pipeline.closing import Closing
from engine.pipeline.opening import Opened
from engine.pipeline.order import Order
from engine.pipeline.run import View
from engine.pipeline.run import run as run_engine
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.summary import Summary
from engine.remote.endpoint import Endpoint
from engine.remote.failures import Call
from engine.remote.transport import AiohttpTransport
from engine.settings import Settings

__all__ = ["read_delays_s", "run"]


def run(task: Task) -> Counts:
    settings = Settings(
        backend=task.base_url,
        max_in_flight=task.in_flight,
        sync=task.is_synced,
        **task.options.get("settings", {}),
    )
    order = Order(
        run_id=secrets.token_hex(5),
        inputs=(str(task.inputs),),
        out=task.out,
        sizing=Sizing(FaceRecovery.parse({"output_format": task.output_format})),
        settings=settings,
    )
    folder = RunFolder.beside(task.out, None)
    probe = LagProbe(task.options.get("probe_ms", 0))
    with (
        opening.begin(order, folder) as opened,
        runner() as loop,
    ):
        summary, transport = loop.run(_run(task, opened, probe.start))
    return _counts(summary, transport, probe)


def read_delays_s(task: Task) -> list[float]:
    """Return how long each finished job lay at the service before the engine knew, as its result row says."""
    with RunFolder.beside(task.out, None).results.open("rb") as lines:
        rows = [orjson.loads(line) for line in lines]
    return [row["timings"]["unseen_s"] for row in rows if row["status"] == "done"]


async def _run(
    task: Task, opened: Opened, on_start: Callable[[View], None]
) -> tuple[Summary, CountingTransport | AiohttpTransport]:
    async with transport_for(opened.order.settings) as bare:
        transport = CountingTransport(bare) if task.options.get("is_counted") else bare
        summary = await run_engine(
            opened,
            Endpoint(name="simulated", base_url=task.base_url, key=task.key),
            transport=transport,
            clock=SystemClock(),
            draw=random.SystemRandom().random,
            closing=Closing(),
            on_start=on_start,
        )
        return summary, transport


def _counts(summary: Summary, transport: CountingTransport | AiohttpTransport, probe: LagProbe) -> Counts:
    calls = summary.calls
    counts = Counts(done=summary.done, status_requests=calls.get(Call.STATUS, 0) + calls.get(Call.LISTING, 0))
    counts.more["requests"] = summary.requests
    if summary.reasons or summary.message:
        counts.more["trouble"] = {"reasons": summary.reasons, "message": summary.message}
    if probe.samples:
        counts.more |= probe.record()
    if isinstance(transport, CountingTransport):
        counts.more["requests_over_time"] = transport.seconds()
    return counts
