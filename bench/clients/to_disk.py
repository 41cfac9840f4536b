"""Large results, bare: an aiohttp loop that streams each body to disk in pieces of 1 MiB by worker threads.

The small requests before a download are made too. With `is_synced` each file is synced and renamed, as the engine's
are; nothing is decoded, and hashed (SHA-256) only with the option `is_hashed`. Pieces are joined to 1 MiB first:
aiohttp hands them out by the 64 KiB or less.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import aiofiles
import aiohttp
import uvloop

from bench.clients.watching import Watched
from bench.task import Counts, Task

__all__ = ["run"]

_CHUNK_BYTES = 1024 * 1024


def run(task: Task) -> Counts:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(task))


async def _run(task: Task) -> Counts:
    task.out.mkdir()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http:
        watched, jobs = Watched(task, http), iter(task.pictures())
        async with asyncio.TaskGroup() as group:
            for _worker in range(task.in_flight):
                group.create_task(_work(watched, http, jobs, task))
    return Counts(done=len(task.pictures()), status_requests=watched.counts.status_requests)


async def _work(watched: Watched, http: aiohttp.ClientSession, jobs: Iterator[Path], task: Task) -> None:
    for path in jobs:
        link = await watched.finished_link(path)
        final = task.out / path.name
        part = final.with_name(final.name + ".part")
        async with http.get(link) as answer, aiofiles.open(part, "wb") as file:
            pieces, held_bytes = [], 0
            async for piece in answer.content.iter_any():
                pieces.append(piece)
                held_bytes += len(piece)
                if held_bytes >= _CHUNK_BYTES:
                    await file.write(b"".join(pieces))
                    pieces, held_bytes = [], 0
            await file.write(b"".join(pieces))
        await asyncio.to_thread(_publish, part, final, task)


def _publish(part: Path, final: Path, task: Task) -> None:
    with part.open("rb") as file:
        if task.options.get("is_hashed"):
            hashlib.file_digest(file, "sha256")
        if task.is_synced:
            os.fsync(file.fileno())
    part.replace(final)
