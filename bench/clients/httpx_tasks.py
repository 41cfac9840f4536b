"""One asyncio task a job over one `httpx.AsyncClient`, behind a semaphore: the script most people write first.

Options: `look_s`, seconds between looks; `looks_first`, whether the first look comes before the first wait. With 0.1
and true it polls as fal's client does (`iter_events`), with 0.5 and false as replicate's (`async_wait`, which sleeps
before each reload); both of them are built on httpx.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from bench.task import Counts, Task

__all__ = ["run"]


def run(task: Task) -> Counts:
    return asyncio.run(_run(task))


async def _run(task: Task) -> Counts:
    task.out.mkdir()
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)  # httpx's own defaults
    async with httpx.AsyncClient(timeout=60, limits=limits) as http:
        script = _Script(task, http)
        await asyncio.gather(*[script.restore(path) for path in task.pictures()])
    return script.counts


class _Script:
    def __init__(self, task: Task, http: httpx.AsyncClient) -> None:
        self._task = task
        self._http = http
        self._semaphore = asyncio.Semaphore(task.in_flight)
        self.counts = Counts()

    async def restore(self, path: Path) -> None:
        async with self._semaphore:
            submitted = await self._http.post(
                f"{self._task.base_url}/restore-gen/async",
                headers=self._task.headers,
                files={"image": (path.name, path.read_bytes(), "image/jpeg")},
                data={"model": "Faces", "output_format": "jpeg"},
            )
            submitted.raise_for_status()
            process_id = submitted.json()["process_id"]
            await self._completed(process_id)
            link = await self._get(f"/download/{process_id}")
            result = await self._http.get(link["download_url"])
            (self._task.out / path.name).write_bytes(result.content)
            self.counts.done += 1

    async def _completed(self, process_id: str) -> None:
        look_s = self._task.options["look_s"]
        if not self._task.options["looks_first"]:
            await asyncio.sleep(look_s)
        while (row := await self._look(process_id))["status"] != "Completed":  # noqa: ASYNC110 -- the remote sends no events
            await asyncio.sleep(look_s)
        self.counts.delays_s.append(time.time() - row["modification_time"])

    async def _look(self, process_id: str) -> dict[str, Any]:
        self.counts.status_requests += 1
        return await self._get(f"/status/{process_id}")

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await self._http.get(self._task.base_url + path, headers=self._task.headers)
        answer.raise_for_status()
        row: dict[str, Any] = answer.json()
        return row
