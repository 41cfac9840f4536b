"""Whole sweeps: every `look_s` seconds the paginated listing from its first page to its last, 100 rows a page.

It keeps all finished rows, as the contract's listing does for 7 days: the longer the run, the longer the sweep.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import uvloop

from bench.clients.watching import SUBMITTERS, Watched
from bench.task import Counts, Task

__all__ = ["run"]


def run(task: Task) -> Counts:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(task))


async def _run(task: Task) -> Counts:
    async with aiohttp.ClientSession() as http:
        watched, open_jobs = Watched(task, http), set[str]()
        jobs = watched.jobs()
        submitting = asyncio.gather(*[_submit(watched, jobs, open_jobs) for _submitter in range(SUBMITTERS)])
        while not submitting.done() or open_jobs:
            pause = asyncio.create_task(asyncio.sleep(float(task.options["look_s"])))
            await _sweep(watched, open_jobs)
            await pause
        await submitting
    return watched.counts


async def _submit(watched: Watched, jobs: Iterator[Path], open_jobs: set[str]) -> None:
    for path in jobs:
        await watched.permits.acquire()
        process_id, _eta = await watched.submit(path)
        open_jobs.add(process_id)


async def _sweep(watched: Watched, open_jobs: set[str]) -> None:
    cursor: str | None = None
    while True:
        rows, cursor = await watched.page(cursor)
        for row in rows:
            if row["status"] == "Completed" and row["process_id"] in open_jobs:
                open_jobs.remove(row["process_id"])
                watched.ended(row)
        if cursor is None:
            return
