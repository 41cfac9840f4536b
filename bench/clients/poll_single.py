"""Single looks: each job by itself, first at its eta and then every `look_s` seconds. A task sleeps for each job."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import uvloop

from bench.clients.watching import SUBMITTERS, Watched
from bench.task import Counts, Task

__all__ = ["run"]

_CONNECTIONS = 64


def run(task: Task) -> Counts:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(task))


async def _run(task: Task) -> Counts:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as http:
        watched, look_s = Watched(task, http), float(task.options["look_s"])
        jobs = watched.jobs()
        async with asyncio.TaskGroup() as group:
            for _submitter in range(SUBMITTERS):
                group.create_task(_submit(watched, jobs, look_s, group))
    return watched.counts


async def _submit(watched: Watched, jobs: Iterator[Path], look_s: float, group: asyncio.TaskGroup) -> None:
    for path in jobs:
        await watched.permits.acquire()
        process_id, eta = await watched.submit(path)
        group.create_task(_watch(watched, process_id, eta, look_s))


async def _watch(watched: Watched, process_id: str, eta: float, look_s: float) -> None:
    await asyncio.sleep(max(0.0, eta - time.time()))
    while (row := await watched.look(process_id))["status"] != "Completed":  # noqa: ASYNC110 -- the remote sends no events
        await asyncio.sleep(look_s)
    watched.ended(row)
