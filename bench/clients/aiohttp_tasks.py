"""One asyncio task a job over one aiohttp session, `FormData` and aiofiles: the good script of somebody in a hurry.

Option `look_s`: seconds between looks; the first look comes at once.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import aiofiles
import aiohttp

from bench.task import Counts, Task

__all__ = ["run"]


def run(task: Task) -> Counts:
    return asyncio.run(_run(task))


async def _run(task: Task) -> Counts:
    task.out.mkdir()
    async with aiohttp.ClientSession() as http:
        script = _Script(task, http)
        await asyncio.gather(*[script.restore(path) for path in task.pictures()])
    return script.counts


class _Script:
    def __init__(self, task: Task, http: aiohttp.ClientSession) -> None:
        self._task = task
        self._http = http
        self._semaphore = asyncio.Semaphore(task.in_flight)
        self.counts = Counts()

    async def restore(self, path: Path) -> None:
        async with self._semaphore:
            process_id = await self._submit(path)
            await self._completed(process_id)
            link = await self._get(f"/download/{process_id}")
            async with (
                self._http.get(link["download_url"]) as answer,
                aiofiles.open(self._task.out / path.name, "wb") as file,
            ):
                async for chunk in answer.content.iter_chunked(65536):
                    await file.write(chunk)
            self.counts.done += 1

    async def _submit(self, path: Path) -> str:
        async with aiofiles.open(path, "rb") as file:
            content = await file.read()
        form = aiohttp.FormData({"model": "Faces", "output_format": "jpeg"})
        form.add_field("image", content, filename=path.name, content_type="image/jpeg")
        url = f"{self._task.base_url}/restore-gen/async"
        async with self._http.post(url, headers=self._task.headers, data=form) as answer:
            answer.raise_for_status()
            return str((await answer.json())["process_id"])

    async def _completed(self, process_id: str) -> None:
        while (row := await self._look(process_id))["status"] != "Completed":  # noqa: ASYNC110 -- the remote sends no events
            await asyncio.sleep(self._task.options["look_s"])
        self.counts.delays_s.append(time.time() - row["modification_time"])

    async def _look(self, process_id: str) -> dict[str, Any]:
        self.counts.status_requests += 1
        return await self._get(f"/status/{process_id}")

    async def _get(self, path: str) -> dict[str, Any]:
        async with self._http.get(self._task.base_url + path, headers=self._task.headers) as answer:
            answer.raise_for_status()
            members: dict[str, Any] = await answer.json()
            return members
