"""A real service in a thread of its own, for tests that are not asynchronous."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.service.harness import BASE, KEY, picture, running

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Where it is, and a session that holds its key."""

    base: str
    session: requests.Session = field(repr=False)

    def call(self, method: str, path: str, **options) -> requests.Response:
        """Make one call under the API's base path, or of any path that starts with '//'."""
        url = self.base + (path[1:] if path.startswith("//") else BASE + path)
        return self.session.request(method, url, timeout=_PATIENCE_S, **options)

    def submit(self, order: str = "", **fields: str) -> requests.Response:
        """Send a picture; `order` tells the scripted worker what to do with it."""
        files = {"image": ("a.png", picture(order), "image/png")}
        return self.call("POST", "/restore-gen/async", data={"model": "Faces", **fields}, files=files)


@contextlib.contextmanager
def live(folder: Path, **settings) -> Iterator[Live]:
    """Serve `folder` with scripted workers for as long as the block runs."""
    ready: Future[str] = Future()
    stopping: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = queue.SimpleQueue()
    thread = threading.Thread(target=asyncio.run, args=(_serve(folder, settings, ready, stopping),))
    thread.start()
    base = ready.result(_PATIENCE_S)
    try:
        with requests.Session() as session:
            session.headers["X-API-Key"] = KEY
            yield Live(base=base, session=session)
    finally:
        loop, stop = stopping.get()
        loop.call_soon_threadsafe(stop.set)
        thread.join(_PATIENCE_S)


async def _serve(folder, settings, ready, stopping) -> None:
    stop = asyncio.Event()
    try:
        async with running(folder, **settings) as service:
            stopping.put((asyncio.get_running_loop(), stop))
            ready.set_result(service.base)
            await stop.wait()
    except BaseException as error:
        if not ready.done():
            ready.set_exception(error)
        raise
