"""The service as bare clients see it: what the plain ways of polling and of downloading share.

It is written for speed, like the floor, so that what differs from the engine is when they look or how they write.
"""

import asyncio
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from bench.clients.floor import multipart_body
from bench.task import Counts, Task

__all__ = ["SUBMITTERS", "Watched"]

SUBMITTERS = 16
_LOOK_S = 0.05


class Watched:
    """Calls of the contract, counted. `counts.status_requests` counts single looks and listing pages alike."""

    def __init__(self, task: Task, http: aiohttp.ClientSession) -> None:
        self._task = task
        self._http = http
        self._headers = task.headers
        self.permits = asyncio.Semaphore(task.in_flight)
        self.counts = Counts()

    async def submit(self, path: Path) -> tuple[str, float]:
        """Return the process id and the eta, in Unix seconds."""
        boundary = secrets.token_hex(16)
        headers = {**self._headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        body = multipart_body(boundary, path.name, path.read_bytes(), self._task.output_format)
        url = f"{self._task.base_url}/restore-gen/async"
        async with self._http.post(url, headers=headers, data=body) as answer:
            answer.raise_for_status()
            members = orjson.loads(await answer.read())
        return members["process_id"], float(members["eta"])

    async def look(self, process_id: str) -> dict[str, Any]:
        return await self._status(f"/{process_id}")

    async def finished_link(self, path: Path) -> str:
        """Do one job up to the presigned link of its result."""
        process_id, _eta = await self.submit(path)
        while (await self.look(process_id))["status"] != "Completed":  # noqa: ASYNC110 -- the remote sends no events
            await asyncio.sleep(_LOOK_S)
        async with self._http.get(f"{self._task.base_url}/download/{process_id}", headers=self._headers) as answer:
            return str(orjson.loads(await answer.read())["download_url"])

    async def page(self, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return one page's rows and the cursor of the next page."""
        answer = await self._status("?paginated=true&limit=100" + (f"&cursor={cursor}" if cursor else ""))
        pagination = answer["pagination"]
        return answer["data"], pagination["next_cursor"] if pagination["has_next_page"] else None

    def ended(self, row: dict[str, Any]) -> None:
        """Count a job that was seen to have ended, and let the next one start."""
        self.counts.done += 1
        self.counts.delays_s.append(time.time() - row["modification_time"])
        self.permits.release()

    def jobs(self) -> Iterator[Path]:
        return iter(self._task.pictures())

    async def _status(self, rest: str) -> dict[str, Any]:
        self.counts.status_requests += 1
        async with self._http.get(f"{self._task.base_url}/status{rest}", headers=self._headers) as answer:
            answer.raise_for_status()
            members: dict[str, Any] = orjson.loads(await answer.read())
            return members
