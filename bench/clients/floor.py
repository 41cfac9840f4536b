"""The floor: what the requests of a job and its file cost when nothing else is done.

A bare aiohttp loop on uvloop. A job: read the input, POST it in a multipart body joined by hand, GET its status
until it says Completed, GET the result, and in one hop to a thread write, sync and rename it. Nothing is checked,
hashed or remembered, and a failure ends it.

Option `mints_links`: ask for a presigned link for each job, as the contract wants it (a fourth request). Without it
one link is minted before the start and serves all jobs, which makes three requests a job.
"""

import asyncio
import itertools
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import orjson
import uvloop

from bench.task import Counts, Task

__all__ = ["multipart_body", "run"]

# The simulated service ends jobs in ticks of 5 ms, so even without latency a look right after the POST comes too early
# and would be a request more. Many workers keep the core busy meanwhile.
_FIRST_LOOK_S = 0.02  # by then a job of no latency is surely done: one look a job, no more
_LOOK_S = 0.05  # between further looks


def run(task: Task) -> Counts:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(task))


async def _run(task: Task) -> Counts:
    task.out.mkdir()
    floor = _Floor(task)
    jobs = iter(task.pictures())
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=task.in_flight), cookie_jar=aiohttp.DummyCookieJar()
    ) as floor.session:
        if not task.options["mints_links"]:
            floor.link = await floor.shared_link(next(jobs))
            jobs = itertools.chain([task.pictures()[0]], jobs)
        async with asyncio.TaskGroup() as group:
            for _worker in range(task.in_flight):
                group.create_task(floor.work(jobs))
    return floor.counts


class _Floor:
    """A few workers that take jobs from one iterator."""

    session: aiohttp.ClientSession

    def __init__(self, task: Task) -> None:
        self._task = task
        self._headers = task.headers
        self.link = ""
        self.counts = Counts()

    async def work(self, jobs: Iterator[Path]) -> None:
        for path in jobs:
            process_id = await self._submit(path)
            await self._completed(process_id)
            link = self.link or await self._mint(process_id)
            async with self.session.get(link) as answer:
                result = await answer.read()
            await asyncio.to_thread(_publish, self._task.out / path.name, result, is_synced=self._task.is_synced)
            self.counts.done += 1

    async def shared_link(self, path: Path) -> str:
        """Do one job up to its link."""
        process_id = await self._submit(path)
        await self._completed(process_id)
        return await self._mint(process_id)

    async def _submit(self, path: Path) -> str:
        content, boundary = path.read_bytes(), secrets.token_hex(16)
        headers = {**self._headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        url = f"{self._task.base_url}/restore-gen/async"
        async with self.session.post(
            url, headers=headers, data=multipart_body(boundary, path.name, content, self._task.output_format)
        ) as answer:
            answer.raise_for_status()
            return str(orjson.loads(await answer.read())["process_id"])

    async def _completed(self, process_id: str) -> None:
        url = f"{self._task.base_url}/status/{process_id}"
        await asyncio.sleep(_FIRST_LOOK_S)
        while True:
            async with self.session.get(url, headers=self._headers) as answer:
                row = orjson.loads(await answer.read())
            self.counts.status_requests += 1
            if row["status"] == "Completed":
                return
            await asyncio.sleep(_LOOK_S)

    async def _mint(self, process_id: str) -> str:
        async with self.session.get(f"{self._task.base_url}/download/{process_id}", headers=self._headers) as answer:
            return str(orjson.loads(await answer.read())["download_url"])


def multipart_body(boundary: str, name: str, content: bytes, output_format: str) -> bytes:
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in (("model", "Faces"), ("output_format", output_format))
    )
    image = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return b"".join((fields.encode(), image.encode(), content, f"\r\n--{boundary}--\r\n".encode()))


def _publish(final: Path, content: bytes, *, is_synced: bool) -> None:
    part = f"{final}.part"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        os.write(fd, content)
        if is_synced:
            os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(part, final)  # noqa: PTH104 -- the floor pays for no path objects
