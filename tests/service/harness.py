"""A real service on a free port, and a small client for it."""

import asyncio
import contextlib
import io
import logging
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from PIL import Image

from engine.clock import SystemClock
from engine.service.server import ServiceSettings, serve

KEY = "a-key-for-tests"
SCRIPTED = (sys.executable, str(Path(__file__).with_name("scripted_worker.py")))
BASE = "/image/v1"
_DEADLINE_S = 20.0


def picture(order: str = "", *, format: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:  # noqa: A002
    """Return a small picture; `order` behind its end tells the scripted worker what to do."""
    file = io.BytesIO()
    Image.new("RGB", size, (120, 90, 70)).save(file, format)
    return file.getvalue() + (b"#" + order.encode() if order else b"")


class ShiftedClock(SystemClock):
    """The machine's clock, moved ahead by `ahead_s`."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


class ImpatientClock(SystemClock):
    """A clock on which every look at the time is a minute later: whoever waits is out of patience at once."""

    _looks = 0

    def monotonic(self) -> float:
        self._looks += 1
        return 60.0 * self._looks


async def until(condition, what: str):
    """Poll the coroutine function `condition` until it answers something true, and return that."""
    deadline = time.monotonic() + _DEADLINE_S
    while not (answer := await condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.01)
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Running:
    """One running service, seen by a client that holds its key."""

    def __init__(self, base: str, session: aiohttp.ClientSession, admin: str = "") -> None:
        self.base = base
        self.session = session
        self.admin = admin

    async def call(self, method: str, path: str, **options):
        """Return (status, JSON or None) of one call under the API's base path, or any path that starts with '//'."""
        url = self.base + (path[1:] if path.startswith("//") else BASE + path)
        async with self.session.request(method, url, **options) as response:
            body = await response.read()
            return response.status, await response.json() if body else None

    async def post(self, data: bytes | None = None, *, filename: str = "a.png", headers=None, **fields: str):
        """Submit one picture; the model is `Faces` unless `fields` say otherwise."""
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        for name, value in {"model": "Faces", **fields}.items():
            form.add_field(name, value)
        if data is not None:
            form.add_field("image", io.BytesIO(data), filename=filename, content_type="image/png")
        return await self.call("POST", "/restore-gen/async", data=form, headers=headers)

    async def submit(self, order: str = "", **fields: str) -> str:
        """Submit a picture with `order` and return its process id."""
        status, answer = await self.post(picture(order), **fields)
        assert status == 200, answer
        return answer["process_id"]

    async def row(self, process_id: str):
        status, answer = await self.call("GET", f"/status/{process_id}")
        assert status == 200, answer
        return answer

    async def reached(self, process_id: str, *wanted: str):
        """Return the row of the job once its status is one of `wanted`."""

        async def is_there():
            row = await self.row(process_id)
            return row if row["status"] in wanted else None

        return await until(is_there, f"{process_id} to be {wanted}")

    async def link(self, process_id: str, kind: str = ""):
        status, answer = await self.call("GET", f"/download/{kind}{process_id}")
        assert status == 200, answer
        return answer

    async def health(self):
        """Return the whole /health, as the admin port tells it."""
        async with self.session.get(self.admin + "/health") as response:
            return await response.json()

    async def fetch(self, url: str, *, method: str = "GET", **headers: str):
        """Return what a stranger without the key gets from `url`; underscores in header names become dashes."""
        dashed = {name.replace("_", "-"): value for name, value in headers.items()}
        async with aiohttp.ClientSession() as stranger, stranger.request(method, url, headers=dashed) as response:
            return Fetched(status=response.status, headers=response.headers, body=await response.read())


@contextlib.asynccontextmanager
async def running(folder: Path, *, clock=None, **settings) -> AsyncIterator[Running]:
    """Serve `folder` with scripted workers for as long as the block runs."""
    values = {"keys": frozenset({KEY}), "workers": 2, "worker_command": SCRIPTED, "admin_port": 0, **settings}
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    with _listening_for_admin() as heard:
        task = asyncio.create_task(serve(ServiceSettings(folder=folder, **values), ready.set_result, stop, clock=clock))
        await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        ready.cancel()
        await task
    try:
        async with aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session:
            yield Running(ready.result(), session, "".join(heard))
    finally:
        stop.set()
        await task


@contextlib.contextmanager
def _listening_for_admin() -> Iterator[list[str]]:
    """Gather the URL of the admin port, which only the log tells."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.extend(re.findall(r"metrics and health at (\S+)", record.getMessage()))

    log, ear = logging.getLogger("engine.service.server"), Ear()
    before = log.level
    log.addHandler(ear)
    log.setLevel(logging.INFO)
    try:
        yield heard
    finally:
        log.setLevel(before)
        log.removeHandler(ear)
