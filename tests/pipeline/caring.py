"""The commands that look after a run, over the remote in memory; each call is like a process of its own."""

import random
from typing import Any

from engine.job.state import State
from engine.pipeline import opening
from engine.pipeline.cancel import Cancelled, cancel
from engine.pipeline.closing import Closing
from engine.pipeline.inspection import look
from engine.pipeline.opening import Opened, reopened, without_journal
from engine.pipeline.order import Order
from engine.pipeline.recover import Recovered, find_rows, rebuild
from engine.pipeline.retry import Retried, retry
from engine.pipeline.summary import Summary
from engine.pipeline.verify import Bad, Verified, verify
from engine.pipeline.visit import Visit
from engine.remote.client import Client
from engine.remote.endpoint import Endpoint
from tests.fakes.remote import BASE
from tests.pipeline.harness import Bench


def visit_of(bench: Bench, opened: Opened) -> Visit:
    endpoint = Endpoint(name="fake", base_url=BASE, key=bench.key, is_own=bench.is_own, settle_s=10.0)
    client = Client(bench.remote, BASE, bench.key, bench.clock)
    return Visit(opened=opened, endpoint=endpoint, client=client, clock=bench.clock, draw=random.Random(1).random)


async def put_back(bench: Bench, reason: str = "") -> Retried:
    """Put failed jobs back and leave it at that, as if the process had been killed then."""
    await bench.clock.sleep(0)
    with opening.resume(bench.run_folder, {}) as opened:
        return await retry(visit_of(bench, opened), reason)


async def retry_failed(bench: Bench, reason: str = "", **changes: Any) -> tuple[Retried, Summary]:
    """As the command does: put them back, then resume."""
    await bench.clock.sleep(0)
    bench.closing = Closing()
    with opening.resume(bench.run_folder, changes) as opened:
        retried = await retry(visit_of(bench, opened), reason)
        return retried, await bench.carry_out(reopened(opened))


async def recover(bench: Bench, *, is_offline: bool = False) -> Recovered:
    await bench.clock.sleep(0)
    with without_journal(bench.run_folder) as opened:
        found = {} if is_offline else await find_rows(visit_of(bench, opened))
        return rebuild(opened, found, bench.clock)


async def cancel_in_flight(bench: Bench, counts: Cancelled | None = None) -> Cancelled:
    await bench.clock.sleep(0)
    with opening.resume(bench.run_folder, {}) as opened:
        return await cancel(visit_of(bench, opened), counts)


def verified(bench: Bench) -> tuple[Verified, list[Bad], int]:
    """Return the counts, what is bad, and how many jobs have no output to verify."""
    tally, _summary = look(bench.run_folder, Order.load(bench.run_folder.order))
    bad: list[Bad] = []
    (*_, counts) = verify(bench.run_folder, bench.out, tally, bad.append)
    return counts, bad, tally.planned - tally.counts[State.DONE]
